"""Charges and potentials at t = 0, and checks that the scenario's values are consistent.

If the impermeant charge of a compartment is given, its potential follows from its composition. Otherwise the
potential is that given for one of its membranes, and the charge follows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.errors import ModelError
from simulator.model.assembly import held_potentials
from simulator.model.capacitors import capacitance_matrix
from simulator.model.contents import Contents
from simulator.physics.notation import format_quantity
from simulator.scenario.parts import LARGEST_CAPACITANCE, LARGEST_PERMEABILITY

#: Tolerance [V] between a given potential and the one that follows from the composition.
POTENTIAL_AGREES = 1.0e-6


def initial_potentials(contents: Contents) -> dict[str, Any]:
    """Potential [V] of each free (not grounded) compartment at t = 0.

    If the run starts from a saved state, it is that of this state. If the impermeant charge of a compartment is given,
    its potential follows from its composition. Otherwise it is that given for one of its membranes.

    Raises
    ------
    ModelError
        When composition and potential contradict each other, or the saved state has other free compartments.
    """
    free = [c.name for c in contents.structure.compartments if c.potential == "free"]
    kind = "potentials" if contents.structure.formulation == "electroneutral" else "charges"
    if (saved := contents.saved(kind)) is not None:
        return _saved_potentials(contents, free, kind, saved)
    rows: list[list[Any]] = []
    right: list[Any] = []
    # Each equation ties a compartment to ground, directly or through compartments already tied.
    tied = {c.name: c.name if c.potential == "free" else "" for c in contents.structure.compartments}

    def tie(one: str, other: str, row: list[Any], value: Any) -> None:
        if tied[one] != tied.get(other, ""):
            kept, dropped = sorted((tied[one], tied.get(other, "")))
            tied.update({name: kept for name, root in tied.items() if root == dropped})
            rows.append(row)
            right.append(value)

    for name in free:
        if _composition_is_complete(contents, name):
            tie(name, "", *_composition_equation(contents, free, name))
    for name, m in contents.scenario.membranes.items():
        if m.potential is not None:
            row = [float(c == m.inside) - float(c == m.outside) for c in free]
            tie(m.inside, m.outside, row, contents.values[f"membranes.{name}.potential"])
    for name in free:
        if tied[name]:
            tie(name, "", *_composition_equation(contents, free, name))
    solution = _solve(rows, right)
    potentials = dict(zip(free, solution, strict=True))
    if contents.structure.formulation == "capacitive":
        _check_potentials(contents, potentials)
    return potentials


def _saved_potentials(contents: Contents, free: list[str], kind: str, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Potentials [V] of the free compartments in the saved state that the run starts from."""
    if set(free) != set(saved):
        raise ModelError(
            "start.from",
            f"it has {kind} of {', '.join(saved) or 'no compartment'}, but the potentials of "
            f"{', '.join(free) or 'no compartment'} are free in this scenario",
            "a run with the same grounded compartments",
        )
    if kind == "potentials":
        return {name: saved[name] for name in free}
    return dict(zip(free, _solve(capacitances(contents), [saved[name] for name in free]), strict=True))


def impermeant_charge(contents: Contents, compartment: str) -> float:
    """Charge number of the impermeant solute, with ``auto`` resolved; NaN if there is none or it is undetermined.

    The scenario's own initial values define it, also where the run starts from a saved state.
    """
    contents = contents.own
    spec = contents.scenario.compartments[compartment].impermeant
    if spec is None or not contents.impermeant(compartment):
        return math.nan
    if spec.charge != "auto":
        return float(spec.charge)
    if contents.structure.compartment(compartment).potential != "free":
        return math.nan  # its charge is that of everything else
    potentials = initial_potentials(contents)
    total = 0.0
    if contents.structure.formulation == "capacitive" and compartment in potentials:
        total = capacitor_charges(contents, potentials)[compartment] / contents.structure.faraday
    held = sum(z * contents.amount(compartment, s) for s, z in contents.charges_in(compartment).items())
    return float((total - held) / contents.impermeant(compartment))


def unbalanced_charge(contents: Contents, compartment: str) -> Any:
    """Charge [mol/m3] of a compartment's listed solutes, minus the charge on its membranes; 0 with charge ``auto``."""
    spec = contents.scenario.compartments[compartment].impermeant
    structure = contents.structure.compartment(compartment)
    size = 1.0 if structure.volume == "bath" else contents.starting_volume(compartment)
    held = sum(z * contents.concentration(compartment, s) for s, z in contents.charges_in(compartment).items())
    if spec is not None and spec.charge == "auto":
        return 0.0
    if spec is not None:
        held += float(spec.charge) * contents.impermeant(compartment) / size
    if structure.volume == "bath" or structure.potential != "free":
        return held
    if contents.structure.formulation == "electroneutral":
        return held
    stored = capacitor_charges(contents, initial_potentials(contents))[compartment] / contents.structure.faraday / size
    return held - stored


def check_solute(contents: Contents) -> None:
    """Raise ModelError if instantaneous water equilibration would empty a compartment."""
    for c in contents.structure.compartments:
        if c.volume == "osmotic" and np.any(contents.balanced_volume(c.name) <= 0.0):
            raise ModelError(
                f"compartments.{c.name}.concentrations",
                f"{c.name} contains no solute, so instant water equilibration would empty it",
                "some solute inside",
                "give concentrations or an impermeant",
            )


def check_whole_cell(contents: Contents) -> None:
    """Raise ModelError if a number for the whole cell, spread over the area, is beyond the bounds of its key."""
    for name in contents.scenario.membranes:
        for key, unit, largest in (
            (f"membranes.{name}.capacitance", "F/m^2", LARGEST_CAPACITANCE),
            (f"membranes.{name}.water.permeability", "m/s", LARGEST_PERMEABILITY),
        ):
            if contents.scenario.kind_of(key) and np.any(contents.per_area(name, key) > largest):
                spread = format_quantity(float(np.max(contents.per_area(name, key))), unit)
                raise ModelError(
                    key,
                    f"spread over the area of the membrane, this is {spread}",
                    f"at most {format_quantity(largest, unit)}",
                    "check the prefix of the unit",
                )


def capacitor_charges(contents: Contents, potentials: Mapping[str, Any]) -> dict[str, Any]:
    """Charge [C] of each free compartment at these potentials [V]."""
    free = list(potentials)
    capacitor = capacitances(contents)
    return {
        name: sum(capacitor[i][j] * potentials[other] for j, other in enumerate(free)) for i, name in enumerate(free)
    }


def capacitances(contents: Contents) -> list[list[Any]]:
    """Matrix from potentials [V] of the free compartments to their charges [C], at t = 0."""
    size = {
        name: contents.per_area(name, f"membranes.{name}.capacitance") * contents.balanced_area(name)
        for name in contents.scenario.membranes
    }
    return capacitance_matrix(contents.structure, size)


def _composition_equation(contents: Contents, free: list[str], name: str) -> tuple[list[Any], Any]:
    """Row and right-hand side of the equation for the potentials that a compartment's contents give."""
    if contents.structure.formulation == "electroneutral":
        _check_neutral(contents, name)
        guesses = [
            contents.values.get(f"membranes.{m}.potential")
            for m in contents.scenario.membranes
            if _sides(contents, m)[0] == name
        ]
        return [float(c == name) for c in free], next((g for g in guesses if g is not None), 0.0)
    return capacitances(contents)[free.index(name)], _composition_charge(contents, name)


def _composition_is_complete(contents: Contents, compartment: str) -> bool:
    """Whether what is listed says how a compartment is charged; a fixed one need not be neutral."""
    spec = contents.scenario.compartments[compartment].impermeant
    bath = contents.structure.compartment(compartment).volume == "bath"
    return spec is not None and spec.charge != "auto" and not bath


def _composition_charge(contents: Contents, compartment: str) -> Any:
    """Total charge [C] of a compartment's contents; 0 for a floating bath."""
    if contents.structure.compartment(compartment).volume == "bath":
        return 0.0
    held = sum(z * contents.amount(compartment, s) for s, z in contents.charges_in(compartment).items())
    if _composition_is_complete(contents, compartment):
        number = contents.values[f"compartments.{compartment}.impermeant.charge"]
        held = held + number * contents.impermeant(compartment)
    return contents.structure.faraday * held


def _check_potentials(contents: Contents, potentials: Mapping[str, Any]) -> None:
    held = {c: contents.values[f"membranes.{m}.potential"] for c, m in held_potentials(contents.scenario).items()}
    potentials = {**potentials, **held}
    for name, membrane in contents.scenario.membranes.items():
        inside, outside = _sides(contents, name)
        v = potentials.get(inside, 0.0) - potentials.get(outside, 0.0)
        key = f"membranes.{name}.potential"
        if membrane.potential is not None and np.any(np.abs(v - contents.values[key]) > POTENTIAL_AGREES):
            raise ModelError(
                key,
                f"{_spelled(contents.values[key])} contradicts the composition of {inside}, which gives {_spelled(v)}",
                "agreement within 1 uV",
                f"write compartments.{inside}.impermeant.charge: auto, or make the concentrations neutral",
            )
        if np.any(np.abs(v) > 1.0):
            raise ModelError(
                key,
                f"the composition of {inside} is not neutral: it would charge the membrane to {_spelled(v)}",
                "less than 1 V",
                f"give compartments.{inside} an impermeant with charge: auto, and this membrane a potential",
            )


def _check_neutral(contents: Contents, compartment: str) -> None:
    held = [z * contents.amount(compartment, s) for s, z in contents.charges_in(compartment).items()] + [
        _composition_charge(contents, compartment) / contents.structure.faraday
    ]
    total = sum(np.abs(term) for term in held[:-1])
    excess = np.max(np.abs(held[-1]) - 1.0e-3 * total) if held[:-1] else 0.0
    if _composition_is_complete(contents, compartment) and excess > 0.0:
        raise ModelError(
            f"compartments.{compartment}.impermeant.charge",
            f"the charges in {compartment} do not cancel (excess "
            f"{np.max(np.abs(held[-1]) / contents.volume(compartment)):.4g} mM of charge)",
            "a neutral composition in the electroneutral formulation",
            "write charge: auto",
        )


def _sides(contents: Contents, membrane: str) -> tuple[str, str]:
    m = contents.scenario.membranes[membrane]
    return m.inside, m.outside


def _spelled(potential: Any) -> str:
    """Format a potential for messages: to the nanovolt, or in volts if it is 1 V or more."""
    v = float(np.max(potential))
    return f"{round(1e3 * v, 6) + 0.0:g} mV" if abs(v) < 1.0 else f"{v:.4g} V"


def _solve(rows: list[Any], right: list[Any]) -> list[Any]:
    """Solve a small linear system whose entries may be arrays of shape (runs,)."""
    n = len(rows)
    if n == 0:
        return []
    entries = np.broadcast_arrays(*[np.asarray(x, dtype=float) for row in rows for x in row], *map(np.asarray, right))
    matrix = np.stack(entries[: n * n], axis=-1).reshape(*entries[0].shape, n, n)
    vector = np.stack(entries[n * n :], axis=-1)[..., None].astype(float)
    solution = np.linalg.solve(matrix, vector)[..., 0]
    return [solution[..., i] for i in range(n)]
