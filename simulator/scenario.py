"""What a user can say: the validated, frozen description of one simulation, in SI.

:class:`Scenario` is the single source of the JSON Schema, of the defaults and of the dotted paths that
name a value everywhere (``--set``, ``protocol``, ``sweep``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from simulator import consistency, dotted_paths
from simulator.complaints import Complaint, refuse
from simulator.constants import ATP_FREE_ENERGY, FARADAY, GAS_CONSTANT, SPECIES_CHARGE, ZERO_CELSIUS
from simulator.dotted_paths import Leaf
from simulator.mechanism_entries import AnyMechanism, MechanismEntry
from simulator.quantity import Quantity, SiNumber
from simulator.records import Frozen, Label, Record

__all__ = [
    "ClampEvent",
    "Compartment",
    "Impermeant",
    "MechanismEntry",
    "Membrane",
    "ReleaseEvent",
    "Run",
    "Scenario",
    "SetEvent",
    "differences",
]

#: Temperature [K] of a scenario that gives none: 37 degC.
BODY_TEMPERATURE = 37.0 + ZERO_CELSIUS

#: 20 mol/L is above the solubility of any salt here; mistaking M for mM is not.
Concentration = Annotated[float, Quantity("mol/m^3", 0.0, 20_000.0)]
Potential = Annotated[float, Quantity("V", -1.0, 1.0)]
Length = Annotated[float, Quantity("m", maximum=1.0, positive=True)]
Instant = Annotated[float, Quantity("s", 0.0, 1e12)]
Span = Annotated[float, Quantity("s", maximum=1e12, positive=True)]


class Species(Record):
    """A species that is not built in."""

    charge: Annotated[int, Quantity("1", -20, 20, whole=True)] = Field(description="charge number")


class Sphere(Record):
    """A sphere."""

    radius: Length = Field(description="radius")


class Cylinder(Record):
    """A cylinder; only its side counts as membrane, not its ends."""

    radius: Length = Field(description="radius")
    length: Length = Field(description="length")


class Geometry(Record):
    """The initial shape of a compartment, one of the two."""

    sphere: Sphere | None = Field(None, description="a sphere")
    cylinder: Cylinder | None = Field(None, description="a cylinder without ends")

    @property
    def volume(self) -> float:
        """Volume [m3]."""
        if self.sphere is not None:
            return 4.0 / 3.0 * math.pi * self.sphere.radius**3
        assert self.cylinder is not None
        return math.pi * self.cylinder.radius**2 * self.cylinder.length

    @property
    def area(self) -> float:
        """Membrane area [m2]."""
        if self.sphere is not None:
            return 4.0 * math.pi * self.sphere.radius**2
        assert self.cylinder is not None
        return 2.0 * math.pi * self.cylinder.radius * self.cylinder.length


class Impermeant(Record):
    """Charged molecules that never leave their compartment."""

    concentration: Concentration = Field(description="concentration of the molecules")
    charge: Annotated[float | Literal["auto"], Quantity("1", -1000.0, 1000.0, words=("auto",))] = Field(
        description="mean charge number; auto closes the charge balance at the start"
    )


class Compartment(Record):
    """A well-mixed solution; a fixed one never changes."""

    fixed: bool = Field(False, description="whether concentrations never change (a bath)")
    open_circuit: bool = Field(False, description="whether a fixed compartment's potential floats instead of being 0")
    concentrations: Annotated[dict[Label, Concentration], Frozen] = Field(description="concentration by species")
    volume: Annotated[float, Quantity("m^3", maximum=1.0, positive=True)] | None = Field(
        None, description="initial volume of a free compartment, unless geometry says it"
    )
    geometry: Geometry | None = Field(None, description="initial shape of a free compartment")
    impermeant: Impermeant | None = Field(None, description="molecules that cannot leave")

    @property
    def initial_volume(self) -> float | None:
        """Volume at the start [m3], None in a fixed compartment."""
        return self.geometry.volume if self.geometry is not None else self.volume


class WaterPermeability(Record):
    """Water that moves at a finite rate."""

    permeability: Annotated[float, Quantity("m/s", 0.0, 1.0)] = Field(description="osmotic water permeability")


def _water_branch(value: object) -> str:
    return "flow" if isinstance(value, Mapping | WaterPermeability) else "word"


Water = Annotated[
    Annotated[Literal["fixed", "instant"], Tag("word")] | Annotated[WaterPermeability, Tag("flow")],
    Discriminator(_water_branch),
]


class Membrane(Record):
    """A membrane between two compartments; its potential is inside minus outside."""

    branches: ClassVar[Mapping[str, tuple[int, str]]] = {
        "mechanisms": (2, "a mechanism, e.g. {law: leak_ghk, ion: k, permeability: 4e-9 m/s}"),
        "water": (1, "fixed, instant or {permeability: 50 um/s}"),
    }

    inside: Label = Field(description="compartment inside")
    outside: Label = Field(description="compartment outside")
    area: Annotated[float, Quantity("m^2", maximum=1e4, positive=True)] | None = Field(
        None, description="membrane area, unless the geometry of the compartment inside says it"
    )
    capacitance: Annotated[float, Quantity("F/m^2", maximum=10.0, positive=True)] = Field(
        0.01, description="capacitance per area (default 1 uF/cm^2)"
    )
    potential: Potential | None = Field(None, description="initial potential, inside minus outside")
    water: Water = Field("fixed", description="fixed volume, instant osmotic balance, or a water permeability")
    mechanisms: Annotated[dict[Label, AnyMechanism], Frozen] = Field(
        default_factory=dict, description="transport mechanisms by label", validate_default=True
    )


class Clamp(Record):
    """A voltage clamp."""

    potential: Potential = Field(description="potential to hold, inside minus outside")
    carrier: Label = Field(description="the charged species that carries the clamp current")


class SetEvent(Record):
    """Change parameters from a time on."""

    at: Instant = Field(description="time of the event")
    set: Annotated[dict[str, Any], Frozen] = Field(
        description="new values by dotted path", json_schema_extra={"minProperties": 1}
    )


class ClampEvent(Record):
    """Hold membranes at a potential from a time on."""

    at: Instant = Field(description="time of the event")
    clamp: Annotated[dict[Label, Clamp], Frozen] = Field(description="clamp by membrane")


class ReleaseEvent(Record):
    """End the clamp of membranes."""

    at: Instant = Field(description="time of the event")
    release: tuple[Label, ...] = Field(description="membranes to release", strict=False)


_EVENTS = {"set": SetEvent, "clamp": ClampEvent, "release": ReleaseEvent}


def _event_branch(value: object) -> str | None:
    keys = value if isinstance(value, Mapping) else vars(value) if isinstance(value, Record) else ()
    return next((name for name in _EVENTS if name in keys), None)


Event = Annotated[
    Annotated[SetEvent, Tag("set")] | Annotated[ClampEvent, Tag("clamp")] | Annotated[ReleaseEvent, Tag("release")],
    Discriminator(_event_branch, custom_error_type="complaint", custom_error_message="{problem}", custom_error_context={
        "problem": "this is not an event", "expected": "a time `at` and one of set, clamp, release",
        "hint": "e.g. {at: 2 h, set: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}}",
    }),
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
        100_000, description="steps after which a run is given up"
    )


class Scenario(Record):
    """One simulation. Numbers are SI; text may carry any unit of the right dimension."""

    branches: ClassVar[Mapping[str, tuple[int, str]]] = {"protocol": (2, "an event")}

    name: Annotated[str, AfterValidator(consistency.check_title)] = Field(description="title, at most 100 characters")
    description: str | None = Field(None, description="what the scenario shows")
    temperature: Annotated[float, Quantity("K", 250.0, 350.0)] | None = Field(
        None, description="temperature (default 37 degC); or give rt_over_f"
    )
    rt_over_f: Annotated[float, Quantity("V", 0.0215, 0.0302)] | None = Field(
        None, description="thermal voltage RT/F instead of a temperature, for papers that round it"
    )
    atp_free_energy: Annotated[float, Quantity("J/mol", -200e3, 0.0)] = Field(
        ATP_FREE_ENERGY, description="free energy of ATP hydrolysis"
    )
    formulation: Literal["capacitive", "electroneutral"] = Field(
        "capacitive", description="potential from the charge on the membrane, or from zero total current"
    )
    species: Annotated[dict[Label, Species], Frozen] = Field(
        default_factory=dict, description="species that are not built in", validate_default=True
    )
    compartments: Annotated[dict[Label, Compartment], Frozen] = Field(description="compartments by name")
    membranes: Annotated[dict[Label, Membrane], Frozen] = Field(description="membranes by name")
    protocol: tuple[Event, ...] = Field((), description="events during the run", strict=False)
    run: Run = Field(description="duration, saved points, accuracy")

    @model_validator(mode="before")
    @classmethod
    def _default_temperature(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("temperature") is None and data.get("rt_over_f") is None:
            return {**data, "temperature": SiNumber(BODY_TEMPERATURE)}
        return data

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        complaints = list(consistency.complaints(self))
        protocol, more = consistency.settled_protocol(self, text=bool(info.context and info.context.get("text")))
        if complaints or more:
            refuse("Scenario", [*complaints, *more])
        object.__setattr__(self, "protocol", protocol)
        return self

    @staticmethod
    def thermal_voltage_at(temperature: Any) -> Any:
        """RT/F [V] at a temperature [K]."""
        return GAS_CONSTANT * temperature / FARADAY

    @property
    def thermal_voltage(self) -> float:
        """RT/F [V]."""
        if self.rt_over_f is not None:
            return self.rt_over_f
        return float(self.thermal_voltage_at(self.temperature))

    @property
    def kelvin(self) -> float:
        """Temperature [K], the one that RT/F implies where RT/F is given."""
        if self.temperature is not None:
            return self.temperature
        return self.thermal_voltage * FARADAY / GAS_CONSTANT

    @cached_property
    def warnings(self) -> tuple[Complaint, ...]:
        """What is allowed but hardly meant."""
        return tuple(consistency.warnings(self))

    def charge_of(self, species: str) -> int | None:
        """Charge number of a declared or built-in species, None if it is neither."""
        own = self.species.get(species)
        return own.charge if own is not None else SPECIES_CHARGE.get(species)

    def charges(self) -> dict[str, int]:
        """Charge numbers of all species in use, in order of first appearance."""
        used = {name for c in self.compartments.values() for name in c.concentrations}
        order = dict.fromkeys(name for c in self.compartments.values() for name in c.concentrations)
        return {name: charge for name in order if name in used and (charge := self.charge_of(name)) is not None}

    def quantities(self) -> dict[str, float]:
        """Every number by dotted path, SI, defaults included."""
        return {path: leaf.value for path, leaf in self._leaves.items() if not isinstance(leaf.value, bool | str)}

    def unit_of(self, path: str) -> str:
        """SI unit of the value at a dotted path, ``"1"`` for plain numbers and words.

        Raises
        ------
        KeyError
            If the scenario has no such value.
        """
        quantity = self._leaves[path].quantity
        return quantity.unit if quantity is not None else "1"

    def leaves(self) -> Mapping[str, Leaf]:
        """Every value (number, word or switch) by dotted path."""
        return self._leaves

    def leaves_without_changes(self) -> dict[str, Leaf]:
        """The same, but for the new values in the protocol, whose units depend on the others."""
        found = {".".join(leaf.path): leaf for leaf in dotted_paths.leaves(self)}
        return {path: leaf for path, leaf in found.items() if not path.startswith("protocol.")}

    def resolved(self) -> dict[str, Any]:
        """Everything that was said or assumed, as plain data in SI.

        ``Scenario.model_validate`` turns it back into an equal scenario, bit for bit.
        """
        return dotted_paths.plain(self)

    @cached_property
    def _leaves(self) -> dict[str, Leaf]:
        leaves = {".".join(leaf.path): leaf for leaf in dotted_paths.leaves(self)}
        for path, leaf in leaves.items():
            if leaf.path[0] == "protocol" and "set" in leaf.path:
                target = ".".join(leaf.path[leaf.path.index("set") + 1 :])
                leaves[path] = replace(leaf, quantity=leaves[target].quantity)
        return leaves


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario as people write it, for editors."""
    schema = Scenario.model_json_schema()
    # A file that extends another one may leave out what the other one says.
    properties = {"extends": {"type": "string", "description": "scenario file this one builds on"}}
    schema["properties"] = properties | schema["properties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def differences(a: Scenario, b: Scenario) -> list[tuple[str, Any, Any]]:
    """Values in which two scenarios differ: ``(path, in a, in b)``, None where one has no such value."""
    first = {path: leaf.value for path, leaf in a.leaves().items()}
    second = {path: leaf.value for path, leaf in b.leaves().items()}
    paths = [*first, *(path for path in second if path not in first)]
    return [(p, first.get(p), second.get(p)) for p in paths if first.get(p) != second.get(p)]
