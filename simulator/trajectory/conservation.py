"""Drift of what a run must conserve: charge against contents, and totals of closed systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from simulator.model.names import amount, charge
from simulator.model.structure import Structure, connected
from simulator.trajectory.arrangement import arranged, tracked_in
from simulator.trajectory.trajectory import Trajectory, parameters_at


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
    arrays = {n: np.concatenate([start[n], getattr(trajectory, n)])[None] for n in ("amount", "charge")}
    charge, species = drifts(model.structure, tracked_in(model.structure, arrays))
    words = zip(trajectory.labels["species"], species[0].tolist(), strict=True)
    return Conservation(_known(float(charge[0])), {s: _known(d) for s, d in words})


def _known(drift: float) -> float | None:
    return None if np.isnan(drift) else drift


def drifts(structure: Structure, tracks: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Largest drift of charge, shape (runs,), and of each species, shape (runs, species); NaN where not conserved.

    Parameters
    ----------
    structure : Structure
        The model's structure.
    tracks : mapping of str to ndarray, shape (runs, times)
        Amounts and charges, see :func:`~simulator.trajectory.arrangement.tracked`, the first time being the start;
        NaN after a run's end.
    """
    runs = len(next(iter(tracks.values())))
    charge, species = np.zeros(runs), np.full((runs, len(structure.charges)), np.nan)
    for membrane, contents in _charge_balances(structure):
        # The sums are built up in place: memory that is new to the process costs more than the arithmetic.
        excess = tracks[membrane].copy(order="K")
        if structure.formulation == "electroneutral":
            excess.fill(0.0)
        magnitude, held = np.abs(excess), np.empty_like(excess)
        for name, factor in contents:
            np.multiply(tracks[name], factor, out=held)
            excess -= held
            magnitude += np.abs(held, out=held)
        charge = np.maximum(charge, _drift(excess, magnitude))
    if any(mechanism.law.open for _, mechanism in structure.mechanisms):
        charge[:] = np.nan
    for j, names in _closed_totals(structure):
        amounts = [tracks[name] for name in names]
        drift = _drift(np.add.reduce(amounts), np.add.reduce([*map(np.abs, amounts)]))
        species[:, j] = np.fmax(species[:, j], drift)
    return charge, species


@cache
def _charge_balances(structure: Structure) -> list[tuple[str, list[tuple[str, float]]]]:
    """For each compartment with a free potential its charge, and the amounts that carry it with C/mol of each."""
    free = [c for c in structure.compartments if c.potential == "free" and c.volume != "bath"]
    factors = {s: structure.faraday * z for s, z in structure.charges if z}
    return [(charge(c.name), [(amount(c.name, s), f) for s, f in factors.items() if s in c.species]) for c in free]


@cache
def _closed_totals(structure: Structure) -> list[tuple[int, tuple[str, ...]]]:
    """Place of a species, and its amounts whose sum is conserved."""
    made = {
        s
        for _, mechanism in structure.mechanisms
        if mechanism.law.open or not mechanism.conserves_species
        for s in mechanism.species
    }
    return [
        (j, tuple(amount(c, s) for c in group))
        for j, (s, _) in enumerate(structure.charges)
        if s not in made
        for group in closed_groups(structure, s)
    ]


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
    """Largest change since the start over the largest magnitude, shape (runs,); overwrites `total`."""
    size = _largest(magnitude)
    total -= total[:, :1].copy()
    change = _largest(np.abs(total, out=total))
    return np.divide(change, size, out=np.zeros(len(size)), where=size > 0.0)


def _largest(values: np.ndarray) -> np.ndarray:
    """Largest number in each row, NaN left out; 0 if there is none."""
    found: np.ndarray = np.maximum.reduce(values, axis=1, initial=0.0)
    broken = np.isnan(found)  # few runs end early, and leaving out NaN takes several times as long
    found[broken] = np.fmax.reduce(values[broken], axis=1, initial=0.0)
    return found
