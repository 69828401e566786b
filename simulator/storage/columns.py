"""The design of a sweep in its directory: the columns of a table, each in a file named after its SHA-256.

The parts and the manifest hold the digests alone, so they are as small as those of any other sweep.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from simulator.scenario.columns import STORED, Column
from simulator.scenario.scenario import Scenario
from simulator.scenario.sweep import Sweep
from simulator.storage.atomic import write_atomically
from simulator.storage.datafile import DataFileError

__all__ = ["is_column", "keep_columns", "remove_columns", "require_whole_columns", "with_kept_columns"]

#: Characters of the digest in a file's name; the whole digest is checked when the numbers are used.
SHOWN = 16

_NAME = re.compile(rf"column-[0-9a-f]{{{SHOWN}}}\.npy")


def is_column(name: str) -> bool:
    """Whether a file in the directory of a sweep has the name of a column."""
    return _NAME.fullmatch(name) is not None


def keep_columns(scenario: Scenario, folder: Path) -> None:
    """Write the columns of a scenario's tables into a directory, those that it does not have, or damaged.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    for column in _columns(scenario.sweep):
        if column.here and not _has(folder, column):
            memory = io.BytesIO()
            np.save(memory, column.numbers, allow_pickle=False)
            write_atomically(_path(folder, column), memory.getbuffer(), overwrite=True)


def require_whole_columns(scenario: Scenario) -> None:
    """Raise DataFileError if a column in a scenario of :func:`with_kept_columns` is damaged."""
    for column in _columns(scenario.sweep):
        column.check()


def remove_columns(folder: Path) -> None:
    """Remove the columns of another sweep from a directory."""
    for path in folder.glob("column-*.npy"):
        if is_column(path.name):
            path.unlink()


def with_kept_columns(scenario: Scenario, folder: Path) -> Scenario:
    """The scenario with the numbers of its tables, as far as the directory has them; they are read when they are used.

    Raises
    ------
    DataFileError
        If a file has another form than a column.
    """
    if scenario.sweep is None or not _columns(scenario.sweep):
        return scenario
    return scenario.model_copy(update={"sweep": scenario.sweep.with_columns(lambda column: _kept(folder, column))})


def _has(folder: Path, column: Column) -> bool:
    try:
        _kept(folder, column).check()
    except DataFileError:
        return False
    return _path(folder, column).exists()


def _kept(folder: Path, column: Column) -> Column:
    path = _path(folder, column)
    try:
        numbers = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        return column
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(path, f"is not a column of the sweep's design ({error})") from error
    if numbers.shape != (column.n,) or numbers.dtype != STORED:
        raise DataFileError(path, "is not a column of the sweep's design")
    damaged = DataFileError(path, "is damaged: its numbers are not those of the sweep's design")
    return Column(column.n, column.sha256, numbers, damaged)


def _path(folder: Path, column: Column) -> Path:
    return folder / f"column-{column.sha256[:SHOWN]}.npy"


def _columns(sweep: Sweep | None) -> list[Column]:
    """All columns of a sweep and its parts."""
    if sweep is None:
        return []
    return [*(sweep.columns or {}).values(), *(column for part in sweep.parts for column in _columns(part))]
