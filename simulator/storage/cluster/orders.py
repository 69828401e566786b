"""What a worker is told to do, and how it does it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from simulator.errors import UsageError
from simulator.kernel import load_program
from simulator.kernel.cache import numbers_hash
from simulator.kernel.laws import add_laws
from simulator.mechanisms.outside import digest_of, known
from simulator.model.assembly import structure_of
from simulator.runs.design import design_of
from simulator.runs.piece import Job
from simulator.storage.folder import Folder
from simulator.storage.parts import PartRow, stored_parts
from simulator.trajectory.provenance import outside_laws, surroundings

__all__ = ["Order", "make_part", "try_runs", "workplace"]

#: What may differ between machines without changing a number.
MAY_DIFFER = ("git_commit",)

#: Frames of a worker's traceback that are passed on.
FRAMES = 20


@dataclass(frozen=True)
class Order:
    """What a worker must know to compute parts of a sweep.

    Parameters
    ----------
    path : str
        Directory of the parts, with the manifest in it.
    run_hash : str
        Hash of the batch that must be there.
    part_runs : int
        Number of runs in each of its parts.
    surroundings : tuple of (str, str)
        Versions of the libraries, and the platform, which must be the same.
    laws : tuple of (str, str, str)
        Name, file and digest of each law from outside the package.
    """

    path: str
    run_hash: str
    part_runs: int
    surroundings: tuple[tuple[str, str], ...]
    laws: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, folder: Folder) -> Order:
        """The order for a directory whose manifest has been written."""
        laws = ((name, str(origin.path), origin.digest) for name, origin in outside_laws(structure_of(folder.scenario)))
        return cls(str(folder.path.resolve()), folder.run_hash, folder.part_runs, _surroundings(), tuple(laws))


_LOADING = threading.RLock()


def make_part(order: Order, number: int, given_up: Sequence[int] = ()) -> PartRow | Exception:
    """Compute one part and write its file; return a row on it, or what went wrong."""
    try:
        folder, job = workplace(order), _job(order)
        [row] = stored_parts(folder, job, [number], threads=1, given_up={number: given_up})
        return row
    except Exception as error:
        return _told(error)


def try_runs(order: Order, start: int, stop: int) -> Exception | None:
    """Compute some runs and forget them: the question is whether the process survives it."""
    try:
        _job(order).piece(start, stop)
    except Exception as error:
        return _told(error)
    return None


def _told(error: Exception) -> Exception:
    """An error with the end of its traceback as text: whole tracebacks may be too long for the way to the client."""
    error.add_note("".join(traceback.format_tb(error.__traceback__, limit=-FRAMES)))
    return error.with_traceback(None)


def workplace(order: Order) -> Folder:
    """The directory of the parts as this process sees it.

    Raises
    ------
    UsageError
        If it does not see it, or could compute other numbers.
    """
    with _LOADING:
        return _workplace(order)


@lru_cache(maxsize=1)
def _workplace(order: Order) -> Folder:
    here = dict(_surroundings())
    unlike = [
        f"{name.replace('_', ' ')} {here.get(name)} instead of {wanted}"
        for name, wanted in order.surroundings
        if here.get(name) != wanted
    ]
    if unlike:
        raise UsageError(f"it has {', '.join(unlike)}", "install the same versions everywhere")
    for name, file, digest in order.laws:
        if digest_of(name) != digest and Path(file).is_file():
            add_laws(file)
        if not known(name) or digest_of(name) != digest:
            raise UsageError(f"it does not have the law `{name}` of {file} as it is here", "put it on a shared disk")
    folder = Folder.existing(Path(order.path))
    if folder is None or (folder.run_hash, folder.part_runs) != (order.run_hash, order.part_runs):
        problem = f"it does not see this sweep in {order.path}"
        raise UsageError(problem, "choose a directory on a disk that all machines share (-o)")
    own = numbers_hash(structure_of(folder.scenario))
    if own != folder.kernel:
        problem = f"its ionflux computes by other equations (kernel hash {own} instead of {folder.kernel})"
        raise UsageError(problem, "install the same version of ionflux everywhere")
    return folder


def _job(order: Order) -> Job:
    with _LOADING:
        return _cached_job(order)


@lru_cache(maxsize=1)
def _cached_job(order: Order) -> Job:
    scenario = _workplace(order).scenario
    return Job(scenario, design_of(scenario), load_program(structure_of(scenario)))


def _surroundings() -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in surroundings().items() if name not in MAY_DIFFER)
