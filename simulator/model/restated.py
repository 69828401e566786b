"""State -> values of a scenario that begins in it: the inverse of :mod:`simulator.model.contents`.

Amounts of what is trapped and areas that do not grow stay what they are: where a volume has changed, the impermeant
gets the concentration that its amount has there, and an area that came from a shape is written down. Numbers for the
whole cell keep what they are per area.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simulator.model.model import Model
from simulator.model.names import amount, area, gate_name, potential, volume
from simulator.model.structure import CompartmentStructure

__all__ = ["gate_starts", "restated"]


def restated(model: Model, known: Mapping[str, float]) -> dict[str, float]:
    """New values by dotted path, SI, of a scenario that starts in a given state; without those that stay.

    Parameters
    ----------
    model : Model
        The scenario.
    known : mapping of str to float
        All numbers of the model in that state by their names in the equations, potentials of compartments included.
    """
    found: dict[str, float] = {}
    floating = []
    for c in model.structure.compartments:
        if c.volume != "bath":
            found |= _compartment(model, c, known)
        if c.potential == "free" and (c.volume == "bath" or model.structure.formulation == "electroneutral"):
            floating.append(c.name)
    for name, m in model.scenario.membranes.items():
        if m.potential is not None or m.inside in floating:
            found[f"membranes.{name}.potential"] = known[potential(m.inside)] - known[potential(m.outside)]
    found |= dict(_areas(model, known)) | gate_starts(model, known)
    return {key: value for key, value in found.items() if model.values.get(key) != value}


def gate_starts(model: Model, known: Mapping[str, float]) -> dict[str, float]:
    """New start values of the gates that have one; the others start at rest anyway."""
    found = {}
    for m, mechanism, gate in model.structure.gates.values():
        key = f"membranes.{m.name}.mechanisms.{mechanism.owner}.{gate.start_key}"
        if key in model.values:
            found[key] = known[gate_name(m.name, mechanism.owner, gate.name)]
    return found


def _compartment(model: Model, c: CompartmentStructure, known: Mapping[str, float]) -> dict[str, float]:
    """Concentrations, volume and impermeant of a compartment."""
    contents, at = model.contents().own, f"compartments.{c.name}"
    size = float(known[volume(c.name)])
    found = {f"{at}.concentrations.{s}": float(known[amount(c.name, s)]) / size for s in c.species}
    if size == contents.volume(c.name):
        return found
    shape = model.scenario.compartments[c.name].geometry
    if shape is None:
        found[f"{at}.volume"] = size
    else:
        kind, power = ("sphere", 3.0) if shape.sphere is not None else ("cylinder", 2.0)
        for key in ("radius", "diameter"):
            if (path := f"{at}.geometry.{kind}.{key}") in model.values:
                found[path] = model.values[path] * float((size / contents.volume(c.name)) ** (1.0 / power))
    if f"{at}.impermeant.concentration" in model.values:
        found[f"{at}.impermeant.concentration"] = float(contents.impermeant(c.name)) / size
    return found


def _areas(model: Model, known: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Areas that would follow a new shape but must not, and numbers for the whole cell on areas that do."""
    contents = model.contents()
    for m in model.structure.membranes:
        key = f"membranes.{m.name}"
        if m.area == "given":
            inside = next(c for c in model.structure.compartments if c.name == m.inside)
            if f"{key}.area" not in model.values and known[volume(inside.name)] != contents.own.volume(inside.name):
                yield f"{key}.area", float(contents.area(m.name))
            continue
        grown = float(known[area(m.name)] / contents.own.balanced_area(m.name))
        for path in model.values:
            if grown != 1.0 and f"{key}." in path and model.scenario.kind_of(path) == "cell":
                yield path, model.values[path] * grown
