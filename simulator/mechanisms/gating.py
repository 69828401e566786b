"""Standard forms of gating: rates, steady values and time constants of gates as functions of one variable.

Each form is a dimensionless function of its variable (potential, another gate, a concentration) and of declared
parameters; a rate is a rate constant times a form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.mechanisms import Parameter
from simulator.physics.special import bern, exp, log, sigmoid

__all__ = ["FORMS", "SOURCE", "Form", "bell", "temperature_factor"]

#: Temperature difference [K] to which a Q10 refers.
TEN_DEGREES = 10.0


@dataclass(frozen=True)
class Form:
    """A dimensionless function of one variable, with the parameters a scenario gives.

    Parameters
    ----------
    title : str
        A phrase for help texts.
    value : callable
        Function of the variable followed by the parameters, in order.
    parameters : tuple of Parameter
        Parameters that a scenario must give.
    variable : str
        Kind of variable: ``"potential"``, ``"gate"``, ``"concentration"`` or empty for none.
    whole : tuple of str
        Names of integers that belong to the form itself (a cooperativity), passed after the parameters.
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
    """``1/(1 + e^(-(x - midpoint)/width))``: one half at the midpoint, rising if the width is positive."""
    return sigmoid((x - midpoint) / width)


def _linear_exponential(v: Any, midpoint: Any, width: Any) -> Any:
    """``y/(1 - e^(-y))`` with ``y = (V - midpoint)/width``: 1 at the midpoint, linear far above it."""
    return bern((midpoint - v) / width)


def _hill(c: Any, half: Any, power: int) -> Any:
    """``c^n/(c^n + half^n)``: fraction of sites with all n positions occupied."""
    return c**power / (c**power + half**power)


def bell(v: Any, shortest: Any, longest: Any, midpoint: Any, width: Any) -> Any:
    """Time constant ``shortest + (longest - shortest)/cosh((V - midpoint)/width)`` [s]."""
    y = (v - midpoint) / width
    return shortest + (longest - shortest) * 2 / (exp(y) + exp(-y))


def temperature_factor(temperature: Any, measured_at: Any, q10: Any) -> Any:
    """Gating speed relative to that at the temperature of measurement: ``Q10^((T - T0)/10 K)``."""
    return exp(log(q10) * ((temperature - measured_at) / TEN_DEGREES))


_MIDPOINT = Parameter("midpoint", "V", "potential at the midpoint of the curve")
_WIDTH = Parameter("width", "V", "potential scale of the curve; a negative width mirrors it")

#: Source of the first four forms.
SOURCE = "Hodgkin & Huxley 1952, J Physiol 117:500, eqs 12-24, doi:10.1113/jphysiol.1952.sp004764"

#: The standard forms by the name a scenario uses.
FORMS = {
    "constant": Form("constant", _constant, variable=""),
    "exponential": Form("exponential in the potential", _exponential, (_MIDPOINT, _WIDTH)),
    "sigmoid": Form("sigmoid in the potential", _sigmoid, (_MIDPOINT, _WIDTH)),
    "linear_exponential": Form("near zero below the midpoint, linear above", _linear_exponential, (_MIDPOINT, _WIDTH)),
    "gate_sigmoid": Form(
        "sigmoid in another gate",
        _sigmoid,
        (
            Parameter("midpoint", "1", "value of the other gate at the midpoint of the curve"),
            Parameter("width", "1", "scale of the curve in the other gate"),
        ),
        variable="gate",
    ),
    "hill": Form(
        "cooperative binding of a species",
        _hill,
        (Parameter("half", "mol/m^3", "concentration at which half of the sites are occupied", positive=True),),
        variable="concentration",
        whole=("power",),
    ),
}
