"""Save and read results: a run as a data file, a batch as a directory of data files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import UsageError
from simulator.runs.batch import Batch
from simulator.scenario.scenario import Scenario
from simulator.storage.atomic import StorageError, refuse_existing, write_atomically
from simulator.storage.datafile import DataFileError
from simulator.storage.folder import Folder
from simulator.storage.hdf5 import opened, packed
from simulator.storage.identity import how_it_differs
from simulator.storage.layout import CONFIG, PART, SavedRun, restored_part, restored_run, run_contents
from simulator.storage.lock import locked
from simulator.trajectory.trajectory import Trajectory

__all__ = ["describe", "finished_run", "read", "stored_scenario", "write"]


def write(result: Trajectory | Batch, path: str | Path, *, config_text: str = "", overwrite: bool = False) -> Path:
    """Save a run as a data file, or a batch as a directory of data files.

    Parameters
    ----------
    result : Trajectory or Batch
        Result of :func:`simulator.runs.integrate.run` or :func:`simulator.runs.threads.run_batch`.
    path : str or Path
        The file, usually ``.h5``, or the directory.
    config_text : str
        The YAML as given; by default that in the result's provenance.
    overwrite : bool
        Whether an existing result may be replaced.

    Returns
    -------
    Path
        The file or directory.

    Raises
    ------
    StorageError
        If it cannot be stored; no part of it is left behind.
    """
    path = Path(path)
    if isinstance(result, Batch):
        return _write_batch(result, path, config_text=config_text, overwrite=overwrite)
    refuse_existing(path, overwrite)
    write_atomically(path, packed(run_contents(result, config_text)), overwrite)
    return path


def read(path: str | Path) -> Trajectory | Batch:
    """Read a run from a data file, or a batch from its directory or one of its parts.

    A file is verified as a whole. A directory must be complete; its arrays are read and verified on access.

    Raises
    ------
    DataFileError
        If the file is not a data file, or is incomplete, damaged or inconsistent.
    """
    path = Path(path)
    if path.is_dir():
        return _read_batch(path)
    with opened(path) as source:
        found = source.contents()
        result = restored_part(found) if PART in found.facts else restored_run(found).trajectory
        source.check_digest(found)
        return result


def stored_scenario(path: str | Path) -> str:
    """Return the resolved scenario in a data file as JSON for :func:`simulator.scenario.yaml.reader.from_resolved`."""
    return describe(path).resolved


def describe(path: str | Path) -> SavedRun:
    """Read and verify a run with its stored verdict, evidence and drift.

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
    """Return the result in a file if it is of the same scenario and kernel, or None if the file does not exist.

    Raises
    ------
    UsageError
        If the file holds another result.
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


# -- batches --------------------------------------------------------------------------------------


def _read_batch(path: Path) -> Batch:
    """Read a batch from its directory; its arrays are read on access.

    Raises
    ------
    DataFileError
        If the directory holds no batch or an incomplete one.
    """
    folder = Folder.existing(path)
    if folder is None:
        raise DataFileError(path, "is a directory without a batch in it")
    folder.require_complete()
    first = folder.part(0)
    arrays, coordinates = StoredArrays(folder, first.arrays), StoredArrays(folder, first.coordinates)
    facts = {**first.provenance, CONFIG: folder.config_text}
    return Batch(folder.scenario, first.time, arrays, coordinates, folder.runs, provenance=facts)


def _write_batch(batch: Batch, path: Path, *, config_text: str = "", overwrite: bool = False) -> Path:
    """Save a batch as a directory of parts.

    Raises
    ------
    StorageError
        If it cannot be stored, or the path already exists.
    """
    if path.exists() and not overwrite:
        raise StorageError(path, "already exists", "choose another name, or replace it with overwrite=True")
    run_bytes = sum(values[:1].nbytes for values in (*batch.arrays.values(), *batch.coordinates.values()))
    text = config_text or batch.provenance.get(CONFIG, "")
    folder = Folder.planned(path, batch.scenario, batch.runs, run_bytes, text, batch.provenance.get("kernel_hash", ""))
    folder.refuse_other(overwrite)
    folder.make()
    with locked(path):
        folder.begin(overwrite)
        for number in range(folder.parts):
            part = batch.part(*folder.span(number))
            folder.store_part(number, *folder.packed_part(number, part))
    return path


class StoredArrays(Mapping[str, np.ndarray]):
    """Variables of a batch on disk; each is read from all parts on access."""

    def __init__(self, folder: Folder, example: Mapping[str, np.ndarray]) -> None:
        self.folder, self.names = folder, tuple(example)
        # Empty arrays are not stored.
        self.nothing = {n: np.empty((folder.runs, *v.shape[1:])) for n, v in example.items() if not v.size}
        self.forms = {name: (values.shape[1:], values.dtype) for name, values in example.items()}
        self._last: tuple[str, np.ndarray] | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise KeyError(name)
        if self._last is None or self._last[0] != name:
            self._last = None  # released before the next is read: each may fill the memory
            self._last = name, np.concatenate(list(self.by_part(name)))
        return self._last[1]

    def by_part(self, name: str) -> Iterator[np.ndarray]:
        """Read one variable part by part."""
        if name in self.nothing:
            return iter((self.nothing[name],))
        return (self.folder.variable(number, name) for number in range(self.folder.parts))

    def lazy(self, name: str) -> Any:
        """A variable as a dask array with one chunk for each part, which is read when it is computed."""
        import dask.array
        from dask.delayed import delayed

        if name in self.nothing:
            return self.nothing[name]
        shape, dtype = self.forms[name]
        # A chunk may be computed on another machine, which needs no design.
        folder = replace(self.folder, scenario=self.folder.scenario.known_by_digest())
        sizes = (stop - start for start, stop in map(self.folder.span, range(self.folder.parts)))
        chunks = [
            dask.array.from_delayed(delayed(folder.variable)(number, name), (runs, *shape), dtype)
            for number, runs in enumerate(sizes)
        ]
        return dask.array.concatenate(chunks)

    def parts(self) -> Iterator[Batch]:
        """Read the batch part by part, each whole."""
        return map(self.folder.part, range(self.folder.parts))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
