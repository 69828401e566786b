"""Run a scenario."""

from __future__ import annotations

from collections.abc import Callable

from simulator.kernel import load_program
from simulator.kernel.inputs import Inputs
from simulator.model.model import Model
from simulator.runs.outcome import Outcome
from simulator.scenario.save_times import save_times
from simulator.scenario.scenario import Scenario
from simulator.trajectory.provenance import provenance
from simulator.trajectory.trajectory import Trajectory


def run(scenario: Scenario, announce: Callable[[str], None] = lambda _: None) -> Trajectory:
    """Integrate a scenario in time.

    Parameters
    ----------
    scenario : Scenario
        What to run.
    announce : callable
        Called with a sentence before something that takes seconds (compiling).

    Returns
    -------
    Trajectory
        With a status; a run that fails keeps what it computed up to its last good state.

    Raises
    ------
    ModelError
        When the scenario's numbers contradict each other.
    """
    model = Model.of(scenario)
    inputs, times = Inputs.of(model), save_times(scenario.run)
    result = inputs.integrated(load_program(model.structure, announce), times)
    return Outcome(model, times, inputs, result).trajectory(0, scenario, provenance(model.structure))
