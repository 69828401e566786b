"""Convert quantities such as ``"145 mM"`` to SI (and back: :mod:`simulator.physics.notation`).

The rest of the program uses SI only. :data:`UNITS` is the complete list of accepted units. Arithmetic is exact
(rational) up to one final rounding, so ``1 uF/cm^2`` and ``0.01 F/m^2`` give the same bits.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from simulator.errors import not_offered
from simulator.physics.constants import FARADAY, ZERO_CELSIUS

__all__ = [
    "DIMENSION_WORDS",
    "UNITS",
    "QuantityError",
    "alternatives",
    "describe",
    "has_offset",
    "parse_quantity",
    "read_any_quantity",
    "si_unit",
    "unit_dimension",
    "unit_size",
]

#: Exponents of (metre, kilogram, second, ampere, kelvin, mole).
Dimension = tuple[int, int, int, int, int, int]

PREFIXES = {
    "y": Fraction(1, 10**24),
    "z": Fraction(1, 10**21),
    "a": Fraction(1, 10**18),
    "f": Fraction(1, 10**15),
    "p": Fraction(1, 10**12),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "c": Fraction(1, 100),
    "d": Fraction(1, 10),
    "k": Fraction(1000),
    "M": Fraction(10**6),
}


@dataclass(frozen=True)
class Unit:
    """A named unit: its size in SI, its dimension and the prefixes it may carry."""

    factor: Fraction
    dimension: Dimension
    prefixes: str = ""
    offset: Fraction = Fraction(0)


#: Every unit a scenario may use, before prefixes.
UNITS = {
    "m": Unit(Fraction(1), (1, 0, 0, 0, 0, 0), "pnumcdk"),
    "s": Unit(Fraction(1), (0, 0, 1, 0, 0, 0), "pnumk"),
    "min": Unit(Fraction(60), (0, 0, 1, 0, 0, 0)),
    "h": Unit(Fraction(3600), (0, 0, 1, 0, 0, 0)),
    "d": Unit(Fraction(86400), (0, 0, 1, 0, 0, 0)),
    "day": Unit(Fraction(86400), (0, 0, 1, 0, 0, 0)),
    "L": Unit(Fraction(1, 1000), (3, 0, 0, 0, 0, 0), "yzafpnumcd"),
    "l": Unit(Fraction(1, 1000), (3, 0, 0, 0, 0, 0), "yzafpnumcd"),
    "mol": Unit(Fraction(1), (0, 0, 0, 0, 0, 1), "yzafpnumk"),
    "M": Unit(Fraction(1000), (-3, 0, 0, 0, 0, 1), "yzafpnum"),
    "V": Unit(Fraction(1), (2, 1, -3, -1, 0, 0), "pnumkM"),
    "A": Unit(Fraction(1), (0, 0, 0, 1, 0, 0), "yzafpnumk"),
    "C": Unit(Fraction(1), (0, 0, 1, 1, 0, 0), "yzafpnumk"),
    "F": Unit(Fraction(1), (-2, -1, 4, 2, 0, 0), "fpnum"),
    "S": Unit(Fraction(1), (-2, -1, 3, 2, 0, 0), "yzafpnumk"),
    "J": Unit(Fraction(1), (2, 1, -2, 0, 0, 0), "yzafpnumkM"),
    "W": Unit(Fraction(1), (2, 1, -3, 0, 0, 0), "yzafpnumkM"),
    "K": Unit(Fraction(1), (0, 0, 0, 0, 1, 0), "m"),
    "degC": Unit(Fraction(1), (0, 0, 0, 0, 1, 0), offset=Fraction(repr(ZERO_CELSIUS))),
}

#: Name of a dimension and a common unit for it, by SI unit.
DIMENSION_WORDS = {
    "V": ("a voltage", "mV"),
    "mol/m^3": ("an amount concentration", "mM"),
    "m/s": ("a permeability (a velocity)", "m/s"),
    "mol/m^2/s": ("a flux per area", "umol/m^2/s"),
    "A/m^2": ("a current density", "uA/cm^2"),
    "S/m^2": ("a conductance per area", "mS/cm^2"),
    "F/m^2": ("a capacitance per area", "uF/cm^2"),
    "m": ("a length", "um"),
    "m^2": ("an area", "um^2"),
    "m^3": ("a volume", "pL"),
    "s": ("a time", "s"),
    "1/s": ("a rate (1/time)", "1/s"),
    "K": ("a temperature", "degC"),
    "J/mol": ("a molar energy", "kJ/mol"),
    "mol": ("an amount", "fmol"),
    "mol/s": ("an amount per time", "fmol/s"),
    "A": ("a current", "pA"),
    "S": ("a conductance", "nS"),
    "F": ("a capacitance", "pF"),
    "C": ("a charge", "pC"),
    "W": ("a power", "pW"),
    "J": ("an energy", "pJ"),
    "1": ("a plain number", ""),
}

_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(.*)", re.DOTALL)
_FACTOR = re.compile(r"\s*([*/]?)\s*(?:([A-Za-z]+)(?:\^?([+-]?[0-9]+))?|(1)(?=\s*/))")
_FIRST_WORD = re.compile(r"\s*[A-Za-z_]*")
_NON_FINITE = re.compile(r"\s*[+-]?\.?(?:nan|inf|infinity)\b", re.IGNORECASE)
_LONGEST_NUMBER, _LONGEST_UNIT, _LARGEST_POWER = 60, 60, 12
_LOOKALIKES = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "\u2212": "-", "\u00b7": "*", "\u22c5": "*", "\u00d7": "*", "\u207b": "-"}
    | {"\u00b9": "1", "\u00b2": "2", "\u00b3": "3", "\u00a0": " ", "\u202f": " "}
)


class QuantityError(ValueError):
    """A text that is not the expected quantity.

    Parameters
    ----------
    problem, expected, hint : str
        What is wrong, what was expected, and a suggestion (may be empty).
    """

    def __init__(self, problem: str, expected: str, hint: str = "") -> None:
        self.problem, self.expected, self.hint = problem, expected, hint
        super().__init__("; ".join(part for part in (problem, f"expected {expected}", hint) if part))


def parse_quantity(text: str, unit: str, faraday: float = FARADAY) -> float:
    """Read a number with a unit.

    Parameters
    ----------
    text : str
        E.g. ``"-70 mV"``, ``"1 uF/cm2"``, ``"37 degC"``.
    unit : str
        SI unit of the result, e.g. ``"V"``. A flux per area (``"mol/m^2/s"``) may also be written as a
        current density; it is divided by the Faraday constant (one charge per turnover).
    faraday : float
        The value of that constant [C/mol], for papers that round it.

    Returns
    -------
    float
        The value in SI, correctly rounded.

    Raises
    ------
    QuantityError
        If the text has no number, no unit, an unknown unit, the wrong dimension or no finite value.
    """
    expected = describe(unit)
    number, given = _split(text, unit)
    scale, dimension, offset = _read_unit(given, unit)
    wanted_scale, wanted, _ = _read_unit(unit, unit)
    if dimension != wanted:
        if wanted != unit_dimension("mol/m^2/s") or dimension != unit_dimension("A/m^2"):
            raise QuantityError(f"`{_clip(text)}` is {_name(dimension, given)}", expected, _did_you_mean(text, unit))
        scale /= Fraction(repr(faraday))
    exact = Fraction(number) * scale / wanted_scale + offset
    return _finite(exact, text, expected)


def read_any_quantity(text: str) -> tuple[float, str]:
    """Read a number with any unit; return the value in SI and its SI unit.

    A number without a unit is dimensionless.

    Raises
    ------
    QuantityError
        As :func:`parse_quantity`.
    """
    number, given = _split(text, "1", unit_needed=False)
    if not given:
        return float(number), "1"
    _, dimension, _ = _read_unit(given, "1")
    unit = si_unit(dimension)
    return parse_quantity(text, unit), unit


def has_offset(text: str) -> bool:
    """Whether a quantity is given in a unit with a zero point of its own, as degC is."""
    return any(unit.offset and _split(text, "1", unit_needed=False)[1] == name for name, unit in UNITS.items())


def si_unit(dimension: Dimension) -> str:
    """Name of the SI unit of a dimension, the common one if there is one."""
    for unit in DIMENSION_WORDS:
        if unit_dimension(unit) == dimension:
            return unit
    metre, kilogram, second, ampere, kelvin, mole = dimension
    # UNITS has no kilogram: mass enters through the joule, J = kg m2 / s2.
    powers = {"J": kilogram, "mol": mole, "m": metre - 2 * kilogram, "s": second + 2 * kilogram}
    powers |= {"A": ampere, "K": kelvin}
    above = [f"{name}^{power}" for name, power in powers.items() if power > 0]
    below = [f"/{name}^{-power}" for name, power in powers.items() if power < 0]
    return ("*".join(above) or "1") + "".join(below)


def unit_size(text: str, unit: str) -> float:
    """Size of a unit such as ``"mM"`` in the SI unit of the same dimension, such as ``"mol/m^3"``."""
    return float(_read_unit(text, unit)[0] / _read_unit(unit, unit)[0])


def describe(unit: str) -> str:
    """Describe the quantity expected for an SI unit: ``"a voltage, with its unit (e.g. mV)"``."""
    if unit not in DIMENSION_WORDS:
        return f"a quantity in {unit}"
    words, example = DIMENSION_WORDS[unit]
    return f"{words}, with its unit (e.g. {example})" if example else words


def alternatives(text: str, unit: str) -> Iterator[tuple[str, float]]:
    """Yield quantities of the expected dimension that differ from the text by one likely mistake.

    A mistake is the case of one letter (``MV`` for ``mV``, ``mm`` for ``mM``) or the wrong one of K, degC, C.
    """
    try:
        number, given = _split(text, unit)
    except QuantityError:
        return
    swaps = [given[:i] + given[i].swapcase() + given[i + 1 :] for i in range(len(given)) if given[i].isalpha()]
    swaps += {"degC": ["K"], "K": ["degC"], "C": ["degC"]}.get(given, [])
    for swap in swaps:
        try:
            yield f"{number} {swap}", _converted(number, swap, unit)
        except QuantityError:
            continue


def _converted(number: str, given: str, unit: str) -> float:
    scale, dimension, offset = _read_unit(given, unit)
    if dimension != unit_dimension(unit):
        raise QuantityError("another dimension", describe(unit))
    return _finite(Fraction(number) * scale + offset, number, describe(unit))


def _split(text: str, unit: str, *, unit_needed: bool = True) -> tuple[str, str]:
    """Split into number and unit, checking only the syntax."""
    expected = describe(unit)
    plain = text.translate(_LOOKALIKES).replace("\u00b0C", "degC").replace("**", "^")
    if _NON_FINITE.match(plain):
        raise QuantityError(f"`{_clip(text)}` is not a finite number", expected)
    match = _NUMBER.fullmatch(plain)
    if match is None:
        reason, instead = not_offered(_FIRST_WORD.match(plain)[0].strip())  # type: ignore[index]
        raise QuantityError(reason or f"`{_clip(text)}` does not start with a number", expected, instead)
    number, given = match[1], match[2].strip()
    if len(number) > _LONGEST_NUMBER:
        raise QuantityError(f"`{_clip(text)}` has too many digits", expected)
    if math.isinf(float(number)):
        raise QuantityError(f"`{_clip(text)}` is too large to compute with", expected)
    if float(number) == 0.0 and re.search("[1-9]", re.split("[eE]", number)[0]):
        raise QuantityError(f"`{_clip(text)}` is too small to compute with", expected)
    if given.startswith(","):
        raise QuantityError(f"`{_clip(text)}` has a comma in its number", expected, "write a decimal point, as in 1.5")
    if not given and unit_needed:
        example = DIMENSION_WORDS.get(unit, ("", unit))[1]
        raise QuantityError(f"`{_clip(text)}` has no unit", expected, f"write it like `{number} {example}`")
    return number, given


@lru_cache(maxsize=1024)
def _read_unit(given: str, unit: str) -> tuple[Fraction, Dimension, Fraction]:
    """Size, dimension and offset of a unit text such as ``"C/dm2/s"``; `unit` is used only in error messages."""
    expected = describe(unit)
    if given == "1":
        return Fraction(1), (0, 0, 0, 0, 0, 0), Fraction(0)
    if given in UNITS:
        alone = UNITS[given]
        return alone.factor, alone.dimension, alone.offset
    scale, powers, position = Fraction(1), [0] * 6, 0
    while position < len(given):
        match = _FACTOR.match(given, position)
        if match is None or position > _LONGEST_UNIT or (position == 0 and match[1] == "*"):
            hint = "write divisions one after the other, as in mol/m^2/s" if "(" in given else ""
            raise QuantityError(f"the unit `{_clip(given)}` cannot be read", expected, hint)
        position = match.end()
        if match[4]:
            continue
        factor, dimension = _read_symbol(match[2], given, expected)
        power = int((match[3] or "1")[:4])
        if power == 0 or abs(power) > _LARGEST_POWER:
            raise QuantityError(f"the unit `{_clip(given)}` has an invalid power", expected)
        power = -power if match[1] == "/" else power
        scale *= factor**power
        powers = [total + power * exponent for total, exponent in zip(powers, dimension, strict=True)]
    return scale, (powers[0], powers[1], powers[2], powers[3], powers[4], powers[5]), Fraction(0)


def _read_symbol(symbol: str, given: str, expected: str) -> tuple[Fraction, Dimension]:
    """Size and dimension of one symbol with its prefix."""
    if symbol in UNITS:
        found = UNITS[symbol]
        if found.offset:
            raise QuantityError(
                f"degC cannot be part of the unit `{_clip(given)}`", expected, "use K in a compound unit"
            )
        return found.factor, found.dimension
    base = UNITS.get(symbol[1:])
    if base is not None and symbol[0] in base.prefixes:
        return base.factor * PREFIXES[symbol[0]], base.dimension
    known = [prefix + name for name, entry in UNITS.items() for prefix in ("", *entry.prefixes)]
    close = difflib.get_close_matches(symbol, known, n=1, cutoff=0.6)
    close = [name for name in known if name.lower() == symbol.lower()] or close
    hint = f"did you mean `{close[0]}`?" if close else ""
    raise QuantityError(f"unknown unit `{_clip(symbol)}`", expected, hint)


def unit_dimension(unit: str) -> Dimension:
    """Exponents of metre, kilogram, second, ampere, kelvin and mole in a unit text such as ``"mol/m^2/s"``."""
    return _read_unit(unit, unit)[1]


def _name(dimension: Dimension, given: str) -> str:
    """Name of a dimension in words."""
    for unit, (words, _) in DIMENSION_WORDS.items():
        if unit_dimension(unit) == dimension:
            return words
    return f"a quantity in {_clip(given)}"


def _did_you_mean(text: str, unit: str) -> str:
    return next((f"did you mean `{other}`?" for other, _ in alternatives(text, unit)), "")


def _finite(exact: Fraction, text: str, expected: str) -> float:
    try:
        value = float(exact)
    except OverflowError:
        raise QuantityError(f"`{_clip(text)}` is too large to compute with", expected) from None
    if value == 0.0 and exact:
        raise QuantityError(f"`{_clip(text)}` is too small to compute with", expected)
    return value


def _clip(text: str) -> str:
    """Shorten a quoted text to one line."""
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= 40 else shown[:37] + "..."
