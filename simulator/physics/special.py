"""Elementary and special functions for rate laws.

Each works on SymPy expressions, numbers, arrays and dimensionless quantities alike, so each law is
written once. Removable singularities (GHK at V = 0, exp-linear gates at their midpoint) are all handled by
one family, ``bern(x, n)`` = n-th derivative of ``x/(e^x - 1)``.
"""

from functools import cache
from typing import Any

import numpy as np

__all__ = [
    "absolute",
    "antiport",
    "bern",
    "bern_slope",
    "bern_value",
    "choose",
    "cos",
    "exp",
    "log",
    "log10",
    "sigmoid",
    "sin",
    "sqrt",
    "tanh",
]

#: Below this |x| the Taylor series of bern is used; with the coefficients below it is exact to rounding.
SERIES_BELOW = 0.1

#: Natural logarithm of 10.
LN10 = 2.302585092994046

#: Coefficients of x^2, x^4, ... in x/(e^x - 1) = 1 - x/2 + sum B_2k/(2k)! x^2k (Bernoulli numbers B_2k).
BERNOULLI = (8.333333333333333e-02, -1.388888888888889e-03, 3.306878306878307e-05, -8.267195767195768e-07)


def exp(x: Any) -> Any:
    """Exponential of a symbol or a number."""
    return _symbolic().exp(x) if _is_symbolic(x) else np.exp(x)


def log(x: Any) -> Any:
    """Natural logarithm of a symbol or a number."""
    return _symbolic().log(x) if _is_symbolic(x) else np.log(x)


def sqrt(x: Any) -> Any:
    """Square root of a symbol or a number."""
    return _symbolic().sqrt(x) if _is_symbolic(x) else np.sqrt(x)


def log10(x: Any) -> Any:
    """Common logarithm of a symbol or a number."""
    return log(x) / LN10


def sin(x: Any) -> Any:
    """Sine of a symbol or a number [rad]."""
    return _symbolic().sin(x) if _is_symbolic(x) else np.sin(x)


def cos(x: Any) -> Any:
    """Cosine of a symbol or a number [rad]."""
    return _symbolic().cos(x) if _is_symbolic(x) else np.cos(x)


def absolute(x: Any) -> Any:
    """Absolute value of a symbol or a number."""
    return choose(x, x, -x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent, written with ``exp``, the only exponential function available in kernels."""
    return 1 - 2 / (exp(2 * x) + 1)


def choose(d: Any, above: Any, below: Any) -> Any:
    """`above` where d > 0, else `below`; both are evaluated."""
    if any(map(_is_symbolic, (d, above, below))):
        return choose_symbol()(d, above, below)
    return 1.0 * np.where(d > 0.0, above, below)  # whole numbers have no negative powers


def sigmoid(x: Any) -> Any:
    """``1/(1 + e^-x)``: from 0 to 1, one half at x = 0."""
    return 1 / (1 + exp(-x))


def antiport(a_o: Any, b_i: Any, a_i: Any, b_o: Any) -> Any:
    """Turnover of an exchanger with A in and B out, as a fraction of its maximum rate.

    The carrier crosses only when loaded, at the same speed for any load and direction (ping-pong). Arguments are
    concentrations over dissociation constants, ``a`` of A and ``b`` of B, inside and outside.
    """
    return a_o * b_i / ((a_o + b_o) * (1 + a_i + b_i) + (a_i + b_i) * (1 + a_o + b_o))


def bern(x: Any) -> Any:
    """``x/(e^x - 1)``, equal to 1 at x = 0."""
    return bern_symbol()(x, 0) if _is_symbolic(x) else bern_value(x, np.exp(x))


def bern_value(x: Any, exp_x: Any) -> Any:
    """Numeric ``x/(e^x - 1)``, branch-free; `exp_x` is ``e^x``."""
    near = (abs(x) < SERIES_BELOW) * 1.0
    s = x * x
    b1, b2, b3, b4 = BERNOULLI
    even = s * (b1 + s * (b2 + s * (b3 + s * b4)))
    # Adding 1 where the series is used keeps the denominator nonzero.
    return near * (1.0 - 0.5 * x + even) + (1.0 - near) * (x / (exp_x - 1.0 + near))


def bern_slope(x: Any, value: Any) -> Any:
    """Numeric first derivative of ``x/(e^x - 1)``, branch-free; `value` is the function itself.

    Away from 0 it follows from the differential equation ``x B' = B (1 - x - B)``.
    """
    near = (abs(x) < SERIES_BELOW) * 1.0
    s = x * x
    b1, b2, b3, b4 = BERNOULLI
    odd = x * (2.0 * b1 + s * (4.0 * b2 + s * (6.0 * b3 + s * 8.0 * b4)))
    return near * (odd - 0.5) + (1.0 - near) * (value * (1.0 - x - value) / (x + near))


@cache
def bern_symbol() -> Any:
    """The SymPy function ``bern(x, n)``; its derivative is ``bern(x, n + 1)``."""
    sympy = _symbolic()

    class bern(sympy.Function):  # type: ignore[misc, name-defined]
        nargs = (2,)

        def fdiff(self, argindex: int = 1) -> Any:
            return bern(self.args[0], self.args[1] + 1)

        def _latex(self, printer: Any, exp: str | None = None) -> str:
            primes = "'" * int(self.args[1])
            power = f"^{{{exp}}}" if exp else ""
            return rf"B{primes}{power}\left({printer._print(self.args[0])}\right)"

        def _pretty(self, printer: Any) -> Any:
            from sympy.printing.pretty.stringpict import prettyForm

            form = prettyForm(*printer._print(self.args[0]).parens())
            return prettyForm(*form.left("B" + "'" * int(self.args[1])))

    return bern


@cache
def choose_symbol() -> Any:
    """The SymPy function ``choose(d, above, below)``; its step at d = 0 is not differentiated."""
    sympy = _symbolic()

    class choose(sympy.Function):  # type: ignore[misc, name-defined]
        nargs = (3,)

        def fdiff(self, argindex: int = 1) -> Any:
            d, one, zero = self.args[0], sympy.Integer(1), sympy.Integer(0)
            return {1: zero, 2: choose(d, one, zero), 3: choose(d, zero, one)}[argindex]

    return choose


def _is_symbolic(x: Any) -> bool:
    return hasattr(x, "free_symbols")


def _symbolic() -> Any:
    import sympy

    return sympy
