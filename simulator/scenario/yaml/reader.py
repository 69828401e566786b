"""Read YAML text into a :class:`~simulator.scenario.scenario.Scenario`; the only module that reads YAML.

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
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from simulator.scenario.complaints import Complaint
from simulator.scenario.quantity import UNREADABLE, SiNumber
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.composer import Composer, Event, scalar
from simulator.scenario.yaml.faults import explain
from simulator.scenario.yaml.files import read_text
from simulator.scenario.yaml.issues import ConfigError, Issue
from simulator.scenario.yaml.tree import OVERRIDE, Node, Place, assigned, closest_path, find_place, merged, plain_data
from simulator.scenario.yaml.twins import Overrides, twins_in
from simulator.scenario.yaml.validation import complaints_of, empty_values, issue_at, position, validated

__all__ = ["ConfigError", "Issue", "Loaded", "from_resolved", "load_scenario", "read_config", "read_plain"]

LONGEST_CHAIN = 8

_KINDS: dict[type, Any] = {
    DocumentStartEvent: "document",
    MappingStartEvent: "mapping",
    SequenceStartEvent: "list",
    ScalarEvent: "scalar",
    AliasEvent: "alias",
    MappingEndEvent: "close",
    SequenceEndEvent: "close",
    StreamEndEvent: "end",
}


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
    """

    scenario: Scenario
    text: str
    origins: Mapping[str, str]
    warnings: tuple[Issue, ...] = ()
    tree: Node | None = None
    twins: Mapping[str, Overrides] = field(default_factory=dict)

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


def load_scenario(path: str | os.PathLike[str], overrides: Overrides | None = None) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : path
        YAML file.
    overrides : mapping, optional
        New values by dotted path: text with a unit, as on the command line, or SI numbers.

    Raises
    ------
    ConfigError
        With all problems found.
    """
    return read_config(path, overrides).scenario


def read_config(path: str | os.PathLike[str], overrides: Overrides | None = None) -> Loaded:
    """Read a scenario file and record the origin of each value.

    Parameters and errors are those of :func:`load_scenario`.
    """
    issues: list[Issue] = []
    text, tree = _read_chain(Path(path), issues, ())
    for key, value in (overrides or {}).items():
        tree = _overridden(tree, key, value, issues)
    issues += empty_values(tree, ())
    data = plain_data(tree, UNREADABLE)
    # Twins are separate runs, each with its own identity, so they are not part of this scenario.
    twins, wrong = twins_in(data.pop("twins", {}))
    issues += [issue_at(tree, c) for c in wrong]
    scenario, complaints = validated(data)
    # Unreadable and empty values have already been reported.
    known = {issue.key for issue in issues}
    issues += [issue for c in complaints if (issue := issue_at(tree, c)).key not in known]
    if issues or scenario is None:
        raise ConfigError(sorted(issues, key=position))
    origins = {}
    for name, leaf in scenario.leaves().items():
        place, found = find_place(tree, leaf.path)
        origins[name] = str(place) if found else "default"
    return Loaded(scenario, text, origins, tuple(issue_at(tree, c) for c in scenario.warnings), tree, twins)


def from_resolved(text: str) -> Loaded:
    """Read the resolved scenario (JSON, SI numbers) stored in a data file.

    Raises
    ------
    ConfigError
        If it is not a scenario of this version.
    """
    try:
        data = json.loads(text)
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ConfigError(issue_at(None, complaint) for complaint in complaints_of(error)) from None
    except (ValueError, RecursionError):
        raise ConfigError([Issue("", None, None, "", "the stored scenario is not readable JSON")]) from None
    return Loaded(scenario, text, dict.fromkeys(scenario.leaves(), "data file"))


def read_plain(path: str | os.PathLike[str]) -> Any:
    """Read any YAML file as plain data, with the same limits and refusals as a scenario.

    Raises
    ------
    ConfigError
        If it is not readable.
    """
    issues: list[Issue] = []
    _, tree = _read_file(Path(path), issues)
    if issues:
        raise ConfigError(issues)
    return plain_data(tree)


def _overridden(tree: Node, key: str, value: Any, issues: list[Issue]) -> Node:
    try:
        return assigned(tree, key, _override_value(value, key, issues))
    except KeyError:
        close = closest_path(tree, key)
        hint = f"did you mean `{close}`?" if close else ""
        issues.append(Issue(OVERRIDE, None, None, key, "the scenario has nothing of this name", "", hint))
        return tree


def _override_value(value: Any, key: str, issues: list[Issue]) -> Node:
    """Return a node for a new value: text as after the colon in a file, or numbers in SI."""
    place = Place(OVERRIDE)
    if isinstance(value, str):
        found: list[Issue] = []
        if value[:1] in ("[", "{", '"', "'"):
            try:
                node = _moved(_composed(value, OVERRIDE, found), place)
            except ConfigError as error:
                found += error.issues
        else:
            content, problem = scalar(value.strip())
            node = Node(content, place)
            found += [Issue(OVERRIDE, None, None, key, problem, "a finite number")] if problem else []
        if found:
            issues += [Issue(OVERRIDE, None, None, key, i.problem, i.expected, i.hint) for i in found]
            return Node(UNREADABLE, place)
        return node
    if isinstance(value, Mapping):
        content = {str(name): _override_value(item, key, issues) for name, item in value.items()}
        return Node(content, place, dict.fromkeys(content, place))
    if isinstance(value, list | tuple):
        return Node([_override_value(item, key, issues) for item in value], place)
    if isinstance(value, bool) or value is None:
        return Node(value, place)
    return Node(SiNumber(value), place)


def _moved(node: Node, place: Place) -> Node:
    """Return the same tree with another place."""
    if isinstance(node.content, dict):
        content: Any = {key: _moved(child, place) for key, child in node.content.items()}
        return Node(content, place, dict.fromkeys(node.content, place))
    if isinstance(node.content, list):
        return Node([_moved(child, place) for child in node.content], place)
    return Node(node.content, place)


# -- files ----------------------------------------------------------------------------------------


def _read_chain(path: Path, issues: list[Issue], chain: tuple[str, ...]) -> tuple[str, Node]:
    """Read a file merged over the one it extends, recursively."""
    text, tree = _read_file(path, issues)
    if not isinstance(tree.content, dict):
        kinds = {list: "the file holds a list", type(None): "the file is empty"}
        problem = kinds.get(type(tree.content), "the file holds a single value")
        raise ConfigError(
            [Issue(str(path), tree.place.line, tree.place.column, "", problem, "a scenario: `key: value` lines")]
        )
    if "extends" not in tree.content:
        return text, tree
    base, place = tree.content["extends"].content, tree.keys["extends"]
    own = Node({k: v for k, v in tree.content.items() if k != "extends"}, tree.place, tree.keys)
    chain = (*chain, os.path.realpath(path))
    problem = _wrong_base(base, path, chain)
    if problem:
        raise ConfigError(
            [
                *issues,
                Issue(place.file, place.line, place.column, "extends", problem, "a scenario file beside this one"),
            ]
        )
    try:
        _, below = _read_chain(Path(os.path.normpath(path.parent / base)), issues, chain)
    except ConfigError as error:
        raise ConfigError([*issues, *error.issues]) from None
    return text, merged(below, own)


def _wrong_base(base: Any, path: Path, chain: tuple[str, ...]) -> str:
    """Return why a file cannot be extended; empty if it can."""
    if not isinstance(base, str) or "\0" in base:
        return "this is not a file name"
    if os.path.isabs(base) or base.startswith("~"):
        return f"`{base}` is an absolute path"
    if not base.endswith((".yaml", ".yml")):
        return f"`{base}` is not a YAML file"
    if os.path.realpath(path.parent / base) in chain:
        return f"`{base}` extends this file in turn"
    return f"more than {LONGEST_CHAIN} files extend each other" if len(chain) > LONGEST_CHAIN else ""


def _read_file(path: Path, issues: list[Issue]) -> tuple[str, Node]:
    text = read_text(path)
    return text, _composed(text, str(path), issues)


def _composed(text: str, file: str, issues: list[Issue]) -> Node:
    return Composer(_events(text, file, issues), file, issues).document()


def _events(text: str, file: str, issues: list[Issue]) -> Iterator[Event]:
    """Yield the events of the YAML parser, and report its errors in plain words."""
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if (kind := _KINDS.get(type(event))) is not None:
                yield Event(
                    kind,
                    event.start_mark.line + 1,
                    event.start_mark.column + 1,
                    str(getattr(event, "value", "")),
                    getattr(event, "tag", None),
                    getattr(event, "anchor", None),
                    plain=not getattr(event, "style", None),
                )
    except MarkedYAMLError as error:
        fault = explain(error.problem, error.context, error.problem_mark, error.context_mark, text)
        found = Issue(file, fault.line, fault.column, "", fault.problem, "", fault.hint)
        raise ConfigError([*issues, found]) from None
    except ConfigError:
        raise
    except Exception:  # the parser fails on some odd bytes; no input may cause a traceback
        raise ConfigError([*issues, Issue(file, None, None, "", "this is not valid YAML")]) from None
