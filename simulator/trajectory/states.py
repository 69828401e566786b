"""Saved states, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.model import Model
from simulator.model.protocol import schedule
from simulator.model.structure import Structure
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import (
    ARRANGED,
    QUANTITIES,
    concentrations,
    dimension_labels,
    gathered,
    membrane_potentials,
)
from simulator.trajectory.labelled import Field


@dataclass(frozen=True, repr=False)
class States:
    """Saved states of one model along one axis: of one run at its save times, or of many runs at their ends.

    Parameters
    ----------
    scenario : Scenario
        What was run.
    time : ndarray, shape (states,)
        Time of each state [s].
    amount, charge, volume, compartment_potential, open_fraction : ndarray, shape (states, ...)
        As in :class:`~simulator.trajectory.trajectory.Trajectory`.
    """

    scenario: Scenario
    time: np.ndarray
    amount: np.ndarray
    charge: np.ndarray
    volume: np.ndarray
    compartment_potential: np.ndarray
    open_fraction: np.ndarray

    #: Name of the axis along the states.
    axis: ClassVar[str] = "time"

    @cached_property
    def model(self) -> Model:
        """The model that was run."""
        return Model.of(self.scenario)

    @property
    def values(self) -> Mapping[str, Any]:
        """Numbers of the scenario by dotted path [SI], of shape (states,) if they differ between the states."""
        return self.model.values

    @cached_property
    def parameters(self) -> np.ndarray:
        """Parameter vector in force up to each state, shape (states, parameters)."""
        raise NotImplementedError

    @property
    def structure(self) -> Structure:
        """The structure of that model."""
        return self.model.structure

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Labels of each dimension but time."""
        mechanisms = tuple(f"{m.name}.{mechanism.label}" for m, mechanism in self.structure.mechanisms)
        return dimension_labels(self.structure) | {"mechanism": mechanisms}

    @cached_property
    def equations(self) -> ModuleType:
        """The model's equations as array functions."""
        return load_arrays(self.structure)

    @cached_property
    def states(self) -> np.ndarray:
        """Saved states as the kernel orders them, shape (times, states)."""
        return gathered(self.structure, self._arrays, self.time)

    @property
    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ARRANGED}

    @cached_property
    def concentration(self) -> Field:
        """Concentrations [mol/m3], shape (times, compartments, species); NaN where a species is absent."""
        return self._field("concentration", concentrations(self.structure, self._arrays, self.parameters))

    @cached_property
    def potential(self) -> Field:
        """Membrane potentials, inside minus outside [V], shape (times, membranes)."""
        return self._field("potential", membrane_potentials(self.structure, self.compartment_potential))

    def fields(self) -> dict[str, Field]:
        """All saved quantities, by name."""
        derived = {"concentration": self.concentration, "potential": self.potential}
        saved = (name for name in QUANTITIES if name != "open_fraction" or self.labels["gate"])
        return {n: derived[n] if n in derived else self._field(n, getattr(self, n)) for n in saved}

    def _field(self, name: str, values: np.ndarray) -> Field:
        unit, meaning, dims = QUANTITIES[name]
        names = dims.split()
        return Field(values, (self.axis, *names), {d: self.labels[d] for d in names}, unit, meaning)


def parameters_in_force(model: Model, values: Mapping[str, Any], times: np.ndarray) -> np.ndarray:
    """Parameter vectors in force up to each time of each run, shape (runs, times, parameters).

    Parameters
    ----------
    model : Model
        The model of the runs.
    values : mapping
        Numbers by dotted path; those of shape (runs,) differ between the runs.
    times : ndarray, shape (runs, times)
        Times [s], see :meth:`simulator.model.protocol.Schedule.at`.
    """
    shape = (len(times), len(model.structure.parameters))
    start = np.broadcast_to(model.parameters(values), shape)
    found = schedule(model.scenario, model.structure, values, len(times)).at(times, start)
    return np.broadcast_to(found, (*times.shape, shape[1]))
