"""Two runs side by side: what was configured differently, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.scenario import differences
from simulator.snapshot import Snapshot, snapshot
from simulator.trajectory import Trajectory
from simulator.verdict import Verdict, classify


@dataclass(frozen=True)
class Difference:
    """A value that differs between two scenarios, as text with its unit."""

    path: str
    a: str
    b: str


@dataclass(frozen=True)
class Side:
    """One of the two runs: all of it, its verdict, and its last saved moment."""

    trajectory: Trajectory
    verdict: Verdict
    end: Snapshot

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
    """Two runs, each on its own times, and their ends side by side.

    Parameters
    ----------
    a, b : Side
        The runs.
    differences : tuple of Difference
        Every value that was configured differently, the name left out.
    rows : tuple of Row
        Quantities at the last saved time of each.
    """

    a: Side
    b: Side
    differences: tuple[Difference, ...]
    rows: tuple[Row, ...]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both, in order."""
        return self.a, self.b


def compare(a: Trajectory, b: Trajectory) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    a, b : Trajectory
        The runs; they may differ in anything, their labels included.
    """
    left, right = (Side(t, classify(t), snapshot(t)) for t in (a, b))
    changed = (Difference(*item) for item in differences(a.scenario, b.scenario))
    rows = _merged(_quantities(left.end), _quantities(right.end))
    return Comparison(left, right, tuple(d for d in changed if d.path != "name"), rows)


#: A quantity's group, label and SI unit.
Key = tuple[str, str, str]


def _quantities(end: Snapshot) -> Iterator[tuple[Key, float]]:
    """Every number of a moment that is worth comparing."""
    for m, v in end.potential.items():
        yield ("membrane potential", m, "V"), v
    for m, present in end.species.items():
        for s in present:
            if s.charge:
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
