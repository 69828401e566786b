"""What must not change in a run: charge against contents, and totals of closed systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simulator.constants import FARADAY
from simulator.structure import Structure, connected
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
    """Measure what drifted in a run since its start, whether or not the start was saved."""
    trajectory = _with_start(trajectory)
    drift = {s: _species_drift(trajectory, s) for s in trajectory.labels["species"]}
    return Conservation(_charge_drift(trajectory), drift)


def _with_start(trajectory: Trajectory) -> Trajectory:
    """The trajectory with its state at t = 0 in front."""
    if len(trajectory.time) and trajectory.time[0] == 0.0:
        return trajectory
    model = trajectory.model
    start = Trajectory.from_states(model, np.zeros(1), model.initial_state()[None])
    return replace(
        trajectory,
        time=np.append(start.time, trajectory.time),
        amount=np.concatenate([start.amount, trajectory.amount]),
        charge=np.concatenate([start.charge, trajectory.charge]),
        volume=np.concatenate([start.volume, trajectory.volume]),
        compartment_potential=np.concatenate([start.compartment_potential, trajectory.compartment_potential]),
        open_fraction=np.concatenate([start.open_fraction, trajectory.open_fraction]),
    )


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
    worst = None
    for group in closed_groups(trajectory.structure, species):
        amounts = trajectory.amount[:, [names.index(c) for c in group], trajectory.labels["species"].index(species)]
        drift = _drift(amounts.sum(axis=1), np.abs(amounts).sum(axis=1))
        worst = drift if worst is None else max(worst, drift)
    return worst


def closed_groups(structure: Structure, species: str) -> tuple[tuple[str, ...], ...]:
    """Sets of compartments that share a conserved total of a species: joined by what moves it, without a bath."""
    movers = [(m.inside, m.outside) for m in structure.membranes if any(species in use.species for use in m.mechanisms)]
    joined = connected([c.name for c in structure.compartments], movers)
    baths = {c.name for c in structure.compartments if c.volume == "bath"}
    return tuple(group for group in joined if len(group) > 1 and not baths & set(group))


def _drift(total: np.ndarray, magnitude: np.ndarray) -> float:
    size = float(np.max(magnitude, initial=0.0))
    return float(np.max(np.abs(total - total[0]))) / size if size > 0.0 and len(total) else 0.0
