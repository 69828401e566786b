"""A central scheduler and ten thousand workers, simulated: ``python -m benchmarks.scheduler_load``.

A discrete-event simulation. Each worker asks for a task, waits until the scheduler has handled its messages, works, and
asks again. The scheduler handles one message at a time, in order. Nothing is computed or sent.

Measured (``python -m benchmarks.scale``): :data:`RUN_SECONDS`. Set by the program: the runs of a part. Assumed:
:data:`MESSAGE_SECONDS`, :data:`MESSAGES_PER_TASK`, :data:`SPREAD`.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator.storage.folder import PART_RUNS

#: Core time of a run to the disk [s]: final states of the benchmark cell at rtol 1e-6, measured on one machine.
RUN_SECONDS = 5.3e-6

#: Time in which the scheduler handles one message [s]. ASSUMED, to be replaced by a measured rate of dask.distributed.
MESSAGE_SECONDS = 2.0e-4

#: Messages of a task that the scheduler handles: it is sent, it is done. ASSUMED.
MESSAGES_PER_TASK = 2

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
        Shares of that time in which workers compute, and in which the scheduler handles messages.
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
    message_seconds: float = MESSAGE_SECONDS,
    messages: int = MESSAGES_PER_TASK,
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
    message_seconds : float
        Time in which the scheduler handles a message [s].
    messages : int
        Messages per task.
    spread : float
        Relative half width of the durations.
    """
    lasts = task_seconds * (1.0 + spread * np.random.default_rng(seed).uniform(-1.0, 1.0, tasks))
    asking = [0.0] * min(workers, tasks)
    free = waited = 0.0
    for last in lasts.tolist():
        asked = heapq.heappop(asking)
        free = max(asked, free) + messages * message_seconds
        waited += free - asked
        heapq.heappush(asking, free + last)
    end = max(asking)
    return Load(end, float(lasts.sum()) / (workers * end), tasks * messages * message_seconds / end, waited / tasks)


def rows(workers: int, message_seconds: float) -> Iterator[str]:
    """Loads for tasks of one part and of more, as Markdown."""
    yield "| parts per task | a task lasts | workers compute | scheduler is busy | a task waits | 10^12 runs |"
    yield "|---|---|---|---|---|---|"
    for parts in (1, 10, 30, 100, 1000):
        duration = parts * PART_RUNS * RUN_SECONDS
        load = simulated(workers, 20 * workers, duration, message_seconds)
        hours = 1e12 * RUN_SECONDS / (workers * load.working) / 3600.0
        yield (
            f"| {parts} | {duration:.2f} s | {load.working:.1%} | {load.handling:.0%} | {load.waiting:.2f} s "
            f"| {hours:.2f} h |"
        )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--workers", type=int, default=10_000)
    options.add_argument("--message-seconds", type=float, default=MESSAGE_SECONDS)
    given = options.parse_args()
    print(*rows(given.workers, given.message_seconds), sep="\n")
