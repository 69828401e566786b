"""How numbers, units and species are written for people, in tables and in figures.

Tables are plain ASCII, so that they survive any pipe and terminal; figures use proper symbols.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Powers of ten that have a prefix worth reading.
PREFIXES = {-24: "y", -21: "z", -18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M"}

#: Unit that carries the prefix and what follows it, by SI unit, with the SI size of the unprefixed unit.
UNITS = {
    "V": ("V", "", 1.0),
    "mol/m^3": ("M", "", 1.0e3),
    "m^3": ("L", "", 1.0e-3),
    "mol": ("mol", "", 1.0),
    "mol/s": ("mol", "/s", 1.0),
    "mol/m^2/s": ("mol", "/m^2/s", 1.0),
    "A": ("A", "", 1.0),
    "A/m^2": ("A", "/m^2", 1.0),
    "C": ("C", "", 1.0),
    "W": ("W", "", 1.0),
    "J": ("J", "", 1.0),
    "J/mol": ("J", "/mol", 1.0),
}

#: Units that do not change with the size of the value: everybody thinks of these in one unit.
CUSTOMARY = {"V": -3, "J/mol": 3}

#: Longest span [s] that is drawn in each unit of time.
TIME_UNITS = (
    (0.999e-3, "us"),
    (0.999, "ms"),
    (300.0, "s"),
    (1.5 * 3600.0, "min"),
    (96.0 * 3600.0, "h"),
    (math.inf, "d"),
)
SECONDS = {"us": 1.0e-6, "ms": 1.0e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

_SUPERSCRIPTS = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_CHEMICAL = {"hco3": "HCO3", "atp": "ATP", "glucose": "glucose"}


@dataclass(frozen=True)
class Scale:
    """A unit with a readable prefix.

    Parameters
    ----------
    size : float
        SI value of one such unit.
    text : str
        ASCII spelling, e.g. ``"nmol/m^2/s"``.
    """

    size: float
    text: str

    @property
    def symbol(self) -> str:
        """Spelling for figures, e.g. ``nmol/m²/s``."""
        return pretty_unit(self.text)

    def write(self, value: float, digits: int = 4) -> str:
        """A value [SI] in this unit, without the unit's name, zeros at its end kept; ``-`` where there is none."""
        scaled = value / self.size
        if not 1.0e-3 <= abs(scaled) < 10.0**digits:
            return plain_number(scaled, digits)
        return f"{scaled:#.{digits}g}".removesuffix(".")


def readable(largest: float, unit: str) -> Scale:
    """The unit in which values up to `largest` [SI] read well.

    Parameters
    ----------
    largest : float
        Largest magnitude to show.
    unit : str
        SI unit, e.g. ``"mol/m^2/s"``.
    """
    if unit not in UNITS:
        return Scale(1.0, unit)
    name, rest, size = UNITS[unit]
    if unit in CUSTOMARY:
        exponent = CUSTOMARY[unit]
    elif not math.isfinite(largest) or largest == 0.0:
        exponent = -3 if unit == "mol/m^3" else 0
    else:
        # A margin below 1 keeps 999.99 and its neighbours in one unit.
        exponent = 3 * math.floor(math.log10(abs(largest) / size * 1.0001) / 3.0)
        exponent = min(exponent, 6) if exponent >= -24 else 0
    if unit == "mol/m^3":
        exponent = min(exponent, -3)  # a cell's M are mM
    return Scale(size * 10.0**exponent, f"{PREFIXES[exponent]}{name}{rest}")


def time_scale(span: float) -> Scale:
    """The unit in which a span of time [s] reads well: milliseconds to days."""
    unit = next(unit for longest, unit in TIME_UNITS if span <= longest)
    return Scale(SECONDS[unit], unit)


#: Power [W] of one thermal energy kT per second, about: less than this is no dissipation to speak of.
THERMAL_POWER = 4.0e-21


def with_unit(value: float, unit: str, digits: int = 4) -> str:
    """A value [SI] in a readable ASCII unit, e.g. ``-67.21 mV``; ``-`` where there is none."""
    if math.isnan(value):
        return "-"
    if unit == "W" and abs(value) < THERMAL_POWER:
        value = 0.0
    scale = readable(abs(value), unit)
    return f"{scale.write(value, digits)} {scale.text}".strip()


def duration(seconds: float) -> str:
    """A time in words, e.g. ``48 h`` or ``2.5 ms``."""
    if not math.isfinite(seconds):
        return "for ever"
    if seconds == 0.0:
        return "0 s"
    scale = time_scale(abs(seconds))
    return f"{seconds / scale.size:.4g} {scale.text}"


def count(number: int) -> str:
    """A whole number with its thousands apart, e.g. ``1,000,000``."""
    return f"{number:,}"


def size(number: float) -> str:
    """A number of bytes, e.g. ``1.2 GB``."""
    power = min(5, max(0, int(math.log10(number)) // 3)) if number >= 1.0 else 0
    return f"{number / 1000.0**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"


def plain_number(value: float, digits: int = 4) -> str:
    """A number to so many significant digits; ``-`` for an undefined one."""
    if math.isnan(value):
        return "-"
    text = f"{value:.{digits}g}"
    return "0" if float(text) == 0.0 else text


def pretty_number(value: float, digits: int = 3) -> str:
    """A number for figures: a proper minus, and powers of ten instead of ``e+07``."""
    mantissa, _, exponent = plain_number(value, digits).partition("e")
    text = mantissa.replace("-", "−")
    return f"{text} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else text


def pretty_unit(text: str) -> str:
    """An ASCII unit in proper symbols: ``umol/m^2/s`` becomes ``µmol/m²/s``."""
    text = text.replace("^2", "²").replace("^3", "³")
    return "µ" + text[1:] if text.startswith(("um", "uM", "uA", "us", "uL", "uV", "uW", "uC")) else text


def species_name(species: str, charge: int) -> str:
    """A species for figures, e.g. ``Ca²⁺``, ``glucose``."""
    name = _bare(species, charge).replace("HCO3", "HCO₃")
    if not charge:
        return name
    size = "" if abs(charge) == 1 else str(abs(charge))
    return name + (size + ("+" if charge > 0 else "-")).translate(_SUPERSCRIPTS)


def nernst_name(species: str, charge: int = 1) -> str:
    """The symbol of a Nernst potential, E with its species as a subscript, in mathtext."""
    return rf"$E_{{\mathrm{{{_bare(species, charge).replace('_', chr(92) + '_')}}}}}$"


def _bare(species: str, charge: int) -> str:
    if species in _CHEMICAL:
        return _CHEMICAL[species]
    return species.capitalize() if charge and len(species) <= 2 else species
