"""Times at which the states of a run are saved."""

from __future__ import annotations

import numpy as np

from simulator.scenario.parts import Run

#: Default number of saved states of a run.
DEFAULT_SAVES = 201


def save_times(run: Run) -> np.ndarray:
    """Times [s] at which a run's states are saved, start and end included unless only the end is saved."""
    if run.save == "final" and run.until == "end":
        return np.array([run.duration])
    if run.save_at is not None:
        return np.unique([0.0, *run.save_at, run.duration])
    if run.save_every is None:
        return np.linspace(0.0, run.duration, DEFAULT_SAVES)
    count = int(np.floor(run.duration / run.save_every * (1.0 + 1.0e-12)))
    times = run.save_every * np.arange(count + 1)
    if times[-1] > run.duration * (1.0 - 1.0e-12):
        times[-1] = run.duration
        return times
    return np.append(times, run.duration)


def saved_points(run: Run) -> int:
    """Number of saved states of a run."""
    return 1 if run.save == "final" else len(save_times(run))
