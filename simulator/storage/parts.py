"""Compute parts of a batch and write each to its file: the same code on one machine and on many.

Whoever computes a part writes its file and returns a row on it. So no numbers pass between processes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from simulator.runs.batch import Batch
from simulator.runs.pace import trial
from simulator.runs.piece import Job
from simulator.runs.results import PieceResults, Results
from simulator.runs.threads import computed, spans_of, usable_threads
from simulator.scenario.sweep_cost import estimated_bytes
from simulator.storage.folder import Folder
from simulator.storage.image import Image
from simulator.storage.tally import Tally
from simulator.trajectory.provenance import provenance

__all__ = ["PartRow", "expected_seconds", "stored_parts"]

#: Time [s] that a common disk takes to keep a byte.
SECONDS_PER_BYTE = 3.0e-9


@dataclass(frozen=True)
class PartRow:
    """What is told of a part that was written.

    Parameters
    ----------
    part, runs : int
        Its number, and its number of runs.
    tally : Tally
        How many of them ended with each status and verdict.
    seconds : float
        Time [s] since the part before it was written, or since the beginning.
    bytes : int
        Size of its file.
    """

    part: int
    runs: int
    tally: Tally
    seconds: float = 0.0
    bytes: int = 0


def stored_parts(
    folder: Folder,
    job: Job,
    numbers: Sequence[int],
    threads: int | None = None,
    given_up: Mapping[int, Sequence[int]] | None = None,
) -> Generator[PartRow, None, None]:
    """Compute some parts and write them to their files; yield a row on each.

    One part is written to disk while the next is assembled and others are computed.

    Parameters
    ----------
    folder : Folder
        The directory, which has been made.
    job : Job
        What all runs share.
    numbers : sequence of int
        Numbers of the parts.
    threads : int, optional
        Number of threads; by default all processors that the process may use.
    given_up : mapping of int to sequence of int, optional
        By part, runs that are marked as cancelled instead of being computed.

    Raises
    ------
    StorageError
        If a part cannot be written; those before it are kept.
    """
    facts = provenance(job.model.structure)
    begun = time.perf_counter()
    every = _computed_parts(folder, job, numbers, threads, given_up or {})
    with ThreadPoolExecutor(1, thread_name_prefix="ionflux-disk") as disk, closing(every):
        waiting: deque[tuple[_Room, PartRow, Future[int]]] = deque()

        def finished() -> tuple[_Room, PartRow]:
            nonlocal begun
            room, row, size = waiting.popleft()
            row, now = replace(row, bytes=size.result()), time.perf_counter()
            row, begun = replace(row, seconds=now - begun), now
            return room, row

        for number, pieces in every:
            room = _Room(Image())
            if len(waiting) > 1:
                room, row = finished()
                yield row
            results = Results(pieces, room.arrays)
            batch = batch_of(job, results, folder.span(number)[0], facts)
            image, what = folder.packed_part(number, batch, room.image)
            row = PartRow(number, batch.runs, Tally.of(results["status"], results["verdict"]))
            waiting.append((_Room(image, results.known), row, disk.submit(folder.store_part, number, image, what)))
            del pieces, results, batch, what
        while waiting:
            yield finished()[1]


def batch_of(job: Job, results: Results, start: int, facts: Mapping[str, str]) -> Batch:
    """Results of the runs from `start` on."""
    runs = sum(map(len, results.pieces))
    coordinates = job.design.part(start, start + runs)
    return Batch(job.scenario, job.kept_times, results, coordinates, runs, start, facts)


def expected_seconds(folder: Folder, job: Job, runs: int, threads: int | None) -> float:
    """Time [s] that so many runs of a sweep will take, tried with a few of them; nothing is written.

    Runs are computed on all threads while one thread assembles parts and another writes them.
    """
    first, stop = next(spans_of(job, 0, folder.part_runs, 1))
    tried = trial(job, stop - first)
    begun = time.perf_counter()
    folder.try_part(batch_of(job, Results([tried.results]), tried.start, {}))
    storing = (time.perf_counter() - begun) / len(tried.results)
    workers = threads or usable_threads()
    writing = SECONDS_PER_BYTE * estimated_bytes(job.scenario)
    return runs * max(storing, writing, tried.seconds / workers, (storing + tried.seconds) / usable_threads())


@dataclass(frozen=True)
class _Room:
    """Buffers of a part, reused by the part after next: allocating new memory takes as long as the computation."""

    image: Image
    arrays: Mapping[str, np.ndarray] | None = None


def _computed_parts(
    folder: Folder, job: Job, numbers: Sequence[int], threads: int | None, given_up: Mapping[int, Sequence[int]]
) -> Generator[tuple[int, list[PieceResults]], None, None]:
    """Yield each part's number and pieces; pieces are computed ahead while parts are stored."""
    spans = {n: _spans(job, *folder.span(n), threads, given_up.get(n, ())) for n in numbers}
    alive = (span for every in spans.values() for span, lost in every if not lost)
    with closing(computed(job, alive, threads)) as pieces:
        for number, own in spans.items():
            yield number, [job.cancelled(*span) if lost else next(pieces) for span, lost in own]


def _spans(
    job: Job, start: int, stop: int, threads: int | None, given_up: Iterable[int]
) -> list[tuple[tuple[int, int], bool]]:
    """Pieces of a part, each with whether it is a single run that is given up."""
    found: list[tuple[tuple[int, int], bool]] = []
    for run in sorted(given_up):
        found += [(span, False) for span in spans_of(job, start, run, threads)]
        found.append(((run, run + 1), True))
        start = run + 1
    return [*found, *((span, False) for span in spans_of(job, start, stop, threads))]
