"""How long a batch will take, from a few of its runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from simulator.runs.piece import Job
from simulator.runs.results import PieceResults

#: Runs of the first trial, factor from one trial to the next, and most runs of one.
FIRST, FACTOR, MOST = 1, 8, 4096

#: Time [s] after which no further trial begins.
ENOUGH = 0.3


@dataclass(frozen=True)
class Trial:
    """A few runs of a batch, from the run `start` on, and the computing time [s] of each, verdict included."""

    start: int
    results: PieceResults
    seconds: float


def trial(job: Job) -> Trial:
    """Try runs from all over a design on one thread.

    More and more are tried at a time, because a kernel computes many as fast as one.
    """
    runs, begun, number = job.design.runs, time.perf_counter(), FIRST
    job.piece(0, 1)  # what is done once is no part of the pace
    while True:
        number = min(number, runs, MOST)
        start = (runs - number) // 2
        started = time.perf_counter()
        results = job.piece(start, start + number)
        now = time.perf_counter()
        assert results is not None  # nobody stops it
        if number in (runs, MOST) or now - begun > ENOUGH:
            return Trial(start, results, (now - started) / number)
        number *= FACTOR
