"""Rates that are infinite or undefined for a scenario's numbers, found before anything is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from simulator.errors import shown
from simulator.mechanisms import CLAMP, Occupancy
from simulator.mechanisms.custom_law import ROLES
from simulator.mechanisms.expressions import Expression
from simulator.mechanisms.law import Rate, arguments
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.conditions import Conditions
from simulator.model.structure import MembraneStructure
from simulator.physics.notation import plain_number

__all__ = ["undefined"]


def undefined(here: Conditions) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield key, description and affected runs of every rate that has no finite value.

    Parameters
    ----------
    here : Conditions
        What the laws depend on.
    """
    for m in here.structure.membranes:
        v, sides = here.potential[m.name], here.sides(m)
        gates = here.gates(m, v)
        yield from _without_rest(here, m, gates)
        for mechanism in m.mechanisms:
            if mechanism.law_name == CLAMP:
                continue
            known = here.named(m, mechanism, v, sides, gates)
            key = f"membranes.{m.name}.mechanisms.{mechanism.owner}"
            for place, rate in _rates(mechanism):
                # An undefined gate is reported itself, and not again with each rate that depends on it.
                given = [np.isfinite(known[name]) for name in arguments(rate)]
                where = np.all(np.broadcast_arrays(~np.isfinite(here.evaluated(rate, known)), *given), axis=0)
                if np.any(where):
                    yield key + place, _description(rate, known), where


def _without_rest(
    here: Conditions, m: MembraneStructure, gates: Mapping[str, Any]
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Gates and occupancies that start where their rates would hold them, but whose rates hold them nowhere."""
    v, sides, told = here.potential[m.name], here.sides(m), set()
    for name, value in gates.items():
        _, mechanism, gate = here.structure.gates[name]
        known = here.named(m, mechanism, v, sides, gates)
        finite = [np.isfinite(here.evaluated(rate, known)) for rate in gate.rates]
        where = np.all(np.broadcast_arrays(~np.isfinite(value), *finite), axis=0)
        scheme = isinstance(gate, Occupancy)
        key = f"membranes.{m.name}.mechanisms.{mechanism.owner}{'' if scheme else f'.gates.{gate.name}'}"
        if np.any(where) and key not in told:
            told.add(key)
            what = "some states are never left" if scheme else "neither opens nor shuts"
            yield key, f"{what} with the rates of the start, so nothing says where it starts (give `start`)", where


def _rates(mechanism: Mechanism) -> Iterator[tuple[str, Rate]]:
    """Yield the rates of a mechanism and its gates, with the keys below it that give them, if it has such keys."""
    written = isinstance(mechanism.law.rate, Expression)
    yield ".rate" if written else "", mechanism.law.rate
    for gate in mechanism.law.gates:
        for role in ROLES:
            rate = getattr(gate, role)
            if rate is not None:
                yield f".gates.{gate.name}.{role}" if written else "", rate


def _description(rate: Rate, known: Mapping[str, Any]) -> str:
    numbers = {name: np.ravel(known[name]) for name in arguments(rate)}
    here = ", ".join(f"{name} = {plain_number(float(x[0]))}" for name, x in numbers.items() if x.size == 1)
    part = rate.undefined_part(numbers) if isinstance(rate, Expression) else ""
    what = f"`{shown(part)}`" if part else "a rate of this law"
    return f"{what} is infinite or undefined" + (f" for {here} (SI)" if here else "")
