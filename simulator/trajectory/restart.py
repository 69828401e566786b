"""Initial values with which a scenario begins where a trajectory ends."""

from __future__ import annotations

from simulator.model.model import Model
from simulator.model.names import potential
from simulator.model.restated import restated
from simulator.trajectory.arrangement import named
from simulator.trajectory.trajectory import Trajectory

__all__ = ["initial_values"]


def initial_values(model: Model, trajectory: Trajectory) -> dict[str, float]:
    """New values of a scenario by dotted path, SI, that make it begin with the last state of a trajectory.

    Parameters
    ----------
    model : Model
        The scenario, with any protocol.
    trajectory : Trajectory
        A run or a rest point of it.
    """
    structure = trajectory.structure
    numbers = named(structure, trajectory.states[-1], trajectory.parameters[-1])
    electric = zip(structure.compartments, trajectory.compartment_potential[-1].tolist(), strict=True)
    known = {name: float(value) for name, value in numbers.items()}
    return restated(model, known | {potential(c.name): value for c, value in electric})
