"""What changes gates: each by itself, or the transitions between the states of a Markov scheme."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from simulator.mechanisms.law import Occupancy, Scheme
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.definitions import Definitions
from simulator.model.names import gate_name
from simulator.model.structure import MembraneStructure, scheme_rate_names


@dataclass(frozen=True)
class GateFlow:
    """What changes gates: on which membrane, how fast [1/s], and how often it counts in each gate."""

    membrane: str
    rate: sp.Expr
    counts: dict[str, int]


def gate_flows_of(known: Definitions) -> dict[str, GateFlow]:
    """Rate of each flow that changes gates, by name: one for each gate, and one for each transition of a scheme."""
    found: dict[str, GateFlow] = {}
    for name, (m, mechanism, gate) in known.structure.gates.items():
        if not isinstance(gate, Occupancy) and not gate.at_once:
            change = gate.change(known.symbol(name), lambda rate, m=m, mech=mechanism: known.value(rate, m, mech))  # type: ignore[misc]
            found[name] = GateFlow(m.name, change, {name: 1})
    for m, mechanism, scheme in known.structure.schemes.values():
        found |= _transitions(known, m, mechanism, scheme)
    return found


def _transitions(known: Definitions, m: MembraneStructure, mechanism: Mechanism, scheme: Scheme) -> dict[str, GateFlow]:
    """Net flows between the states of a scheme."""
    found: dict[str, GateFlow] = {}
    for i, (a, b, forward, backward) in enumerate(scheme.transitions):
        ends = [gate_name(m.name, mechanism.owner, state) for state in (a, b)]
        there, back = (
            known.value(rate, m, mechanism) * known.symbol(end) if rate is not None else sp.Integer(0)
            for rate, end in zip((forward, backward), ends, strict=True)
        )
        found[f"{ends[0]}>{ends[1]}>{i}"] = GateFlow(m.name, there - back, {ends[0]: -1, ends[1]: 1})
    return found


def scheme_rates_of(known: Definitions) -> dict[str, sp.Expr]:
    """Rate [1/s] of each transition of a scheme, by the names of :func:`scheme_rate_names`."""
    return {
        name: known.value(rate, m, mechanism)
        for m, mechanism, scheme in known.structure.schemes.values()
        for rate, name in scheme_rate_names(m, mechanism, scheme).items()
    }
