"""Traffic through each mechanism in given states, and its distance from equilibrium.

Every array has the leading axes of the states, for one state or many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.model import TRACE_CONCENTRATION
from simulator.model.names import area, water_flow, water_permeability
from simulator.model.structure import Structure
from simulator.trajectory.arrangement import named, osmolarity

#: Traffic, relative to that with a trace of every species, below which a mechanism has nothing to carry.
EMPTY = 1.0e-3


@dataclass(frozen=True)
class Flows:
    """Traffic and affinities of all mechanisms, by ``membrane.label``.

    Parameters
    ----------
    traffic : mapping of str to ndarray
        The largest of the net and the one-way turnovers [mol/m2/s].
    possible : mapping of str to ndarray
        Traffic with at least a trace of every species on both sides; 0 where the path is closed.
    affinity : mapping of str to ndarray
        Affinity over RT.
    electrodes : frozenset of str
        Mechanisms that are driven from outside.
    water : mapping of str to ndarray
        Conductance [m6/mol/s] of each membrane with a finite water permeability; 0 where closed.
    imbalance : mapping of str to ndarray
        Osmolarity inside minus outside, relative to that outside, by the same membranes; 0 where closed.
    """

    traffic: Mapping[str, np.ndarray]
    possible: Mapping[str, np.ndarray]
    affinity: Mapping[str, np.ndarray]
    electrodes: frozenset[str]
    water: Mapping[str, np.ndarray]
    imbalance: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, structure: Structure, states: np.ndarray, parameters: np.ndarray, scales: np.ndarray) -> Flows:
        """Compute the flows in given states.

        Parameters
        ----------
        structure : Structure
            The model's structure.
        states, scales : ndarray, shape (..., states)
            States, and the sizes below which only absolute accuracy counts.
        parameters : ndarray, shape (..., parameters)
            Parameters in force.
        """
        equations = load_arrays(structure)
        traces = np.where(structure.places("amount"), scales, -np.inf)
        in_baths = [
            TRACE_CONCENTRATION if p in structure.bath_concentrations else -np.inf for p in structure.parameters
        ]
        with np.errstate(all="ignore"):
            rates = equations.rates(states, parameters)
            probed = equations.rates(np.maximum(states, traces), np.maximum(parameters, in_baths))
        mechanisms = {f"{m.name}.{mechanism.label}": mechanism for m, mechanism in structure.mechanisms}
        return cls(
            {label: _traffic(rates, label) for label in mechanisms},
            {label: _traffic(probed, label) for label in mechanisms},
            {label: np.asarray(rates[f"{label}.affinity"]) for label in mechanisms},
            frozenset(label for label, mechanism in mechanisms.items() if mechanism.law.external),
            *_water(structure, states, parameters),
        )

    def carrying(self, label: str) -> np.ndarray:
        """Where a mechanism has something to carry."""
        return np.asarray(self.traffic[label] > EMPTY * self.possible[label])

    @property
    def open_paths(self) -> np.ndarray:
        """Where some path is open, whether or not there is anything to move."""
        paths = [possible > 0.0 for possible in self.possible.values()]
        paths += [conductance > 0.0 for conductance in self.water.values()]
        return np.logical_or.reduce(np.broadcast_arrays(*paths)) if paths else np.asarray(False)


def _traffic(rates: Mapping[str, np.ndarray], label: str) -> np.ndarray:
    """Largest magnitude of a mechanism's net and one-way turnovers."""
    size = np.asarray(0.0)
    for kind in ("net", "forward", "backward"):
        size = np.fmax(size, np.abs(rates.get(f"{label}.{kind}", 0.0)))
    return size


def _water(
    structure: Structure, states: np.ndarray, parameters: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Conductance of each membrane with a finite water permeability, and the relative imbalance across it."""
    paths = [m for m in structure.membranes if m.water == "finite"]
    conductances: dict[str, np.ndarray] = {}
    imbalance: dict[str, np.ndarray] = {}
    if paths:
        numbers = named(structure, states, parameters)
        with np.errstate(all="ignore"):
            flows = load_arrays(structure).water(states, parameters)
            for m in paths:
                conductance = np.asarray(numbers[water_permeability(m.name)] * numbers[area(m.name)])
                relative = flows[water_flow(m.name)] / (conductance * osmolarity(structure, numbers, m.outside))
                conductances[m.name] = conductance
                imbalance[m.name] = np.where(conductance > 0.0, relative, 0.0)
    return conductances, imbalance
