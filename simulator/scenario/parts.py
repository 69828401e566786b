"""The parts of a scenario: compartments, membranes, events and the run's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.entries.library import AnyMechanism
from simulator.scenario.quantity import Quantity
from simulator.scenario.records import Frozen, Label, Record
from simulator.scenario.waveforms import EXAMPLES, NO_WAVEFORM, Instant, Ramp, Sine, Span, Table, is_waveform, shape_of

__all__ = [
    "Clamp",
    "ClampEvent",
    "Compartment",
    "Cylinder",
    "Event",
    "Geometry",
    "Impermeant",
    "Membrane",
    "ReleaseEvent",
    "Run",
    "SetEvent",
    "Species",
    "Sphere",
    "TimedEvent",
    "WaterPermeability",
]

#: Above the solubility of any salt here [mol/m3]; most values with M written for mM exceed it.
LARGEST_CONCENTRATION = 20_000.0

#: A hundred thousand times that of a lipid bilayer, for slips of the prefix [F/m2].
LARGEST_CAPACITANCE = 10.0

#: Of water, for the same reason [m/s].
LARGEST_PERMEABILITY = 1.0

Concentration = Annotated[float, Quantity("mol/m^3", 0.0, LARGEST_CONCENTRATION, solute=True)]
#: A membrane potential and its bounds.
POTENTIAL = Quantity("V", -1.0, 1.0)

Potential = Annotated[float, POTENTIAL]
Length = Annotated[float, Quantity("m", maximum=1.0, positive=True)]


def _one_of(*keys: str) -> dict[str, Any]:
    """JSON Schema of a record that has exactly one of some keys."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def _require_one(record: Record, key: str, other: str) -> None:
    """Refuse a record that gives both of two keys for the same, or neither."""
    given = [name for name in (key, other) if getattr(record, name) is not None]
    if len(given) != 1:
        problem = f"{key} and {other} are both given" if given else f"`{key}` is missing, and so is `{other}`"
        hint = "keep one of them" if given else ""
        refuse(type(record).__name__, [Complaint((other,) if given else (), problem, f"either {key} or {other}", hint)])


class Species(Record):
    """A species that is not built in."""

    charge: Annotated[int, Quantity("1", -20, 20, whole=True)] = Field(description="charge number")


class Round(Record):
    """A shape with a radius, or the diameter instead."""

    model_config = ConfigDict(json_schema_extra=_one_of("radius", "diameter"))

    radius: Length | None = Field(None, description="radius, or give the diameter")
    diameter: Length | None = Field(None, description="diameter instead of the radius")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require_one(self, "radius", "diameter")
        return self


class Sphere(Round):
    """A sphere."""


class Cylinder(Round):
    """A cylinder; only its side counts as membrane, not its ends."""

    length: Length = Field(description="length")


class Geometry(Record):
    """The initial shape of a compartment: a sphere or a cylinder."""

    sphere: Sphere | None = Field(None, description="a sphere")
    cylinder: Cylinder | None = Field(None, description="a cylinder without ends")


class Impermeant(Record):
    """Charged molecules that never leave their compartment."""

    model_config = ConfigDict(json_schema_extra=_one_of("concentration", "amount"))

    concentration: Concentration | None = Field(None, description="concentration of the molecules at the start")
    amount: Annotated[float, Quantity("mol", 0.0, solute=True)] | None = Field(
        None, description="amount of the molecules instead of the concentration"
    )
    charge: Annotated[float | Literal["auto"], Quantity("1", -1000.0, 1000.0, words=("auto",))] = Field(
        description="mean charge number; auto balances the charge at the start"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require_one(self, "concentration", "amount")
        return self


class Compartment(Record):
    """A well-mixed solution; a fixed one never changes."""

    fixed: bool = Field(False, description="whether concentrations never change (a bath)")
    open_circuit: bool = Field(False, description="whether a fixed compartment's potential floats instead of being 0")
    grounded: bool = Field(False, description="whether a free compartment's potential is 0, as that of tissue fluid")
    concentrations: Annotated[dict[Label, Concentration], Frozen] = Field(description="concentration by species")
    volume: Annotated[float, Quantity("m^3", maximum=1.0, positive=True)] | None = Field(
        None, description="initial volume of a free compartment, unless geometry is given"
    )
    geometry: Geometry | None = Field(None, description="initial shape of a free compartment")
    impermeant: Impermeant | None = Field(None, description="molecules that cannot leave")


class WaterPermeability(Record):
    """Water that moves at a finite rate."""

    permeability: Annotated[float, Quantity("m/s", 0.0, LARGEST_PERMEABILITY, example="50 um/s")] = Field(
        description="osmotic water permeability"
    )


def _water_branch(value: object) -> str:
    return "flow" if isinstance(value, Mapping | WaterPermeability) else "word"


Water = Annotated[
    Annotated[Literal["fixed", "instant"], Tag("word")] | Annotated[WaterPermeability, Tag("flow")],
    Discriminator(_water_branch),
]


class Membrane(Record):
    """A membrane between two compartments; its potential is inside minus outside."""

    branches: ClassVar[Mapping[str, tuple[int, str]]] = {
        "water": (1, "one of fixed, instant, {permeability: 50 um/s}"),
    }

    inside: Label = Field(description="compartment inside")
    outside: Label = Field(description="compartment outside")
    area: Annotated[float, Quantity("m^2", maximum=1e4, positive=True)] | None = Field(
        None, description="membrane area; default: from the geometry of the compartment inside"
    )
    area_change: Literal["fixed", "with_volume"] = Field(
        "fixed",
        description="whether membrane, pumps and channels stay what they are when the volume changes, or grow with it "
        "(a sphere keeps its shape, a cylinder its length)",
    )
    capacitance: Annotated[float, Quantity("F/m^2", maximum=LARGEST_CAPACITANCE, positive=True)] = Field(
        0.01, description="capacitance per area (default 1 uF/cm^2), or of the whole membrane"
    )
    potential: Potential | None = Field(None, description="initial potential, inside minus outside")
    permeability_scale: Annotated[float, Quantity("m/s", 0.0)] | None = Field(
        None, description="permeability of which those mechanisms have multiples that give a plain number"
    )
    water: Water = Field("fixed", description="fixed volume, instant osmotic balance, or a water permeability")
    mechanisms: Annotated[dict[Label, AnyMechanism], Frozen] = Field(
        default_factory=dict, description="transport mechanisms by label", validate_default=True
    )


def _command_branch(value: object) -> str | None:
    return shape_of(value) if is_waveform(value) else "number"


class Clamp(Record):
    """A voltage clamp."""

    branches: ClassVar[Mapping[str, tuple[int, str]]] = {"potential": (1, f"a voltage, or a waveform: {EXAMPLES}")}

    potential: Annotated[
        Annotated[Potential, Tag("number")]
        | Annotated[Ramp, Tag("ramp")]
        | Annotated[Sine, Tag("sine")]
        | Annotated[Table, Tag("values")],
        Discriminator(_command_branch, **NO_WAVEFORM),
    ] = Field(description="potential to hold, inside minus outside, or a waveform")
    carrier: Label = Field(description="the charged species that carries the clamp current")


class TimedEvent(Record):
    """An event that is in force from a time on, for a limited time (a pulse), or in repeated pulses."""

    at: Instant = Field(description="time of the event")
    lasting: Span | None = Field(None, description="time after which the old values return; default: never")
    every: Span | None = Field(None, description="time from one pulse to the next")
    times: Annotated[int, Quantity("1", 1, 10**12, whole=True)] | None = Field(
        None, description="number of pulses; default with `every`: to the end of the run"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.every is None and self.times is not None:
            refuse("event", [Complaint(("times",), "repeated pulses need an interval", "`every`")])
        if self.every is not None and self.lasting is None:
            refuse("event", [Complaint((), "repeated pulses need a duration", "`lasting`")])
        if self.every is not None and self.lasting is not None and self.lasting >= self.every:
            refuse("event", [Complaint(("lasting",), "a pulse lasts into the next one", "less than `every`")])
        return self


class SetEvent(TimedEvent):
    """Change parameters."""

    set: Annotated[dict[str, Any], Frozen] = Field(
        description="new values, or waveforms, by dotted path", json_schema_extra={"minProperties": 1}
    )


class ClampEvent(TimedEvent):
    """Hold membranes at a potential."""

    clamp: Annotated[dict[Label, Clamp], Frozen] = Field(description="clamp by membrane")


class ReleaseEvent(Record):
    """End the clamp of membranes."""

    at: Instant = Field(description="time of the event")
    release: tuple[Label, ...] = Field(description="membranes to release", strict=False)


def _event_branch(value: object) -> str | None:
    keys = value if isinstance(value, Mapping) else vars(value) if isinstance(value, Record) else ()
    return next((name for name in ("set", "clamp", "release") if name in keys), None)


Event = Annotated[
    Annotated[SetEvent, Tag("set")] | Annotated[ClampEvent, Tag("clamp")] | Annotated[ReleaseEvent, Tag("release")],
    Discriminator(
        _event_branch,
        custom_error_type="complaint",
        custom_error_message="{problem}",
        custom_error_context={
            "problem": "this is not an event",
            "expected": "a time `at` and one of set, clamp, release",
            "hint": "e.g. {at: 2 h, set: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}}",
        },
    ),
]


class Run(Record):
    """How long to run, what to save, how accurately."""

    duration: Span = Field(description="time to simulate")
    until: Literal["end", "steady"] = Field("end", description="stop at the end, or once a steady state is reached")
    save_every: Span | None = Field(None, description="time between saved points")
    save_at: tuple[Instant, ...] | None = Field(None, description="times of saved points", strict=False)
    save: Literal["trajectory", "final"] = Field("trajectory", description="save all points or the last state only")
    rtol: Annotated[float, Quantity("1", 1e-12, 1e-2)] = Field(1e-6, description="relative tolerance")
    max_steps: Annotated[int, Quantity("1", 1, 10**12, whole=True)] = Field(
        100_000, description="steps between two events, or in a period of a sine, after which a run is given up"
    )
