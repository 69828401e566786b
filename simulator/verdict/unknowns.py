"""Rates of change of a given state as functions of numbers of the scenario, and the values at which they vanish.

Rates are linear in rate parameters, so one Newton step by their exact derivatives solves for them, and a second one
removes the rounding; other parameters take more. Gates follow the parameters: their part is eliminated. Unknowns are
scaled by the given values and equations by the flows that meet in them, so a singular value tells what the equations
leave open: there the given values change as little as possible.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from simulator.kernel import load_arrays
from simulator.kernel.inputs import initial_states
from simulator.model.kinetics import parameters_by_key
from simulator.model.model import Model
from simulator.scenario.quantity import Quantity
from simulator.verdict.rest import linearised
from simulator.verdict.slopes import Slopes

__all__ = ["PART", "Unknowns"]

#: Newton steps, halvings of one, and the scaled step after which nothing is gained.
STEPS, HALVINGS, ARRIVED = 60, 30, 1.0e-14

#: Singular value, relative to the largest, that counts as zero, and least part of a direction that is told.
RANK, PART = 1.0e-11, 1.0e-6

#: Part of a number's size below which a solution is zero up to rounding.
NOTHING = 1.0e-9


class Unknowns:
    """Rates of change of a state as a function of free numbers of the scenario."""

    def __init__(self, model: Model, keys: tuple[str, ...]) -> None:
        self.model, self.keys, self.structure = model, keys, model.structure
        self.equations = load_arrays(model.structure)
        # Amounts and volumes say it all, unless a law counts another charge than its ions carry, or a bath is charged.
        charged = any(c.potential == "free" and c.volume == "bath" for c in model.structure.compartments)
        electric = ("charge", "potential") if model.structure.open or charged else ()
        kinds = ("amount", "volume", *electric)
        self.balanced = [name for kind in kinds for name in self.structure.states_of[kind]]
        names = [self.equations.STATES[i] for i in self.equations.BASIS]
        self.gates = [i for i, name in enumerate(names) if name in self.structure.gate_states]
        self.growth = parameters_by_key(model, keys)

    @cached_property
    def without_starts(self) -> dict[str, float]:
        """Values of the scenario without those at which gates start."""
        given = {
            f"membranes.{m.name}.mechanisms.{mechanism.owner}.{gate.start_key}"
            for m, mechanism, gate in self.structure.gates.values()
        }
        return {k: v for k, v in self.model.values.items() if k not in given and not k.startswith("start.gates.")}

    def at(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The state with gates at rest, and the parameters, at values of the free numbers."""
        changed = self.without_starts | dict(zip(self.keys, values.tolist(), strict=True))
        with np.errstate(all="ignore"):
            return initial_states(self.model, changed), self.model.parameters(changed)

    def linear(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rates of change, their derivatives by the free numbers, and the flows that meet in each."""
        state, parameters = self.at(values)
        slopes = Slopes(self.structure, state, parameters)
        rows = slopes.summed(slopes.of_flows, self.balanced)
        by_key = rows[:, len(state) :] @ self.growth.T
        if self.gates:
            _, jacobian = linearised(self.equations, state, parameters)
            inner = jacobian[np.ix_(self.gates, self.gates)]
            by_gate = rows[:, : len(state)] @ slopes.following[:, self.gates]
            by_key -= by_gate @ np.linalg.solve(inner, (slopes.by_parameter @ self.growth.T)[self.gates])
        gross = [sum(abs(n) * slopes.gross[c] for c, n in slopes.counts(s).items()) for s in self.balanced]
        return slopes.summed(slopes.flows, self.balanced), by_key, np.array(gross, dtype=float)

    def solved(self) -> np.ndarray:
        """Values at which the rates of change vanish, or are least; of several, those next to the given ones."""
        given, (sizes, _) = self.given, self.scales
        found, held = given.copy(), np.zeros(len(given), dtype=bool)
        for _ in given:
            found = self._newton(np.where(held, 0.0, given), held)
            found = np.where(np.abs(found) < NOTHING * sizes, 0.0, found)
            refused = np.array([not self.allowed(key, v) for key, v in zip(self.keys, found.tolist(), strict=True)])
            # With something left open, the least change may need what is impossible, and another one not.
            if not np.any(refused) or not len(self.open(found, held)):
                break
            held[np.argmin(np.where(refused, found / sizes, np.inf))] = True
        return found

    @cached_property
    def given(self) -> np.ndarray:
        """Given values of the free numbers."""
        return np.array([self.model.values[key] for key in self.keys])

    @cached_property
    def scales(self) -> tuple[np.ndarray, np.ndarray]:
        """Size of each free number, and of each rate of change.

        The first is the given value, or what moves as much as is moved already. The second is the flows that meet.
        """
        _, by_key, gross = self.linear(self.given)
        with np.errstate(all="ignore"):
            pull = np.max(np.abs(by_key) / np.where(gross > 0.0, gross, np.inf)[:, None], axis=0, initial=0.0)
            sizes = np.where(self.given != 0.0, np.abs(self.given), np.where(pull > 0.0, 1.0 / pull, 1.0))
        return sizes, gross + np.abs(by_key) @ sizes

    def _newton(self, values: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Newton's method from some values, those of `held` numbers left as they are."""
        (rate, by_key, _), (sizes, meeting) = self.linear(values), self.scales
        weight = 1.0 / np.where(meeting > 0.0, meeting, np.inf)
        length = np.linalg.norm(rate * weight)
        for _ in range(STEPS):
            matrix = by_key * weight[:, None] * np.where(held, 0.0, sizes)
            if not np.all(np.isfinite(matrix)) or not np.isfinite(length):
                return values
            step = np.linalg.lstsq(matrix, -rate * weight, rcond=RANK)[0] * np.where(held, 0.0, sizes)
            part = 1.0
            for _ in range(HALVINGS):
                rate, by_key, _ = self.linear(values + part * step)
                shorter = np.linalg.norm(rate * weight)
                if shorter < length or (part == 1.0 and shorter <= NOTHING):
                    break
                part /= 2.0
            else:
                return values
            values, length = values + part * step, shorter
            if np.max(np.abs(part * step) / sizes) < ARRIVED:
                return values
        return values

    def open(self, values: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Scaled directions in which the free numbers can change at rest, shape (directions, keys)."""
        (_, by_key, _), (sizes, meeting) = self.linear(values), self.scales
        matrix = by_key / np.where(meeting > 0.0, meeting, np.inf)[:, None] * np.where(held, 0.0, sizes)
        if not np.all(np.isfinite(matrix)):
            return np.empty((0, len(values)))
        _, singular, directions = np.linalg.svd(matrix)
        rank = int(np.sum(singular > RANK * max(singular, default=0.0))) if len(singular) else 0
        found = directions[rank:]
        return found[np.any(np.abs(found * ~held) > PART, axis=1)]

    def left(self, values: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
        """What is left of the rate of change of each state, SI, and relative to the flows that meet in it."""
        (rate, _, gross), (_, meeting) = self.linear(values), self.scales
        meeting = np.maximum(gross, meeting)
        imbalance = np.abs(rate) / np.where(meeting > 0.0, meeting, np.inf)
        return (
            dict(zip(self.balanced, rate.tolist(), strict=True)),
            dict(zip(self.balanced, imbalance.tolist(), strict=True)),
        )

    def allowed(self, key: str, value: float) -> bool:
        """Whether a number may have this value."""
        quantity = self.model.scenario.leaves()[key].quantity
        return not isinstance(quantity, Quantity) or bool(quantity.allows(value))
