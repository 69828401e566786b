"""Transport laws: the library, and the forms of laws that a scenario defines."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from simulator.mechanisms import laws
from simulator.mechanisms.law import CHOSEN, CLAMP, Gate, Law, Occupancy, Parameter, Scheme

__all__ = ["CHOSEN", "CLAMP", "Gate", "Law", "Occupancy", "Parameter", "Scheme", "library"]


@cache
def library() -> dict[str, Law]:
    """Return all laws by name, in alphabetical order; each module of :mod:`simulator.mechanisms.laws` declares one."""
    names = sorted(module.name for module in iter_modules(laws.__path__))
    return {name: import_module(f"{laws.__name__}.{name}").LAW for name in names}
