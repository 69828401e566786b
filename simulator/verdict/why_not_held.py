"""Why no values of some numbers hold a state, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.mechanisms.mechanism import Mechanism
from simulator.model.model import Model
from simulator.model.names import THERMAL_VOLTAGE, amount, concentration, voltage
from simulator.model.structure import MembraneStructure, Structure
from simulator.physics.electrochemistry import nernst_potential
from simulator.physics.notation import format_quantity, plain_number, species_text, with_unit
from simulator.scenario.paths import shortest_ending
from simulator.trajectory.arrangement import named
from simulator.verdict.slopes import Slopes

__all__ = ["impossible", "left_over"]

#: Unit of the rate of change of each kind of state.
UNITS = {"amount": "mol/s", "charge": "A", "potential": "mol/s", "volume": "m^3/s"}


def left_over(model: Model, slopes: Slopes, rates: Mapping[str, float], imbalance: Mapping[str, float]) -> str:
    """Which states still change, and where those rest that nothing but leaks moves.

    Parameters
    ----------
    model : Model
        The scenario.
    slopes : Slopes
        Its flows in the state.
    rates, imbalance : mapping of str to float
        What is left of the rate of change of each state, SI and relative to the flows that meet in it.
    """
    structure = model.structure
    units = {name: unit for kind, unit in UNITS.items() for name in structure.states_of[kind]}
    left = [
        f"the {structure.in_words(state)} by {with_unit(rate, units[state])}, "
        f"{plain_number(100.0 * imbalance[state], 2)} % of the flows there"
        for state, rate in rates.items()
    ]
    return "; ".join([*left, *(text for state in rates if (text := _where_passive(model, slopes, state)))])


def _where_passive(model: Model, slopes: Slopes, state: str) -> str:
    """Where an ion would rest that only leaks across one membrane move; empty if others do."""
    structure, numbers = model.structure, named(model.structure, slopes.state, slopes.parameters)
    mechanisms = {f"{m.name}.{mechanism.label}": (m, mechanism) for m, mechanism in structure.mechanisms}
    paths = [mechanisms[flow] for flow in slopes.counts(state) if flow in mechanisms]
    species = {s for _, mechanism in paths for s in mechanism.species}
    if len(species) != 1 or len({m.name for m, _ in paths}) != 1 or not all(p.law.reversible for _, p in paths):
        return ""
    [s], m = species, paths[0][0]
    inside = state == amount(m.inside, s)
    c, other = (m.inside, m.outside) if inside else (m.outside, m.inside)
    if structure.compartment(other).volume != "bath":
        return ""
    v = float(numbers[voltage(m.name)]) / float(numbers[THERMAL_VOLTAGE]) * (1.0 if inside else -1.0)
    resting = float(numbers[concentration(other, s)]) * float(np.exp(-dict(structure.charges)[s] * v))
    labels = " and ".join(p.label for _, p in paths)
    return f"{species_text(s)} moves through {labels} alone, so it rests at {resting:.10g} mM in {c}"


def impossible(model: Model, slopes: Slopes, key: str, value: float, growth: np.ndarray) -> str:
    """Why a number cannot have the value that would hold the state.

    Parameters
    ----------
    model : Model
        The scenario.
    slopes : Slopes
        Its flows in the state.
    key : str
        Dotted path of the number.
    value : float
        Its impossible value, SI.
    growth : ndarray, shape (parameters,)
        How the parameters grow with it.
    """
    quantity = model.scenario.leaves()[key].quantity
    assert quantity is not None
    wanted = f"{shortest_ending(key, model.values)} would have to be {format_quantity(value, quantity.unit)}"
    for m, mechanism in model.structure.mechanisms:
        by_key = slopes.of_flows[f"{m.name}.{mechanism.label}"][len(slopes.state) :] @ growth
        if value < 0.0 and key.startswith(f"membranes.{m.name}.mechanisms.{mechanism.owner}.") and by_key:
            ways = {s: n * by_key > 0.0 for s, n in mechanism.moves.items()}
            wrong, right = (_ways(ways, turned) for turned in (True, False))
            numbers = named(model.structure, slopes.state, slopes.parameters)
            at = with_unit(float(numbers[voltage(m.name)]), "V") + _nernst(model.structure, m, mechanism, numbers)
            return f"{wanted}: {mechanism.label} would have to move {wrong}, but at {at} it can only move {right}"
    return f"{wanted}, which is out of range: expected {quantity.expected}"


def _nernst(structure: Structure, m: MembraneStructure, mechanism: Mechanism, numbers: Mapping[str, Any]) -> str:
    """Nernst potential of the only ion that a mechanism moves, for a message; empty if there is none."""
    charges = dict(structure.charges)
    if len(mechanism.species) != 1 or not charges[mechanism.species[0]]:
        return ""
    [s] = mechanism.species
    nernst = nernst_potential(
        numbers[concentration(m.inside, s)], numbers[concentration(m.outside, s)], charges[s], numbers[THERMAL_VOLTAGE]
    )
    return f" (E_{s} is {with_unit(float(nernst), 'V')})" if np.isfinite(nernst) else ""


def _ways(inward: Mapping[str, bool], turned: bool) -> str:
    """Species with the direction in which each moves: ``na out and k in``."""
    return " and ".join(f"{s} {'in' if way != turned else 'out'}" for s, way in inward.items())
