"""Drift of what a run must conserve: charge against contents, and totals of closed systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.structure import Structure, connected
from simulator.trajectory.arrangement import arranged
from simulator.trajectory.trajectory import Trajectory, parameters_at

#: Runs processed at once: few enough that intermediate arrays fit into the processor's cache.
TOGETHER = 128


@dataclass(frozen=True)
class Conservation:
    """Largest drift over a run, relative to the sum of the magnitudes of all terms.

    Parameters
    ----------
    charge : float or None
        Of the membranes' charge against the charge of what crossed; 0 if no compartment has a free
        potential, None if a law is declared `open`.
    species : mapping of str to (float or None)
        Of each species' total; None where a bath, the outside world or a reaction takes part.
    """

    charge: float | None
    species: Mapping[str, float | None]

    @property
    def worst(self) -> float:
        """Largest drift of all."""
        return max([0.0, *(d for d in (self.charge, *self.species.values()) if d is not None)])


def conservation(trajectory: Trajectory) -> Conservation:
    """Measure the drifts of a run since its start, whether or not the start was saved."""
    model = trajectory.model
    start = arranged(model.structure, model.initial_state()[None], parameters_at(model, np.zeros(1)))
    charge, species = drifts(
        model.structure, {n: np.concatenate([start[n], getattr(trajectory, n)])[None] for n in ("amount", "charge")}
    )
    words = zip(trajectory.labels["species"], species[0].tolist(), strict=True)
    return Conservation(_known(float(charge[0])), {s: _known(d) for s, d in words})


def _known(drift: float) -> float | None:
    return None if np.isnan(drift) else drift


def drifts(structure: Structure, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Largest drift of charge, shape (runs,), and of each species, shape (runs, species); NaN where not conserved.

    Parameters
    ----------
    structure : Structure
        The model's structure.
    arrays : mapping
        ``amount`` (runs, times, compartments, species) and ``charge`` (runs, times, compartments), the
        first time being the start; NaN after a run's end, and for a species that the system is open to.
    """
    starts = range(0, len(arrays["amount"]), TOGETHER)
    parts = [_drifts(structure, {name: v[i : i + TOGETHER] for name, v in arrays.items()}) for i in starts or (0,)]
    charge, species = (np.concatenate(found) for found in zip(*parts, strict=True))
    return charge, species


def _drifts(structure: Structure, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    names = [c.name for c in structure.compartments]
    runs = len(arrays["amount"])
    charge, species = np.zeros(runs), np.full((runs, len(structure.charges)), np.nan)
    for i, c in enumerate(structure.compartments):
        if c.potential != "free" or c.volume == "bath":
            continue
        capacitive = structure.formulation == "capacitive"
        membrane = arrays["charge"][:, :, i] if capacitive else np.zeros(arrays["charge"].shape[:2])
        # One species at a time: sums along a short last axis take NumPy three times as long.
        excess, magnitude = membrane.copy(), np.abs(membrane)
        for j, (s, number) in enumerate(structure.charges):
            if s in c.species and number:
                held = structure.faraday * number * arrays["amount"][:, :, i, j]
                excess -= held
                magnitude += np.abs(held)
        drift = _drift(excess, magnitude)
        charge = np.maximum(charge, drift)
    if any(mechanism.law.open for _, mechanism in structure.mechanisms):
        charge[:] = np.nan
    made = {
        s
        for _, mechanism in structure.mechanisms
        if mechanism.law.open or not mechanism.conserves_species
        for s in mechanism.species
    }
    for j, (s, _) in enumerate(structure.charges):
        for group in closed_groups(structure, s) if s not in made else ():
            amounts = [arrays["amount"][:, :, names.index(c), j] for c in group]
            species[:, j] = np.fmax(
                species[:, j], _drift(np.add.reduce(amounts), np.add.reduce([*map(np.abs, amounts)]))
            )
    return charge, species


def closed_groups(structure: Structure, species: str) -> tuple[tuple[str, ...], ...]:
    """Sets of compartments that share a conserved total of a species: joined by its mechanisms, without a bath."""
    movers = [
        (m.inside, m.outside)
        for m in structure.membranes
        if any(species in mechanism.species for mechanism in m.mechanisms)
    ]
    joined = connected([c.name for c in structure.compartments], movers)
    baths = {c.name for c in structure.compartments if c.volume == "bath"}
    return tuple(group for group in joined if len(group) > 1 and not baths & set(group))


def _drift(total: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Largest change since the start over the largest magnitude, shape (runs,)."""
    size = np.fmax.reduce(magnitude, axis=1, initial=0.0)
    change = np.fmax.reduce(np.abs(total - total[:, :1]), axis=1, initial=0.0)
    return np.divide(change, size, out=np.zeros(len(size)), where=size > 0.0)
