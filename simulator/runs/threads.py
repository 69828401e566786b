"""Run a batch: threads compute its pieces, which are returned in order."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from simulator.errors import ModelError, UsageError
from simulator.kernel import load_program
from simulator.model.model import Model
from simulator.runs.batch import Batch
from simulator.runs.design import Design, design_of, design_of_arrays
from simulator.runs.piece import Job
from simulator.runs.results import PieceResults, Results
from simulator.scenario.scenario import Scenario
from simulator.trajectory.provenance import provenance

#: Bytes of states in a piece, and most runs in it: enough to keep all lanes of a kernel busy.
PIECE_BYTES, PIECE_RUNS = 8 << 20, 4096

#: Pieces of a small batch for each thread, and least runs in one: enough to fill the lanes of a kernel several times.
SHARES, LEAST_RUNS = 8, 64

#: Pieces per thread that are in progress or waiting to be consumed.
AHEAD = 1

#: Where Linux shows the limits of a process's control group.
CONTROL_GROUP = Path("/sys/fs/cgroup")

#: Runs whose initial states are checked at once.
CHECKED_TOGETHER = 1 << 16


def run_batch(
    scenario: Scenario,
    parameters: Mapping[str, Sequence[float] | np.ndarray | float] | None = None,
    save: str | None = None,
    threads: int | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> Batch:
    """Run many variants of a scenario.

    Parameters
    ----------
    scenario : Scenario
        What to run.
    parameters : mapping of str to array, optional
        Values [SI] by dotted path, one for each run; by default those of the scenario's own sweep.
    save : str, optional
        ``"trajectory"`` or ``"final"``, instead of what the scenario says.
    threads : int, optional
        Number of threads; by default as many as can run at once. Results do not depend on it.
    announce : callable
        Called with a sentence before something that takes seconds (compiling).

    Returns
    -------
    Batch
        In memory. A run that fails keeps its status, time and culprit; the others are not affected.

    Raises
    ------
    UsageError, ModelError
        When the values do not fit the scenario, or the numbers of some run contradict each other.
    """
    if save is not None:
        if save not in ("trajectory", "final"):
            raise UsageError(f"cannot save {save!r}", "expected trajectory or final")
        scenario = scenario.model_copy(update={"run": scenario.run.model_copy(update={"save": save})})
    design = design_of(scenario) if parameters is None else design_of_arrays(scenario, parameters)
    model = Model.of(scenario)
    check_starts(model, design)
    job = Job(scenario, design, load_program(model.structure, announce))
    pieces = list(computed(job, spans_of(job, 0, design.runs, threads), threads))
    facts = provenance(job.model.structure)
    return Batch(scenario, job.kept_times, Results(pieces), design.part(0, design.runs), design.runs, provenance=facts)


def spans_of(job: Job, start: int, stop: int, threads: int | None = None) -> Iterator[tuple[int, int]]:
    """Cut the runs from `start` to before `stop` into pieces, several for each thread: some take longer than others."""
    states, workers = max(1, len(job.model.structure.states)), threads or usable_threads()
    size = max(16, min(PIECE_RUNS, PIECE_BYTES // (8 * states * len(job.times))))
    if workers > 1:
        size = min(size, max(LEAST_RUNS, -(-(stop - start) // (SHARES * workers))))
    return ((first, min(first + size, stop)) for first in range(start, stop, size))


def computed(
    job: Job, spans: Iterable[tuple[int, int]], threads: int | None = None
) -> Generator[PieceResults, None, None]:
    """Pieces of a batch, in order.

    Closing the iterator, or an exception in its consumer, stops the threads within milliseconds.
    """
    stopping = threading.Event()
    workers = threads or usable_threads()
    waiting: deque[Future[PieceResults | None]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ionflux") as pool:
        try:
            for first, stop in spans:
                waiting.append(pool.submit(job.piece, first, stop, stopping.is_set))
                if len(waiting) > AHEAD * workers:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)


def usable_threads() -> int:
    """Number of threads that can run at once: processors allowed by CPU affinity and by the container."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(usable, _container_limit())))


def _container_limit() -> float:
    """Processors that the control group of the process may keep busy; infinite where there is no limit."""
    for quota, period in (("cpu.max", ""), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = (CONTROL_GROUP / quota).read_text().split()
            words += (CONTROL_GROUP / period).read_text().split() if period else []
            allowed, of = words[:2]
            return int(allowed) / int(of) if int(allowed) > 0 else math.inf
        except (OSError, ValueError):  # not there, or `max`
            continue
    return math.inf


def _result(future: Future[PieceResults | None]) -> PieceResults:
    found = future.result()
    assert found is not None  # only a closed iterator stops its pieces
    return found


def check_starts(model: Model, design: Design) -> None:
    """Raise ModelError, with the number of the run, if the initial state of a run is inconsistent."""
    for start in range(0, design.runs, CHECKED_TOGETHER):
        _check(model, design, start, min(start + CHECKED_TOGETHER, design.runs))


def _check(model: Model, design: Design, start: int, stop: int) -> None:
    values = design.part(start, stop)
    try:
        model.initial_state({key: np.array([value]) for key, value in model.values.items()} | values)
    except ModelError as error:
        if stop - start > 1:
            middle = (start + stop) // 2
            _check(model, design, start, middle)
            _check(model, design, middle, stop)
        given = ", ".join(f"{key} = {column[0]:.6g}" for key, column in values.items())
        problem = f"in run {start} of the sweep ({given}), {error.problem}" if given else error.problem
        raise ModelError(error.key, problem, error.expected, error.hint) from None


__all__ = ["check_starts", "computed", "run_batch", "spans_of", "usable_threads"]
