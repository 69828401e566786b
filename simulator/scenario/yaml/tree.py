"""A scenario file as a tree of nodes with their positions, not yet interpreted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Node", "Place", "find_place", "plain_data"]


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
    end : tuple of int, optional
        Line and column (from 1) behind a scalar that stands in a file.
    """

    content: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    end: tuple[int, int] | None = None

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
