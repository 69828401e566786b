"""A central scheduler and ten thousand workers, simulated: ``python -m benchmarks.scheduler_load``.

A discrete-event simulation. Each worker asks for a task, waits until the scheduler has handled its messages, works, and
asks again. The scheduler handles one task at a time, in order. Nothing is computed or sent.

Measured: :data:`RUN_SECONDS` (``python -m benchmarks.scale``) and :data:`HANDLING_SECONDS` (``--measure``). Set by the
program: the runs of a part. Assumed: :data:`SPREAD`.
"""

from __future__ import annotations

import argparse
import heapq
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.batches import SWEEPS
from simulator.scenario.yaml.reader import read_config
from simulator.storage.cluster import Order
from simulator.storage.folder import PART_RUNS
from simulator.storage.parts import PartRow
from simulator.storage.sweeping import planned
from simulator.storage.tally import Tally

#: Core time of a run to the disk [s]: final states of the benchmark cell at rtol 1e-6, measured on one machine.
RUN_SECONDS = 5.3e-6

#: Processor time of a scheduler for each task [s]: dask.distributed 2026.8 on one machine, from submission to the row.
HANDLING_SECONDS = 1.0e-3

#: Tasks last this part longer or shorter, evenly distributed. ASSUMED.
SPREAD = 0.1


@dataclass(frozen=True)
class Load:
    """Outcome of a simulation.

    Parameters
    ----------
    seconds : float
        Time until the last task is done [s].
    working, handling : float
        Shares of that time in which workers compute, and in which the scheduler handles tasks.
    waiting : float
        Mean time that a task waits for the scheduler [s].
    """

    seconds: float
    working: float
    handling: float
    waiting: float


def simulated(
    workers: int,
    tasks: int,
    task_seconds: float,
    handling_seconds: float = HANDLING_SECONDS,
    spread: float = SPREAD,
    seed: int = 0,
) -> Load:
    """Simulate a scheduler with so many workers, all of which ask for their first task at once.

    Parameters
    ----------
    workers, tasks : int
        Their numbers.
    task_seconds : float
        Mean duration of a task [s].
    handling_seconds : float
        Time that the scheduler spends on a task [s].
    spread : float
        Relative half width of the durations.
    """
    lasts = task_seconds * (1.0 + spread * np.random.default_rng(seed).uniform(-1.0, 1.0, tasks))
    asking = [0.0] * min(workers, tasks)
    free = waited = 0.0
    for last in lasts.tolist():
        asked = heapq.heappop(asking)
        free = max(asked, free) + handling_seconds
        waited += free - asked
        heapq.heappush(asking, free + last)
    end = max(asking)
    return Load(end, float(lasts.sum()) / (workers * end), tasks * handling_seconds / end, waited / tasks)


def rows(workers: int, handling_seconds: float) -> Iterator[str]:
    """Loads for tasks of one part and of more, as Markdown."""
    yield "| parts per task | a task lasts | workers compute | scheduler is busy | a task waits | 10^12 runs |"
    yield "|---|---|---|---|---|---|"
    for parts in (1, 10, 30, 100, 1000):
        duration = parts * PART_RUNS * RUN_SECONDS
        load = simulated(workers, 20 * workers, duration, handling_seconds)
        hours = 1e12 * RUN_SECONDS / (workers * load.working) / 3600.0
        yield (
            f"| {parts} | {duration:.2f} s | {load.working:.1%} | {load.handling:.0%} | {load.waiting:.2f} s "
            f"| {hours:.2f} h |"
        )


def measured(tasks: int, workers: int = 2) -> float:
    """Processor time [s] that a scheduler spends on a task whose order and row are those of a part.

    The scheduler is a process of its own. The workers compute nothing.
    """
    from distributed import Client

    found = read_config(SWEEPS / "million_cells.yaml")
    order = Order.of(planned(found.scenario, Path("sweep"), found.text))
    with ExitStack() as stack:
        meeting = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "scheduler.json"
        scheduler = ("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        worker = ("dask_worker", "--no-nanny", "--nthreads", "1", "--no-dashboard")
        for program, *options in (scheduler, *(worker,) * workers):
            command = [sys.executable, "-m", f"distributed.cli.{program}", "--scheduler-file", str(meeting), *options]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)  # asked to end, a worker would look for its scheduler first
        while not meeting.exists():
            time.sleep(0.1)
        with Client(scheduler_file=str(meeting), set_as_default=False) as client:
            client.wait_for_workers(workers)
            for count in (100, tasks):  # the first warm up
                begun = client.run_on_scheduler(time.process_time)
                client.gather([client.submit(answered, order, number, pure=False) for number in range(count)])
                spent = client.run_on_scheduler(time.process_time) - begun
    return float(spent) / tasks


def answered(order: Order, number: int) -> PartRow:
    """The row on a part that nobody computes."""
    return PartRow(number, order.part_runs, Tally.of(np.zeros(1, np.int8), np.zeros(1, np.int8)), 0.17, 9_900_000)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--workers", type=int, default=10_000)
    options.add_argument("--handling-seconds", type=float, default=HANDLING_SECONDS)
    options.add_argument("--measure", action="store_true", help="measure the time of a real scheduler for each task")
    given = options.parse_args()
    if given.measure:
        print(f"{1e6 * measured(20_000):.0f} us of the scheduler's processor time for each task")
    else:
        print(*rows(given.workers, given.handling_seconds), sep="\n")
