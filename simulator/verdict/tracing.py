"""Follow a branch of rest points in steps that fit its curvature, and find the special points on it.

A *fold* is where the number's part in the tangent vanishes. Elsewhere the number of unstable eigenvalues changes by one
at a *branch point*, and by two at a *Hopf point*, where a pair crosses the imaginary axis. At a neutral saddle two
real eigenvalues have the sum zero; none of them crosses, so it is not taken for a Hopf point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from simulator.model.names import concentration
from simulator.physics.notation import species_text
from simulator.scenario.parts import LARGEST_CONCENTRATION
from simulator.verdict.curve import RANGE, Place

__all__ = ["SPECIAL_KINDS", "Special", "Way", "limit", "trace"]

#: Kinds of special points.
SPECIAL_KINDS = ("fold", "hopf", "branch_point", "end")

#: Arc length of the first step, the least and the largest one, and most steps along a branch.
FIRST, LEAST, LARGEST, STEPS = 0.01, 1.0e-9, 0.1, 4000

#: Cosine between the tangents of neighbours, and factors by which steps grow and shrink.
STRAIGHT, GROWTH, SHRINKING = 0.98, 1.5, 0.4

#: Part of the range beside an end at which there is no place.
BESIDE = 1.0e-6

#: Steps before a branch may have come back to its start.
AROUND = 5

#: Largest volume relative to that at the start, and least concentration [mol/m3], of a branch.
SWOLLEN, EMPTY = 100.0, 1.0e-9

#: Size of an eigenvalue, relative to the largest, below which its sign is rounding.
NOISE = 1.0e-12

#: Bisections that isolate a crossing before a root is sought, and precision of the arc length.
BISECTIONS, PRECISE = 12, 1.0e-13


@dataclass(frozen=True)
class Special:
    """A special point: its kind, its place, unstable eigenvalues before and after it, and why a branch ends there."""

    kind: str
    place: Place
    before: int
    after: int
    reason: str = ""

    def reversed(self) -> Special:
        """The same point, seen the other way."""
        return replace(self, place=self.place.reversed(), before=self.after, after=self.before)

    @property
    def crossing(self) -> complex:
        """The eigenvalue on the imaginary axis, with the positive imaginary part; of an end, the slowest one."""
        values = self.place.eigenvalues
        if self.kind == "hopf":
            return _pair(values)
        return complex(values[0]) if len(values) else complex(np.nan)


@dataclass(frozen=True)
class Way:
    """Places along a branch, in order, and special points among them by the number of places before each."""

    places: list[Place]
    specials: list[tuple[int, Special]]
    closed: bool = False


def trace(first: Place, volumes: Mapping[str, float]) -> Way:
    """Follow a branch from a place along its tangent until it ends.

    Parameters
    ----------
    first : Place
        Where to start.
    volumes : mapping of str to float
        Initial volumes [m3] that can change, by name.
    """
    places, specials, length = [first], list[tuple[int, Special]](), FIRST

    def ended(reason: str) -> Way:
        count = places[-1].unstable
        return Way(places, [*specials, (len(places), Special("end", places[-1], count, count, reason))])

    for _ in range(STEPS):
        if length < LEAST:
            return ended("the branch could not be followed farther")
        here = places[-1]
        there = here.at(length)
        if there is None or _cosine(here, there) < STRAIGHT:
            length *= SHRINKING
            continue
        bound = 0.0 if there.q < 0.0 else 1.0 if there.q > 1.0 else None
        last = _at_bound(here, there, bound, length) if bound is not None else there
        _, reason = limit(there, volumes)
        if reason and bound is None:
            last = _root(here, length, lambda place: limit(place, volumes)[0]) or there
        passed = None if last is None else _between(here, last, _length(here, last))
        if last is None or passed is None:
            if bound is not None and abs(here.q - bound) < BESIDE:
                return ended("the end of the range, where rest points are not isolated")
            length *= SHRINKING
            continue
        specials += [(len(places), special) for special in passed]
        places.append(last)
        if bound is not None:
            return ended("the end of the range")
        if reason:
            return ended(reason)
        if len(places) > AROUND and _encloses(here, last, first):
            return Way([*places[:-1], first], specials, closed=True)
        length = min(LARGEST, length * GROWTH)
    return ended(f"{STEPS} steps were taken")


def _cosine(here: Place, there: Place) -> float:
    along, rate = there.seen_from(here.size)
    one, other = here.inner @ here.tangent[:-1], here.inner @ along
    return float(one @ other + here.turning * rate) / float(np.hypot(np.linalg.norm(other), rate) or 1.0)


def _at_bound(here: Place, there: Place, bound: float, length: float) -> Place | None:
    """The place where a step leaves the range; a fold may lie before it."""
    if here.q == bound:
        return None
    close = here.at(length * (bound - here.q) / (there.q - here.q))
    return None if close is None else close.at_value(bound)


def _length(here: Place, there: Place) -> float:
    """Arc length of a place as :meth:`~simulator.verdict.curve.Place.at` counts it."""
    scaled = (there.state - here.state) / here.size
    return float((here.inner @ here.tangent[:-1]) @ scaled + here.turning * (there.q - here.q) * RANGE)


def _encloses(here: Place, there: Place, first: Place) -> bool:
    """Whether the first place of a branch lies on a step."""
    whole, part = _length(here, there), _length(here, first)
    return 0.0 < part <= whole and (found := here.at(part)) is not None and found.apart(first.state) < 1.0e-6


def _between(here: Place, there: Place, length: float) -> list[Special] | None:
    """Special points on a step, in order; None if a fold on it is not found, so that it has to be shorter."""
    if here.turning * there.turning >= 0.0:
        return _crossings(here, there, length, here.unstable, there.unstable)
    fold = _root(here, length, lambda place: place.turning)
    if fold is None:
        return None
    middle = _length(here, fold)
    # One eigenvalue is zero at the fold: the others are compared with those on either side.
    values = fold.eigenvalues
    others = int(np.sum(values.real[np.argsort(np.abs(values))[1:]] > 0.0))
    before, after = (others + (side.unstable - others) % 2 for side in (here, there))
    return [
        *_crossings(here, fold, middle, here.unstable, before),
        Special("fold", fold, before, after),
        *_crossings(here, there, length, after, there.unstable, middle),
    ]


def _crossings(here: Place, there: Place, length: float, before: int, after: int, begin: float = 0.0) -> list[Special]:
    """Hopf and branch points between two arc lengths, at which so many eigenvalues are unstable."""
    if before == after:
        return []
    low, high, known = begin, length, before
    for _ in range(BISECTIONS):
        middle = here.at(0.5 * (low + high))
        if middle is None:
            return []
        if middle.unstable == known:
            low = 0.5 * (low + high)
        else:
            high = 0.5 * (low + high)
    left, right = here.at(low), here.at(high)
    if left is None or right is None:
        return []
    if (after - before) % 2:
        smallest = min((abs(v) for v in left.eigenvalues), default=0.0)
        largest = max((abs(v) for v in left.eigenvalues), default=0.0)
        found = _root(here, high, _slowest_real, low) if smallest > NOISE * largest else None
        return [Special("branch_point", found, before, after)] if found is not None else []
    if not np.isfinite(_pair(left.eigenvalues)) or not np.isfinite(_pair(right.eigenvalues)):
        return []
    found = _root(here, high, lambda place: _pair(place.eigenvalues).real, low)
    return [Special("hopf", found, before, after)] if found is not None else []


def _slowest_real(place: Place) -> float:
    real = place.eigenvalues[place.eigenvalues.imag == 0.0].real
    return float(real[np.argmin(np.abs(real))]) if len(real) else np.nan


def _pair(values: np.ndarray) -> complex:
    """Of the complex pairs the one closest to the imaginary axis, relative to its size; NaN if there is none."""
    upper = values[values.imag > 0.0]
    return complex(upper[np.argmin(np.abs(upper.real) / np.abs(upper))]) if len(upper) else complex(np.nan, np.nan)


def _root(here: Place, high: float, of: Callable[[Place], float], low: float = 0.0) -> Place | None:
    """The place within a step where a number changes its sign."""
    from scipy.optimize import brentq

    def at(length: float) -> float:
        place = here.at(length)
        if place is None:
            raise ValueError
        return of(place)

    try:
        return here.at(brentq(at, low, high, xtol=PRECISE * max(high, 1e-3), rtol=4.0 * np.finfo(float).eps))
    except ValueError:  # no change of sign, or the curve was not found
        return None


def limit(place: Place, volumes: Mapping[str, float]) -> tuple[float, str]:
    """How far a place is from where a branch is followed no farther (negative beyond), and why, in words if beyond."""
    known = place.known
    limits = {
        f"the volume of {name.removeprefix('w_')} runs away ({SWOLLEN:g} times the initial one)": math.log(
            SWOLLEN * initial / known[name]
        )
        for name, initial in volumes.items()
    }
    for c in place.family.structure.compartments:
        for s in c.states:
            value, name = known[concentration(c.name, s)], f"the concentration of {species_text(s)} in {c.name}"
            limits[f"{name} reaches zero (below {EMPTY:g} mM)"] = math.log(max(value, 1e-300) / EMPTY)
            limits[f"{name} exceeds what a solution holds"] = math.log(LARGEST_CONCENTRATION / max(value, 1e-300))
    nearest = min(limits, key=lambda text: limits[text], default="")
    margin = limits[nearest] if nearest else math.inf
    return margin, nearest if margin < 0.0 else ""
