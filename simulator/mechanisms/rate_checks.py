"""Check the functions of a law: the names of their inputs, their units, and that they are formulas with a value.

Each is evaluated three times: with dimensions for numbers, with numbers of ordinary sizes, and with symbols.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.errors import one_line, suggestion
from simulator.mechanisms import Law, Parameter
from simulator.mechanisms.custom_law import NAMES, ROLES
from simulator.mechanisms.dimension import Dimensioned, DimensionError, dimension_in, in_words, of_unit
from simulator.mechanisms.law import Occupancy, Rate, arguments
from simulator.mechanisms.symbols import is_real, unknown_functions
from simulator.physics.constants import FARADAY, SPECIES_CHARGE
from simulator.physics.units import describe

__all__ = ["Finding", "functions_of", "in_functions", "in_symbols", "inputs_of"]

FLUX = "mol/m^2/s"
SPECIAL = "use the functions of simulator.physics.special: exp, log, sqrt, tanh, choose, ..."

#: Sizes of quantities in cells by SI unit, at which rates are tried; 1 for others.
ORDINARY = {
    "mol/m^3": 10.0,
    "V": 0.05,
    "m/s": 1e-8,
    FLUX: 1e-7,
    "m^3": 4e-15,
    "m^2": 1.2e-9,
    "m": 1e-5,
    "K": 310.0,
    "C/mol": FARADAY,
    "J/mol": 1e4,
}

#: Tries with numbers, of which one must succeed: some sizes may not fit each other.
TRIES = 16


@dataclass(frozen=True)
class Finding:
    """One problem of a law.

    Parameters
    ----------
    problem, expected, hint : str
        What is wrong, what was expected, and a suggestion.
    about : callable, Parameter or str
        What it is about, by which its place in the file is found: a function, a parameter, or a field of the law.
    error : Exception, optional
        What a function raised.
    """

    problem: str
    expected: str = ""
    hint: str = ""
    about: Rate | Parameter | str = ""
    error: BaseException | None = None


def functions_of(law: Law) -> Iterator[tuple[Rate, str, str]]:
    """Yield every function of a law, what it is, and the unit of its value."""
    yield law.rate, "the rate", FLUX
    schemes = dict.fromkeys(gate.scheme for gate in law.gates if isinstance(gate, Occupancy) and gate.scheme)
    for scheme in schemes:
        for a, b, *rates in scheme.transitions:
            yield from ((rate, f"a rate between `{a}` and `{b}`", "1/s") for rate in rates if rate is not None)
    for gate in law.gates:
        for role, unit in ROLES.items():
            function = getattr(gate, role)
            if function is not None:
                yield function, f"`{role}` of the gate `{gate.name}`", unit
    if law.equilibrium is not None:
        outside = {s: -n for s, n in law.moves.items()} if law.outside is None else law.outside
        order = sum(law.moves.values()) + sum(outside.values())
        yield law.equilibrium, "the equilibrium constant", f"mol^{order}/m^{3 * order}" if order else "1"


def inputs_of(rate: Rate) -> tuple[str, ...]:
    """Names of the inputs of a function; none if Python cannot tell."""
    try:
        return arguments(rate)
    except (TypeError, ValueError):
        return ()


def _units(law: Law) -> dict[str, str]:
    """SI unit of every name that an argument may have."""
    species = {*SPECIES_CHARGE, *law.partners, *(s for s in (*law.moves, *(law.outside or {})) if s[0] != "*")}
    species |= {"c"} if law.chooses else set()
    found = dict(NAMES) | {f"{s}_{side}": "mol/m^3" for s in sorted(species) for side in "io"}
    found |= {"z": "1"} if law.chooses else {}
    return found | {g.name: "1" for g in law.gates} | {p.name: p.unit for p in law.parameters}


def in_functions(law: Law) -> Iterator[Finding]:
    """Yield every problem of a law's functions."""
    for gate in (gate for gate in law.gates if not isinstance(gate, Occupancy)):
        given = {role for role in ROLES if getattr(gate, role) is not None}
        at_once = given == {"steady"} and gate.at_once
        if not at_once and given not in ({"opening", "closing"}, {"steady", "time_constant"}):
            problem = f"the gate `{gate.name}` is given by {' and '.join(sorted(given)) or 'nothing'}"
            yield Finding(problem, "opening and closing, steady and time_constant, or steady with at_once", "", "gates")
            return
    units = _units(law)
    for rate, what, unit in functions_of(law):
        wrong = list(_names(rate, what, units))
        wrong = wrong or list(_dimensions(rate, what, unit, units))
        yield from wrong or _numbers(law, rate, what, units)


def in_symbols(law: Law) -> Iterator[Finding]:
    """Yield every problem of a law's functions in symbols, whose names and units are right."""
    units, used = _units(law), set[str]()
    for rate, what, _ in functions_of(law):
        wrong = list(_symbols(rate, what, units, used))
        if wrong:
            yield from wrong
            return
    for p in law.parameters:
        if p.name not in used:
            problem = f"no function of the law depends on the parameter `{p.name}`, although one takes it"
            yield Finding(problem, "a parameter that matters", "use it, or leave it out", p)


def _names(rate: Rate, what: str, units: Mapping[str, str]) -> Iterator[Finding]:
    if getattr(rate, "arguments", None) is None:
        kinds = {p.name: p.kind for p in inspect.signature(rate).parameters.values()}
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        for name in [n for n, kind in kinds.items() if kind not in by_name]:
            yield Finding(f"{what} takes `{name}` without a name of its own", "arguments with names", about=rate)
            return
    for name in inputs_of(rate):
        if name not in units:
            expected = "a parameter, a gate, <species>_i or _o, or one of " + ", ".join(NAMES)
            hint = suggestion(name, units) or _meant(name, units)
            yield Finding(f"{what} has an argument `{name}` of unknown meaning", expected, hint, rate)


def _meant(name: str, units: Mapping[str, str]) -> str:
    """Hint for a concentration that is written otherwise, as ``nai`` or ``na_in``."""
    bare = name.lower().replace("_", "")
    for known in units:
        species, _, side = known.rpartition("_")
        if species and bare in (species + side, species + {"i": "in", "o": "out"}.get(side, side)):
            return f"did you mean `{known}`?"
    return ""


def _called(rate: Rate, what: str, values: Mapping[str, Any], found: list[Finding], hint: str = SPECIAL) -> Any:
    """Value of a function; None with a finding if it raises."""
    try:
        with np.errstate(all="ignore"):
            value = rate(**{name: values[name] for name in inputs_of(rate)})
    except DimensionError as error:
        found.append(Finding(error.problem, error.expected, error.hint, rate, error))
        return None
    except Exception as error:
        if isinstance(error, NameError):
            hint = _named_otherwise(str(error.name), rate, values) or hint
        found.append(Finding(f"{what} raises {type(error).__name__}: {one_line(error)}", "", hint, rate, error))
        return None
    if value is None:
        found.append(Finding(f"{what} returns nothing", "a value", "add `return`", rate))
    return value


def _named_otherwise(name: str, rate: Rate, values: Mapping[str, Any]) -> str:
    """Hint about a name that a function uses without having it."""
    if name in values:
        return f"make `{name}` an argument of the function"
    return suggestion(name, inputs_of(rate))


def _dimensions(rate: Rate, what: str, unit: str, units: Mapping[str, str]) -> Iterator[Finding]:
    found: list[Finding] = []
    value = _called(rate, what, {name: Dimensioned(of_unit(u)) for name, u in units.items()}, found)
    yield from found
    if value is None:
        return
    if not isinstance(value, Dimensioned | numbers.Number | np.ndarray):
        yield Finding(f"{what} is {type(value).__name__}", "one number", about=rate)
    elif dimension_in(value) != of_unit(unit):
        wanted = "a plain number" if unit == "1" else f"{describe(unit).partition(',')[0]} [{unit}]"
        hint = "divide a current density by faraday" if dimension_in(value) == of_unit("A/m^2") and unit == FLUX else ""
        yield Finding(f"{what} is {in_words(dimension_in(value))}", wanted, hint, rate)


def _symbols(rate: Rate, what: str, units: Mapping[str, str], used: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with a function in symbols; add the names that it depends on to those used."""
    import sympy as sp

    signed = {name: sp.Symbol(name, real=True) for name, unit in units.items() if unit == "V"}
    values = {name: sp.Symbol(name, positive=True) for name in units} | signed | {"z": sp.Integer(1)}
    found: list[Finding] = []
    value = _called(rate, what, values, found, f"a rate is turned into symbols; {SPECIAL}")
    yield from found
    if value is None:
        return
    try:
        symbolic = sp.sympify(value)
    except (sp.SympifyError, TypeError, ValueError):
        yield Finding(f"{what} is no formula in symbols", "one number", SPECIAL, rate)
        return
    used |= {symbol.name for symbol in symbolic.free_symbols}
    if unknown := unknown_functions(symbolic):
        yield Finding(f"{what} uses {', '.join(unknown)}, for which there is no compiled code", "", SPECIAL, rate)
    elif not is_real(symbolic):
        yield Finding(
            f"{what} has no finite real value", "no division by zero, no root of a negative number", about=rate
        )


def _numbers(law: Law, rate: Rate, what: str, units: Mapping[str, str]) -> Iterator[Finding]:
    random = np.random.default_rng(0)
    found: list[Finding] = []
    forward = rate is law.rate and law.reversible
    shortest = ""
    for _ in range(TRIES):
        values = _ordinary(law, units, random)
        value = _called(rate, what, values, found, "")
        if found:
            yield from found
            return
        if np.iscomplexobj(value) or np.size(value) != 1:
            kind = "a complex number" if np.iscomplexobj(value) else f"{np.size(value)} numbers"
            yield Finding(f"{what} is {kind}", "one real number", about=rate)
            return
        if np.isfinite(float(value)) and not (forward and float(value) < 0.0):
            return
        given = ", ".join(f"{name} = {values[name]:.3g}" for name in inputs_of(rate))
        shortest = shortest or f"{what} is {float(value):.3g} for {given}"
    yield Finding(shortest, "a forward rate of 0 or more" if forward else "a finite number", about=rate)


def _ordinary(law: Law, units: Mapping[str, str], random: np.random.Generator) -> dict[str, Any]:
    """Numbers of a size met in cells; parameters with a default have it."""
    found: dict[str, Any] = {n: np.float64(ORDINARY.get(u, 1.0) * random.uniform(0.5, 2.0)) for n, u in units.items()}
    found |= {gate.name: np.float64(random.uniform(0.1, 0.9)) for gate in law.gates}
    found |= {"v": np.float64(random.uniform(-0.1, 0.1)), "rt_over_f": np.float64(0.0267), "z": np.float64(1.0)}
    for p in law.parameters:
        size = found[p.name] if p.default is None else p.default
        found[p.name] = np.float64(min(max(size, p.minimum), p.maximum))
    return found
