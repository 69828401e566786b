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

#: Uncertainty of the time of a passage, in samples; samples in that window, and in each refinement.
UNSURE, WINDOW, INNER = 4.0, 129, 17

#: Refinements of the bracket of a passage, each to a sixteenth.
REFINEMENTS = 3


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
    """

    times: np.ndarray
    end: float
    stage: int = -1
    rough: bool = False


#: What yields looks and is sent scaled states, shape (times, states); NaN where an orbit could not be followed.
Watching = Generator[Look, np.ndarray, T]


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
class _Guess:
    """A return that comes close: when, through which section, and the orbit's extent until then.

    Parameters
    ----------
    start, period : float
        Time of the first passage, and time until the return [s].
    width : float
        Uncertainty of these times [s].
    column, level, upwards
        The section: the variable, its value, and the way it is passed.
    extent : float
        Largest range of a variable over the period.
    """

    start: float
    period: float
    width: float
    column: int
    level: float
    upwards: bool
    extent: float


def find_cycle(horizons: Sequence[float]) -> Watching[Cycle | None]:
    """Search for the cycle that an orbit is on from its start; None if there is none.

    Parameters
    ----------
    horizons : sequence of float
        Lengths [s] of orbit to search one after another, increasing. A guess is tested on the first one at least.
    """
    tested = 0.0
    for stage, horizon in enumerate(horizons):
        times = _samples(horizon)
        guesses = _guesses(times, (yield Look(times, horizon, stage, rough=True)), horizon)
        for needed in sorted(g.start + PERIODS * g.period + 2.0 * g.width for g in guesses):
            if needed <= tested:
                continue
            tested = max(horizons[0], LONGER * tested, needed)
            found = yield from _tested(tested, min(int(np.searchsorted(horizons, tested)), len(horizons) - 1))
            if found is not None:
                return found
    return None


def _tested(horizon: float, stage: int) -> Watching[Cycle | None]:
    """The cycle on an accurately integrated orbit of that length, if the orbit stays on it over most of it."""
    times = _samples(horizon)
    guesses = _guesses(times, (yield Look(times, horizon, stage)), horizon)
    for guess in guesses:
        if guess.start + 2.0 * guess.period + guess.width <= horizon:
            found = yield from _confirmed(guess, horizon)
            if found is not None:
                return found
    return None


def _samples(horizon: float) -> np.ndarray:
    """Times [s] at which all parts of an orbit are sampled; they may go beyond its horizon."""
    apart = 2.0 ** np.floor(np.log2(horizon / SAMPLES))
    return np.unique(np.outer(PARTS, apart * np.arange(2 * SAMPLES)))


def _guesses(times: np.ndarray, states: np.ndarray, horizon: float) -> list[_Guess]:
    """Returns of a sampled orbit that come close, from its shortest part on."""
    computed = np.all(np.isfinite(states), axis=1)
    found: list[_Guess] = []
    for part in PARTS:
        apart = part * 2.0 ** np.floor(np.log2(horizon / SAMPLES))
        own = (times <= part * horizon) & (times % apart == 0.0)
        if not np.all(computed[own]):
            break
        found += _close_returns(times[own], states[own])
    return found


def _close_returns(times: np.ndarray, states: np.ndarray) -> list[_Guess]:
    """Returns of an evenly sampled orbit to a section that come close to its first passage."""
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
    return [
        _Guess(
            start=float(moments[0]),
            period=float(moments[p] - moments[0]),
            width=UNSURE * float(times[1]),
            column=column,
            level=level,
            upwards=upwards,
            extent=float(np.ptp(states[passing[0] : passing[p] + 2], axis=0).max()),
        )
        for p in (np.flatnonzero(misses[1:] < PROMISING) + 1)[:GUESSES]
    ]


def _confirmed(guess: _Guess, horizon: float) -> Watching[Cycle | None]:
    """The cycle with that period, if the orbit stays on it over most of the horizon."""
    begun = yield from _passage_near(guess.start, guess)
    turned = yield from _passage_near(guess.start + guess.period, guess)
    if begun is None or turned is None or _size(turned[1] - begun[1]) > CLOSED:
        return None
    start, period = begun[0], turned[0] - begun[0]
    rounds = max(1, int(0.45 * (horizon - start) / period))
    halfway = yield from _passage_near(start + rounds * period, guess)
    late = yield from _passage_near(start + 2 * rounds * period, guess)
    if halfway is None or late is None:
        return None
    first, second = _size(halfway[1] - begun[1]), _size(late[1] - halfway[1])
    noise = NOISE * rounds**0.5
    if first > noise and second >= first:
        return None
    distance = first if first <= noise else first / (1.0 - second / first)
    if distance > CLOSED or guess.extent < LARGER * max(distance, NOISE):
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


def _passage_near(moment: float, section: _Guess) -> Watching[tuple[float, np.ndarray] | None]:
    """Time and state of the passage through a section that is nearest to a moment; None if there is none nearby."""
    column, level, end = section.column, section.level, moment + section.width
    times = np.linspace(max(0.0, moment - section.width), end, WINDOW)
    states = yield Look(times, end)
    passing = _passages(states[:, column], level, section.upwards)
    if not (len(passing) and np.all(np.isfinite(states))):
        return None
    place = int(passing[np.argmin(np.abs(times[passing] - moment))])
    for _ in range(REFINEMENTS):
        times = np.linspace(times[place], times[place + 1], INNER)
        states = yield Look(times, end)
        beyond = (states[1:, column] >= level) == section.upwards
        place = int(np.argmax(beyond)) if np.any(beyond) else INNER - 2
    low, high = states[place], states[place + 1]
    rise = high[column] - low[column]
    share = float(np.clip((level - low[column]) / rise, 0.0, 1.0)) if rise else 0.0
    return float(times[place] + share * (times[place + 1] - times[place])), low + share * (high - low)


def _passages(values: np.ndarray, level: float, upwards: bool = True) -> np.ndarray:
    """Indices after which values pass a level, upwards or downwards."""
    above = values >= level
    return np.flatnonzero(~above[:-1] & above[1:] if upwards else above[:-1] & ~above[1:])


def _size(difference: np.ndarray) -> float:
    return float(np.max(np.abs(difference), initial=0.0))
