"""The order of a protocol's moments in time, with long pulse trains written down once for each of their periods.

Between two moments that do not belong to a long train, the trains that run do the same in every common period. One such
period is written down as a *block*, with how often it is to be repeated. What is left before and after is written down
moment by moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby, pairwise
from math import ceil, gcd, lcm
from operator import itemgetter
from typing import Any

from simulator.errors import ModelError
from simulator.model.contents import Values
from simulator.model.moments import Moment, Train, moments_of
from simulator.scenario.scenario import Scenario

__all__ = ["CommonPeriod", "Row", "common_period", "rows_of"]

#: Most moments of a block.
LONGEST_BLOCK = 20_000

#: Largest denominator of the ratio of two intervals that have a common period.
FINEST = 1000

#: Part of an interval within which two moments count as simultaneous.
SIMULTANEOUS = 1.0e-9


@dataclass(frozen=True)
class Row:
    """Simultaneous moments.

    Parameters
    ----------
    moments : tuple of Moment
        The moments, in the order in which they are applied.
    time : float or ndarray, shape (runs,)
        Their time [s]; in a block, that of its first passage.
    period : float
        Time after which they come again [s]; 0 outside a block.
    block : int
        At the end of a block, its number of rows; else 0.
    laps : int
        At the end of a block, how often it is repeated.
    repeating : frozenset of int
        In a block, the events whose pulses repeat with it.
    """

    moments: tuple[Moment, ...]
    time: Any
    period: float = 0.0
    block: int = 0
    laps: int = 0
    repeating: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Beat:
    """A moment of the pulses of a train, and its time in the first of them [s]."""

    train: Train
    moment: Moment
    time: float

    def first(self, time: float) -> int:
        """Number of the first pulse in which it does not come before a time [s]."""
        pulse = ceil((time - self.time) / self.train.every - SIMULTANEOUS)
        return min(max(pulse, 0), self.train.pulses)

    def of(self, pulses: Iterable[int]) -> list[tuple[float, Moment]]:
        """Times and moments of some pulses."""
        every = self.train.every
        return [(self.time + pulse * every, replace(self.moment, pulse=pulse)) for pulse in pulses]


def rows_of(scenario: Scenario, values: Values, every: Sequence[Train], few: int, most: int) -> list[Row]:
    """The moments of one run in order of time.

    Parameters
    ----------
    scenario : Scenario
        What is run.
    values : mapping
        The run's own values by dotted path.
    every : sequence of Train
        All events that repeat.
    few, most : int
        Pulses up to which the moments of a train are written down one by one, and up to which they are if long trains
        have no common period.

    Raises
    ------
    ModelError
        If long trains that run at the same time have no common period.
    """
    end, pulses = scenario.run.duration, {train.event: train.pulses for train in every}
    long = [train for train in every if train.pulses > few]
    if long and not _fitting(long):
        long = [train for train in every if train.pulses > most]
    apart = {train.event for train in long}
    single = [
        (float(moment.time(scenario, values)), moment)
        for i in range(len(scenario.protocol))
        if i not in apart
        for pulse in range(pulses.get(i, 1))
        for moment in moments_of(scenario, values, i, pulse)
    ]
    beats = [
        _Beat(train, moment, float(moment.time(scenario, values)))
        for train in long
        for moment in moments_of(scenario, values, train.event)
    ]
    borders = {0.0, end, *(time for time, _ in single)}
    borders |= {time for train in long for time in (train.at, train.at + train.pulses * train.every)}
    rows: list[Row] = []
    for start, stop in pairwise(sorted(time for time in borders if time <= end)):
        running = [b for b in beats if b.train.at <= start < b.train.at + b.train.pulses * b.train.every]
        rows += _between(running, [(time, moment) for time, moment in single if time == start], start, stop)
    return rows + _grouped([(time, moment) for time, moment in single if time >= end])


def _between(beats: list[_Beat], single: list[tuple[float, Moment]], start: float, stop: float) -> list[Row]:
    """Rows between two borders, at the first of which there may be single moments."""
    if not beats:
        return _grouped(single)
    period = _common_period([beat.train for beat in beats])
    periods = int((stop - start) / period * (1.0 + SIMULTANEOUS))
    first = {beat: beat.first(start) for beat in beats}
    per_period = {beat: round(period / beat.train.every) for beat in beats}

    def stretch(begin: int, end: int | None) -> list[tuple[float, Moment]]:
        """Moments of the trains in the periods from `begin` to before `end`, or to the border."""
        found = []
        for beat in beats:
            last = beat.first(stop) if end is None else first[beat] + end * per_period[beat]
            found += beat.of(range(first[beat] + begin * per_period[beat], last))
        return found

    if periods < 4:
        return _grouped([*single, *stretch(0, None)])
    block = _grouped(stretch(1, 2))
    repeating = frozenset(beat.train.event for beat in beats)
    block = [replace(row, period=period, repeating=repeating) for row in block]
    block[-1] = replace(block[-1], block=len(block), laps=periods - 2)
    return [*_grouped([*single, *stretch(0, 1)]), *block, *_grouped(stretch(periods, None))]


def _common_period(every: list[Train]) -> float:
    """Time after which trains begin together again [s]."""
    found = _fitting(every)
    if found is None:
        odd = next(t for t in every if t.every != every[0].every)
        problem = f"this pulse train and that of protocol.{every[0].event} have no common period"
        hint = "give the trains intervals in a simple ratio, or a number of pulses"
        raise ModelError(
            f"protocol.{odd.event}.every", problem, "intervals in a simple ratio, e.g. 1 s and 0.25 s", hint
        )
    return found.period


def _fitting(every: Sequence[Train]) -> CommonPeriod | None:
    """The common period of trains; None if there is none that fits into a block."""
    found = common_period([train.every for train in every])
    return None if found is None or sum(found.intervals) > LONGEST_BLOCK else found


@dataclass(frozen=True)
class CommonPeriod:
    """Time after which several things that repeat do so together, and how often each repeats meanwhile.

    Parameters
    ----------
    period : float
        The time [s].
    intervals : tuple of int
        Intervals of each in this time.
    """

    period: float
    intervals: tuple[int, ...]


def common_period(every: Sequence[float]) -> CommonPeriod | None:
    """The common period of things that repeat at intervals [s]; None if their ratios are not simple."""
    shortest = min(every)
    ratios = [Fraction(interval / shortest).limit_denominator(FINEST) for interval in every]
    whole = Fraction(lcm(*(r.numerator for r in ratios)), gcd(*(r.denominator for r in ratios)))
    if any(abs(float(r) * shortest / own - 1.0) > SIMULTANEOUS for r, own in zip(ratios, every, strict=True)):
        return None
    return CommonPeriod(float(whole) * shortest, tuple(int(whole / ratio) for ratio in ratios))


def _grouped(found: list[tuple[float, Moment]]) -> list[Row]:
    """Rows of moments in order of time."""
    in_order = sorted(found, key=itemgetter(0))
    groups = groupby(in_order, key=itemgetter(0))
    return [Row(tuple(moment for _, moment in group), time) for time, group in groups]
