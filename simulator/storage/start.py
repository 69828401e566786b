"""Scenarios that start from the end of a saved run: the file they name is read, and its last state filled in."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.reader import Loaded, read_config
from simulator.scenario.yaml.twins import Overrides
from simulator.storage.datafile import DataFileError

if TYPE_CHECKING:
    from simulator.runs.batch import Batch
    from simulator.trajectory.trajectory import Trajectory

__all__ = ["end_of", "load_config", "load_scenario"]


def load_scenario(path: str | os.PathLike[str], overrides: Overrides | None = None) -> Scenario:
    """Read a scenario file, and the data file that it starts from if it names one.

    Parameters
    ----------
    path : path
        YAML file.
    overrides : mapping, optional
        New values by dotted path: text with a unit, as on the command line, or SI numbers.

    Raises
    ------
    ConfigError
        With all problems found.
    DataFileError
        If the data file cannot be used.
    """
    return load_config(path, overrides).scenario


def load_config(path: str | os.PathLike[str], overrides: Overrides | None = None) -> Loaded:
    """Read a scenario file as :func:`load_scenario` does, and record the origin of each value."""
    return read_config(path, overrides, end_of)


def end_of(path: Path, run: int | None = None) -> dict[str, Any]:
    """The last saved state of a run, as the ``start`` of a scenario.

    Parameters
    ----------
    path : Path
        Data file, or directory of a sweep.
    run : int, optional
        Number of the run, for a sweep.

    Raises
    ------
    UsageError
        If there is no such run, or it failed.
    DataFileError
        If the file is not a data file, or is damaged.
    """
    from simulator.runs.batch import Batch  # what reads files is not needed for other scenarios
    from simulator.storage.store import read

    file, found = _part(path, run) if path.is_dir() else (path, read(path))
    if isinstance(found, Batch):
        trajectory = _of_batch(found, run)
    elif run:
        raise UsageError("it holds a single run", "leave out `run`")
    else:
        trajectory = found
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    name = Path(os.path.abspath(path)).name  # where a file lies is no part of what a run is
    return trajectory.as_start() | {"from": name, "run": run or 0, "sha256": digest}


def _part(path: Path, run: int | None) -> tuple[Path, Batch]:
    """The part of a sweep on disk that has a run; all other parts stay unread."""
    from simulator.storage.folder import Folder

    folder = Folder.existing(path)
    if folder is None:
        raise DataFileError(path, "is a directory without a sweep in it")
    number = _known(run, 0, folder.runs) // folder.part_runs
    return folder.part_path(number), folder.part(number)


def _of_batch(batch: Batch, run: int | None) -> Trajectory:
    try:
        return batch.trajectory(_known(run, batch.first, batch.runs))
    except IndexError as error:
        raise UsageError(str(error)) from None


def _known(run: int | None, first: int, runs: int) -> int:
    """The number of a run of a sweep, if it has one."""
    numbers = f"{first} to {first + runs - 1}"
    if run is None:
        raise UsageError(f"it holds {runs} runs", f"say which with `run`, a number from {numbers}")
    if not first <= run < first + runs:
        raise UsageError(f"it has no run {run}", f"its runs are {numbers}")
    return run
