"""Exact first derivatives of flows and derived quantities, by states and parameters, in one state.

SymPy gives the derivatives of each flow and each definition by what stands in it; the chain rule is applied to numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.kernel import load_arrays, load_slopes
from simulator.model.structure import Structure

__all__ = ["Slopes"]


@dataclass(frozen=True)
class Slopes:
    """Derivatives in one state.

    Rows that say "by states and parameters" have the shape (states + parameters,).

    Parameters
    ----------
    structure : Structure
        What decides the equations.
    state, parameters : ndarray
        Where the derivatives are taken.
    """

    structure: Structure
    state: np.ndarray
    parameters: np.ndarray

    @cached_property
    def flows(self) -> dict[str, float]:
        """Rate of each elementary flow: of mechanisms [mol/s], of water [m3/s], of gates [1/s]."""
        with np.errstate(all="ignore"):
            found = load_slopes(self.structure).flows(self.state, self.parameters)
        return {name: float(rate) for name, rate in found.items()}

    @cached_property
    def definitions(self) -> dict[str, float]:
        """Quantities that are computed from others, each after those it is computed from."""
        with np.errstate(all="ignore"):
            found = load_arrays(self.structure).quantities(self.state, self.parameters)
        return {name: float(value) for name, value in found.items()}

    @cached_property
    def of_definitions(self) -> dict[str, np.ndarray]:
        """Each state, parameter and derived quantity by states and parameters."""
        names = [*self.structure.states, *self.structure.parameters]
        found = dict(zip(names, np.eye(len(names)), strict=True))
        partials = self._partials("definition_slopes")
        with np.errstate(all="ignore"):
            for name in self.definitions:
                terms = (slope * found[other] for other, slope in partials.get(name, {}).items())
                found[name] = sum(terms, np.zeros(len(names)))
        return found

    @cached_property
    def of_flows(self) -> dict[str, np.ndarray]:
        """Each flow by states and parameters."""
        known = self.of_definitions
        found = {name: np.zeros(len(self.structure.states) + len(self.structure.parameters)) for name in self.flows}
        with np.errstate(all="ignore"):
            for name, partials in self._partials("flow_slopes").items():
                found[name] = sum((slope * known[other] for other, slope in partials.items()), found[name])
        return found

    @cached_property
    def gross(self) -> dict[str, float]:
        """Size of each flow without the cancellation in it: the sum of what a change of each quantity would move."""
        values = self.definitions | dict(zip(self.structure.states, self.state.tolist(), strict=True))
        values |= dict(zip(self.structure.parameters, self.parameters.tolist(), strict=True))
        partials = self._partials("flow_slopes")
        return {
            name: abs(rate) + sum(abs(slope * values[other]) for other, slope in partials.get(name, {}).items())
            for name, rate in self.flows.items()
        }

    def _partials(self, function: str) -> dict[str, dict[str, float]]:
        with np.errstate(all="ignore"):
            slopes = getattr(load_slopes(self.structure), function)(self.state, self.parameters)
        found: dict[str, dict[str, float]] = {}
        for (name, symbol), value in slopes.items():
            found.setdefault(name, {})[symbol] = float(value)
        return found

    @property
    def independent(self) -> tuple[str, ...]:
        """Names of the independent states, in the order of their Jacobian."""
        arrays = load_arrays(self.structure)
        return tuple(arrays.STATES[i] for i in arrays.BASIS)

    def counts(self, state: str) -> dict[str, float]:
        """How often each flow counts in the rate of change of a state, in the unit of the state; without the clock."""
        size = self.structure.faraday if state in self.structure.states_of["charge"] else 1.0
        flows: Mapping[str, int] = load_slopes(self.structure).FLOWS[state]
        return {name: n * size for name, n in flows.items() if name in self.flows}

    def summed(self, rows: Mapping[str, np.ndarray | float], states: Sequence[str]) -> np.ndarray:
        """Contribution of numbers of each flow (0 for one that is not named) to the rates of change of states."""
        width = np.shape(next(iter(rows.values()), 0.0))
        return np.array(
            [
                sum((n * np.asarray(rows[flow]) for flow, n in self.counts(s).items() if flow in rows), np.zeros(width))
                for s in states
            ]
        ).reshape(len(states), *width)

    @cached_property
    def by_parameter(self) -> np.ndarray:
        """Rates of change of the independent states by parameters, shape (independent states, parameters)."""
        return self.summed(self.of_flows, self.independent)[:, len(self.structure.states) :]

    @cached_property
    def following(self) -> np.ndarray:
        """Change of every state with the independent ones, shape (states, independent states)."""
        arrays = load_arrays(self.structure)
        found = np.zeros((len(arrays.STATES), len(arrays.BASIS)))
        found[list(arrays.BASIS), range(len(arrays.BASIS))] = 1.0
        for name, combination in arrays.DEPENDENT.items():
            for other, weight in combination.items():
                found[arrays.STATES.index(name)] += weight * found[arrays.STATES.index(other)]
        return found
