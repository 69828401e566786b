"""Parameter vector of a model from the values of its scenario."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from simulator.mechanisms import CLAMP
from simulator.model.assembly import held_potentials
from simulator.model.contents import Contents
from simulator.model.names import (
    ATP_ENERGY,
    THERMAL_VOLTAGE,
    amount,
    area,
    capacitance,
    concentration,
    impermeant,
    length,
    parameter_name,
    potential,
    volume,
    water_permeability,
    water_total,
)


def parameter_vector(contents: Contents, clamps: Mapping[str, tuple[Any, Any]] = MappingProxyType({})) -> np.ndarray:
    """Parameters in the order of :attr:`Structure.parameters`, shape (parameters,) or (runs, parameters).

    Parameters
    ----------
    contents : Contents
        Amounts and sizes of the scenario; values of shape ``(runs,)`` give one vector per run.
    clamps : mapping, optional
        Conductance [S/m2] and command potential [V] of the clamp, by clamped membrane.
    """
    values, structure = contents.values, contents.structure
    thermal = contents.thermal_voltage()
    found: dict[str, Any] = {
        THERMAL_VOLTAGE: thermal,
        ATP_ENERGY: values["atp_free_energy"] / structure.faraday,
    }
    for name, membrane in held_potentials(contents.scenario).items():
        found[potential(name)] = values[f"membranes.{membrane}.potential"]
    for c in structure.compartments:
        found[impermeant(c.name)] = contents.impermeant(c.name)
        for s in c.species:
            if c.volume == "bath":
                found[concentration(c.name, s)] = values[f"compartments.{c.name}.concentrations.{s}"]
            else:
                found[amount(c.name, s)] = contents.amount(c.name, s)
        if c.volume == "given":
            found[volume(c.name)] = contents.starting_volume(c.name)
    for group in structure.closed_water:
        found[water_total(group)] = sum(contents.starting_volume(c) for c in group)
    for m in structure.membranes:
        key = f"membranes.{m.name}"
        found[area(m.name)] = contents.area(m.name)
        found[length(m.inside)] = values.get(f"compartments.{m.inside}.geometry.cylinder.length")
        found[capacitance(m.name)] = contents.per_area(m.name, f"{key}.capacitance")
        if m.water == "finite":
            permeability = contents.per_area(m.name, f"{key}.water.permeability")
            found[water_permeability(m.name)] = permeability * values["water_molar_volume"]
        for mechanism in m.mechanisms:
            if mechanism.label == CLAMP:
                gain, command = clamps.get(m.name, (0.0, 0.0))
                given = {"conductance": gain, "command": command}
            else:
                given = {
                    p.name: contents.per_area(m.name, f"{key}.mechanisms.{mechanism.owner}.{p.key}")
                    for p in mechanism.law.parameters
                }
            for name, value in given.items():
                found[parameter_name(m.name, mechanism.owner, name)] = value
    found |= dict.fromkeys((name for drive in structure.drives for name in drive.names.values()), 0.0)
    return stacked([found[name] for name in structure.parameters])


def stacked(columns: list[Any]) -> np.ndarray:
    """Scalars -> (n,); scalars and arrays of shape (runs,) -> (runs, n)."""
    return np.stack(np.broadcast_arrays(*map(np.asarray, columns)), axis=-1).astype(float) if columns else np.zeros(0)
