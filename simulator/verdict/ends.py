"""The ends of runs, from which verdicts are found: one run or many, in the same arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.assembly import moved_by
from simulator.model.model import Model
from simulator.model.protocol import Schedule, schedule
from simulator.model.waves import changes, following, stretches
from simulator.scenario.parts import ReleaseEvent
from simulator.scenario.waveforms import Ramp, Table
from simulator.trajectory.trajectory import Trajectory

__all__ = ["Ends", "last_events"]


@dataclass(frozen=True)
class Ends:
    """The last states of runs of one model that differ only in their values.

    Numbers are arrays even for a single run, because array and scalar functions may differ in the last bit.

    Parameters
    ----------
    model : Model
        The model of the runs.
    values : mapping of str to ndarray
        Values by dotted path, of shape (runs,) where they differ, otherwise (1,).
    states : ndarray, shape (runs, states)
        Last saved states.
    parameters : ndarray, shape (runs, parameters)
        Parameters in force there, with the present values of those that follow waveforms.
    running : ndarray, shape (runs, parameters)
        The same, still to follow their waveforms.
    scales : ndarray, shape (runs, states)
        Sizes below which only absolute accuracy counts.
    since : ndarray, shape (runs,)
        Time from the last event of the protocol to the last saved state [s].
    finished : ndarray of bool, shape (runs,)
        Whether the run was not given up.
    """

    model: Model
    values: Mapping[str, np.ndarray]
    states: np.ndarray
    parameters: np.ndarray
    running: np.ndarray
    scales: np.ndarray
    since: np.ndarray
    finished: np.ndarray

    @classmethod
    def of(cls, trajectory: Trajectory) -> Ends:
        """The end of one run."""
        model, time = trajectory.model, trajectory.time[-1:]
        values = {key: np.array([value]) for key, value in model.values.items()}
        events = schedule(model.scenario, model.structure, values, 1)
        start = np.atleast_2d(model.parameters(values))
        parameters, running = (events.at(time, start, running=going)[:, -1] for going in (False, True))
        finished = np.array([trajectory.status == "ok"])
        since, scales = time - last_events(events, time), np.atleast_2d(model.scales(values))
        return cls(model, values, trajectory.states[-1:], parameters, running, scales, since, finished)

    def __len__(self) -> int:
        return len(self.states)

    @property
    def sizes(self) -> np.ndarray:
        """Sizes that distances between states are relative to, shape (runs, states)."""
        return np.maximum(np.abs(self.states), self.scales)

    def value(self, key: str, run: int) -> float:
        """One of the values of a run."""
        column = self.values[key]
        return float(column[run if len(column) == len(self) else 0])

    def part(self, rows: np.ndarray) -> Ends:
        """The runs with these indices."""
        values = {key: value[rows] if len(value) == len(self) else value for key, value in self.values.items()}
        arrays = (self.states, self.parameters, self.running, self.scales, self.since, self.finished)
        return Ends(self.model, values, *(array[rows] for array in arrays))

    def ramps(self) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
        """What ramps and tables of the protocol move at the ends of runs, and of which runs; pulses of trains apart."""
        scenario, structure, end = self.model.scenario, self.model.structure, self.model.scenario.run.duration
        slopes = {own.parameter: own.names["slope"] for own in structure.drives if own.ramp}
        for i, event in enumerate(scenario.protocol):
            if isinstance(event, ReleaseEvent) or event.every is not None:
                continue
            for target, (wave, key) in changes(event, i).items():
                moved = [slopes[p] for p in moved_by(scenario, structure, target) if p in slopes]
                if not moved or not isinstance(wave, Ramp | Table):
                    continue
                last = stretches(wave, key, self.values, self.values.get(f"protocol.{i}.lasting"))[-1]
                over = self.values[f"protocol.{i}.at"] + last.begins + last.span
                moving = self.running[:, [structure.parameters.index(name) for name in moved]]
                yield target, np.any(moving != 0.0, axis=1) & (end <= over)

    @property
    def ramped(self) -> np.ndarray:
        """Whether a ramp or table of the protocol goes on at the end of each run, shape (runs,)."""
        return np.any([np.zeros(len(self), bool), *(runs for _, runs in self.ramps())], axis=0)

    @property
    def swung(self) -> np.ndarray:
        """Whether a sine of the protocol goes on at the end of each run, shape (runs,)."""
        return following(self.model.structure, self.running, "swing")


def last_events(events: Schedule, end: np.ndarray) -> np.ndarray:
    """Time of the last event of each run before its end, shape (runs,) [s]; 0 without one."""
    if not events.time.shape[1]:
        return np.zeros(len(end))
    return np.maximum(np.max(events.last_times(end[:, None])[:, :, 0], axis=1), 0.0)
