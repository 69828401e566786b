"""One piece of a batch: consecutive runs, from their numbers to labelled arrays with outcome and verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from simulator.kernel import load_arrays
from simulator.kernel.inputs import Inputs
from simulator.kernel.program import Integration, Program
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.runs.batch import kept_times, scenario_of
from simulator.runs.design import Design
from simulator.runs.integrate import CONSERVATION_LIMIT
from simulator.scenario.save_times import save_times
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import ARRANGED, arranged, concentrations, membrane_potentials
from simulator.trajectory.conservation import drifts
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.batch_verdicts import UNDECIDED, judge
from simulator.verdict.rest import at_rest
from simulator.verdict.verdict import classify, rest_begins
from simulator.verdict.words import WORDS

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Job:
    """What all pieces of a batch share.

    Parameters
    ----------
    scenario : Scenario
        What varies around.
    design : Design
        The values of each run.
    program : Program
        The compiled kernel.
    """

    scenario: Scenario
    design: Design
    program: Program

    @cached_property
    def model(self) -> Model:
        """The model of the scenario."""
        return Model.of(self.scenario)

    @cached_property
    def times(self) -> np.ndarray:
        """Times [s] that the kernel saves."""
        return save_times(self.scenario.run)

    @property
    def kept_times(self) -> np.ndarray:
        """Times [s] that are kept: all of them, or the last one."""
        return kept_times(self.scenario.run, self.times)

    def piece(self, start: int, stop: int, stopped: Callable[[], bool] = lambda: False) -> Arrays | None:
        """Compute the runs from `start` to before `stop`; None if it was stopped meanwhile.

        Returns
        -------
        dict
            :attr:`simulator.runs.batch.Batch.arrays`.
        """
        swept = self.design.part(start, stop)
        inputs = Inputs.of(self.model, swept)
        result = inputs.integrated(self.program, self.times, stopped)
        if np.any(result.status == Status.CANCELLED):
            return None
        return _Outcome(self, swept, inputs, result, stopped).arrays()


@dataclass
class _Outcome:
    """What a kernel found, on its way to labelled arrays."""

    job: Job
    swept: Mapping[str, np.ndarray]
    inputs: Inputs
    result: Integration
    stopped: Callable[[], bool]

    def arrays(self) -> Arrays | None:
        result, times = self.result, self.job.times
        structure, run = self.job.model.structure, self.job.scenario.run
        status, saved, end_time = result.status.copy(), result.saved, result.time.copy()
        in_force = self.inputs.events.at(times, self.inputs.parameters)
        found = arranged(structure, saved, in_force)
        charge, species = self._drifts(found)
        worst = np.fmax(charge, np.fmax.reduce(species, axis=1, initial=0.0))
        status[worst > CONSERVATION_LIMIT] = Status.CONSERVATION_VIOLATED
        last = np.full(len(status), len(times) - 1)
        if run.until == "steady":
            rest = self._rest(saved, in_force, status)
            last[rest >= 0] = rest[rest >= 0]
            end_time[rest >= 0] = times[last[rest >= 0]]
        verdict = self._verdicts(status, saved, in_force, last, found, end_time)
        if verdict is None:
            return None
        with np.errstate(all="ignore"):
            found["concentration"] = concentrations(structure, found, in_force)
        found["potential"] = membrane_potentials(structure, found["compartment_potential"])
        after = times > end_time[:, None]
        for name, values in found.items():
            if run.save == "final":
                values = values[np.arange(len(values)), last][:, None]
                values[status != Status.OK] = np.nan
            else:
                values[after] = np.nan
            found[name] = values
        found |= {"status": status.astype(np.int8), "verdict": verdict, "end_time": end_time}
        found["culprit"] = result.culprit.astype(np.int32)
        found |= {"conservation_charge": charge, "conservation_species": species}
        return found

    def _drifts(self, found: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Drift of charge and species since the start, of the last good state too where a run failed."""
        structure, failed = self.job.model.structure, np.flatnonzero(self.result.status != Status.OK)
        parameters = self.inputs.parameters[:, None]
        start = arranged(structure, self.inputs.state[:, None], parameters)
        rows = {n: [start[n], found[n]] for n in ("amount", "charge")}
        if len(failed):
            end = arranged(structure, self.result.final[failed, None], parameters[failed])
            for name, parts in rows.items():
                parts.append(np.full_like(parts[0], np.nan))
                parts[-1][failed] = end[name]
        if self.job.times[0] == 0.0:
            rows = {name: parts[1:] for name, parts in rows.items()}
        whole = {name: parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1) for name, parts in rows.items()}
        return drifts(structure, whole)

    def _rest(self, saved: np.ndarray, in_force: np.ndarray, status: np.ndarray) -> np.ndarray:
        """Place of the saved time from which on each run stays at rest, -1 where none is."""
        job = self.job
        sizes = np.maximum(np.abs(saved), self.inputs.scale[:, None])
        every = np.broadcast_to(in_force, (*saved.shape[:2], in_force.shape[2]))
        ended = np.all(np.isfinite(saved), axis=2)
        resting = np.zeros(saved.shape[:2], dtype=bool)
        equations = load_arrays(job.model.structure)
        resting[ended] = at_rest(equations, saved[ended], every[ended], sizes[ended])
        when = np.where(self.inputs.events.time < job.scenario.run.duration, self.inputs.events.time, 0.0)
        begins = rest_begins(resting, job.times, np.max(when, axis=1, initial=0.0))
        return np.where(status == Status.OK, begins, -1)

    def _verdicts(
        self,
        status: np.ndarray,
        saved: np.ndarray,
        in_force: np.ndarray,
        last: np.ndarray,
        found: Arrays,
        end_time: np.ndarray,
    ) -> np.ndarray | None:
        """Codes of the verdicts: those that are plain all at once, the others one by one; None if stopped meanwhile."""
        runs = np.arange(len(status))
        fine = status == Status.OK
        verdict = np.full(len(status), UNDECIDED, dtype=np.int8)
        place = np.minimum(last, in_force.shape[1] - 1)
        ends, parameters = saved[runs, last], in_force[runs, place]
        verdict[fine] = judge(self.job.model.structure, ends[fine], parameters[fine], self.inputs.scale[fine])
        for i in np.flatnonzero(verdict == UNDECIDED).tolist():
            if self.stopped():
                return None
            verdict[i] = WORDS.index(classify(self._alone(i, status, last, found, end_time)).word)
        return verdict

    def _alone(self, i: int, status: np.ndarray, last: np.ndarray, found: Arrays, end_time: np.ndarray) -> Trajectory:
        """One run of the piece as if it had been run alone."""
        scenario = scenario_of(self.job.scenario, {key: float(column[i]) for key, column in self.swept.items()})
        kept = slice(int(last[i]) if scenario.run.save == "final" else 0, int(last[i]) + 1)
        arrays: dict[str, Any] = {name: found[name][i, kept] for name in ARRANGED}
        times, final = self.job.times[kept], self.result.final[i]
        outcome: dict[str, Any] = {"status": Status(int(status[i])).word, "end_time": float(end_time[i])}
        if self.result.status[i] == Status.OK:
            return Trajectory(scenario, times, **arrays, **outcome)
        reached = times <= end_time[i]
        times, arrays = times[reached], {name: values[reached] for name, values in arrays.items()}
        if not len(times) or times[-1] < end_time[i]:
            state = final if np.all(np.isfinite(final)) else self.inputs.state[i]
            end = Trajectory.from_states(Model.of(scenario), end_time[i : i + 1], state[None])
            arrays = {name: np.concatenate([arrays[name], getattr(end, name)]) for name in ARRANGED}
            times = np.append(times, end_time[i])
        return Trajectory(scenario, times, **arrays, **outcome)
