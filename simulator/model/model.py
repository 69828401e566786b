"""Scenario -> Model: the states, the parameters and their values.

The *structure* (connections and laws) determines the equations and hence the kernel; the *values* (initial
state, parameter vector, protocol) do not. This module needs no symbolic algebra, so a scenario whose kernel
is cached runs without it.

Sign convention: see :mod:`simulator.physics.sign_convention`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from simulator.model.assembly import structure_of
from simulator.model.capacitors import group_capacitances
from simulator.model.contents import Contents, Values
from simulator.model.contradictions import check_occupancies, check_protocol
from simulator.model.names import CLOCK, amount, charge, potential, volume
from simulator.model.parameters import parameter_vector, stacked
from simulator.model.protocol import Schedule, schedule
from simulator.model.start import capacitances, capacitor_charges, check_solute, check_whole_cell, initial_potentials
from simulator.model.structure import Structure
from simulator.scenario.scenario import Scenario

#: Concentration [mol/m3] that sets the absolute error scale of amounts (0.1 uM).
TRACE_CONCENTRATION = 1.0e-4

#: Open fraction that sets the absolute error scale of gates.
GATE_SCALE = 1.0e-2


@dataclass(frozen=True)
class Model:
    """A scenario's structure and values.

    Parameters
    ----------
    scenario : Scenario
        The user's description of the model.
    structure : Structure
        The structure of its equations.
    """

    scenario: Scenario
    structure: Structure

    @classmethod
    def of(cls, scenario: Scenario) -> Model:
        """Build the model of a scenario."""
        return cls(scenario, structure_of(scenario))

    @cached_property
    def values(self) -> dict[str, float]:
        """All values of the scenario by dotted path, SI."""
        return self.scenario.quantities()

    def contents(self, values: Values | None = None) -> Contents:
        """Amounts and sizes at t = 0; `values` replaces the scenario's values."""
        return Contents(self.scenario, self.structure, self.values if values is None else values)

    def parameters(self, values: Values | None = None) -> np.ndarray:
        """Parameter vector at t = 0.

        Parameters
        ----------
        values : mapping, optional
            Values by dotted path; arrays of shape ``(runs,)`` give a result of shape ``(runs, parameters)``.
        """
        return parameter_vector(self.contents(values))

    def events(self) -> Schedule:
        """Changes of the parameters by the protocol."""
        return schedule(self.scenario, self.structure, self.values, 1)

    def initial_state(self, values: Values | None = None) -> np.ndarray:
        """State at t = 0: amounts [mol], charges [C] (or potentials [V]), gates, the clock [s], volumes [m3].

        Gates are 0 here: their initial values need the equations (:func:`simulator.kernel.inputs.initial_states`).

        Raises
        ------
        ModelError
            When composition and potential, or the times and values of the protocol, contradict each other.
        """
        contents = self.contents(values)
        check_solute(contents)
        check_whole_cell(contents)
        check_protocol(self.scenario, contents.values)
        check_occupancies(self.structure, contents.values)
        compartments = self.structure.compartments
        amounts = {amount(c.name, s): contents.amount(c.name, s) for c in compartments for s in c.states}
        volumes = {volume(c.name): contents.starting_volume(c.name) for c in compartments if c.volume == "state"}
        potentials = initial_potentials(contents)
        if self.structure.formulation == "electroneutral":
            electric = {potential(name): v for name, v in potentials.items()}
        else:
            held = contents.saved("charges") or capacitor_charges(contents, potentials)
            electric = {charge(name): sum(held[c] for c in group) for name, group in self.structure.behind.items()}
        state = amounts | electric | volumes | dict.fromkeys((*self.structure.gate_states, CLOCK), 0.0)
        return stacked([state[name] for name in self.structure.states])

    def scales(self, values: Values | None = None) -> np.ndarray:
        """Absolute error scale of each state (same shape as the state)."""
        contents = self.contents(values)
        thermal = contents.thermal_voltage()
        out: list[Any] = []
        for c in self.structure.compartments:
            out += [TRACE_CONCENTRATION * contents.starting_volume(c.name) for _ in c.states]
        kinds = self.structure.states_of
        if kinds["charge"]:
            out += [size * thermal for size in group_capacitances(self.structure, capacitances(contents))]
        out += [thermal] * len(kinds["potential"]) + [GATE_SCALE] * len(kinds["gate"]) + [1.0] * len(kinds["clock"])
        out += [contents.starting_volume(c.name) for c in self.structure.compartments if c.volume == "state"]
        return stacked(out)
