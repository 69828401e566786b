"""How long a batch will take, from a few of its runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from simulator.runs.piece import Job
from simulator.runs.results import PieceResults

#: Runs of the first trial, and factor from one trial to the next.
FIRST, FACTOR = 1, 8

#: Time [s] after which no further trial begins.
ENOUGH = 0.3


@dataclass(frozen=True)
class Trial:
    """A few runs of a batch, from the run `start` on, and the computing time [s] of each, verdict included."""

    start: int
    results: PieceResults
    seconds: float


def trial(job: Job, most: int) -> Trial:
    """Try runs from the middle of a design on one thread.

    More and more are tried at a time, at most `most`, because a kernel computes many as fast as one.
    """
    runs, begun, number = job.design.runs, time.perf_counter(), FIRST
    while True:
        number = min(number, runs, most)
        start = (runs - number) // 2
        started = time.perf_counter()
        results = job.piece(start, start + number)
        now = time.perf_counter()
        assert results is not None  # nobody stops it
        if number in (runs, most) or now - begun > ENOUGH:
            return Trial(start, results, (now - started) / number)
        number *= FACTOR
