"""What must not change in a run: charge against contents, and totals of closed systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.constants import FARADAY
from simulator.mechanisms import library
from simulator.structure import Structure
from simulator.trajectory import Trajectory


@dataclass(frozen=True)
class Conservation:
    """Largest drift over a run, relative to the sum of the magnitudes of all terms.

    Parameters
    ----------
    charge : float
        Of the membranes' charge against the charge of what crossed; 0 where no compartment has a
        potential of its own.
    species : mapping of str to (float or None)
        Of each species' total; None where a bath or the outside world takes part.
    """

    charge: float
    species: Mapping[str, float | None]

    @property
    def worst(self) -> float:
        """The largest of them."""
        return max([self.charge, *(d for d in self.species.values() if d is not None)])


def conservation(trajectory: Trajectory) -> Conservation:
    """Measure what drifted in a run."""
    drift = {s: _species_drift(trajectory, s) for s in trajectory.labels["species"]}
    return Conservation(_charge_drift(trajectory), drift)


def _charge_drift(trajectory: Trajectory) -> float:
    structure = trajectory.structure
    charges = np.array([z for _, z in structure.charges], dtype=float)
    worst = 0.0
    for i, c in enumerate(structure.compartments):
        if c.potential != "free" or c.volume == "bath":
            continue
        contents = FARADAY * np.nan_to_num(trajectory.amount[:, i, :]) * charges
        membrane = trajectory.charge[:, i] if structure.formulation == "capacitive" else np.zeros(len(trajectory.time))
        worst = max(worst, _drift(membrane - contents.sum(axis=1), np.abs(membrane) + np.abs(contents).sum(axis=1)))
    return worst


def _species_drift(trajectory: Trajectory, species: str) -> float | None:
    names = trajectory.labels["compartment"]
    group = closed_group(trajectory.structure, species)
    if not group:
        return None
    amounts = trajectory.amount[:, [names.index(c) for c in group], trajectory.labels["species"].index(species)]
    return _drift(amounts.sum(axis=1), np.abs(amounts).sum(axis=1))


def closed_group(structure: Structure, species: str) -> tuple[str, ...]:
    """Compartments that share a conserved total of a species; empty if a bath takes part or nothing moves it."""
    group: set[str] = set()
    for m in structure.membranes:
        if any(species in library()[use.law].stoichiometry(use.chosen) for use in m.mechanisms):
            group |= {m.inside, m.outside}
    if any(structure.compartment(c).volume == "bath" for c in group):
        return ()
    return tuple(c.name for c in structure.compartments if c.name in group)


def _drift(total: np.ndarray, magnitude: np.ndarray) -> float:
    size = float(np.max(magnitude, initial=0.0))
    return float(np.max(np.abs(total - total[0]))) / size if size > 0.0 and len(total) else 0.0
