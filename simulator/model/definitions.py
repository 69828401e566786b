"""Structure -> definitions: symbols of a model, and the quantities that follow from its states, in SymPy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from simulator.errors import ModelError
from simulator.mechanisms.law import Occupancy, Rate, arguments
from simulator.mechanisms.mechanism import Mechanism
from simulator.mechanisms.outside import require_formula
from simulator.mechanisms.symbols import is_real
from simulator.model.capacitors import capacitance_matrix
from simulator.model.names import (
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
    water_total,
)
from simulator.model.structure import Drive, MembraneStructure, Structure, connected
from simulator.model.waves import followed
from simulator.physics.constants import GAS_CONSTANT
from simulator.physics.geometry import AREA_POWERS

#: Faraday constant as a symbol; generated code assigns its value.
FARADAY_SYMBOL = sp.Symbol("FARADAY", positive=True)


@dataclass(frozen=True)
class Definitions:
    """Symbols and definitions of a structure, and the rates of its laws in these symbols."""

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

    def value(self, rate: Rate, m: MembraneStructure, mechanism: Mechanism) -> sp.Expr:
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
    def gate_rests(self) -> dict[str, sp.Expr]:
        """Steady-state value of each gate, everything else held constant; those of schemes are found from numbers."""
        return {
            name: gate.resting(lambda rate, m=m, mechanism=mechanism: self.value(rate, m, mechanism))  # type: ignore[misc]
            for name, (m, mechanism, gate) in self.structure.gates.items()
            if not isinstance(gate, Occupancy)
        }


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
