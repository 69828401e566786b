"""Runs a sweep into its directory: what is there already is kept, the rest is computed and stored part by part."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from simulator.kernel import load_program
from simulator.model.model import Model
from simulator.runs.batch import Batch, joined
from simulator.runs.design import design_of
from simulator.runs.piece import Arrays, Job
from simulator.runs.threads import check_starts, computed, spans_of
from simulator.scenario.scenario import Scenario
from simulator.scenario.sweep_cost import estimated_bytes
from simulator.storage.folder import Folder
from simulator.storage.image import Image
from simulator.storage.lock import locked
from simulator.trajectory.provenance import provenance


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come: runs that are stored, of all runs."""

    done: int
    runs: int


def planned(scenario: Scenario, path: Path, config_text: str = "") -> Folder:
    """The directory that a sweep would be written to."""
    return Folder.planned(path, scenario, design_of(scenario).runs, estimated_bytes(scenario), config_text)


def run_sweep(
    folder: Folder,
    *,
    threads: int | None = None,
    overwrite: bool = False,
    announce: Callable[[str], None] = lambda _: None,
    report: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Compute what is missing of a sweep and store it.

    Parameters
    ----------
    folder : Folder
        What :func:`planned` gave.
    threads : int, optional
        Threads to compute with; by default as many as can run at once here.
    overwrite : bool
        Whether a batch of something else may be replaced.
    announce : callable
        Told in a sentence before something that takes seconds.
    report : callable
        Told after each part how far it is.

    Raises
    ------
    StorageError, UsageError
        When it cannot be stored; what is finished stays, and the same call goes on with it.
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
        # While one part goes to the disk, the next is put together, and others are computed.
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
                start, stop = folder.span(number)
                arrays = joined(pieces, room.arrays)
                coordinates = job.design.part(start, stop)
                batch = Batch(job.scenario, job.kept_times, arrays, coordinates, stop - start, start, facts)
                image, what = folder.packed_part(number, batch, room.image)
                waiting.append((_Room(image, arrays), disk.submit(folder.store_part, number, image, what)))
                del pieces, batch, what
            while waiting:
                finish()


@dataclass(frozen=True)
class _Room:
    """Memory of a part, which the next but one takes over: fresh memory costs as much as the computing."""

    image: Image
    arrays: Arrays | None = None


def _parts(job: Job, folder: Folder, missing: list[int], threads: int | None) -> Iterator[tuple[int, list[Arrays]]]:
    """The pieces of the missing parts, computed ahead of whoever stores them."""
    spans = {number: list(spans_of(job, *folder.span(number))) for number in missing}
    with closing(computed(job, chain.from_iterable(spans.values()), threads)) as pieces:
        for number, own in spans.items():
            yield number, [next(pieces) for _ in own]
