"""Checks of a protocol: what its events change, the new values, the carriers of clamps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from simulator.errors import shown, suggestion
from simulator.mechanisms import CLAMP
from simulator.physics.units import QuantityError
from simulator.scenario.complaints import Complaint
from simulator.scenario.draft import Draft
from simulator.scenario.parts import POTENTIAL, ClampEvent, Event, Membrane, ReleaseEvent, SetEvent
from simulator.scenario.paths import Leaf
from simulator.scenario.waveforms import is_waveform, settled_waveform

__all__ = ["settled_protocol"]


def settled_protocol(draft: Draft, *, text: bool) -> tuple[tuple[Event, ...], list[Complaint]]:
    """Return the protocol with its new values in SI, and the complaints about it."""
    events: list[Event] = []
    found: list[Complaint] = []
    carriers: dict[str, str] = {}
    for index, event in enumerate(draft.protocol):
        at = ("protocol", index)
        match event:
            case SetEvent():
                values, wrong = _settled_changes(draft, (*at, "set"), event.set, text, event.lasting)
                found += wrong
                event = event.model_copy(update={"set": type(event.set)(values)})
            case ClampEvent():
                event, wrong = _settled_clamps(draft, (*at, "clamp"), event, text)
                found += [*wrong, *_changed_carriers((*at, "clamp"), event, carriers)]
            case ReleaseEvent():
                for place, name in enumerate(event.release):
                    found += _unknown_membrane(draft, (*at, "release", place), name)
        events.append(event)
    return tuple(events), found


def _settled_clamps(
    draft: Draft, at: tuple[str | int, ...], event: ClampEvent, text: bool
) -> tuple[ClampEvent, list[Complaint]]:
    """A clamp event with the values of its waveforms in SI."""
    found: list[Complaint] = []
    clamps = dict(event.clamp)
    for name, clamp in event.clamp.items():
        found += _in_clamp(draft, (*at, name), name, clamp.carrier)
        if is_waveform(clamp.potential):
            place = (*at, name, "potential")
            read = partial(draft.read_at, "", text=text)
            wave, wrong = settled_waveform(clamp.potential, POTENTIAL, read, place, event.lasting, text=text)
            found += wrong
            clamps[name] = clamp.model_copy(update={"potential": wave})
    return event.model_copy(update={"clamp": type(event.clamp)(clamps)}), found


def _changed_carriers(at: tuple[str | int, ...], event: ClampEvent, carriers: dict[str, str]) -> Iterator[Complaint]:
    """Complaints about clamps with another carrier than an earlier one of the same membrane."""
    for name, clamp in event.clamp.items():
        if carriers.setdefault(name, clamp.carrier) != clamp.carrier:
            problem = f"an earlier event clamps `{name}` with the carrier `{carriers[name]}`"
            yield Complaint((*at, name, "carrier"), problem, "the same carrier in the whole run")


def _settled_changes(
    draft: Draft, at: tuple[str | int, ...], changes: Mapping[str, Any], text: bool, lasting: float | None
) -> tuple[dict[str, Any], list[Complaint]]:
    values: dict[str, Any] = {}
    found: list[Complaint] = []
    leaves = draft.leaves_without_changes()
    for path, value in changes.items():
        where = (*at, path)
        leaf = leaves.get(path)
        if leaf is None or leaf.quantity is None:
            numbers = [p for p, other in leaves.items() if other.quantity is not None and not _refusal(draft, other)]
            problem = f"there is no number `{shown(path)}` in this scenario"
            found.append(Complaint(where, problem, "the dotted path of a parameter", suggestion(path, numbers)))
        elif reason := _refusal(draft, leaf):
            expected = "a parameter of a mechanism or membrane, the temperature or a concentration in a fixed bath"
            found.append(Complaint(where, f"`{path}` cannot change during a run: {reason}", expected))
        elif is_waveform(value):
            read = partial(draft.read_at, path, text=text)
            values[path], wrong = settled_waveform(value, leaf.quantity, read, where, lasting, text=text)
            found += wrong
        else:
            try:
                values[path] = draft.read_at(path, leaf.quantity, value, text=text)
            except QuantityError as error:
                found.append(Complaint(where, error.problem, error.expected, error.hint))
    if not changes:
        found.append(Complaint(at, "there is nothing to set", "dotted paths and their new values"))
    return values, found


def _refusal(draft: Draft, leaf: Leaf) -> str:
    """Return why a value cannot change during a run; empty if it can."""
    match ".".join(leaf.path).split("."):
        case ["compartments", name, *_] if draft.compartments[name].fixed:
            return ""
        case ["compartments", name, *_]:
            return f"it is an initial value of the free compartment `{name}`"
        case ["membranes", _, "potential"]:
            return "it is the initial potential of the membrane (use a clamp event to hold a potential)"
        case ["membranes", _, "mechanisms", _, "gates", _, "start"] | ["membranes", _, "mechanisms", _, "start", _]:
            return "it is the initial state of a channel"
        case ["membranes", *_] if leaf.counts:
            return "it is a number that the equations contain"
        case ["membranes", *_] | ["temperature"] | ["rt_over_f"]:
            return ""
        case ["species", *_]:
            return "the charge number of a species is fixed"
        case ["atp_free_energy"]:
            return "the energy budget uses one value for the whole run"
    return "it is a setting of the run as a whole"


def _in_clamp(draft: Draft, at: tuple[str | int, ...], name: str, carrier: str) -> Iterator[Complaint]:
    yield from _unknown_membrane(draft, at, name)
    if name in draft.membranes and CLAMP in draft.membranes[name].mechanisms:
        label = ("membranes", name, "mechanisms", CLAMP)
        yield Complaint(label, "the protocol's clamp needs this label", "another label")
    if name in draft.membranes and _is_held(draft, draft.membranes[name]):
        problem = f"both sides of `{name}` have potentials of their own, which no electrode can change"
        hint = f"give membranes.{name}.potential, or `open_circuit: true` for one of the baths"
        yield Complaint(at, problem, "a membrane of a compartment whose potential is free", hint)
    where = (*at, "carrier")
    charge = draft.charge_of(carrier)
    if charge is None:
        known = list(draft.charges())
        yield Complaint(where, f"unknown species `{carrier}`", "one of " + ", ".join(known), suggestion(carrier, known))
    elif charge == 0:
        yield Complaint(where, f"`{carrier}` has charge 0 and carries no current", "a charged species")
    elif (membrane := draft.membranes.get(name)) is not None:
        for side in (membrane.inside, membrane.outside):
            compartment = draft.compartments.get(side)
            if compartment is not None and carrier not in compartment.concentrations:
                problem = f"`{side}` does not list the carrier `{carrier}`"
                yield Complaint(where, problem, "a species on both sides", f"add `{carrier}: 0 mM` there")


def _is_held(draft: Draft, membrane: Membrane) -> bool:
    """Whether the potentials of both sides of a membrane are given."""
    sides = [draft.compartments.get(name) for name in (membrane.inside, membrane.outside)]
    return all(side is not None and (side.grounded or (side.fixed and not side.open_circuit)) for side in sides)


def _unknown_membrane(draft: Draft, at: tuple[str | int, ...], name: str) -> Iterator[Complaint]:
    if name not in draft.membranes:
        known = ", ".join(draft.membranes)
        yield Complaint(at, f"unknown membrane `{shown(name)}`", f"one of {known}", suggestion(name, draft.membranes))
