"""Scenario -> structure: what is connected to what by which laws, and which parameters follow waveforms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from simulator.errors import ModelError
from simulator.mechanisms import CLAMP
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.names import (
    THERMAL_VOLTAGE,
    amount,
    area,
    capacitance,
    concentration,
    gate_name,
    impermeant,
    parameter_name,
    water_permeability,
)
from simulator.model.structure import CompartmentStructure, Drive, MembraneStructure, Structure, connected
from simulator.model.waves import changes
from simulator.scenario.parts import ClampEvent
from simulator.scenario.scenario import Scenario
from simulator.scenario.waveforms import Sine, is_waveform


def structure_of(scenario: Scenario) -> Structure:
    """Return the structure of a scenario."""
    clamped: dict[str, str] = {}
    for event in scenario.protocol:
        if isinstance(event, ClampEvent):
            clamped |= {name: clamp.carrier for name, clamp in event.clamp.items()}
    membranes = []
    for name, m in scenario.membranes.items():
        mechanisms = [mechanism for label, entry in m.mechanisms.items() for mechanism in entry.mechanisms(label)]
        if name in clamped:
            mechanisms.append(Mechanism(CLAMP, CLAMP, clamped[name]))
        water = m.water if isinstance(m.water, str) else "finite"
        membranes.append(MembraneStructure(name, m.inside, m.outside, "given", water, tuple(mechanisms)))
    names = list(scenario.compartments)
    groups = connected(names, [(m.inside, m.outside) for m in membranes if m.water == "instant"])
    group_of = {name: group for group in groups for name in group}
    fixed = {name: c.fixed for name, c in scenario.compartments.items()}
    grounds = _grounds(scenario)
    held = set(held_potentials(scenario))
    compartments = []
    for name, c in scenario.compartments.items():
        moved = {
            s
            for m in membranes
            if name in (m.inside, m.outside)
            for mechanism in m.mechanisms
            for s in (mechanism.moves if name == m.inside else mechanism.moves_outside)
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
        electric = "held" if name in held else "ground" if name in grounds else "free"
        compartments.append(CompartmentStructure(name, kind, electric, species, states))
    volumes = {c.name: c.volume for c in compartments}
    for i, m in enumerate(scenario.membranes.values()):
        geometry = scenario.compartments[m.inside].geometry
        if m.area_change == "with_volume" and geometry is not None and volumes[m.inside] != "given":
            shape = "sphere" if geometry.sphere is not None else "cylinder"
            membranes[i] = replace(membranes[i], area=shape)
    charges = tuple(scenario.charges().items())
    found = Structure(scenario.formulation, charges, tuple(compartments), tuple(membranes), scenario.faraday)
    _check_names(found)
    measures = tuple((measure.kind, measure.quantity) for measure in scenario.measure.values())
    return replace(found, drives=tuple(_drives(scenario, found)), measures=measures)


def _drives(scenario: Scenario, structure: Structure) -> Iterator[Drive]:
    """Parameters that follow waveforms."""
    kinds: dict[str, set[str]] = {}
    for number, event in enumerate(scenario.protocol):
        for target, (value, _) in changes(event, number).items():
            if is_waveform(value):
                for parameter in moved_by(scenario, structure, target):
                    kinds.setdefault(parameter, set()).add("sine" if isinstance(value, Sine) else "ramp")
    for parameter in structure.parameters:
        if parameter in kinds:
            yield Drive(parameter, "ramp" in kinds[parameter], "sine" in kinds[parameter])


def moved_by(scenario: Scenario, structure: Structure, target: tuple[str, str]) -> list[str]:
    """Parameters that depend on what an event changes: ``("value", path)`` or ``("clamp", membrane)``."""
    kind, name = target
    if kind == "clamp":
        return [parameter_name(name, CLAMP, "command")]
    match name.split("."):
        case ["temperature" | "rt_over_f"]:
            return [THERMAL_VOLTAGE]
        case ["compartments", name, "concentrations", species]:
            return [concentration(name, species)]
        case ["compartments", name, "impermeant", "concentration"]:
            return [impermeant(name)]
        case ["compartments", _, "impermeant", "charge"]:  # in a bath, where it acts on nothing
            return []
        case ["membranes", name, "capacitance"]:
            return [capacitance(name)]
        case ["membranes", name, "area"]:
            return [area(name)]
        case ["membranes", name, "water", "permeability"]:
            return [water_permeability(name)]
        case ["membranes", name, "permeability_scale"]:
            every = (_ratios(scenario, m, mechanism) for m, mechanism in structure.mechanisms if m.name == name)
            return [parameter for own in every for parameter in own]
        case ["membranes", name, "mechanisms", label, *rest]:
            own = [mechanism for m, mechanism in structure.mechanisms if m.name == name and mechanism.owner == label]
            found = [p.name for mechanism in own for p in mechanism.law.parameters if p.key == ".".join(rest)]
            return [parameter_name(name, label, parameter) for parameter in dict.fromkeys(found)]
    raise AssertionError(f"no parameter follows from {target}")  # refused by the checks


def _ratios(scenario: Scenario, m: MembraneStructure, mechanism: Mechanism) -> list[str]:
    """Parameters of a mechanism that are ratios to the permeability scale of its membrane."""
    key = f"membranes.{m.name}.mechanisms.{mechanism.owner}"
    own = (p for p in mechanism.law.parameters if scenario.kind_of(f"{key}.{p.key}") == "ratio")
    return [parameter_name(m.name, mechanism.owner, p.name) for p in own]


def held_potentials(scenario: Scenario) -> dict[str, str]:
    """Fixed compartments among fixed ones that are held at a potential, each with the membrane that says which.

    Between two fixed compartments a given potential is not where something starts, but where it stays.
    """
    fixed = {name for name, c in scenario.compartments.items() if c.fixed and not c.open_circuit}
    loose = {
        side
        for m in scenario.membranes.values()
        for side in (m.inside, m.outside)
        if not {m.inside, m.outside} <= fixed
    }
    found: dict[str, str] = {}
    for name, m in scenario.membranes.items():
        if m.potential is not None and m.inside in fixed - loose and m.outside not in found:
            found.setdefault(m.inside, name)
    return found


def _check_names(structure: Structure) -> None:
    """Raise ModelError if two quantities get the same name, as labels ``a``, ``b_c`` and ``a_b``, ``c`` would."""
    places: list[tuple[str, tuple[str, ...]]]
    places = [(amount(c.name, s), ("compartments", c.name, s)) for c in structure.compartments for s in c.species]
    for m, mechanism in structure.mechanisms:
        where = ("membranes", m.name, "mechanisms", mechanism.owner)
        places += [
            (parameter_name(m.name, mechanism.owner, p.name), (*where, p.name)) for p in mechanism.law.parameters
        ]
        places += [(gate_name(m.name, mechanism.owner, g.name), (*where, g.name)) for g in mechanism.law.gates]
    seen: dict[str, tuple[str, ...]] = {}
    for name, place in places:
        if seen.setdefault(name, place) != place:
            other = ".".join(seen[name])
            raise ModelError(".".join(place), f"same internal name as {other}", "distinct names", "rename one of them")


def _grounds(scenario: Scenario) -> set[str]:
    """Compartments at potential 0: short-circuited baths, grounded spaces, and one of each island without either."""
    grounds = {n for n, c in scenario.compartments.items() if c.grounded or (c.fixed and not c.open_circuit)}
    inner = {m.inside for m in scenario.membranes.values()}
    for island in connected(list(scenario.compartments), [(m.inside, m.outside) for m in scenario.membranes.values()]):
        if not grounds & set(island):
            grounds.add(next((n for n in island if n not in inner), island[-1]))
    return grounds
