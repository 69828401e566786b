"""What a user can say: the validated, frozen description of one simulation, in SI.

:class:`Scenario` is the single source of the JSON Schema, of the defaults and of the dotted paths that
name a value everywhere (``--set``, ``protocol``, ``sweep``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from simulator.physics.constants import ATP_FREE_ENERGY, FARADAY, GAS_CONSTANT, SPECIES_CHARGE, ZERO_CELSIUS
from simulator.physics.units import format_quantity
from simulator.scenario import paths as dotted_paths
from simulator.scenario.checks import whole as consistency
from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.entries.base import MechanismEntry
from simulator.scenario.parts import ClampEvent, Compartment, Event, Membrane, ReleaseEvent, Run, SetEvent, Species
from simulator.scenario.paths import Leaf
from simulator.scenario.quantity import Quantity, SiNumber
from simulator.scenario.records import Frozen, Label, Record
from simulator.scenario.sweep import Sweep

__all__ = [
    "ClampEvent",
    "Compartment",
    "MechanismEntry",
    "Membrane",
    "ReleaseEvent",
    "Run",
    "Scenario",
    "SetEvent",
    "Species",
    "differences",
    "json_schema",
]

#: Temperature [K] of a scenario that gives none: 37 degC.
BODY_TEMPERATURE = 37.0 + ZERO_CELSIUS


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
    sweep: Sweep | None = Field(None, description="many runs of this scenario, each with its own values")

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
        found = [*complaints, *more]
        object.__setattr__(self, "protocol", protocol)
        if self.sweep is not None:
            from simulator.scenario.checks.sweep import settled_sweep  # a single run has no use for it

            sweep, wrong = settled_sweep(self, text=bool(info.context and info.context.get("text")))
            found += wrong
            object.__setattr__(self, "sweep", sweep)
            self.__dict__.pop("_leaves", None)  # they have the values as text
        if info.context is not None and "collected" in info.context:
            info.context["collected"] += found
        elif found:
            refuse("Scenario", found)
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
        order = dict.fromkeys(name for c in self.compartments.values() for name in c.concentrations)
        return {name: charge for name in order if (charge := self.charge_of(name)) is not None}

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
        for path, leaf in leaves.items():
            swept = next((key for key in leaf.path if key in leaves), None) if leaf.path[0] == "sweep" else None
            if swept is not None and leaf.quantity is None:
                leaves[path] = replace(leaf, quantity=leaves[swept].quantity)
        return leaves


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario as people write it, for editors.

    A file that extends another one may leave out anything, so only its first keys are checked.
    """
    schema = _as_written(Scenario.model_json_schema())
    definitions = schema.pop("$defs")
    extends = {"type": "string", "description": "scenario file this one builds on"}
    schema["properties"]["twins"] = {
        "type": "object",
        "description": "the same scenario with a few values changed, by name: dotted paths and new values",
        "additionalProperties": {"type": "object", "minProperties": 1},
    }
    first_keys = {name: {"description": part.get("description", "")} for name, part in schema["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ionflux scenario",
        "type": "object",
        "if": {"type": "object", "required": ["extends"]},
        "then": {"properties": {"extends": extends} | first_keys, "additionalProperties": False},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": definitions | {"Scenario": schema},
    }


def _as_written(part: Any) -> Any:
    """Show defaults with their units, and no null, which a file cannot hold."""
    if isinstance(part, list):
        return [_as_written(item) for item in part]
    if not isinstance(part, dict):
        return part
    part = {key: _as_written(value) for key, value in part.items()}
    if {"type": "null"} in part.get("anyOf", []):
        [other] = [choice for choice in part.pop("anyOf") if choice != {"type": "null"}]
        part = other | {key: value for key, value in part.items() if value is not None}
    if "unit" in part and isinstance(part.get("default"), float):
        part["default"] = format_quantity(part["default"], part["unit"])
    return part


def differences(a: Scenario, b: Scenario) -> list[tuple[str, str, str]]:
    """Values in which two scenarios differ: ``(path, in a, in b)`` as text, ``-`` where there is none."""
    first, second = a.leaves(), b.leaves()
    found = []
    for path in [*first, *(path for path in second if path not in first)]:
        here, there = first.get(path), second.get(path)
        if here is None or there is None or here.value != there.value:
            texts = tuple("-" if leaf is None else leaf.text() for leaf in (here, there))
            if texts[0] == texts[1]:  # they differ beyond the digits shown
                texts = tuple("-" if leaf is None else repr(leaf.value) for leaf in (here, there))
            found.append((path, texts[0], texts[1]))
    return found
