"""Convert a kernel's states to labelled arrays and back; leading axes (runs, times) are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.names import CLOCK, amount, charge, concentration, impermeant, potential, voltage, volume
from simulator.model.structure import Structure

__all__ = [
    "ARRANGED",
    "QUANTITIES",
    "arranged",
    "concentrations",
    "dimension_labels",
    "gathered",
    "membrane_potentials",
    "named",
    "osmolarity",
]

#: Names of the arrays that hold the states.
ARRANGED = ("amount", "charge", "volume", "compartment_potential", "open_fraction")


#: Unit, meaning and dimensions (besides run and time) of each saved quantity.
QUANTITIES = {
    "potential": ("V", "membrane potential", "membrane"),
    "amount": ("mol", "amount", "compartment species"),
    "concentration": ("mol/m^3", "concentration", "compartment species"),
    "charge": ("C", "charge of a compartment", "compartment"),
    "volume": ("m^3", "volume", "compartment"),
    "compartment_potential": ("V", "potential of a compartment", "compartment"),
    "open_fraction": ("1", "open fraction of a gate", "gate"),
}


def dimension_labels(structure: Structure) -> dict[str, tuple[str, ...]]:
    """Labels along each dimension of :data:`QUANTITIES`."""
    gates = (structure.gates[name] for name in structure.gate_states)
    return {
        "compartment": tuple(c.name for c in structure.compartments),
        "membrane": tuple(m.name for m in structure.membranes),
        "species": tuple(s for s, _ in structure.charges),
        "gate": tuple(f"{m.name}.{mechanism.owner}.{gate.name}" for m, mechanism, gate in gates),
    }


def named(structure: Structure, states: np.ndarray, parameters: np.ndarray) -> dict[str, Any]:
    """All numbers of a model by their names in the equations: states, parameters and derived quantities."""
    with np.errstate(all="ignore"):
        derived = load_arrays(structure).quantities(states, parameters)
    found = {name: parameters[..., i] for i, name in enumerate(structure.parameters)}
    return found | {name: states[..., i] for i, name in enumerate(structure.states)} | derived


def osmolarity(structure: Structure, numbers: Mapping[str, Any], compartment: str) -> Any:
    """Osmolarity [mol/m3] of a compartment, from the result of :func:`named`."""
    c = structure.compartment(compartment)
    trapped = numbers[impermeant(c.name)]
    dissolved = sum(numbers[concentration(c.name, s)] for s in c.species)
    return dissolved + (trapped if c.volume == "bath" else trapped / numbers[volume(c.name)])


def arranged(structure: Structure, states: np.ndarray, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """States, shape (..., states), sorted by compartment and species; NaN where a quantity does not exist.

    Returns
    -------
    dict
        ``amount`` (..., compartments, species), ``charge``, ``volume`` and ``compartment_potential``
        (..., compartments), ``open_fraction`` (..., gates).
    """
    axes = states.shape[:-1]
    numbers = named(structure, states, parameters)
    species = [s for s, _ in structure.charges]
    amounts = np.full((*axes, len(structure.compartments), len(species)), np.nan)
    charges = np.full((*axes, len(structure.compartments)), np.nan)
    volumes = np.full((*axes, len(structure.compartments)), np.nan)
    for i, c in enumerate(structure.compartments):
        if c.volume != "bath":
            volumes[..., i] = numbers[volume(c.name)]
            for s in c.species:
                amounts[..., i, species.index(s)] = numbers[amount(c.name, s)]
        if charge(c.name) in structure.states_of["charge"]:
            charges[..., i] = numbers[charge(c.name)]
            for other in structure.next_behind(c.name):
                charges[..., i] -= numbers[charge(other)]
    voltages = {m.name: numbers[voltage(m.name)] for m in structure.membranes}
    potentials = np.empty(charges.shape)
    for i, value in enumerate(_potentials(structure, voltages)):
        potentials[..., i] = value
    gates = states[..., structure.places("gate")]
    return dict(zip(ARRANGED, (amounts, charges, volumes, potentials, gates), strict=True))


def _potentials(structure: Structure, voltages: Mapping[str, Any]) -> list[Any]:
    """Potentials of all compartments from the membranes' voltages, walking outward from each ground."""
    found: dict[str, Any] = {c.name: 0.0 for c in structure.compartments if c.potential == "ground"}
    waiting = list(structure.membranes)
    while waiting:
        reached = [m for m in waiting if m.inside in found or m.outside in found]
        for m in reached:
            if m.inside not in found:
                found[m.inside] = found[m.outside] + voltages[m.name]
            elif m.outside not in found:
                found[m.outside] = found[m.inside] - voltages[m.name]
            waiting.remove(m)
        if not reached:
            break
    return [found.get(c.name, 0.0) for c in structure.compartments]


def gathered(structure: Structure, arrays: Mapping[str, np.ndarray], time: np.ndarray) -> np.ndarray:
    """Inverse of :func:`arranged`: states, shape (..., states), of arrays at times of shape (times,)."""
    found = {name: arrays["open_fraction"][..., i] for i, name in enumerate(structure.gate_states)}
    found[CLOCK] = np.broadcast_to(time, arrays["charge"].shape[:-1])
    place = {c.name: i for i, c in enumerate(structure.compartments)}
    for name, group in structure.behind.items():
        found[charge(name)] = np.sum([arrays["charge"][..., place[c]] for c in group], axis=0)
    for i, c in enumerate(structure.compartments):
        found[potential(c.name)] = arrays["compartment_potential"][..., i]
        found[volume(c.name)] = arrays["volume"][..., i]
        for j, (s, _) in enumerate(structure.charges):
            found[amount(c.name, s)] = arrays["amount"][..., i, j]
    columns = [found[name] for name in structure.states]
    return np.stack(columns, axis=-1) if columns else np.empty((*arrays["charge"].shape[:-1], 0))


def concentrations(structure: Structure, arrays: Mapping[str, np.ndarray], parameters: np.ndarray) -> np.ndarray:
    """Concentrations [mol/m3], shape (..., compartments, species); NaN where a species is absent."""
    values = np.asarray(arrays["amount"] / arrays["volume"][..., None])
    column = {name: i for i, name in enumerate(structure.parameters)}
    species = [s for s, _ in structure.charges]
    for i, c in enumerate(structure.compartments):
        if c.volume == "bath":
            for s in c.species:
                values[..., i, species.index(s)] = parameters[..., column[concentration(c.name, s)]]
    return values


def membrane_potentials(structure: Structure, compartment_potential: np.ndarray) -> np.ndarray:
    """Membrane potentials, inside minus outside [V], shape (..., membranes)."""
    place = [c.name for c in structure.compartments].index
    columns = [
        compartment_potential[..., place(m.inside)] - compartment_potential[..., place(m.outside)]
        for m in structure.membranes
    ]
    return np.stack(columns, axis=-1)
