"""Whether a flow goes round in a cycle, judged by its returns and not by its looks.

A state on a limit cycle comes back to itself. The returns of an orbit to a section across it (one state
variable passing its middle value upwards) form a sequence; on a cycle the sequence repeats, after one
or, where it bursts, several passages. As with rest, what counts is the *distance to the cycle*, not how little a
return misses: if the misses of successive returns shrink by a factor mu, the distance is the first miss
divided by ``1 - mu``. A damped spiral misses by ``1 - mu`` of its size, so its distance is its size; a spike train
that rides on drifting concentrations misses by little every time, but by no less each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: States [scaled] at given times [s] of one orbit; NaN beyond where it can be followed.
Follow = Callable[[np.ndarray], np.ndarray]

#: Scaled distance to a cycle below which a state counts as on it, and how much larger the cycle must be.
CLOSED, LARGER = 1.0e-2, 10.0

#: Miss of a return that is rounding and the integrator's noise.
NOISE = 1.0e-7

#: Parts of the horizon in which cycles are sought, shortest first, and samples of each.
HORIZONS, SAMPLES = (1.0 / 256.0, 1.0 / 32.0, 1.0 / 4.0, 1.0), 12_000

#: Numbers of passages per period that are tried, and samples in the window where a late return is expected.
CANDIDATES, WINDOW = 6, 801


@dataclass(frozen=True)
class Cycle:
    """A limit cycle.

    Parameters
    ----------
    period : float
        Its period [s].
    passages : int
        Passages through the section in one period: 1, or the spikes of a burst.
    distance : float
        Scaled distance of the orbit's start to the cycle.
    states : ndarray, shape (samples, states)
        One period, scaled.
    """

    period: float
    passages: int
    distance: float
    states: np.ndarray


def find_cycle(follow: Follow, horizon: float) -> Cycle | None:
    """The cycle that an orbit is on from its start, None if it is on none.

    Parameters
    ----------
    follow : callable
        The orbit: scaled states at times from 0 on.
    horizon : float
        Longest time [s] to look at; a cycle must come round twice in it.
    """
    for part in HORIZONS:
        times = np.linspace(0.0, part * horizon, SAMPLES)
        states = follow(times)
        if not np.all(np.isfinite(states)):
            return None
        spread = np.ptp(states, axis=0)
        column = int(np.argmax(spread))
        level = (states[:, column].min() + states[:, column].max()) / 2.0
        passing = _passages(states[:, column], level)
        if len(passing) < 3 or spread[column] < NOISE:
            continue
        moments = _refined(follow, times[passing], times[passing + 1], column, level)
        returns = follow(moments)
        tried = 0
        for p in range(1, (len(moments) - 1) // 2 + 1):
            if _size(returns[p] - returns[0]) > CLOSED or tried == CANDIDATES:
                continue
            tried += 1
            found = _confirmed(follow, horizon, moments[0], moments[p] - moments[0], p, column, level)
            if found is not None:
                return found
    return None


def _confirmed(
    follow: Follow, horizon: float, start: float, period: float, passages: int, column: int, level: float
) -> Cycle | None:
    """The cycle of that period, if the orbit still keeps to it as far as it can be followed."""
    rounds = max(1, int(0.45 * (horizon - start) / period))
    origin, *later = (
        _return_near(follow, start + n * period, period / passages, column, level) for n in (0, rounds, 2 * rounds)
    )
    if origin is None or any(state is None for state in later):
        return None
    first, second = _size(later[0] - origin), _size(later[1] - later[0])
    if first > NOISE * rounds**0.5 and second >= first:
        return None
    distance = first if first <= NOISE * rounds**0.5 else first / (1.0 - second / first)
    states = follow(np.linspace(start, start + period, 2001))
    if distance > CLOSED or np.ptp(states, axis=0).max() < LARGER * max(distance, NOISE):
        return None
    return Cycle(period, passages, distance, states)


def _return_near(follow: Follow, moment: float, width: float, column: int, level: float) -> np.ndarray | None:
    """State at the passage of the section nearest to a moment."""
    times = np.linspace(max(0.0, moment - 0.6 * width), moment + 0.6 * width, WINDOW)
    values = follow(times)[:, column]
    passing = _passages(values, level)
    if not len(passing):
        return None
    nearest = passing[np.argmin(np.abs(times[passing] - moment))]
    found = _refined(follow, times[[nearest]], times[[nearest + 1]], column, level)
    return np.asarray(follow(found)[0])


def _passages(values: np.ndarray, level: float) -> np.ndarray:
    """Indices after which values pass a level upwards."""
    return np.flatnonzero((values[:-1] < level) & (values[1:] >= level))


def _refined(follow: Follow, low: np.ndarray, high: np.ndarray, column: int, level: float) -> np.ndarray:
    """Times of passages, between two times each."""
    inner = np.linspace(0.0, 1.0, 6)
    for _ in range(12):
        times = low[:, None] + inner * (high - low)[:, None]
        above = _at(follow, times)[..., column] >= level
        above[:, -1] = True
        place = np.argmax(above[:, 1:], axis=1)
        rows = np.arange(len(low))
        low, high = times[rows, place], times[rows, place + 1]
    return (low + high) / 2.0


def _at(follow: Follow, times: np.ndarray) -> np.ndarray:
    """States at times in any arrangement."""
    unique, place = np.unique(times, return_inverse=True)
    return np.asarray(follow(unique)[place].reshape(*times.shape, -1))


def _size(difference: np.ndarray) -> float:
    return float(np.max(np.abs(difference), initial=0.0))
