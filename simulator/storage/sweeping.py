"""Run a sweep, or a shard of it, into its directory: keep the parts on disk, compute and store the missing ones."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from simulator.kernel import load_program
from simulator.model.model import Model
from simulator.runs.design import design_of
from simulator.runs.piece import Job
from simulator.runs.threads import check_starts
from simulator.scenario.scenario import Scenario
from simulator.scenario.sweep_cost import estimated_bytes
from simulator.storage.folder import Folder
from simulator.storage.lock import locked, shared
from simulator.storage.parts import PartRow, expected_seconds, stored_parts

__all__ = ["Elsewhere", "Progress", "Shard", "job_of", "planned", "run_sweep"]

#: Least runs that are missing from a sweep for which it is worth trying how long they take.
FEWEST = 16

#: Computes and stores parts in other processes.
Elsewhere = Callable[[Folder, Sequence[int]], Generator[PartRow, None, None]]


@dataclass(frozen=True)
class Progress:
    """Progress of a sweep or a shard.

    Parameters
    ----------
    done, runs : int
        Number of stored runs, and of all.
    failed : int
        Number of runs stored since the beginning that failed.
    expected : float or None
        Before it begins, the time [s] it will take, if that was tried.
    """

    done: int
    runs: int
    failed: int = 0
    expected: float | None = None


@dataclass(frozen=True)
class Shard:
    """One of several shares of a sweep's parts: the `number`-th, from 1, `of` so many."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def parts(self, folder: Folder) -> range:
        """Numbers of its parts: consecutive ones, so that none belongs to two shards."""
        return range(folder.parts * (self.number - 1) // self.of, folder.parts * self.number // self.of)


def planned(
    scenario: Scenario, path: Path, config_text: str = "", *, least_parts: int = 1, overwrite: bool = False
) -> Folder:
    """Plan the directory of a sweep.

    It has at least `least_parts` parts if there are so many runs; but a sweep that is in the directory already keeps
    its parts, unless it is to be overwritten.
    """
    runs, run_bytes = design_of(scenario).runs, estimated_bytes(scenario)
    folder = Folder.planned(path, scenario, runs, run_bytes, config_text, least_parts=least_parts)
    return folder if overwrite else folder.as_found()


def job_of(scenario: Scenario, announce: Callable[[str], None] = lambda _: None) -> Job:
    """What the pieces of a sweep share; its initial states are checked.

    Raises
    ------
    ModelError
        If the values of some run contradict each other.
    """
    model, design = Model.of(scenario), design_of(scenario)
    check_starts(model, design)
    return Job(scenario, design, load_program(model.structure, announce))


def run_sweep(
    folder: Folder,
    *,
    shard: Shard | None = None,
    threads: int | None = None,
    elsewhere: Elsewhere | None = None,
    overwrite: bool = False,
    announce: Callable[[str], None] = lambda _: None,
    report: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Compute and store the missing parts of a sweep.

    Parameters
    ----------
    folder : Folder
        Result of :func:`planned`.
    shard : Shard, optional
        Compute only the parts of this shard; others may write to the directory at the same time.
    threads : int, optional
        Number of threads; by default all processors that the process may use.
    elsewhere : callable, optional
        Computes and stores parts in other processes, instead of threads of this one.
    overwrite : bool
        Whether another batch in the directory may be replaced.
    announce : callable
        Called with a sentence before an operation that takes seconds.
    report : callable
        Called with the progress after each part.

    Raises
    ------
    StorageError, UsageError
        If it cannot be stored; finished parts are kept, and the same call continues with the missing ones.
    """
    scenario = folder.scenario
    model, design = Model.of(scenario), design_of(scenario)
    folder.refuse_other(overwrite)
    check_starts(model, design)
    folder.make()
    with locked(folder.path) if shard is None else shared(folder.path):
        if shard is None:
            folder.begin(overwrite)
        else:
            folder.join()
        own = range(folder.parts) if shard is None else shard.parts(folder)
        done = set(folder.finished())
        missing = [number for number in own if number not in done]
        runs, left = folder.runs_in(own), folder.runs_in(missing)
        stored, failed = runs - left, 0
        report(Progress(stored, runs))
        if not missing:
            return
        if elsewhere is not None:
            rows = elsewhere(folder, missing)
        else:
            job = Job(scenario, design, load_program(model.structure, announce))
            if left >= FEWEST or not stored:
                report(Progress(stored, runs, expected=expected_seconds(folder, job, left, threads)))
            rows = stored_parts(folder, job, missing, threads)
        with closing(rows):
            for row in rows:
                stored, failed = stored + row.runs, failed + row.tally.failed
                report(Progress(stored, runs, failed))
