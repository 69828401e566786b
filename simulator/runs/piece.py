"""Compute one piece of a batch: consecutive runs with outcome and verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.kernel.inputs import Inputs
from simulator.kernel.program import NothingMoves, Program
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.runs.batch import kept_times, scenario_of
from simulator.runs.design import Design
from simulator.runs.outcome import Outcome
from simulator.runs.results import PieceResults
from simulator.scenario.parts import SetEvent
from simulator.scenario.save_times import save_times
from simulator.scenario.scenario import Scenario
from simulator.verdict.batch_verdicts import UNDECIDED, plain_verdicts
from simulator.verdict.verdict import word_of
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
    def _pulses(self) -> bool:
        """Whether the protocol has pulse trains."""
        return any(isinstance(event, SetEvent) and event.times is not None for event in self.scenario.protocol)

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

    def _verdicts(
        self, outcome: Outcome, swept: Mapping[str, np.ndarray], stopped: Callable[[], bool]
    ) -> np.ndarray | None:
        """Codes of the verdicts: clear ones all at once, the others one by one; None if interrupted."""
        runs, fine = np.arange(len(outcome.status)), outcome.status == Status.OK
        place = np.minimum(outcome.last, outcome.parameters.shape[1] - 1)
        ends, parameters = outcome.result.saved[runs, outcome.last], outcome.parameters[runs, place]
        verdict = np.full(len(runs), UNDECIDED, dtype=np.int8)
        if not self._pulses:  # what is paced at its end is not judged by its last state alone
            scale = outcome.inputs.scale[fine]
            verdict[fine] = plain_verdicts(self.model.structure, ends[fine], parameters[fine], scale)
        for i in np.flatnonzero(verdict == UNDECIDED).tolist():
            if stopped():
                return None
            scenario = scenario_of(self.scenario, {key: float(column[i]) for key, column in swept.items()})
            verdict[i] = WORDS.index(word_of(outcome.trajectory(i, scenario)))
        return verdict
