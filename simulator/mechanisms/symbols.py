"""What a rate must be in symbols, from which equations and kernels are made."""

from __future__ import annotations

from functools import cache
from typing import Any

from simulator.physics import special

__all__ = ["is_real", "unknown_functions"]


def is_real(value: Any) -> bool:
    """Whether a rate has a finite real value, and slopes that have one, as far as SymPy can tell without numbers."""
    import sympy as sp

    powers = value.atoms(sp.Pow)
    return not value.has(sp.zoo, sp.oo, sp.nan, sp.I) and not any(
        p.base.is_nonpositive and not p.exp.is_number for p in powers
    )


def unknown_functions(value: Any) -> list[str]:
    """Names of functions in a rate for which there is no compiled code."""
    import sympy as sp

    found = {f.func for f in value.atoms(sp.Function, sp.Piecewise, sp.Derivative, sp.Mod)}
    return sorted(f.__name__ for f in found - _known_functions())


@cache
def _known_functions() -> frozenset[Any]:
    """Functions that those of :mod:`simulator.physics.special` are written with."""
    import sympy as sp

    x = sp.Symbol("x", real=True)
    found = {special.bern_symbol(), special.choose_symbol()}
    for name in special.__all__:
        function = getattr(special, name)
        if getattr(function, "__code__", None) is not None and function.__code__.co_argcount == 1:
            found |= {f.func for f in sp.sympify(function(x)).atoms(sp.Function)}
    return frozenset(found)
