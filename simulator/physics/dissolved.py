"""Concentrations in the units of chemistry and medicine: equivalents, osmoles, pH, masses.

What the species decides is read with it; what takes a table of a laboratory is refused with the number to write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulator.physics.constants import FARADAY
from simulator.physics.notation import format_quantity, species_text
from simulator.physics.units import QuantityError, describe, fits, parse_quantity

__all__ = ["PH", "Solute", "parse_dissolved"]

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_EQUIVALENTS = re.compile(r"(?<![A-Za-z])([munpk]?)(?:[Ee]q|equiv|val)(?![A-Za-z])")
_OSMOLES = re.compile(r"(?<![A-Za-z])([mun]?)(?:[Oo]sm(?:ol)?|OsM)(?![A-Za-z])")
_OSMOLES_PER_LITRE = re.compile(_OSMOLES.pattern + r"\s*$")
_MOLES = r"\g<1>mol"

#: A pH, before or after its number.
PH = re.compile(rf"\s*(?:pH\s*({_NUMBER})|({_NUMBER})\s*pH)\s*")

#: Molar masses [g/mol], IUPAC 2021, for the numbers that hints suggest.
MOLAR_MASS = {
    "na": 22.990,
    "k": 39.098,
    "cl": 35.45,
    "ca": 40.078,
    "mg": 24.305,
    "h": 1.008,
    "hco3": 61.016,
    "glucose": 180.16,
}


@dataclass(frozen=True)
class Solute:
    """What a concentration is of: a species and its charge number; both unknown for an impermeant."""

    species: str = ""
    charge: int | None = None


def parse_dissolved(text: str, unit: str, solute: Solute | None, faraday: float = FARADAY) -> float:
    """Read a concentration or an amount in moles, equivalents, osmoles or as pH; in SI.

    Parameters
    ----------
    text : str
        E.g. ``"145 mM"``, ``"4.5 mEq/L"``, ``"290 mOsm"``, ``"pH 7.4"``.
    unit : str
        ``"mol/m^3"`` or ``"mol"``.
    solute : Solute or None
        What it is of; None for a number that is no concentration of a solution, such as an affinity of a carrier.
    faraday : float
        As for :func:`~simulator.physics.units.parse_quantity`.

    Raises
    ------
    QuantityError
        If the text is no such number, or has a unit that the species does not decide.
    """
    expected, given = describe(unit), text.strip()
    if match := PH.fullmatch(text):
        return _from_ph(given, float(match[1] or match[2]), expected, solute)
    per_mole = 1
    if _EQUIVALENTS.search(text):
        text = _EQUIVALENTS.sub(_MOLES, text)
        per_mole = _equivalents(given, _shown(text, unit), expected, solute)
    elif _OSMOLES.search(text):
        text = _OSMOLES_PER_LITRE.sub(r"\g<1>M", text) if unit == "mol/m^3" else text
        text = _OSMOLES.sub(_MOLES, text)
        if solute is None:
            raise QuantityError(f"`{given}` is an osmolarity", expected, f"write `{_shown(text, unit)}`")
    _refuse_masses(given, text, per_mole, unit, expected, solute)
    if text.strip() != given and not fits(text, unit):
        problem, hint = (
            ("not per volume", "write it per litre") if unit == "mol/m^3" else ("no amount", "leave out `/L`")
        )
        raise QuantityError(f"`{given}` is {problem}", expected, hint)
    return parse_quantity(text, unit, faraday) / per_mole


def _from_ph(text: str, ph: float, expected: str, solute: Solute | None) -> float:
    hydrogen = 10.0 ** (3.0 - ph) if abs(ph) < 100.0 else 0.0
    if solute is None or solute.species != "h":
        hint = (
            f"a pH is the concentration of h alone; as a concentration it is `{format_quantity(hydrogen, 'mol/m^3')}`"
        )
        raise QuantityError(f"`{text}` is a pH", expected, hint)
    if hydrogen == 0.0:
        raise QuantityError(f"`{text}` is no pH of a solution", expected)
    return hydrogen


def _equivalents(given: str, single: str, expected: str, solute: Solute | None) -> int:
    """Equivalents per mole; `single` is the number in moles if there is one."""
    if solute is not None and solute.charge:
        return abs(solute.charge)
    if solute is not None and solute.charge == 0:
        problem = f"`{given}` is in equivalents, and {species_text(solute.species)} has charge 0"
        raise QuantityError(problem, expected, f"write `{single}`")
    hint = f"divide by the charge number: `{single}` for a single charge"
    raise QuantityError(f"`{given}` is in equivalents of a charge that is not known here", expected, hint)


def _refuse_masses(given: str, text: str, per_mole: int, unit: str, expected: str, solute: Solute | None) -> None:
    """Refuse masses per volume, and amounts per mass of water, with the number to write."""
    if fits(text, "mol/kg"):
        same = format_quantity(parse_quantity(text, "mol/kg") * 1.0e3 / per_mole, "mol/m^3")
        hint = (
            f"in a dilute solution that is `{same}`, within 1 %; the volume of the solutes themselves is not known here"
        )
        raise QuantityError(f"`{given}` is per mass of water", expected, hint)
    mass = next((u for u in ("kg/m^3", "kg") if fits(text, u)), None)
    if mass is None:
        return
    solute = solute or Solute()
    known = MOLAR_MASS.get(solute.species)
    if known is None or (mass == "kg") != (unit == "mol"):
        hint = "divide by the molar mass and write mM"
    else:
        grams = parse_quantity(text, mass) * 1.0e3
        moles = format_quantity(float(f"{grams / known:.4g}"), unit)
        hint = f"write `{moles}` ({species_text(solute.species)} weighs {known:g} g/mol)"
    raise QuantityError(f"`{given}` is a mass{' per volume' if mass != 'kg' else ''}", expected, hint)


def _shown(text: str, unit: str) -> str:
    """A quantity as a scenario would write it; unreadable ones as they are."""
    return format_quantity(parse_quantity(text, unit), unit) if fits(text, unit) else text.strip()
