"""Every unit that a scenario may use, other spellings of them, and the dimensions by name."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simulator.physics.constants import ZERO_CELSIUS

__all__ = ["CURRENTS", "DIMENSION_WORDS", "PREFIXES", "SPELLINGS", "UNITS", "WHOLE_CELL", "Dimension", "Unit"]

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
    "G": Fraction(10**9),
}


@dataclass(frozen=True)
class Unit:
    """A named unit: its size in SI, its dimension and the prefixes it may carry."""

    factor: Fraction
    dimension: Dimension
    prefixes: str = ""
    offset: Fraction = Fraction(0)


#: Every unit, before prefixes.
UNITS = {
    "m": Unit(Fraction(1), (1, 0, 0, 0, 0, 0), "pnumcdk"),
    "s": Unit(Fraction(1), (0, 0, 1, 0, 0, 0), "pnumk"),
    "min": Unit(Fraction(60), (0, 0, 1, 0, 0, 0)),
    "h": Unit(Fraction(3600), (0, 0, 1, 0, 0, 0)),
    "d": Unit(Fraction(86400), (0, 0, 1, 0, 0, 0)),
    "day": Unit(Fraction(86400), (0, 0, 1, 0, 0, 0)),
    "week": Unit(Fraction(7 * 86400), (0, 0, 1, 0, 0, 0)),
    "year": Unit(Fraction(1461, 4) * 86400, (0, 0, 1, 0, 0, 0)),
    "Hz": Unit(Fraction(1), (0, 0, -1, 0, 0, 0), "mkM"),
    "g": Unit(Fraction(1, 1000), (0, 1, 0, 0, 0, 0), "pnumk"),
    "L": Unit(Fraction(1, 1000), (3, 0, 0, 0, 0, 0), "yzafpnumcd"),
    "l": Unit(Fraction(1, 1000), (3, 0, 0, 0, 0, 0), "yzafpnumcd"),
    "mol": Unit(Fraction(1), (0, 0, 0, 0, 0, 1), "yzafpnumk"),
    "M": Unit(Fraction(1000), (-3, 0, 0, 0, 0, 1), "yzafpnum"),
    "V": Unit(Fraction(1), (2, 1, -3, -1, 0, 0), "pnumkM"),
    "A": Unit(Fraction(1), (0, 0, 0, 1, 0, 0), "yzafpnumk"),
    "C": Unit(Fraction(1), (0, 0, 1, 1, 0, 0), "yzafpnumk"),
    "F": Unit(Fraction(1), (-2, -1, 4, 2, 0, 0), "fpnum"),
    "S": Unit(Fraction(1), (-2, -1, 3, 2, 0, 0), "yzafpnumk"),
    "mho": Unit(Fraction(1), (-2, -1, 3, 2, 0, 0), "pnumk"),
    "ohm": Unit(Fraction(1), (2, 1, -3, -2, 0, 0), "mkMG"),
    "J": Unit(Fraction(1), (2, 1, -2, 0, 0, 0), "yzafpnumkM"),
    "cal": Unit(Fraction("4.184"), (2, 1, -2, 0, 0, 0), "k"),
    "W": Unit(Fraction(1), (2, 1, -3, 0, 0, 0), "yzafpnumkM"),
    "K": Unit(Fraction(1), (0, 0, 0, 0, 1, 0), "m"),
    "degC": Unit(Fraction(1), (0, 0, 0, 0, 1, 0), offset=Fraction(repr(ZERO_CELSIUS))),
    "degF": Unit(Fraction(5, 9), (0, 0, 0, 0, 1, 0), offset=Fraction(repr(ZERO_CELSIUS)) - Fraction(160, 9)),
}

#: Prefixes written out.
_PREFIX_WORDS = {"": "", "femto": "f", "pico": "p", "nano": "n", "micro": "u", "milli": "m", "kilo": "k", "mega": "M"}
_PREFIX_WORDS |= {"giga": "G"}

#: Units written out.
_UNIT_WORDS = {"siemens": "S", "ampere": "A", "amperes": "A", "amp": "A", "amps": "A", "farad": "F", "farads": "F"}
_UNIT_WORDS |= {"volt": "V", "volts": "V", "molar": "M", "mole": "mol", "moles": "mol", "ohm": "ohm", "ohms": "ohm"}
_UNIT_WORDS |= dict.fromkeys(("meter", "meters", "metre", "metres"), "m")
_UNIT_WORDS |= dict.fromkeys(("liter", "liters", "litre", "litres"), "L")

#: Other spellings of a unit with its prefix.
SPELLINGS = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("msec", "msecs", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("usec", "usecs", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    "days": "d",
    **dict.fromkeys(("wk", "wks", "weeks"), "week"),
    **dict.fromkeys(("yr", "yrs", "years"), "year"),
    **{
        f"{prefix}{word}": f"{short}{symbol}"
        for prefix, short in _PREFIX_WORDS.items()
        for word, symbol in _UNIT_WORDS.items()
        if not prefix or short in UNITS[symbol].prefixes
    },
    **dict.fromkeys(("kilohm", "kilohms"), "kohm"),
    **dict.fromkeys(("megohm", "megohms"), "Mohm"),
    **dict.fromkeys(("celsius", "Celsius"), "degC"),
    **dict.fromkeys(("fahrenheit", "Fahrenheit"), "degF"),
    **dict.fromkeys(("kelvin", "Kelvin"), "K"),
    "cc": "mL",
    **dict.fromkeys(("micron", "microns"), "um"),
    **{f"{p}{word}": f"{p}ohm" for p in ("", "m", "k", "M", "G") for word in ("ohms", "Ohm", "Ohms")},
    **{f"{p}mhos": f"{p}mho" for p in ("", "p", "n", "u", "m", "k")},
}

#: Name of a dimension and a typical value of it, by SI unit.
DIMENSION_WORDS = {
    "V": ("a voltage", "-70 mV"),
    "mol/m^3": ("an amount concentration", "140 mM"),
    "m/s": ("a permeability (a velocity)", "4e-9 m/s"),
    "mol/m^2/s": ("a flux per area", "0.6 umol/m^2/s"),
    "A/m^2": ("a current density", "10 uA/cm^2"),
    "S/m^2": ("a conductance per area", "0.3 mS/cm^2"),
    "F/m^2": ("a capacitance per area", "1 uF/cm^2"),
    "m": ("a length", "10 um"),
    "m^2": ("an area", "1257 um^2"),
    "m^3": ("a volume", "4.19 pL"),
    "s": ("a time", "10 s"),
    "1/s": ("a rate (1/time)", "5 1/s"),
    "K": ("a temperature", "37 degC"),
    "J/mol": ("a molar energy", "-57 kJ/mol"),
    "mol": ("an amount", "1.5 fmol"),
    "mol/s": ("an amount per time", "0.1 fmol/s"),
    "m^3/s": ("a permeability times an area", "5 um^3/s"),
    "A": ("a current", "10 pA"),
    "S": ("a conductance", "5 nS"),
    "F": ("a capacitance", "10 pF"),
    "ohm": ("a resistance", "150 Mohm"),
    "ohm*m^2": ("a resistance times an area", "10 kohm*cm^2"),
    "C": ("a charge", "1 pC"),
    "W": ("a power", "1 pW"),
    "J": ("an energy", "1 pJ"),
    "kg/m^3": ("a mass per volume", "1 g/L"),
    "mol/kg": ("a molality (per mass of water)", "1 mmol/kg"),
    "1": ("a plain number", ""),
}

#: SI unit of the same quantity of a whole cell, by the SI unit per membrane area.
WHOLE_CELL = {
    "S/m^2": "S",
    "A/m^2": "A",
    "F/m^2": "F",
    "mol/m^2/s": "mol/s",
    "m/s": "m^3/s",
    "m^4/mol/s": "m^6/mol/s",
    "m^7/mol^2/s": "m^9/mol^2/s",
    "m^10/mol^3/s": "m^12/mol^3/s",
}

#: SI unit of a current that carries one charge per turnover, by the SI unit of the turnover.
CURRENTS = {"mol/m^2/s": "A/m^2", "mol/s": "A"}

#: SI units of conductances, which a resistance may stand for.
CONDUCTANCES = ("S/m^2", "S")
