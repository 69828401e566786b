"""Process a kernel's results, for one run or many: conservation, the cut at rest, conversion to trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from simulator.kernel import load_arrays
from simulator.kernel.inputs import Inputs
from simulator.kernel.program import Integration
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.model.waves import following
from simulator.runs.results import PieceResults
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import ARRANGED, arranged, tracked
from simulator.trajectory.conservation import drifts
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.ends import last_events
from simulator.verdict.rest import at_rest, rest_begins

__all__ = ["Outcome"]

#: Relative drift of charge or of a closed total above which a run counts as failed.
CONSERVATION_LIMIT = 1.0e-9


#: Saved states whose drifts are measured at once: few enough to stay in the processor's cache.
MEASURED_TOGETHER = 1 << 14


@dataclass(frozen=True)
class Outcome:
    """The results of a kernel for some runs of one model.

    Parameters
    ----------
    model : Model
        The model of the runs, which differ only in their values.
    times : ndarray, shape (times,)
        Times [s] at which states were saved.
    inputs : Inputs
        What the kernel was given.
    result : Integration
        What it returned.
    """

    model: Model
    times: np.ndarray
    inputs: Inputs
    result: Integration

    @cached_property
    def parameters(self) -> np.ndarray:
        """Parameters in force up to each saved time, shape (runs, times or 1, parameters)."""
        return self.inputs.in_force(self.times)

    @cached_property
    def drifts(self) -> tuple[np.ndarray, np.ndarray]:
        """Drift of charge, shape (runs,), and of species, shape (runs, species), since the start.

        Includes runs that failed otherwise, up to their last good state: a drift may explain the failure.
        """
        rows = max(1, MEASURED_TOGETHER // len(self.times))
        starts = range(0, len(self.result.saved), rows)
        parts = [self._drifts(slice(start, start + rows)) for start in starts]
        charge, species = zip(*parts, strict=True)
        return np.concatenate(charge), np.concatenate(species)

    def _drifts(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Drifts of some of the runs."""
        structure, inputs = self.model.structure, self.inputs.part(rows)
        found = [tracked(structure, self.result.saved[rows], inputs.in_force(self.times))]
        if self.times[0] > 0.0:  # the start was not saved
            found.insert(0, tracked(structure, inputs.state[:, None], inputs.parameters[:, None]))
        failed = self.result.status[rows] != Status.OK
        if np.any(failed):
            last = np.where(failed[:, None], self.result.final[rows], np.nan)
            found.append(tracked(structure, last[:, None], inputs.parameters[:, None]))
        return drifts(structure, found[0] if len(found) == 1 else {name: _along_time(found, name) for name in found[0]})

    @cached_property
    def status(self) -> np.ndarray:
        """Status code of each run, shape (runs,)."""
        charge, species = self.drifts
        worst = np.fmax(charge, np.fmax.reduce(species, axis=1, initial=0.0))
        return np.where(worst > CONSERVATION_LIMIT, np.int8(Status.CONSERVATION_VIOLATED), self.result.status)

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """What each measure came to, by name, shape (runs,); NaN where nothing was found, and in runs that failed."""
        fine = self.status == Status.OK
        names = self.model.scenario.measure
        return {name: np.where(fine, self.result.measured[:, i], np.nan) for i, name in enumerate(names)}

    @cached_property
    def last(self) -> np.ndarray:
        """Index of the last saved time of each run, shape (runs,): where it came to rest, if it is cut at rest."""
        end = np.full(len(self.status), len(self.times) - 1)
        if self.inputs.settings.until == "end":
            return end
        rest = self._rest_begins()
        return np.where(rest >= 0, rest, end)

    @cached_property
    def end_time(self) -> np.ndarray:
        """Time that each run reached [s], shape (runs,)."""
        cut = self.last < len(self.times) - 1
        return np.where(cut, self.times[self.last], self.result.time)

    def _rest_begins(self) -> np.ndarray:
        """Index of the saved time from which on each run stays at rest, -1 if there is none."""
        saved = self.result.saved
        sizes = np.maximum(np.abs(saved), self.inputs.scale[:, None])
        parameters = np.broadcast_to(self.parameters, (*saved.shape[:2], self.parameters.shape[2]))
        finite = np.all(np.isfinite(saved), axis=2)
        resting = np.zeros(saved.shape[:2], dtype=bool)
        structure = self.model.structure
        equations = load_arrays(structure)
        resting[finite] = at_rest(equations, saved[finite], parameters[finite], sizes[finite])
        last_event = last_events(self.inputs.events, self.inputs.end)
        if structure.drives:
            running = self.inputs.running(self.inputs.end)
            last_event = np.where(following(structure, running), np.inf, last_event)
        return np.where(self.status == Status.OK, rest_begins(resting, self.times, last_event), -1)

    def results(self, verdicts: np.ndarray) -> PieceResults:
        """All runs, with the codes of their verdicts; of each only the last state if no others are to be saved."""
        ends = {
            "status": self.status.astype(np.int8),
            "verdict": verdicts,
            "end_time": self.end_time,
            "culprit": self.result.culprit.astype(np.int32),
        } | dict(zip(("conservation_charge", "conservation_species"), self.drifts, strict=True))
        ends |= self.measures
        if self.inputs.settings.save == "final":
            states = self.result.saved[np.arange(len(self.last)), self.last][:, None]
            times, reached = self.times[self.last][:, None], np.where(self.status == Status.OK, 1, 0)
        else:
            states, times = self.result.saved, self.times
            reached = np.searchsorted(times, self.end_time, side="right")
        return PieceResults(self.model.structure, self.inputs, times, states, reached, ends)

    def trajectory(
        self, run: int, scenario: Scenario, provenance: Mapping[str, str] = MappingProxyType({})
    ) -> Trajectory:
        """One of the runs; if it failed, it ends with its last good state, or its initial one if there is no other.

        Parameters
        ----------
        run : int
            Its index among the runs.
        scenario : Scenario
            What was run, with this run's own values.
        provenance : mapping of str to str
            Provenance of the result.
        """
        status, end = Status(int(self.status[run])), float(self.end_time[run])
        last, structure = int(self.last[run]), self.model.structure
        kept = slice(last if self.inputs.settings.save == "final" else 0, last + 1)
        times = self.times[kept]
        in_force = self.inputs.part(slice(run, run + 1)).in_force(times)[0]
        arrays: dict[str, Any] = arranged(structure, self.result.saved[run, kept], in_force)
        if self.result.status[run] != Status.OK:
            reached = np.all(np.isfinite(self.result.saved[run, kept]), axis=1)
            times, arrays = times[reached], {name: values[reached] for name, values in arrays.items()}
            if not len(times) or times[-1] < end:
                final = self.result.final[run]
                final = final if np.all(np.isfinite(final)) else self.inputs.state[run]
                final_time = np.array([end])
                in_force = self.inputs.part(slice(run, run + 1)).in_force(final_time)[0]
                at_end = arranged(structure, final[None], in_force)
                times = np.append(times, final_time)
                arrays = {name: np.concatenate([arrays[name], at_end[name]]) for name in ARRANGED}
        culprit = int(self.result.culprit[run])
        outcome: dict[str, Any] = {
            "status": status.word,
            "end_time": end,
            "culprit": structure.states[culprit] if culprit >= 0 else "",
            "measures": {name: float(values[run]) for name, values in self.measures.items()},
        }
        return Trajectory(scenario, times, **arrays, **outcome, provenance=provenance)


def _along_time(parts: Sequence[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
    """Concatenate arrays of shape (runs, times) along time; neighbours in memory are runs, of which there are many."""
    return np.concatenate([part[name].T for part in parts]).T
