"""Rates that hold a state, as text and as a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.model.model import Model
from simulator.physics.notation import format_quantity, plain_number
from simulator.report.columns import table
from simulator.scenario.paths import shortest_ending
from simulator.scenario.yaml.rewriting import nested_lines, spelled
from simulator.verdict.balancing import Balance
from simulator.verdict.evidence import fit_for_json

__all__ = ["balance_record", "balance_text"]


def balance_text(found: Balance, held: bool) -> str:
    """Describe rates that hold a state, or come closest to it, for a terminal."""
    names = {key: shortest_ending(key, Model.of(found.scenario).values) for key in found.values}
    rows = [("", "given", "found", "ratio")]
    for key, value in found.values.items():
        given, unit = found.given[key], found.scenario.unit_of(key)
        ratio = plain_number(value / given, 6) if given else "-"
        rows.append((names[key], format_quantity(given, unit), format_quantity(value, unit), ratio))
    lines = [found.scenario.name, *table(rows), f"  residual {found.residual:.1e} of the flows that meet"]
    if not held:
        return "\n".join(lines)
    lines += [f"  not determined: {_in_words(direction, names)}" for direction in found.directions]
    texts = {key: spelled(found.scenario, key, value) for key, value in found.values.items()}
    return "\n".join([*lines, "", *nested_lines(texts)])


def _in_words(direction: dict[str, float], names: dict[str, str]) -> str:
    """A direction in which numbers can change at rest."""
    [first, *others] = direction
    if not others:
        return f"{names[first]} moves nothing in this state"
    along = ", ".join(f"{names[key]} by {plain_number(direction[key] / direction[first], 4)} %" for key in others)
    return f"the state stays at rest where {names[first]} changes by 1 % and {along}"


def balance_record(found: Balance, problems: Sequence[str]) -> dict[str, Any]:
    """The document of ``balance --json``; `problems` say why the values do not hold the state."""
    record = {
        "values": found.values,
        "residual": found.residual,
        "undetermined": list(found.undetermined),
        "given": found.given,
        "units": {key: found.scenario.unit_of(key) for key in found.values},
        "distance": found.distance,
        "directions": list(found.directions),
        "problems": list(problems),
    }
    fitting = fit_for_json(record)
    assert isinstance(fitting, dict)
    return fitting
