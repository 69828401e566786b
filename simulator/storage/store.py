"""Saves and reads results: a run as a data file, a batch as a directory of them."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import UsageError
from simulator.runs.batch import Batch
from simulator.scenario.scenario import Scenario
from simulator.storage.atomic import place, refuse_existing
from simulator.storage.folder import read_batch, write_batch
from simulator.storage.hdf5 import opened, packed
from simulator.storage.identity import how_it_differs
from simulator.storage.layout import PART, SavedRun, restored_part, restored_run, run_contents
from simulator.trajectory.trajectory import Trajectory

__all__ = ["describe", "finished_run", "read", "stored_scenario", "write"]


def write(result: Trajectory | Batch, path: str | Path, *, config_text: str = "", overwrite: bool = False) -> Path:
    """Save a run as a data file, a batch as a directory of them.

    Parameters
    ----------
    result : Trajectory or Batch
        What :func:`simulator.runs.integrate.run` or :func:`simulator.runs.threads.run_batch` returned.
    path : str or Path
        The file, by custom ``.h5``, or the directory.
    config_text : str
        The YAML as given; by default what the result's provenance has.
    overwrite : bool
        Whether what exists may be replaced.

    Returns
    -------
    Path
        The file or directory.

    Raises
    ------
    StorageError
        When it cannot be stored; no part of it is left behind.
    """
    path = Path(path)
    if isinstance(result, Batch):
        return write_batch(result, path, config_text=config_text, overwrite=overwrite)
    refuse_existing(path, overwrite)
    place(path, packed(run_contents(result, config_text)), overwrite)
    return path


def read(path: str | Path) -> Trajectory | Batch:
    """Read a run from a data file, or a batch from its directory or one of its parts.

    A file is verified as a whole. Of a directory it is checked that it is complete; its arrays are read, and
    verified, when they are asked for.

    Raises
    ------
    DataFileError
        When the file is not one of ours, incomplete, damaged, or does not make sense.
    """
    path = Path(path)
    if path.is_dir():
        return read_batch(path)
    with opened(path) as source:
        found = source.contents()
        result = restored_part(found) if PART in found.facts else restored_run(found).trajectory
        source.check_digest(found)
        return result


def stored_scenario(path: str | Path) -> str:
    """The resolved scenario in a data file, as JSON for :func:`simulator.scenario.yaml.reader.from_resolved`."""
    return describe(path).resolved


def describe(path: str | Path) -> SavedRun:
    """Read a run with what its file says beside the numbers, all of it verified.

    Raises
    ------
    DataFileError
        As :func:`read`.
    """
    with opened(Path(path)) as source:
        found = source.contents()
        saved = restored_run(found)
        source.check_digest(found)
        return saved


def finished_run(path: Path, scenario: Scenario) -> Trajectory | None:
    """The result in a file, if it is of this very scenario run by this very kernel; None if there is no such file.

    Raises
    ------
    UsageError
        When the file holds something else.
    DataFileError
        As :func:`read`.
    """
    if not path.exists():
        return None
    found = read(path)
    if isinstance(found, Batch):
        raise UsageError(f"{path} holds a batch", "choose another file (-o)")
    difference = how_it_differs(found.scenario, found.provenance.get("kernel_hash", ""), scenario)
    if difference:
        raise UsageError(f"{path} exists and holds another run; {difference}", "--overwrite replaces it")
    return found
