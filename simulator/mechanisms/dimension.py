"""Values that have a dimension and no number, to find the unit of a rate by computing with them.

A :class:`Dimensioned` takes the place of a number in a rate law or an expression. Arithmetic and the functions of
:mod:`simulator.physics.special` combine dimensions, and raise :class:`DimensionError` where units do not fit.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, ClassVar, Never

import numpy as np

from simulator.physics.unit_table import DIMENSION_WORDS
from simulator.physics.units import si_unit, unit_dimension

__all__ = ["DIMENSIONLESS", "Dimension", "DimensionError", "Dimensioned", "dimension_in", "in_words", "of_unit"]

#: Exponents of (metre, kilogram, second, ampere, kelvin, mole); roots make them fractions.
Dimension = tuple[Fraction, ...]
DIMENSIONLESS: Dimension = (Fraction(0),) * 6

#: Largest denominator of an exponent of a unit.
FINEST_ROOT = 1000


class DimensionError(ValueError):
    """Values that cannot be combined as they are.

    Parameters
    ----------
    problem, expected, hint : str
        What is wrong, what was expected, and a suggestion.
    """

    def __init__(self, problem: str, expected: str = "", hint: str = "") -> None:
        self.problem, self.expected, self.hint = problem, expected, hint
        super().__init__(problem)


def of_unit(unit: str) -> Dimension:
    """Dimension of a unit; ``"1"`` has none."""
    return DIMENSIONLESS if unit == "1" else tuple(map(Fraction, unit_dimension(unit)))


def dimension_in(value: Any) -> Dimension:
    """Dimension of a value; a plain number has none."""
    return value.dimension if isinstance(value, Dimensioned) else DIMENSIONLESS


def in_words(dimension: Dimension) -> str:
    """Name of a dimension, e.g. ``"a current density"``, or its SI unit if it has no name."""
    named = (words for unit, (words, _) in DIMENSION_WORDS.items() if of_unit(unit) == dimension)
    if any(exponent.denominator > 1 for exponent in dimension):  # of a root
        return "a quantity of another dimension"
    metre, kilogram, second, ampere, kelvin, mole = map(int, dimension)
    return next(named, f"a quantity in {si_unit((metre, kilogram, second, ampere, kelvin, mole))}")


class Dimensioned:
    """A value of which only the dimension is known."""

    __slots__ = ("dimension",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, dimension: Dimension) -> None:
        self.dimension = dimension

    def __add__(self, other: Any) -> Dimensioned:
        return _alike(self, other)

    def __neg__(self) -> Dimensioned:
        return self

    __radd__ = __sub__ = __rsub__ = __add__
    __pos__ = __abs__ = __neg__

    def __mul__(self, other: Any) -> Dimensioned:
        return _product(self, other, 1)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Dimensioned:
        return _product(self, other, -1)

    def __rtruediv__(self, other: Any) -> Dimensioned:
        return _product(other, self, -1)

    def __pow__(self, power: Any) -> Dimensioned:
        if dimension_in(power) != DIMENSIONLESS:
            raise DimensionError("the exponent has a unit", "a plain number")
        if self.dimension == DIMENSIONLESS:
            return self
        if isinstance(power, Dimensioned) or not math.isfinite(power):
            raise DimensionError("the exponent of a value with a unit is not a number", "a number, e.g. 2")
        exact = Fraction(float(power)).limit_denominator(FINEST_ROOT)
        return Dimensioned(tuple(e * exact for e in self.dimension))

    def __rpow__(self, base: Any) -> Dimensioned:
        return Dimensioned(dimension_in(base)) ** self

    def _compared(self, other: Any) -> Dimensioned:
        _alike(self, other)
        return Dimensioned(DIMENSIONLESS)

    __lt__ = __le__ = __gt__ = __ge__ = _compared
    __eq__ = __ne__ = _compared  # type: ignore[assignment]

    def __bool__(self) -> Never:
        raise DimensionError(
            "this asks whether a value is true or which is larger (if, and, or, not, min, max), but a rate is "
            "turned into symbols, which have no number yet",
            "",
            "write choose(a - b, x, y): x where a > b, else y; it is in simulator.physics.special",
        )

    def __float__(self) -> Never:
        raise DimensionError(
            "this needs a number (a function of `math`, or float()), but a rate is turned into symbols, which have "
            "no number yet",
            "",
            "use the functions of simulator.physics.special: exp, log, sqrt, tanh, ...",
        )

    __int__ = __index__ = __complex__ = __float__

    # What NumPy does with such a value, for special.py calls NumPy where it has no symbols.

    _ARITHMETIC: ClassVar[dict[str, Callable[..., Any]]] = {
        "add": operator.add,
        "subtract": operator.sub,
        "multiply": operator.mul,
        "divide": operator.truediv,
        "power": operator.pow,
        "float_power": operator.pow,
        "negative": operator.neg,
        "positive": operator.pos,
        "absolute": abs,
        "less": operator.lt,
        "less_equal": operator.le,
        "greater": operator.gt,
        "greater_equal": operator.ge,
    }

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **_: Any) -> Any:
        name = function.__name__
        if method != "__call__":
            return NotImplemented
        if name in self._ARITHMETIC:
            # A plain number goes in as Python's own, or NumPy would ask this function again.
            given = [x if isinstance(x, Dimensioned) else float(x) for x in inputs]
            return self._ARITHMETIC[name](*given)
        if name == "sqrt":
            return self ** Fraction(1, 2)
        if function.nin > 1:
            problem = f"NumPy's {name} needs numbers, but a rate is turned into symbols, which have no number yet"
            raise DimensionError(problem, "", "use the functions of simulator.physics.special: choose, ...")
        if self.dimension != DIMENSIONLESS:
            raise DimensionError(
                f"the argument of {name} has a unit", "a plain number", "divide it by a value with the same unit"
            )
        return self

    def __array_function__(self, function: Callable[..., Any], _types: Any, inputs: Any, _more: Any) -> Any:
        return _alike(*inputs[1:]) if function is np.where else NotImplemented


def _alike(a: Any, b: Any) -> Dimensioned:
    """Either of two values that must have the same dimension; a plain zero fits any."""
    for one, other in ((a, b), (b, a)):
        if not isinstance(one, Dimensioned) and np.all(np.asarray(one) == 0):
            return Dimensioned(dimension_in(other))
    if dimension_in(a) != dimension_in(b):
        raise DimensionError(
            f"two values with different units are combined, {in_words(dimension_in(a))} and "
            f"{in_words(dimension_in(b))}",
            "the same unit for both",
        )
    return Dimensioned(dimension_in(a))


def _product(a: Any, b: Any, power: int) -> Dimensioned:
    pairs = zip(dimension_in(a), dimension_in(b), strict=True)
    return Dimensioned(tuple(x + power * y for x, y in pairs))
