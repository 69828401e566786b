"""Scenario -> Model: which states there are, which parameters, and their numbers.

The *structure* (what is connected to what, which laws) decides the equations and so the kernel; the
*numbers* (initial state, parameter vector, protocol) never do. This module needs no symbolic algebra:
a scenario whose kernel is in the cache runs without it.

Sign convention: see :mod:`simulator.physics.electrochemistry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from simulator.mechanisms import CLAMP
from simulator.model.contents import Contents, Values
from simulator.model.protocol import schedule
from simulator.model.start import capacitances, capacitor_charges, check_solute, initial_potentials, unbalanced_charge
from simulator.model.structure import (
    ATP_ENERGY,
    CLOCK,
    Structure,
    amount,
    charge,
    concentration,
    impermeant,
    parameter_name,
    potential,
    structure_of,
    volume,
    water_total,
)
from simulator.physics.constants import FARADAY, WATER_MOLAR_VOLUME
from simulator.scenario.scenario import Scenario

#: Amount scale [mol/m3] below which the error control stops caring about relative accuracy (0.1 uM).
TRACE_CONCENTRATION = 1.0e-4

#: Open fraction below which the error control stops caring about relative accuracy.
GATE_SCALE = 1.0e-2

#: Unbalanced charge [mol/m3] that is worth a remark.
WORTH_A_REMARK = 1.0

#: Relative change of a given volume that is not worth a warning.
UNNOTICED = 1.0e-3


@dataclass(frozen=True)
class Event:
    """A time [s] at which parameters change, and the whole parameter vector from then on."""

    time: float
    parameters: np.ndarray


@dataclass(frozen=True)
class Model:
    """A scenario's structure and its numbers.

    Parameters
    ----------
    scenario : Scenario
        What the user said.
    structure : Structure
        What decides the equations.
    """

    scenario: Scenario
    structure: Structure

    @classmethod
    def of(cls, scenario: Scenario) -> Model:
        """Build the model of a scenario."""
        return cls(scenario, structure_of(scenario))

    @cached_property
    def values(self) -> dict[str, float]:
        """Every number of the scenario by dotted path, SI."""
        return self.scenario.quantities()

    def contents(self, values: Values | None = None) -> Contents:
        """What the compartments hold at t = 0; `values` replaces the scenario's numbers."""
        return Contents(self.scenario, self.structure, self.values if values is None else values)

    def remarks(self) -> dict[str, str]:
        """What a user may not have meant, by key: charge without a carrier, volumes that water balances at once."""
        contents, found = self.contents(), {}
        for c in self.structure.compartments:
            missing = unbalanced_charge(contents, c.name)
            if abs(missing) > WORTH_A_REMARK:
                found[f"compartments.{c.name}.concentrations"] = (
                    f"{abs(missing):.4g} mM of {'positive' if missing > 0 else 'negative'} charge has no counterpart; "
                    "fixed charge without osmotic weight is taken to make up for it (an impermeant can say what it is)"
                )
            if c.volume == "osmotic":
                given, balanced = contents.volume(c.name), contents.balanced_volume(c.name)
                if abs(balanced / given - 1.0) > UNNOTICED:
                    found[f"compartments.{c.name}"] = (
                        f"water crosses at once, so the volume starts at {balanced / given:.4g} times the one given, "
                        f"and the concentrations at {given / balanced:.4g} times"
                    )
        return found

    def parameters(
        self, values: Values | None = None, clamps: Mapping[str, tuple[Any, Any]] = MappingProxyType({})
    ) -> np.ndarray:
        """Parameter vector, by default that at t = 0.

        Parameters
        ----------
        values : mapping, optional
            Numbers by dotted path; arrays of shape ``(runs,)`` give a result of ``(runs, parameters)``.
        clamps : mapping, optional
            Conductance [S/m2] and command potential [V] of the clamp of each clamped membrane.
        """
        return _stack(self._parameter_values(self.values if values is None else values, clamps))

    def events(self) -> tuple[Event, ...]:
        """The protocol as parameter vectors, in order of time."""
        found = schedule(self, self.values, 1)
        return tuple(map(Event, found.time[0].tolist(), found.parameters[0]))

    def initial_state(self, values: Values | None = None) -> np.ndarray:
        """State at t = 0: amounts [mol], charges [C] (or potentials [V]), gates, the clock [s], volumes [m3].

        Raises
        ------
        ModelError
            When composition and potential contradict each other.
        """
        contents = self.contents(values)
        check_solute(contents)
        compartments = self.structure.compartments
        amounts = {amount(c.name, s): contents.amount(c.name, s) for c in compartments for s in c.states}
        volumes = {volume(c.name): contents.volume(c.name) for c in compartments if c.volume == "state"}
        potentials = initial_potentials(contents)
        if self.structure.formulation == "electroneutral":
            electric = {potential(name): v for name, v in potentials.items()}
        else:
            electric = {charge(name): q for name, q in capacitor_charges(contents, potentials).items()}
        state = amounts | electric | volumes | dict.fromkeys((*self.structure.gate_states, CLOCK), 0.0)
        found = _stack([state[name] for name in self.structure.states])
        return self._with_gates(found, values) if self.structure.gate_states else found

    def _with_gates(self, state: np.ndarray, values: Values | None) -> np.ndarray:
        """The state with its gates where the scenario starts them, or where they stand still by themselves."""
        from simulator.kernel import load_arrays

        equations, numbers = load_arrays(self.structure), self.values if values is None else values
        parameters, names = self.parameters(values), self.structure.gate_states
        started = {
            name: f"membranes.{m.name}.mechanisms.{use.owner}.gates.{gate.name}.start"
            for name, (m, use, gate) in self.structure.gates.items()
        }
        axes = np.broadcast_shapes(state.shape[:-1], parameters.shape[:-1])
        state = np.broadcast_to(state, (*axes, state.shape[-1])).copy()
        # A gate may depend on another one, which may depend on a third.
        for _ in names:
            rests = equations.gate_rests(state, parameters)
            for name in names:
                state[..., self.structure.states.index(name)] = numbers.get(started[name], rests[name])
        return state

    def scales(self, values: Values | None = None) -> np.ndarray:
        """Size of each state below which only absolute accuracy counts (same shape as the state)."""
        contents = self.contents(values)
        thermal = contents.thermal_voltage()
        out: list[Any] = []
        for c in self.structure.compartments:
            out += [TRACE_CONCENTRATION * contents.volume(c.name) for _ in c.states]
        free = [c.name for c in self.structure.compartments if c.potential == "free"]
        capacitor = capacitances(contents, free)
        for i in range(len(free)):
            out.append(thermal if self.structure.formulation == "electroneutral" else capacitor[i][i] * thermal)
        out += [GATE_SCALE] * len(self.structure.gate_states) + [1.0] * (CLOCK in self.structure.states)
        out += [contents.volume(c.name) for c in self.structure.compartments if c.volume == "state"]
        return _stack(out)

    def _parameter_values(self, values: Values, clamps: Mapping[str, tuple[Any, Any]]) -> list[Any]:
        contents = self.contents(values)
        thermal = contents.thermal_voltage()
        found: dict[str, Any] = {"rt_over_f": thermal, ATP_ENERGY: values["atp_free_energy"] / (FARADAY * thermal)}
        structure = self.structure
        for c in structure.compartments:
            found[impermeant(c.name)] = contents.impermeant(c.name)
            for s in c.species:
                if c.volume == "bath":
                    found[concentration(c.name, s)] = values[f"compartments.{c.name}.concentrations.{s}"]
                else:
                    found[amount(c.name, s)] = contents.amount(c.name, s)
            if c.volume == "given":
                found[volume(c.name)] = contents.volume(c.name)
        for group in structure.closed_water:
            found[water_total(group)] = sum(contents.volume(c) for c in group)
        for m in structure.membranes:
            key = f"membranes.{m.name}"
            found[f"area_{m.name}"] = contents.area(m.name)
            found[f"length_{m.inside}"] = values.get(f"compartments.{m.inside}.geometry.cylinder.length")
            found[f"capacitance_{m.name}"] = values[f"{key}.capacitance"]
            if m.water == "finite":
                found[f"water_permeability_{m.name}"] = values[f"{key}.water.permeability"] * WATER_MOLAR_VOLUME
            for use in m.mechanisms:
                if use.label == CLAMP:
                    gain, command = clamps.get(m.name, (0.0, 0.0))
                    given = {"conductance": gain, "command": command}
                else:
                    given = {p.name: values[f"{key}.mechanisms.{use.owner}.{p.key}"] for p in use.mechanism.parameters}
                for name, value in given.items():
                    found[parameter_name(m.name, use.owner, name)] = value
        return [found[name] for name in structure.parameters]


def _stack(columns: list[Any]) -> np.ndarray:
    """Scalars -> (n,); scalars and arrays of shape (runs,) -> (runs, n)."""
    return np.stack(np.broadcast_arrays(*map(np.asarray, columns)), axis=-1).astype(float) if columns else np.zeros(0)
