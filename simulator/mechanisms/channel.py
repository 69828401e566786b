"""Gated channels: their form in a scenario and the laws built from it.

A channel passes one or several ions, ohmically or by the GHK equation, while its gates are open. Each ion is
a separate mechanism; all of them share the channel's gates and parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simulator.mechanisms import Gate, Law, Parameter, library
from simulator.mechanisms.gating import FORMS, bell, temperature_factor

__all__ = ["BELL", "HOW_OPEN", "ChannelForm", "GateForm", "RateForm"]

#: Scenario keys that set how much an open channel passes, each with the leak law it uses.
HOW_OPEN = {
    "conductance": "leak_ohmic",
    "permeability": "leak_ghk",
}

#: Parameters of a bell-shaped time constant.
BELL = (
    Parameter("shortest", "s", "time constant far from the midpoint", positive=True),
    Parameter("longest", "s", "time constant at the midpoint", positive=True),
    *FORMS["sigmoid"].parameters,
)

_TEMPERATURES = (
    Parameter("q10", "1", "factor by which gating speeds up per 10 degrees", positive=True),
    Parameter("measured_at", "K", "temperature at which the gates were measured", minimum=200.0, maximum=400.0),
)


@dataclass(frozen=True)
class RateForm:
    """One function of a gate (``opening``, ``closing``, ``steady``, ``time_constant``) without its parameter values.

    Parameters
    ----------
    role : str
        Which of the four functions it is.
    form : str
        A name in :data:`simulator.mechanisms.gating.FORMS`; ``"number"`` or ``"bell"`` for a time constant.
    variable : str
        Variable of the function, named as in rate laws: ``v``, ``ca_i``, ``k_channel.n``.
    power : int
        Cooperativity of a ``hill`` form.
    """

    role: str
    form: str
    variable: str = "v"
    power: int = 1


@dataclass(frozen=True)
class GateForm:
    """A gate without its parameter values: its power, whether it is instantaneous, and its functions."""

    name: str
    power: int
    at_once: bool
    rates: tuple[RateForm, ...]


@dataclass(frozen=True)
class ChannelForm:
    """A channel for one ion without its parameter values.

    Parameters
    ----------
    how_open : str
        A key of :data:`HOW_OPEN`.
    ion : str
        The ion that passes.
    gates : tuple of GateForm
        Gates, shared with the channel's other ions.
    warmed : bool
        Whether gating speed depends on the temperature (Q10).
    """

    how_open: str
    ion: str
    gates: tuple[GateForm, ...]
    warmed: bool

    @property
    def law(self) -> Law:
        """The law of this form."""
        return _law(self)


@dataclass(frozen=True)
class _Rate:
    """A function of named arguments that lists their names."""

    arguments: tuple[str, ...]
    value: Callable[..., Any]

    def __call__(self, **names: Any) -> Any:
        return self.value(names)


@lru_cache(maxsize=256)
def _law(form: ChannelForm) -> Law:
    leak = library()[HOW_OPEN[form.how_open]]
    open_per_ion = next(p for p in leak.parameters if p.name == form.how_open)
    share = f"share_{form.ion}"
    parameters = [
        Parameter(form.how_open, open_per_ion.unit, f"{form.how_open} with all gates open", minimum=0.0),
        Parameter(share, "1", "share of it for this ion", minimum=0.0, path=f"ions.{form.ion}"),
    ]
    gates = []
    for gate in form.gates:
        rates = {rate.role: _rate(gate.name, rate, form.warmed) for rate in gate.rates}
        gates.append(Gate(gate.name, at_once=gate.at_once, **{role: rate for role, (rate, _) in rates.items()}))
        parameters += [p for _, own in rates.values() for p in own]
    if form.warmed:
        parameters += _TEMPERATURES
    names = [form.how_open, share, *(gate.name for gate in form.gates)]
    others = [a for a in leak.arguments if a != form.how_open]

    def rate(names: dict[str, Any]) -> Any:
        ready = names[form.how_open] * names[share]
        for gate in form.gates:
            ready = ready * names[gate.name] ** gate.power
        return leak.rate(**{form.how_open: ready}, **{a: names[a] for a in others})

    return Law(
        title=f"Gated channel, {form.how_open}",
        parameters=tuple(parameters),
        moves=leak.moves,
        rate=_Rate((*names, *others), rate),
        reversible=True,
        source=leak.source,
        chooses=leak.chooses,
        takes_logarithm=leak.takes_logarithm,
        gates=tuple(gates),
    )


def _rate(gate: str, form: RateForm, warmed: bool) -> tuple[_Rate, tuple[Parameter, ...]]:
    """Build one function of a gate and its parameters."""
    parameters = tuple(_parameters(gate, form))
    names = [p.name for p in parameters]
    variables = [form.variable] if form.variable else []
    temperatures = ("temperature", *(p.name for p in _TEMPERATURES)) if warmed and form.role != "steady" else ()

    def value(given: dict[str, Any]) -> Any:
        numbers = [given[name] for name in names]
        variable = [given[v] for v in variables]
        quicker = temperature_factor(*(given[t] for t in ("temperature", "measured_at", "q10"))) if temperatures else 1
        if form.role == "time_constant":
            return (bell(*variable, *numbers) if form.form == "bell" else numbers[0]) / quicker
        whole = [form.power] if FORMS[form.form].whole else []
        size = numbers.pop(0) * quicker if form.role in ("opening", "closing") else 1
        return size * FORMS[form.form].value(*variable, *numbers, *whole)

    return _Rate((*names, *variables, *temperatures), value), parameters


def _parameters(gate: str, form: RateForm) -> Iterator[Parameter]:
    """Yield the parameters of one function of a gate, with their paths in a scenario."""
    path = f"gates.{gate}.{form.role}"
    if form.form == "number":
        yield Parameter(f"{gate}_time_constant", "s", "time constant", positive=True, path=path)
        return
    own = BELL if form.form == "bell" else FORMS[form.form].parameters
    if form.role in ("opening", "closing"):
        own = (Parameter("rate", "1/s", "rate constant", minimum=0.0), *own)
    for p in own:
        yield Parameter(
            f"{gate}_{form.role}_{p.name}", p.unit, p.meaning, p.minimum, p.maximum, p.positive, path=f"{path}.{p.name}"
        )
