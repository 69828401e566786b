"""Find laws that violate thermodynamics, before a run.

A reversible law obeys detailed balance by construction. An irreversible law states its net rate, which can
oppose its affinity: a pump past its stall potential, or a passive law that moves a species uphill. Both are checked
with the values at the start. A law without an energy source whose rate is nonzero at zero affinity is reported
whatever the values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from simulator.mechanisms import Law
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.model import Model
from simulator.model.start import initial_potentials
from simulator.model.structure import MembraneStructure
from simulator.physics.electrochemistry import electrochemical_difference

#: Affinity over RT that may be rounding error.
UNNOTICED = 1.0e-6


def inadmissible(model: Model) -> dict[str, str]:
    """Return the violations of thermodynamics at the start, by the key of the mechanism."""
    found: dict[str, str] = {}
    state = _Start(model)
    for m in model.structure.membranes:
        for mechanism in m.mechanisms:
            law = mechanism.law
            if law.reversible or law.external or law.open:
                continue
            key = f"membranes.{m.name}.mechanisms.{mechanism.owner}"
            problem = " and ".join(state.problems(m, mechanism, law))
            if problem:
                found[key] = f"{mechanism.label} {problem}"
    return found


class _Start:
    """Concentrations and potentials at t = 0, as arguments of laws."""

    def __init__(self, model: Model):
        self.model, self.contents = model, model.contents()
        self.thermal = float(self.contents.thermal_voltage())
        potentials = {c.name: 0.0 for c in model.structure.compartments} | initial_potentials(self.contents)
        self.potential = {
            m.name: float(potentials[m.inside] - potentials[m.outside]) for m in model.structure.membranes
        }
        self.charges = dict(model.structure.charges)

    def concentration(self, compartment: str, species: str) -> float:
        """Concentration [mol/m3] after instantaneous water equilibration."""
        given = self.model.values[f"compartments.{compartment}.concentrations.{species}"]
        if self.model.structure.compartment(compartment).volume != "osmotic":
            return float(given)
        return float(given * self.contents.volume(compartment) / self.contents.balanced_volume(compartment))

    def problems(self, m: MembraneStructure, mechanism: Mechanism, law: Law) -> Iterator[str]:
        """Yield the problems of an irreversible law, each a clause of a sentence."""
        moved = mechanism.moves
        sides = {s: (self.concentration(m.inside, s), self.concentration(m.outside, s)) for s in moved}
        v = self.potential[m.name]
        if not law.atp and self._rate(m, mechanism, law, self._balanced(moved, sides, v)) != 0.0:
            yield (
                "has no energy source but a nonzero rate at zero affinity, so the model has no equilibrium "
                "(give the forward rate and declare the law reversible)"
            )
        rate = self._rate(m, mechanism, law, sides)
        forces = (
            n * electrochemical_difference(*sides[s], self.charges[s], v / self.thermal) for s, n in moved.items()
        )
        energy = law.atp * self.model.values["atp_free_energy"] / (self.model.structure.faraday * self.thermal)
        affinity = -float(sum(forces)) - energy
        if math.isfinite(affinity) and rate * affinity < 0.0 and abs(affinity) > UNNOTICED:
            if law.atp:
                yield (
                    f"runs past its stall potential at the start: the transport needs {abs(affinity):.3g} RT more than "
                    "ATP supplies, and its rate law does not stop it"
                )
            else:
                yield f"runs uphill at the start, against {abs(affinity):.3g} RT, without an energy source"

    def _balanced(
        self, moved: Mapping[str, int], sides: Mapping[str, tuple[float, float]], v: float
    ) -> dict[str, tuple[float, float]]:
        """Concentrations inside at electrochemical equilibrium with those outside, and those outside."""
        return {s: (sides[s][1] * math.exp(-self.charges[s] * v / self.thermal), sides[s][1]) for s in moved}

    def _rate(
        self, m: MembraneStructure, mechanism: Mechanism, law: Law, sides: Mapping[str, tuple[float, float]]
    ) -> float:
        """A law's net turnover; 0 where it asks for what is not known at the start."""
        known: dict[str, float] = {
            "rt_over_f": self.thermal,
            "faraday": self.model.structure.faraday,
            "v": self.potential[m.name],
        }
        if mechanism.chosen is not None:
            known["z"] = self.charges[mechanism.chosen]
            known["c_i"], known["c_o"] = sides[mechanism.chosen]
        for i, side in enumerate((m.inside, m.outside)):
            for s in self.model.structure.compartment(side).species:
                known[f"{s}_{'io'[i]}"] = sides[s][i] if s in sides else self.concentration(side, s)
        key = f"membranes.{m.name}.mechanisms.{mechanism.owner}"
        known |= {p.name: self.model.values[f"{key}.{p.key}"] for p in law.parameters}
        if not all(name in known for name in law.arguments):
            return 0.0
        return float(law.rate(**{name: known[name] for name in law.arguments}))
