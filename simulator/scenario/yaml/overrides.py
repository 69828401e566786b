"""New values by dotted path (``--set``, twins, Python), put into the tree of a scenario file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.scenario.paths import ending_in
from simulator.scenario.quantity import UNREADABLE, SiNumber
from simulator.scenario.yaml.composer import scalar
from simulator.scenario.yaml.issues import ConfigError, Issue
from simulator.scenario.yaml.parser import composed
from simulator.scenario.yaml.tree import Node, Place

__all__ = ["OVERRIDE", "first_step", "overridden", "whole_path"]

#: Where such a value is said to come from.
OVERRIDE = "--set"

#: Blocks in which the paths of other values stand, or names of the user's own.
NAMING = ("twins", "protocol", "sweep", "measure")


def whole_path(tree: Node, key: str) -> str:
    """The path of a new value: the one given, or else the only one that ends in it, as in ``pump.max_rate``."""
    head, rest = first_step(tree, key)
    if not rest or head == "start" or tree.child(head) is not None:
        return key
    block, _, name = key.rpartition(".")
    for ending, more in ((key, ""), (block, f".{name}")):  # the name itself may be new
        named = _named(tree, ending)
        if named:
            return f"{named[0]}{more}" if len(named) == 1 else key
    return key


def _named(tree: Node, ending: str) -> list[str]:
    return ending_in(ending, [path for path in _paths(tree, "") if path.partition(".")[0] not in NAMING])


def overridden(tree: Node, key: str, value: Any, issues: list[Issue]) -> Node:
    """Put one new value into the tree of a scenario; what is wrong with it is added to `issues`."""
    if key.startswith("start.") and tree.child("start") is None:  # a file may leave out the block
        tree = assigned(tree, "start", Node({}, Place(OVERRIDE)))
    try:
        return assigned(tree, key, _override_value(value, key, issues))
    except KeyError:
        named = _named(tree, key) or _named(tree, key.rpartition(".")[0])
        if named:
            problem, hint = f"this names {' and '.join(named)}", "write more of the path"
        else:
            close = closest_path(tree, key)
            problem, hint = "there is nothing of this name in the scenario", f"did you mean `{close}`?" if close else ""
        issues.append(Issue(OVERRIDE, None, None, key, problem, "", hint))
        return tree


def _override_value(value: Any, key: str, issues: list[Issue]) -> Node:
    """A node for a new value: text as after the colon in a file, numbers in SI."""
    place = Place(OVERRIDE)
    if isinstance(value, str):
        found: list[Issue] = []
        if value[:1] in ("[", "{", '"', "'"):
            try:
                node = _moved(composed(value, OVERRIDE, found), place)
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
    if isinstance(value, bool | np.ndarray) or value is None:  # an array is a column of a design
        return Node(value, place)
    return Node(SiNumber(value), place)


def _moved(node: Node, place: Place) -> Node:
    """The same tree with another place."""
    if isinstance(node.content, dict):
        content: Any = {key: _moved(child, place) for key, child in node.content.items()}
        return Node(content, place, dict.fromkeys(node.content, place))
    if isinstance(node.content, list):
        return Node([_moved(child, place) for child in node.content], place)
    return Node(node.content, place)


def assigned(node: Node, path: str, value: Node) -> Node:
    """A copy of the tree with one value put at a dotted path.

    The last key may be new (whether it is allowed is for validation to say), the others must exist.

    Raises
    ------
    KeyError
        If there is nothing to put the value into; the argument is the part of the path that is missing.
    """
    name, rest = first_step(node, path)
    if not rest:
        child = value
        if not isinstance(node.content, dict) and node.child(name) is None:
            raise KeyError(path)
    else:
        below = node.child(name)
        if below is None:
            raise KeyError(path)
        child = assigned(below, rest, value)
    if isinstance(node.content, dict):
        place = value.place if not rest else node.keys.get(name, value.place)
        return replace(node, content={**node.content, name: child}, keys={**node.keys, name: place})
    return replace(node, content=[child if i == int(name) else item for i, item in enumerate(node.content)])


def first_step(node: Node, path: str) -> tuple[str, str]:
    """First key and the rest; keys with dots in them (in ``set:``) are taken whole."""
    if isinstance(node.content, dict):
        whole = [key for key in node.content if path == key or path.startswith(f"{key}.")]
        if whole:
            name = max(whole, key=len)
            return name, path[len(name) + 1 :]
    name, _, rest = path.partition(".")
    return name, rest


def closest_path(node: Node, path: str) -> str:
    """The existing dotted path most like the given one, or that ends in what is most like it; empty if none is."""
    paths, steps = list(_paths(node, "")), path.count(".") + 1
    endings = {".".join(found.split(".")[-steps:]): found for found in paths if found.partition(".")[0] not in NAMING}
    known = endings | {found: found for found in paths}
    close = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
    return known[close[0]] if close else ""


def _paths(node: Node, prefix: str) -> Iterator[str]:
    children: dict[str, Node] = {}
    if isinstance(node.content, dict):
        children = node.content
    elif isinstance(node.content, list):
        children = {str(index): item for index, item in enumerate(node.content[:100])}
    for key, child in children.items():
        yield prefix + key
        yield from _paths(child, f"{prefix}{key}.")
