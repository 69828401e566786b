"""Check that the saved state at which a scenario starts is a state of this scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from simulator.scenario.complaints import Complaint
from simulator.scenario.draft import Draft
from simulator.scenario.paths import Leaf
from simulator.scenario.start import Start

__all__ = ["complaints", "why_overridden"]

FROM = ("start", "from")


def complaints(draft: Draft) -> Iterator[Complaint]:
    """Yield every way in which the saved state does not fit."""
    start = draft.start
    if start is None:
        return
    if start.amounts is None:
        problem = f"the state that `{start.source}` ends with has not been read"
        yield Complaint(FROM, problem, "a file that can be read", "simulator.load_scenario reads it")
        return
    if start.time is None:
        yield Complaint(("start", "time"), "the time of the saved state is missing", "a time, e.g. 10 h")
    yield from _compartments(draft, start)
    membranes = draft.membranes if start.membranes is None else start.membranes
    yield from _matched(start.source, "membrane", membranes, draft.membranes)
    yield from _matched(start.source, "gate", start.gates or (), _gates(draft))
    given, wanted = ("potentials", "capacitive") if start.potentials else ("charges", "electroneutral")
    if getattr(start, given) and draft.formulation == wanted:
        was = "electroneutral" if given == "potentials" else "capacitive"
        problem = f"{start.source} was run {was}, this scenario is {wanted}"
        yield Complaint(FROM, problem, "the same formulation", f"write `formulation: {was}`")


def _compartments(draft: Draft, start: Start) -> Iterator[Complaint]:
    amounts = start.amounts or {}
    free = {name: c for name, c in draft.compartments.items() if not c.fixed}
    yield from _matched(start.source, "free compartment", amounts, free)
    for name in [name for name in free if name in amounts]:
        yield from _matched(start.source, f"species in {name}", amounts[name], free[name].concentrations)
        if name not in (start.volumes or {}):
            yield Complaint(("start", "volumes"), f"the volume of `{name}` is missing", "a volume")


def _matched(source: str, what: str, saved: Iterable[str], own: Iterable[str]) -> Iterator[Complaint]:
    """Complain about labels that only one of the two has."""
    saved, own = tuple(saved), tuple(own)
    for name in own:
        if name not in saved:
            problem = f"{source} has no {what} `{name}`; it has {_listed(saved)}"
            yield Complaint(FROM, problem, "a run of the same cell")
    for name in saved:
        if name not in own:
            problem = f"{source} has a {what} `{name}`, this scenario does not; it has {_listed(own)}"
            yield Complaint(FROM, problem, "a run of the same cell")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _gates(draft: Draft) -> dict[str, None]:
    """Labels of the gates that are states."""
    return {
        f"{name}.{label}.{gate.name}": None
        for name, membrane in draft.membranes.items()
        for label, entry in membrane.mechanisms.items()
        for mechanism in entry.mechanisms(label)
        for gate in mechanism.law.gates
        if not gate.at_once
    }


def why_overridden(path: str, leaves: Mapping[str, Leaf]) -> str:
    """Return why a number has no effect, because the scenario starts from a saved state; empty if it has one."""

    def free(compartment: str) -> bool:
        leaf = leaves.get(f"compartments.{compartment}.fixed")
        return leaf is not None and not leaf.value

    if "start.from" not in leaves:
        return ""
    match path.split("."):
        case ["start", *_]:
            return "it belongs to the saved state that the run starts from"
        case ["compartments", name, "concentrations", _] if free(name):
            return "the run starts from the saved amounts (`start`)"
        case ["compartments", name, "volume"] if free(name) and f"compartments.{name}.impermeant.charge" not in leaves:
            return "the run starts from the saved volume (`start`)"
        case ["membranes", name, "potential"] if any(
            free(str(leaves[f"membranes.{name}.{side}"].value)) for side in ("inside", "outside")
        ):
            return "the run starts from the saved charges or potentials (`start`)"
        case ["membranes", _, "mechanisms", _, "gates", _, "start"] | ["membranes", _, "mechanisms", _, "start", _]:
            return "the run starts from the saved gates (`start`)"
    return ""
