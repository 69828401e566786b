"""Compute one piece of a batch: consecutive runs with outcome and verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.kernel.inputs import Inputs
from simulator.kernel.program import Integration, NothingMoves, Program
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.runs.batch import kept_times
from simulator.runs.design import Design
from simulator.runs.outcome import Outcome
from simulator.runs.results import PieceResults
from simulator.scenario.save_times import save_times
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import arranged, gathered
from simulator.verdict.ends import Ends, last_events
from simulator.verdict.following import Stopped
from simulator.verdict.judged import judged
from simulator.verdict.words import WORDS


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

    def piece(self, start: int, stop: int, stopped: Callable[[], bool] = lambda: False) -> PieceResults | None:
        """Compute the runs from `start` to before `stop`; None if interrupted."""
        swept = self.design.part(start, stop)
        inputs = Inputs.of(self.model, swept)
        result = inputs.integrated(self.program, self.times, stopped)
        if np.any(result.status == Status.CANCELLED):
            return None
        outcome = Outcome(self.model, self.times, inputs, result)
        verdicts = self._verdicts(outcome, swept, stopped)
        return None if verdicts is None else outcome.results(verdicts)

    def cancelled(self, start: int, stop: int) -> PieceResults:
        """Results of runs that are not computed: their status says so."""
        inputs = Inputs.of(self.model, self.design.part(start, stop))
        result = Integration.unstarted(inputs.state, self.times, len(inputs.measures))
        outcome = Outcome(self.model, self.times, inputs, result)
        return outcome.results(np.full(stop - start, WORDS.index("not_converged"), dtype=np.int8))

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
    parameters = outcome.parameters[runs, np.minimum(last, outcome.parameters.shape[1] - 1)]
    running = inputs.running(time) if model.structure.drives else parameters
    arrays = arranged(model.structure, outcome.result.saved[runs, last], parameters)
    return Ends(
        model,
        {key: np.array([value]) for key, value in model.values.items()} | dict(swept),
        gathered(model.structure, arrays, time),
        parameters,
        running,
        inputs.scale,
        time - last_events(inputs.events, time),
        outcome.status == Status.OK,
    )
