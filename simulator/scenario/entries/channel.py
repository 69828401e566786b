"""A gated channel as written in a scenario: ions, conductance or permeability, gates in standard forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, Union

from pydantic import Discriminator, Field, Tag, create_model, model_validator

from simulator.errors import suggestion
from simulator.mechanisms.channel import BELL, HOW_OPEN, ChannelForm, GateForm, RateForm, SchemeForm
from simulator.mechanisms.gating import FORMS
from simulator.mechanisms.mechanism import Mechanism
from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.entries.base import MechanismEntry, field_of
from simulator.scenario.quantity import Quantity, SiNumber
from simulator.scenario.records import Frozen, Label, Record

__all__ = ["ChannelEntry"]

_RATE = (Annotated[float, Quantity("1/s", 0.0)], Field(description="rate constant"))


class GateRate(Record):
    """A function of a gate, in one of the standard forms."""

    form: str

    @property
    def variable(self) -> str:
        """Variable of the function, named as in rate laws."""
        kind = FORMS[self.form].variable
        return {"potential": "v", "": ""}.get(kind) or str(getattr(self, "of", ""))


def _record(name: str, kind: str) -> type[GateRate]:
    """Build the record type of one standard form; rates (``opening``, ``closing``) also have a rate constant."""
    form = FORMS[name]
    fields: dict[str, Any] = {"form": (Literal[name], Field(description=form.title))}
    if kind == "rate":
        fields["rate"] = _RATE
    if form.variable in ("gate", "concentration"):
        what = {"gate": "the other gate, e.g. k_channel.n", "concentration": "the concentration, e.g. ca_i"}
        fields["of"] = (str, Field(description=what[form.variable]))
    fields |= {p.name: field_of(p) for p in form.parameters}
    whole = Annotated[int, Quantity("1", 1, 16, whole=True)]
    fields |= {w: (whole, Field(1, description="molecules that bind together")) for w in form.whole}
    return create_model(f"{name}_{kind}".title().replace("_", ""), __base__=GateRate, __doc__=form.title, **fields)


class Bell(Record):
    """A time constant that is longest at one potential."""

    form: Literal["bell"] = Field(description="bell-shaped in the potential")


_Bell = create_model("BellTimeConstant", __base__=Bell, __doc__=Bell.__doc__, **{p.name: field_of(p) for p in BELL})

_RATES = tuple(_record(name, "rate") for name in FORMS)
_STEADY = tuple(_record(name, "steady") for name, form in FORMS.items() if form.variable and "exponential" not in name)


def _time_branch(value: object) -> str:
    return "bell" if isinstance(value, Mapping | Record) else "number"


def form(value: object) -> str | None:
    """Which form a rate has; a plain number is one, too."""
    if isinstance(value, Mapping):
        return value.get("form")
    return value.form if isinstance(value, GateRate) else "number"


if TYPE_CHECKING:
    RateRecord = float | GateRate
    SteadyRecord = GateRate
    TimeConstant = float | Bell
else:
    _NUMBER = Annotated[float, Quantity("1/s", 0.0), Tag("number")]
    _TAGGED = (_NUMBER, *(Annotated[record, Tag(name)] for name, record in zip(FORMS, _RATES, strict=True)))
    RateRecord = Annotated[Union[_TAGGED], Discriminator(form)]  # noqa: UP007 - from a tuple
    SteadyRecord = Annotated[Union[_STEADY], Field(discriminator="form")]  # noqa: UP007
    TimeConstant = Annotated[
        Annotated[float, Quantity("s", positive=True), Tag("number")] | Annotated[_Bell, Tag("bell")],
        Discriminator(_time_branch),
    ]


def rate_form(role: str, record: Any) -> RateForm:
    """A function of a gate or transition without its parameter values."""
    if not isinstance(record, GateRate):
        return RateForm(role, "number", "")
    return RateForm(role, record.form, record.variable, getattr(record, "power", 1))


#: What a rate looks like, for messages.
_RATE_EXAMPLE = (
    "a rate such as 0.1 1/ms, or a form, e.g. {form: exponential, rate: 4 1/ms, midpoint: -65 mV, width: -18 mV}"
)


def _without_width(owner: ChannelGate | Transition) -> Iterator[Complaint]:
    """Complaints about functions of a gate or transition with a width of 0."""
    for role in owner.branches:
        if getattr(getattr(owner, role), "width", 1.0) == 0.0:
            yield Complaint((role, "width"), "the width is 0", "a width other than 0")


class Transition(Record):
    """A transition between two states of a channel, there and back."""

    branches: ClassVar[Mapping[str, tuple[int, str]]] = dict.fromkeys(("forward", "backward"), (1, _RATE_EXAMPLE))

    between: tuple[Label, ...] = Field(description="the two states, from and to", strict=False)
    forward: RateRecord | None = Field(None, description="rate from the first to the second; default: never")
    backward: RateRecord | None = Field(None, description="rate back; default: never")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.between) != 2 or self.between[0] == self.between[1]:
            refuse(
                "Transition", [Complaint(("between",), "these are not two states", "two different states, e.g. [c, o]")]
            )
        if self.forward is None and self.backward is None:
            refuse("Transition", [Complaint((), "the transition has no rate", "forward, backward or both")])
        if flat := list(_without_width(self)):
            refuse("Transition", flat)
        return self

    def form(self) -> tuple[str, str, tuple[RateForm, ...]]:
        """Return the transition without its parameter values."""
        given = {role: getattr(self, role) for role in ("forward", "backward")}
        rates = tuple(rate_form(role, record) for role, record in given.items() if record is not None)
        return self.between[0], self.between[1], rates


class ChannelGate(Record):
    """A gate of a channel."""

    branches: ClassVar[Mapping[str, tuple[int, str]]] = dict.fromkeys(
        ("opening", "closing", "steady", "time_constant"),
        (1, "a form, e.g. {form: sigmoid, midpoint: -40 mV, width: 10 mV}"),
    )

    power: Annotated[int, Quantity("1", 1, 16, whole=True)] = Field(1, description="number of such gates in a channel")
    opening: RateRecord | None = Field(None, description="rate at which shut gates open")
    closing: RateRecord | None = Field(None, description="rate at which open gates shut")
    steady: SteadyRecord | None = Field(None, description="steady value of the gate")
    time_constant: TimeConstant | None = Field(
        None, description="time constant of the approach; instantaneous if not given"
    )
    at_once: bool = Field(False, description="whether the gate is instantaneous: always at its steady value")
    start: Annotated[float, Quantity("1", 0.0, 1.0)] | None = Field(
        None, description="value at t = 0; default: the steady value at the initial potential"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = {role for role in self.branches if getattr(self, role) is not None}
        if given not in ({"opening", "closing"}, {"steady"}, {"steady", "time_constant"}):
            problem = f"a gate cannot be given by {' and '.join(sorted(given)) or 'nothing'}"
            expected = "opening and closing, or steady and time_constant, or steady alone (an instantaneous gate)"
            refuse("ChannelGate", [Complaint((), problem, expected)])
        if self.start is not None and self.no_state:
            refuse("ChannelGate", [Complaint(("start",), "an instantaneous gate has no start value")])
        if flat := list(_without_width(self)):
            refuse("ChannelGate", flat)
        return self

    @property
    def no_state(self) -> bool:
        """Whether the gate is instantaneous."""
        return self.at_once or (self.opening is None and self.time_constant is None)

    def form(self, name: str) -> GateForm:
        """Return the gate without its parameter values."""
        return GateForm(name, self.power, self.no_state, tuple(self._rates()))

    def _rates(self) -> Iterator[RateForm]:
        for role in ("opening", "closing", "steady"):
            record = getattr(self, role)
            if record is not None:
                yield rate_form(role, record)
        if isinstance(self.time_constant, Bell):
            yield RateForm("time_constant", "bell")
        elif self.time_constant is not None:
            yield RateForm("time_constant", "number", "")


class ChannelEntry(MechanismEntry):
    """A gated channel for one ion or several."""

    law: Literal["channel"] = Field(description="gated channel for one ion or several")
    ions: Annotated[dict[Label, Annotated[float, Quantity("1", 0.0, 1e6)]], Frozen] = Field(
        description="ions that pass, each with its share of the conductance or permeability",
        json_schema_extra={"minProperties": 1},
    )
    conductance: Annotated[float, Quantity("S/m^2", 0.0)] | None = Field(
        None, description="conductance with all gates open (ohmic)"
    )
    permeability: Annotated[float, Quantity("m/s", 0.0, ratio=True)] | None = Field(
        None, description="permeability with all gates open (Goldman-Hodgkin-Katz)"
    )
    gates: Annotated[dict[Label, ChannelGate], Frozen] = Field(
        default_factory=dict, description="gates by name", validate_default=True
    )
    states: tuple[Label, ...] = Field((), description="states of a Markov scheme", strict=False)
    open: tuple[Label, ...] = Field((), description="states in which ions pass", strict=False)
    transitions: tuple[Transition, ...] = Field((), description="transitions between the states", strict=False)
    start: Annotated[dict[Label, Annotated[float, Quantity("1", 0.0, 1.0)]], Frozen] | None = Field(
        None, description="part of the channels in each state at t = 0; default: where it no longer changes"
    )
    q10: Annotated[float, Quantity("1", positive=True)] | None = Field(
        None, description="factor by which gating speeds up per 10 degrees"
    )
    measured_at: Annotated[float, Quantity("K", 200.0, 400.0)] | None = Field(
        None, description="temperature at which the gates were measured"
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_states(cls, data: Any) -> Any:
        """States that `start` does not name are empty."""
        if isinstance(data, Mapping) and isinstance(data.get("start"), Mapping):
            states = data.get("states")
            if isinstance(states, list | tuple) and all(isinstance(s, str) for s in states):
                return {**data, "start": {**dict.fromkeys(states, SiNumber(0.0)), **data["start"]}}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        found = [*self._wrong_states()]
        if not self.ions:
            found.append(Complaint(("ions",), "no ion is given", "ions and their shares, e.g. {na: 1}"))
        if (self.conductance is None) == (self.permeability is None):
            problem = (
                "neither conductance nor permeability is given"
                if self.conductance is None
                else "both conductance and permeability are given"
            )
            where = () if self.conductance is None else ("permeability",)
            found.append(Complaint(where, problem, "either conductance or permeability"))
        if (self.q10 is None) != (self.measured_at is None):
            found.append(Complaint((), "q10 and measured_at belong together", "both q10 and measured_at"))
        if self.q10 is not None and not self.transitions and all(gate.no_state for gate in self.gates.values()):
            problem = "a Q10 quickens gates, and this channel has none that takes time"
            hint = "leave out q10 and measured_at; a conductance that depends on temperature takes a custom law"
            found.append(Complaint(("q10",), problem, "a gate with rates or a time constant", hint))
        if found:
            refuse("ChannelEntry", found)
        return self

    def _wrong_states(self) -> Iterator[Complaint]:
        """Complaints about the Markov scheme."""
        known = ", ".join(self.states)
        if not self.states:
            for key in ("open", "transitions", "start"):
                if getattr(self, key):
                    yield Complaint((key,), f"a channel without states has no `{key}`", "`states`, e.g. [c, o]")
            return
        for i, state in enumerate(self.states):
            if state in self.states[:i] or state in self.gates:
                yield Complaint(("states", i), f"`{state}` is named twice", "different names of states and gates")
        if not self.open:
            yield Complaint(("states",), "no state is open", "the states in which ions pass, e.g. open: [o]")
        if len(self.states) < 2:
            yield Complaint(("states",), "there is one state", "two or more")
        named: list[tuple[tuple[str | int, ...], str]] = [(("open", i), name) for i, name in enumerate(self.open)]
        named += [
            (("transitions", i, "between", j), n)
            for i, t in enumerate(self.transitions)
            for j, n in enumerate(t.between)
        ]
        named += [(("start", name), name) for name in self.start or ()]
        for where, name in named:
            if name not in self.states:
                yield Complaint(where, f"unknown state `{name}`", f"one of {known}", suggestion(name, self.states))
        if self.start is not None and abs(sum(self.start.values()) - 1.0) > 1.0e-9:
            problem = f"the parts at the start add up to {sum(self.start.values()):.10g}"
            yield Complaint(("start",), problem, "parts that add up to 1")
        yield from self._unreached()

    def _unreached(self) -> Iterator[Complaint]:
        """Complaints about states that no way leads back from, to the first one, or to which none leads."""
        steps = {(a, b) for t in self.transitions for a, b in _ways(t)}
        for forth, words in ((True, "reached from"), (False, "left for")):
            found, grown = {self.states[0]}, True
            while grown:
                more = {b if forth else a for a, b in steps if (a if forth else b) in found} - found
                found |= more
                grown = bool(more)
            for i, state in enumerate(self.states):
                if state not in found:
                    problem = f"`{state}` is never {words} `{self.states[0]}`, so occupancies have no steady state"
                    yield Complaint(("states", i), problem, "transitions that lead from each state to every other")

    @property
    def chosen(self) -> str | None:
        """The ion, if the channel passes only one."""
        return next(iter(self.ions)) if len(self.ions) == 1 else None

    def mechanisms(self, label: str) -> tuple[Mechanism, ...]:
        """Return one mechanism per ion; they share gates and parameters."""
        how = next(how for how in HOW_OPEN if getattr(self, how) is not None)
        gates = tuple(gate.form(name) for name, gate in self.gates.items())
        transitions = tuple(transition.form() for transition in self.transitions)
        scheme = SchemeForm(self.states, self.open, transitions) if self.states else None
        forms = [ChannelForm(how, ion, gates, self.q10 is not None, scheme) for ion in self.ions]
        names = [label] if len(forms) == 1 else [f"{label}_{form.ion}" for form in forms]
        return tuple(
            Mechanism(name, self.law, form.ion, form=form, entry=label) for name, form in zip(names, forms, strict=True)
        )


def _ways(transition: Transition) -> Iterator[tuple[str, str]]:
    """Steps that a transition allows."""
    a, b = transition.between
    if transition.forward is not None:
        yield a, b
    if transition.backward is not None:
        yield b, a
