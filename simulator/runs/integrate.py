"""Runs a scenario: save times, protocol, conservation check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simulator.kernel import load_program
from simulator.kernel.inputs import Inputs
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.scenario.save_times import save_times
from simulator.scenario.scenario import Scenario
from simulator.trajectory.conservation import conservation
from simulator.trajectory.provenance import provenance
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.verdict import first_rest

#: Relative drift of charge or of a closed total above which a run counts as failed.
CONSERVATION_LIMIT = 1.0e-9


def run(scenario: Scenario, announce: Callable[[str], None] = lambda _: None) -> Trajectory:
    """Integrate a scenario in time.

    Parameters
    ----------
    scenario : Scenario
        What to run.
    announce : callable
        Told in a sentence before something that takes seconds (compiling).

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
    inputs = Inputs.of(model)
    times = save_times(scenario.run)
    result = inputs.integrated(load_program(model.structure, announce), times)
    status = Status(int(result.status[0]))
    end = float(result.time[0])
    saved = result.saved[0]
    if status is not Status.OK:
        # What was saved, and then the last good state; a run that failed at once keeps the state it was given.
        reached = np.all(np.isfinite(saved), axis=1)
        last = result.final[0] if np.all(np.isfinite(result.final[0])) else inputs.state[0]
        times, saved = times[reached], saved[reached]
        if not len(times) or times[-1] < end:
            times, saved = np.append(times, end), np.vstack([saved, last])
    culprit = int(result.culprit[0])
    trajectory = Trajectory.from_states(
        model,
        times,
        saved,
        status=status.word,
        end_time=end,
        culprit=model.structure.states[culprit] if culprit >= 0 else "",
        provenance=provenance(model.structure),
    )
    # Also where the run failed otherwise: what is lost or made on the way explains the rest.
    if conservation(trajectory).worst > CONSERVATION_LIMIT:
        trajectory = replace(trajectory, status=Status.CONSERVATION_VIOLATED.word)
    if scenario.run.until == "steady":
        trajectory = _until_rest(trajectory)
        if scenario.run.save == "final":
            trajectory = _rows(trajectory, slice(-1, None))
    return trajectory


def _until_rest(trajectory: Trajectory) -> Trajectory:
    """Cut a trajectory after the first saved state from which on it is at rest."""
    last = first_rest(trajectory)
    return trajectory if last is None else _rows(trajectory, slice(0, last + 1))


def _rows(trajectory: Trajectory, keep: slice) -> Trajectory:
    """Some of the saved states, the last of which is the end."""
    return replace(
        trajectory,
        time=trajectory.time[keep],
        amount=trajectory.amount[keep],
        charge=trajectory.charge[keep],
        volume=trajectory.volume[keep],
        compartment_potential=trajectory.compartment_potential[keep],
        open_fraction=trajectory.open_fraction[keep],
        end_time=float(trajectory.time[keep][-1]),
    )
