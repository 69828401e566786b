"""What is connected to what, and by which laws: all that decides a model's equations.

Two scenarios with equal structure share one kernel, whatever their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from simulator.errors import ModelError
from simulator.mechanisms import CLAMP, Gate
from simulator.mechanisms.base import arguments
from simulator.mechanisms.use import MechanismStructure
from simulator.scenario.parts import ClampEvent
from simulator.scenario.scenario import Scenario

#: State: time since the start, in models with a law that depends on it.
CLOCK = "time"

#: Parameter: free energy of ATP hydrolysis over RT, in models with a mechanism that uses ATP.
ATP_ENERGY = "atp_energy_over_rt"


@dataclass(frozen=True)
class CompartmentStructure:
    """What the equations need to know of a compartment.

    `volume` is ``"bath"`` (no volume), ``"given"`` (a parameter), ``"state"`` or ``"osmotic"``
    (follows from the amounts at once); `potential` is ``"ground"`` or ``"free"``.
    """

    name: str
    volume: str
    potential: str
    species: tuple[str, ...]
    states: tuple[str, ...]


@dataclass(frozen=True)
class MembraneStructure:
    """A membrane; `area` is ``"given"``, ``"sphere"`` or ``"cylinder"`` (the latter follow the volume)."""

    name: str
    inside: str
    outside: str
    area: str
    water: str
    mechanisms: tuple[MechanismStructure, ...]


@dataclass(frozen=True)
class Structure:
    """All that decides the equations; equal structures share one kernel."""

    formulation: str
    charges: tuple[tuple[str, int], ...]
    compartments: tuple[CompartmentStructure, ...]
    membranes: tuple[MembraneStructure, ...]

    def compartment(self, name: str) -> CompartmentStructure:
        """The compartment of that name."""
        return next(c for c in self.compartments if c.name == name)

    @cached_property
    def uses(self) -> tuple[tuple[MembraneStructure, MechanismStructure], ...]:
        """Every mechanism with its membrane, in order."""
        return tuple((m, use) for m in self.membranes for use in m.mechanisms)

    @cached_property
    def gates(self) -> dict[str, tuple[MembraneStructure, MechanismStructure, Gate]]:
        """Every gate by name, with where it is; mechanisms of one channel share theirs."""
        return {gate_name(m.name, use.owner, g.name): (m, use, g) for m, use in self.uses for g in use.mechanism.gates}

    @cached_property
    def gate_states(self) -> tuple[str, ...]:
        """Names of the gates that are states."""
        return tuple(name for name, (_, _, gate) in self.gates.items() if not gate.at_once)

    @cached_property
    def open(self) -> bool:
        """Whether some law moves charge or mass otherwise than it says, so that nothing need be conserved."""
        return any(use.mechanism.open or self.charge_moved(use) != self.charge_carried(use) for _, use in self.uses)

    def charge_carried(self, use: MechanismStructure) -> int:
        """Charges of the molecules that enter the inside per turnover."""
        charges = dict(self.charges)
        return sum(n * charges[s] for s, n in use.moves.items())

    def charge_moved(self, use: MechanismStructure) -> int:
        """Charges that are booked as entering the inside per turnover."""
        declared = use.mechanism.charge
        return self.charge_carried(use) if declared is None else declared

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names of the states in order: amounts, charges or potentials, gates, the clock, volumes."""
        amounts = [amount(c.name, s) for c in self.compartments for s in c.states]
        letter = potential if self.formulation == "electroneutral" else charge
        electric = [letter(c.name) for c in self.compartments if c.potential == "free"]
        clock = [CLOCK] if any("time" in needs(use) for _, use in self.uses) else []
        volumes = [volume(c.name) for c in self.compartments if c.volume == "state"]
        return (*amounts, *electric, *self.gate_states, *clock, *volumes)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters in order."""
        return tuple(dict.fromkeys(self._parameters()))

    def _parameters(self) -> Iterator[str]:
        yield "rt_over_f"
        if any(use.mechanism.atp for _, use in self.uses):
            yield ATP_ENERGY
        for c in self.compartments:
            if c.volume == "bath":
                yield from (concentration(c.name, s) for s in c.species)
            else:
                yield from (amount(c.name, s) for s in c.species if s not in c.states)
            yield impermeant(c.name)
            if c.volume == "given":
                yield volume(c.name)
        for group in self.closed_water:
            yield water_total(group)
        for m in self.membranes:
            if m.area == "given":
                yield f"area_{m.name}"
            elif m.area == "cylinder":
                yield f"length_{m.inside}"
            yield f"capacitance_{m.name}"
            if m.water == "finite":
                yield f"water_permeability_{m.name}"
            for use in m.mechanisms:
                for parameter in use.mechanism.parameters:
                    yield parameter_name(m.name, use.owner, parameter.name)

    @cached_property
    def osmotic_groups(self) -> tuple[tuple[str, ...], ...]:
        """Compartments that share one osmolarity because water crosses between them at once."""
        return connected(
            [c.name for c in self.compartments],
            [(m.inside, m.outside) for m in self.membranes if m.water == "instant"],
        )

    @cached_property
    def closed_water(self) -> tuple[tuple[str, ...], ...]:
        """Osmotic groups of several compartments without a bath: their total volume is constant."""
        return tuple(
            g for g in self.osmotic_groups if len(g) > 1 and all(self.compartment(c).volume != "bath" for c in g)
        )


def amount(compartment: str, species: str) -> str:
    """Name of an amount."""
    return f"n_{compartment}_{species}"


def concentration(compartment: str, species: str) -> str:
    """Name of a concentration: a parameter in a bath, else amount over volume."""
    return f"c_{compartment}_{species}"


def impermeant(compartment: str) -> str:
    """Name of the impermeant solute: amount in a free compartment, concentration in a bath."""
    return f"x_{compartment}"


def charge(compartment: str) -> str:
    """Name of a compartment's charge."""
    return f"q_{compartment}"


def potential(compartment: str) -> str:
    """Name of a compartment's potential."""
    return f"phi_{compartment}"


def voltage(membrane: str) -> str:
    """Name of a membrane potential, inside minus outside."""
    return f"v_{membrane}"


def volume(compartment: str) -> str:
    """Name of a compartment's volume."""
    return f"w_{compartment}"


def water_total(group: tuple[str, ...]) -> str:
    """Name of the constant total volume of a closed osmotic group."""
    return "w_total_" + "_".join(group)


def parameter_name(membrane: str, label: str, parameter: str) -> str:
    """Name of a mechanism's parameter."""
    return f"p_{membrane}_{label}_{parameter}"


def gate_name(membrane: str, label: str, gate: str) -> str:
    """Name of a gate."""
    return f"g_{membrane}_{label}_{gate}"


def needs(use: MechanismStructure) -> set[str]:
    """Everything that a mechanism's rate and its gates' rates are functions of."""
    found = set(use.mechanism.arguments)
    for gate in use.mechanism.gates:
        for rate in (gate.opening, gate.closing, gate.steady, gate.time_constant):
            found |= set(arguments(rate)) if rate is not None else set()
    return found


def argument_name(argument: str, m: MembraneStructure, use: MechanismStructure) -> str:
    """What a rate law's argument is called in the equations; see :mod:`simulator.mechanisms.base`.

    Numbers that belong to no state and no parameter (``z``, ``faraday``, ``temperature``) keep their name.
    """
    mechanism = use.mechanism
    if any(p.name == argument for p in mechanism.parameters):
        return parameter_name(m.name, use.owner, argument)
    if any(g.name == argument for g in mechanism.gates):
        return gate_name(m.name, use.owner, argument)
    if argument in ("z", "faraday", "temperature", "rt_over_f"):
        return argument
    if argument in ("v", "area", "time"):
        return {"v": voltage(m.name), "area": f"area_{m.name}", "time": CLOCK}[argument]
    if "." in argument:
        return gate_name(m.name, *argument.split("."))
    what, _, side = argument.rpartition("_")
    compartment = {"i": m.inside, "o": m.outside}[side]
    if what == "volume":
        return volume(compartment)
    if what in mechanism.partners:
        what = use.partners[mechanism.partners.index(what)]
    return concentration(compartment, str(use.chosen) if what == "c" else what)


def structure_of(scenario: Scenario) -> Structure:
    """Read the structure off a scenario."""
    clamped: dict[str, str] = {}
    for event in scenario.protocol:
        if isinstance(event, ClampEvent):
            clamped |= {name: clamp.carrier for name, clamp in event.clamp.items()}
    membranes = []
    for name, m in scenario.membranes.items():
        mechanisms = [use for label, entry in m.mechanisms.items() for use in entry.structures(label)]
        if name in clamped:
            mechanisms.append(MechanismStructure(CLAMP, CLAMP, clamped[name]))
        water = m.water if isinstance(m.water, str) else "finite"
        membranes.append(MembraneStructure(name, m.inside, m.outside, "given", water, tuple(mechanisms)))
    names = list(scenario.compartments)
    groups = connected(names, [(m.inside, m.outside) for m in membranes if m.water == "instant"])
    group_of = {name: group for group in groups for name in group}
    fixed = {name: c.fixed for name, c in scenario.compartments.items()}
    grounds = _grounds(scenario)
    compartments = []
    for name, c in scenario.compartments.items():
        moved = {
            s
            for m in membranes
            if name in (m.inside, m.outside)
            for use in m.mechanisms
            for s in (use.moves if name == m.inside else use.moves_outside)
        }
        species = tuple(c.concentrations)
        wet = [m for m in membranes if m.water == "finite" and name in (m.inside, m.outside)]
        if fixed[name]:
            kind = "bath"
        elif wet:
            kind = "state"
        else:
            kind = "osmotic" if len(group_of[name]) > 1 else "given"
        states = () if fixed[name] else tuple(s for s in species if s in moved)
        compartments.append(CompartmentStructure(name, kind, "ground" if name in grounds else "free", species, states))
    volumes = {c.name: c.volume for c in compartments}
    for i, m in enumerate(scenario.membranes.values()):
        geometry = scenario.compartments[m.inside].geometry
        if m.area is None and geometry is not None and volumes[m.inside] != "given":
            shape = "sphere" if geometry.sphere is not None else "cylinder"
            membranes[i] = replace(membranes[i], area=shape)
    found = Structure(scenario.formulation, tuple(scenario.charges().items()), tuple(compartments), tuple(membranes))
    _check_names(found)
    return found


def _check_names(structure: Structure) -> None:
    """Raise ModelError where labels run together into one name of two things, as ``a`` ``b_c`` and ``a_b`` ``c`` do."""
    places: list[tuple[str, tuple[str, ...]]]
    places = [(amount(c.name, s), ("compartments", c.name, s)) for c in structure.compartments for s in c.species]
    for m, use in structure.uses:
        where = ("membranes", m.name, "mechanisms", use.owner)
        places += [(parameter_name(m.name, use.owner, p.name), (*where, p.name)) for p in use.mechanism.parameters]
        places += [(gate_name(m.name, use.owner, g.name), (*where, g.name)) for g in use.mechanism.gates]
    seen: dict[str, tuple[str, ...]] = {}
    for name, place in places:
        if seen.setdefault(name, place) != place:
            other = ".".join(seen[name])
            raise ModelError(".".join(place), f"this cannot be told from {other}", "other labels", "rename one of them")


def _grounds(scenario: Scenario) -> set[str]:
    """Compartments at potential 0: short-circuited baths and grounded spaces, else one compartment of each island."""
    grounds = {n for n, c in scenario.compartments.items() if c.grounded or (c.fixed and not c.open_circuit)}
    inner = {m.inside for m in scenario.membranes.values()}
    for island in connected(list(scenario.compartments), [(m.inside, m.outside) for m in scenario.membranes.values()]):
        if not grounds & set(island):
            grounds.add(next((n for n in island if n not in inner), island[-1]))
    return grounds


def connected(names: list[str], links: list[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Connected sets of names, in order of first appearance."""
    group = {name: {name} for name in names}
    for a, b in links:
        if group[a] is not group[b]:
            group[a] |= group[b]
            for name in group[a]:
                group[name] = group[a]
    seen: list[set[str]] = []
    for name in names:
        if not any(group[name] is other for other in seen):
            seen.append(group[name])
    return tuple(tuple(n for n in names if n in members) for members in seen)
