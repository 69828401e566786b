"""Where an expression is defined and what it costs: constants, powers, and parts that have no value for any names."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from functools import cache

import numpy as np

from simulator.mechanisms.grammar import LARGEST, applied, fault, is_name, name_of, nodes, parts

__all__ = ["constants", "require_affordable", "require_defined"]

#: Largest exponent, alone and as the product of exponents inside each other.
LARGEST_EXPONENT = 64

#: Most terms once functions that use their arguments several times are written out, and those functions.
MOST_WRITTEN_OUT, TIMES_USED = 4000, {"min": 2, "max": 2, "bern": 3, "where": 1}

#: Values tried for each name; half of the points have names of either sign. Sizes are those of SI numbers in cells.
POINTS, SIZES = 32, (1e-12, 1e3)

#: Integers up to here are exact as floating-point numbers.
EXACT = 2**53

Number = int | float


def constants(text: str, tree: ast.expr) -> dict[ast.expr, Number]:
    """Values of the parts of an expression that contain no name, in floating-point arithmetic.

    Raises
    ------
    ExpressionError
        Where such a part has no finite real value.
    """
    found: dict[ast.expr, Number] = {}
    for node, _ in reversed(list(nodes(tree))):  # parts before what they are part of
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, int | float)
            found[node] = _number(float(node.value))
        elif not is_name(node) and all(part in found for part in parts(node)):
            found[node] = _computed(text, node, [float(found[part]) for part in parts(node)])
    return found


def _computed(text: str, node: ast.expr, values: list[float]) -> Number:
    try:
        with np.errstate(all="ignore"):
            value = applied(node, values)
    except ZeroDivisionError:
        raise fault(text, node, "this divides by zero") from None
    except OverflowError:
        raise fault(text, node, "this number is too large to compute with", f"at most {LARGEST:g}") from None
    if isinstance(value, complex) or math.isnan(value):
        raise fault(text, node, "this has no real value", "a root of a positive number, a logarithm of one above 0")
    if abs(value) > LARGEST:
        raise fault(text, node, "this number is too large to compute with", f"at most {LARGEST:g}")
    return _number(float(value))


def _number(value: float) -> Number:
    """A whole number as one, so that powers stay powers of whole numbers."""
    return int(value) if value.is_integer() and abs(value) <= EXACT else value


def require_affordable(text: str, tree: ast.expr, known: Mapping[ast.expr, Number]) -> None:
    """Raise an :class:`ExpressionError` if an expression divides by 0, or has huge powers or a huge size."""
    _check_operations(text, tree, known, 1.0)
    if _written_out(tree) > MOST_WRITTEN_OUT:
        problem = "the expression is too large: min, max and bern use their arguments several times"
        raise fault(text, tree, problem, f"at most {MOST_WRITTEN_OUT} terms when written out", "nest fewer of them")


def _check_operations(text: str, node: ast.expr, known: Mapping[ast.expr, Number], outer: float) -> None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and node not in known:
        exponent, base = known.get(node.right), known.get(node.left)
        if exponent is not None:
            outer *= max(1.0, abs(exponent))
            if outer > LARGEST_EXPONENT:
                problem = "the exponent is too large" if abs(exponent) > LARGEST_EXPONENT else "powers of powers grow"
                raise fault(text, node.right, problem, f"at most {LARGEST_EXPONENT} in all")
        if base is not None and base <= 0:
            raise fault(text, node.left, "a power with a varying exponent needs a positive base", "a number above 0")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and known.get(node.right) == 0:
        raise fault(text, node, "this divides by zero")
    for part in parts(node):
        _check_operations(text, part, known, outer)


def _written_out(node: ast.expr) -> int:
    times = TIMES_USED.get(node.func.id, 1) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else 1
    return 1 + times * sum(map(_written_out, parts(node)))


def require_defined(text: str, tree: ast.expr, known: Mapping[ast.expr, Number]) -> None:
    """Raise an :class:`ExpressionError` at a part that has no finite value for any of many values of its names."""
    names = list(dict.fromkeys(name_of(node) for node, _ in nodes(tree) if is_name(node)))
    points = dict(zip(names, _points(len(names)), strict=True))
    values: dict[ast.expr, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for node, _ in reversed(list(nodes(tree))):
            if is_name(node):
                values[node] = points[name_of(node)]
            elif node in known:
                values[node] = np.full(POINTS, float(known[node]))
            else:
                values[node] = applied(node, [values[part] for part in parts(node)])
                if not np.any(np.isfinite(values[node])):
                    problem = "this has no finite value, whatever its names stand for"
                    raise fault(text, node, problem, "no division by zero, no logarithm or root of a negative number")


@cache
def _points(names: int) -> np.ndarray:
    """Values of some names, each POINTS numbers of all sizes."""
    random = np.random.default_rng(0)
    low, high = np.log(SIZES)
    sizes = np.exp(random.uniform(low, high, (names, POINTS)))
    return sizes * np.where((random.random((names, POINTS)) < 0.5) & (np.arange(POINTS) % 2 == 1), -1.0, 1.0)
