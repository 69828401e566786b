"""Format numbers, units and species for tables and figures.

Tables are plain ASCII, which every pipe and terminal can show; figures use proper symbols.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from simulator.physics.units import unit_size


def _prefixed(prefixes: str, unit: str) -> tuple[str, ...]:
    """Return a unit with each of the prefixes; a blank means no prefix."""
    return tuple(f"{prefix.strip()}{unit}" for prefix in prefixes)


#: Display units by SI unit, from small to large; a value is shown in the largest unit that it reaches.
#: A single unit is conventional at any size; concentrations go no higher than mM.
DISPLAY = {
    "V": ("mV", "V"),
    "mol/m^3": _prefixed("yzafpnum", "M"),
    "m/s": ("m/s",),  # as tables of permeabilities are printed
    "m^3/s": ("um^3/s",),
    "mol/m^2/s": _prefixed("yzafpnum k", "mol/m^2/s"),
    "A/m^2": _prefixed("yzafpnum k", "A/m^2"),
    "S/m^2": _prefixed("yzafpnum k", "S/m^2"),
    "F/m^2": ("uF/cm^2",),
    "m": ("nm", "um", "mm", "m"),
    "m^2": ("um^2", "mm^2", "cm^2", "m^2"),
    "m^3": _prefixed("yzafpnum ", "L"),
    "mol": _prefixed("yzafpnum k", "mol"),
    "mol/s": _prefixed("yzafpnum k", "mol/s"),
    "A": _prefixed("yzafpnum k", "A"),
    "C": _prefixed("yzafpnum k", "C"),
    "S": _prefixed("yzafpnum k", "S"),
    "F": _prefixed("fpnum ", "F"),
    "W": _prefixed("yzafpnum kM", "W"),
    "J": _prefixed("yzafpnum kM", "J"),
    "J/mol": ("kJ/mol",),
}

#: Unit in which zero is shown, if not the SI unit itself.
ZERO = {"V": "mV", "mol/m^3": "mM", "m^3": "L"}

#: Units of a scenario's own values that are used whatever the size.
WRITTEN = {"mol/m^2/s": "umol/m^2/s"}

#: Time units of a scenario's own values, from small to large.
WRITTEN_TIMES = ("us", "ms", "s", "min", "h", "d")

#: Longest time span [s] shown in each unit.
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

#: Species of several atoms as people write them, with the sign of a single charge.
FORMULAS = {
    "hco3": "HCO3-",
    "co2": "CO2",
    "o2": "O2",
    "no": "NO",
    "h2o": "H2O",
    "h2co3": "H2CO3",
    "nh3": "NH3",
    "nh4": "NH4+",
    "po4": "PO4",
    "hpo4": "HPO4",
    "h2po4": "H2PO4-",
    "so4": "SO4",
    "oh": "OH-",
    "atp": "ATP",
    "adp": "ADP",
    "gaba": "GABA",
}


@dataclass(frozen=True)
class Scale:
    """A unit with a readable prefix.

    Parameters
    ----------
    size : float
        SI value of the unit.
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
        """Format a value [SI] in this unit, without the unit's name but with trailing zeros; ``-`` for NaN."""
        scaled = value / self.size
        if not 1.0e-3 <= abs(scaled) < 10.0**digits:
            return plain_number(scaled, digits)
        return f"{scaled:#.{digits}g}".removesuffix(".")


def readable(largest: float, unit: str) -> Scale:
    """Choose the display unit for values up to `largest` [SI].

    Parameters
    ----------
    largest : float
        Largest magnitude to show.
    unit : str
        SI unit, e.g. ``"mol/m^2/s"``.
    """
    scales = _scales(unit)
    # The margin puts 999.99 and 1000 in the same unit.
    reached = [scale for scale in scales if abs(largest) * 1.0001 >= scale.size]
    if reached and math.isfinite(largest):
        return reached[-1]
    return next((scale for scale in scales if scale.text == ZERO.get(unit, unit)), scales[-1])


@cache
def _scales(unit: str) -> tuple[Scale, ...]:
    """Return the display units of an SI unit, from small to large."""
    if unit not in DISPLAY:
        return (Scale(1.0, unit),)
    return tuple(Scale(unit_size(text, unit), text) for text in DISPLAY[unit])


def format_quantity(value: float, unit: str) -> str:
    """Format a scenario's own value [SI] with its unit and six significant digits, e.g. ``"4.19 pL"``.

    Parameters
    ----------
    value : float
        Value in SI.
    unit : str
        Its SI unit, ``"1"`` for a plain number.
    """
    if unit == "1":
        return f"{value:.6g}"
    if unit in WRITTEN:
        scale = Scale(unit_size(WRITTEN[unit], unit), WRITTEN[unit])
    elif unit == "s":
        scale = _written_time(value)
    else:
        scale = readable(value, unit)
    return f"{value / scale.size:.6g} {scale.text}"


def _written_time(seconds: float) -> Scale:
    """Choose the unit with the shortest text, then the largest: 100000 s, not 1.15741 d; 2 h, not 7200 s."""
    if not math.isfinite(seconds) or seconds == 0.0:
        return Scale(1.0, "s")
    scales = [Scale(unit_size(text, "s"), text) for text in WRITTEN_TIMES]
    reached = [scale for scale in scales if abs(seconds) >= scale.size * (1.0 - 1.0e-9)] or scales[:1]
    if reached[-1].size < 1.0:
        return reached[-1]
    whole = [scale for scale in reached if scale.size >= 1.0]
    return min(whole, key=lambda scale: (len(f"{seconds / scale.size:.6g}"), -scale.size))


def time_scale(span: float) -> Scale:
    """Choose the display unit for a time span [s]: microseconds to days."""
    unit = next(unit for longest, unit in TIME_UNITS if span <= longest)
    return Scale(SECONDS[unit], unit)


#: Power [W] of about one thermal energy kT per second; a smaller dissipation is shown as zero.
THERMAL_POWER = 4.0e-21


def with_unit(value: float, unit: str, digits: int = 4) -> str:
    """Format a value [SI] in a readable ASCII unit, e.g. ``-67.21 mV``; a plain number without; ``-`` for NaN."""
    if math.isnan(value):
        return "-"
    if unit == "1":
        return plain_number(value, digits)
    if unit == "W" and abs(value) < THERMAL_POWER:
        value = 0.0
    scale = readable(abs(value), unit)
    return f"{scale.write(value, digits)} {scale.text}".strip()


def duration(seconds: float) -> str:
    """Format a time, e.g. ``48 h`` or ``2.5 ms``."""
    if not math.isfinite(seconds):
        return "for ever"
    if seconds == 0.0:
        return "0 s"
    scale = time_scale(abs(seconds))
    return f"{seconds / scale.size:.4g} {scale.text}"


def measured_number(value: float, unit: str) -> str:
    """Format what was measured [SI]: a time as by :func:`duration`, a count with all its digits."""
    if unit == "1" and value.is_integer():
        return f"{value:.0f}"
    return duration(value) if unit == "s" else with_unit(value, unit)


def count(number: int) -> str:
    """Format a whole number with thousands separators, e.g. ``1,000,000``."""
    return f"{number:,}"


def size(number: float) -> str:
    """Format a number of bytes, e.g. ``1.2 GB``."""
    power = min(5, max(0, int(math.log10(number)) // 3)) if number >= 1.0 else 0
    return f"{number / 1000.0**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"


def plain_number(value: float, digits: int = 4) -> str:
    """Format a number to `digits` significant digits; ``-`` for NaN."""
    if math.isnan(value):
        return "-"
    text = f"{value:.{digits}g}"
    return "0" if float(text) == 0.0 else text


def pretty_number(value: float, digits: int = 3) -> str:
    """Format a number for figures: a proper minus sign, and powers of ten instead of ``e+07``."""
    mantissa, _, exponent = plain_number(value, digits).partition("e")
    text = mantissa.replace("-", "−")
    return f"{text} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else text


def pretty_unit(text: str) -> str:
    """Write an ASCII unit with proper symbols: ``umol/m^2/s`` becomes ``µmol/m²/s``."""
    text = text.replace("^2", "²").replace("^3", "³")
    return "µ" + text[1:] if text.startswith(("um", "uM", "uA", "us", "uL", "uV", "uW", "uC")) else text


def species_name(species: str, charge: int) -> str:
    """Name of a species for figures, e.g. ``Ca²⁺``, ``glucose``."""
    name = _bare(species, charge).replace("HCO3", "HCO₃")
    if not charge:
        return name
    size = "" if abs(charge) == 1 else str(abs(charge))
    return name + (size + ("+" if charge > 0 else "-")).translate(_SUPERSCRIPTS)


def nernst_name(species: str, charge: int = 1) -> str:
    """Symbol of a Nernst potential in mathtext: E with the species as a subscript."""
    return rf"$E_{{\mathrm{{{_bare(species, charge).replace('_', chr(92) + '_')}}}}}$"


def species_text(species: str) -> str:
    """A species in plain text, e.g. ``Na``, ``HCO3-``, ``glucose``; ions of one element without their charge."""
    return FORMULAS.get(species) or (species.capitalize() if len(species) <= 2 else species)


def _bare(species: str, charge: int) -> str:
    if species in FORMULAS:
        return FORMULAS[species].rstrip("+-")
    return species.capitalize() if charge and len(species) <= 2 else species
