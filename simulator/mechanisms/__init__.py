"""The mechanism library: every module of this package but ``base`` declares one ``MECHANISM``."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from simulator.mechanisms.base import CHOSEN, CLAMP, Gate, Mechanism, Parameter

__all__ = ["CHOSEN", "CLAMP", "Gate", "Mechanism", "Parameter", "library"]


@cache
def library() -> dict[str, Mechanism]:
    """All mechanisms by name, in alphabetical order."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name != "base")
    return {name: import_module(f"{__name__}.{name}").MECHANISM for name in names}
