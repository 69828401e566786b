"""Rate expressions of a scenario: a small language, parsed with an allow-list, never by ``eval``.

It has numbers, names, ``+ - * / **``, ``exp log log10 sqrt sin cos tanh abs min max``, ``bern(x) = x/(e^x - 1)`` (1 at
x = 0) and ``where(a < b, x, y)``. An expression is called like any rate: with SymPy symbols, numbers, arrays or
quantities with units.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from simulator.errors import shown, suggestion
from simulator.physics import special

__all__ = ["DIMENSIONLESS", "Expression", "ExpressionError"]

#: Exponents of (metre, kilogram, second, ampere, kelvin, mole); roots make them fractions.
Dimension = tuple[Fraction, ...]
DIMENSIONLESS: Dimension = (Fraction(0),) * 6

LONGEST, MOST_NODES, DEEPEST = 2000, 500, 40

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type, Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def _maximum(a: Any, b: Any) -> Any:
    return special.choose(a - b, a, b)


def _minimum(a: Any, b: Any) -> Any:
    return special.choose(a - b, b, a)


#: Functions by name: implementation and number of arguments.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "exp": (special.exp, 1),
    "log": (special.log, 1),
    "sqrt": (special.sqrt, 1),
    "tanh": (special.tanh, 1),
    "bern": (special.bern, 1),
    "log10": (special.log10, 1),
    "sin": (special.sin, 1),
    "cos": (special.cos, 1),
    "abs": (special.absolute, 1),
    "max": (_maximum, 2),
    "min": (_minimum, 2),
    "where": (special.choose, 3),
}


class ExpressionError(ValueError):
    """An error in an expression, with its position.

    Parameters
    ----------
    text : str
        The expression.
    column : int
        Position in the expression, from 0.
    problem, expected, hint : str
        What is wrong, what was expected, and a suggestion.
    """

    def __init__(self, text: str, column: int, problem: str, expected: str = "", hint: str = "") -> None:
        start = max(0, min(column, len(text)) - 20)
        excerpt = " ".join(text[start : start + 50].split())
        self.problem = f"{problem}, at character {column + 1} of the expression (`{shown(excerpt)}`)"
        self.expected, self.hint = expected, hint
        super().__init__(self.problem)


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
        text = self.text
        if len(text) > LONGEST:
            raise ExpressionError(text, LONGEST, "the expression is too long", f"at most {LONGEST} characters")
        try:
            body = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            hint = (
                "write a power as **" if "^" in text else "put numbers with units under parameters: and use their names"
            )
            raise ExpressionError(text, max((error.offset or 1) - 1, 0), "this cannot be read", "", hint) from None
        except (ValueError, RecursionError, MemoryError):
            raise ExpressionError(text, 0, "this cannot be read", "an expression") from None
        for count, (node, depth) in enumerate(_nodes(body)):
            if count > MOST_NODES or depth > DEEPEST:
                raise ExpressionError(text, 0, "the expression is too large", f"at most {MOST_NODES} terms")
            self._check(node)
        return body

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names used, in order of first appearance; a gate of another mechanism is ``label.gate``."""
        return tuple(dict.fromkeys(_name(node) for node, _ in _nodes(self.tree) if _is_name(node)))

    def __call__(self, **names: Any) -> Any:
        """Evaluate with the given value of each name."""
        return self._value(self.tree, names)

    def dimension(self, names: Mapping[str, Dimension]) -> Dimension:
        """Dimension of the value.

        Raises
        ------
        ExpressionError
            If a name is unknown, or units in a sum, comparison or function are incompatible.
        """
        return self._dimension(self.tree, names)

    def require_differences(self, temperatures: Mapping[str, str]) -> None:
        """Raise unless names that have a zero point of their own are only added, subtracted or compared.

        Parameters
        ----------
        temperatures : mapping of str to str
            What each of them is in kelvin, for the message.
        """
        for node, _ in _nodes(self.tree):
            match node:
                case ast.BinOp(op=ast.Add() | ast.Sub()) | ast.Compare():
                    continue
                case ast.Call(func=ast.Name(id="min" | "max" | "where")):
                    continue
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr) and _is_name(part) and _name(part) in temperatures:
                    name = _name(part)
                    raise self._error(
                        part,
                        f"`{name}` is a temperature in degC ({temperatures[name]}), not a difference of temperatures",
                        "a temperature that is added, subtracted or compared",
                        "give it in K: a difference of ten degrees is 10 K",
                    )

    # -- reading ----------------------------------------------------------------------------------

    def _check(self, node: ast.expr) -> None:
        if _is_name(node):
            return
        match node:
            case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
                if abs(value) > 1e300:
                    raise self._error(node, "this number is too large")
            case ast.BinOp(op=op) if type(op) in _OPERATORS:
                pass
            case ast.BinOp(op=ast.BitXor()):
                raise self._error(node, "`^` does not mean a power", "", "write **")
            case ast.UnaryOp(op=op) if type(op) in _SIGNS:
                pass
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                self._check_call(node, name, len(args))
            case ast.Compare(ops=[op]) if isinstance(op, _COMPARISONS):
                pass
            case _:
                raise self._error(node, "this is not allowed here", "numbers, names, + - * / ** and functions")

    def _check_call(self, node: ast.Call, name: str, count: int) -> None:
        if name not in FUNCTIONS:
            raise self._error(
                node, f"unknown function `{shown(name)}`", "one of " + ", ".join(FUNCTIONS), suggestion(name, FUNCTIONS)
            )
        if count != FUNCTIONS[name][1]:
            raise self._error(node, f"{name} takes {FUNCTIONS[name][1]} values, but {count} are given")
        if (name == "where") != isinstance(node.args[0], ast.Compare):
            raise self._error(
                node,
                f"{name} has the wrong kind of first argument",
                "a condition (a < b) first in where, and only there",
            )

    def _error(self, node: ast.expr, problem: str, expected: str = "", hint: str = "") -> ExpressionError:
        return ExpressionError(self.text.strip(), getattr(node, "col_offset", 0), problem, expected, hint)

    # -- computing --------------------------------------------------------------------------------

    def _value(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        if _is_name(node):
            return names[_name(node)]
        match node:
            case ast.Constant(value=value):
                return value
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](self._value(left, names), self._value(right, names))
            case ast.UnaryOp(op=op, operand=operand):
                return _SIGNS[type(op)](self._value(operand, names))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                difference = self._value(left, names) - self._value(right, names)
                return difference if isinstance(op, ast.Gt | ast.GtE) else -difference
            case ast.Call(func=ast.Name(id=name), args=args):
                return FUNCTIONS[name][0](*(self._value(arg, names) for arg in args))
        raise AssertionError(ast.dump(node))  # _check allows only the nodes above

    # -- dimensions -------------------------------------------------------------------------------

    def _dimension(self, node: ast.expr, names: Mapping[str, Dimension]) -> Dimension:
        if _is_name(node):
            name = _name(node)
            if name not in names:
                raise self._error(
                    node, f"unknown name `{shown(name)}`", "one of " + ", ".join(names), suggestion(name, names)
                )
            return names[name]
        match node:
            case ast.UnaryOp(operand=operand):
                return self._dimension(operand, names)
            case ast.BinOp(left=left, op=ast.Pow(), right=power):
                return self._power(self._dimension(left, names), power, names)
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
                sign = 1 if isinstance(op, ast.Mult) else -1
                pairs = zip(self._dimension(left, names), self._dimension(right, names), strict=True)
                return tuple(a + sign * b for a, b in pairs)
            case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
                return self._same(node, [left, right], names)
            case ast.Call(func=ast.Name(id="where"), args=[condition, *choices]):
                self._dimension(condition, names)
                return self._same(node, choices, names)
            case ast.Call(func=ast.Name(id="min" | "max"), args=args):
                return self._same(node, args, names)
            case ast.Call(func=ast.Name(id="abs"), args=[arg]):
                return self._dimension(arg, names)
            case ast.Call(func=ast.Name(id="sqrt"), args=[arg]):
                return tuple(exponent / 2 for exponent in self._dimension(arg, names))
            case ast.Call(func=ast.Name(id=name), args=[arg]):
                if self._dimension(arg, names) != DIMENSIONLESS:
                    raise self._error(
                        arg,
                        f"the argument of {name} has a unit",
                        "a plain number",
                        "divide it by a value with the same unit",
                    )
        return DIMENSIONLESS

    def _same(self, node: ast.expr, parts: list[ast.expr], names: Mapping[str, Dimension]) -> Dimension:
        first, second = (self._dimension(part, names) for part in parts)
        if first != second:
            raise self._error(node, "two values with different units are combined", "the same unit for both")
        return first

    def _power(self, base: Dimension, power: ast.expr, names: Mapping[str, Dimension]) -> Dimension:
        if self._dimension(power, names) != DIMENSIONLESS:
            raise self._error(power, "the exponent has a unit", "a plain number")
        if base == DIMENSIONLESS:
            return base
        sign, number = (-1, power.operand) if isinstance(power, ast.UnaryOp) else (1, power)
        if not isinstance(number, ast.Constant):
            raise self._error(power, "the exponent of a value with a unit is not a number", "a number, e.g. 2")
        exponent = sign * Fraction(str(number.value))
        return tuple(e * exponent for e in base)


def _is_name(node: ast.AST) -> bool:
    """Whether a node is a name, or ``label.gate``."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name))


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        assert isinstance(node.value, ast.Name)
        return f"{node.value.id}.{node.attr}"
    assert isinstance(node, ast.Name)
    return node.id


def _nodes(node: ast.expr, depth: int = 0) -> Iterator[tuple[ast.expr, int]]:
    """Yield the expressions of a tree and their depths, top down, without function names and parts of names."""
    yield node, depth
    if _is_name(node):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr) and not (isinstance(node, ast.Call) and child is node.func):
            yield from _nodes(child, depth + 1)
