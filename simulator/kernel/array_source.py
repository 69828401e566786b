"""Equations -> source text of functions of arrays, with which saved states are analysed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp

from simulator.kernel.linearisation import Linearisation
from simulator.kernel.statements import Statements
from simulator.model.definitions import FARADAY_SYMBOL
from simulator.model.equations import Equations
from simulator.model.names import CLOCK, amount, potential, voltage, water_flow

HEADER = '''"""The model's equations as functions of arrays of states and parameters.

Generated from the same expressions as the kernel; do not edit.
"""

from numpy import cos, exp, log, sin

from simulator.physics.special import bern_slope, bern_value, choose

FARADAY = {faraday!r}


def fma(x, y, z):
    """``x y + z``."""
    return x * y + z

'''


class ArraySource:
    """Source of the array functions of a set of equations."""

    def __init__(self, equations: Equations) -> None:
        self.equations = equations
        self.states = list(equations.structure.states)
        self.parameters = list(equations.structure.parameters)
        self.faraday = equations.structure.faraday
        self.linearisation = Linearisation(equations, set())
        self.basis, self.dependent = self.linearisation.basis, self.linearisation.dependent

    def slopes(self) -> str:
        """Source of a module with the first derivatives of every flow and definition by what stands in it.

        They are partial derivatives: :mod:`simulator.verdict.slopes` puts them together by the chain rule.
        """
        equations = self.equations
        rates = {name: rate for name, rate in equations.rates.items() if name != CLOCK}
        lines = HEADER.format(faraday=self.faraday).splitlines()
        lines += [f"FLOWS = {equations.flows!r}"]
        lines += self._array_function("flows", rates, "Rate of each elementary flow.")
        lines += self._array_function(
            "flow_slopes", _partials(equations, rates), "Its derivatives by what stands in it, by flow and name."
        )
        lines += self._array_function(
            "definition_slopes",
            _partials(equations, equations.definitions),
            "Derivatives of the quantities that are computed from others, by quantity and name.",
        )
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        """Source of the module."""
        equations = self.equations
        lines = HEADER.format(faraday=self.faraday).splitlines()
        lines += [f"STATES = {tuple(self.states)!r}", f"PARAMETERS = {tuple(self.parameters)!r}"]
        lines += [f"BASIS = {tuple(self.states.index(s) for s in self.basis)!r}"]
        lines += [f"DIFFERENTIAL = {tuple(self.linearisation.differential[s] for s in self.basis)!r}"]
        lines += [f"WAVE_CLOCK = {self.basis.index(CLOCK) if equations.structure.clock_of_waves else None!r}"]
        dependent = {
            s: {b: float(c.subs(FARADAY_SYMBOL, self.faraday)) for b, c in row.items()}
            for s, row in self.dependent.items()
        }
        lines += [f"DEPENDENT = {dependent!r}", f"NEUTRAL = {self._neutrality()!r}"]
        lines += [f"OSMOTIC = {equations.structure.osmotic_volumes!r}"]
        lines += self._array_function(
            "quantities", dict(equations.definitions), "Volumes, areas, concentrations, potentials by name."
        )
        rates: dict[str, sp.Expr] = {}
        for (membrane, label), turnover in equations.turnovers.items():
            for kind in ("net", "forward", "backward", "affinity"):
                value = getattr(turnover, kind)
                if value is not None:
                    rates[f"{membrane}.{label}.{kind}"] = value
        lines += self._array_function("rates", rates, "Turnover rates [mol/m2/s] and affinities over RT.")
        water = {water_flow(m): value for m, value in equations.water_flows.items()}
        lines += self._array_function("water", water, "Volume flow into the inside of each membrane [m3/s].")
        lines += self._array_function(
            "gate_rests", equations.gate_rests, "Steady-state value of each gate, everything else held constant."
        )
        lines += self._array_function("scheme_rates", equations.scheme_rates, "Rates [1/s] of transitions by name.")
        line = self.linearisation
        derivative = {s: f"d_{s}" for s in self.basis}
        lines += self._function("derivative", line.rates(), derivative, "Rates of change of the independent states.")
        linear: dict[Any, str] = {i: f"d_{s}" for i, s in enumerate(self.basis)}
        lines += self._function(
            "linearisation",
            line.linearised(),
            linear | {(i, j): f"j_{i}_{j}" for i, j in line.entries},
            "Rates of change of the independent states, and nonzero entries of their Jacobian.",
        )
        return "\n".join(lines) + "\n"

    def _neutrality(self) -> dict[str, dict[str, float]]:
        """Charge number per unit of each independent state in each electroneutral compartment, by its potential."""
        charges = dict(self.equations.structure.charges)
        found: dict[str, dict[str, float]] = {}
        for c in self.equations.structure.compartments:
            if potential(c.name) in self.states:
                weights = dict.fromkeys(self.basis, 0.0)
                for s in c.states:
                    for name, part in self.dependent.get(amount(c.name, s), {amount(c.name, s): sp.Integer(1)}).items():
                        weights[name] += float(part) * charges[s]
                found[potential(c.name)] = {name: weight for name, weight in weights.items() if weight}
        return found

    def _array_function(self, name: str, values: Mapping[Any, sp.Expr], doc: str) -> list[str]:
        """Source of a function of arrays that returns expressions by key."""
        named = {f"r{i}": value for i, value in enumerate(values.values())}
        lines = Statements(self.equations.definitions, set()).of([named])
        return self._function(name, lines, dict(zip(values, named, strict=True)), doc)

    def _function(self, name: str, statements: Iterable[str], results: Mapping[Any, str], doc: str) -> list[str]:
        """Source of a function of arrays ``state[..., i]`` and ``parameters[..., j]`` that returns a dictionary.

        Its argument ``given`` replaces the membrane potentials computed from the state.
        """
        lines = ["", "", f"def {name}(state, parameters, given={{}}):", f'    """{doc}"""']
        lines += [f"    {s} = state[..., {i}]" for i, s in enumerate(self.states)]
        lines += [f"    {p} = parameters[..., {i}]" for i, p in enumerate(self.parameters)]
        voltages = {voltage(m.name) for m in self.equations.structure.membranes}
        for statement in statements:
            lines.append(f"    {statement}")
            assigned = statement.split(" = ")[0]
            if assigned in voltages:
                lines.append(f"    {assigned} = given.get({assigned!r}, {assigned})")
        items = ", ".join(f"{key!r}: {result}" for key, result in results.items())
        return [*lines, f"    return {{{items}}}"]


def _partials(equations: Equations, values: Mapping[str, sp.Expr]) -> dict[tuple[str, str], sp.Expr]:
    """Nonzero partial derivatives of expressions, by name and symbol."""
    found = {
        (name, symbol.name): sp.diff(value, symbol)
        for name, value in values.items()
        for symbol in equations.in_order(value.free_symbols - {FARADAY_SYMBOL})
    }
    return {key: slope for key, slope in found.items() if slope != 0}
