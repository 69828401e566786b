"""Compute one piece of a batch: consecutive runs as labelled arrays with outcome and verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.kernel.inputs import Inputs
from simulator.kernel.program import NothingMoves, Program
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.runs.batch import kept_times
from simulator.runs.design import Design
from simulator.runs.outcome import Outcome
from simulator.scenario.save_times import save_times
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import concentrations, gathered, membrane_potentials
from simulator.verdict.ends import Ends, last_events
from simulator.verdict.judged import judged
from simulator.verdict.lanes import Stopped
from simulator.verdict.words import WORDS

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Job:
    """What all pieces of a batch share.

    Parameters
    ----------
    scenario : Scenario
        The scenario whose values vary.
    design : Design
        The values of each run.
    program : Program
        The compiled kernel.
    """

    scenario: Scenario
    design: Design
    program: Program | NothingMoves

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
        """Compute the runs from `start` to before `stop`; None if interrupted.

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
        outcome = Outcome(self.model, self.times, inputs, result)
        verdicts = self._verdicts(outcome, swept, stopped)
        return None if verdicts is None else self._arrays(outcome, verdicts)

    def _arrays(self, outcome: Outcome, verdicts: np.ndarray) -> Arrays:
        """The labelled arrays of a piece: the saved quantities of each run, and how it ended."""
        structure, status, found = self.model.structure, outcome.status, dict(outcome.arrays)
        with np.errstate(all="ignore"):
            found["concentration"] = concentrations(structure, found, outcome.parameters)
        found["potential"] = membrane_potentials(structure, found["compartment_potential"])
        after = self.times > outcome.end_time[:, None]
        for name, values in found.items():
            if self.scenario.run.save == "final":
                values = values[np.arange(len(values)), outcome.last][:, None]
                values[status != Status.OK] = np.nan
            else:
                values[after] = np.nan  # in place: the outcome is not used again
            found[name] = values
        found |= {"status": status.astype(np.int8), "verdict": verdicts, "end_time": outcome.end_time}
        found["culprit"] = outcome.result.culprit.astype(np.int32)
        return found | dict(zip(("conservation_charge", "conservation_species"), outcome.drifts, strict=True))

    def _verdicts(
        self, outcome: Outcome, swept: Mapping[str, np.ndarray], stopped: Callable[[], bool]
    ) -> np.ndarray | None:
        """Codes of the verdicts; None if interrupted."""
        verdicts = np.full(len(outcome.status), WORDS.index("not_converged"), dtype=np.int8)
        fine = np.flatnonzero(outcome.status == Status.OK)
        try:
            verdicts[fine] = judged(_ends(outcome, swept).part(fine), stopped).words
        except Stopped:
            return None
        return verdicts


def _ends(outcome: Outcome, swept: Mapping[str, np.ndarray]) -> Ends:
    """The ends of all runs, as their trajectories would give them."""
    model, inputs, last, runs = outcome.model, outcome.inputs, outcome.last, np.arange(len(outcome.status))
    time = outcome.times[last]
    return Ends(
        model,
        {key: np.array([value]) for key, value in model.values.items()} | dict(swept),
        gathered(model.structure, {name: values[runs, last] for name, values in outcome.arrays.items()}, time),
        outcome.parameters[runs, np.minimum(last, outcome.parameters.shape[1] - 1)],
        inputs.scale,
        time - last_events(inputs.events.time),
        outcome.status == Status.OK,
    )
