"""Gated channels: their form in a scenario and the laws built from it.

A channel passes one or several ions, ohmically or by the GHK equation, while its gates are open, or in the open states
of a Markov scheme. Each ion is a separate mechanism; all of them share the channel's gates, states and parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simulator.mechanisms import Gate, Law, Occupancy, Parameter, Scheme, library
from simulator.mechanisms.gating import FORMS, bell, temperature_factor

__all__ = ["BELL", "HOW_OPEN", "ChannelForm", "GateForm", "RateForm", "SchemeForm"]

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
    """One function of a gate or of a transition, without its parameter values.

    Parameters
    ----------
    role : str
        Which function it is: ``opening``, ``closing``, ``steady`` or ``time_constant`` of a gate, ``forward`` or
        ``backward`` of a transition.
    form : str
        A name in :data:`simulator.mechanisms.gating.FORMS`, or ``"number"``; ``"bell"`` for a time constant.
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
class SchemeForm:
    """A Markov scheme without its parameter values.

    Parameters
    ----------
    states, open : tuple of str
        All states, and those in which ions pass.
    transitions : tuple of (from, to, functions)
        Two states and the rates there and back.
    """

    states: tuple[str, ...]
    open: tuple[str, ...]
    transitions: tuple[tuple[str, str, tuple[RateForm, ...]], ...]


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
    scheme : SchemeForm, optional
        States between which the channels move.
    """

    how_open: str
    ion: str
    gates: tuple[GateForm, ...]
    warmed: bool
    scheme: SchemeForm | None = None

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
        rates = {rate.role: _rate(gate.name, f"gates.{gate.name}", rate, form.warmed) for rate in gate.rates}
        gates.append(Gate(gate.name, at_once=gate.at_once, **{role: rate for role, (rate, _) in rates.items()}))
        parameters += [p for _, own in rates.values() for p in own]
    passing = () if form.scheme is None else form.scheme.open
    if form.scheme is not None:
        scheme, own = _scheme(form.scheme, form.warmed)
        gates += [Occupancy(state, scheme=scheme) for state in scheme.states]
        parameters += own
    if form.warmed:
        parameters += _TEMPERATURES
    names = [form.how_open, share, *(gate.name for gate in form.gates), *passing]
    others = [a for a in leak.arguments if a != form.how_open]

    def rate(names: dict[str, Any]) -> Any:
        ready = names[form.how_open] * names[share]
        for gate in form.gates:
            ready = ready * names[gate.name] ** gate.power
        if passing:
            ready = ready * sum(names[state] for state in passing)
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


def _scheme(form: SchemeForm, warmed: bool) -> tuple[Scheme, list[Parameter]]:
    """Build a scheme and the parameters of its rates."""
    transitions, parameters = [], []
    for i, (a, b, forms) in enumerate(form.transitions):
        rates = {rate.role: _rate(f"{a}_{b}_{i}", f"transitions.{i}", rate, warmed) for rate in forms}
        forward, backward = (rates[role][0] if role in rates else None for role in ("forward", "backward"))
        transitions.append((a, b, forward, backward))
        parameters += [p for _, own in rates.values() for p in own]
    return Scheme(form.states, tuple(transitions)), parameters


def _rate(owner: str, path: str, form: RateForm, warmed: bool) -> tuple[_Rate, tuple[Parameter, ...]]:
    """Build one function of a gate or transition, and its parameters, which lie below `path` in the scenario."""
    parameters = tuple(_parameters(owner, path, form))
    names = [p.name for p in parameters]
    variables = [form.variable] if form.variable else []
    temperatures = ("temperature", *(p.name for p in _TEMPERATURES)) if warmed and form.role != "steady" else ()

    def value(given: dict[str, Any]) -> Any:
        numbers = [given[name] for name in names]
        variable = [given[v] for v in variables]
        quicker = temperature_factor(*(given[t] for t in ("temperature", "measured_at", "q10"))) if temperatures else 1
        if form.role == "time_constant":
            return (bell(*variable, *numbers) if form.form == "bell" else numbers[0]) / quicker
        if form.form == "number":
            return numbers[0] * quicker
        whole = [form.power] if FORMS[form.form].whole else []
        size = numbers.pop(0) * quicker if form.role != "steady" else 1
        return size * FORMS[form.form].value(*variable, *numbers, *whole)

    return _Rate((*names, *variables, *temperatures), value), parameters


def _parameters(owner: str, path: str, form: RateForm) -> Iterator[Parameter]:
    """Yield the parameters of one function of a gate or transition, with their paths in a scenario."""
    path, timed = f"{path}.{form.role}", form.role == "time_constant"
    if form.form == "number":
        unit, meaning = ("s", "time constant") if timed else ("1/s", "rate")
        yield Parameter(f"{owner}_{form.role}", unit, meaning, 0.0, positive=timed, path=path)
        return
    own = BELL if form.form == "bell" else FORMS[form.form].parameters
    if form.role not in ("steady", "time_constant"):
        own = (Parameter("rate", "1/s", "rate constant", minimum=0.0), *own)
    for p in own:
        yield Parameter(
            f"{owner}_{form.role}_{p.name}",
            p.unit,
            p.meaning,
            p.minimum,
            p.maximum,
            p.positive,
            path=f"{path}.{p.name}",
        )
