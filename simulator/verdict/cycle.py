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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.verdict.section import LEAD, Look, Passage, Section, Watching, passage_near, sample_times, sections_of

__all__ = ["Cycle", "find_cycle"]

#: Largest scaled distance of a state on a cycle; least size of the cycle relative to that distance.
CLOSED, LARGER = 1.0e-2, 10.0

#: Miss of a return that is due to rounding and the integrator's noise.
NOISE = 1.0e-7

#: Periods followed from the first passage to test a guess: two and a margin.
PERIODS = 2.2

#: An orbit is at least this much longer than the one on which other guesses have failed.
LONGER = 2.0


class Unsettled:
    """The answer where misses are small but have not begun to shrink: a drift, or a slow swing around a cycle.

    On a longer orbit a drift adds up, while a swing dies out.
    """


UNSETTLED = Unsettled()


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


def find_cycle(horizons: Sequence[float]) -> Watching[Cycle | None]:
    """Search for the cycle that an orbit is on from its start; None if there is none.

    Parameters
    ----------
    horizons : sequence of float
        Lengths [s] of orbit to search one after another, increasing. A guess is tested on the first one at least.
    """
    tested = 0.0
    for stage, horizon in enumerate(horizons):
        sections, _ = yield from sections_of(horizon, stage, rough=True)
        for needed in sorted(s.start + PERIODS * p + 2.0 * s.width for s in sections for p in s.periods):
            if needed <= tested:
                continue
            tested = max(horizons[0], LONGER * tested, needed)
            found = yield from _tested(tested, horizons)
            if found is not None:
                return found
    return None


def _tested(horizon: float, horizons: Sequence[float]) -> Watching[Cycle | None]:
    """The cycle on an accurately integrated orbit of that length."""
    longer = [h for h in horizons if h >= LONGER * horizon]
    sections, horizon = yield from sections_of(horizon, _stage(horizon, horizons), rough=False)
    for section in sections:
        begun = yield from passage_near(section.start, section, LEAD * horizon)
        for period, extent in zip(section.periods, section.extents, strict=True):
            if begun is None or section.start + 2.0 * period + section.width > horizon:
                continue
            found = yield from _confirmed(section, begun, period, extent, horizon)
            for h in longer if found is UNSETTLED else ():
                yield Look(sample_times(h), h, _stage(h, horizons))
                found = yield from _confirmed(section, begun, period, extent, h)
                if found is not UNSETTLED:
                    break
            if isinstance(found, Cycle):
                return found
            if found is UNSETTLED:  # a drift, and its multiples drift as much
                break
    return None


def _stage(horizon: float, horizons: Sequence[float]) -> int:
    """Number of the first horizon that is as long, or of the last one."""
    return min(int(np.searchsorted(horizons, horizon)), len(horizons) - 1)


def _confirmed(
    section: Section, begun: Passage, period: float, extent: float, horizon: float
) -> Watching[Cycle | Unsettled | None]:
    """The cycle with that period, if the orbit stays on it over most of the horizon."""
    lead = LEAD * horizon
    turned = yield from passage_near(section.start + period, section, lead)
    if turned is None or _size(turned[1] - begun[1]) > CLOSED:
        return None
    start, period = begun[0], turned[0] - begun[0]
    rounds = max(1, int(0.45 * (horizon - start) / period))
    halfway = yield from passage_near(start + rounds * period, section, lead)
    late = yield from passage_near(start + 2 * rounds * period, section, lead)
    if halfway is None or late is None:
        return None
    first, second = _size(halfway[1] - begun[1]), _size(late[1] - halfway[1])
    noise = NOISE * rounds**0.5
    if max(first, second) > CLOSED:
        return None
    if first > noise and second >= first:
        return UNSETTLED
    distance = first if first <= noise else first / (1.0 - second / first)
    if distance > CLOSED or extent < LARGER * max(distance, NOISE):
        return None
    return Cycle(start, period, distance, begun[1])


def _size(difference: np.ndarray) -> float:
    return float(np.max(np.abs(difference), initial=0.0))
