"""Custom laws: stoichiometry, parameters and a rate expression, given by a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from simulator.mechanisms import Gate, Law, Parameter
from simulator.mechanisms.dimension import in_words, of_unit
from simulator.mechanisms.expressions import Expression, ExpressionError
from simulator.physics.unit_table import DIMENSION_WORDS

__all__ = ["CustomForm", "WrittenGate", "check_dimensions"]

#: Roles of a gate's expressions and their units.
ROLES = {"opening": "1/s", "closing": "1/s", "steady": "1", "time_constant": "s"}

#: Names allowed in any expression besides concentrations, parameters and gates, with their units.
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
    """A gate defined by expressions, in the order of :data:`ROLES`; empty if not given."""

    name: str
    opening: str = ""
    closing: str = ""
    steady: str = ""
    time_constant: str = ""

    def expressions(self) -> dict[str, Expression]:
        """Return the given expressions by role."""
        return {role: Expression(getattr(self, role)) for role in ROLES if getattr(self, role)}


@dataclass(frozen=True)
class CustomForm:
    """A custom law without its parameter values.

    Parameters
    ----------
    rate : str
        Expression of the forward rate (reversible) or the net rate [mol/m2/s].
    moves, outside : tuple of (species, molecules)
        Molecules that enter the inside and the outside per turnover; `outside` is None if it is the opposite.
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
        Charges that enter the inside per turnover, if not those that `moves` carries.
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
        """The law of this form."""
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
    """Raise an error unless an expression has the required unit.

    Parameters
    ----------
    expression : Expression
        Expression to check.
    unit : str
        SI unit of its value.
    names : mapping of str to str
        SI unit of every name it may use.

    Raises
    ------
    ExpressionError
        If a name is unknown or units are incompatible.
    """
    found = expression.dimension({name: of_unit(u) for name, u in names.items()})
    if found == of_unit(unit):
        return
    hint = "divide a current density by faraday" if found == of_unit("A/m^2") and unit == "mol/m^2/s" else ""
    wanted = f"{DIMENSION_WORDS[unit][0]} [{unit}]" if unit != "1" else "a plain number"
    raise ExpressionError(expression.text.strip(), 0, f"the value is {in_words(found)}", wanted, hint)
