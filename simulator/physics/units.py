"""Convert quantities such as ``"145 mM"`` to SI (and back: :mod:`simulator.physics.notation`).

The rest of the program uses SI only. Arithmetic is exact (rational) up to one final rounding, so ``1 uF/cm^2`` and
``0.01 F/m^2`` give the same bits. The units stand in :mod:`simulator.physics.unit_table`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, lru_cache

from simulator.errors import not_offered
from simulator.physics.constants import FARADAY
from simulator.physics.unit_table import (
    CONDUCTANCES,
    CURRENTS,
    DIMENSION_WORDS,
    PREFIXES,
    SPELLINGS,
    UNITS,
    Dimension,
    Unit,
)

__all__ = [
    "QuantityError",
    "alternatives",
    "describe",
    "fits",
    "has_offset",
    "parse_quantity",
    "read_any_quantity",
    "si_unit",
    "unit_dimension",
    "unit_size",
]

_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(.*)", re.DOTALL)
_FACTOR = re.compile(r"\s*([*/]?)\s*(?:([A-Za-z]+)(?:\^?([+-]?[0-9]+))?|(1)(?=\s*/))")
_FIRST_WORD = re.compile(r"\s*[A-Za-z_]*")
_NON_FINITE = re.compile(r"\s*[+-]?\.?(?:nan|inf|infinity)\b", re.IGNORECASE)
_LONGEST_NUMBER, _LONGEST_UNIT, _LARGEST_POWER = 60, 60, 12
_LOOKALIKES = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "\u2212": "-", "\u00b7": "*", "\u22c5": "*", "\u00d7": "*", "\u207b": "-"}
    | {"\u00b9": "1", "\u00b2": "2", "\u00b3": "3", "\u00a0": " ", "\u202f": " "}
    | {"\u03a9": "ohm", "\u2126": "ohm", "\u2127": "mho"}
)

#: Typical values below this are awkward to write in the plain unit, so a hint shows the typical value instead.
_AWKWARD = 1.0e-3


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


def parse_quantity(text: str, unit: str, faraday: float = FARADAY, example: str = "") -> float:
    """Read a number with a unit.

    Parameters
    ----------
    text : str
        E.g. ``"-70 mV"``, ``"1 uF/cm2"``, ``"37 degC"``.
    unit : str
        SI unit of the result, e.g. ``"V"``. A flux may also be written as a current, which is divided by the Faraday
        constant (one charge per turnover), and a conductance as a resistance, of which it is the reciprocal.
    faraday : float
        The value of that constant [C/mol], for papers that round it.
    example : str
        A typical value for messages, if that of the dimension does not suit.

    Returns
    -------
    float
        The value in SI, correctly rounded.

    Raises
    ------
    QuantityError
        If the text has no number, no unit, an unknown unit, the wrong dimension or no finite value.
    """
    expected = describe(unit, example)
    number, given = _split(text, unit, example=example)
    scale, dimension, offset = _read_unit(given, unit)
    exact = Fraction(number) * scale + offset
    match _taken_as(dimension, unit):
        case "itself":
            return _finite(exact / _read_unit(unit, unit)[0], text, expected)
        case "current":
            return _finite(exact / Fraction(repr(faraday)), text, expected)
        case "resistance" if exact > 0:
            return _finite(1 / exact, text, expected)
        case "resistance":
            hint = f"where nothing conducts, write a conductance of `0 {unit}`"
            raise QuantityError(f"`{_clip(text)}` is a resistance that is not above 0", expected, hint)
    raise QuantityError(f"`{_clip(text)}` is {_name(dimension, given)}", expected, _did_you_mean(text, unit))


def _taken_as(dimension: Dimension, unit: str) -> str:
    """What a text of this dimension is, where a unit is expected; empty if it does not fit."""
    if dimension == unit_dimension(unit):
        return "itself"
    if unit in CURRENTS and dimension == unit_dimension(CURRENTS[unit]):
        return "current"
    return "resistance" if unit in CONDUCTANCES and dimension == tuple(-e for e in unit_dimension(unit)) else ""


def fits(text: str, unit: str) -> str:
    """How :func:`parse_quantity` takes a text for an SI unit: ``itself current resistance``; empty if it does not."""
    try:
        return _taken_as(_read_unit(_split(text, unit)[1], unit)[1], unit)
    except QuantityError:
        return ""


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
    given = _split(text, "1", unit_needed=False)[1]
    return bool(found.offset) if (found := _symbol(given)) else False


def si_unit(dimension: Dimension) -> str:
    """Name of the SI unit of a dimension, the common one if there is one."""
    for unit in DIMENSION_WORDS:
        if unit_dimension(unit) == dimension:
            return unit
    metre, kilogram, second, ampere, kelvin, mole = dimension
    # Mass enters through the joule, J = kg m2 / s2.
    powers = {"J": kilogram, "mol": mole, "m": metre - 2 * kilogram, "s": second + 2 * kilogram}
    powers |= {"A": ampere, "K": kelvin}
    above = [_power(name, power) for name, power in powers.items() if power > 0]
    below = ["/" + _power(name, -power) for name, power in powers.items() if power < 0]
    return ("*".join(above) or "1") + "".join(below)


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


def unit_size(text: str, unit: str) -> float:
    """Size of a unit such as ``"mM"`` in the SI unit of the same dimension, such as ``"mol/m^3"``."""
    return float(_read_unit(text, unit)[0] / _read_unit(unit, unit)[0])


def describe(unit: str, example: str = "") -> str:
    """Describe the quantity expected for an SI unit: ``"a voltage, with its unit (e.g. -70 mV)"``."""
    if unit not in DIMENSION_WORDS:
        return f"a quantity in {unit}"
    words, typical = DIMENSION_WORDS[unit]
    example = example or typical
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


def _split(text: str, unit: str, *, unit_needed: bool = True, example: str = "") -> tuple[str, str]:
    """Split into number and unit, checking only the syntax."""
    expected = describe(unit)
    plain = text.translate(_LOOKALIKES).replace("\u00b0", "deg").replace("**", "^")
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
        raise QuantityError(f"`{_clip(text)}` has no unit", expected, _with_unit(number, unit, example))
    return number, given


def _with_unit(number: str, unit: str, example: str) -> str:
    """Hint that shows how a number is written with its unit."""
    if unit not in DIMENSION_WORDS:
        return f"write its unit, {unit} or a multiple"
    typical, _, written = (example or DIMENSION_WORDS[unit][1]).partition(" ")
    awkward = abs(float(typical or 1.0)) < _AWKWARD
    return f"write it like `{typical if awkward else number} {written}`"


@lru_cache(maxsize=1024)
def _read_unit(given: str, unit: str) -> tuple[Fraction, Dimension, Fraction]:
    """Size, dimension and offset of a unit text such as ``"C/dm2/s"``; `unit` is used only in error messages."""
    expected = describe(unit)
    if given == "1":
        return Fraction(1), (0, 0, 0, 0, 0, 0), Fraction(0)
    alone = UNITS.get(SPELLINGS.get(given, given))
    if alone is not None:
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
        factor, dimension = _read_symbol(match[2], given, unit)
        power = int((match[3] or "1")[:4])
        if power == 0 or abs(power) > _LARGEST_POWER:
            raise QuantityError(f"the unit `{_clip(given)}` has an invalid power", expected)
        power = -power if match[1] == "/" else power
        scale *= factor**power
        powers = [total + power * exponent for total, exponent in zip(powers, dimension, strict=True)]
    return scale, (powers[0], powers[1], powers[2], powers[3], powers[4], powers[5]), Fraction(0)


def _read_symbol(symbol: str, given: str, unit: str) -> tuple[Fraction, Dimension]:
    """Size and dimension of one symbol with its prefix."""
    found = _symbol(symbol)
    if found is None:
        raise QuantityError(f"unknown unit `{_clip(symbol)}`", describe(unit), _other_symbol(symbol, given, unit))
    if found.offset:
        raise QuantityError(f"{symbol} cannot be part of the unit `{_clip(given)}`", describe(unit), "write K instead")
    return found.factor, found.dimension


def _symbol(symbol: str) -> Unit | None:
    """The unit of one symbol, its prefix included; None if there is none."""
    symbol = SPELLINGS.get(symbol, symbol)
    base = UNITS.get(symbol[1:])
    if symbol in UNITS or base is None or symbol[0] not in base.prefixes:
        return UNITS.get(symbol)
    return Unit(base.factor * PREFIXES[symbol[0]], base.dimension)


@cache
def _symbols() -> tuple[str, ...]:
    return tuple(prefix + name for name, entry in UNITS.items() for prefix in ("", *entry.prefixes))


def _other_symbol(symbol: str, given: str, unit: str) -> str:
    """Hint that suggests another symbol; empty unless it makes the unit what is expected.

    Most symbols have two or three letters, so a near one is meant only if it differs by its case, or is long.
    """
    same = [name for name in _symbols() if name.lower() == symbol.lower()]
    near = difflib.get_close_matches(symbol, [name for name in _symbols() if len(name) > 2], n=5, cutoff=0.75)
    for name in (*same, *near):
        swapped = given.replace(symbol, name)
        if all(_symbol(s) for s in re.findall("[A-Za-z]+", swapped)) and (unit == "1" or fits(f"1 {swapped}", unit)):
            return f"did you mean `{name}`?"
    return ""


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
