"""Validate the data of a scenario file: a scenario, or all issues with their places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from simulator.physics.constants import FARADAY
from simulator.physics.units import QuantityError
from simulator.scenario.complaints import Complaint
from simulator.scenario.draft import FARADAY_RANGE
from simulator.scenario.quantity import UNREADABLE
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.issues import Issue
from simulator.scenario.yaml.tree import Node, Place, find_place

__all__ = ["complaints_of", "empty_values", "issue_at", "position", "validated"]


def validated(data: Any) -> tuple[Scenario | None, list[Complaint]]:
    """Return the scenario, or all complaints about it.

    Checks across keys need a whole scenario. Invalid values are therefore replaced by NaN (every comparison
    with it is false), unknown keys are dropped, and the checks run on the rest.
    """
    try:
        context = {"text": True, "faraday": _faraday_in(data)}
        return Scenario.model_validate(data, context=context), []
    except ValidationError as error:
        complaints = complaints_of(error)
    wrong = {c.location for c in complaints}
    todo = complaints
    for _ in range(2):
        for complaint in todo:
            _patch(data, complaint)
        collected: list[Complaint] = []
        try:
            Scenario.model_validate(data, context={**context, "collected": collected})
        except ValidationError as error:
            todo = complaints_of(error)
            continue
        complaints += [c for c in collected if c.location not in wrong and c not in complaints]
        break
    return None, complaints


def _faraday_in(data: Any) -> float:
    """The Faraday constant that a scenario sets, where it can be read; values that are currents are read with it."""
    given = data.get("faraday") if isinstance(data, dict) else None
    try:
        return float(FARADAY_RANGE.read(given, text=True)) if given is not None else FARADAY
    except QuantityError:
        return FARADAY


def complaints_of(error: ValidationError) -> list[Complaint]:
    """Return the complaints in a validation error."""
    return [Complaint.of(e["loc"], e["ctx"]) for e in error.errors(include_url=False)]


def _patch(data: Any, complaint: Complaint) -> None:
    *above, last = complaint.location or ("",)
    for step in above:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict):
        if complaint.unknown_key:
            data.pop(last, None)
        else:
            data[last] = UNREADABLE
    elif isinstance(data, list) and isinstance(last, int) and last < len(data):
        data[last] = UNREADABLE


def issue_at(tree: Node | None, complaint: Complaint) -> Issue:
    """Return a complaint with its place in the tree."""
    key = ".".join(str(part) for part in complaint.location)
    place = find_place(tree, complaint.location)[0] if tree is not None else Place("")
    return Issue(place.file, place.line, place.column, key, complaint.problem, complaint.expected, complaint.hint)


def position(issue: Issue) -> tuple[bool, str, int, int]:
    """Sort key of an issue: file and line; issues without a line come last."""
    return issue.line is None, issue.file, issue.line or 0, issue.column or 0


def empty_values(node: Node, path: tuple[str, ...]) -> Iterator[Issue]:
    """Yield issues about keys without a value, which would otherwise be taken as their defaults."""
    children: Any = node.content
    if isinstance(children, list):
        children = {str(index): child for index, child in enumerate(children)}
    if not isinstance(children, dict):
        return
    for key, child in children.items():
        if child.content is None:
            place, name = node.place_of(key), ".".join((*path, key))
            yield Issue(
                place.file, place.line, place.column, name, "there is no value", "", "write one, or leave the key out"
            )
        else:
            yield from empty_values(child, (*path, key))
