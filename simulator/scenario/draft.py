"""All keys of a scenario, and look-ups that need only values valid by themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from simulator.physics.constants import (
    ATP_FREE_ENERGY,
    FARADAY,
    GAS_CONSTANT,
    SPECIES_CHARGE,
    WATER_MOLAR_VOLUME,
    ZERO_CELSIUS,
)
from simulator.physics.dissolved import Solute
from simulator.scenario import paths
from simulator.scenario.measures import Measure
from simulator.scenario.parts import POTENTIAL, Compartment, Event, Membrane, Run, Species
from simulator.scenario.paths import Leaf
from simulator.scenario.quantity import OfSolute, Quantity, SiNumber
from simulator.scenario.records import LONGEST_TITLE, Frozen, Label, Record, check_title
from simulator.scenario.start import Start
from simulator.scenario.sweep import Sweep

__all__ = ["Draft"]

#: Temperature [K] of a scenario that gives none: 37 degC.
BODY_TEMPERATURE = 37.0 + ZERO_CELSIUS


#: The Faraday constant and its bounds.
FARADAY_RANGE = Quantity("C/mol", 9.6e4, 9.7e4)


#: The end of a dotted path that names a concentration.
_CONCENTRATION = re.compile(r"\bcompartments\.\w+\.concentrations\.(\w+)$")


def _charges_in(data: Mapping[str, Any]) -> dict[str, Any]:
    """Charge numbers of built-in and declared species, as far as they can be read."""
    own = data.get("species")
    declared = own.items() if isinstance(own, Mapping) else ()
    charges = {n: s.get("charge") if isinstance(s, Mapping) else getattr(s, "charge", None) for n, s in declared}
    return SPECIES_CHARGE | {name: charge for name, charge in charges.items() if isinstance(charge, int)}


def _with_solutes(compartment: Any, charges: Mapping[str, int]) -> Any:
    listed = compartment.get("concentrations") if isinstance(compartment, Mapping) else None
    if not isinstance(listed, Mapping):
        return compartment
    told = {s: OfSolute(c, Solute(s, charges.get(s))) if isinstance(c, str) else c for s, c in listed.items()}
    return {**compartment, "concentrations": told}


class Draft(Record):
    """A scenario whose values are valid by themselves but have not been checked together.

    The checks take a draft; a :class:`~simulator.scenario.scenario.Scenario` is a draft that has passed them.
    """

    model_config = ConfigDict(defer_build=True)  # a bare draft is never validated

    branches: ClassVar[Mapping[str, tuple[int, str]]] = {"protocol": (2, "an event")}

    name: Annotated[str, AfterValidator(check_title)] = Field(description=f"title, at most {LONGEST_TITLE} characters")
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
    faraday: Annotated[float, FARADAY_RANGE] = Field(
        FARADAY, description="Faraday constant, for papers that round it; currents are turned into fluxes with it, too"
    )
    water_molar_volume: Annotated[float, Quantity("m^3/mol", 1.5e-5, 2.5e-5)] = Field(
        WATER_MOLAR_VOLUME, description="molar volume of water, for papers that round it or give another temperature's"
    )
    formulation: Literal["capacitive", "electroneutral"] = Field(
        "capacitive", description="potential from the charge on the membrane, or from zero total current"
    )
    species: Annotated[dict[Label, Species], Frozen] = Field(
        default_factory=dict, description="species that are not built in", validate_default=True
    )
    compartments: Annotated[dict[Label, Compartment], Frozen] = Field(description="compartments by name")
    membranes: Annotated[dict[Label, Membrane], Frozen] = Field(description="membranes by name")
    start: Start | None = Field(
        None, description="begin with the last saved state of another run, instead of the initial values given here"
    )
    protocol: tuple[Event, ...] = Field((), description="events during the run", strict=False)
    measure: Annotated[dict[Label, Measure], Frozen] = Field(
        default_factory=dict, description="numbers of a run besides its end, by name", validate_default=True
    )
    run: Run = Field(description="duration, saved points, accuracy")
    sweep: Sweep | None = Field(None, description="many runs of this scenario, each with its own values")

    @model_validator(mode="before")
    @classmethod
    def _default_temperature(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("temperature") is None and data.get("rt_over_f") is None:
            return {**data, "temperature": SiNumber(BODY_TEMPERATURE)}
        return data

    @model_validator(mode="before")
    @classmethod
    def _solutes(cls, data: Any) -> Any:
        """Tell texts of concentrations which species they are of, because their units may depend on it."""
        given = data.get("compartments") if isinstance(data, Mapping) else None
        if not isinstance(given, Mapping):
            return data
        return {**data, "compartments": {name: _with_solutes(c, _charges_in(data)) for name, c in given.items()}}

    def thermal_voltage_at(self, temperature: Any) -> Any:
        """RT/F [V] at a temperature [K]."""
        return GAS_CONSTANT * temperature / self.faraday

    @property
    def thermal_voltage(self) -> float:
        """RT/F [V]."""
        if self.rt_over_f is not None:
            return self.rt_over_f
        return float(self.thermal_voltage_at(self.temperature))

    @property
    def kelvin(self) -> float:
        """Temperature [K], derived from RT/F if that is given."""
        if self.temperature is not None:
            return self.temperature
        return self.thermal_voltage * self.faraday / GAS_CONSTANT

    def charge_of(self, species: str) -> int | None:
        """Charge number of a declared or built-in species; None if it is neither."""
        own = self.species.get(species)
        return own.charge if own is not None else SPECIES_CHARGE.get(species)

    def charges(self) -> dict[str, int]:
        """Charge numbers of all species in use, in order of first appearance."""
        order = dict.fromkeys(name for c in self.compartments.values() for name in c.concentrations)
        return {name: charge for name in order if (charge := self.charge_of(name)) is not None}

    def read_at(self, path: str, quantity: Quantity, value: Any, *, text: bool) -> float | str:
        """Read a new value for a dotted path.

        Raises
        ------
        QuantityError
            If the value is not such a quantity or is out of bounds.
        """
        of = _CONCENTRATION.search(path)
        if isinstance(value, str) and of is not None:
            value = OfSolute(value, Solute(of[1], self.charge_of(of[1])))
        return quantity.read(value, text=text, faraday=self.faraday)

    def quantities(self) -> dict[str, float]:
        """Return every number by dotted path [SI], defaults included."""
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

    def kind_of(self, path: str) -> str:
        """How a number is given: for the whole ``cell``, as a ``ratio``, or empty (in the unit of its key)."""
        leaf = self._leaves.get(path)
        return leaf.quantity.kind if leaf is not None and leaf.quantity is not None else ""

    def leaves(self) -> Mapping[str, Leaf]:
        """Every value (number, word or switch) by dotted path."""
        return self._leaves

    def leaves_without_changes(self) -> dict[str, Leaf]:
        """Return the same without the protocol, whose new values take their units from the others."""
        found = {".".join(leaf.path): leaf for leaf in paths.leaves(self)}
        return {path: leaf for path, leaf in found.items() if not path.startswith("protocol.")}

    def with_protocol(self, protocol: tuple[Event, ...]) -> Self:
        """The same with other events, whose values are in SI."""
        found = self.model_copy(update={"protocol": protocol})
        found.__dict__.pop("_leaves", None)
        return found

    def resolved(self) -> dict[str, Any]:
        """Return the scenario, defaults included, as plain data in SI.

        ``Scenario.model_validate`` turns it back into an equal scenario, bit for bit.
        """
        return paths.plain(self)

    def known_by_digest(self) -> Self:
        """The same with the digest of each column of a design instead of its numbers."""
        return self if self.sweep is None else self.model_copy(update={"sweep": self.sweep.known_by_digest()})

    @cached_property
    def _leaves(self) -> dict[str, Leaf]:
        leaves = {".".join(leaf.path): leaf for leaf in paths.leaves(self)}
        for path, leaf in leaves.items():
            if leaf.path[0] == "protocol" and leaf.quantity is None and not isinstance(leaf.value, str):
                if leaf.path[2] == "set":
                    leaves[path] = replace(leaf, quantity=leaves[leaf.path[3]].quantity)
                elif leaf.path[2] == "clamp":
                    leaves[path] = replace(leaf, quantity=POTENTIAL)
                if leaf.path[-1] == "sine" and (own := leaves[path].quantity):
                    leaves[path] = replace(leaf, quantity=own.difference())
            if leaf.path[0] == "measure" and leaf.path[2] == "level":
                leaves[path] = replace(leaf, quantity=self.measure[leaf.path[1]].of)
        for path, leaf in leaves.items():
            if leaf.path[0] != "sweep":
                continue
            # The last key in a path, because an axis may stand below the one that it goes along with.
            swept = next((key for key in reversed(leaf.path) if key in leaves), None)
            if swept is not None and leaf.quantity is None and not isinstance(leaf.value, str):
                leaves[path] = replace(leaf, quantity=leaves[swept].quantity)
        return leaves
