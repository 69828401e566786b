"""Standard forms of gating: how fast gates open and close, and where they stand, in terms of one variable.

Each form is a plain function of its variable (potential, another gate, a concentration) and of declared
parameters, without a dimension: rates are a rate constant times a form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.mechanisms import Parameter
from simulator.physics.special import bern, exp, log, sigmoid

__all__ = ["FORMS", "SOURCE", "Form", "bell", "temperature_factor"]

#: Difference of temperatures [K] that a Q10 speaks of.
TEN_DEGREES = 10.0


@dataclass(frozen=True)
class Form:
    """A dimensionless function of one variable, with the parameters a scenario gives.

    Parameters
    ----------
    title : str
        A phrase for help texts.
    value : callable
        Function of the variable and then the parameters, in order.
    parameters : tuple of Parameter
        What a scenario must give.
    variable : str
        ``"potential"``, ``"gate"``, ``"concentration"`` or empty: what it is a function of.
    whole : tuple of str
        Names of whole numbers that belong to the form itself (a cooperativity), given after the parameters.
    """

    title: str
    value: Callable[..., Any]
    parameters: tuple[Parameter, ...] = ()
    variable: str = "potential"
    whole: tuple[str, ...] = ()


def _constant() -> Any:
    return 1


def _exponential(v: Any, midpoint: Any, width: Any) -> Any:
    """``e^((V - midpoint)/width)``."""
    return exp((v - midpoint) / width)


def _sigmoid(x: Any, midpoint: Any, width: Any) -> Any:
    """``1/(1 + e^(-(x - midpoint)/width))``: one half at the midpoint, rising where the width is positive."""
    return sigmoid((x - midpoint) / width)


def _linear_exponential(v: Any, midpoint: Any, width: Any) -> Any:
    """``y/(1 - e^(-y))`` with ``y = (V - midpoint)/width``: 1 at the midpoint, then rising in proportion."""
    return bern((midpoint - v) / width)


def _hill(c: Any, half: Any, power: int) -> Any:
    """``c^n/(c^n + half^n)``: fraction of sites with all n places taken."""
    return c**power / (c**power + half**power)


def bell(v: Any, shortest: Any, longest: Any, midpoint: Any, width: Any) -> Any:
    """Time constant ``shortest + (longest - shortest)/cosh((V - midpoint)/width)`` [s]."""
    y = (v - midpoint) / width
    return shortest + (longest - shortest) * 2 / (exp(y) + exp(-y))


def temperature_factor(temperature: Any, measured_at: Any, q10: Any) -> Any:
    """How much faster gates move than where they were measured: ``Q10^((T - T0)/10 K)``."""
    return exp(log(q10) * ((temperature - measured_at) / TEN_DEGREES))


_MIDPOINT = Parameter("midpoint", "V", "potential in the middle of the form")
_WIDTH = Parameter("width", "V", "change of potential that counts as one step; negative turns the form round")

#: Where the first four forms come from.
SOURCE = "Hodgkin & Huxley 1952, J Physiol 117:500, eqs 12-24, doi:10.1113/jphysiol.1952.sp004764"

#: The standard forms by the name a scenario uses.
FORMS = {
    "constant": Form("the same at every potential", _constant, variable=""),
    "exponential": Form("exponential in the potential", _exponential, (_MIDPOINT, _WIDTH)),
    "sigmoid": Form("sigmoid in the potential", _sigmoid, (_MIDPOINT, _WIDTH)),
    "linear_exponential": Form("zero below, linear above", _linear_exponential, (_MIDPOINT, _WIDTH)),
    "gate_sigmoid": Form(
        "sigmoid in another gate",
        _sigmoid,
        (
            Parameter("midpoint", "1", "value of the other gate in the middle of the form"),
            Parameter("width", "1", "change of the other gate that counts as one step"),
        ),
        variable="gate",
    ),
    "hill": Form(
        "binding of a species, all places of a site together",
        _hill,
        (Parameter("half", "mol/m^3", "concentration that half fills the sites", positive=True),),
        variable="concentration",
        whole=("power",),
    ),
}
