"""Energy account of a whole run: the ledger's powers, integrated over time.

The run is repeated, bit for bit, with as many saved states as the integral needs. Saving does not affect the
steps, so the account does not depend on the save times. Its remaining gap is the integrator's error, which
shrinks with ``rtol``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import nan

import numpy as np

from simulator.model.names import THERMAL_VOLTAGE, area, capacitance
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.ledger import Ledger, ledger
from simulator.trajectory.replay import replayed
from simulator.trajectory.spikes import most_spikes
from simulator.trajectory.trajectory import Trajectory

#: Points of each Gauss rule; most rounds of halving intervals.
POINTS, ROUNDS = 4, 14

#: First interval after the start and after each event, as a fraction of the time to the next; intervals per decade.
FIRST, PER_DECADE = 1.0e-12, 8

#: Tolerances of the integrals: as a fraction of `rtol` times the stored energy, and of the sum of all integrals.
BESIDE_RTOL, BESIDE_FLOWS = 0.03, 1.0e-8

#: Most events of a run whose energies are integrated.
MOST_EVENTS = 10_000


@dataclass(frozen=True)
class Account:
    """Energies of a run [J], from its start to its last saved state.

    Parameters
    ----------
    start, end : mapping of str to float
        Free energy stored at the start and at the end, by compartment and in the ``membranes``.
    supplied, dissipated : mapping of str to float
        Powers of :class:`simulator.trajectory.ledger.Ledger`, integrated over time.
    jumps : mapping of float to float
        Change of the free energy at each event of the protocol, by its time [s].
    atp : float
        ATP used [mol].
    spikes : int
        Upward crossings of 0 V by the membrane that has the most.
    atp_per_spike : float
        ATP used from the first spike to the last, divided by the number of intervals between [mol]; NaN below
        two spikes.
    """

    start: Mapping[str, float]
    end: Mapping[str, float]
    supplied: Mapping[str, float]
    dissipated: Mapping[str, float]
    jumps: Mapping[float, float]
    atp: float
    spikes: int
    atp_per_spike: float

    @property
    def gap(self) -> float:
        """Change of the free energy that the powers do not explain [J]."""
        change = sum(self.end.values()) - sum(self.start.values()) - sum(self.jumps.values())
        return float(change - sum(self.supplied.values()) + sum(self.dissipated.values()))

    @property
    def relative_gap(self) -> float:
        """The gap relative to the free energy (sum of magnitudes) at the start or the end, whichever is larger."""
        size = max(sum(map(abs, parts.values())) for parts in (self.start, self.end))
        return abs(self.gap) / size if size else nan


def why_unaccounted(trajectory: Trajectory) -> str:
    """Why the energies of a run cannot be told; empty if they can."""
    structure, end = trajectory.structure, float(trajectory.time[-1])
    if structure.open:
        return "a law is declared `open`: it breaks conservation, so energy is not balanced"
    stretched = [THERMAL_VOLTAGE, *(name(m.name) for m in structure.membranes for name in (area, capacitance))]
    if any(drive.parameter in stretched for drive in structure.drives):
        return "a waveform changes what stored energy depends on, and its work is not counted"
    if trajectory.model.events().times_within(end, MOST_EVENTS) is None:
        return f"over {MOST_EVENTS} events: run a shorter stretch from the end of this run"
    return ""


def account(trajectory: Trajectory) -> Account | None:
    """Integrate the energy ledger of a run over time; None where :func:`why_unaccounted` says why not.

    Parameters
    ----------
    trajectory : Trajectory
        The run; it is repeated with other save times.
    """
    end = float(trajectory.time[-1])
    found = trajectory.model.events().times_within(end, MOST_EVENTS)
    if why_unaccounted(trajectory) or found is None:
        return None
    events = found.tolist()
    edges = np.array([0.0, *events, end])
    seen = replayed(trajectory, edges)
    books = ledger(seen)
    assert books is not None
    # The kernel saves before an event changes parameters; just after it the same states have another free energy.
    moved = ledger(Trajectory.from_states(trajectory.model, np.nextafter(edges, np.inf), seen.states))
    assert moved is not None
    jumps = dict(zip(events, (moved.free_energy - books.free_energy)[1:-1].tolist(), strict=True))
    size = sum(abs(float(v[0])) for v in books.stored.values())
    integral = _Integral(trajectory, BESIDE_RTOL * trajectory.scenario.run.rtol * size)
    integral.over(_graded(edges))
    spikes, each = integral.spikes()
    return Account(
        start={name: float(v[0]) for name, v in books.stored.items()},
        end={name: float(v[-1]) for name, v in books.stored.items()},
        supplied={name: integral.total[name] for name in books.supplied},
        dissipated={name: integral.total[name] for name in books.dissipated},
        jumps=jumps,
        atp=integral.total["ATP"],
        spikes=spikes,
        atp_per_spike=each,
    )


def _graded(edges: np.ndarray) -> np.ndarray:
    """Intervals, shape (n, 2), that grow from each edge to the next."""
    count = int(-PER_DECADE * np.log10(FIRST)) + 1
    fractions = np.array([0.0, *np.geomspace(FIRST, 1.0, count)])
    found = []
    for a, b in pairwise(edges):
        points = np.unique(a + fractions * (b - a))
        found.append(np.column_stack([points[:-1], points[1:]]))
    return np.concatenate(found) if found else np.empty((0, 2))


class _Integral:
    """Adaptive Gauss quadrature of all powers of a run at once."""

    def __init__(self, trajectory: Trajectory, tolerance: float):
        self.trajectory, self.tolerance = trajectory, tolerance
        self.total: dict[str, float] = {}
        self.seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.nodes, self.weights = np.polynomial.legendre.leggauss(POINTS)

    def over(self, intervals: np.ndarray) -> None:
        """Integrate over all intervals, halving those whose error is too large."""
        count = max(len(intervals), 1)
        whole = self._powers(intervals)
        for left in range(ROUNDS, -1, -1):
            middle = intervals.mean(axis=1)
            halves = np.stack([intervals[:, 0], middle, middle, intervals[:, 1]], axis=1).reshape(-1, 2)
            parts = self._powers(halves)
            pairs = {name: value.reshape(-1, 2) for name, value in parts.items()}
            misses = {name: np.abs(pair.sum(axis=1) - whole[name]) for name, pair in pairs.items()}
            flows = sum(float(np.sum(np.abs(v))) for name, v in parts.items() if name not in ("rate", "ATP"))
            flows += sum(abs(v) for name, v in self.total.items() if name != "ATP")
            rough = (misses.pop("rate") > self.tolerance / count) & (left > 0)
            misses.pop("ATP")
            gross = np.sum([*misses.values()], axis=0) > BESIDE_FLOWS * flows / count
            rough |= gross & (left > 0)
            for name, pair in pairs.items():
                self.total[name] = self.total.get(name, 0.0) + float(pair[~rough].sum())
            if not np.any(rough):
                return
            keep = np.repeat(rough, 2)
            intervals, whole = halves[keep], {name: value[keep] for name, value in parts.items()}

    def _powers(self, intervals: np.ndarray) -> dict[str, np.ndarray]:
        """Integral of each power over each interval by one Gauss rule."""
        half = np.diff(intervals, axis=1) / 2.0
        times = intervals.mean(axis=1, keepdims=True) + half * self.nodes
        # Nodes coincide where an interval is as short as the resolution of time; each keeps its weight.
        unique, place = np.unique(times, return_inverse=True)
        seen = replayed(self.trajectory, unique)
        books = ledger(seen)
        assert isinstance(books, Ledger)
        used = Analysis(seen).total_atp_rate
        self.seen.append((seen.time, seen.potential.values, used))
        weights = half * self.weights
        columns = {**books.supplied, **books.dissipated, "rate": books.rate, "ATP": used}
        return {name: np.sum(weights * value[place].reshape(times.shape), axis=1) for name, value in columns.items()}

    def spikes(self) -> tuple[int, float]:
        """Number of spikes, and mean ATP used from one to the next [mol]."""
        time = np.concatenate([t for t, *_ in self.seen])
        order = np.argsort(time)
        time = time[order]
        v = np.concatenate([v for _, v, _ in self.seen])[order]
        used = np.concatenate([u for *_, u in self.seen])[order]
        most = most_spikes(v)
        if len(most) < 2:
            return len(most), nan
        stretch = slice(most[0], most[-1] + 1)
        return len(most), float(np.trapezoid(used[stretch], time[stretch])) / (len(most) - 1)
