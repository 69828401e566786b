"""Put new values into the text of a scenario file, so that its comments and layout stay.

A value is replaced where it stands, in the unit that it has there and with all its digits. What cannot be changed in
place becomes a short file that extends the given one: values of a file that extends another, values that an alias
shares, blocks and lists that are replaced whole, a start that is taken away.
"""

from __future__ import annotations

import json
import os
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, DivisionByZero, InvalidOperation
from pathlib import Path
from typing import Any

from simulator.errors import UsageError
from simulator.physics.units import QuantityError, parse_quantity
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.extends import read_chain
from simulator.scenario.yaml.overrides import first_step
from simulator.scenario.yaml.parser import composed
from simulator.scenario.yaml.tree import Node

__all__ = ["nested_lines", "rewritten", "spelled"]

_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_PLAIN = re.compile(r"[\w.+-][\w .+*/^%()µ-]*")

#: Units of values that a scenario may lack, and in which they are written; other units in which SI numbers are.
ADDED = {"potential": ("V", "mV"), "area": ("m^2", "um^2")}
USUAL = {"mol/m^3": "mM"}


def rewritten(
    source: Path, text: str, target: Path, values: Mapping[str, float | str], scenario: Scenario
) -> tuple[str, bool]:
    """Text of a scenario file with new values, and whether it extends the given file.

    Parameters
    ----------
    source : Path
        The given file.
    text : str
        Its text.
    target : Path
        Where the new text is going to be.
    values : mapping
        New values by dotted path: numbers in SI, or text as after ``--set``.
    scenario : Scenario
        The scenario that was read from it.
    """
    tree = composed(text, str(source), [])
    edits = _edits(tree, text, values, scenario)
    if edits is not None and not {"extends", "start"} & tree.content.keys():
        for begin, end, new in sorted(edits, reverse=True):
            text = text[:begin] + new + text[end:]
        return text, False
    _, whole = read_chain(source, [], ())
    return _overlay(source, target, values, scenario, whole), True


def spelled(scenario: Scenario, path: str, value: float, given: Any = None) -> str:
    """A number [SI] as a scenario file has it: in the unit of a given text if possible, read back to the same bits."""
    leaf = scenario.leaves().get(path)
    quantity = leaf.quantity if leaf is not None else None
    if quantity is None:
        unit, shown = ADDED[path.rpartition(".")[2]]
        return next(_candidates(value, f"1 {shown}", lambda t: parse_quantity(t, unit)), f"{value!r} {unit}")

    def read(text: Any) -> Any:
        return scenario.read_at(path, quantity, text, text=True)

    if quantity.unit == "1":
        return repr(int(value) if quantity.whole else value)
    texts = [given, f"1 {USUAL.get(quantity.unit, quantity.unit)}"]
    found = (spelling for text in texts if isinstance(text, str) for spelling in _candidates(value, text, read))
    return next(found, f"{value!r} {quantity.unit}")


def _candidates(value: float, given: str, read: Callable[[str], Any]) -> Iterator[str]:
    """Spellings of a number in the unit of a text that are read as this number, the shortest first."""
    match = _NUMBER.match(given)
    if match is None:
        return
    unit = given[match.end() :]
    with suppress(QuantityError, DivisionByZero, InvalidOperation):
        exact = Decimal(value) / Decimal(float(read(f"1{unit}")))
        for digits in (15, 16, 17, 18, 18):
            mantissa, e, power = f"{exact:.{digits}g}".partition("e")
            text = (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + e + power + unit
            found = float(read(text))
            if found == value:
                yield text
            elif digits == 18:  # the size of the unit was rounded, too
                exact *= Decimal(value) / Decimal(found)


def _edits(
    tree: Node, text: str, values: Mapping[str, float | str], scenario: Scenario
) -> list[tuple[int, int, str]] | None:
    """Parts of a text to replace, from and to which place; None if some value cannot be replaced where it stands."""
    breaks = [0, *(match.end() for match in _BREAK.finditer(text))]
    shared = {node for node, count in _visits(tree).items() if count > 1}
    found: list[tuple[int, int, str]] = []
    added: dict[int, list[str]] = {}
    for path, value in values.items():
        nodes = _way(tree, path)
        node = nodes[-1]
        if node is None:
            parent = nodes[-2]
            if parent is None or any(id(n) in shared for n in nodes[:-1]):
                return None
            if not isinstance(parent.content, dict) or not parent.content:
                return None
            begin = breaks[(parent.place.line or 1) - 1] + (parent.place.column or 1) - 1
            new = value if isinstance(value, str) else spelled(scenario, path, value)
            added.setdefault(begin, []).append(f"{path.rpartition('.')[2]}: {_quoted(new)}")
            continue
        if node.end is None or any(id(n) in shared for n in nodes):
            return None
        begin = breaks[(node.place.line or 1) - 1] + (node.place.column or 1) - 1
        end = breaks[node.end[0] - 1] + node.end[1] - 1
        new = value if isinstance(value, str) else spelled(scenario, path, value, node.content)
        found.append((begin, end, _quoted(new)))
    line_break = "\r\n" if "\r\n" in text else "\n"
    for begin, items in added.items():
        if text[begin] == "{":
            found.append((begin + 1, begin + 1, "".join(f"{item}, " for item in items)))
        else:
            indent = begin - breaks[bisect_right(breaks, begin) - 1]
            found.append((begin, begin, "".join(f"{item}{line_break}{' ' * indent}" for item in items)))
    return found


def _visits(node: Node) -> Counter[int]:
    """How often each node is met: more than once if an alias repeats it."""
    found, waiting = Counter[int](), [node]
    while waiting:
        node = waiting.pop()
        found[id(node)] += 1
        if found[id(node)] == 1:
            waiting += node.content.values() if isinstance(node.content, dict) else ()
            waiting += node.content if isinstance(node.content, list) else ()
    return found


def _way(tree: Node, path: str) -> list[Node | None]:
    """Nodes from the root to a dotted path; the last is None if only that one is missing, the last two if more are."""
    found: list[Node | None] = [tree]
    node: Node | None = tree
    while path:
        assert node is not None
        name, path = first_step(node, path)
        node = node.child(name)
        found.append(node)
        if node is None:
            return [*found, None] if path else found
    return found


def _overlay(source: Path, target: Path, values: Mapping[str, float | str], scenario: Scenario, tree: Node) -> str:
    """Text of a file that extends the given one, whose whole tree is known."""
    if source.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{source} is not called .yaml, so no file can extend it", "rename it")
    base = os.path.relpath(os.path.realpath(source), os.path.realpath(target.parent))
    lines = [f"extends: {json.dumps(base)}", *(["start:"] if tree.child("start") is not None else [])]
    listed = [path for path in values if path.partition(".")[0] in ("protocol", "sweep") and "." in path]
    if listed:
        problem = f"{listed[0]} stands in a list, which a file that extends {source} could only replace whole"
        raise UsageError(problem, "change a copy of the scenario that holds the list itself")
    texts = {}
    for path, value in values.items():
        node = _way(tree, path)[-1]
        given = None if node is None else node.content
        texts[path] = value if isinstance(value, str) else spelled(scenario, path, value, given)
    return "\n".join([*lines, *nested_lines(texts)]) + "\n"


def nested_lines(values: Mapping[str, str]) -> list[str]:
    """Lines of YAML with values by dotted path, spelled as after a colon."""
    nested: dict[str, Any] = {}
    for path, text in values.items():
        *above, last = path.split(".")
        place = nested
        for name in above:
            place = place.setdefault(name, {})
        place[last] = _quoted(text)
    return list(_lines(nested, ""))


def _lines(nested: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{key}: {value}"


def _quoted(text: str) -> str:
    """A value as it stands after a colon."""
    return text if text[:1] in ("[", "{", '"', "'") or _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
