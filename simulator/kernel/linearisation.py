"""Equations -> statements for the rates of change of the independent states and their Jacobian.

The rate of each elementary flow depends on a few local quantities: concentrations beside its membrane, its potential,
its gates. So the Jacobian is a sum of short products, whose factors alone are expressions::

    d f_i/d y_j = sum_L (sum_c N[i,c] d rate_c/d L) d L/d y_j        flows c, local quantities L
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import sympy as sp

from simulator.kernel.elimination import short_order
from simulator.kernel.statements import Statements, fused, weighted
from simulator.model.definitions import FARADAY_SYMBOL
from simulator.model.equations import Equations


class Linearisation:
    """Statements that compute rates of change ``d_<state>`` and entries ``j_<row>_<column>`` of the Jacobian.

    Parameters
    ----------
    equations : Equations
        The model's equations.
    constants : set of str
        Names that do not change within a step.
    """

    def __init__(self, equations: Equations, constants: set[str]) -> None:
        self.equations = equations
        self.dependent = equations.dependent
        self.differential = dict(zip(equations.structure.states, equations.differential, strict=True))
        self.names = {column: f"rate_{i}" for i, column in enumerate(equations.rates)}
        self.statements = Statements(equations.definitions, constants)
        independent = [s for s in equations.structure.states if s not in self.dependent]
        self.basis = short_order(independent, self._pattern(independent), lambda s: self.differential[s])
        self.entries = sorted(
            (self.basis.index(row), self.basis.index(column)) for row, column in self._pattern(independent)
        )

    @cached_property
    def partials(self) -> dict[str, dict[str, sp.Expr]]:
        """Nonzero derivatives of each flow's rate by the local quantities in it, by flow."""
        found = {}
        for column, rate in self.equations.rates.items():
            quantities = [s for s in self.equations.in_order(rate.free_symbols) if self.inner(s.name)]
            slopes = {s.name: sp.diff(rate, s) for s in quantities}
            found[column] = {name: slope for name, slope in slopes.items() if slope != 0}
        return found

    def inner(self, local: str) -> dict[str, sp.Expr]:
        """Nonzero derivatives of a local quantity by the independent states."""
        if local not in self._inner:
            found: dict[str, sp.Expr] = {}
            for state, slope in self.equations.slopes(local).items():
                for name, weight in self.dependent.get(state, {state: sp.Integer(1)}).items():
                    found[name] = found.get(name, sp.Integer(0)) + slope * weight
            self._inner[local] = {name: slope for name, slope in found.items() if slope != 0}
        return self._inner[local]

    @cached_property
    def _inner(self) -> dict[str, dict[str, sp.Expr]]:
        return {}

    def _pattern(self, independent: Iterable[str]) -> set[tuple[str, str]]:
        """Row and column of the entries of the Jacobian that are not always zero."""
        return {
            (row, state)
            for row in independent
            for column in self.equations.flows[row]
            for local in self.partials[column]
            for state in self.inner(local)
        }

    def rates(self) -> list[str]:
        """Statements for the rates of change alone."""
        return [*self.statements.of(self._groups(slopes=False)), *self._balances()]

    def linearised(self) -> list[str]:
        """Statements for the rates of change and the entries of their Jacobian."""
        inner = {
            f"{self._outer(local)}_{self.basis.index(state)}": slope
            for local in dict.fromkeys(local for slopes in self.partials.values() for local in slopes)
            for state, slope in self.inner(local).items()
            if slope != 1
        }
        lines = [*self.statements.of([*self._groups(slopes=True), inner]), *self._balances()]
        entries: dict[tuple[int, int], list[tuple[str, str]]] = {}
        for i, row in enumerate(self.basis):
            for local, terms in self._by_local(row).items():
                slope = f"slope_{i}_{local}"
                lines.append(f"{slope} = {self._sized(row, weighted(terms))}")
                for state, inner_slope in self.inner(local).items():
                    j = self.basis.index(state)
                    factor = "1.0" if inner_slope == 1 else f"{self._outer(local)}_{j}"
                    entries.setdefault((i, j), []).append((slope, factor))
        return lines + [f"j_{i}_{j} = {fused(entries[i, j])}" for i, j in sorted(entries)]

    def _groups(self, slopes: bool) -> list[dict[str, sp.Expr]]:
        """Rates of the flows of each membrane, and their slopes, by name."""
        groups: dict[str, dict[str, sp.Expr]] = {}
        counted = {column for row in self.basis for column in self.equations.flows[row]}
        for column, rate in self.equations.rates.items():
            if column in counted:
                group = groups.setdefault(self.equations.membrane_of[column], {})
                group[self.names[column]] = rate
                if slopes:
                    group |= {f"{self.names[column]}_{local}": s for local, s in self.partials[column].items()}
        return list(groups.values())

    def _by_local(self, row: str) -> dict[str, list[tuple[int, str]]]:
        """Weights and names of the slopes that make up that of a state's rate of change, by local quantity."""
        found: dict[str, list[tuple[int, str]]] = {}
        for column, number in self.equations.flows[row].items():
            for local in self.partials[column]:
                found.setdefault(local, []).append((number, f"{self.names[column]}_{local}"))
        return found

    def _outer(self, local: str) -> str:
        return f"by_{local}"

    def _balances(self) -> list[str]:
        """Statements for the rates of change of the independent states, from those of the flows."""
        found = []
        for state in self.basis:
            terms = [(number, self.names[column]) for column, number in self.equations.flows[state].items()]
            found.append(f"d_{state} = {self._sized(state, weighted(terms))}")
        return found

    def _sized(self, state: str, text: str) -> str:
        return f"FARADAY * ({text})" if self.equations.flow_size(state) == FARADAY_SYMBOL else text
