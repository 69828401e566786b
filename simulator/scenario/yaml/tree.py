"""A scenario file as a tree of nodes with their positions, not yet interpreted."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Node", "Place", "assigned", "find_place", "merged", "plain_data"]

OVERRIDE = "--set"


@dataclass(frozen=True)
class Place:
    """File, line and column (from 1) of a key or value; no line if it came from the command line."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Node:
    """A value: a scalar, a dict of nodes or a list of nodes.

    Parameters
    ----------
    content : scalar, dict of str to Node, or list of Node
        What it holds.
    place : Place
        Its position.
    keys : dict of str to Place
        Positions of the keys of a dict.
    """

    content: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)

    def child(self, name: str) -> Node | None:
        """Node under a key or list index; None if there is none."""
        if isinstance(self.content, dict):
            found: Node | None = self.content.get(name)
            return found
        if isinstance(self.content, list) and name.isdecimal() and len(name) < 8 and int(name) < len(self.content):
            item: Node = self.content[int(name)]
            return item
        return None

    def place_of(self, name: str) -> Place:
        """Position of a child's key (in a list: of the child)."""
        child = self.child(name)
        return self.keys.get(name) or (child.place if child is not None else self.place)


def plain_data(node: Node, empty: Any = None) -> Any:
    """Return the tree as dicts, lists and scalars, with `empty` for missing values."""
    if isinstance(node.content, dict):
        return {key: plain_data(child, empty) for key, child in node.content.items()}
    if isinstance(node.content, list):
        return [plain_data(child, empty) for child in node.content]
    return empty if node.content is None else node.content


def find_place(node: Node, path: Sequence[str | int]) -> tuple[Place, bool]:
    """Return the position of a path, or of its nearest existing ancestor, and whether the path exists."""
    place = node.place
    for name in map(str, path):
        child = node.child(name)
        if child is None:
            return place, False
        place, node = node.place_of(name), child
    return place, True


def merged(base: Node, over: Node) -> Node:
    """Merge one tree over another.

    Mappings merge key by key, anything else replaces. An empty value removes the base's key, and a
    mechanism of another law replaces the whole mechanism.
    """
    if not isinstance(base.content, dict) or not isinstance(over.content, dict) or _other_law(base, over):
        return over
    content, keys = dict(base.content), dict(base.keys)
    for key, node in over.content.items():
        if node.content is None and key in base.content:
            del content[key], keys[key]
        else:
            content[key] = merged(base.content[key], node) if key in base.content else node
            keys[key] = over.keys[key]
    return Node(content, over.place, keys)


def _other_law(base: Node, over: Node) -> bool:
    laws = [node.child("law") for node in (base, over)]
    return all(law is not None for law in laws) and len({str(law.content) for law in laws if law is not None}) == 2


def assigned(node: Node, path: str, value: Node) -> Node:
    """Return a copy of the tree with a new value at a dotted path.

    The last key may be new (validation decides whether it is allowed); the others must exist.

    Raises
    ------
    KeyError
        If nothing can hold the value; the argument is the missing part of the path.
    """
    name, rest = _step(node, path)
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


def _step(node: Node, path: str) -> tuple[str, str]:
    """Split off the first key; keys that contain dots (in ``set:``) stay whole."""
    if isinstance(node.content, dict):
        whole = [key for key in node.content if path == key or path.startswith(f"{key}.")]
        if whole:
            name = max(whole, key=len)
            return name, path[len(name) + 1 :]
    name, _, rest = path.partition(".")
    return name, rest


def closest_path(node: Node, path: str) -> str:
    """Return the existing dotted path most similar to the given one; empty if none is similar."""
    close = difflib.get_close_matches(path, list(_paths(node, "")), n=1, cutoff=0.6)
    return close[0] if close else ""


def _paths(node: Node, prefix: str) -> Iterator[str]:
    children: dict[str, Node] = {}
    if isinstance(node.content, dict):
        children = node.content
    elif isinstance(node.content, list):
        children = {str(index): item for index, item in enumerate(node.content[:100])}
    for key, child in children.items():
        yield prefix + key
        yield from _paths(child, f"{prefix}{key}.")
