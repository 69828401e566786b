"""Run a sweep into its directory: keep the parts on disk, compute and store the missing ones."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from simulator.kernel import load_program
from simulator.model.model import Model
from simulator.runs.batch import Batch
from simulator.runs.design import design_of
from simulator.runs.pace import trial
from simulator.runs.piece import Job
from simulator.runs.results import PieceResults, Results
from simulator.runs.threads import check_starts, computed, spans_of, usable_threads
from simulator.scenario.scenario import Scenario
from simulator.scenario.sweep_cost import estimated_bytes
from simulator.storage.folder import Folder
from simulator.storage.image import Image
from simulator.storage.lock import locked
from simulator.trajectory.provenance import provenance

#: Least runs that are missing from a sweep for which it is worth trying how long they take.
FEWEST = 16

#: Time [s] that a common disk takes to keep a byte.
SECONDS_PER_BYTE = 3.0e-9


@dataclass(frozen=True)
class Progress:
    """Progress of a sweep: number of stored runs, of all runs, and before it begins the time [s] it will take."""

    done: int
    runs: int
    expected: float | None = None


def planned(scenario: Scenario, path: Path, config_text: str = "") -> Folder:
    """Plan the directory of a sweep."""
    return Folder.planned(path, scenario, design_of(scenario).runs, estimated_bytes(scenario), config_text)


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


def expected_seconds(folder: Folder, job: Job, runs: int, threads: int | None) -> float:
    """Time [s] that so many runs of a sweep will take, tried with a few of them; nothing is written.

    Runs are computed on all threads while one thread assembles parts and another writes them.
    """
    first, stop = next(spans_of(job, 0, folder.part_runs, 1))
    tried = trial(job, stop - first)
    begun = time.perf_counter()
    folder.try_part(_batch(job, Results([tried.results]), tried.start, {}))
    storing = (time.perf_counter() - begun) / len(tried.results)
    workers = threads or usable_threads()
    writing = SECONDS_PER_BYTE * estimated_bytes(job.scenario)
    return runs * max(storing, writing, tried.seconds / workers, (storing + tried.seconds) / usable_threads())


def run_sweep(
    folder: Folder,
    *,
    threads: int | None = None,
    overwrite: bool = False,
    announce: Callable[[str], None] = lambda _: None,
    report: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Compute and store the missing parts of a sweep.

    Parameters
    ----------
    folder : Folder
        Result of :func:`planned`.
    threads : int, optional
        Number of threads; by default all processors that the process may use.
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
    with locked(folder.path):
        folder.begin(overwrite)
        done = set(folder.finished())
        missing = [number for number in range(folder.parts) if number not in done]
        stored = folder.stored()
        report(Progress(stored, folder.runs))
        if not missing:
            return
        job = Job(scenario, design, load_program(model.structure, announce))
        if folder.runs - stored >= FEWEST or not stored:
            report(Progress(stored, folder.runs, expected_seconds(folder, job, folder.runs - stored, threads)))
        # One part is written to disk while the next is assembled and others are computed.
        with ThreadPoolExecutor(1, thread_name_prefix="ionflux-disk") as disk:
            waiting: deque[tuple[_Room, Future[int]]] = deque()

            def finish() -> _Room:
                nonlocal stored
                room, future = waiting.popleft()
                stored += future.result()
                report(Progress(stored, folder.runs))
                return room

            facts = provenance(job.model.structure)
            for number, pieces in _parts(job, folder, missing, threads):
                room = finish() if len(waiting) > 1 else _Room(Image())
                start, _ = folder.span(number)
                results = Results(pieces, room.arrays)
                image, what = folder.packed_part(number, _batch(job, results, start, facts), room.image)
                waiting.append((_Room(image, results.known), disk.submit(folder.store_part, number, image, what)))
                del pieces, results, what
            while waiting:
                finish()


def _batch(job: Job, results: Results, start: int, facts: Mapping[str, str]) -> Batch:
    """Results of the runs from `start` on."""
    runs = sum(map(len, results.pieces))
    coordinates = job.design.part(start, start + runs)
    return Batch(job.scenario, job.kept_times, results, coordinates, runs, start, facts)


@dataclass(frozen=True)
class _Room:
    """Buffers of a part, reused by the part after next: allocating new memory takes as long as the computation."""

    image: Image
    arrays: Mapping[str, np.ndarray] | None = None


def _parts(
    job: Job, folder: Folder, missing: list[int], threads: int | None
) -> Iterator[tuple[int, list[PieceResults]]]:
    """Yield each missing part's number and pieces; pieces are computed ahead while parts are stored."""
    spans = {number: list(spans_of(job, *folder.span(number), threads)) for number in missing}
    with closing(computed(job, chain.from_iterable(spans.values()), threads)) as pieces:
        for number, own in spans.items():
            yield number, [next(pieces) for _ in own]
