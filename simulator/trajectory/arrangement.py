"""Convert a kernel's states to labelled arrays and back; leading axes (runs, times) are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.names import CLOCK, amount, charge, concentration, impermeant, potential, voltage, volume
from simulator.model.structure import CompartmentStructure, Structure

__all__ = [
    "ARRANGED",
    "QUANTITIES",
    "arrange",
    "arranged",
    "charge_of",
    "concentrations",
    "dimension_labels",
    "gathered",
    "membrane_potentials",
    "named",
    "osmolarity",
    "quantity_shapes",
    "tracked",
    "tracked_in",
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
    sizes = quantity_shapes(structure)
    found = {name: np.empty((*states.shape[:-1], *sizes[name])) for name in ARRANGED}
    arrange(structure, states, parameters, found)
    return found


def quantity_shapes(structure: Structure) -> dict[str, tuple[int, ...]]:
    """Shape of each of :data:`QUANTITIES` in one state."""
    labels = dimension_labels(structure)
    return {name: tuple(len(labels[dim]) for dim in dims.split()) for name, (_, _, dims) in QUANTITIES.items()}


def arrange(structure: Structure, states: np.ndarray, parameters: np.ndarray, places: Mapping[str, np.ndarray]) -> None:
    """Write the quantities that `places` names into its arrays; NaN where a quantity does not exist.

    Parameters
    ----------
    structure : Structure
        The model's structure.
    states : ndarray, shape (..., states)
        States of the kernel.
    parameters : ndarray, shape (..., parameters)
        Parameters in force.
    places : mapping of str to ndarray, shape (..., *sizes)
        Arrays by name of the quantity; see :func:`quantity_shapes`.
    """
    numbers = _Numbers(structure, states, parameters)
    with np.errstate(all="ignore"):
        for name, place in places.items():
            _WRITERS[name](structure, numbers, place)


class _Numbers(dict[str, Any]):
    """All numbers of a model by name; those that must be derived are computed when the first of them is asked for."""

    def __init__(self, structure: Structure, states: np.ndarray, parameters: np.ndarray) -> None:
        super().__init__((name, parameters[..., i]) for i, name in enumerate(structure.parameters))
        self.update((name, states[..., i]) for i, name in enumerate(structure.states))
        self.derive = partial(load_arrays(structure).quantities, states, parameters)

    def __missing__(self, name: str) -> Any:
        derived = self.derive()
        self.update(derived)
        return derived[name]


def _write_amounts(structure: Structure, numbers: Mapping[str, Any], place: np.ndarray) -> None:
    for i, c, j, s in _species_in(structure):
        exists = s in c.species and c.volume != "bath"
        place[..., i, j] = numbers[amount(c.name, s)] if exists else np.nan


def _write_concentrations(structure: Structure, numbers: Mapping[str, Any], place: np.ndarray) -> None:
    for i, c, j, s in _species_in(structure):
        if s not in c.species:
            place[..., i, j] = np.nan
        elif c.volume == "bath":
            place[..., i, j] = numbers[concentration(c.name, s)]
        else:
            np.divide(numbers[amount(c.name, s)], numbers[volume(c.name)], out=place[..., i, j])


def _write_charges(structure: Structure, numbers: Mapping[str, Any], place: np.ndarray) -> None:
    for i, c in enumerate(structure.compartments):
        place[..., i] = charge_of(structure, numbers, c.name)


def charge_of(structure: Structure, numbers: Mapping[str, Any], compartment: str) -> Any:
    """Charge [C] of a compartment's contents, from numbers by name; NaN if it is not a state."""
    if charge(compartment) not in structure.states_of["charge"]:
        return np.nan
    # A state is the charge of a compartment and of those behind it.
    return reduce(np.subtract, [numbers[charge(c)] for c in (compartment, *structure.next_behind(compartment))])


def _write_volumes(structure: Structure, numbers: Mapping[str, Any], place: np.ndarray) -> None:
    for i, c in enumerate(structure.compartments):
        place[..., i] = numbers[volume(c.name)] if c.volume != "bath" else np.nan


def _write_compartment_potentials(structure: Structure, numbers: Mapping[str, Any], place: np.ndarray) -> None:
    for i, value in enumerate(_potentials(structure, numbers)):
        place[..., i] = value


def _write_membrane_potentials(structure: Structure, numbers: Mapping[str, Any], place: np.ndarray) -> None:
    _write_differences(structure, _potentials(structure, numbers), place)


def _write_differences(structure: Structure, potentials: Sequence[Any], place: np.ndarray) -> None:
    by_name = {c.name: value for c, value in zip(structure.compartments, potentials, strict=True)}
    for i, m in enumerate(structure.membranes):
        place[..., i] = by_name[m.inside] - by_name[m.outside]


def _write_open_fractions(structure: Structure, numbers: Mapping[str, Any], place: np.ndarray) -> None:
    for i, name in enumerate(structure.gate_states):
        place[..., i] = numbers[name]


_WRITERS = {
    "potential": _write_membrane_potentials,
    "amount": _write_amounts,
    "concentration": _write_concentrations,
    "charge": _write_charges,
    "volume": _write_volumes,
    "compartment_potential": _write_compartment_potentials,
    "open_fraction": _write_open_fractions,
}


def _species_in(structure: Structure) -> Iterator[tuple[int, CompartmentStructure, int, str]]:
    """Each compartment and each species of the model, with their places."""
    for i, c in enumerate(structure.compartments):
        for j, (s, _) in enumerate(structure.charges):
            yield i, c, j, s


def _potentials(structure: Structure, numbers: Mapping[str, Any]) -> list[Any]:
    """Potentials of all compartments from the membranes' voltages, walking outward from each ground."""
    voltages = {m.name: numbers[voltage(m.name)] for m in structure.membranes}
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


def tracked(structure: Structure, states: np.ndarray, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """What conservation is measured on: amounts and charges of the compartments by name, shape (...) each."""
    numbers, axes = _Numbers(structure, states, parameters), states.shape[:-1]
    found = {name: numbers[name] for name in _free_amounts(structure)}
    found |= {charge(c.name): charge_of(structure, numbers, c.name) for c in structure.compartments}
    return {n: v if np.shape(v) == axes else np.broadcast_to(v, axes) for n, v in found.items()}


def tracked_in(structure: Structure, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same, from ``amount`` and ``charge`` as :func:`arranged` returns them."""
    amounts = _amounts(structure, arrays)
    found = {name: amounts[name] for name in _free_amounts(structure)}
    return found | {charge(c.name): arrays["charge"][..., i] for i, c in enumerate(structure.compartments)}


def _free_amounts(structure: Structure) -> list[str]:
    return [amount(c.name, s) for c in structure.compartments if c.volume != "bath" for s in c.species]


def _amounts(structure: Structure, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {amount(c.name, s): arrays["amount"][..., i, j] for i, c, j, s in _species_in(structure)}


def gathered(structure: Structure, arrays: Mapping[str, np.ndarray], time: np.ndarray) -> np.ndarray:
    """Inverse of :func:`arranged`: states, shape (..., states), of arrays at times of shape (times,)."""
    found = {name: arrays["open_fraction"][..., i] for i, name in enumerate(structure.gate_states)}
    found[CLOCK] = np.broadcast_to(time, arrays["charge"].shape[:-1])
    place = {c.name: i for i, c in enumerate(structure.compartments)}
    for name, group in structure.behind.items():
        found[charge(name)] = np.sum([arrays["charge"][..., place[c]] for c in group], axis=0)
    found |= _amounts(structure, arrays)
    for i, c in enumerate(structure.compartments):
        found[potential(c.name)] = arrays["compartment_potential"][..., i]
        found[volume(c.name)] = arrays["volume"][..., i]
    columns = [found[name] for name in structure.states]
    return np.stack(columns, axis=-1) if columns else np.empty((*arrays["charge"].shape[:-1], 0))


def concentrations(structure: Structure, arrays: Mapping[str, np.ndarray], parameters: np.ndarray) -> np.ndarray:
    """Concentrations [mol/m3], shape (..., compartments, species); NaN where a species is absent."""
    numbers = {name: parameters[..., i] for i, name in enumerate(structure.parameters)} | _amounts(structure, arrays)
    numbers |= {volume(c.name): arrays["volume"][..., i] for i, c in enumerate(structure.compartments)}
    found = np.empty(arrays["amount"].shape)
    with np.errstate(all="ignore"):
        _write_concentrations(structure, numbers, found)
    return found


def membrane_potentials(structure: Structure, compartment_potential: np.ndarray) -> np.ndarray:
    """Membrane potentials, inside minus outside [V], shape (..., membranes)."""
    found = np.empty((*compartment_potential.shape[:-1], len(structure.membranes)))
    _write_differences(structure, [*np.moveaxis(compartment_potential, -1, 0)], found)
    return found
