"""The Donnan equilibrium at which a cell without pumps ends, from the bath and the trapped solute.

Rates and times do not enter. Every ion with an open path ends at ``c = c_o exp(-zV F/RT)``, where ``c_o`` is its
concentration in the bath. Water that can move ends where osmolarities are equal. The charge inside, including that
of the trapped solute, is the charge of the membrane. That leaves one equation for V.
(Donnan 1911, Z Elektrochem 17:572; with volume: Kay & Blaustein 2019, Front Cell Dev Biol 7:41,
doi:10.3389/fcell.2019.00041.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.names import THERMAL_VOLTAGE, amount, capacitance, charge, concentration, impermeant
from simulator.model.structure import MembraneStructure
from simulator.physics.geometry import area_ratio
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.verdict import Verdict

#: Range of potentials [V] that is searched, and number of its intervals.
RANGE, PARTS = (-0.2, 0.2), 400


@dataclass(frozen=True)
class DonnanEnd:
    """The predicted end of a cell in a bath.

    Parameters
    ----------
    potential : float
        Membrane potential [V].
    concentration : mapping of str to float
        Concentrations inside [mol/m3].
    volume : float
        Volume [m3].
    """

    potential: float
    concentration: Mapping[str, float]
    volume: float


def donnan_ends(trajectory: Trajectory, verdict: Verdict) -> dict[str, DonnanEnd]:
    """Predicted ends, by membrane, of cells whose only membrane leads to a bath and which use no ATP."""
    structure, found = trajectory.structure, {}
    for m in structure.membranes:
        neighbours = [other for other in structure.membranes if m.inside in (other.inside, other.outside)]
        sealed = structure.compartment(m.inside).volume != "bath" and len(neighbours) == 1
        if verdict.atp_rate == 0.0 and sealed and structure.compartment(m.outside).volume == "bath":
            end = _End(trajectory, m, verdict.species[m.name]).solved()
            if end is not None:
                found[m.name] = end
    return found


class _End:
    """The equation for the final potential of one cell."""

    def __init__(self, trajectory: Trajectory, m: MembraneStructure, words: Mapping[str, str]):
        model, structure = trajectory.model, trajectory.structure
        self.charges = dict(structure.charges)
        numbers = dict(zip(structure.parameters, trajectory.parameters[-1], strict=True))
        start = dict(zip(structure.states, model.initial_state(), strict=True))
        contents = model.contents()
        inside, outside = structure.compartment(m.inside), structure.compartment(m.outside)
        held = {s: float(start.get(amount(inside.name, s), contents.amount(inside.name, s))) for s in inside.species}
        self.outside = {s: float(numbers[concentration(outside.name, s)]) for s in outside.species}
        self.mobile = [s for s, word in words.items() if word != "isolated"]
        self.trapped = {s: n for s, n in held.items() if s not in self.mobile}
        self.solute = sum(self.trapped.values()) + float(numbers[impermeant(inside.name)])
        # What the impermeants carry follows from the start: charge inside less that of all ions.
        stored = float(start.get(charge(inside.name), 0.0)) / structure.faraday
        everything = sum(self.charges[s] * n for s, n in held.items())
        self.fixed = stored - everything + sum(self.charges[s] * n for s, n in self.trapped.items())
        self.thermal = float(numbers[THERMAL_VOLTAGE])
        self.free_volume = inside.volume in ("osmotic", "state")
        self.osmolarity = sum(self.outside.values()) + float(numbers[impermeant(outside.name)])
        self.volume = float(contents.balanced_volume(inside.name))
        capacitive = structure.formulation == "capacitive"
        area = float(contents.balanced_area(m.name))
        self.capacitance = float(numbers[capacitance(m.name)]) * area / structure.faraday if capacitive else 0.0
        self.shape = m.area

    def inside(self, v: float) -> dict[str, float]:
        """Concentrations [mol/m3] of the mobile species at a potential."""
        return {s: self.outside[s] * float(np.exp(-self.charges[s] * v / self.thermal)) for s in self.mobile}

    def volume_at(self, v: float) -> float:
        """Volume [m3] at which water is at rest; negative if there is none."""
        if not self.free_volume:
            return self.volume
        room = self.osmolarity - sum(self.inside(v).values())
        return self.solute / room if room > 0.0 else -1.0

    def excess(self, v: float) -> float:
        """Charge inside in excess of the membrane's, per volume [mol/m3]; NaN if there is no volume."""
        w = self.volume_at(v)
        if w <= 0.0:
            return np.nan
        mobile = sum(self.charges[s] * c for s, c in self.inside(v).items())
        held = self.capacitance * area_ratio(self.shape, w / self.volume) * v
        return mobile + (self.fixed - held) / w

    def solved(self) -> DonnanEnd | None:
        """Solve for the end; None if the cell would swell without end."""
        from scipy.optimize import brentq

        grid = np.linspace(*RANGE, PARTS + 1)
        values = np.array([self.excess(float(v)) for v in grid])
        with np.errstate(invalid="ignore"):
            crossings = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) <= 0.0)
        if not len(crossings):
            return None
        i = crossings[0]
        v = float(brentq(self.excess, grid[i], grid[i + 1], xtol=1e-15, rtol=1e-14))
        w = self.volume_at(v)
        return DonnanEnd(v, self.inside(v) | {s: n / w for s, n in self.trapped.items()}, w)
