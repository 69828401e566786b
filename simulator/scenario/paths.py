"""Dotted paths, which name the values of a scenario, e.g. ``membranes.plasma.capacitance``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.physics.notation import format_quantity
from simulator.scenario.columns import Column
from simulator.scenario.quantity import Measured, Quantity, quantity_of
from simulator.scenario.records import Record

__all__ = ["Leaf", "ending_in", "leaves", "plain", "shortest_ending"]


@dataclass(frozen=True)
class Leaf:
    """One value of a scenario: its path, the value, and its unit and bounds if it is a number."""

    path: tuple[str, ...]
    value: Any
    quantity: Quantity | None

    @property
    def counts(self) -> bool:
        """Whether it is a whole number, such as a power or a number of molecules, which the equations contain."""
        return self.quantity is not None and self.quantity.whole

    def text(self) -> str:
        """The value with a readable unit, six significant digits."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return str(self.value) if self.quantity is None else format_quantity(self.value, self.quantity.unit)


def leaves(record: Record) -> Iterator[Leaf]:
    """Yield all values of a record in order, except those not given (None)."""
    for name, field in type(record).model_fields.items():
        yield from _walk((field.alias or name,), getattr(record, name), quantity_of(field))


def _walk(path: tuple[str, ...], value: Any, quantity: Quantity | None) -> Iterator[Leaf]:
    match value:
        case None:
            return
        case Record():
            for leaf in leaves(value):
                yield Leaf(path + leaf.path, leaf.value, leaf.quantity)
        case Mapping():
            for key, item in value.items():
                yield from _walk((*path, key), item, quantity)
        case tuple():
            for index, item in enumerate(value):
                yield from _walk((*path, str(index)), item, quantity)
        case Column():
            yield Leaf(path, str(value), None)
        case Measured():
            yield Leaf(path, float(value), (quantity or Quantity(value.unit)).of(value))
        case _:
            yield Leaf(path, value, None if isinstance(value, str) or quantity is None else quantity.of(value))


def plain(value: Any) -> Any:
    """Return a record as plain data (dict, list, text, number) without values that are not given."""
    match value:
        case Measured() | Column():
            return value.plain()
        case Record():
            items = ((f.alias or name, getattr(value, name)) for name, f in type(value).model_fields.items())
            return {key: plain(item) for key, item in items if item is not None}
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case tuple():
            return [plain(item) for item in value]
    return value


def ending_in(text: str, known: Collection[str]) -> list[str]:
    """Paths that a text names: the one that it is, else all that end in it, such as ``pump.max_rate``."""
    return [text] if text in known else [path for path in known if path.endswith(f".{text}")]


def shortest_ending(path: str, known: Collection[str]) -> str:
    """Shortest ending of a path that no other path ends in, from the label of a mechanism or a compartment on."""
    parts = path.split(".")
    labelled = {"mechanisms": 3, "compartments": 1, "membranes": 1}
    first = next((place for word, place in labelled.items() if word in parts[:place]), 0)
    endings = (".".join(parts[begin:]) for begin in range(first, 0, -1))
    return next((text for text in endings if ending_in(text, known) == [path]), path)
