"""Quantities that follow from saved states: driving forces, one-way fluxes, currents, energy.

Everything is computed by the model's own equations from the states of a :class:`Trajectory`; signs as
in :mod:`simulator.physics.sign_convention`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.mechanisms import Law
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.names import THERMAL_VOLTAGE, area, voltage
from simulator.model.structure import MembraneStructure
from simulator.physics.electrochemistry import nernst_potential, net_turnover, zero_affinity_potential
from simulator.physics.sign_convention import current_density
from simulator.trajectory.arrangement import named, osmolarity
from simulator.trajectory.flows import Flows
from simulator.trajectory.labelled import Field
from simulator.trajectory.states import States

#: Range [V] searched for zero-current potentials.
POTENTIAL_RANGE = (-0.4, 0.4)

#: An undefined number (a rate that became infinite, a species that is absent) is a result here, not worth a warning.
UNDEFINED = np.errstate(all="ignore")


@dataclass(frozen=True)
class Analysis:
    """Derived quantities of a trajectory, or of the ends of many runs; each is computed on first access.

    Where a shape says ``times``, it is the number of the saved states.

    Parameters
    ----------
    trajectory : States
        Saved states.
    """

    trajectory: States

    # -- electrochemistry of each species ---------------------------------------------------------

    @cached_property
    def thermal_voltage(self) -> np.ndarray:
        """RT/F [V] at each saved time, shape (times,)."""
        return self.parameter(THERMAL_VOLTAGE)

    @property
    def _charged(self) -> dict[str, int]:
        return {s: z for s, z in self.trajectory.structure.charges if z}

    @cached_property
    def nernst(self) -> Field:
        """Nernst potentials [V], shape (times, membranes, charged species); NaN where a species is absent.

        A neutral species has none, and is not among the labels.
        """
        t, charged = self.trajectory, self._charged
        values = np.full((len(t.time), len(t.structure.membranes), len(charged)), np.nan)
        for i, m in enumerate(t.structure.membranes):
            for j, (s, z) in enumerate(charged.items()):
                inside, outside = (t.concentration.sel(compartment=c, species=s) for c in (m.inside, m.outside))
                values[:, i, j] = nernst_potential(inside, outside, z, self.thermal_voltage)
        return self._electric(values, "Nernst potential")

    @cached_property
    def driving_force(self) -> Field:
        """Driving forces V - E [V], shape (times, membranes, charged species)."""
        return self._electric(self.trajectory.potential.values[:, :, None] - self.nernst.values, "driving force V - E")

    def _electric(self, values: np.ndarray, meaning: str) -> Field:
        labels = {"membrane": self.trajectory.labels["membrane"], "species": tuple(self._charged)}
        return Field(values, (self.trajectory.axis, "membrane", "species"), labels, "V", meaning)

    @cached_property
    def osmolarity(self) -> Field:
        """Osmolarity [mol/m3] of each compartment, shape (times, compartments)."""
        t = self.trajectory
        columns = (osmolarity(t.structure, self._numbers, c) for c in t.labels["compartment"])
        return self._field(self._columns(columns), "compartment", "mol/m^3", "osmolarity")

    # -- each mechanism ---------------------------------------------------------------------------

    @cached_property
    def _rates(self) -> dict[str, np.ndarray]:
        t = self.trajectory
        with np.errstate(all="ignore"):
            found = t.equations.rates(t.states, t.parameters)
        return {name: np.broadcast_to(value, t.time.shape) for name, value in found.items()}

    def _per_mechanism(self, kind: str) -> np.ndarray:
        nothing = np.full(self.trajectory.time.shape, np.nan)
        return self._columns(self._rates.get(f"{m}.{kind}", nothing) for m in self.trajectory.labels["mechanism"])

    @cached_property
    @UNDEFINED
    def affinity(self) -> Field:
        """Free energy given off per turnover [J/mol], shape (times, mechanisms)."""
        values = self._per_mechanism("affinity") * (self.trajectory.structure.faraday * self.thermal_voltage)[:, None]
        return self._field(values, "mechanism", "J/mol", "affinity")

    @cached_property
    @UNDEFINED
    def turnover(self) -> Field:
        """Net turnover of each mechanism [mol/m2/s], shape (times, mechanisms).

        Near equilibrium that of a reversible mechanism follows from its affinity, to avoid cancellation.
        """
        net, forward = self._per_mechanism("net"), self._per_mechanism("forward")
        affinity = self._per_mechanism("affinity")
        reversible = np.array([law.reversible for _, _, law in self.mechanisms], dtype=bool)
        near = reversible & (np.abs(affinity) < 1.0)
        values = np.where(near, net_turnover(forward, np.where(near, affinity, 0.0)), net)
        return self._field(values, "mechanism", "mol/m^2/s", "net turnover")

    @property
    def mechanisms(self) -> list[tuple[MembraneStructure, Mechanism, Law]]:
        """Membrane, mechanism and law of each mechanism, in the order of the ``mechanism`` labels."""
        return [(m, mechanism, mechanism.law) for m, mechanism in self.trajectory.structure.mechanisms]

    @cached_property
    def influx(self) -> Field:
        """One-way fluxes into the inside [mol/m2/s], shape (times, mechanisms, species).

        NaN where a mechanism does not move the species, or is irreversible and has no one-way fluxes.
        """
        return self._one_way("forward", "backward", "influx")

    @cached_property
    def efflux(self) -> Field:
        """One-way fluxes out of the inside [mol/m2/s], shape (times, mechanisms, species)."""
        return self._one_way("backward", "forward", "efflux")

    def _one_way(self, along: str, against: str, meaning: str) -> Field:
        values = self._empty("mechanism", "species")
        for i, (_, mechanism, law) in enumerate(self.mechanisms):
            for s, n in mechanism.moves.items() if law.reversible else ():
                label = self.trajectory.labels["mechanism"][i]
                values[:, i, self._species(s)] = abs(n) * self._rates[f"{label}.{along if n > 0 else against}"]
        return self._field(values, "mechanism species", "mol/m^2/s", meaning)

    @cached_property
    @UNDEFINED
    def net_flux(self) -> Field:
        """Net fluxes into the inside [mol/m2/s], shape (times, mechanisms, species)."""
        values = self._empty("mechanism", "species")
        for i, (_, mechanism, _) in enumerate(self.mechanisms):
            for s, n in mechanism.moves.items():
                values[:, i, self._species(s)] = n * self.turnover.values[:, i]
        return self._field(values, "mechanism species", "mol/m^2/s", "net flux into the inside")

    @cached_property
    def charge_per_turnover(self) -> np.ndarray:
        """Charges that enter the inside per turnover, shape (mechanisms,)."""
        return np.array([self.trajectory.structure.charge_moved(mechanism) for _, mechanism, _ in self.mechanisms])

    @cached_property
    @UNDEFINED
    def current(self) -> Field:
        """Outward current densities [A/m2], shape (times, mechanisms)."""
        values = current_density(self.charge_per_turnover, self.turnover.values, self.trajectory.structure.faraday)
        return self._field(values, "mechanism", "A/m^2", "current density, outward")

    @cached_property
    @UNDEFINED
    def ion_current(self) -> Field:
        """Outward current density that each species carries through each mechanism [A/m2].

        Shape (times, mechanisms, species); NaN where a mechanism does not move the species, and for neutral ones.
        """
        charges = np.array([z or np.nan for _, z in self.trajectory.structure.charges])
        values = current_density(charges, self.net_flux.values, self.trajectory.structure.faraday)
        return self._field(values, "mechanism species", "A/m^2", "current density of a species, outward")

    @cached_property
    def species_flux(self) -> Field:
        """Net flux of each species through each membrane, all mechanisms together [mol/m2/s].

        Shape (times, membranes, species); NaN where no mechanism moves the species.
        """
        return self._summed(self.net_flux, "net flux through the membrane into the inside")

    @cached_property
    def species_current(self) -> Field:
        """Outward current density that each species carries through each membrane [A/m2], as :attr:`species_flux`."""
        return self._summed(self.ion_current, "current density of a species through the membrane, outward")

    def _summed(self, field: Field, meaning: str) -> Field:
        """Sum a field over the mechanisms of each membrane."""
        values = self._empty("membrane", "species")
        for i, m in enumerate(self.trajectory.structure.membranes):
            for j, s in enumerate(self.trajectory.labels["species"]):
                own = [k for k, (at, mechanism, _) in enumerate(self.mechanisms) if at is m and s in mechanism.moves]
                if own:
                    values[:, i, j] = np.sum(field.values[:, own, j], axis=1)
        return self._field(values, "membrane species", field.unit, meaning)

    @cached_property
    def area(self) -> Field:
        """Membrane areas [m2], shape (times, membranes)."""
        columns = (self._numbers[area(m.name)] for m in self.trajectory.structure.membranes)
        return self._field(self._columns(columns), "membrane", "m^2", "area")

    # -- energy -----------------------------------------------------------------------------------

    @cached_property
    @UNDEFINED
    def whole_turnover(self) -> np.ndarray:
        """Turnover of each mechanism over the whole membrane [mol/s], shape (times, mechanisms)."""
        areas = self._columns(self.area.sel(membrane=m.name) for m, _, _ in self.mechanisms)
        return self.turnover.values * areas

    @cached_property
    @UNDEFINED
    def dissipation(self) -> Field:
        """Free energy dissipated by each mechanism [W], including that of ATP, shape (times, mechanisms)."""
        with np.errstate(invalid="ignore"):
            values = self.whole_turnover * self.affinity.values
        values = np.where(self.whole_turnover == 0.0, 0.0, values)
        return self._field(values, "mechanism", "W", "dissipation")

    @cached_property
    def carrying(self) -> np.ndarray:
        """Where each mechanism has something to carry, shape (times, mechanisms)."""
        t = self.trajectory
        flows = Flows.of(t.structure, t.states, t.parameters, t.model.scales(t.values))
        return self._columns(map(flows.carrying, t.labels["mechanism"])).astype(bool)

    @cached_property
    @UNDEFINED
    def total_dissipation(self) -> np.ndarray:
        """Free energy dissipated by all mechanisms that have something to carry [W], shape (times,).

        Electrodes are left out because they supply free energy. NaN where it is undefined: if a species that crosses
        is absent on one side, the difference of free energy is infinite.
        """
        values = np.where(self.carrying & ~self.external, self.dissipation.values, 0.0)
        total = np.sum(values, axis=1)
        return np.where(np.isfinite(total), total, np.nan)

    @cached_property
    @UNDEFINED
    def electrode_power(self) -> np.ndarray:
        """Free energy that electrodes supply [W], shape (times,)."""
        return -np.sum(self.dissipation.values[:, self.external], axis=1)

    @cached_property
    def external(self) -> np.ndarray:
        """Whether each mechanism is an electrode, shape (mechanisms,)."""
        return np.array([law.external for _, _, law in self.mechanisms], dtype=bool)

    @cached_property
    def _atp(self) -> np.ndarray:
        """ATP used per turnover, shape (mechanisms,)."""
        return np.array([law.atp for _, _, law in self.mechanisms], dtype=float)

    @property
    def _atp_free_energy(self) -> np.ndarray:
        """Free energy of ATP hydrolysis [J/mol], shape (times, 1), or (1, 1) where it does not change."""
        return np.reshape(self.trajectory.values["atp_free_energy"], (-1, 1))

    @cached_property
    @UNDEFINED
    def atp_rate(self) -> Field:
        """ATP used by each mechanism [mol/s], shape (times, mechanisms)."""
        return self._field(self.whole_turnover * self._atp, "mechanism", "mol/s", "ATP use")

    @cached_property
    @UNDEFINED
    def atp_power(self) -> Field:
        """Free energy that each mechanism gets from ATP [W], shape (times, mechanisms)."""
        values = -self.atp_rate.values * self._atp_free_energy
        return self._field(values, "mechanism", "W", "power from ATP")

    @cached_property
    @UNDEFINED
    def total_atp_rate(self) -> np.ndarray:
        """ATP used by all mechanisms [mol/s], shape (times,)."""
        return np.sum(self.atp_rate.values, axis=1)

    @cached_property
    @UNDEFINED
    def total_atp_power(self) -> np.ndarray:
        """Free energy that all mechanisms get from ATP [W], shape (times,)."""
        return np.sum(self.atp_power.values, axis=1)

    @cached_property
    @UNDEFINED
    def work(self) -> Field:
        """Free energy that transport stores per turnover [J/mol], shape (times, mechanisms)."""
        values = -self.affinity.values - self._atp * self._atp_free_energy
        return self._field(values, "mechanism", "J/mol", "transport work")

    # -- reversal and zero-current potentials -----------------------------------------------------

    @cached_property
    @UNDEFINED
    def reversal(self) -> Field:
        """Potential at which each mechanism's affinity vanishes [V], shape (times, mechanisms).

        Nernst potential of a leak, stall potential of a pump; NaN for electroneutral mechanisms.
        """
        affinity = self._per_mechanism("affinity")
        columns = (
            zero_affinity_potential(
                self.trajectory.potential.sel(membrane=m.name), affinity[:, i], q, self.thermal_voltage
            )
            for i, ((m, _, _), q) in enumerate(zip(self.mechanisms, self.charge_per_turnover, strict=True))
        )
        return self._field(self._columns(columns), "mechanism", "V", "reversal potential")

    def current_voltage(self, membrane: str, labels: Sequence[str], potentials: np.ndarray, at: int = -1) -> np.ndarray:
        """Summed outward current density [A/m2] of some mechanisms at given potentials and fixed concentrations.

        Parameters
        ----------
        membrane : str
            Membrane the mechanisms are on.
        labels : sequence of str
            Their labels.
        potentials : ndarray, shape (n,)
            Membrane potentials [V].
        at : int
            Saved state whose concentrations are used.
        """
        t = self.trajectory
        with np.errstate(all="ignore"):
            rates = t.equations.rates(t.states[at], t.parameters[at], {voltage(membrane): potentials})
        total = np.zeros(len(potentials))
        for (m, mechanism, _), q in zip(self.mechanisms, self.charge_per_turnover, strict=True):
            if m.name == membrane and mechanism.label in labels:
                total = total + current_density(q, rates[f"{membrane}.{mechanism.label}.net"], t.structure.faraday)
        return total

    def zero_current_potential(self, membrane: str, labels: Sequence[str], at: int = -1) -> float:
        """Potential [V] at which the summed current of some mechanisms vanishes at fixed concentrations.

        For GHK leaks this is the Goldman-Hodgkin-Katz voltage, for ohmic leaks the chord potential. If there
        are several, return the one nearest to the membrane potential; NaN if there is none.
        """
        from scipy.optimize import brentq

        def total(v: float) -> float:
            return float(self.current_voltage(membrane, labels, np.array([v]), at)[0])

        grid = np.linspace(*POTENTIAL_RANGE, 321)
        current = self.current_voltage(membrane, labels, grid, at)
        crossings = np.flatnonzero(np.sign(current[:-1]) * np.sign(current[1:]) <= 0.0)
        if not len(crossings) or not np.any(current):
            return float("nan")
        here = float(self.trajectory.potential.sel(membrane=membrane)[at])
        roots = [float(brentq(total, grid[i], grid[i + 1], xtol=1e-15, rtol=1e-14)) for i in crossings]
        return min(roots, key=lambda v: abs(v - here))

    @cached_property
    def _numbers(self) -> dict[str, np.ndarray]:
        t = self.trajectory
        return named(t.structure, t.states, t.parameters)

    # -- helpers ----------------------------------------------------------------------------------

    def parameter(self, name: str) -> np.ndarray:
        """A parameter of the model by name [SI], shape (times,)."""
        return self.trajectory.parameters[:, self.trajectory.structure.parameters.index(name)]

    def _columns(self, columns: Iterable[np.ndarray]) -> np.ndarray:
        """Stack arrays over time as columns, shape (times, columns); there may be none."""
        length = len(self.trajectory.time)
        return np.array([np.broadcast_to(c, length) for c in columns]).reshape(-1, length).T

    def _species(self, name: str) -> int:
        return self.trajectory.labels["species"].index(name)

    def _empty(self, *dims: str) -> np.ndarray:
        return np.full((len(self.trajectory.time), *(len(self.trajectory.labels[d]) for d in dims)), np.nan)

    def _field(self, values: np.ndarray, dims: str, unit: str, meaning: str) -> Field:
        t, names = self.trajectory, dims.split()
        return Field(values, (t.axis, *names), {d: t.labels[d] for d in names}, unit, meaning)
