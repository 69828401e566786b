"""What is connected to what, and by which laws: all that decides a model's equations.

Two scenarios with equal structure share one kernel, whatever their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from simulator.mechanisms import CLAMP, library
from simulator.scenario import ClampEvent, Scenario

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
class MechanismStructure:
    """A law on a membrane, with the species it is applied to."""

    label: str
    law: str
    chosen: str | None


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
    def states(self) -> tuple[str, ...]:
        """Names of the states in order: amounts, then charges or potentials, then volumes."""
        amounts = [amount(c.name, s) for c in self.compartments for s in c.states]
        letter = potential if self.formulation == "electroneutral" else charge
        electric = [letter(c.name) for c in self.compartments if c.potential == "free"]
        volumes = [volume(c.name) for c in self.compartments if c.volume == "state"]
        return (*amounts, *electric, *volumes)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters in order."""
        return tuple(self._parameters())

    def _parameters(self) -> Iterator[str]:
        yield "rt_over_f"
        if any(library()[use.law].atp for m in self.membranes for use in m.mechanisms):
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
            for mechanism in m.mechanisms:
                for parameter in library()[mechanism.law].parameters:
                    yield parameter_name(m.name, mechanism.label, parameter.name)

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
    return f"{parameter}_{membrane}_{label}"


def structure_of(scenario: Scenario) -> Structure:
    """Read the structure off a scenario."""
    clamped: dict[str, str] = {}
    for event in scenario.protocol:
        if isinstance(event, ClampEvent):
            clamped |= {name: clamp.carrier for name, clamp in event.clamp.items()}
    membranes = []
    for name, m in scenario.membranes.items():
        mechanisms = [MechanismStructure(label, use.law, use.chosen) for label, use in m.mechanisms.items()]
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
            for s in library()[use.law].stoichiometry(use.chosen)
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
    return Structure(scenario.formulation, tuple(scenario.charges().items()), tuple(compartments), tuple(membranes))


def _grounds(scenario: Scenario) -> set[str]:
    """Compartments at potential 0: every short-circuited bath, else one compartment of each island."""
    grounds = {n for n, c in scenario.compartments.items() if c.fixed and not c.open_circuit}
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
