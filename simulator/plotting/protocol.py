"""What a protocol does and when, in a few words each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.mechanisms import library
from simulator.notation import pretty_unit
from simulator.scenario import ClampEvent, ReleaseEvent, Scenario, SetEvent
from simulator.trajectory import Trajectory
from simulator.units import format_quantity


@dataclass(frozen=True)
class Mark:
    """A moment [s] of the protocol and what happens then."""

    time: float
    text: str


def marks(trajectory: Trajectory) -> list[Mark]:
    """Every event of a run's protocol after its start, in order of time."""
    scenario = trajectory.scenario
    found = [Mark(event.at, "\n".join(_words(event, scenario))) for event in scenario.protocol if event.at > 0.0]
    return sorted(found, key=lambda mark: mark.time)


def _words(event: SetEvent | ClampEvent | ReleaseEvent, scenario: Scenario) -> Iterator[str]:
    match event:
        case SetEvent():
            for path, value in event.set.items():
                # The last two names tell enough: `pump.max_rate`, `concentrations.k`.
                short = ".".join(path.split(".")[-2:]).replace("concentrations.", "")
                yield f"{short} = {pretty_unit(format_quantity(value, _unit(path, scenario)))}"
        case ClampEvent():
            for name, clamp in event.clamp.items():
                yield f"{name} clamped to {format_quantity(clamp.potential, 'V')}"
        case ReleaseEvent():
            yield f"{', '.join(event.release)} released"


def _unit(path: str, scenario: Scenario) -> str:
    """SI unit of a value that a protocol may set."""
    parts = path.split(".")
    if "mechanisms" in parts:
        law = library()[scenario.membranes[parts[1]].mechanisms[parts[3]].law]
        return next((p.unit for p in law.parameters if p.name == parts[-1]), "1")
    return {"concentrations": "mol/m^3", "temperature": "K"}.get(parts[-2] if len(parts) > 1 else parts[0], "1")
