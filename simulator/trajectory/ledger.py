"""The free energy of a model, and every power that changes it.

The model's free energy [J] is that of its free compartments and of its membranes' capacitors::

    G_c = RT sum_s n_s (ln c_s - 1) + RT x (ln c_x - 1)       solutes s and impermeant x; c in mol/m3
    E_m = C A V^2 / 2                                         capacitive formulation

(plus standard potentials where species react) so that ``dG_c = sum_s RT ln c_s dn_s - RT O dw``, with O the
osmolarity and w the water. Along the model's
flows, with ``W_m = A v_m`` the turnover of a mechanism and ``J`` the water that enters the inside,

    dG/dt = supplied - dissipated
    dissipated:  W_m affinity_m for each mechanism, RT J (O_in - O_out) for water at a finite rate
    supplied:    -n_ATP dG_ATP W_m by ATP; -sum_s RT ln c_s dn_s/dt + RT O dw/dt by each bath;
                 -W_m affinity_m by each electrode; -C V^2/2 dA/dt where an area follows a volume

The last term is the energy that a capacitor loses when it is stretched at constant charge. No law models that
tension, so the term is listed separately. In the electroneutral formulation charge is not a state; there the
residual current of the integrator times the potential is counted as a rate of change.
The balance is an identity: it holds to rounding at every state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.names import capacitance, impermeant, water_flow, water_total
from simulator.physics.electrochemistry import electrochemical_difference
from simulator.physics.geometry import AREA_POWERS
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.states import States


@dataclass(frozen=True)
class Ledger:
    """Free energy and powers at some states of a run; every array has shape (times,).

    Parameters
    ----------
    time : ndarray
        Times [s].
    stored : mapping of str to ndarray
        Free energy [J] of each free compartment, and of all ``membranes`` as capacitors.
    rates : mapping of str to ndarray
        Rate of change [W] of each, by the chain rule from the flows into and out of it.
    supplied : mapping of str to ndarray
        Powers [W] that come from outside: ``atp``, ``bath <name>``, electrodes by ``membrane.label``,
        ``stretching <membrane>``.
    dissipated : mapping of str to ndarray
        Powers [W] lost, by ``membrane.label`` and ``water <membrane>``.
    efficiency : mapping of str to ndarray
        Of each coupled transporter, by ``membrane.label``: uphill power over the power from ATP and from the
        species that move downhill. NaN where nothing flows.
    """

    time: np.ndarray
    stored: Mapping[str, np.ndarray]
    rates: Mapping[str, np.ndarray]
    supplied: Mapping[str, np.ndarray]
    dissipated: Mapping[str, np.ndarray]
    efficiency: Mapping[str, np.ndarray]

    @property
    def free_energy(self) -> np.ndarray:
        """Total free energy stored [J]."""
        return _sum(self.stored, self.time)

    @property
    def rate(self) -> np.ndarray:
        """Rate of change of the free energy [W]."""
        return _sum(self.rates, self.time)

    @property
    def magnitude(self) -> np.ndarray:
        """Sum of the magnitudes of all powers [W], the scale for rounding errors."""
        terms = (*self.rates.values(), *self.supplied.values(), *self.dissipated.values())
        return np.sum([np.abs(term) for term in terms], axis=0, initial=0.0)

    @property
    def imbalance(self) -> np.ndarray:
        """Rate of change minus supplied plus dissipated, relative to :attr:`magnitude`; 0 where nothing flows."""
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = self.rate - _sum(self.supplied, self.time) + _sum(self.dissipated, self.time)
            return np.where(self.magnitude == 0.0, 0.0, np.abs(gap) / self.magnitude)


def ledger(trajectory: States) -> Ledger | None:
    """The energy ledger at every saved state; None if a law breaks conservation.

    A flow of a species at zero concentration makes a power infinite; such states have no finite balance.
    """
    with np.errstate(all="ignore"):  # an undefined rate has an undefined power
        return None if trajectory.structure.open else _Books(trajectory).ledger()


class _Books:
    """Flows of a run by compartment, and their powers."""

    def __init__(self, trajectory: States):
        self.trajectory = trajectory
        self.analysis = Analysis(trajectory)
        self.structure = trajectory.structure
        self.rt = self.structure.faraday * self.analysis.thermal_voltage
        self.place = {c.name: i for i, c in enumerate(self.structure.compartments)}
        self.species = {s: j for j, (s, _) in enumerate(self.structure.charges)}
        self.flow = self._flows()
        self.standard = self._standard()
        self.water = trajectory.equations.water(trajectory.states, trajectory.parameters)
        self.swelling = self._swelling()

    def ledger(self) -> Ledger:
        """Build the ledger."""
        t, analysis = self.trajectory, self.analysis
        chemical = {c.name: self._chemical(c.name) for c in self.structure.compartments}
        free = [c.name for c in self.structure.compartments if c.volume != "bath"]
        baths = [c.name for c in self.structure.compartments if c.volume == "bath"]
        stretching = self._stretching()
        rates = {name: chemical[name] for name in free}
        rates["membranes"] = self._charging() - _sum(stretching, t.time)
        supplied = {"atp": analysis.total_atp_power}
        supplied |= {f"bath {name}": -chemical[name] for name in baths}
        supplied |= {f"stretching {name}": -power for name, power in stretching.items()}
        dissipated: dict[str, np.ndarray] = {}
        for i, label in enumerate(t.labels["mechanism"]):
            power = analysis.dissipation.values[:, i]
            if analysis.external[i]:
                supplied[label] = -power
            else:
                dissipated[label] = power
        for m in self.structure.membranes:
            if m.water == "finite":
                inside, outside = (analysis.osmolarity.sel(compartment=c) for c in (m.inside, m.outside))
                dissipated[f"water {m.name}"] = self.rt * self.water[water_flow(m.name)] * (inside - outside)
        return Ledger(t.time, self._stored(), rates, supplied, dissipated, self._efficiency())

    def _flows(self) -> np.ndarray:
        """Amounts that enter each compartment [mol/s], baths included, shape (times, compartments, species)."""
        t = self.trajectory
        flow = np.zeros((len(t.time), len(t.labels["compartment"]), len(t.labels["species"])))
        for i, (m, mechanism, _) in enumerate(self.analysis.mechanisms):
            for side, moves in ((m.inside, mechanism.moves), (m.outside, mechanism.moves_outside)):
                for s, n in moves.items():
                    flow[:, self.place[side], self.species[s]] += n * self.analysis.whole_turnover[:, i]
        return flow

    def _standard(self) -> np.ndarray:
        """Standard chemical potentials [J/mol] that the reactions' constants imply, shape (times, species).

        They are zero where nothing reacts; only differences along reactions are meaningful.
        """
        t = self.trajectory
        reactions = [i for i, (_, _, law) in enumerate(self.analysis.mechanisms) if law.equilibrium is not None]
        found = np.zeros((len(t.time), len(self.species)))
        if reactions:
            numbers, constants = np.zeros((len(reactions), len(self.species))), []
            for row, i in enumerate(reactions):
                m, mechanism, _ = self.analysis.mechanisms[i]
                logarithm = self.analysis.affinity.values[:, i] / self.rt
                for side, moves in ((m.inside, mechanism.moves), (m.outside, mechanism.moves_outside)):
                    for s, n in moves.items():
                        numbers[row, self.species[s]] += n
                        logarithm = logarithm + n * np.log(t.concentration.sel(compartment=side, species=s))
                constants.append(logarithm)
            found = -self.rt[:, None] * (np.linalg.pinv(numbers) @ np.array(constants)).T
        return found

    def _swelling(self) -> np.ndarray:
        """Water that enters each compartment [m3/s], shape (times, compartments)."""
        t = self.trajectory
        found = np.zeros((len(t.time), len(self.place)))
        for m in self.structure.membranes:
            if m.water == "finite":
                found[:, self.place[m.inside]] += self.water[water_flow(m.name)]
                found[:, self.place[m.outside]] -= self.water[water_flow(m.name)]
        for group in self.structure.osmotic_groups:
            soft = [self.place[c] for c in group if self.structure.compartment(c).volume == "osmotic"]
            baths = [self.place[c] for c in group if self.structure.compartment(c).volume == "bath"]
            if not soft:
                continue
            # Volumes follow the solute: w = osmoles/O, with O given by a bath or by the shared water.
            solute = self.flow[:, soft].sum(axis=2)
            osmolarity = self.analysis.osmolarity.values[:, soft]
            found[:, soft] = solute / osmolarity
            if baths:
                found[:, baths[0]] -= found[:, soft].sum(axis=1)
            else:
                total = self.analysis.parameter(water_total(group))
                share = t.volume[:, soft] / total[:, None]
                found[:, soft] -= share * found[:, soft].sum(axis=1)[:, None]
        return found

    def _chemical(self, compartment: str) -> np.ndarray:
        """``sum_s RT ln c_s dn_s/dt - RT O dw/dt`` [W]."""
        i = self.place[compartment]
        c = self.trajectory.concentration.values[:, i]
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(self.flow[:, i] == 0.0, 0.0, np.log(c) * self.flow[:, i])
        osmotic = self.analysis.osmolarity.values[:, i] * self.swelling[:, i]
        standard = np.sum(self.standard * self.flow[:, i], axis=1)
        return self.rt * (terms.sum(axis=1) - osmotic) + standard

    def _charging(self) -> np.ndarray:
        """``sum_c phi_c dq_c/dt`` [W]: electrical power of the charge that flows carry."""
        charges = np.array([z for _, z in self.structure.charges], dtype=float)
        current = self.structure.faraday * np.sum(self.flow * charges, axis=2)
        return np.sum(self.trajectory.compartment_potential * current, axis=1)

    def _stretching(self) -> dict[str, np.ndarray]:
        """``C V^2/2 dA/dt`` [W] of each capacitor whose area follows a volume."""
        found = {}
        for m in self.structure.membranes:
            if self.structure.formulation == "capacitive" and m.area != "given":
                i = self.place[m.inside]
                growth = float(AREA_POWERS[m.area]) * self.swelling[:, i] / self.trajectory.volume[:, i]
                found[m.name] = self._capacitor(m.name) * growth
        return found

    def _efficiency(self) -> dict[str, np.ndarray]:
        t, found = self.trajectory, {}
        charges = dict(self.structure.charges)
        for i, (m, mechanism, law) in enumerate(self.analysis.mechanisms):
            moved = mechanism.moves
            if law.equilibrium is not None or law.external or len(moved) + bool(law.atp) < 2:
                continue
            turnover = self.analysis.whole_turnover[:, i]
            v = t.potential.sel(membrane=m.name) / self.analysis.thermal_voltage
            powers = [self.analysis.atp_power.values[:, i]]
            for s, n in moved.items():
                inside, outside = (t.concentration.sel(compartment=c, species=s) for c in (m.inside, m.outside))
                with np.errstate(invalid="ignore"):
                    powers.append(-n * turnover * self.rt * electrochemical_difference(inside, outside, charges[s], v))
            downhill = np.sum(np.maximum(powers, 0.0), axis=0)
            uphill = np.abs(np.sum(np.minimum(powers, 0.0), axis=0))
            with np.errstate(invalid="ignore", divide="ignore"):
                found[t.labels["mechanism"][i]] = np.where(downhill > 0.0, uphill / downhill, np.nan)
        return found

    def _capacitor(self, membrane: str) -> np.ndarray:
        """``C A V^2/2`` [J]."""
        v = self.trajectory.potential.sel(membrane=membrane)
        area = self.analysis.area.sel(membrane=membrane)
        return self.analysis.parameter(capacitance(membrane)) * area * v**2 / 2.0

    def _stored(self) -> dict[str, np.ndarray]:
        t, found = self.trajectory, {}
        for i, c in enumerate(self.structure.compartments):
            if c.volume != "bath":
                trapped = self.analysis.parameter(impermeant(c.name))
                here = np.isin(t.labels["species"], c.states)
                mobile = np.where(here, t.amount[:, i], 0.0)
                amounts = np.column_stack([mobile, trapped])
                ratio = amounts / t.volume[:, i, None]
                # n ln c goes to zero with n
                logarithm = np.log(np.where(amounts > 0.0, ratio, 1.0))
                found[c.name] = self.rt * np.sum(amounts * (logarithm - 1.0), axis=1)
                found[c.name] += np.sum(self.standard * mobile, axis=1)
        if self.structure.formulation == "capacitive":
            found["membranes"] = _sum({m.name: self._capacitor(m.name) for m in self.structure.membranes}, t.time)
        return found


def _sum(terms: Mapping[str, np.ndarray], time: np.ndarray) -> np.ndarray:
    return np.sum([*terms.values()], axis=0) if terms else np.zeros(len(time))
