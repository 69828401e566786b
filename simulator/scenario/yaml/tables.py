"""CSV files that a scenario names: points of a waveform (``{table: command.csv}``), the design of a sweep.

A table of points has two columns, time and value, and a head that gives their units: ``time [ms],command [mV]``.
A design (``sweep: {mode: table, file: design.csv}``) is read by :mod:`simulator.scenario.yaml.designs`.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from simulator.errors import shown
from simulator.scenario.quantity import UNREADABLE
from simulator.scenario.yaml.composer import scalar
from simulator.scenario.yaml.designs import columns_of
from simulator.scenario.yaml.files import read_text
from simulator.scenario.yaml.issues import ConfigError, Issue
from simulator.scenario.yaml.tree import Node, Place

__all__ = ["with_tables"]

_HEAD = re.compile(r"[^\[(]*[\[(]\s*([^\])]+?)\s*[\])]\s*")

_EXPECTED = "a head with units, e.g. `time [ms],command [mV]`, and a time and a value in each line below"


def with_tables(node: Node, issues: list[Issue], path: tuple[str, ...] = ()) -> Node:
    """The tree with the numbers of each table in it; what is wrong is added to `issues`.

    A file is looked for beside the scenario file that names it.
    """
    if isinstance(node.content, list):
        items = [with_tables(child, issues, (*path, str(i))) for i, child in enumerate(node.content)]
        return Node(items, node.place)
    if not isinstance(node.content, dict):
        return node
    if path[:1] == ("protocol",) and set(node.content) == {"table"}:
        return _points(node.content["table"], issues, ".".join((*path, "table")))
    mode = node.child("mode")
    if path[:1] == ("sweep",) and "file" in node.content and mode is not None and mode.content == "table":
        return _with_design(node, issues, ".".join((*path, "file")))
    kept = {key: child for key, child in node.content.items() if path or key in ("protocol", "sweep")}
    read = {key: with_tables(child, issues, (*path, key)) for key, child in kept.items()}
    return Node({**node.content, **read}, node.place, node.keys)


def _beside(named: Node, issues: list[Issue], key: str) -> Path | None:
    """The file that a scenario file names, as seen from it; None, with an issue, for what is no name."""
    place = named.place
    if isinstance(named.content, str) and named.content and "\0" not in named.content:
        return Path(place.file).parent / named.content
    issues.append(Issue(place.file, place.line, place.column, key, "this is not a file name", "a CSV file"))
    return None


def _with_design(sweep: Node, issues: list[Issue], key: str) -> Node:
    """A sweep with the columns of its file, and of the path of the file only the name."""
    named = sweep.content["file"]
    columns = sweep.content.get("columns")
    file = _beside(named, issues, key)
    if file is None:
        read = None
    elif columns is not None:
        place = columns.place
        problem = "`file` and `columns` both say what varies"
        issues.append(Issue(place.file, place.line, place.column, key, problem, "one of them"))
        read = None
    else:
        read = columns_of(file, named, issues, key)
    name = named if file is None else Node(file.name, named.place)
    content = {**sweep.content, "file": name, "columns": read or Node({}, named.place)}
    return Node(content, sweep.place, {**sweep.keys, "columns": named.place})


def _points(named: Node, issues: list[Issue], key: str) -> Node:
    """Times and values of a table; an unreadable value if there are none."""
    place, unread = named.place, Node(UNREADABLE, named.place)
    file = _beside(named, issues, key)
    if file is None:
        return unread
    try:
        rows = list(csv.reader(read_text(file).splitlines()))
    except (ConfigError, csv.Error) as error:
        problem = error.issues[0].problem if isinstance(error, ConfigError) else str(error)
        text = f"`{shown(named.content)}`: {problem}"
        expected = f"a CSV file beside this one with {_EXPECTED}"
        issues.append(Issue(place.file, place.line, place.column, key, text, expected))
        return unread
    heads = [_HEAD.fullmatch(head) for head in rows[0]]
    if len(heads) != 2 or not all(heads):
        problem, hint = "the first line does not give two units", _separated_otherwise(rows[0])
        issues.append(Issue(str(file), 1, None, key, problem, _EXPECTED, hint))
        return unread
    columns: tuple[list[Node], list[Node]] = ([], [])
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        wrong = len(row) != 2 or any(isinstance(scalar(cell.strip())[0], str) for cell in row)
        if wrong:
            issues.append(Issue(str(file), line, None, key, "this line has no time and value", "two numbers"))
            return unread
        for column, cell, head in zip(columns, row, heads, strict=True):
            assert head is not None
            column.append(Node(f"{cell.strip()} {head[1]}", Place(str(file), line)))
    content: dict[str, Any] = {
        name: Node(nodes, place) for name, nodes in zip(("times", "values"), columns, strict=True)
    }
    return Node(content, place, dict.fromkeys(content, place))


def _separated_otherwise(head: list[str]) -> str:
    """Hint about a first line whose columns are not separated by commas."""
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(head) == 1 and mark in head[0]:
            return f"the columns are separated by {name}; save the table with commas between them and decimal points"
    return ""
