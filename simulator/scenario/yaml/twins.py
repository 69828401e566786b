"""Twins: the same scenario with a few values changed, listed under ``twins:`` in its file.

    twins:
      pump_off: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}

A change is a dotted path and a value, as for ``--set``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from simulator.errors import shown
from simulator.scenario.complaints import Complaint
from simulator.scenario.quantity import UNREADABLE
from simulator.scenario.records import LONGEST_TITLE, TWIN_NAME
from simulator.scenario.yaml.issues import Issue
from simulator.scenario.yaml.overrides import overridden, whole_path
from simulator.scenario.yaml.tree import Node, find_place, plain_data
from simulator.scenario.yaml.validation import issue_at, validated

#: New values by dotted path: text with a unit, or SI numbers.
Overrides = Mapping[str, str | float]


def twins_in(data: Any) -> tuple[dict[str, Overrides], list[Complaint]]:
    """Return the changes of each twin by name, and the complaints about them."""
    example = "for example {pump_off: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}}"
    if not isinstance(data, Mapping):
        return {}, [Complaint(("twins",), "this is not a block of twins", "the name and changes of each twin", example)]
    found: dict[str, Overrides] = {}
    wrong: list[Complaint] = []
    for name, changes in data.items():
        if not TWIN_NAME.fullmatch(str(name)):
            problem, expected = (
                f"`{shown(name)}` is not a valid name",
                "letters, digits, spaces, _ . + or -, at most 41",
            )
            wrong.append(Complaint(("twins", str(name)), problem, expected, "e.g. pump_off"))
            continue
        if isinstance(changes, Mapping) and changes:
            found[str(name)] = {path: value for path, value in changes.items() if isinstance(value, str | float | int)}
        if len(found.get(str(name), {})) != (len(changes) if isinstance(changes, Mapping) else -1):
            problem = "this is not a block of dotted paths and new values"
            wrong.append(Complaint(("twins", str(name)), problem, "at least one change, values as text", example))
    return found, wrong


def wrong_changes(tree: Node, twins: Mapping[str, Overrides], file: str) -> Iterator[Issue]:
    """Yield what is wrong with changes that make no scenario, each at its place.

    Only twins that this file itself lists are looked at: one that extends it may have no use for its twins. Whether a
    twin can start from the end of another run is seen when it is run.
    """
    plain = replace(tree, content={key: node for key, node in tree.content.items() if key != "twins"})
    for name, changes in twins.items():
        if find_place(tree, ("twins", name))[0].file != file:
            continue
        twin, found = plain, list[Issue]()
        for key, value in changes.items():
            if not key.startswith("start."):
                twin = overridden(twin, whole_path(twin, key), value, found)
        complaints = [] if found else validated(plain_data(twin, UNREADABLE))[1]
        for issue in [*found, *(issue_at(twin, c) for c in complaints)]:
            changed = [key for key in changes if f"{issue.key}.".startswith(f"{whole_path(plain, key)}.")]
            place = find_place(tree, ("twins", name, *changed[:1]))[0]
            key = ".".join(("twins", name, issue.key))
            yield Issue(place.file, place.line, place.column, key, issue.problem, issue.expected, issue.hint)


def twin_title(title: str, changes: Overrides, name: str = "") -> str:
    """Title of a twin: its name, or the names of the values it changes."""
    what = name.replace("_", " ") or f"other {' and '.join(path.rpartition('.')[2] for path in changes)}"
    return f"{title}, {what}"[:LONGEST_TITLE]
