"""The result of a run: times, states, and all that is needed to compute the rest again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.model import Model
from simulator.model.protocol import schedule
from simulator.model.structure import Structure
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import ARRANGED, arranged, concentrations, gathered, membrane_potentials
from simulator.trajectory.labelled import Field


@dataclass(frozen=True, repr=False)
class Trajectory:
    """What one run computed.

    Parameters
    ----------
    scenario : Scenario
        What was run.
    time : ndarray, shape (times,)
        Save times [s] that were reached.
    amount : ndarray, shape (times, compartments, species)
        Amounts [mol]; NaN in baths and where a species is absent.
    charge : ndarray, shape (times, compartments)
        Charges of the membranes' inner faces [C]; NaN for grounded compartments.
    volume : ndarray, shape (times, compartments)
        Volumes [m3]; NaN for baths.
    compartment_potential : ndarray, shape (times, compartments)
        Potentials [V].
    open_fraction : ndarray, shape (times, gates)
        Open fractions of the gates that are states; no columns where there are none.
    status : str
        How the run ended, a word of :class:`simulator.kernel.status.Status`.
    end_time : float
        Time reached [s].
    culprit : str
        State that made a run fail, empty if none did.
    provenance : mapping of str to str
        Versions, kernel hash, platform, configuration text.
    """

    scenario: Scenario
    time: np.ndarray
    amount: np.ndarray
    charge: np.ndarray
    volume: np.ndarray
    compartment_potential: np.ndarray
    open_fraction: np.ndarray
    status: str = "ok"
    end_time: float = 0.0
    culprit: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        saved = f"{len(self.time)} saved states to t = {self.end_time:g} s"
        return f"Trajectory({self.scenario.name!r}, {self.status}, {saved})"

    @classmethod
    def from_states(cls, model: Model, time: np.ndarray, states: np.ndarray, **outcome: Any) -> Trajectory:
        """Sort a kernel's states, shape (times, states), into labelled arrays."""
        arrays: dict[str, Any] = arranged(model.structure, states, parameters_at(model, time))
        return cls(model.scenario, time, **(arrays | outcome))

    # -- labels -----------------------------------------------------------------------------------

    @cached_property
    def model(self) -> Model:
        """The model that was run."""
        return Model.of(self.scenario)

    @property
    def structure(self) -> Structure:
        """The structure of that model."""
        return self.model.structure

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Labels of each dimension but time."""
        return {
            "compartment": tuple(c.name for c in self.structure.compartments),
            "membrane": tuple(m.name for m in self.structure.membranes),
            "species": tuple(s for s, _ in self.structure.charges),
            "mechanism": tuple(f"{m.name}.{use.label}" for m, use in self.structure.uses),
            "gate": tuple(
                f"{m.name}.{use.owner}.{gate.name}"
                for m, use, gate in map(self.structure.gates.__getitem__, self.structure.gate_states)
            ),
        }

    # -- quantities -------------------------------------------------------------------------------

    @cached_property
    def equations(self) -> ModuleType:
        """The model's equations as array functions."""
        return load_arrays(self.structure)

    @cached_property
    def parameters(self) -> np.ndarray:
        """Parameter vector that led to each saved state, shape (times, parameters)."""
        return parameters_at(self.model, self.time)

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
        values = concentrations(self.structure, self._arrays, self.parameters)
        return self._field(values, "compartment species", "mol/m^3", "concentration")

    @cached_property
    def potential(self) -> Field:
        """Membrane potentials, inside minus outside [V], shape (times, membranes)."""
        values = membrane_potentials(self.structure, self.compartment_potential)
        return self._field(values, "membrane", "V", "membrane potential")

    def fields(self) -> dict[str, Field]:
        """Everything that is saved, by name."""
        found = {
            "potential": self.potential,
            "amount": self._field(self.amount, "compartment species", "mol", "amount"),
            "concentration": self.concentration,
            "charge": self._field(self.charge, "compartment", "C", "charge of a compartment"),
            "volume": self._field(self.volume, "compartment", "m^3", "volume"),
            "compartment_potential": self._field(
                self.compartment_potential, "compartment", "V", "potential of a compartment"
            ),
        }
        if self.labels["gate"]:
            found["open_fraction"] = self._field(self.open_fraction, "gate", "1", "open fraction of a gate")
        return found

    def _field(self, values: np.ndarray, dims: str, unit: str, meaning: str) -> Field:
        names = dims.split()
        return Field(values, ("time", *names), {d: self.labels[d] for d in names}, unit, meaning)

    def to_xarray(self) -> Any:
        """The saved quantities as an ``xarray.Dataset`` (xarray must be installed)."""
        import xarray

        fields = self.fields()
        coordinates = {"time": self.time} | {
            d: list(labels) for d, labels in self.labels.items() if labels and d != "mechanism"
        }
        variables = {n: (f.dims, f.values, {"units": f.unit, "long_name": f.meaning}) for n, f in fields.items()}
        return xarray.Dataset(variables, coordinates, {"name": self.scenario.name, "status": self.status})


def parameters_at(model: Model, time: np.ndarray) -> np.ndarray:
    """Parameter vectors in force up to each time, shape (times, parameters), as :meth:`Schedule.at` has them."""
    found = schedule(model.scenario, model.structure, model.values, 1).at(time, model.parameters()[None])
    return np.broadcast_to(found[0], (len(time), len(model.structure.parameters)))
