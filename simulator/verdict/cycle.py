"""Detect limit cycles from an orbit's returns to a section.

The section is one state variable passing its middle value. On a limit cycle the sequence of returns repeats after
one passage or, in a burst, after several. As with rest, the criterion is the *distance to the cycle*, not the miss
of one return: if the misses of successive returns shrink by a factor mu, the distance is the first miss
divided by ``1 - mu``. A damped spiral misses by ``1 - mu`` of its size, so its distance is its size. A spike train
on drifting concentrations misses by little, but its misses do not shrink.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

#: Function that returns the scaled states of an orbit at given times [s]; NaN beyond the computed part.
Follow = Callable[[np.ndarray], np.ndarray]

#: Function that returns the time [s] and scaled state of the passage nearest to a time; None if there is none nearby.
Near = Callable[[float], tuple[float, np.ndarray] | None]

#: Largest scaled distance of a state on a cycle; least size of the cycle relative to that distance.
CLOSED, LARGER = 1.0e-2, 10.0

#: Miss of a return that is due to rounding and the integrator's noise.
NOISE = 1.0e-7

#: Fractions of the horizon searched for a cycle, shortest first; samples in each.
HORIZONS, SAMPLES = (1.0 / 256.0, 1.0 / 32.0, 1.0 / 4.0, 1.0), 12_000

#: Largest change of a resolved variable from sample to sample, as a fraction of its range.
RESOLVED = 0.1

#: Largest rough miss that is examined further; most candidates examined.
PROMISING, CANDIDATES = 5.0e-2, 6

#: Initial uncertainty of the time of a passage, in samples.
UNSURE = 4.0

#: Samples in the window around an expected return, and in one whole period.
WINDOW, PERIOD = 801, 200_001

#: Refinements of the bracket of a passage, each to an eighth.
REFINEMENTS = 10


@dataclass(frozen=True)
class Cycle:
    """A limit cycle.

    Parameters
    ----------
    period : float
        Its period [s].
    distance : float
        Scaled distance of the orbit's start to the cycle.
    states : ndarray, shape (samples, states)
        One period, scaled.
    """

    period: float
    distance: float
    states: np.ndarray


def find_cycle(follow: Follow, horizon: float) -> Cycle | None:
    """Return the cycle that an orbit is on from its start, None if there is none.

    Parameters
    ----------
    follow : callable
        The orbit: scaled states at times from 0 on.
    horizon : float
        Longest time [s] to search; it must hold two periods.
    """
    for part in HORIZONS:
        times = np.linspace(0.0, part * horizon, SAMPLES)
        states = follow(times)
        if not np.all(np.isfinite(states)):
            return None
        spread = np.ptp(states, axis=0)
        # Spikes between two samples would be missed, so only resolved variables can define the section.
        resolved = np.abs(np.diff(states, axis=0)).max(axis=0) < RESOLVED * spread
        column = int(np.argmax(np.where(resolved, spread, 0.0)))
        if not resolved[column] or spread[column] < NOISE:
            continue
        level = (states[:, column].min() + states[:, column].max()) / 2.0
        upwards, passing = _calmest(states, column, level)
        below, above = states[passing], states[passing + 1]
        share = (level - below[:, column]) / (above[:, column] - below[:, column])
        returns = (below + share[:, None] * (above - below))[:, resolved]
        moments = times[passing] + share * (times[1] - times[0])
        misses = np.abs(returns - returns[:1]).max(axis=1, initial=0.0)
        promising = np.flatnonzero(misses[1 : (len(moments) + 1) // 2] < PROMISING) + 1
        for p in promising[:CANDIDATES]:
            near = partial(_return_near, follow, width=UNSURE * times[1], column=column, level=level, upwards=upwards)
            found = _confirmed(follow, near, horizon, moments[0], moments[p] - moments[0])
            if found is not None:
                return found
    return None


def _confirmed(follow: Follow, near: Near, horizon: float, start: float, period: float) -> Cycle | None:
    """The cycle with that period, if the orbit stays on it over most of the horizon."""
    begun, turned = near(start), near(start + period)
    if begun is None or turned is None or _size(turned[1] - begun[1]) > CLOSED:
        return None
    start, period = begun[0], turned[0] - begun[0]
    rounds = max(1, int(0.45 * (horizon - start) / period))
    halfway, late = near(start + rounds * period), near(start + 2 * rounds * period)
    if halfway is None or late is None:
        return None
    first, second = _size(halfway[1] - begun[1]), _size(late[1] - halfway[1])
    noise = NOISE * rounds**0.5
    if first > noise and second >= first:
        return None
    distance = first if first <= noise else first / (1.0 - second / first)
    states = follow(np.linspace(start, start + period, PERIOD))
    if distance > CLOSED or np.ptp(states, axis=0).max() < LARGER * max(distance, NOISE):
        return None
    return Cycle(period, distance, states)


def _calmest(states: np.ndarray, column: int, level: float) -> tuple[bool, np.ndarray]:
    """Whether an orbit passes a level more slowly upwards, and the indices before its passages that way."""
    ways = {up: _passages(states[:, column], level, up) for up in (True, False)}
    haste = {
        up: np.abs(states[i + 1] - states[i]).max(axis=1).mean() if len(i) > 1 else np.inf for up, i in ways.items()
    }
    upwards = haste[True] <= haste[False]
    return upwards, ways[upwards]


def _return_near(
    follow: Follow, moment: float, width: float, column: int, level: float, upwards: bool
) -> tuple[float, np.ndarray] | None:
    """Time and state of the passage through the section nearest to a moment; None if there is none nearby."""
    times = np.linspace(max(0.0, moment - width), moment + width, WINDOW)
    passing = _passages(follow(times)[:, column], level, upwards)
    if not len(passing):
        return None
    nearest = passing[np.argmin(np.abs(times[passing] - moment))]
    low, high = times[nearest], times[nearest + 1]
    for _ in range(REFINEMENTS):
        inner = np.linspace(low, high, 9)
        values = follow(inner)[:, column]
        beyond = values >= level if upwards else values < level
        place = int(np.argmax(beyond[1:])) if np.any(beyond[1:]) else 7
        low, high = inner[place], inner[place + 1]
    return float(high), np.asarray(follow(np.array([high]))[0])


def _passages(values: np.ndarray, level: float, upwards: bool = True) -> np.ndarray:
    """Indices after which values pass a level, upwards or downwards."""
    above = values >= level
    return np.flatnonzero(~above[:-1] & above[1:] if upwards else above[:-1] & ~above[1:])


def _size(difference: np.ndarray) -> float:
    return float(np.max(np.abs(difference), initial=0.0))
