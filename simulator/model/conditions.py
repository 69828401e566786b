"""Values of a law's arguments from a scenario's numbers alone: concentrations, potentials, parameters, gates.

Enough to judge laws before anything is generated or run. Every number may be an array of shape (runs,).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from simulator.mechanisms.law import Rate, arguments
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.assembly import held_potentials
from simulator.model.contents import Contents
from simulator.model.model import Model
from simulator.model.start import initial_potentials
from simulator.model.structure import MembraneStructure
from simulator.physics.constants import GAS_CONSTANT
from simulator.physics.electrochemistry import electrochemical_difference

#: Concentrations inside and outside [mol/m3] by species.
Sides = Mapping[str, tuple[Any, Any]]


class Conditions:
    """What laws depend on at the start of runs, or after an event while concentrations inside are those of the start.

    Parameters
    ----------
    model : Model
        The model.
    contents : Contents
        Amounts and sizes of its compartments and membranes.
    """

    def __init__(self, model: Model, contents: Contents):
        self.model, self.structure = model, model.structure
        self.contents, self.values = contents, contents.values
        self.thermal = self.contents.thermal_voltage()
        self.charges = dict(model.structure.charges)

    @cached_property
    def potential(self) -> dict[str, Any]:
        """Potential of each membrane at the start [V]."""
        found: dict[str, Any] = dict.fromkeys((c.name for c in self.structure.compartments), 0.0)
        found |= initial_potentials(self.contents)
        held = held_potentials(self.model.scenario)
        found |= {name: self.values[f"membranes.{m}.potential"] for name, m in held.items()}
        return {m.name: found[m.inside] - found[m.outside] for m in self.structure.membranes}

    def concentration(self, compartment: str, species: str) -> Any:
        """Concentration [mol/m3] after instantaneous water equilibration."""
        given = self.contents.concentration(compartment, species)
        if self.structure.compartment(compartment).volume != "osmotic":
            return given
        return given * self.contents.starting_volume(compartment) / self.contents.balanced_volume(compartment)

    def sides(self, m: MembraneStructure) -> dict[str, tuple[Any, Any]]:
        """Concentrations of the species on both sides of a membrane; NaN where one side lacks a species."""
        listed = {c: self.structure.compartment(c).species for c in (m.inside, m.outside)}
        inside, outside = (
            {s: self.concentration(c, s) if s in listed[c] else np.nan for s in (*listed[m.inside], *listed[m.outside])}
            for c in (m.inside, m.outside)
        )
        return {s: (inside[s], outside[s]) for s in inside}

    def known(self, m: MembraneStructure, mechanism: Mechanism, v: Any, sides: Sides) -> dict[str, Any]:
        """Values of everything that a mechanism's rates may depend on, gates left out."""
        found: dict[str, Any] = {
            "rt_over_f": self.thermal,
            "faraday": self.structure.faraday,
            "temperature": self.thermal * self.structure.faraday / GAS_CONSTANT,
            "v": v,
            "area": self.contents.balanced_area(m.name),
            "time": 0.0,
        }
        for suffix, c in (("i", m.inside), ("o", m.outside)):
            if self.structure.compartment(c).volume != "bath":
                found[f"volume_{suffix}"] = self.contents.balanced_volume(c)
        for s, (inside, outside) in sides.items():
            found |= {f"{s}_i": inside, f"{s}_o": outside}
        for key, s in zip(mechanism.law.partners, mechanism.partners, strict=True):
            found |= {f"{key}_i": sides[s][0], f"{key}_o": sides[s][1]}
        if mechanism.chosen is not None:
            found["z"] = self.charges[mechanism.chosen]
            found["c_i"], found["c_o"] = sides[mechanism.chosen]
        key = f"membranes.{m.name}.mechanisms.{mechanism.owner}"
        return found | {p.name: self.contents.per_area(m.name, f"{key}.{p.key}") for p in mechanism.law.parameters}

    def gates(self, m: MembraneStructure, v: Any, moving: bool = True) -> dict[str, Any]:
        """Values of the gates on a membrane at a potential [V] by the names of the equations: where they stand still.

        Gates that take time start where the scenario says; without `moving` only those without delay are returned.
        """
        sides, found = self.sides(m), dict.fromkeys(self.structure.gates, 0.5)
        own = {n: (mechanism, g) for n, (other, mechanism, g) in self.structure.gates.items() if other.name == m.name}
        for _ in own:  # a gate may depend on another one, which may depend on a third
            for name, (mechanism, gate) in own.items():
                known = self.named(m, mechanism, v, sides, found)
                with np.errstate(all="ignore"):
                    rest = gate.resting(lambda rate, known=known: self.evaluated(rate, known))  # type: ignore[misc]
                if not gate.at_once:
                    rest = self.contents.gate(m.name, mechanism.owner, gate, rest)
                found[name] = rest
        return {n: found[n] for n, (_, gate) in own.items() if moving or gate.at_once}

    def _named(self, m: MembraneStructure, mechanism: Mechanism, gates: Mapping[str, Any]) -> dict[str, Any]:
        """Gates under the names that a mechanism's rates give them: its own, and ``label.gate`` for others."""
        here = {n: (other, g) for n, (at, other, g) in self.structure.gates.items() if at is m and n in gates}
        found = {f"{other.owner}.{g.name}": gates[n] for n, (other, g) in here.items()}
        return found | {g.name: gates[n] for n, (other, g) in here.items() if other.owner == mechanism.owner}

    def rate(self, m: MembraneStructure, mechanism: Mechanism, v: Any, sides: Sides, gates: Mapping[str, Any]) -> Any:
        """Forward turnover [mol/m2/s] of a mechanism, or the net one of an irreversible law."""
        return self.evaluated(mechanism.law.rate, self.named(m, mechanism, v, sides, gates))

    def named(
        self, m: MembraneStructure, mechanism: Mechanism, v: Any, sides: Sides, gates: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Values of everything that a mechanism's rates may depend on, gates included."""
        return self.known(m, mechanism, v, sides) | self._named(m, mechanism, gates)

    @staticmethod
    def evaluated(rate: Rate, known: Mapping[str, Any]) -> Any:
        """Value of a rate or of a function of a gate."""
        # NumPy's numbers, because Python's own raise an exception where these are infinite or undefined.
        with np.errstate(all="ignore"):
            return rate(**{name: np.asarray(known[name], float)[()] for name in arguments(rate)})

    def affinity(self, mechanism: Mechanism, v: Any, sides: Sides) -> Any:
        """Affinity over RT of a transport mechanism: free energy given off per turnover, ATP included."""
        with np.errstate(all="ignore"):
            forces = sum(
                n * electrochemical_difference(*sides[s], self.charges[s], v / self.thermal)
                for s, n in mechanism.moves.items()
            )
        energy = self.values["atp_free_energy"] / (self.structure.faraday * self.thermal)
        return -forces - mechanism.law.atp * energy
