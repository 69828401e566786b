"""Structure -> equations: the model's right-hand side and its terms, in SymPy.

Each mechanism has one turnover rate ``v`` [mol/m2/s] and one stoichiometry ``N``; the rest follows::

    dn_(c,s)/dt = sum_m A_m N[(c,s),m] v_m              amounts [mol]
    dq_c/dt     = F sum_s z_s dn_(c,s)/dt               charge of a free compartment and all behind it [C]
    q_c         = sum_m C_m A_m (phi_c - phi_other)     potentials [V] from charges
    0           = sum_m A_m sum_s z_s N[(c,s),m] v_m    the same compartment, electroneutral

Reversible laws state the forward rate; the backward rate is ``forward exp(-affinity/RT)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from simulator.model.definitions import FARADAY_SYMBOL, Definitions
from simulator.model.gate_flows import GateFlow, gate_flows_of, scheme_rates_of
from simulator.model.invariants import dependents
from simulator.model.names import CLOCK, amount, area, charge, potential, volume, water_permeability
from simulator.model.turnover import Turnover, turnover_of


@dataclass(frozen=True)
class Equations(Definitions):
    """The equations of a structure."""

    @cached_property
    def turnovers(self) -> dict[tuple[str, str], Turnover]:
        """Rates and affinity of each mechanism, by membrane and label."""
        return {
            (m.name, mechanism.label): turnover_of(self, m, mechanism)
            for m in self.structure.membranes
            for mechanism in m.mechanisms
        }

    @cached_property
    def gate_flows(self) -> dict[str, GateFlow]:
        """Rate of each flow that changes gates, by name."""
        return gate_flows_of(self)

    @cached_property
    def scheme_rates(self) -> dict[str, sp.Expr]:
        """Rate [1/s] of each transition of a Markov scheme, by name."""
        return scheme_rates_of(self)

    @cached_property
    def rates(self) -> dict[str, sp.Expr]:
        """Rate of each elementary flow: of mechanisms [mol/s], of water [m3/s], of gates [1/s], of the clock."""
        found = {
            f"{m.name}.{mechanism.label}": self.symbol(area(m.name)) * self.turnovers[m.name, mechanism.label].net
            for m in self.structure.membranes
            for mechanism in m.mechanisms
        }
        gates = {name: flow.rate for name, flow in self.gate_flows.items()}
        return found | self.water_flows | gates | {CLOCK: sp.Integer(1)}

    @cached_property
    def membrane_of(self) -> dict[str, str]:
        """Membrane of each elementary flow; the empty text for the clock."""
        found = {f"{m.name}.{mechanism.label}": m.name for m, mechanism in self.structure.mechanisms}
        found |= {name: flow.membrane for name, flow in self.gate_flows.items()}
        return found | {m.name: m.name for m in self.structure.membranes} | {CLOCK: ""}

    def flow_size(self, state: str) -> sp.Expr:
        """What one unit of :attr:`flows` is in the unit of a state: F for a charge, else 1."""
        return FARADAY_SYMBOL if state in self.structure.states_of["charge"] else sp.Integer(1)

    @cached_property
    def derivative(self) -> dict[str, sp.Expr]:
        """Right-hand side by state; for an electroneutral potential, the net inward current over F."""
        return {
            name: self.flow_size(name) * sp.Add(*(n * self.rates[column] for column, n in row.items()))
            for name, row in self.flows.items()
        }

    @cached_property
    def water_flows(self) -> dict[str, sp.Expr]:
        """Volume flow [m3/s] into the inside of each membrane with finite water permeability."""
        return {
            m.name: self.symbol(water_permeability(m.name))
            * self.symbol(area(m.name))
            * (self.osmolarity(m.inside) - self.osmolarity(m.outside))
            for m in self.structure.membranes
            if m.water == "finite"
        }

    @cached_property
    def differential(self) -> tuple[bool, ...]:
        """Whether each state has a time derivative; the others (potentials) solve an algebraic equation."""
        return tuple(name not in self.structure.states_of["potential"] for name in self.structure.states)

    @cached_property
    def dependent(self) -> dict[str, dict[str, sp.Expr]]:
        """States whose derivative is a constant linear combination of other states' derivatives, with that combination.

        They correspond to linear invariants (charge, total amounts, total water, sums of occupancies). The kernel
        increments a dependent state by the same combination of the other increments, which conserves the invariants to
        rounding error and reduces the size of the linear systems.
        """
        differential = [n for n, d in zip(self.structure.states, self.differential, strict=True) if d]
        names = sorted(differential, key=self._dispensability)
        found = dependents({name: self.flows[name] for name in names})
        return {
            name: {s: self.flow_size(name) * n / self.flow_size(s) for s, n in combination.items()}
            for name, combination in found.items()
        }

    def _dispensability(self, state: str) -> int:
        """Rank of a state among those of which one may follow from others: the highest follows.

        Charges, on which potentials depend directly, stay independent; of the ions in a compartment one that is
        univalent, and so usually abundant, follows from its charge and the other ions.
        """
        if state not in self.structure.states_of["amount"]:
            return 0 if state in self.structure.states_of["charge"] else 1
        return 3 if abs(self.charges[self._species_of[state]]) == 1 else 2

    @cached_property
    def _species_of(self) -> dict[str, str]:
        return {amount(c.name, s): s for c in self.structure.compartments for s in c.species}

    @cached_property
    def flows(self) -> dict[str, dict[str, int]]:
        """Coefficient of each elementary flow (of a mechanism, or of a membrane's water) in each state's equation.

        In units of F for a charge or for the equation of an electroneutral potential.
        """
        rows: dict[str, dict[str, int]] = {name: {} for name in self.structure.states}
        rows |= {CLOCK: {CLOCK: 1}} if CLOCK in rows else {}
        for column, flow in self.gate_flows.items():
            for state, number in flow.counts.items():
                rows[state][column] = number

        def count(state: str, column: str, number: int) -> None:
            if state in rows and number:
                rows[state][column] = rows[state].get(column, 0) + number

        for m in self.structure.membranes:
            for c, sign in ((m.inside, 1), (m.outside, -1)):
                for mechanism in m.mechanisms:
                    turnover, column = self.turnovers[m.name, mechanism.label], f"{m.name}.{mechanism.label}"
                    for s, n in (turnover.stoichiometry if sign > 0 else turnover.outside).items():
                        count(amount(c, s), column, n)
                    count(potential(c), column, sign * turnover.charge)
                    for name, group in self.structure.behind.items():
                        if c in group:
                            count(charge(name), column, sign * turnover.charge)
                if m.name in self.water_flows:
                    count(volume(c), m.name, sign)
        return {state: {column: n for column, n in row.items() if n} for state, row in rows.items()}
