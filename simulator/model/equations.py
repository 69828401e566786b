"""Structure -> equations: the model's right-hand side and its terms, in SymPy.

Each mechanism has one turnover rate ``v`` [mol/m2/s] and one stoichiometry ``N``; the rest follows::

    dn_(c,s)/dt = sum_m A_m N[(c,s),m] v_m              amounts [mol]
    dq_c/dt     = F sum_s z_s dn_(c,s)/dt               charge of a free compartment and all behind it [C]
    q_c         = sum_m C_m A_m (phi_c - phi_other)     potentials [V] from charges
    0           = sum_m A_m sum_s z_s N[(c,s),m] v_m    the same compartment, electroneutral

Reversible laws state the forward rate; the backward rate is ``forward exp(-affinity/RT)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from simulator.errors import ModelError
from simulator.mechanisms.law import Occupancy, Rate, Scheme, arguments
from simulator.mechanisms.mechanism import Mechanism
from simulator.mechanisms.outside import require_formula
from simulator.mechanisms.symbols import is_real
from simulator.model.capacitors import capacitance_matrix
from simulator.model.names import (
    ATP_ENERGY,
    CLOCK,
    THERMAL_VOLTAGE,
    amount,
    area,
    capacitance,
    charge,
    concentration,
    driven,
    gate_name,
    impermeant,
    length,
    parameter_name,
    potential,
    voltage,
    volume,
    water_permeability,
    water_total,
)
from simulator.model.structure import Drive, MembraneStructure, Structure, connected, scheme_rate_names
from simulator.model.waves import followed
from simulator.physics.constants import GAS_CONSTANT
from simulator.physics.geometry import AREA_POWERS
from simulator.physics.special import bern_symbol

#: Faraday constant as a symbol; generated code assigns its value.
FARADAY_SYMBOL = sp.Symbol("FARADAY", positive=True)

#: Most operations in an affinity that is compared with the argument of a rate.
LONGEST_AFFINITY = 60


@dataclass(frozen=True)
class Turnover:
    """Rates [mol/m2/s] and affinity of one mechanism on one membrane.

    Parameters
    ----------
    net, forward, backward : Expr
        `backward` is None for an irreversible law, whose `forward` is the net rate.
    affinity : Expr
        Free energy released per turnover, over RT, including that of ATP.
    stoichiometry, outside : dict of str to int
        Molecules entering the inside, and the outside, per turnover.
    charge : int
        Charges that enter the inside per turnover.
    """

    net: sp.Expr
    forward: sp.Expr
    backward: sp.Expr | None
    affinity: sp.Expr
    stoichiometry: dict[str, int]
    outside: dict[str, int]
    charge: int


@dataclass(frozen=True)
class GateFlow:
    """What changes gates: on which membrane, how fast [1/s], and how often it counts in each gate."""

    membrane: str
    rate: sp.Expr
    counts: dict[str, int]


@dataclass(frozen=True)
class Equations:
    """The equations of a structure."""

    structure: Structure

    def symbol(self, name: str) -> sp.Symbol:
        """Symbol of a state, a parameter or a definition; declared positive where possible, for simplification.

        That of a parameter with a waveform stands for its present value.
        """
        return self._symbol(driven(name) if name in self._drives else name, name in self.structure.signed)

    def _symbol(self, name: str, signed: bool) -> sp.Symbol:
        return sp.Symbol(name, real=True) if signed else sp.Symbol(name, positive=True)

    @cached_property
    def _drives(self) -> dict[str, Drive]:
        return {drive.parameter: drive for drive in self.structure.drives}

    def _present_values(self) -> dict[str, sp.Expr]:
        """Present value of each parameter that follows a waveform."""
        found: dict[str, sp.Expr] = {}
        for name, drive in self._drives.items():
            own = {part: self._symbol(own, signed=True) for part, own in drive.names.items()}
            value = self._symbol(name, name in self.structure.signed)
            found[driven(name)] = followed(drive, value, own, self.symbol(CLOCK))
        return found

    @cached_property
    def charges(self) -> dict[str, int]:
        """Charge number of each species."""
        return dict(self.structure.charges)

    @cached_property
    def definitions(self) -> dict[str, sp.Expr]:
        """Quantities computed from states and parameters, by name, each in terms of earlier ones.

        They are the volumes ``w``, areas, concentrations ``c``, membrane potentials ``v`` and instantaneous gates
        that are neither states nor parameters.
        """
        found = self._present_values()
        for group in self.structure.osmotic_groups:
            found |= self._osmotic_volumes(group)
        found |= self._areas_from_volumes()
        for c in self.structure.compartments:
            if c.volume != "bath":
                for s in c.species:
                    found[concentration(c.name, s)] = self.symbol(amount(c.name, s)) / self.symbol(volume(c.name))
        potentials = self.potentials
        for m in self.structure.membranes:
            found[voltage(m.name)] = potentials[m.inside] - potentials[m.outside]
        return found | self._instantaneous_gates()

    def _areas_from_volumes(self) -> dict[str, sp.Expr]:
        """Areas of the membranes that grow with the volume inside."""
        found: dict[str, sp.Expr] = {}
        for m in self.structure.membranes:
            if m.area != "given":
                # A = 4 pi r^2 and w = 4/3 pi r^3; A = 2 pi r L and w = pi r^2 L at constant L
                size = sp.cbrt(36 * sp.pi) if m.area == "sphere" else sp.sqrt(4 * sp.pi * self.symbol(length(m.inside)))
                found[area(m.name)] = size * self.symbol(volume(m.inside)) ** sp.Rational(AREA_POWERS[m.area])
        return found

    def _instantaneous_gates(self) -> dict[str, sp.Expr]:
        """Instantaneous gates, each after those it depends on."""
        rests = {name: self.gate_rests[name] for name, (_, _, g) in self.structure.gates.items() if g.at_once}
        found: dict[str, sp.Expr] = {}
        while rests:
            ready = [n for n, value in rests.items() if not {s.name for s in value.free_symbols} & rests.keys()]
            found |= {name: rests.pop(name) for name in ready}
            if not ready:
                raise AssertionError(f"gates depend on each other: {', '.join(rests)}")  # refused by the checks
        return found

    def _osmotic_volumes(self, group: tuple[str, ...]) -> dict[str, sp.Expr]:
        """Volumes of compartments between which water is always equilibrated."""
        soft = [c for c in group if self.structure.compartment(c).volume == "osmotic"]
        baths = [c for c in group if self.structure.compartment(c).volume == "bath"]
        if not soft:
            return {}
        total = sp.Add(*map(self.osmoles, soft))
        common = self.osmolarity(baths[0]) if baths else total / self.symbol(water_total(group))
        return {volume(c): self.osmoles(c) / common for c in soft}

    def osmoles(self, compartment: str) -> sp.Expr:
        """Total solute [mol] in a free compartment."""
        species = self.structure.compartment(compartment).species
        return sp.Add(*(self.symbol(amount(compartment, s)) for s in species), self.symbol(impermeant(compartment)))

    def osmolarity(self, compartment: str) -> sp.Expr:
        """Osmolarity [mol/m3] of any compartment."""
        c = self.structure.compartment(compartment)
        if c.volume != "bath":
            return self.osmoles(compartment) / self.symbol(volume(compartment))
        return sp.Add(
            *(self.symbol(concentration(compartment, s)) for s in c.species), self.symbol(impermeant(compartment))
        )

    @cached_property
    def potentials(self) -> dict[str, sp.Expr]:
        """Potential [V] of each compartment."""
        free = [c.name for c in self.structure.compartments if c.potential == "free"]
        found: dict[str, sp.Expr] = {c.name: sp.Integer(0) for c in self.structure.compartments}
        found |= {c.name: self.symbol(potential(c.name)) for c in self.structure.compartments if c.potential == "held"}
        if self.structure.formulation == "electroneutral":
            return found | {name: self.symbol(potential(name)) for name in free}
        for name, drop in self._drops(free).items():
            for c in self.structure.behind[name]:
                found[c] += drop
        return found

    def _drops(self, free: list[str]) -> dict[str, sp.Expr]:
        """Potential of each free compartment against the next one on its way to a ground.

        The charge of a group of compartments is that of the membranes around it, so a drop depends on the charges of
        those groups alone that share a membrane, directly or not.
        """
        if not free:
            return {}
        size = {m.name: self.symbol(capacitance(m.name)) * self.symbol(area(m.name)) for m in self.structure.membranes}
        behind = sp.Matrix([[int(c in self.structure.behind[name]) for c in free] for name in free])
        matrix = behind * sp.Matrix(capacitance_matrix(self.structure, size)) * behind.T
        links = [(free[i], free[j]) for i in range(len(free)) for j in range(i) if matrix[i, j] != 0]
        found: dict[str, sp.Expr] = {}
        for group in connected(free, links):
            places = [free.index(name) for name in group]
            charges = sp.Matrix([self.symbol(charge(name)) for name in group])
            solution = matrix[places, places].LUsolve(charges)
            found |= dict(zip(group, map(sp.factor_terms, solution), strict=True))
        return {name: found[name] for name in free}

    def in_order(self, symbols: Iterable[sp.Symbol]) -> list[sp.Symbol]:
        """Symbols in the order of the structure, so that labels have no part in how sums are rounded."""
        return sorted(symbols, key=lambda symbol: self._order.get(symbol.name, -1))

    @cached_property
    def _order(self) -> dict[str, int]:
        return {name: i for i, name in enumerate([*self.structure.states, *self.definitions])}

    def slopes(self, name: str) -> dict[str, sp.Expr]:
        """Nonzero total derivatives of a state or a definition by the states."""
        if name not in self.definitions:
            return {name: sp.Integer(1)} if name in self.structure.states else {}
        if name not in self._slopes:
            value, found = self.definitions[name], dict[str, sp.Expr]()
            for symbol in self.in_order(value.free_symbols):
                for state, inner in self.slopes(symbol.name).items():
                    found[state] = found.get(state, sp.Integer(0)) + sp.diff(value, symbol) * inner
            self._slopes[name] = {state: slope for state, slope in found.items() if slope != 0}
        return self._slopes[name]

    @cached_property
    def _slopes(self) -> dict[str, dict[str, sp.Expr]]:
        return {}

    @cached_property
    def turnovers(self) -> dict[tuple[str, str], Turnover]:
        """Rates and affinity of each mechanism, by membrane and label."""
        return {
            (m.name, mechanism.label): self._forward_backward_net(m, mechanism)
            for m in self.structure.membranes
            for mechanism in m.mechanisms
        }

    def _forward_backward_net(self, m: MembraneStructure, mechanism: Mechanism) -> Turnover:
        """Rates of a mechanism; the backward one of a reversible law follows from its affinity."""
        law, inside, outside = mechanism.law, mechanism.moves, mechanism.moves_outside
        charge_moved = self.structure.charge_moved(mechanism)
        forward = self._value(law.rate, m, mechanism)
        electric = charge_moved * self.symbol(voltage(m.name)) / self.symbol(THERMAL_VOLTAGE)
        ratios = self._concentration_powers(m, mechanism)
        uphill = electric + sum(n * sp.log(ratio) for ratio, n in ratios)
        fold = sp.Mul(*(ratio**n for ratio, n in ratios)) * sp.exp(electric)
        if law.equilibrium is not None:
            constant = self._value(law.equilibrium, m, mechanism)
            uphill, fold = uphill - sp.log(constant), fold / constant
        fuel = law.atp * self.symbol(ATP_ENERGY) / self.symbol(THERMAL_VOLTAGE)
        affinity = -uphill - fuel
        if not law.reversible:
            return Turnover(forward, forward, None, affinity, inside, outside, charge_moved)
        if law.atp:
            fold *= sp.exp(fuel)
        backward = forward * fold
        net = _exact_net(forward, -affinity)
        return Turnover(
            forward - backward if net is None else net, forward, backward, affinity, inside, outside, charge_moved
        )

    def _concentration_powers(self, m: MembraneStructure, mechanism: Mechanism) -> list[tuple[sp.Expr, int]]:
        """Concentrations, or their ratios inside to outside, with their exponents in exp(-affinity/RT)."""
        found: list[tuple[sp.Expr, int]] = []
        for s in mechanism.species:
            inside, outside = (self.symbol(concentration(c, s)) for c in (m.inside, m.outside))
            n, other = mechanism.moves.get(s, 0), mechanism.moves_outside.get(s, 0)
            found += (
                [(inside / outside, n)] if other == -n else [(c, k) for c, k in ((inside, n), (outside, other)) if k]
            )
        return found

    def _value(self, rate: Rate, m: MembraneStructure, mechanism: Mechanism) -> sp.Expr:
        """A rate of a mechanism or of one of its gates, in the symbols of the equations."""
        if mechanism.digest:
            require_formula(mechanism.law_name, mechanism.digest)
        value = sp.sympify(rate(**{name: self._argument(name, m, mechanism) for name in arguments(rate)}))
        if not is_real(value):
            raise ModelError(
                f"membranes.{m.name}.mechanisms.{mechanism.owner}",
                "a rate of this law has no finite real value once it is simplified",
                "no division by what is always zero, no root or logarithm of what is always negative",
            )
        return value

    def _argument(self, name: str, m: MembraneStructure, mechanism: Mechanism) -> sp.Expr:
        """Expression for an argument of a rate function."""
        if name == "faraday":
            return FARADAY_SYMBOL
        if name == "z":
            return sp.Integer(self.charges[str(mechanism.chosen)])
        if name == "temperature":
            return self.symbol(THERMAL_VOLTAGE) * FARADAY_SYMBOL / sp.Float(GAS_CONSTANT)
        return self.symbol(argument_name(name, m, mechanism))

    @cached_property
    def gate_flows(self) -> dict[str, GateFlow]:
        """Rate of each flow that changes gates, by name: one for each gate, and one for each transition of a scheme."""
        found: dict[str, GateFlow] = {}
        for name, (m, mechanism, gate) in self.structure.gates.items():
            if not isinstance(gate, Occupancy) and not gate.at_once:
                change = gate.change(self.symbol(name), lambda rate, m=m, mech=mechanism: self._value(rate, m, mech))  # type: ignore[misc]
                found[name] = GateFlow(m.name, change, {name: 1})
        for m, mechanism, scheme in self.structure.schemes.values():
            found |= self._transitions(m, mechanism, scheme)
        return found

    def _transitions(self, m: MembraneStructure, mechanism: Mechanism, scheme: Scheme) -> dict[str, GateFlow]:
        """Net flows between the states of a scheme."""
        found: dict[str, GateFlow] = {}
        for i, (a, b, forward, backward) in enumerate(scheme.transitions):
            ends = [gate_name(m.name, mechanism.owner, state) for state in (a, b)]
            there, back = (
                self._value(rate, m, mechanism) * self.symbol(end) if rate is not None else sp.Integer(0)
                for rate, end in zip((forward, backward), ends, strict=True)
            )
            found[f"{ends[0]}>{ends[1]}>{i}"] = GateFlow(m.name, there - back, {ends[0]: -1, ends[1]: 1})
        return found

    @cached_property
    def gate_rests(self) -> dict[str, sp.Expr]:
        """Steady-state value of each gate, everything else held constant; those of schemes are found from numbers."""
        return {
            name: gate.resting(lambda rate, m=m, mechanism=mechanism: self._value(rate, m, mechanism))  # type: ignore[misc]
            for name, (m, mechanism, gate) in self.structure.gates.items()
            if not isinstance(gate, Occupancy)
        }

    @cached_property
    def scheme_rates(self) -> dict[str, sp.Expr]:
        """Rate [1/s] of each transition of a scheme, by the names of :func:`scheme_rate_names`."""
        return {
            name: self._value(rate, m, mechanism)
            for m, mechanism, scheme in self.structure.schemes.values()
            for rate, name in scheme_rate_names(m, mechanism, scheme).items()
        }

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
        """States whose derivative is a constant linear combination of other states' derivatives.

        They correspond to linear invariants (charge, total amounts, total water). The kernel increments a
        dependent state by the same combination of the other increments, which conserves the invariants to
        rounding error and reduces the size of the linear systems.
        """
        names = sorted(
            (n for n, differential in zip(self.structure.states, self.differential, strict=True) if differential),
            key=self._dispensability,
        )
        columns = list(dict.fromkeys(column for name in names for column in self.flows[name]))
        if not columns:
            return {}
        rows = [[sp.QQ(self.flows[name].get(c, 0)) for name in names] for c in columns]
        # Columns that are not pivots are combinations of earlier pivots.
        reduced, pivots = DomainMatrix(rows, (len(columns), len(names)), sp.QQ).to_sparse().rref()
        found: dict[str, dict[str, sp.Expr]] = {name: {} for i, name in enumerate(names) if i not in pivots}
        for (i, j), number in reduced.to_dok().items():
            if names[j] in found:
                basis = names[pivots[i]]
                found[names[j]][basis] = self.flow_size(names[j]) * sp.QQ.to_sympy(number) / self.flow_size(basis)
        return found

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


def _exact_net(forward: sp.Expr, uphill: sp.Expr) -> sp.Expr | None:
    """Simplify ``forward (1 - e^uphill)`` to ``-coefficient uphill`` if `forward` is ``coefficient bern(uphill)``.

    Return None otherwise. SymPy does not know the identity ``bern(x) (e^x - 1) = x``, which avoids
    cancellation in laws such as the ohmic leak.
    """
    for candidate in forward.atoms(bern_symbol()):
        x = candidate.args[0]
        if not _may_be_affinity(x):
            continue
        coefficient = forward / candidate
        same = sp.expand_log(x, force=True) - sp.expand_log(uphill, force=True)
        if not coefficient.has(bern_symbol()) and sp.expand(same) == 0:
            return -coefficient * x
    return None


def _may_be_affinity(x: sp.Expr) -> bool:
    """Whether an argument is short, without products of sums, which may have any number of terms multiplied out."""
    factors = ([f for f in product.args if f.is_Add] for product in x.atoms(sp.Mul))
    sums = any(p.base.is_Add for p in x.atoms(sp.Pow)) or any(len(found) > 1 for found in factors)
    return not sums and x.count_ops() <= LONGEST_AFFINITY


def argument_name(argument: str, m: MembraneStructure, mechanism: Mechanism) -> str:
    """Name in the equations of an argument of a rate function; see :mod:`simulator.mechanisms.law`.

    Arguments that are neither states nor parameters (``z``, ``faraday``, ``temperature``) keep their names.
    """
    law = mechanism.law
    if any(p.name == argument for p in law.parameters):
        return parameter_name(m.name, mechanism.owner, argument)
    if any(g.name == argument for g in law.gates):
        return gate_name(m.name, mechanism.owner, argument)
    if argument in ("z", "faraday", "temperature", THERMAL_VOLTAGE):
        return argument
    if argument in ("v", "area", "time"):
        return {"v": voltage(m.name), "area": area(m.name), "time": CLOCK}[argument]
    if "." in argument:
        return gate_name(m.name, *argument.split("."))
    what, _, side = argument.rpartition("_")
    compartment = {"i": m.inside, "o": m.outside}[side]
    if what == "volume":
        return volume(compartment)
    if what in law.partners:
        what = mechanism.partners[law.partners.index(what)]
    return concentration(compartment, str(mechanism.chosen) if what == "c" else what)
