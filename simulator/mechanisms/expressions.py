"""Rate expressions of a scenario: a small language, parsed with an allow-list, never by ``eval``.

It has numbers, names, ``+ - * / **``, ``exp log log10 sqrt sin cos tanh abs min max``, ``bern(x) = x/(e^x - 1)`` (1 at
x = 0) and ``where(a < b, x, y)``. An expression is called like any rate: with SymPy symbols, numbers, arrays or
quantities with units. What it costs is bounded, and a part that can have no value is refused
(:mod:`simulator.mechanisms.domain`).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from simulator.errors import not_offered, shown, suggestion
from simulator.mechanisms.dimension import Dimension, Dimensioned, DimensionError, dimension_in
from simulator.mechanisms.domain import constants, require_affordable, require_defined
from simulator.mechanisms.grammar import (
    ExpressionError,
    applied,
    fault,
    instead,
    is_name,
    name_of,
    nodes,
    parsed,
    parts,
)

__all__ = ["Expression", "ExpressionError"]


@dataclass(frozen=True)
class Expression:
    """A rate as text; call it with its names as keyword arguments.

    Parameters
    ----------
    text : str
        The expression. Parsing it raises :class:`ExpressionError` if it is invalid.
    """

    text: str

    @cached_property
    def tree(self) -> ast.expr:
        """The checked syntax tree."""
        tree = parsed(self.text)
        require_affordable(self.text, tree, constants(self.text, tree))
        return tree

    @cached_property
    def _constants(self) -> Mapping[ast.expr, int | float]:
        return constants(self.text, self.tree)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names used, in order of first appearance; a gate of another mechanism is ``label.gate``."""
        return tuple(dict.fromkeys(name_of(node) for node, _ in nodes(self.tree) if is_name(node)))

    def __call__(self, **names: Any) -> Any:
        """Evaluate with the given value of each name."""
        return self._value(self.tree, names)

    def _value(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        if node in self._constants:
            return self._constants[node]
        if is_name(node):
            return names[name_of(node)]
        values = [self._value(part, names) for part in parts(node)]
        try:
            return applied(node, values)
        except DimensionError as error:
            problem = error.problem
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(values) == 1:
                problem = f"the argument of {node.func.id} has a unit"  # which may use other functions inside
            raise fault(self.text, node, problem, error.expected, error.hint) from None

    def dimension(self, names: Mapping[str, Dimension]) -> Dimension:
        """Dimension of the value.

        Raises
        ------
        ExpressionError
            If a name is unknown, or units in a sum, comparison or function are incompatible.
        """
        for node, _ in nodes(self.tree):
            if is_name(node) and name_of(node) not in names:
                name = name_of(node)
                reason, way = not_offered(name)
                known = "" if reason else "one of " + ", ".join(names)
                problem, hint = (
                    reason or f"unknown name `{shown(name)}`",
                    way or instead(name) or suggestion(name, names),
                )
                raise fault(self.text, node, problem, known, hint)
        return dimension_in(self(**{name: Dimensioned(names[name]) for name in self.arguments}))

    def require_defined(self) -> None:
        """Raise an :class:`ExpressionError` at a part that has no finite value for any values of its names."""
        require_defined(self.text, self.tree, self._constants)

    def undefined_part(self, names: Mapping[str, Any]) -> str:
        """Text of the innermost part that is infinite or undefined for some of the given values; empty if none is."""
        with np.errstate(all="ignore"):
            for node, _ in reversed(list(nodes(self.tree))):
                if not np.all(np.isfinite(self._value(node, names))):
                    return ast.get_source_segment(self.text.strip(), node) or self.text
        return ""

    def require_differences(self, temperatures: Mapping[str, str]) -> None:
        """Raise unless names that have a zero point of their own are only added, subtracted or compared.

        Parameters
        ----------
        temperatures : mapping of str to str
            What each of them is in kelvin, for the message.
        """
        for node, _ in nodes(self.tree):
            match node:
                case ast.BinOp(op=ast.Add() | ast.Sub()) | ast.Compare():
                    continue
                case ast.Call(func=ast.Name(id="min" | "max" | "where")):
                    continue
            for part in parts(node):
                if is_name(part) and name_of(part) in temperatures:
                    name = name_of(part)
                    raise fault(
                        self.text,
                        part,
                        f"`{name}` is a temperature in degC ({temperatures[name]}), not a difference of temperatures",
                        "a temperature that is added, subtracted or compared",
                        "give it in K: a difference of ten degrees is 10 K",
                    )
