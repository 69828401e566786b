"""A bounded search for rest points with the conserved totals of an initial state.

A cell may have several rest points. Newton's method starts from the initial state, from states with the same totals in
which ions of equal charge are exchanged or the cell is depolarised (as after running down), and once more with the rest
points found so far divided out (deflation: Farrell, Birkisson & Funke 2015, SIAM J Sci Comput 37:A2026,
doi:10.1137/140984798). A start far from rest is first advanced by pseudo-transient continuation: implicit Euler steps
that grow as fast as the state allows. From an unstable point the same continuation is started on both sides, and
Newton's method on the way between two stable ones. If all of this fails, it starts from states that the kernel passes
over times that grow far beyond every time constant. Every reported point is a Newton solution, with its residual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, combinations, permutations

import numpy as np

from simulator.kernel import load_arrays, load_program
from simulator.model.names import amount, concentration
from simulator.model.structure import Structure
from simulator.scenario.parts import LARGEST_CONCENTRATION
from simulator.verdict.rest import eigenvalues, let_follow, linearised, newton_step

__all__ = ["ITERATIONS", "PASSED", "Search"]

#: Newton steps before giving up; scaled step length at a solution, and at one where steps no longer shrink.
ITERATIONS = 40
FOUND = 1.0e-13
GOOD_ENOUGH = 1.0e-9

#: Newton steps of a search for further rest points, and the least scaled distance between two points.
FURTHER_ITERATIONS, DISTINCT = 25, 1.0e-6

#: Fraction exchanged of what two species of equal charge could exchange; number of starts made this way.
EXCHANGED, STARTS = 0.9, 2

#: Implicit Euler towards rest: first and longest step [s], most steps, largest scaled change in one step.
FIRST_RELAXATION, LONGEST_RELAXATION, RELAXATIONS, LARGEST_RELAXATION = 1.0e-5, 1.0e8, 120, 0.8

#: Hyperpolarisation, in thermal voltages, of the next start if the first led to no stable point.
LOWERED = 1.2

#: Depolarisation of some starts, in thermal voltages.
DEPOLARISED = 2.0

#: Distance of starts on both sides of an unstable point, in thermal voltages.
BESIDE = 0.5

#: Starts on the way from one stable point to another, as parts of the way.
BETWEEN = (0.5, 0.25, 0.75)

#: Largest factor by which one Newton step may change an amount or a volume.
LARGEST_FACTOR = 4.0

#: A volume this many times the initial one is beyond any cell: the search has run away, not arrived.
LARGEST_SWELLING = 1.0e4

#: Times [s] at which states are taken from the kernel's way, and attempted steps of it.
PASSED, LONGEST_ORBIT = np.geomspace(1.0e-3, 1.0e9, 49), 50_000


class Search:
    """A bounded search for rest points with the totals of an initial state."""

    def __init__(self, structure: Structure, parameters: np.ndarray, state: np.ndarray, scales: np.ndarray):
        self.structure, self.parameters, self.state, self.scales = structure, parameters, state, scales
        self.equations = load_arrays(structure)
        self.volumes = self._volumes(state)
        self.found: list[tuple[np.ndarray, str]] = []
        self.positive, self.bounded = structure.places("amount", "volume"), structure.places("gate")

    def everywhere(self) -> None:
        """Newton's method from the initial state and from others, then with what was found divided out."""
        first = self.newton(self.state, ITERATIONS)
        if self._passive(self.state):
            # At given totals the free energy has a single minimum, and a cell that has run down is close to it.
            self._keep(first, "newton")
            self._look(self._depolarised(), 1)
            if self.found and self._stable(self.found[0][0]) and self._passive(self.found[0][0]):
                return
        if first is None or not self._stable(first):
            self._relax()
        self._keep(first, "newton")
        self._look(chain(self._depolarised(), self._exchanged()), 2)
        if self.found:
            self._keep(self.newton(self.state, FURTHER_ITERATIONS, deflated=True), "deflated newton")
        self._go_down_from_saddles()
        self._look_between_stable_points()
        self.found.sort(key=lambda item: not self._stable(item[0]))

    def _look(self, starts: Iterable[np.ndarray], enough: int) -> None:
        """Run Newton's method from one start after another until `enough` rest points are known."""
        for start in starts if len(self.found) < enough else ():
            self._keep(self.newton(start, FURTHER_ITERATIONS), "newton from another start")
            if len(self.found) >= enough:
                return

    def _passive(self, state: np.ndarray) -> bool:
        """Whether every mechanism runs only downhill, apart from idle pumps, and there is at most one bath.

        Between two baths a flow may last for ever.
        """
        structure = self.structure
        with np.errstate(all="ignore"):  # affinities of what is absent
            rates = self.equations.rates(state, self.parameters)
        downhill = all(
            mechanism.law.reversible
            if not mechanism.law.atp
            else rates[f"{membrane.name}.{mechanism.label}.net"] == 0.0
            for membrane, mechanism in structure.mechanisms
        )
        return downhill and not structure.open and sum(c.volume == "bath" for c in structure.compartments) <= 1

    def _relax(self) -> None:
        """Relax to a stable point, first from a hyperpolarised start: excitable cells are quiet there."""
        for start in (self._shifted(self.state, -LOWERED), self.state):
            solution = self.newton(self._relaxed(start), ITERATIONS)
            self._keep(solution, "pseudo-transient, newton")
            if solution is not None and self._stable(solution):
                return

    def _go_down_from_saddles(self) -> None:
        """Search on both sides of each unstable point, which lies between other rest points."""
        for saddle in [state for state, _ in self.found if not self._stable(state)]:
            for side in (-BESIDE, BESIDE):
                solution = self.newton(self._relaxed(self._shifted(saddle, side)), FURTHER_ITERATIONS)
                self._keep(solution, "pseudo-transient, newton")

    def _look_between_stable_points(self) -> None:
        """Search between each two stable points, which an unstable one separates."""
        stable = [state for state, _ in self.found if self._stable(state)]
        for one, other in combinations(stable, 2):
            for part in BETWEEN:
                solution = self.newton(one + part * (other - one), FURTHER_ITERATIONS, deflated=True)
                if solution is not None:
                    self._keep(solution, "deflated newton")
                    break

    def _depolarised(self) -> Iterator[np.ndarray]:
        """Starts that resemble a cell that has run down: depolarised, with and then without its ions exchanged."""
        starts = [*self._exchanged()[:1], self.state]
        return (self._relaxed(self._shifted(state, DEPOLARISED)) for state in starts)

    def _stable(self, state: np.ndarray) -> bool:
        jacobian = linearised(self.equations, state, self.parameters)[1]
        return bool(np.all(eigenvalues(self.structure, jacobian, state, self.parameters).real < 0.0))

    def _shifted(self, state: np.ndarray, voltages: float) -> np.ndarray:
        """A state with every charge or potential of its own shifted by so many thermal voltages."""
        names, kinds, step = self.equations.STATES, self.structure.states_of, np.zeros(len(state))
        for i, name in enumerate(names):
            if name in self.equations.DEPENDENT and name in kinds["charge"]:
                weights = self.equations.DEPENDENT[name]
                if not weights:  # no ion can come or go
                    continue
                most = max(weights, key=lambda s: state[names.index(s)])
                step[names.index(most)] += voltages * self.scales[i] / weights[most]
            elif name in (*kinds["charge"], *kinds["potential"]):
                step[i] = voltages * self.scales[i]
        let_follow(self.equations, step)
        return state + step

    def _relaxed(self, state: np.ndarray) -> np.ndarray:
        """Advance a state towards rest by implicit Euler steps that grow as fast as the state allows."""
        step = FIRST_RELAXATION
        basis = list(self.equations.BASIS)
        mass = np.diag(np.array(self.equations.DIFFERENTIAL, dtype=float))
        # An algebraic potential jumps however short the step, so it does not count.
        counted = np.ones(len(state), dtype=bool)
        counted[basis] = self.equations.DIFFERENTIAL
        for _ in range(RELAXATIONS):
            rate, jacobian = linearised(self.equations, state, self.parameters)
            size = np.maximum(np.abs(state), self.scales)
            matrix = (mass / step - jacobian) * size[basis]
            if not np.all(np.isfinite(matrix)):
                return state
            change = np.zeros(len(state))
            try:
                change[basis] = np.linalg.solve(matrix, rate) * size[basis]
            except np.linalg.LinAlgError:
                return state
            let_follow(self.equations, change)
            moved = float(np.max((np.abs(change) / size)[counted], initial=0.0))
            if moved > LARGEST_RELAXATION:
                step /= 4.0
                continue
            state = state + change
            if np.any(self.bounded):
                state[self.bounded] = np.clip(state[self.bounded], 0.0, 1.0)
            step *= 4.0 if moved < 0.25 * LARGEST_RELAXATION else 1.5
            if step > LONGEST_RELAXATION:
                return state
        return state

    def continued(self, announce: Callable[[str], None]) -> None:
        """Newton's method from states that the kernel passes on its way from the initial state, the last one first.

        Where the flow goes round an unstable rest point for ever, some of them lie close to it.
        """
        program = load_program(self.structure, announce)
        start = (self.state[None], self.parameters[None], self.scales[None])
        run = program.integrate(*start, PASSED[-1:], PASSED, rtol=1e-4, max_steps=LONGEST_ORBIT)
        passed = run.saved[0][np.all(np.isfinite(run.saved[0]), axis=1)]
        for state in passed[::-1]:
            self._keep(self.newton(state, ITERATIONS), "time steps, newton")
            if self.found:
                return

    def _keep(self, solution: np.ndarray | None, route: str) -> None:
        """Add a rest point if it is new."""
        if solution is not None and all(self._apart(solution, known) > DISTINCT for known, _ in self.found):
            self.found.append((solution, route))

    def _apart(self, one: np.ndarray, other: np.ndarray) -> float:
        size = np.maximum(np.maximum(np.abs(one), np.abs(other)), self.scales)
        return float(np.max(np.abs(one - other) / size, initial=0.0))

    def _exchanged(self) -> list[np.ndarray]:
        """States with the same totals and charges, where like charges have changed places."""
        structure, names = self.structure, self.structure.states
        charges = dict(structure.charges)
        basis = {names[i] for i in self.equations.BASIS}
        found: list[tuple[float, np.ndarray]] = []
        for c in structure.compartments:
            free = [s for s in c.states if amount(c.name, s) in basis]
            for less, more in permutations(free, 2):
                if charges[less] != charges[more] or not charges[less]:
                    continue
                step = np.zeros(len(names))
                step[names.index(amount(c.name, less))], step[names.index(amount(c.name, more))] = -1.0, 1.0
                let_follow(self.equations, step)
                falling = self.positive & (step < 0.0)
                moved = EXCHANGED * float(np.min(self.state[falling] / -step[falling]))
                found.append((moved, self.state + moved * step))
        return [state for _, state in sorted(found, key=lambda item: -item[0])[:STARTS]]

    def newton(self, state: np.ndarray, iterations: int, deflated: bool = False) -> np.ndarray | None:
        """Damped Newton iteration; None if it does not arrive, or runs away beyond the largest volumes."""
        length = np.inf
        for _ in range(iterations):
            size = np.maximum(np.abs(state), self.scales)
            step, _ = newton_step(self.equations, state, self.parameters, size)
            if not np.all(np.isfinite(step)):
                return None
            if deflated:
                step = step / self._deflation(state, step, size)
            state = state + self._damping(state, step) * step
            if np.any(self.bounded):
                state[self.bounded] = np.clip(state[self.bounded], 0.0, 1.0)
            if self._swollen(state):
                return None
            previous, length = length, float(np.max(np.abs(step) / size, initial=0.0))
            if length < FOUND or (length < GOOD_ENOUGH and length >= 0.5 * previous):
                return state if self._possible(state) else None
        return None

    def _possible(self, state: np.ndarray) -> bool:
        """Whether no amount is negative and no concentration higher than a solution can hold."""
        with np.errstate(all="ignore"):  # a logarithm of an amount that is not possible
            known = self.equations.quantities(state, self.parameters)
        return bool(np.all(state[self.positive] >= 0.0)) and not any(
            known[concentration(c.name, s)] > LARGEST_CONCENTRATION
            for c in self.structure.compartments
            for s in c.states
        )

    def _swollen(self, state: np.ndarray) -> bool:
        """Whether a volume exceeds :data:`LARGEST_SWELLING` times its initial value."""
        if not len(self.volumes):
            return False
        return bool((self._volumes(state) > LARGEST_SWELLING * self.volumes).any())

    def _volumes(self, state: np.ndarray) -> np.ndarray:
        """Volumes [m3] that can change: states of their own, or what follows from the contents."""
        own = state[self.structure.places("volume")]
        if not self.equations.OSMOTIC:
            return own
        derived = self.equations.quantities(state, self.parameters)
        return np.array([*own, *(derived[name] for name in self.equations.OSMOTIC)])

    def _damping(self, state: np.ndarray, step: np.ndarray) -> float:
        """Fraction of a step that changes no amount too much and no potential by more than its scale."""
        positive, others = self.positive, ~(self.positive | self.bounded)
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.abs(step[positive]) / np.maximum(state[positive], self.scales[positive])
        slower = (1.0 - 1.0 / LARGEST_FACTOR) / growth[growth > 0.0]
        return float(min([1.0, *slower, *(self.scales[others] / np.maximum(np.abs(step[others]), 1e-300))]))

    def _deflation(self, state: np.ndarray, step: np.ndarray, size: np.ndarray) -> float:
        """Divisor of Newton's step that divides out known rest points; negative if the step reverses."""
        slope = 0.0
        for known, _ in self.found:
            away = (state - known) / size
            square = max(float(away @ away), 1e-300)
            # derivative of ln(1/|x|^2 + 1) along the step
            slope += -2.0 * float(away @ (step / size)) / square / (1.0 + square)
        factor = 1.0 - slope
        return factor if abs(factor) > 1e-6 else 1e-6
