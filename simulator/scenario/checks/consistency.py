"""Checks that involve several values of a scenario: names that must exist, keys that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.errors import suggestion
from simulator.physics.constants import SPECIES_CHARGE
from simulator.physics.notation import format_quantity
from simulator.scenario.checks import mechanisms as mechanism_checks
from simulator.scenario.complaints import Complaint
from simulator.scenario.draft import Draft
from simulator.scenario.parts import ClampEvent, Compartment, Membrane, ReleaseEvent

__all__ = ["complaints", "warnings"]

#: Maximum number of saved points of one run; more would not fit in memory.
MOST_SAVES = 10_000_000


def complaints(draft: Draft) -> Iterator[Complaint]:
    """Yield every inconsistency."""
    if draft.temperature is not None and draft.rt_over_f is not None:
        yield Complaint(("rt_over_f",), "temperature and rt_over_f are both given", "either temperature or rt_over_f")
    for name, species in draft.species.items():
        usual = SPECIES_CHARGE.get(name, species.charge)
        if usual != species.charge:
            problem = f"`{name}` is built in with charge {usual}"
            yield Complaint(("species", name, "charge"), problem, f"charge {usual}, or another name")
    for name, compartment in draft.compartments.items():
        yield from _in_compartment(draft, ("compartments", name), compartment)
    if not draft.membranes:
        yield Complaint(("membranes",), "there is no membrane", "at least one membrane")
    for name, membrane in draft.membranes.items():
        yield from _in_membrane(draft, ("membranes", name), membrane)
    yield from _shared_geometry(draft)
    yield from _water_paths(draft)
    yield from _in_run(draft)


def warnings(draft: Draft) -> Iterator[Complaint]:
    """Yield complaints about what is allowed but probably unintended."""
    held = {name for event in draft.protocol if isinstance(event, ClampEvent) for name in event.clamp}
    for index, event in enumerate(draft.protocol):
        for place, name in enumerate(event.release if isinstance(event, ReleaseEvent) else ()):
            if name not in held:
                yield Complaint(("protocol", index, "release", place), f"`{name}` is released but never clamped")
    used = {side for membrane in draft.membranes.values() for side in (membrane.inside, membrane.outside)}
    for name in draft.compartments:
        if name not in used:
            yield Complaint(("compartments", name), f"no membrane touches `{name}`, so it never changes")
    wet = {side for m in draft.membranes.values() if m.water != "fixed" for side in (m.inside, m.outside)}
    for name, membrane in draft.membranes.items():
        yield from mechanism_checks.warnings(draft, ("membranes", name), membrane)
        if membrane.area_change == "with_volume" and membrane.inside not in wet:
            problem = f"no water moves into `{membrane.inside}`, so its volume and this area stay as they are"
            yield Complaint(("membranes", name, "area_change"), problem, "", "say with `water:` how water moves")
    listed = {name for compartment in draft.compartments.values() for name in compartment.concentrations}
    for name in draft.species:
        if name not in listed:
            yield Complaint(("species", name), f"`{name}` is declared but in no compartment")


def _in_compartment(draft: Draft, at: tuple[str, ...], compartment: Compartment) -> Iterator[Complaint]:
    known = [*SPECIES_CHARGE, *draft.species]
    for species in compartment.concentrations:
        if species not in known:
            hint = suggestion(species, known) or f"declare it under species: {{{species}: {{charge: 0}}}}"
            expected = "one of " + ", ".join(known)
            yield Complaint((*at, "concentrations", species), f"unknown species `{species}`", expected, hint)
    shape = compartment.geometry
    if shape is not None and (shape.sphere is None) == (shape.cylinder is None):
        yield Complaint((*at, "geometry"), "the geometry needs exactly one shape", "either sphere or cylinder")
    sizes = [key for key in ("volume", "geometry") if getattr(compartment, key) is not None]
    if compartment.grounded and compartment.fixed:
        yield Complaint((*at, "grounded"), "a fixed compartment is already at potential 0, unless open_circuit is true")
    if compartment.fixed:
        for key in sizes:
            yield Complaint((*at, key), f"a fixed compartment has no {key}", "", "leave it out, or leave out `fixed`")
        if compartment.impermeant is not None and compartment.impermeant.charge == "auto":
            problem = "`auto` works only in a free compartment, where the charge balance sets the charge"
            yield Complaint((*at, "impermeant", "charge"), problem, "a number")
        if compartment.impermeant is not None and compartment.impermeant.amount is not None:
            problem = "a fixed compartment has no volume that an amount could fill"
            yield Complaint((*at, "impermeant", "amount"), problem, "a concentration")
        return
    if len(sizes) != 1:
        problem = "volume and geometry are both given" if sizes else "the volume is missing"
        hint = "" if sizes else "write `fixed: true` if this is a bath"
        yield Complaint((*at, "geometry") if sizes else at, problem, "either volume or geometry", hint)
    if compartment.open_circuit:
        problem = "only a fixed compartment can be open circuit"
        yield Complaint((*at, "open_circuit"), problem, "", "a free compartment's potential floats anyway")


def _in_membrane(draft: Draft, at: tuple[str, ...], membrane: Membrane) -> Iterator[Complaint]:
    sides = {}
    for key in ("inside", "outside"):
        name = getattr(membrane, key)
        if name in draft.compartments:
            sides[key] = draft.compartments[name]
        else:
            expected = "one of " + ", ".join(draft.compartments)
            yield Complaint((*at, key), f"unknown compartment `{name}`", expected, suggestion(name, draft.compartments))
    if membrane.inside == membrane.outside:
        yield Complaint((*at, "outside"), f"both sides are `{membrane.inside}`", "two different compartments")
    if membrane.area is None and "inside" in sides and sides["inside"].geometry is None:
        problem = f"the area is missing, and `{membrane.inside}` has no geometry to take it from"
        yield Complaint(at, problem, "an area, e.g. area: 1257 um^2")
    if membrane.area_change == "with_volume" and (
        membrane.area is not None or sides.get("inside") is None or sides["inside"].geometry is None
    ):
        problem = f"an area grows with the volume of `{membrane.inside}` only where it follows from its shape"
        hint = f"give compartments.{membrane.inside} a geometry, and the membrane no area"
        yield Complaint((*at, "area_change"), problem, "fixed", hint)
    if membrane.water != "fixed" and len(sides) == 2 and all(side.fixed for side in sides.values()):
        yield Complaint((*at, "water"), "both sides are fixed, so no water can move", "fixed")
    yield from mechanism_checks.complaints(draft, at, membrane)


def _shared_geometry(draft: Draft) -> Iterator[Complaint]:
    """Yield complaints about membranes that each claim the whole surface of one compartment."""
    borrowed: dict[str, list[str]] = {}
    for name, membrane in draft.membranes.items():
        if membrane.area is None:
            borrowed.setdefault(membrane.inside, []).append(name)
    for inside, names in borrowed.items():
        for name in names[1:]:
            problem = f"`{names[0]}` already has the whole surface of `{inside}`"
            yield Complaint(("membranes", name), problem, "an area for each membrane", "e.g. area: 1257 um^2")


def _water_paths(draft: Draft) -> Iterator[Complaint]:
    """Check that instant water is the only water path of its compartments and balances with one bath at most."""
    at_once: dict[str, set[str]] = {}
    for membrane in draft.membranes.values():
        if membrane.water == "instant":
            joined = {membrane.inside, membrane.outside}
            for name in list(joined):
                joined |= at_once.get(name, set())
            at_once |= dict.fromkeys(joined, joined)
    for name, membrane in draft.membranes.items():
        where = ("membranes", name, "water")
        sides = (membrane.inside, membrane.outside)
        free = [side for side in sides if side in draft.compartments and not draft.compartments[side].fixed]
        if not isinstance(membrane.water, str) and any(side in at_once for side in free):
            problem = "another membrane of the same compartment has instant water"
            yield Complaint(where, problem, "instant for all its membranes, or a permeability for all")
        if membrane.water == "instant":
            group = at_once[membrane.inside]
            baths = sorted(n for n in group if n in draft.compartments and draft.compartments[n].fixed)
            if len(baths) > 1:
                problem = f"instant water cannot balance with several baths: {', '.join(baths)}"
                yield Complaint(where, problem, "one bath", "give these membranes a permeability instead")


def _in_run(draft: Draft) -> Iterator[Complaint]:
    run = draft.run
    length = format_quantity(run.duration, "s")
    if run.save_every is not None and run.save_at is not None:
        yield Complaint(("run", "save_at"), "save_every and save_at are both given", "either save_every or save_at")
    if run.save_every is not None and run.save_every > run.duration:
        problem = f"{format_quantity(run.save_every, 's')} is longer than the run"
        yield Complaint(("run", "save_every"), problem, f"at most the duration, {length}")
    times: list[tuple[tuple[str | int, ...], float]]
    times = [(("run", "save_at", index), time) for index, time in enumerate(run.save_at or ())]
    times += [(("protocol", index, "at"), event.at) for index, event in enumerate(draft.protocol)]
    if run.save_every is not None and run.duration / run.save_every > MOST_SAVES:
        problem = f"this saves {run.duration / run.save_every:.3g} points"
        yield Complaint(("run", "save_every"), problem, f"at most {MOST_SAVES} saved points")
    for where, time in times:
        if time > run.duration:
            problem = f"{format_quantity(time, 's')} is after the end of the run"
            yield Complaint(where, problem, f"at most the duration, {length}")
