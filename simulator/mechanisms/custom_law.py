"""A user's own law: stoichiometry, parameters and a rate written as an expression, made a mechanism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from simulator.mechanisms import Gate, Law, Parameter
from simulator.mechanisms.expressions import DIMENSIONLESS, Dimension, Expression, ExpressionError
from simulator.physics.units import DIMENSION_WORDS, unit_dimension

__all__ = ["CustomForm", "WrittenGate", "check_dimensions"]

#: Roles of a gate's expressions, and the unit of each.
ROLES = {"opening": "1/s", "closing": "1/s", "steady": "1", "time_constant": "s"}

#: What may stand in any expression beside concentrations, parameters and gates, with its unit.
NAMES = {
    "v": "V",
    "rt_over_f": "V",
    "faraday": "C/mol",
    "temperature": "K",
    "volume_i": "m^3",
    "volume_o": "m^3",
    "area": "m^2",
    "time": "s",
}


@dataclass(frozen=True)
class WrittenGate:
    """A gate by its expressions, in the order of :data:`ROLES`; empty where there is none."""

    name: str
    opening: str = ""
    closing: str = ""
    steady: str = ""
    time_constant: str = ""

    def expressions(self) -> dict[str, Expression]:
        """The expressions that are given, by role."""
        return {role: Expression(getattr(self, role)) for role in ROLES if getattr(self, role)}


@dataclass(frozen=True)
class CustomForm:
    """A user's law without its numbers.

    Parameters
    ----------
    rate : str
        Expression of the forward rate (reversible) or the net rate [mol/m2/s].
    moves, outside : tuple of (species, molecules)
        What enters the inside, and the outside, per turnover; `outside` is None for the opposite.
    parameters : tuple of (name, unit)
        Parameters and their SI units.
    gates : tuple of WrittenGate
        Gates.
    reversible, open, driven : bool
        Whether the backward rate follows from the affinity; whether it may break conservation; whether its work is done
        from outside.
    atp : int
        ATP hydrolysed per turnover.
    charge : int or None
        Charges that enter the inside per turnover, where that is not what `moves` carries.
    """

    rate: str
    moves: tuple[tuple[str, int], ...]
    outside: tuple[tuple[str, int], ...] | None
    parameters: tuple[tuple[str, str], ...]
    gates: tuple[WrittenGate, ...]
    reversible: bool
    atp: int
    charge: int | None
    open: bool
    driven: bool = False

    @property
    def law(self) -> Law:
        """The mechanism that these make."""
        return _law(self)


@lru_cache(maxsize=256)
def _law(form: CustomForm) -> Law:
    return Law(
        title="Custom law",
        parameters=tuple(Parameter(n, unit, "parameter", path=f"parameters.{n}") for n, unit in form.parameters),
        moves=dict(form.moves),
        rate=Expression(form.rate),
        reversible=form.reversible,
        source="the scenario",
        atp=form.atp,
        outside=None if form.outside is None else dict(form.outside),
        charge=form.charge,
        gates=tuple(
            Gate(gate.name, at_once=not (gate.opening or gate.time_constant), **gate.expressions())
            for gate in form.gates
        ),
        open=form.open,
        external=form.driven,
    )


def check_dimensions(expression: Expression, unit: str, names: Mapping[str, str]) -> None:
    """Raise unless an expression has the unit it must have.

    Parameters
    ----------
    expression : Expression
        To be checked.
    unit : str
        SI unit of its value.
    names : mapping of str to str
        SI unit of every name it may use.

    Raises
    ------
    ExpressionError
        For unknown names, and where units do not go together.
    """
    found = expression.dimension({name: _dimension(u) for name, u in names.items()})
    if found == _dimension(unit):
        return
    words = next((words for u, (words, _) in DIMENSION_WORDS.items() if _dimension(u) == found), "another quantity")
    hint = "divide a current density by faraday" if found == _dimension("A/m^2") and unit == "mol/m^2/s" else ""
    wanted = f"{DIMENSION_WORDS[unit][0]} [{unit}]" if unit != "1" else "a plain number"
    raise ExpressionError(expression.text.strip(), 0, f"the value is {words}", wanted, hint)


def _dimension(unit: str) -> Dimension:
    return DIMENSIONLESS if unit == "1" else tuple(Fraction(e) for e in unit_dimension(unit))
