"""Build a tree of nodes from the events of a YAML parser: core data only, bounded depth and expansion."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from simulator.errors import shown
from simulator.scenario.quantity import UNREADABLE
from simulator.scenario.yaml.issues import ConfigError, Issue
from simulator.scenario.yaml.tree import Node, Place

__all__ = ["Composer", "Event", "scalar"]

DEEPEST = 64
MOST_NODES = 100_000
LONGEST_NUMBER = 300

_CORE = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", "")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Event:
    """An event of the YAML parser from its position to its end; for values also text, tag, anchor, whether unquoted."""

    kind: Literal["document", "mapping", "list", "scalar", "alias", "close", "end"]
    line: int
    column: int
    value: str = ""
    tag: str | None = None
    anchor: str | None = None
    plain: bool = False
    end: tuple[int, int] | None = None


class Composer:
    """Builds nodes from a parser's events, within limits.

    Parameters
    ----------
    events : iterator of Event
        All events of the text.
    file : str
        Name of the text in messages.
    issues : list of Issue
        Receives the problems that do not stop the reading; the others raise :class:`ConfigError`.
    """

    def __init__(self, events: Iterator[Event], file: str, issues: list[Issue]) -> None:
        self.events, self.file, self.issues = events, file, issues
        self.anchors: dict[str, tuple[Node, int, int]] = {}  # node, number of values, levels
        self.count = self.reached = 0

    def document(self) -> Node:
        """Return the only document of the text."""
        while (event := next(self.events)).kind != "document":
            if event.kind == "end":
                raise self._refused(None, "the file holds only comments")
        node = self._node(next(self.events), (), 0)
        while (event := next(self.events)).kind != "end":
            if event.kind == "document":
                raise self._refused(event, "a second document starts here (`---`)", "one scenario per file")
        return node

    def _place(self, event: Event) -> Place:
        return Place(self.file, event.line, event.column)

    def _issue(
        self, event: Event | None, path: tuple[str, ...], problem: str, expected: str = "", hint: str = ""
    ) -> Issue:
        place = self._place(event) if event is not None else Place(self.file)
        return Issue(self.file, place.line, place.column, ".".join(path), problem, expected, hint)

    def _refused(self, event: Event | None, problem: str, expected: str = "") -> ConfigError:
        return ConfigError([*self.issues, self._issue(event, (), problem, expected)])

    def _node(self, event: Event, path: tuple[str, ...], depth: int) -> Node:
        """Return one node with all its descendants."""
        if event.kind == "alias":
            if event.anchor not in self.anchors:
                raise self._refused(event, f"`*{event.anchor}` refers to no anchor above it")
            node, size, levels = self.anchors[event.anchor]
            self._count(event, size)
            self._reach(event, depth + levels)
            return node
        before, reached, self.reached = self.count, self.reached, depth
        self._count(event, 1)
        self._reach(event, depth)
        place = self._place(event)
        if event.kind == "mapping":
            self._check_tag(event, path, "map")
            node = self._mapping(place, path, depth)
        elif event.kind == "list":
            self._check_tag(event, path, "seq")
            items: list[Node] = []
            while (item := next(self.events)).kind != "close":
                items.append(self._node(item, (*path, str(len(items))), depth + 1))
            node = Node(items, place)
        else:
            node = Node(self._scalar(event, path), place, end=event.end)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.count - before, self.reached - depth)
        self.reached = max(reached, self.reached)
        return node

    def _mapping(self, place: Place, path: tuple[str, ...], depth: int) -> Node:
        content: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: dict[str, Node] = {}
        while (event := next(self.events)).kind != "close":
            key = self._key(event, path, depth)
            name = key if key is not None else "?"
            value = self._node(next(self.events), (*path, name), depth + 1)
            if key is None:
                # A merge key is reported already; with what it stands for, nothing else seems to be missing.
                merged |= value.content if event.value == "<<" and isinstance(value.content, dict) else {}
                continue
            if key in content:
                problem = f"`{key}` is given twice; the first is in line {keys[key].line}"
                self.issues.append(self._issue(event, (*path, key), problem, "", "keep one of them"))
                continue
            content[key], keys[key] = value, self._place(event)
        keys = dict.fromkeys(merged, place) | keys
        return Node(merged | content, place, keys)

    def _key(self, event: Event, path: tuple[str, ...], depth: int) -> str | None:
        """Return the key, or None if a scenario cannot have such a key."""
        if event.kind != "scalar":
            self._node(event, (*path, "?"), depth + 1)
            self.issues.append(self._issue(event, path, "this key is not a plain word", "a key that is text"))
            return None
        self._count(event, 1)
        self._check_tag(event, path, "str")
        if event.value == "<<" and event.plain:
            problem = "merge keys (`<<`) are not supported"
            self.issues.append(self._issue(event, path, problem, "", "repeat the values, or use extends"))
            return None
        if event.plain and (_is_number(event.value) or event.value in _WORDS):
            self.issues.append(self._issue(event, path, f"the key `{event.value}` is not text", "a key that is text"))
            return None
        return event.value

    def _scalar(self, event: Event, path: tuple[str, ...]) -> Any:
        value, tag = event.value, event.tag
        if tag not in (None, "!"):
            self._check_tag(event, path, "str", "int", "float", "bool", "null")
        if not event.plain or tag in ("!", f"{_CORE}str"):
            return value
        found, problem = scalar(value)
        if problem:
            self.issues.append(self._issue(event, path, problem, "a finite number"))
        return found

    def _check_tag(self, event: Event, path: tuple[str, ...], *allowed: str) -> None:
        tag = event.tag
        if tag not in (None, "!") and tag not in {_CORE + kind for kind in allowed}:
            shown = tag.replace(_CORE, "!!")[:60]
            self.issues.append(self._issue(event, path, f"the tag `{shown}` is not allowed", "plain data without tags"))

    def _reach(self, event: Event, depth: int) -> None:
        self.reached = max(self.reached, depth)
        if depth > DEEPEST:
            problem = f"values are nested more than {DEEPEST} levels deep"
            raise self._refused(event, problem, "fewer levels")

    def _count(self, event: Event, nodes: int) -> None:
        self.count += nodes
        if self.count > MOST_NODES:
            problem = f"the file expands to more than {MOST_NODES} values"
            raise self._refused(event, problem, "a smaller file, with few aliases or none")


def scalar(text: str) -> tuple[Any, str]:
    """Return the value of an unquoted text and its problem; with a problem the value is NaN."""
    if text in _WORDS:
        return _WORDS[text], ""
    if _NON_FINITE.fullmatch(text):
        return UNREADABLE, f"`{text}` is not a finite number"
    if not _is_number(text):
        return text, ""
    too_large = UNREADABLE, f"`{shown(text)}` is too large to compute with"
    if len(text) > LONGEST_NUMBER:
        return too_large
    if _INTEGER.fullmatch(text):
        return int(text, 0 if text[1:2] in ("o", "x") else 10), ""
    return too_large if math.isinf(float(text)) else (float(text), "")


def _is_number(text: str) -> bool:
    return bool(_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text))
