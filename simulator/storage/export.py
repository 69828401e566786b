"""Export of runs and batches to CSV and NetCDF."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from itertools import product
from os import PathLike
from pathlib import Path
from typing import TextIO

import numpy as np

from simulator.errors import UsageError
from simulator.physics.notation import size
from simulator.runs.batch import Batch
from simulator.storage.atomic import refuse_existing, write_atomically
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.arrangement import QUANTITIES
from simulator.trajectory.trajectory import Trajectory

#: Largest batch that is written as one file [bytes]; the file is assembled in memory.
MOST_BYTES = 1 << 30

#: Quantities of :class:`simulator.trajectory.analysis.Analysis` that a table has in addition to the saved ones.
DERIVED = ("nernst", "driving_force", "influx", "efflux", "net_flux", "current", "atp_rate", "dissipation")


def to_csv(result: Trajectory | Batch, target: str | PathLike[str] | TextIO, *, overwrite: bool = False) -> None:
    """Write a table with one row per saved time.

    One column per quantity and label, its unit in the header, e.g. ``potential.plasma [V]``. Columns
    without any number (species absent from a compartment) are left out; NaN becomes an empty cell.
    Numbers are written with full precision.

    Parameters
    ----------
    result : Trajectory or Batch
        The run; for a batch, one row per run says how it ended.
    target : path or text stream
        File or stream to write to.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    columns = _ends(result) if isinstance(result, Batch) else {"time [s]": result.time} | dict(_columns(result))
    if isinstance(target, str | PathLike):
        buffer = io.StringIO()
        _write_table(columns, buffer)
        write_atomically(Path(target), buffer.getvalue().encode(), overwrite)
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
    """Columns of how each run of a batch ended: swept values, status, verdict, end time and last state."""
    columns: dict[str, np.ndarray] = {"run": np.arange(batch.first, batch.first + batch.runs)}
    columns |= {f"{key} [{batch.scenario.unit_of(key)}]": values for key, values in batch.coordinates.items()}
    columns |= {"status": batch.status, "verdict": batch.verdict, "end_time [s]": batch.end_time}
    for kind, (unit, _, dims) in QUANTITIES.items():
        for labels in product(*(batch.labels[dim] for dim in dims.split())):
            values = batch.final(".".join((kind, *labels)))
            if not np.all(np.isnan(values)):
                columns[f"{'.'.join((kind, *labels))} [{unit}]"] = values
    return columns


def _columns(trajectory: Trajectory) -> Iterator[tuple[str, np.ndarray]]:
    analysis = Analysis(trajectory)
    with np.errstate(all="ignore"):
        fields = trajectory.fields() | {name: getattr(analysis, name) for name in DERIVED}
    for name, field in fields.items():
        for labels in product(*(field.labels[dim] for dim in field.dims[1:])):
            values = field.sel(**dict(zip(field.dims[1:], labels, strict=True)))
            if not np.all(np.isnan(values)):
                yield f"{'.'.join((name, *labels))} [{field.unit}]", values


def _write_table(columns: dict[str, np.ndarray], stream: TextIO) -> None:
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(columns)
    for row in zip(*(values.tolist() for values in columns.values()), strict=True):
        table.writerow(_cell(value) for value in row)


def _cell(value: float | int | str) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else repr(value)
