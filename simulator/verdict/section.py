"""Sections of an orbit: one of its variables passing its middle value, and the returns to such a passage.

An orbit is looked at where a search asks for it: :class:`Look` says when. Whoever integrates it sends the states.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

__all__ = ["LEAD", "Look", "Passage", "Section", "Watching", "passage_near", "sample_times", "sections_of"]

T = TypeVar("T")

#: Parts of an orbit searched for a cycle, shortest first, and the least number of samples in each. Distances between
#: samples are powers of two, so that orbits of similar length are looked at at the same times.
PARTS, SAMPLES = (1.0 / 32.0, 1.0 / 4.0, 1.0), 6000

#: Largest change of a resolved variable from sample to sample, as a fraction of its range.
RESOLVED = 0.1

#: Largest rough miss that is examined further; most guesses from one part of an orbit.
PROMISING, GUESSES = 5.0e-2, 6

#: Smallest scaled range of a variable that is more than noise.
STILL = 1.0e-7

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


#: Time [s] of a passage through a section, and the scaled state.
Passage = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Section:
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


def sections_of(horizon: float, stage: int, rough: bool) -> Watching[tuple[list[Section], float]]:
    """Sections of an orbit of some length, from its shortest part on, and how far [s] the orbit was computed."""
    apart, times = _apart(horizon), sample_times(horizon)
    states = yield Look(times, horizon, stage, rough)
    computed = np.all(np.isfinite(states), axis=1)
    horizon = min(horizon, float(times[computed][-1]))
    found: list[Section] = []
    for part in PARTS:
        own = computed & (times <= part * horizon) & (times % (part * apart) == 0.0)
        if np.sum(own) > 2:
            found += _close_returns(times[own], states[own])
    return found, horizon


def sample_times(horizon: float) -> np.ndarray:
    """Times [s] at which all parts of an orbit are sampled; they may go beyond its horizon."""
    return _sample_times(_apart(horizon))


@lru_cache
def _sample_times(apart: float) -> np.ndarray:
    return np.unique(np.outer(PARTS, apart * np.arange(2 * SAMPLES)))


def _apart(horizon: float) -> float:
    """Distance [s] of the samples of a whole orbit."""
    return float(2.0 ** np.floor(np.log2(horizon / SAMPLES)))


def _close_returns(times: np.ndarray, states: np.ndarray) -> list[Section]:
    """The section of an evenly sampled orbit whose first passage has close returns, if there is one.

    An orbit that is on a cycle from its start passes the section within one period.
    """
    spread = np.ptp(states, axis=0)
    # Spikes between two samples would be missed, so only resolved variables can define the section.
    resolved = np.abs(np.diff(states, axis=0)).max(axis=0) < RESOLVED * spread
    column = int(np.argmax(np.where(resolved, spread, 0.0)))
    if not resolved[column] or spread[column] < STILL:
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
    return [Section(column, level, upwards, start, width, moments[close] - start, np.array(extents))]


def _calmest(states: np.ndarray, column: int, level: float) -> tuple[bool, np.ndarray]:
    """Whether an orbit passes a level more slowly upwards, and the indices before its passages that way."""
    ways = {up: _passages(states[:, column], level, up) for up in (True, False)}
    haste = {
        up: np.abs(states[i + 1] - states[i]).max(axis=1).mean() if len(i) > 1 else np.inf for up, i in ways.items()
    }
    upwards = bool(haste[True] <= haste[False])
    return upwards, ways[upwards]


def passage_near(moment: float, section: Section, lead: float) -> Watching[Passage | None]:
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
