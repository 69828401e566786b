"""Amounts and sizes at t = 0.

Values are looked up by dotted path. Where some have the shape (runs,), so do the results. If a scenario starts from a
saved state, the values under ``start`` take the place of its initial concentrations, volumes and gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from simulator.mechanisms import Gate
from simulator.model.structure import Structure
from simulator.physics.geometry import area_ratio, cylinder_area, cylinder_volume, sphere_area, sphere_volume
from simulator.scenario.scenario import Scenario

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Contents:
    """Amounts and sizes of a scenario's compartments and membranes at t = 0, SI.

    Parameters
    ----------
    scenario : Scenario
        The user's description of the model.
    structure : Structure
        The structure of its equations.
    values : mapping
        Values by dotted path.
    start : Contents, optional
        Those before events changed some values.
    """

    scenario: Scenario
    structure: Structure
    values: Values
    start: Contents | None = None

    def changed(self, values: Values) -> Contents:
        """The same after events."""
        return replace(self, values=values, start=self.start or self)

    def thermal_voltage(self) -> Any:
        """RT/F [V]."""
        if self.scenario.rt_over_f is not None:
            return self.values["rt_over_f"]
        return self.scenario.thermal_voltage_at(self.values["temperature"])

    @property
    def own(self) -> Contents:
        """The same without the saved state that the run starts from: what the scenario's own values define."""
        return replace(self, values={key: v for key, v in self.values.items() if not key.startswith("start.")})

    def saved(self, kind: str) -> dict[str, Any] | None:
        """Charges [C] or potentials [V] of compartments in the saved state that the run starts from; None without."""
        if "start.time" not in self.values:
            return None
        listed = getattr(self.scenario.start, kind) or {}
        return {c: self.values[f"start.{kind}.{c}"] for c in listed}

    def volume(self, compartment: str) -> Any:
        """Volume [m3] given in the scenario, which defines areas and the amount of impermeant."""
        shape = self.scenario.compartments[compartment].geometry
        if shape is None:
            return self.values[f"compartments.{compartment}.volume"]
        if shape.sphere is not None:
            return sphere_volume(self._radius(compartment, "sphere"))
        return cylinder_volume(self._radius(compartment, "cylinder"), self._length(compartment))

    def _radius(self, compartment: str, shape: str) -> Any:
        key = f"compartments.{compartment}.geometry.{shape}"
        radius = self.values.get(f"{key}.radius")
        return 0.5 * self.values[f"{key}.diameter"] if radius is None else radius

    def _length(self, compartment: str) -> Any:
        return self.values[f"compartments.{compartment}.geometry.cylinder.length"]

    def area(self, membrane: str) -> Any:
        """Area [m2] of a membrane at the given volume."""
        if f"membranes.{membrane}.area" in self.values:
            return self.values[f"membranes.{membrane}.area"]
        inside = self.scenario.membranes[membrane].inside
        shape = self.scenario.compartments[inside].geometry
        if shape is not None and shape.sphere is not None:
            return sphere_area(self._radius(inside, "sphere"))
        return cylinder_area(self._radius(inside, "cylinder"), self._length(inside))

    def starting_volume(self, compartment: str) -> Any:
        """Volume [m3] at t = 0 before water equilibrates: as given, or that of the saved state."""
        saved = self.values.get(f"start.volumes.{compartment}")
        return self.volume(compartment) if saved is None else saved

    def balanced_volume(self, compartment: str) -> Any:
        """Volume [m3] at t = 0: as at the start, or after instantaneous water equilibration."""
        given = self.starting_volume(compartment)
        if self.structure.compartment(compartment).volume != "osmotic":
            return given
        group = next(g for g in self.structure.osmotic_groups if compartment in g)
        baths = [c for c in group if self.structure.compartment(c).volume == "bath"]
        solute = {c: self.solute(c) for c in group}
        if baths:
            return solute[compartment] / solute[baths[0]]
        return solute[compartment] / sum(solute.values()) * sum(self.starting_volume(c) for c in group)

    def balanced_area(self, membrane: str) -> Any:
        """Area [m2] at t = 0, after instantaneous water equilibration."""
        m = next(m for m in self.structure.membranes if m.name == membrane)
        area = self.area(membrane)
        if m.area == "given":
            return area
        swollen = self.balanced_volume(m.inside) / self.volume(m.inside)
        return area * area_ratio(m.area, swollen)

    @cached_property
    def _areas(self) -> dict[str, Any]:
        return {name: self.own.balanced_area(name) for name in self.scenario.membranes}

    def per_area(self, membrane: str, path: str) -> Any:
        """Value of a membrane or its mechanisms as laws take it: per area, and permeabilities as such.

        Numbers for the whole cell are spread over the area that the membrane has at t = 0, and ratios multiply the
        membrane's ``permeability_scale``. All other numbers are as the scenario gives them.
        """
        value, kind = self.values[path], self.scenario.kind_of(path)
        if kind == "cell":
            return value / (self.start or self)._areas[membrane]
        if kind == "ratio":
            return value * self.per_area(membrane, f"membranes.{membrane}.permeability_scale")
        return value

    def amount(self, compartment: str, species: str) -> Any:
        """Amount [mol] of a species in a free compartment."""
        saved = self.values.get(f"start.amounts.{compartment}.{species}")
        if saved is not None:
            return saved
        return self.values[f"compartments.{compartment}.concentrations.{species}"] * self.volume(compartment)

    def concentration(self, compartment: str, species: str) -> Any:
        """Concentration [mol/m3] at t = 0 before water equilibrates."""
        saved = self.values.get(f"start.amounts.{compartment}.{species}")
        if saved is not None:
            return saved / self.starting_volume(compartment)
        return self.values[f"compartments.{compartment}.concentrations.{species}"]

    def gate(self, membrane: str, owner: str, gate: Gate, resting: Any) -> Any:
        """Open fraction of a gate at t = 0: that of the saved state, the given one, or where it rests."""
        given = self.values.get(f"membranes.{membrane}.mechanisms.{owner}.{gate.start_key}", resting)
        return self.values.get(f"start.gates.{membrane}.{owner}.{gate.name}", given)

    def impermeant(self, compartment: str) -> Any:
        """Impermeant solute: amount [mol] in a free compartment, concentration [mol/m3] in a bath."""
        key = f"compartments.{compartment}.impermeant"
        if f"{key}.amount" in self.values:
            return self.values[f"{key}.amount"]
        given = self.values.get(f"{key}.concentration", 0.0)
        if self.structure.compartment(compartment).volume == "bath":
            return given
        return given * self.volume(compartment)

    def solute(self, compartment: str) -> Any:
        """Total solute: amount [mol] in a free compartment, concentration [mol/m3] in a bath."""
        bath = self.structure.compartment(compartment).volume == "bath"
        size = 1.0 if bath else self.starting_volume(compartment)
        listed = self.structure.compartment(compartment).species
        dissolved = sum(self.concentration(compartment, s) for s in listed) * size
        return dissolved + self.impermeant(compartment)

    def charges_in(self, compartment: str) -> dict[str, int]:
        """Charge numbers of the charged species in a compartment."""
        charges = dict(self.structure.charges)
        return {s: charges[s] for s in self.structure.compartment(compartment).species if charges[s]}
