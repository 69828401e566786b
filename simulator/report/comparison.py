"""Compare two runs: their configurations and their results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.scenario.scenario import differences
from simulator.trajectory.snapshot import Snapshot, snapshot
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.donnan import DonnanEnd, donnan_ends
from simulator.verdict.verdict import Verdict, classify

#: Difference of potentials [V] above which two runs count as different.
APART = 1.0e-3


@dataclass(frozen=True)
class Difference:
    """A value that differs between two scenarios, as text with its unit."""

    path: str
    a: str
    b: str


@dataclass(frozen=True)
class Side:
    """One of the two runs: trajectory, verdict, last saved state and predicted Donnan equilibrium.

    `donnan` has a prediction for each membrane between a cell that spends no ATP and its bath.
    """

    trajectory: Trajectory
    verdict: Verdict
    end: Snapshot
    donnan: Mapping[str, DonnanEnd]

    @property
    def name(self) -> str:
        """Name of its scenario."""
        return self.trajectory.scenario.name


@dataclass(frozen=True)
class Row:
    """One quantity at the end of both runs.

    Parameters
    ----------
    group : str
        Kind of quantity, e.g. ``"Nernst potential"``.
    label : str
        Which one, e.g. ``"plasma k"``.
    unit : str
        SI unit.
    a, b : float
        Values [SI]; NaN where a run does not have this quantity.
    """

    group: str
    label: str
    unit: str
    a: float
    b: float


@dataclass(frozen=True)
class Comparison:
    """Two runs, each with its own saved times, and their final values.

    Parameters
    ----------
    a, b : Side
        The runs.
    differences : tuple of Difference
        Every value configured differently, except the name.
    rows : tuple of Row
        Quantities at the last saved time of each run.
    """

    a: Side
    b: Side
    differences: tuple[Difference, ...]
    rows: tuple[Row, ...]

    @property
    def parting(self) -> float:
        """First time [s] at which a shared membrane potential differs by more than :data:`APART`; NaN if never.

        B is interpolated at A's saved times, up to the end of the shorter run.
        """
        one, other = (side.trajectory for side in self.sides)
        time = one.time[one.time <= other.time[-1]]
        shared = [m for m in one.labels["membrane"] if m in other.labels["membrane"]]
        apart = np.zeros(len(time), dtype=bool)
        for m in shared:
            there = np.interp(time, other.time, other.potential.sel(membrane=m))
            apart |= np.abs(one.potential.sel(membrane=m)[: len(time)] - there) > APART
        return float(time[np.argmax(apart)]) if np.any(apart) else math.nan

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both sides, A first."""
        return self.a, self.b


def compare(a: Trajectory, b: Trajectory) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    a, b : Trajectory
        The runs; they may differ in anything, their labels included.
    """
    left, right = _side(a), _side(b)
    changed = (Difference(*item) for item in differences(a.scenario, b.scenario))
    rows = _merged(_numbers(left), _numbers(right))
    return Comparison(left, right, tuple(d for d in changed if d.path != "name"), rows)


def _side(trajectory: Trajectory) -> Side:
    verdict = classify(trajectory)
    return Side(trajectory, verdict, snapshot(trajectory), donnan_ends(trajectory, verdict))


#: A quantity's group, label and SI unit.
Key = tuple[str, str, str]


def _numbers(side: Side) -> Iterator[tuple[Key, float]]:
    """Yield every number of a side: its final values and its predicted Donnan equilibrium."""
    yield from _quantities(side.end)
    for m, predicted in side.donnan.items():
        inside = next(x.inside for x in side.trajectory.structure.membranes if x.name == m)
        yield ("Donnan end, predicted: potential", m, "V"), predicted.potential
        for s, value in predicted.concentration.items():
            yield ("Donnan end, predicted: concentration", f"{inside} {s}", "mol/m^3"), value
        yield ("Donnan end, predicted: volume", inside, "m^3"), predicted.volume


def _quantities(end: Snapshot) -> Iterator[tuple[Key, float]]:
    """Yield the values of a snapshot to compare."""
    for m, v in end.potential.items():
        yield ("membrane potential", m, "V"), v
    for m, present in end.species.items():
        for s in present:
            if s.nernst is not None:
                yield ("Nernst potential", f"{m} {s.species}", "V"), s.nernst
    for c, concentrations in end.concentration.items():
        for species, value in concentrations.items():
            yield ("concentration", f"{c} {species}", "mol/m^3"), value
    for c, w in end.volume.items():
        yield ("volume", c, "m^3"), w
    for p in end.paths:
        for kind, flux in (("influx", p.influx), ("efflux", p.efflux), ("net", p.net)):
            # An irreversible law has no one-way fluxes, only a net one.
            if p.reversible or kind == "net":
                yield ("flux", f"{p.membrane} {p.species} {p.mechanism} {kind}", "mol/m^2/s"), flux
    for m, present in end.species.items():
        for s in present:
            if end.paths_of(m, s.species):
                yield ("flux", f"{m} {s.species} all paths net", "mol/m^2/s"), end.total(m, s.species)[2]
    yield ("energy", "ATP use", "mol/s"), end.atp_rate
    yield ("energy", "dissipation", "W"), end.dissipation


def _merged(a: Iterator[tuple[Key, float]], b: Iterator[tuple[Key, float]]) -> tuple[Row, ...]:
    left, right = dict(a), dict(b)
    keys = list(dict.fromkeys([*left, *right]))
    groups = list(dict.fromkeys(group for group, _, _ in keys))
    keys.sort(key=lambda key: groups.index(key[0]))  # stable: labels of one group stay in order
    return tuple(Row(*key, left.get(key, math.nan), right.get(key, math.nan)) for key in keys)
