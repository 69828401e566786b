"""Quantities by name, such as ``potential.plasma`` or ``influx.plasma.k_leak.k``, as expressions of the equations."""

from __future__ import annotations

import sympy as sp

from simulator.model.definitions import FARADAY_SYMBOL
from simulator.model.equations import Equations
from simulator.model.names import THERMAL_VOLTAGE, amount, charge, concentration, gate_name, voltage, volume
from simulator.model.turnover import Turnover

__all__ = ["quantity"]


def quantity(equations: Equations, name: str) -> sp.Expr:
    """Return a quantity of :data:`simulator.scenario.measures.MEASURABLE` in the symbols of the equations.

    Parameters
    ----------
    equations : Equations
        The model's equations.
    name : str
        The quantity with its labels.
    """
    kind, *labels = name.split(".")
    symbol, structure = equations.symbol, equations.structure
    match kind, labels:
        case "potential", [m]:
            return symbol(voltage(m))
        case "compartment_potential", [c]:
            return equations.potentials[c]
        case "concentration", [c, s]:
            return symbol(concentration(c, s))
        case "amount", [c, s]:
            return symbol(amount(c, s))
        case "volume", [c]:
            return symbol(volume(c))
        case "charge", [c]:
            return symbol(charge(c)) - sum(symbol(charge(behind)) for behind in structure.next_behind(c))
        case "open_fraction", [m, owner, gate]:
            return symbol(gate_name(m, owner, gate))
        case "nernst" | "driving_force", [m, s]:
            equilibrium = _nernst(equations, m, s)
            return equilibrium if kind == "nernst" else symbol(voltage(m)) - equilibrium
        case "current", [m, label]:
            turnover = equations.turnovers[m, label]
            return -FARADAY_SYMBOL * turnover.charge * turnover.net
        case "net_flux", [m, label, s]:
            turnover = equations.turnovers[m, label]
            return turnover.stoichiometry[s] * turnover.net
        case "influx" | "efflux", [m, label, s]:
            return _one_way(equations.turnovers[m, label], s, into=kind == "influx")
    raise AssertionError(f"no quantity {name}")  # refused by the checks


def _one_way(turnover: Turnover, species: str, into: bool) -> sp.Expr:
    assert turnover.backward is not None
    number = turnover.stoichiometry[species]
    return abs(number) * (turnover.forward if (number > 0) == into else turnover.backward)


def _nernst(equations: Equations, membrane: str, species: str) -> sp.Expr:
    m = next(m for m in equations.structure.membranes if m.name == membrane)
    outside, inside = (equations.symbol(concentration(c, species)) for c in (m.outside, m.inside))
    return equations.symbol(THERMAL_VOLTAGE) / equations.charges[species] * sp.log(outside / inside)
