"""Scenario -> Model: which states there are, which parameters, and their numbers.

The *structure* (what is connected to what, which laws) decides the equations and so the kernel; the
*numbers* (initial state, parameter vector, protocol) never do. This module needs no symbolic algebra:
a scenario whose kernel is in the cache runs without it.

Sign convention: see :mod:`simulator.laws`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from simulator.constants import FARADAY, WATER_MOLAR_VOLUME
from simulator.errors import IonfluxError
from simulator.geometry import cylinder_area, cylinder_volume, sphere_area, sphere_volume
from simulator.mechanisms import CLAMP, library
from simulator.scenario import ClampEvent, ReleaseEvent, Scenario, SetEvent
from simulator.structure import (
    ATP_ENERGY,
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

Values = Mapping[str, Any]

#: Time constant [s] with which a clamped membrane reaches its command potential.
CLAMP_TIME = 1.0e-9

#: Amount scale [mol/m3] below which the error control stops caring about relative accuracy (0.1 uM).
TRACE_CONCENTRATION = 1.0e-4

#: Relative change of a given volume that is not worth a warning.
UNNOTICED = 1.0e-3

#: Disagreement [V] between given potential and given composition that is still rounding.
POTENTIAL_AGREES = 1.0e-6


class ModelError(IonfluxError):
    """A scenario whose numbers contradict each other.

    Attributes
    ----------
    key : str
        Dotted path of the value to change.
    problem, expected, hint : str
        The parts of the message.
    """

    exit_code = 2

    def __init__(self, key: str, problem: str, expected: str, hint: str = "") -> None:
        super().__init__(f"{key}: {problem}; expected {expected}" + (f"; {hint}" if hint else ""))
        self.key, self.problem, self.expected, self.hint = key, problem, expected, hint


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

    def adjustments(self) -> dict[str, str]:
        """What the start differs in from what was given, by key: volumes that water balances at once."""
        found = {}
        for c in self.structure.compartments:
            if c.volume == "osmotic":
                given, balanced = self._volume(self.values, c.name), self.initial_volume(c.name)
                if abs(balanced / given - 1.0) > UNNOTICED:
                    found[f"compartments.{c.name}"] = (
                        f"water crosses at once, so the volume starts at {balanced / given:.4g} times the one given, "
                        f"and the concentrations at {given / balanced:.4g} times"
                    )
        return found

    def parameters(self, values: Values | None = None) -> np.ndarray:
        """Parameter vector at t = 0.

        Parameters
        ----------
        values : mapping, optional
            Numbers by dotted path; arrays of shape ``(runs,)`` give a result of ``(runs, parameters)``.
        """
        return _stack(self._parameter_values(self.values if values is None else values, {}))

    def events(self) -> tuple[Event, ...]:
        """The protocol as parameter vectors, in order of time."""
        values, clamps = dict(self.values), dict[str, tuple[float, float]]()
        events: list[Event] = []
        for event in sorted(self.scenario.protocol, key=lambda e: e.at):
            match event:
                case SetEvent():
                    values.update(event.set)
                case ClampEvent():
                    for name, clamp in event.clamp.items():
                        gain = values[f"membranes.{name}.capacitance"] / CLAMP_TIME
                        clamps[name] = (gain, clamp.potential)
                case ReleaseEvent():
                    for name in event.release:
                        clamps[name] = (0.0, 0.0)
            parameters = _stack(self._parameter_values(values, clamps))
            if events and events[-1].time == event.at:
                events.pop()
            events.append(Event(event.at, parameters))
        return tuple(events)

    def initial_state(self, values: Values | None = None) -> np.ndarray:
        """State at t = 0: amounts [mol], charges [C] (or potentials [V]), volumes [m3].

        Raises
        ------
        ModelError
            When composition and potential contradict each other.
        """
        values = self.values if values is None else values
        self._check_solute(values)
        amounts = {
            amount(c.name, s): self._amount(values, c.name, s) for c in self.structure.compartments for s in c.states
        }
        volumes = {
            volume(c.name): self._volume(values, c.name) for c in self.structure.compartments if c.volume == "state"
        }
        potentials = self.initial_potentials(values)
        if self.structure.formulation == "electroneutral":
            electric = {potential(name): v for name, v in potentials.items()}
        else:
            electric = {charge(name): q for name, q in self._capacitor_charges(values, potentials).items()}
        state = amounts | electric | volumes
        return _stack([state[name] for name in self.structure.states])

    def initial_potentials(self, values: Values | None = None) -> dict[str, Any]:
        """Potential [V] of each compartment that has one of its own, at t = 0.

        A compartment whose impermeant charge is given gets its potential from its composition; any
        other takes the potential given for one of its membranes.
        """
        values = self.values if values is None else values
        free = [c.name for c in self.structure.compartments if c.potential == "free"]
        rows: list[list[Any]] = []
        right: list[Any] = []
        # One equation each ties a compartment to the ground, directly or through others that are tied already.
        tied = {c.name: c.name if c.potential == "free" else "" for c in self.structure.compartments}

        def tie(one: str, other: str, row: list[Any], value: Any) -> None:
            if tied[one] != tied.get(other, ""):
                kept, dropped = sorted((tied[one], tied.get(other, "")))
                tied.update({name: kept for name, root in tied.items() if root == dropped})
                rows.append(row)
                right.append(value)

        for name in free:
            if self._composition_is_complete(name):
                tie(name, "", *self._composition_equation(values, free, name))
        for name, m in self.scenario.membranes.items():
            if m.potential is not None:
                row = [float(c == m.inside) - float(c == m.outside) for c in free]
                tie(m.inside, m.outside, row, values[f"membranes.{name}.potential"])
        for name in free:
            if tied[name]:
                tie(name, "", *self._composition_equation(values, free, name))
        solution = _solve(rows, right)
        potentials = dict(zip(free, solution, strict=True))
        if self.structure.formulation == "capacitive":
            self._check_potentials(values, potentials)
        return potentials

    def impermeant_charge(self, compartment: str) -> float:
        """Charge number of the impermeant solute, the one that ``auto`` stands for included."""
        spec = self.scenario.compartments[compartment].impermeant
        if spec is None:
            return math.nan
        if spec.charge != "auto":
            return float(spec.charge)
        potentials = self.initial_potentials()
        total = 0.0
        if self.structure.formulation == "capacitive" and compartment in potentials:
            total = self._capacitor_charges(self.values, potentials)[compartment] / FARADAY
        held = sum(z * self._amount(self.values, compartment, s) for s, z in self._charges_in(compartment).items())
        return float((total - held) / self._impermeant(self.values, compartment))

    def scales(self, values: Values | None = None) -> np.ndarray:
        """Size of each state below which only absolute accuracy counts (same shape as the state)."""
        values = self.values if values is None else values
        thermal = self._thermal_voltage(values)
        out: list[Any] = []
        for c in self.structure.compartments:
            out += [TRACE_CONCENTRATION * self._volume(values, c.name) for _ in c.states]
        free = [c.name for c in self.structure.compartments if c.potential == "free"]
        laplacian = self._laplacian(values, free)
        for i in range(len(free)):
            out.append(thermal if self.structure.formulation == "electroneutral" else laplacian[i][i] * thermal)
        out += [self._volume(values, c.name) for c in self.structure.compartments if c.volume == "state"]
        return _stack(out)

    # -- numbers of one kind each ---------------------------------------------------------------

    def _parameter_values(self, values: Values, clamps: Mapping[str, tuple[float, float]]) -> list[Any]:
        thermal = self._thermal_voltage(values)
        found: dict[str, Any] = {"rt_over_f": thermal, ATP_ENERGY: values["atp_free_energy"] / (FARADAY * thermal)}
        structure = self.structure
        for c in structure.compartments:
            found[impermeant(c.name)] = self._impermeant(values, c.name)
            for s in c.species:
                if c.volume == "bath":
                    found[concentration(c.name, s)] = values[f"compartments.{c.name}.concentrations.{s}"]
                else:
                    found[amount(c.name, s)] = self._amount(values, c.name, s)
            if c.volume == "given":
                found[volume(c.name)] = self._volume(values, c.name)
        for group in structure.closed_water:
            found[water_total(group)] = sum(self._volume(values, c) for c in group)
        for m in structure.membranes:
            key = f"membranes.{m.name}"
            found[f"area_{m.name}"] = self._area(values, m.name)
            found[f"length_{m.inside}"] = values.get(f"compartments.{m.inside}.geometry.cylinder.length")
            found[f"capacitance_{m.name}"] = values[f"{key}.capacitance"]
            if m.water == "finite":
                found[f"water_permeability_{m.name}"] = values[f"{key}.water.permeability"] * WATER_MOLAR_VOLUME
            for mechanism in m.mechanisms:
                if mechanism.label == CLAMP:
                    gain, command = clamps.get(m.name, (0.0, 0.0))
                    given = {"conductance": gain, "command": command}
                else:
                    given = {
                        p.name: values[f"{key}.mechanisms.{mechanism.label}.{p.name}"]
                        for p in library()[mechanism.law].parameters
                    }
                for name, value in given.items():
                    found[parameter_name(m.name, mechanism.label, name)] = value
        return [found[name] for name in structure.parameters]

    def _thermal_voltage(self, values: Values) -> Any:
        if self.scenario.rt_over_f is not None:
            return values["rt_over_f"]
        return self.scenario.thermal_voltage_at(values["temperature"])

    def _volume(self, values: Values, compartment: str) -> Any:
        key = f"compartments.{compartment}"
        if f"{key}.geometry.sphere.radius" in values:
            return sphere_volume(values[f"{key}.geometry.sphere.radius"])
        if f"{key}.geometry.cylinder.radius" in values:
            shape = f"{key}.geometry.cylinder"
            return cylinder_volume(values[f"{shape}.radius"], values[f"{shape}.length"])
        return values[f"{key}.volume"]

    def _area(self, values: Values, membrane: str) -> Any:
        if f"membranes.{membrane}.area" in values:
            return values[f"membranes.{membrane}.area"]
        key = f"compartments.{self.scenario.membranes[membrane].inside}.geometry"
        if f"{key}.sphere.radius" in values:
            return sphere_area(values[f"{key}.sphere.radius"])
        return cylinder_area(values[f"{key}.cylinder.radius"], values[f"{key}.cylinder.length"])

    def initial_volume(self, compartment: str, values: Values | None = None) -> Any:
        """Volume [m3] at t = 0: as given, or where water that crosses at once has balanced the contents."""
        values = self.values if values is None else values
        given = self._volume(values, compartment)
        if self.structure.compartment(compartment).volume != "osmotic":
            return given
        group = next(g for g in self.structure.osmotic_groups if compartment in g)
        baths = [c for c in group if self.structure.compartment(c).volume == "bath"]
        solute = {c: self._solute(values, c) for c in group}
        if baths:
            return solute[compartment] / solute[baths[0]]
        return solute[compartment] / sum(solute.values()) * sum(self._volume(values, c) for c in group)

    def _solute(self, values: Values, compartment: str) -> Any:
        """All solute: amount [mol] in a free compartment, concentration [mol/m3] in a bath."""
        bath = self.structure.compartment(compartment).volume == "bath"
        size = 1.0 if bath else self._volume(values, compartment)
        listed = self.structure.compartment(compartment).species
        dissolved = sum(values[f"compartments.{compartment}.concentrations.{s}"] for s in listed) * size
        return dissolved + self._impermeant(values, compartment)

    def _initial_area(self, values: Values, membrane: str) -> Any:
        """Area [m2] at t = 0, after water that crosses at once has moved."""
        m = next(m for m in self.structure.membranes if m.name == membrane)
        area = self._area(values, membrane)
        if m.area == "given" or self.structure.compartment(m.inside).volume != "osmotic":
            return area
        swollen = self.initial_volume(m.inside, values) / self._volume(values, m.inside)
        return area * swollen ** (2.0 / 3.0 if m.area == "sphere" else 0.5)

    def _amount(self, values: Values, compartment: str, species: str) -> Any:
        return values[f"compartments.{compartment}.concentrations.{species}"] * self._volume(values, compartment)

    def _impermeant(self, values: Values, compartment: str) -> Any:
        given = values.get(f"compartments.{compartment}.impermeant.concentration", 0.0)
        if self.structure.compartment(compartment).volume == "bath":
            return given
        return given * self._volume(values, compartment)

    def _charges_in(self, compartment: str) -> dict[str, int]:
        charges = dict(self.structure.charges)
        return {s: charges[s] for s in self.structure.compartment(compartment).species if charges[s]}

    def _sides(self, membrane: str) -> tuple[str, str]:
        m = self.scenario.membranes[membrane]
        return m.inside, m.outside

    # -- charge and potential at t = 0 ----------------------------------------------------------

    def _composition_equation(self, values: Values, free: list[str], name: str) -> tuple[list[Any], Any]:
        """Equation for the potentials of the free compartments that the contents of one of them give."""
        if self.structure.formulation == "electroneutral":
            self._check_neutral(values, name)
            guesses = [
                values.get(f"membranes.{m}.potential") for m in self.scenario.membranes if self._sides(m)[0] == name
            ]
            return [float(c == name) for c in free], next((g for g in guesses if g is not None), 0.0)
        return self._laplacian(values, free)[free.index(name)], self._composition_charge(values, name)

    def _composition_is_complete(self, compartment: str) -> bool:
        spec = self.scenario.compartments[compartment].impermeant
        return spec is not None and spec.charge != "auto"

    def _composition_charge(self, values: Values, compartment: str) -> Any:
        """Charge [C] of everything a compartment holds; a floating bath starts uncharged."""
        if self.structure.compartment(compartment).volume == "bath":
            return 0.0
        held = sum(z * self._amount(values, compartment, s) for s, z in self._charges_in(compartment).items())
        if self._composition_is_complete(compartment):
            number = values[f"compartments.{compartment}.impermeant.charge"]
            held = held + number * self._impermeant(values, compartment)
        return FARADAY * held

    def _laplacian(self, values: Values, free: list[str]) -> list[list[Any]]:
        """Matrix that turns potentials of the free compartments into their charges."""
        matrix: list[list[Any]] = [[0.0] * len(free) for _ in free]
        for name in self.scenario.membranes:
            c = values[f"membranes.{name}.capacitance"] * self._initial_area(values, name)
            ends = [free.index(side) if side in free else None for side in self._sides(name)]
            for i, j in (ends, ends[::-1]):
                if i is not None:
                    matrix[i][i] = matrix[i][i] + c
                    if j is not None:
                        matrix[i][j] = matrix[i][j] - c
        return matrix

    def _capacitor_charges(self, values: Values, potentials: Mapping[str, Any]) -> dict[str, Any]:
        free = list(potentials)
        laplacian = self._laplacian(values, free)
        return {
            name: sum(laplacian[i][j] * potentials[other] for j, other in enumerate(free))
            for i, name in enumerate(free)
        }

    def _check_potentials(self, values: Values, potentials: Mapping[str, Any]) -> None:
        for name, membrane in self.scenario.membranes.items():
            inside, outside = self._sides(name)
            v = potentials.get(inside, 0.0) - potentials.get(outside, 0.0)
            key = f"membranes.{name}.potential"
            if membrane.potential is not None and np.any(np.abs(v - values[key]) > POTENTIAL_AGREES):
                raise ModelError(
                    key,
                    f"{_millivolts(values[key])} contradicts the composition, which gives {_millivolts(v)}",
                    "the two to agree within 1 uV",
                    f"leave out the potential, or write compartments.{inside}.impermeant.charge: auto",
                )
            if np.any(np.abs(v) > 1.0):
                raise ModelError(
                    key,
                    f"the composition of {inside} is not neutral: it would charge the membrane to "
                    f"{np.max(np.abs(v)):.3g} V",
                    "less than 1 V",
                    f"give this potential, or an impermeant with charge: auto in compartments.{inside}",
                )

    def _check_solute(self, values: Values) -> None:
        for c in self.structure.compartments:
            if c.volume == "osmotic" and np.any(self.initial_volume(c.name, values) <= 0.0):
                raise ModelError(
                    f"compartments.{c.name}.concentrations",
                    f"{c.name} holds no solute, so water that crosses at once would leave it empty",
                    "some solute inside",
                    "give concentrations or an impermeant",
                )

    def _check_neutral(self, values: Values, compartment: str) -> None:
        held = [z * self._amount(values, compartment, s) for s, z in self._charges_in(compartment).items()] + [
            self._composition_charge(values, compartment) / FARADAY
        ]
        total = sum(np.abs(term) for term in held[:-1])
        excess = np.max(np.abs(held[-1]) - 1.0e-3 * total) if held[:-1] else 0.0
        if self._composition_is_complete(compartment) and excess > 0.0:
            raise ModelError(
                f"compartments.{compartment}.impermeant.charge",
                f"the charges in {compartment} do not cancel (excess "
                f"{np.max(np.abs(held[-1]) / self._volume(values, compartment)):.4g} mM of charge)",
                "a neutral composition in the electroneutral formulation",
                "write charge: auto",
            )


def _millivolts(potential: Any) -> str:
    """A potential to the nanovolt, for messages."""
    return f"{round(1e3 * float(np.max(potential)), 6):g} mV"


def _stack(columns: list[Any]) -> np.ndarray:
    """Scalars -> (n,); scalars and arrays of shape (runs,) -> (runs, n)."""
    return np.stack(np.broadcast_arrays(*map(np.asarray, columns)), axis=-1).astype(float) if columns else np.zeros(0)


def _solve(rows: list[Any], right: list[Any]) -> list[Any]:
    """Solve a small linear system whose entries may be arrays of shape (runs,)."""
    n = len(rows)
    if n == 0:
        return []
    entries = np.broadcast_arrays(*[np.asarray(x, dtype=float) for row in rows for x in row], *map(np.asarray, right))
    matrix = np.stack(entries[: n * n], axis=-1).reshape(*entries[0].shape, n, n)
    vector = np.stack(entries[n * n :], axis=-1)[..., None].astype(float)
    solution = np.linalg.solve(matrix, vector)[..., 0]
    return [solution[..., i] for i in range(n)]
