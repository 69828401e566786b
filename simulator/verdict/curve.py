"""The curve of rest points in the space of states and one number of a scenario, point by point.

At rest the conditions f(y, p) = 0 of the independent states hold at constant totals of what is conserved. As p changes,
rest points form curves. A *place* on one has a tangent, and sizes by which everything is scaled; from it a neighbour is
found at a given arc length, or at a given value of p (Keller 1977, in: Applications of Bifurcation Theory, Academic
Press, p. 359: pseudo-arclength continuation). Electroneutral models are followed by their own conditions and judged as
the capacitive ones that they are a limit of (:func:`simulator.verdict.rest.eigenvalues`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.structure import Structure
from simulator.verdict.rest import conditions_of, eigenvalues, solutions
from simulator.verdict.slopes import Slopes

__all__ = ["RANGE", "Family", "Place", "Range"]

#: Length of the whole range of the number, in units in which a state that changes by its size has gone 1.
RANGE = 5.0

#: Least size of a gate, by which its changes are scaled.
GATE = 0.05

#: Least amount relative to its error scale.
SMALLEST = 1.0e-6

#: Newton steps to the curve, and scaled lengths of the last one at which it has arrived.
ITERATIONS, ARRIVED, GOOD_ENOUGH = 8, 1.0e-13, 1.0e-10

#: Scaled change of a state that cannot change.
STILL = 1.0e-9

#: Real part, relative to the largest eigenvalue, that is zero up to rounding.
ROUNDING = 1.0e-15


@dataclass(frozen=True)
class Range:
    """Values of a number from `start` to `stop`, at equal distances or at equal ratios; `q` goes from 0 to 1."""

    start: float
    stop: float
    logarithmic: bool

    def value(self, q: float) -> float:
        """The value at a part of the way; both ends are exact."""
        if q in (0.0, 1.0):
            return self.stop if q else self.start
        if self.logarithmic:
            return float(self.start * math.exp(q * math.log(self.stop / self.start)))
        return self.start + q * (self.stop - self.start)

    def slope(self, q: float) -> float:
        """Change of the value with `q`."""
        return self.value(q) * math.log(self.stop / self.start) if self.logarithmic else self.stop - self.start

    def part(self, value: float) -> float:
        """Part of the way to a value."""
        if self.logarithmic:
            return math.log(value / self.start) / math.log(self.stop / self.start) if value > 0.0 else -math.inf
        return (value - self.start) / (self.stop - self.start)


class Family:
    """Rest points of one structure at all values of a number.

    Parameters
    ----------
    structure : Structure
        What decides the equations.
    parameters, growth : ndarray, shape (parameters,)
        Parameters where the number is 0, and how they grow with it.
    scales : ndarray, shape (states,)
        Error scales of the states.
    span : Range
        Values of the number.
    initial : ndarray, shape (states,)
        Initial state. What cannot change from there in the middle of the range stays on all branches.
    """

    def __init__(
        self,
        structure: Structure,
        parameters: np.ndarray,
        growth: np.ndarray,
        scales: np.ndarray,
        span: Range,
        initial: np.ndarray,
    ) -> None:
        self.structure, self.base, self.growth, self.scales, self.span = structure, parameters, growth, scales, span
        self.equations = load_arrays(structure)
        self.basis = np.array(self.equations.BASIS, dtype=int)
        self.gates = structure.places("gate")
        self.neutral = [list(self.basis).index(self.equations.STATES.index(name)) for name in self.equations.NEUTRAL]
        _, _, jacobian = conditions_of(self.equations, initial, self.parameters(0.5))
        self.moving, self.initial = np.any(jacobian != 0.0, axis=1), initial

    def parameters(self, q: float) -> np.ndarray:
        """Parameters in force at a part of the way."""
        return self.base + self.growth * self.span.value(q)

    def sizes(self, state: np.ndarray) -> np.ndarray:
        """Sizes by which changes of the states are scaled: amounts and volumes by themselves, however small."""
        size = np.maximum(np.abs(state), self.scales)
        positive = self.structure.places("amount", "volume")
        size[positive] = np.maximum(np.abs(state), SMALLEST * self.scales)[positive]
        electric = self.structure.places("charge", "potential")
        size[electric] = self.scales[electric]
        size[self.gates] = np.maximum(size[self.gates], GATE)
        return size

    def place(self, state: np.ndarray, q: float, heading: Place | None = None) -> Place | None:
        """The place of a rest point, with its tangent along that of `heading` or towards larger `q`.

        None if it has no tangent, or differs from the initial state in what cannot change.
        """
        _, conditions, jacobian = conditions_of(self.equations, state, self.parameters(q))
        by_value, following = self.by_value(state, q)
        moving, size, still = self.moving, self.sizes(state), self.basis[~self.moving]
        if np.any(np.abs(state - self.initial)[still] > STILL * size[still]):
            return None
        inner = following[:, moving] * size[self.basis[moving]] / size[:, None]
        matrix = conditions[np.ix_(moving, moving)] * size[self.basis[moving]]
        along, rate = (np.zeros(inner.shape[1]), 1.0) if heading is None else heading.seen_from(size)
        border = np.append((inner @ along) @ inner, rate)
        bordered = np.vstack([np.column_stack([matrix, by_value[moving]]), border])
        right = np.append(np.zeros(len(matrix)), 1.0)
        found = solutions(bordered[None], right[None])[0]
        if not np.all(np.isfinite(found)):
            return None
        length = math.hypot(float(np.linalg.norm(inner @ found[:-1])), float(found[-1]))
        return Place(self, state, q, size, inner, found / length, jacobian)

    def known(self, state: np.ndarray, q: float) -> dict[str, float]:
        """States, parameters and derived quantities by name, in a state and at a part of the way."""
        structure, parameters = self.structure, self.parameters(q)
        with np.errstate(all="ignore"):
            derived = self.equations.quantities(state, parameters)
        found = dict(zip(structure.states, state.tolist(), strict=True))
        found |= dict(zip(structure.parameters, parameters.tolist(), strict=True))
        return found | {name: float(value) for name, value in derived.items()}

    def by_value(self, state: np.ndarray, q: float) -> tuple[np.ndarray, np.ndarray]:
        """Conditions of the independent states by the scaled number, and what follows these states."""
        slopes = Slopes(self.structure, state, self.parameters(q))
        found = slopes.by_parameter @ self.growth * self.span.slope(q) / RANGE
        found[self.neutral] = 0.0
        return found, slopes.following


@dataclass(frozen=True)
class Place:
    """A rest point on a curve, with what is needed to go on from it.

    Parameters
    ----------
    family : Family
        The curve is one of its.
    state : ndarray, shape (states,)
        All states.
    q : float
        Part of the way from one end of the number's range to the other.
    size : ndarray, shape (states,)
        Sizes of the states.
    inner : ndarray, shape (states, unknowns)
        Scaled change of all states with the scaled unknowns.
    tangent : ndarray, shape (unknowns + 1,)
        Along the curve, of length 1; the number comes last.
    jacobian : ndarray
        Of the independent states.
    """

    family: Family
    state: np.ndarray
    q: float
    size: np.ndarray
    inner: np.ndarray
    tangent: np.ndarray
    jacobian: np.ndarray

    @cached_property
    def known(self) -> dict[str, float]:
        """States, parameters and derived quantities by name."""
        return self.family.known(self.state, self.q)

    @property
    def value(self) -> float:
        """Value of the number."""
        return self.family.span.value(self.q)

    @property
    def turning(self) -> float:
        """Part of the number in the tangent: it changes sign at a fold."""
        return float(self.tangent[-1])

    @property
    def rising(self) -> bool:
        """Whether the value grows along the tangent."""
        return (self.turning > 0.0) == (self.family.span.stop > self.family.span.start)

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues [1/s], slowest first."""
        return eigenvalues(self.family.structure, self.jacobian, self.state, self.family.parameters(self.q))

    @property
    def unstable(self) -> int:
        """Number of eigenvalues with a positive real part."""
        largest = float(np.max(np.abs(self.eigenvalues), initial=0.0))
        return int(np.sum(self.eigenvalues.real > ROUNDING * largest))

    def seen_from(self, size: np.ndarray) -> tuple[np.ndarray, float]:
        """The tangent in the scaled unknowns of another place."""
        unknowns = self.family.basis[self.family.moving]
        return self.tangent[:-1] * self.size[unknowns] / size[unknowns], float(self.tangent[-1])

    def reversed(self) -> Place:
        """The same place, seen the other way."""
        return replace(self, tangent=-self.tangent)

    def apart(self, state: np.ndarray) -> float:
        """Largest scaled distance of a state."""
        return float(np.max(np.abs(state - self.state) / self.size, initial=0.0))

    def at(self, length: float) -> Place | None:
        """The place at an arc length from here, along the tangent; None if it is not found."""
        border = np.append((self.inner @ self.tangent[:-1]) @ self.inner, self.tangent[-1])
        return self._corrected(border, length * self.tangent, length)

    def at_value(self, q: float) -> Place | None:
        """The place next to here at a value of the number; None if it is not found."""
        border, away = np.zeros(len(self.tangent)), (q - self.q) * RANGE
        border[-1] = 1.0
        first = self.tangent * (away / self.turning) if self.turning else 0.0 * self.tangent
        first[-1] = away
        found = self._corrected(border, first, away)
        return None if found is None else replace(found, q=q)

    def _corrected(self, border: np.ndarray, away: np.ndarray, length: float) -> Place | None:
        """Newton's method for the conditions and ``border @ away = length``, from a first guess."""
        family, moving, previous = self.family, self.family.moving, np.inf
        units = self.size[family.basis[moving]]
        for _ in range(ITERATIONS):
            state, q = self._moved(away)
            if np.any(state[family.structure.places("amount", "volume")] < 0.0):
                return None
            rate, conditions, _ = conditions_of(family.equations, state, family.parameters(q))
            matrix = conditions[np.ix_(moving, moving)] * units
            bordered = np.vstack([np.column_stack([matrix, family.by_value(state, q)[0][moving]]), border])
            right = -np.append(rate[moving], border @ away - length)
            step = solutions(bordered[None], right[None])[0]
            if not np.all(np.isfinite(step)):
                return None
            away = away + step
            moved = max(float(np.max(np.abs(self.inner @ step[:-1]), initial=0.0)), abs(float(step[-1])))
            if moved < ARRIVED or (moved < GOOD_ENOUGH and moved >= 0.1 * previous):
                return family.place(*self._moved(away), self)
            previous = moved
        return None

    def _moved(self, away: np.ndarray) -> tuple[np.ndarray, float]:
        return self.state + self.size * (self.inner @ away[:-1]), self.q + float(away[-1]) / RANGE
