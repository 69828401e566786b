"""Saved runs in other formats."""

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

from simulator.analysis import Analysis
from simulator.atomic import place
from simulator.trajectory import Trajectory

#: Quantities of :class:`simulator.analysis.Analysis` that a table has beside the saved ones.
DERIVED = ("nernst", "driving_force", "influx", "efflux", "net_flux", "current", "atp_rate", "dissipation")


def to_csv(trajectory: Trajectory, target: str | PathLike[str] | TextIO, *, overwrite: bool = False) -> None:
    """Write a table with one row per saved time.

    One column per quantity and label, its unit in the header, e.g. ``potential.plasma [V]``. Columns
    without any number (species that a compartment has not) are left out; a number that does not exist is
    an empty cell. Numbers have all their digits.

    Parameters
    ----------
    trajectory : Trajectory
        The run.
    target : path or text stream
        Where to.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StorageError
        When the file cannot be written.
    """
    columns = {"time [s]": trajectory.time} | dict(_columns(trajectory))
    if isinstance(target, str | PathLike):
        buffer = io.StringIO()
        _write_table(columns, buffer)
        place(Path(target), buffer.getvalue().encode(), overwrite)
    else:
        _write_table(columns, target)


def to_netcdf(trajectory: Trajectory, target: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a NetCDF-4 file, which is what a data file of ours is already.

    Parameters
    ----------
    trajectory : Trajectory
        The run.
    target : path
        Where to, by custom ``.nc``.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StorageError
        When the file cannot be written.
    """
    from simulator.storage import write

    write(trajectory, Path(target), overwrite=overwrite)


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
        table.writerow("" if math.isnan(value) else repr(value) for value in row)
