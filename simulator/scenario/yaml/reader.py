"""YAML text -> :class:`~simulator.scenario.scenario.Scenario`.

All problems of a file are reported together, each with its place. A file is data: no tags but the
core ones, no merge keys, bounded size, depth and expansion.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulator.scenario.checks.start import why_overridden
from simulator.scenario.complaints import Complaint
from simulator.scenario.quantity import UNREADABLE
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.extends import read_chain
from simulator.scenario.yaml.issues import ConfigError, Issue
from simulator.scenario.yaml.overrides import OVERRIDE, overridden, whole_path
from simulator.scenario.yaml.parser import read_file
from simulator.scenario.yaml.start import ReadEnd, started
from simulator.scenario.yaml.tables import with_tables
from simulator.scenario.yaml.tree import Node, find_place, plain_data
from simulator.scenario.yaml.twins import Overrides, twins_in, wrong_changes
from simulator.scenario.yaml.validation import complaints_of, empty_values, issue_at, position, validated

__all__ = ["ConfigError", "Issue", "Loaded", "from_resolved", "read_config", "read_plain"]


@dataclass(frozen=True)
class Loaded:
    """A scenario with the origin of its values.

    Parameters
    ----------
    scenario : Scenario
        The scenario.
    text : str
        The file as given.
    origins : dict
        For every value, by dotted path: ``file:line``, ``--set`` or ``default``.
    warnings : tuple of Issue
        What is allowed but probably unintended.
    tree : Node or None
        The tree it was read from; None for scenarios kept in data files.
    twins : mapping
        The changes of each twin, by its name under the key ``twins``.
    changes : mapping
        The new values given beside the file, by whole path.
    """

    scenario: Scenario
    text: str
    origins: Mapping[str, str]
    warnings: tuple[Issue, ...] = ()
    tree: Node | None = None
    twins: Mapping[str, Overrides] = field(default_factory=dict)
    changes: Overrides = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield every value as ``(path, text with unit, origin)``."""
        for path, leaf in self.scenario.leaves().items():
            yield path, leaf.text(), self.origins.get(path, "default")

    def issue(self, key: str, problem: str, expected: str = "", hint: str = "") -> Issue:
        """Return an issue about the value at a dotted path, with its place."""
        leaf = self.scenario.leaves().get(key)
        path = leaf.path if leaf is not None else tuple(key.split("."))
        if self.tree is None:
            return Issue("", None, None, key, problem, expected, hint)
        return issue_at(self.tree, Complaint(path, problem, expected, hint))


def read_config(
    path: str | os.PathLike[str], overrides: Overrides | None = None, read_end: ReadEnd | None = None
) -> Loaded:
    """Read a scenario file and record the origin of each value.

    Parameters
    ----------
    path : path
        YAML file.
    overrides : mapping, optional
        New values by dotted path: text with a unit, as on the command line, or SI numbers.
    read_end : callable, optional
        Reads the saved run that a scenario starts from, see :mod:`simulator.scenario.yaml.start`.

    Raises
    ------
    ConfigError
        With all problems found.
    """
    issues: list[Issue] = []
    text, tree = read_chain(Path(path), issues, ())
    changes: dict[str, str | float] = {}
    for key, value in (overrides or {}).items():
        whole = whole_path(tree, key)
        changes[whole] = value
        tree = overridden(tree, whole, value, issues)
    tree = with_tables(tree, issues)
    issues += empty_values(tree, ())
    data = plain_data(tree, UNREADABLE)
    # Twins are separate runs, each with its own identity, so they are not part of this scenario.
    twins, wrong = twins_in(data.pop("twins", {}))
    issues += [issue_at(tree, c) for c in wrong]
    if read_end is not None:
        issues += started(data, tree, read_end)
    scenario, complaints = validated(data)
    # Unreadable and empty values have already been reported.
    known = {issue.key for issue in issues}
    issues += [issue for c in complaints if (issue := issue_at(tree, c)).key not in known]
    if scenario is not None:
        leaves = scenario.leaves()
        useless = {key: why_overridden(key, leaves) for key in changes if key.partition(".")[0] != "start"}
        issues += [Issue(OVERRIDE, None, None, k, "this has no effect: " + why) for k, why in useless.items() if why]
    if scenario is not None and scenario.start is None and not issues and not overrides:
        issues += wrong_changes(tree, twins, str(path))
    if issues or scenario is None:
        raise ConfigError(sorted(issues, key=position))
    origins = {}
    for name, leaf in scenario.leaves().items():
        place, found = find_place(tree, leaf.path)
        default = scenario.start.source if scenario.start and leaf.path[0] == "start" else "default"
        origins[name] = str(place) if found else default
    return Loaded(scenario, text, origins, tuple(issue_at(tree, c) for c in scenario.warnings), tree, twins, changes)


def from_resolved(text: str) -> Loaded:
    """Read the resolved scenario (JSON, SI numbers) stored in a data file.

    Raises
    ------
    ConfigError
        If it is not a scenario of this version.
    """
    try:
        scenario = Scenario.model_validate(_with_keys_added_since(json.loads(text)))
    except ValidationError as error:
        raise ConfigError(issue_at(None, complaint) for complaint in complaints_of(error)) from None
    except (ValueError, RecursionError):
        raise ConfigError([Issue("", None, None, "", "the stored scenario is not readable JSON")]) from None
    return Loaded(scenario, text, dict.fromkeys(scenario.leaves(), "data file"))


def _with_keys_added_since(data: Any) -> Any:
    """A stored scenario from before ``area_change`` was a key: areas that came from a shape followed the volume."""
    membranes, compartments = (
        data.get(key) if isinstance(data, dict) else None for key in ("membranes", "compartments")
    )
    if isinstance(membranes, dict) and isinstance(compartments, dict):
        for m in membranes.values():
            inside = compartments.get(str(m.get("inside"))) if isinstance(m, dict) else None
            if isinstance(inside, dict) and "geometry" in inside and not {"area", "area_change"} & m.keys():
                m["area_change"] = "with_volume"
    return data


def read_plain(path: str | os.PathLike[str]) -> Any:
    """Read any YAML file as plain data, with the same limits and refusals as a scenario.

    Raises
    ------
    ConfigError
        If it is not readable.
    """
    issues: list[Issue] = []
    _, tree = read_file(Path(path), issues)
    if issues:
        raise ConfigError(issues)
    return plain_data(tree)
