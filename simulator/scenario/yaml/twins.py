"""Twins: the same scenario with a few values changed, listed under ``twins:`` in its file.

    twins:
      pump_off: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}

A change is a dotted path and a value, as for ``--set``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.errors import shown
from simulator.scenario.complaints import Complaint
from simulator.scenario.records import LONGEST_TITLE, TWIN_NAME

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


def twin_title(title: str, changes: Overrides, name: str = "") -> str:
    """Title of a twin: its name, or the names of the values it changes."""
    what = name.replace("_", " ") or f"other {' and '.join(path.rpartition('.')[2] for path in changes)}"
    return f"{title}, {what}"[:LONGEST_TITLE]
