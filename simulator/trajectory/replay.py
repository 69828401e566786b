"""Repeat a run, bit for bit, with other save times."""

from __future__ import annotations

import numpy as np

from simulator.kernel import load_program
from simulator.kernel.inputs import Inputs
from simulator.trajectory.trajectory import Trajectory


def replayed(trajectory: Trajectory, times: np.ndarray) -> Trajectory:
    """Repeat a run, bit for bit, saved at other times up to its last one; saving does not affect the steps."""
    times = times[times <= trajectory.time[-1]]
    model = trajectory.model
    result = Inputs.of(model).integrated(load_program(model.structure), times)
    return Trajectory.from_states(model, times, result.saved[0], end_time=trajectory.end_time)
