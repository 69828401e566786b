"""Checks of measures: the quantities that they name, their levels and their windows."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.errors import shown, suggestion
from simulator.mechanisms import CLAMP
from simulator.physics.notation import format_quantity
from simulator.physics.units import QuantityError
from simulator.scenario.complaints import Complaint
from simulator.scenario.draft import Draft
from simulator.scenario.measures import MEASURABLE, Measure
from simulator.scenario.parts import ClampEvent

__all__ = ["settled_measures"]

#: Names of variables and groups of a data file; swept values have those of their keys.
TAKEN = frozenset(
    [
        "run",
        "time",
        "compartment",
        "membrane",
        "species",
        "gate",
        "potential",
        "amount",
        "concentration",
        "charge",
        "volume",
        "compartment_potential",
        "open_fraction",
        "status",
        "verdict",
        "end_time",
        "culprit",
        "conservation_charge",
        "conservation_species",
        "provenance",
    ]
)


def settled_measures(draft: Draft, *, text: bool) -> tuple[dict[str, Measure], list[Complaint]]:
    """Return the measures with their levels in SI, and the complaints about them."""
    settled: dict[str, Measure] = {}
    found: list[Complaint] = []
    known, keys = list(_quantities(draft)), draft.leaves_without_changes()
    for name, measure in draft.measure.items():
        at = ("measure", name)
        if name in TAKEN or name in keys:
            found.append(Complaint(at, f"`{name}` is the name of something else in a data file", "another name"))
        if measure.quantity not in known:
            near = suggestion(measure.quantity, known) or f"e.g. {known[0]}"
            problem = f"there is no quantity `{shown(measure.quantity)}` to measure"
            found.append(
                Complaint((*at, measure.kind), problem, f"one of {', '.join(MEASURABLE)} with its labels", near)
            )
            continue
        if measure.quantity in _amplifiers(draft):
            problem = "the current of a voltage clamp cannot be measured while integrating"
            hint = "save the trajectory; its saved states have that current"
            found.append(Complaint((*at, measure.kind), problem, "another quantity", hint))
        for key, times in (("at", (measure.at,)), ("window", measure.window or ())):
            if any(time is not None and time > draft.run.duration for time in times):
                length = format_quantity(draft.run.duration, "s")
                found.append(
                    Complaint((*at, key), "this is after the end of the run", f"at most the duration, {length}")
                )
        if measure.kind in ("crossing", "spikes", "period"):
            measure, wrong = _with_level(draft, at, measure, text)
            found += wrong
        settled[name] = measure
    return settled, found


def _with_level(draft: Draft, at: tuple[str, ...], measure: Measure, text: bool) -> tuple[Measure, list[Complaint]]:
    """A measure with its level in SI."""
    if measure.level is None:
        if measure.of.unit != "V":
            problem = f"`level` is missing: the value of {measure.quantity} that is crossed"
            return measure, [Complaint(at, problem, measure.of.expected)]
        return measure.model_copy(update={"level": 0.0}), []
    try:
        level = draft.read_at(measure.quantity, measure.of, measure.level, text=text)
    except QuantityError as error:
        return measure, [Complaint((*at, "level"), error.problem, error.expected, error.hint)]
    return measure.model_copy(update={"level": float(level)}), []


def _amplifiers(draft: Draft) -> set[str]:
    """The currents of the protocol's clamps."""
    clamps = (event.clamp for event in draft.protocol if isinstance(event, ClampEvent))
    return {f"current.{name}.{CLAMP}" for clamp in clamps for name in clamp}


def _quantities(draft: Draft) -> Iterator[str]:
    """Every quantity of a scenario that can be measured."""
    for name, c in draft.compartments.items():
        yield from (f"concentration.{name}.{s}" for s in c.concentrations)
        if not c.fixed:
            yield from (f"amount.{name}.{s}" for s in c.concentrations)
            yield f"volume.{name}"
            if draft.formulation == "capacitive" and not c.grounded:
                yield f"charge.{name}"
        yield f"compartment_potential.{name}"
    yield from _amplifiers(draft)
    for name, m in draft.membranes.items():
        yield f"potential.{name}"
        sides = [draft.compartments[side] for side in (m.inside, m.outside) if side in draft.compartments]
        for s in draft.charges() if len(sides) == 2 else ():
            if draft.charge_of(s) and all(s in side.concentrations for side in sides):
                yield from (f"{kind}.{name}.{s}" for kind in ("nernst", "driving_force"))
        for label, entry in m.mechanisms.items():
            for mechanism in entry.mechanisms(label):
                yield f"current.{name}.{mechanism.label}"
                ways = ("influx", "efflux", "net_flux") if mechanism.law.reversible else ("net_flux",)
                yield from (f"{way}.{name}.{mechanism.label}.{s}" for way in ways for s in mechanism.moves)
                for gate in mechanism.law.gates:
                    yield f"open_fraction.{name}.{mechanism.owner}.{gate.name}"
