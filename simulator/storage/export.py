"""Export of runs and batches to CSV and NetCDF."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import product
from os import PathLike
from pathlib import Path
from typing import TextIO

import numpy as np

from simulator.errors import UsageError
from simulator.physics.notation import size
from simulator.runs.batch import Batch
from simulator.runs.last_states import LastStates
from simulator.storage.atomic import refuse_existing, write_atomically
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.arrangement import QUANTITIES
from simulator.trajectory.labelled import Field
from simulator.trajectory.states import States
from simulator.trajectory.trajectory import Trajectory

#: Largest batch that is written as one file [bytes]; the file is assembled in memory.
MOST_BYTES = 1 << 30

#: Quantities of :class:`simulator.trajectory.analysis.Analysis` that a table has in addition to the saved ones.
DERIVED = (
    "nernst",
    "driving_force",
    "influx",
    "efflux",
    "net_flux",
    "species_flux",
    "current",
    "ion_current",
    "species_current",
    "atp_rate",
    "dissipation",
)

#: Runs whose derived quantities are computed, and rows whose text is made, at once.
TOGETHER = 1 << 14


def to_csv(result: Trajectory | Batch, target: str | PathLike[str] | TextIO, *, overwrite: bool = False) -> None:
    """Write a table with one row per saved time.

    One column per quantity and label, its unit in the header, e.g. ``potential.plasma [V]``. Columns
    without any number (species absent from a compartment) are left out; NaN becomes an empty cell.
    Numbers are written with full precision.

    Parameters
    ----------
    result : Trajectory or Batch
        The run; for a batch, one row per run says how it ended, with the same quantities at its end.
    target : path or text stream
        File or stream to write to.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    columns = _ends(result) if isinstance(result, Batch) else {"time [s]": result.time} | _over_time(result)
    if isinstance(target, str | PathLike):
        memory = io.BytesIO()
        text = io.TextIOWrapper(memory, "utf-8", newline="")
        _write_table(columns, text)
        text.flush()
        write_atomically(Path(target), memory.getbuffer(), overwrite)
    else:
        _write_table(columns, target)


def to_netcdf(result: Trajectory | Batch, target: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a NetCDF-4 file, the format that data files already have.

    Parameters
    ----------
    result : Trajectory or Batch
        The run, or all runs of a batch, up to :data:`MOST_BYTES`.
    target : path
        File to write, usually ``.nc``.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StorageError
        If the file cannot be written.
    UsageError
        If a batch is larger than :data:`MOST_BYTES`.
    """
    from simulator.storage.hdf5 import packed
    from simulator.storage.layout import part_contents
    from simulator.storage.store import write

    if isinstance(result, Batch):
        if (whole := result.size()) > MOST_BYTES:
            raise UsageError(f"one file would take {size(whole)}", "use the parts, which already are NetCDF-4 files")
        refuse_existing(Path(target), overwrite)
        write_atomically(Path(target), packed(part_contents(result, 0, "")), overwrite)
        return
    write(result, Path(target), overwrite=overwrite)


def _ends(batch: Batch) -> dict[str, np.ndarray]:
    """Columns of how each run of a batch ended: swept values, status, verdict, end time, and all of its last state."""
    columns: dict[str, np.ndarray] = {"run": np.arange(batch.first, batch.first + batch.runs)}
    columns |= {f"{key} [{batch.scenario.unit_of(key)}]": values for key, values in batch.coordinates.items()}
    columns |= {"status": batch.status, "verdict": batch.verdict, "end_time [s]": batch.end_time}
    columns |= {f"{name} [{batch.about(name)[0]}]": values for name, values in batch.measures.items()}
    last = {name: batch.last(name) for name in QUANTITIES}
    for name, values in last.items():
        unit, meaning, dims = QUANTITIES[name]
        names = dims.split()
        columns |= _columns(name, Field(values, ("run", *names), {d: batch.labels[d] for d in names}, unit, meaning))
    states = LastStates.of(batch, last)
    parts = [_derived(states.part(slice(i, i + TOGETHER))) for i in range(0, batch.runs, TOGETHER)]
    for name in DERIVED:
        whole = np.concatenate([part[name].values for part in parts])
        whole[batch.arrays["status"] != 0] = np.nan
        columns |= _columns(name, replace(parts[0][name], values=whole))
    return columns


def _over_time(trajectory: Trajectory) -> dict[str, np.ndarray]:
    """Columns of a run's quantities at its saved times."""
    columns: dict[str, np.ndarray] = {}
    for name, field in (trajectory.fields() | _derived(trajectory)).items():
        columns |= _columns(name, field)
    return columns


def _derived(states: States) -> dict[str, Field]:
    """Quantities that are recomputed from saved states."""
    analysis = Analysis(states)
    with np.errstate(all="ignore"):
        return {name: getattr(analysis, name) for name in DERIVED}


def _columns(name: str, field: Field) -> dict[str, np.ndarray]:
    """One column for each label of a quantity that has any number."""
    found = {}
    for labels in product(*(field.labels[dim] for dim in field.dims[1:])):
        values = field.sel(**dict(zip(field.dims[1:], labels, strict=True)))
        if not np.all(np.isnan(values)):
            found[f"{'.'.join((name, *labels))} [{field.unit}]"] = values
    return found


def _write_table(columns: dict[str, np.ndarray], stream: TextIO) -> None:
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(columns)
    for start in range(0, len(next(iter(columns.values()))), TOGETHER):
        table.writerows(zip(*(_texts(values[start : start + TOGETHER]) for values in columns.values()), strict=True))


def _texts(values: np.ndarray) -> list[str]:
    """The cells of a column, numbers with all their digits; NaN is an empty cell."""
    if values.dtype.kind != "f":
        return [*map(str, values.tolist())]
    texts = [*map(repr, values.tolist())]
    for i in np.flatnonzero(np.isnan(values)).tolist():
        texts[i] = ""
    return texts
