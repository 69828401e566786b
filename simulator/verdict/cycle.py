"""Detect limit cycles from an orbit's returns to a section.

The section is one state variable passing its middle value. On a limit cycle the sequence of returns repeats after
one passage or, in a burst, after several. As with rest, the criterion is the *distance to the cycle*, not the miss
of one return: if the misses of successive returns shrink by a factor mu, the distance is the first miss
divided by ``1 - mu``. A damped spiral misses by ``1 - mu`` of its size, so its distance is its size. A spike train
on drifting concentrations misses by little, but its misses do not shrink.

Periods are guessed from a rough integration, which is cheap however long they are, and a guess is tested on an accurate
one that is just long enough.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

__all__ = ["Cycle", "Look", "Watching", "find_cycle"]

T = TypeVar("T")

#: Largest scaled distance of a state on a cycle; least size of the cycle relative to that distance.
CLOSED, LARGER = 1.0e-2, 10.0

#: Miss of a return that is due to rounding and the integrator's noise.
NOISE = 1.0e-7

#: Parts of an orbit searched for a cycle, shortest first, and the least number of samples in each. Distances between
#: samples are powers of two, so that orbits of similar length are looked at at the same times.
PARTS, SAMPLES = (1.0 / 32.0, 1.0 / 4.0, 1.0), 6000

#: Largest change of a resolved variable from sample to sample, as a fraction of its range.
RESOLVED = 0.1

#: Largest rough miss that is examined further; most guesses from one part of an orbit.
PROMISING, GUESSES = 5.0e-2, 6

#: Periods followed from the first passage to test a guess: two and a margin.
PERIODS = 2.2

#: An orbit is at least this much longer than the one on which other guesses have failed.
LONGER = 2.0

#: Uncertainty of the time of a passage, in samples; times in that window, and between two of them when it is refined.
UNSURE, WINDOW = 4.0, 129

#: An orbit is followed this part of its horizon before a passage: a known state has an error of interpolation, which
#: dies out meanwhile.
LEAD = 1.0 / 512.0


@dataclass(frozen=True)
class Look:
    """Times at which the states of an orbit are wanted.

    Parameters
    ----------
    times : ndarray, shape (times,)
        Times [s] since its start, increasing.
    end : float
        Time [s] at which it may end.
    stage : int
        Number of the horizon that holds these times; -1 for a few times near known states.
    rough : bool
        Whether a low accuracy is enough.
    after : float
        Time [s] before which it must be followed from a known state; by default the first time.
    """

    times: np.ndarray
    end: float
    stage: int = -1
    rough: bool = False
    after: float = np.inf


#: What yields looks and is sent scaled states, shape (times, states); NaN where an orbit could not be followed.
Watching = Generator[Look, np.ndarray, T]


class Unsettled:
    """The answer where misses are small but have not begun to shrink."""


UNSETTLED = Unsettled()

#: Time [s] of a passage through a section, and the scaled state.
_Passage = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Cycle:
    """A limit cycle.

    Parameters
    ----------
    start : float
        Time [s] of a passage through the section, since the start of the orbit.
    period : float
        Its period [s].
    distance : float
        Scaled distance of the orbit's start to the cycle.
    state : ndarray, shape (states,)
        Scaled state at the passage.
    """

    start: float
    period: float
    distance: float
    state: np.ndarray


@dataclass(frozen=True)
class _Section:
    """A section of an orbit, and its returns that come close to the first passage.

    Parameters
    ----------
    column, level, upwards
        The variable, its value, and the way it is passed.
    start : float
        Time of the first passage [s].
    width : float
        Uncertainty of the times [s].
    periods : ndarray, shape (returns,)
        Times from the first passage to the returns [s].
    extents : ndarray, shape (returns,)
        Largest range of a variable until each return.
    """

    column: int
    level: float
    upwards: bool
    start: float
    width: float
    periods: np.ndarray
    extents: np.ndarray


def find_cycle(horizons: Sequence[float]) -> Watching[Cycle | None]:
    """Search for the cycle that an orbit is on from its start; None if there is none.

    Parameters
    ----------
    horizons : sequence of float
        Lengths [s] of orbit to search one after another, increasing. A guess is tested on the first one at least.
    """
    tested = 0.0
    for stage, horizon in enumerate(horizons):
        sections, _ = yield from _sections(horizon, stage, rough=True)
        for needed in sorted(s.start + PERIODS * p + 2.0 * s.width for s in sections for p in s.periods):
            if needed <= tested:
                continue
            tested = max(horizons[0], LONGER * tested, needed)
            found = yield from _tested(tested, horizons)
            if found is not None:
                return found
    return None


def _tested(horizon: float, horizons: Sequence[float]) -> Watching[Cycle | None]:
    """The cycle on an accurately integrated orbit of that length; on a longer one where misses do not tell yet."""
    longer = [h for h in horizons if h >= LONGER * horizon]
    sections, horizon = yield from _sections(horizon, _stage(horizon, horizons), rough=False)
    for section in sections:
        begun = yield from _passage_near(section.start, section, LEAD * horizon)
        for period, extent in zip(section.periods, section.extents, strict=True):
            if begun is not None and section.start + 2.0 * period + section.width <= horizon:
                found = yield from _confirmed(section, begun, period, extent, horizon)
                for h in longer if found is UNSETTLED else ():
                    yield Look(_samples(_apart(h)), h, _stage(h, horizons))
                    found = yield from _confirmed(section, begun, period, extent, h)
                    if found is not UNSETTLED:
                        break
                if isinstance(found, Cycle):
                    return found
    return None


def _sections(horizon: float, stage: int, rough: bool) -> Watching[tuple[list[_Section], float]]:
    """Sections of an orbit of some length, from its shortest part on, and how far [s] the orbit was computed."""
    apart = _apart(horizon)
    times = _samples(apart)
    states = yield Look(times, horizon, stage, rough)
    computed = np.all(np.isfinite(states), axis=1)
    horizon = min(horizon, float(times[computed][-1]))
    found: list[_Section] = []
    for part in PARTS:
        own = computed & (times <= part * horizon) & (times % (part * apart) == 0.0)
        if np.sum(own) > 2:
            found += _close_returns(times[own], states[own])
    return found, horizon


def _apart(horizon: float) -> float:
    """Distance [s] of the samples of a whole orbit."""
    return float(2.0 ** np.floor(np.log2(horizon / SAMPLES)))


@lru_cache
def _samples(apart: float) -> np.ndarray:
    """Times [s] at which all parts of an orbit are sampled; they may go beyond its horizon."""
    return np.unique(np.outer(PARTS, apart * np.arange(2 * SAMPLES)))


def _close_returns(times: np.ndarray, states: np.ndarray) -> list[_Section]:
    """The section of an evenly sampled orbit whose first passage has close returns, if there is one.

    An orbit that is on a cycle from its start passes the section within one period.
    """
    spread = np.ptp(states, axis=0)
    # Spikes between two samples would be missed, so only resolved variables can define the section.
    resolved = np.abs(np.diff(states, axis=0)).max(axis=0) < RESOLVED * spread
    column = int(np.argmax(np.where(resolved, spread, 0.0)))
    if not resolved[column] or spread[column] < NOISE:
        return []
    level = float(states[:, column].min() + states[:, column].max()) / 2.0
    upwards, passing = _calmest(states, column, level)
    below, above = states[passing], states[passing + 1]
    share = (level - below[:, column]) / (above[:, column] - below[:, column])
    returns = (below + share[:, None] * (above - below))[:, resolved]
    moments = times[passing] + share * times[1]
    misses = np.abs(returns - returns[:1]).max(axis=1, initial=0.0)
    close = np.flatnonzero((misses < PROMISING) & (moments - moments[:1] > moments[:1]))[:GUESSES]
    if not len(close):
        return []
    start, width = float(moments[0]), UNSURE * float(times[1])
    extents = [np.ptp(states[passing[0] : passing[p] + 2], axis=0).max() for p in close]
    return [_Section(column, level, upwards, start, width, moments[close] - start, np.array(extents))]


def _stage(horizon: float, horizons: Sequence[float]) -> int:
    """Number of the first horizon that is as long, or of the last one."""
    return min(int(np.searchsorted(horizons, horizon)), len(horizons) - 1)


def _confirmed(
    section: _Section, begun: _Passage, period: float, extent: float, horizon: float
) -> Watching[Cycle | Unsettled | None]:
    """The cycle with that period, if the orbit stays on it over most of the horizon."""
    lead = LEAD * horizon
    turned = yield from _passage_near(section.start + period, section, lead)
    if turned is None or _size(turned[1] - begun[1]) > CLOSED:
        return None
    start, period = begun[0], turned[0] - begun[0]
    rounds = max(1, int(0.45 * (horizon - start) / period))
    halfway = yield from _passage_near(start + rounds * period, section, lead)
    late = yield from _passage_near(start + 2 * rounds * period, section, lead)
    if halfway is None or late is None:
        return None
    first, second = _size(halfway[1] - begun[1]), _size(late[1] - halfway[1])
    noise = NOISE * rounds**0.5
    if max(first, second) > CLOSED:
        return None
    if first > noise and second >= first:
        # A drift, or a slow swing around the cycle: over a longer time a swing dies out and a drift adds up.
        return UNSETTLED
    distance = first if first <= noise else first / (1.0 - second / first)
    if distance > CLOSED or extent < LARGER * max(distance, NOISE):
        return None
    return Cycle(start, period, distance, begun[1])


def _calmest(states: np.ndarray, column: int, level: float) -> tuple[bool, np.ndarray]:
    """Whether an orbit passes a level more slowly upwards, and the indices before its passages that way."""
    ways = {up: _passages(states[:, column], level, up) for up in (True, False)}
    haste = {
        up: np.abs(states[i + 1] - states[i]).max(axis=1).mean() if len(i) > 1 else np.inf for up, i in ways.items()
    }
    upwards = bool(haste[True] <= haste[False])
    return upwards, ways[upwards]


def _passage_near(moment: float, section: _Section, lead: float) -> Watching[_Passage | None]:
    """The passage through a section that is nearest to a moment; None if there is none nearby.

    The orbit is followed for a time `lead` [s] before.
    """
    column, level, end = section.column, section.level, moment + section.width
    times = np.linspace(max(0.0, moment - section.width), end, WINDOW)
    after = float(times[0]) - lead
    states = yield Look(times, end, after=after)
    passing = _passages(states[:, column], level, section.upwards)
    if not (len(passing) and np.all(np.isfinite(states))):
        return None
    place = int(passing[np.argmin(np.abs(times[passing] - moment))])
    times = np.linspace(times[place], times[place + 1], WINDOW)
    states = yield Look(times, end, after=after)
    beyond = (states[1:, column] >= level) == section.upwards
    place = int(np.argmax(beyond)) if np.any(beyond) else WINDOW - 2
    low, high = states[place : place + 2, column]
    share = float(np.clip((level - low) / (high - low), 0.0, 1.0)) if high != low else 0.0
    time = float(times[place] + share * (times[place + 1] - times[place]))
    # The last state of a run is not interpolated.
    return time, (yield Look(np.array([time]), time, after=after))[0]


def _passages(values: np.ndarray, level: float, upwards: bool = True) -> np.ndarray:
    """Indices after which values pass a level, upwards or downwards."""
    above = values >= level
    return np.flatnonzero(~above[:-1] & above[1:] if upwards else above[:-1] & ~above[1:])


def _size(difference: np.ndarray) -> float:
    return float(np.max(np.abs(difference), initial=0.0))
