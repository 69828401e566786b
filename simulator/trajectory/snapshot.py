"""All quantities at one moment of a run as plain numbers, for tables and bar charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.structure import MembraneStructure
from simulator.physics.electrochemistry import electrochemical_difference
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.trajectory import Trajectory

#: Driving force, over RT, below which an ion counts as balanced (about 3 uV).
BALANCED = 1.0e-4


@dataclass(frozen=True)
class Path:
    """Fluxes of one species through one mechanism: a path across a membrane.

    Parameters
    ----------
    membrane, mechanism, species : str
        Labels.
    influx, efflux, net : float
        Fluxes [mol/m2/s]; ``net = influx - efflux``, positive into the inside.
    reversible : bool
        Whether the law has one-way fluxes. If not, the one-way flux along the net flux equals it
        and the other is zero.
    """

    membrane: str
    mechanism: str
    species: str
    influx: float
    efflux: float
    net: float
    reversible: bool


@dataclass(frozen=True)
class SpeciesAtMembrane:
    """One species on both sides of one membrane.

    Parameters
    ----------
    species : str
        Its label.
    charge : int
        Charge number.
    inside, outside : float
        Concentrations [mol/m3].
    nernst, driving_force : float or None
        Nernst potential and V - E [V]; NaN for a neutral species.
    direction : str
        Direction in which it would flow through an open channel: ``in``, ``out`` or ``none``.
    """

    species: str
    charge: int
    inside: float
    outside: float
    nernst: float | None
    driving_force: float | None
    direction: str


@dataclass(frozen=True)
class Snapshot:
    """A run at one of its saved times.

    Parameters
    ----------
    time : float
        The time [s].
    potential : mapping of str to float
        Membrane potentials [V].
    concentration : mapping
        Concentrations [mol/m3] by compartment and species, without absent species.
    volume : mapping of str to float
        Volumes [m3] of all compartments but baths.
    species : mapping
        Species on both sides of each membrane.
    paths : tuple of Path
        One for each mechanism and each species it moves.
    reversal : mapping of str to float
        Reversal or stall potential [V] of each mechanism, by ``membrane.mechanism``; NaN if electroneutral.
    current : mapping of str to float
        Outward current [A] of each mechanism, by ``membrane.mechanism``.
    atp_rate, dissipation : float
        ATP used [mol/s] and free energy dissipated [W], without electrodes.
    """

    time: float
    potential: Mapping[str, float]
    concentration: Mapping[str, Mapping[str, float]]
    volume: Mapping[str, float]
    species: Mapping[str, tuple[SpeciesAtMembrane, ...]]
    paths: tuple[Path, ...]
    reversal: Mapping[str, float]
    current: Mapping[str, float]
    atp_rate: float
    dissipation: float

    def paths_of(self, membrane: str, species: str) -> tuple[Path, ...]:
        """The paths of one species across one membrane."""
        return tuple(p for p in self.paths if (p.membrane, p.species) == (membrane, species))

    def total(self, membrane: str, species: str) -> tuple[float, float, float]:
        """Influx, efflux and net flux [mol/m2/s] of a species, summed over its paths."""
        paths = self.paths_of(membrane, species)
        return sum(p.influx for p in paths), sum(p.efflux for p in paths), sum(p.net for p in paths)


def snapshot(trajectory: Trajectory, at: int = -1) -> Snapshot:
    """Read one saved moment of a run.

    Parameters
    ----------
    trajectory : Trajectory
        The run.
    at : int
        Index of the saved time; the last by default.
    """
    trajectory = trajectory.moment(at)
    analysis, labels = Analysis(trajectory), trajectory.labels
    concentration = {
        c: {
            s: float(trajectory.concentration.values[0, i, j])
            for j, s in enumerate(labels["species"])
            if np.isfinite(trajectory.concentration.values[0, i, j])
        }
        for i, c in enumerate(labels["compartment"])
    }
    volume = {c: float(v) for c, v in zip(labels["compartment"], trajectory.volume[0], strict=True)}
    area = dict(zip(labels["membrane"], analysis.area.values[0], strict=True))
    current = {
        label: float(analysis.current.values[0, i] * area[m.name])
        for i, (label, (m, _, _)) in enumerate(zip(labels["mechanism"], analysis.mechanisms, strict=True))
    }
    return Snapshot(
        time=float(trajectory.time[0]),
        potential={m: float(v) for m, v in zip(labels["membrane"], trajectory.potential.values[0], strict=True)},
        concentration=concentration,
        volume={c: v for c, v in volume.items() if np.isfinite(v)},
        species={m.name: tuple(_species(analysis, concentration, i)) for i, m in _membranes(trajectory)},
        paths=tuple(_paths(analysis)),
        reversal={k: float(v) for k, v in zip(labels["mechanism"], analysis.reversal.values[0], strict=True)},
        current=current,
        atp_rate=float(analysis.total_atp_rate[0]),
        dissipation=float(analysis.total_dissipation[0]),
    )


def _membranes(trajectory: Trajectory) -> Iterator[tuple[int, MembraneStructure]]:
    return iter(enumerate(trajectory.structure.membranes))


def _species(
    analysis: Analysis, concentration: Mapping[str, Mapping[str, float]], membrane: int
) -> Iterator[SpeciesAtMembrane]:
    structure = analysis.trajectory.structure
    m = structure.membranes[membrane]
    v = analysis.trajectory.potential.values[0, membrane] / analysis.thermal_voltage[0]
    for s, z in structure.charges:
        if s not in concentration[m.inside] or s not in concentration[m.outside]:
            continue
        inside, outside = concentration[m.inside][s], concentration[m.outside][s]
        force = float(electrochemical_difference(inside, outside, z, v))
        if inside == outside == 0.0 or abs(force) < BALANCED:
            direction = "none"
        elif force > 0.0:
            direction = "out"
        else:
            direction = "in"
        yield SpeciesAtMembrane(
            species=s,
            charge=z,
            inside=inside,
            outside=outside,
            nernst=float(analysis.nernst.sel(membrane=m.name, species=s)[0]) if z else None,
            driving_force=float(analysis.driving_force.sel(membrane=m.name, species=s)[0]) if z else None,
            direction=direction,
        )


def _paths(analysis: Analysis) -> Iterator[Path]:
    species = analysis.trajectory.labels["species"]
    for i, (m, mechanism, law) in enumerate(analysis.mechanisms):
        for s in mechanism.moves:
            j = species.index(s)
            net = float(analysis.net_flux.values[0, i, j])
            if law.reversible:
                one_way = analysis.influx.values[0, i, j], analysis.efflux.values[0, i, j]
            else:
                one_way = max(net, 0.0), max(-net, 0.0)
            yield Path(m.name, mechanism.label, s, float(one_way[0]), float(one_way[1]), net, law.reversible)
