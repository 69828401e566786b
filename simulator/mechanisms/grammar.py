"""The language of rate expressions: what may stand in one, what each part means, and errors that point into it."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from simulator.errors import not_offered, shown, suggestion
from simulator.physics import special

__all__ = [
    "FUNCTIONS",
    "ExpressionError",
    "applied",
    "fault",
    "instead",
    "is_name",
    "name_of",
    "nodes",
    "parsed",
    "parts",
]

LONGEST, MOST_NODES, DEEPEST = 2000, 500, 40

#: Largest number in an expression, written or computed from written ones; SI numbers of cells stay far below.
LARGEST = 1e100

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

#: What other languages have, and how it is written here.
_INSTEAD = {
    **dict.fromkeys(("ln", "log2", "log1p", "lg"), "the natural logarithm is log, the decimal one log10"),
    **dict.fromkeys(("pow", "power"), "write a power as a**b"),
    **dict.fromkeys(("if", "iif", "ifelse", "heaviside", "step", "sign", "piecewise"), "write where(a < b, x, y)"),
    **dict.fromkeys(("pi", "Pi", "PI"), "write 3.141592653589793"),
    **dict.fromkeys(("e", "E"), "write exp(1)"),
    **dict.fromkeys(("V", "Vm", "vm", "v_m"), "the membrane potential is v"),
    **dict.fromkeys(("F",), "the Faraday constant is faraday"),
    **dict.fromkeys(("T",), "the temperature is temperature; RT/F is rt_over_f"),
    **dict.fromkeys(("R", "RT", "kT"), "RT/F is rt_over_f"),
    **dict.fromkeys(("t",), "the time is time"),
}

_HAS_UNIT = re.compile(r"[0-9.]\s+[A-Za-z]|[0-9.][A-DF-Za-df-z]")


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


def fault(text: str, node: ast.expr, problem: str, expected: str = "", hint: str = "") -> ExpressionError:
    """Return an error at a node of an expression."""
    return ExpressionError(text.strip(), getattr(node, "col_offset", 0), problem, expected, hint)


def parsed(text: str) -> ast.expr:
    """Syntax tree of an expression, of allowed nodes only.

    Raises
    ------
    ExpressionError
        If the text is no expression.
    """
    if len(text) > LONGEST:
        raise ExpressionError(text, LONGEST, "the expression is too long", f"at most {LONGEST} characters")
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        if not text.strip():
            raise ExpressionError(text, 0, "the expression is empty", "a formula") from None
        raise ExpressionError(
            text, max((error.offset or 1) - 1, 0), "this cannot be read", "", _reading(text)
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(text, 0, "this cannot be read", "an expression") from None
    for count, (node, depth) in enumerate(nodes(body)):
        if depth > DEEPEST:
            raise fault(text, node, "the expression has too many levels", f"at most {DEEPEST}; a sum of n terms has n")
        if count > MOST_NODES:
            raise fault(text, node, "the expression is too large", f"at most {MOST_NODES} terms")
        _check(text, node)
    return body


def _reading(text: str) -> str:
    """Hint about a text that is no expression."""
    if "^" in text:
        return "write a power as **"
    if re.search(r"\bif\b", text):
        return instead("if")
    if "|" in text:
        return "write the absolute value of x as abs(x)"
    if re.search("[^<>=!]=[^=]", text):
        return "write what is right of the = alone"
    opened, closed = text.count("("), text.count(")")
    if opened != closed:
        return f"the brackets do not match: there are {opened} ( and {closed} )"
    return "put numbers with units under parameters: and use their names" if _HAS_UNIT.search(text) else ""


def instead(name: str) -> str:
    """How a name or function of other languages is written here; empty if it is none."""
    return _INSTEAD.get(name, "")


def _check(text: str, node: ast.expr) -> None:
    if is_name(node):
        return
    match node:
        case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) > LARGEST:
                raise fault(text, node, "this number is too large", f"at most {LARGEST:g}")
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            pass
        case ast.BinOp(op=ast.BitXor()):
            raise fault(text, node, "`^` does not mean a power", "", "write **")
        case ast.IfExp():
            raise fault(text, node, "this is not allowed here", "", instead("if"))
        case ast.UnaryOp(op=op) if type(op) in _SIGNS:
            pass
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            _check_call(text, node, name, args)
        case ast.Compare(ops=[op]) if isinstance(op, _COMPARISONS):
            pass
        case _:
            raise fault(text, node, "this is not allowed here", "numbers, names, + - * / ** and functions")
    # A comparison has no value of its own: it chooses.
    condition = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "where"
    for place, part in enumerate(parts(node)):
        if isinstance(part, ast.Compare) != (condition and place == 0):
            what = (
                f"{node.func.id} has" if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else "this has"
            )
            raise fault(
                text,
                part,
                f"{what} the wrong kind of {'first ' if place == 0 else ''}argument",
                "a condition (a < b) first in where, and only there",
            )


def _check_call(text: str, node: ast.Call, name: str, args: Sequence[ast.expr]) -> None:
    if name not in FUNCTIONS:
        reason, way = not_offered(name)
        if reason:
            raise fault(text, node, reason, "", way)
        known = "one of " + ", ".join(FUNCTIONS)
        raise fault(
            text, node, f"unknown function `{shown(name)}`", known, instead(name) or suggestion(name, FUNCTIONS)
        )
    if len(args) != FUNCTIONS[name][1]:
        raise fault(text, node, f"{name} takes {FUNCTIONS[name][1]} values, but {len(args)} are given")


def is_name(node: ast.AST) -> bool:
    """Whether a node is a name, or ``label.gate``."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name))


def name_of(node: ast.AST) -> str:
    """Name that a node is."""
    if isinstance(node, ast.Attribute):
        assert isinstance(node.value, ast.Name)
        return f"{node.value.id}.{node.attr}"
    assert isinstance(node, ast.Name)
    return node.id


def parts(node: ast.expr) -> list[ast.expr]:
    """Expressions that a node combines."""
    if is_name(node):
        return []
    children = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return [child for child in children if not (isinstance(node, ast.Call) and child is node.func)]


def nodes(node: ast.expr, depth: int = 0) -> Iterator[tuple[ast.expr, int]]:
    """Yield the expressions of a tree and their depths, top down, without function names and parts of names."""
    yield node, depth
    for child in parts(node):
        yield from nodes(child, depth + 1)


def applied(node: ast.expr, values: Sequence[Any]) -> Any:
    """Value of an operation, given the values of its :func:`parts`; a comparison is positive where it holds."""
    match node:
        case ast.BinOp(op=op):
            return _OPERATORS[type(op)](*values)
        case ast.UnaryOp(op=op):
            return _SIGNS[type(op)](*values)
        case ast.Compare(ops=[op]):
            left, right = values
            return left - right if isinstance(op, ast.Gt | ast.GtE) else right - left
        case ast.Call(func=ast.Name(id=name)):
            return FUNCTIONS[name][0](*values)
    raise AssertionError(ast.dump(node))  # parsed allows only the nodes above
