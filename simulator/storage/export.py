"""Export of runs and batches to CSV, Parquet and NetCDF."""

from __future__ import annotations

import csv
import io
from os import PathLike
from pathlib import Path
from typing import TextIO

import numpy as np

from simulator.errors import UsageError
from simulator.physics.notation import size
from simulator.runs.batch import Batch
from simulator.storage.atomic import opened_atomically, refuse_existing, write_atomically
from simulator.storage.parquet import write_parquet
from simulator.storage.table import tables
from simulator.trajectory.trajectory import Trajectory

__all__ = ["to_csv", "to_netcdf", "to_parquet"]

#: Largest batch that is written as one file [bytes]; the file is assembled in memory.
MOST_BYTES = 1 << 30


def to_csv(result: Trajectory | Batch, target: str | PathLike[str] | TextIO, *, overwrite: bool = False) -> None:
    """Write a table with one row per saved time.

    One column per quantity and label, its unit in the header, e.g. ``potential.plasma [V]``. Columns
    without any number (species absent from a compartment) are left out; NaN becomes an empty cell.
    Numbers are written with full precision. A batch on disk is written part by part.

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
    if isinstance(target, str | PathLike):
        with opened_atomically(Path(target), overwrite) as file:
            text = io.TextIOWrapper(io.BufferedWriter(file), "utf-8", newline="")
            _write_table(result, text)
            text.detach().detach()  # the file is closed by who opened it
    else:
        _write_table(result, target)


def to_parquet(result: Trajectory | Batch, target: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write the table of :func:`to_csv` as a Parquet file, for pandas, R and DuckDB (pyarrow must be installed).

    The columns have the names of those in CSV; their metadata says ``unit`` and ``meaning``. NaN becomes null. A batch
    on disk is written part by part.

    Parameters and errors are those of :func:`to_csv`; UsageError if pyarrow is missing.
    """
    write_parquet(tables(result), result.scenario, Path(target), overwrite)


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


def _write_table(result: Trajectory | Batch, stream: TextIO) -> None:
    table = csv.writer(stream, lineterminator="\n")
    for i, columns in enumerate(tables(result)):
        if not i:
            table.writerow(column.head for column in columns)
        table.writerows(zip(*(_texts(column.values) for column in columns), strict=True))


def _texts(values: np.ndarray) -> list[str]:
    """The cells of a column, numbers with all their digits; NaN is an empty cell."""
    if values.dtype.kind != "f":
        return [*map(str, values.tolist())]
    texts = [*map(repr, values.tolist())]
    for i in np.flatnonzero(np.isnan(values)).tolist():
        texts[i] = ""
    return texts
