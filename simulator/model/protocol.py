"""The protocol of each run: times at which parameters change, and the parameter vectors from then on.

Pulses without end, or very many, are written down once for each period in which they repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.model.contents import Values
from simulator.model.moments import Board, Train, moments_of, number_of, trains
from simulator.model.repetition import Row, rows_of
from simulator.model.structure import Structure
from simulator.model.waves import present
from simulator.scenario.parts import TimedEvent
from simulator.scenario.scenario import Scenario

__all__ = ["Schedule", "schedule"]

#: Pulses up to which a train is written down one by one; and if its interval fits no other, too.
LISTED, MOST_LISTED = 100, 1000


@dataclass(frozen=True)
class Schedule:
    """Events of a batch of runs, in order of time.

    Some consecutive events may be a *block* that repeats: its last event says how many they are, and how often.

    Parameters
    ----------
    structure : Structure
        The structure of the model.
    table : ndarray, shape (runs, events, 4 + parameters + drives)
        Of each event: its first time [s], increasing in each run, inf where a run has fewer events than others; the
        period with which it repeats [s], 0 without; at the end of a block the number of its events, and how often it
        is repeated; the parameters from then on; and for each drive whether its beginning moves along when the block
        repeats.
    """

    structure: Structure
    table: np.ndarray

    @classmethod
    def empty(cls, structure: Structure, runs: int) -> Schedule:
        """A schedule without events."""
        return cls(structure, np.empty((runs, 0, cls.width(structure))))

    @staticmethod
    def width(structure: Structure) -> int:
        """Numbers of one event."""
        return 4 + len(structure.parameters) + len(structure.drives)

    @property
    def time(self) -> np.ndarray:
        """First times of the events [s], shape (runs, events)."""
        return self.table[:, :, 0]

    @property
    def parameters(self) -> np.ndarray:
        """Parameters from each event on, shape (runs, events, parameters)."""
        return self.table[:, :, 4 : 4 + len(self.structure.parameters)]

    def part(self, rows: Any) -> Schedule:
        """The events of some of the runs."""
        return Schedule(self.structure, self.table[rows])

    def later(self, time: np.ndarray) -> Schedule:
        """The same events, with times [s] that count from `time`, shape (runs,)."""
        table = self.table.copy()
        table[:, :, 0] -= time[:, None]
        return Schedule(self.structure, table)

    def after_start(self, parameters: np.ndarray) -> tuple[np.ndarray, Schedule]:
        """Return the parameters at the start, events at t = 0 applied, and the later events."""
        if not self.time.shape[1] or not np.any(self.time[:, 0] <= 0.0):
            return parameters, self
        now = self.time[:, 0] <= 0.0
        parameters = np.where(now[:, None], self.parameters[:, 0], parameters)
        places = np.minimum(np.arange(self.time.shape[1]) + now[:, None], self.time.shape[1] - 1)
        table = np.take_along_axis(self.table, places[:, :, None], axis=1)
        table[now, -1, 0] = np.inf
        table[now, -1, 1:4] = 0.0
        return parameters, Schedule(self.structure, table)

    def last_times(self, before: np.ndarray) -> np.ndarray:
        """Last time [s] of each event before times of shape (runs, times), shape (runs, events, times); -inf if none.

        An event at t = 0 belongs to the start, and so comes before every time.
        """
        first, period, most = (self.table[:, :, i, None] for i in (0, 1, 3))
        most = self._laps(most)
        with np.errstate(all="ignore"):
            laps = np.where(period > 0.0, np.clip(np.floor((before[:, None] - first) / period), 0.0, most), 0.0)
        laps = np.nan_to_num(laps)
        found = first + laps * np.nan_to_num(period)
        found = np.where((found >= before[:, None]) & (laps > 0.0), found - period, found)
        return np.where((found < before[:, None]) | (first <= 0.0), found, -np.inf)

    def _laps(self, most: np.ndarray) -> np.ndarray:
        """How often each event is repeated: as often as the last one of its block goes back."""
        found, block = most.copy(), self.table[:, :, 2]
        for run, event in zip(*np.nonzero(block), strict=True):
            found[run, event + 1 - int(block[run, event]) : event] = most[run, event]
        return found

    def times_within(self, end: float, most: int) -> np.ndarray | None:
        """All times [s] after 0 and before `end` at which parameters of the first run change; None if over `most`."""
        first, period, laps = self.table[0, :, 0], self.table[0, :, 1], self._laps(self.table[:, :, 3, None])[0, :, 0]
        fitting = np.clip(np.floor((end - first) / np.where(period > 0.0, period, np.inf)), 0.0, laps)
        if np.sum(fitting + 1.0) > most:
            return None
        every = [
            t + p * np.arange(n + 1.0) if p else np.array([t]) for t, p, n in zip(first, period, fitting, strict=True)
        ]
        found = np.unique(np.concatenate([np.empty(0), *every]))
        return found[(found > 0.0) & (found < end)]

    def at(self, time: np.ndarray, parameters: np.ndarray, *, running: bool = False) -> np.ndarray:
        """Parameters in force until each time, shape (runs, times, parameters).

        The times have the shape (times,), or (runs, times) if each run has its own. Without events and waveforms the
        result has the shape (runs, 1, parameters).

        A state saved at the time of an event belongs to the parameters before it; an event at t = 0 belongs
        to the start. What follows a waveform has its present value, or is still to follow it if `running`.
        """
        if not self.time.shape[1] and not self.structure.drives:
            return parameters[:, None]
        times = np.broadcast_to(np.atleast_2d(time), (len(parameters), np.shape(time)[-1]))
        found = np.repeat(parameters[:, None], times.shape[1], axis=1)
        latest = np.full(times.shape, -np.inf)
        last = self.last_times(times) if self.time.shape[1] else np.empty((len(parameters), 0, 1))
        drives, own = len(self.structure.drives), self.parameters
        for i in range(self.time.shape[1]):
            newer = (last[:, i] >= latest) & (last[:, i] > -np.inf)
            if not np.any(newer):
                continue
            latest = np.where(newer, last[:, i], latest)
            found = np.where(newer[:, :, None], own[:, i, None], found)
            if drives:
                passed = np.where(newer, last[:, i] - self.time[:, i, None], 0.0)
                found[:, :, -drives:] += passed[:, :, None] * self.table[:, i, None, -drives:]
        return found if running else present(self.structure, found, times)


def schedule(scenario: Scenario, structure: Structure, values: Values, runs: int, end: float | None = None) -> Schedule:
    """Return the events of runs.

    Parameters
    ----------
    scenario, structure : Scenario, Structure
        What is run.
    values : mapping
        Values by dotted path, numbers or arrays of shape (runs,).
    runs : int
        Number of runs.
    end : float, optional
        Time [s] after which no pulse begins; default: the end of the run.

    Raises
    ------
    ModelError
        If long pulse trains that run at the same time have no common period.
    """
    if not scenario.protocol:
        return Schedule.empty(structure, runs)
    end = scenario.run.duration if end is None else end
    groups = _same_trains(scenario, values, runs, end)
    layouts: list[tuple[np.ndarray, list[Row]]] = []
    if all(train.pulses <= LISTED for _, every in groups for train in every):
        layouts = list(_listed(scenario, values, runs, [every for _, every in groups]))
    else:
        for members, every in groups:
            own = {key: number_of(value, int(members[0])) for key, value in values.items()}
            layouts.append((members, rows_of(scenario, own, every, LISTED, MOST_LISTED)))
    width, parameters = Schedule.width(structure), len(structure.parameters)
    table = np.zeros((runs, max((len(rows) for _, rows in layouts), default=0), width))
    table[:, :, 0] = np.inf
    for members, rows in layouts:
        board = Board(scenario, structure, {key: _of(value, members, runs) for key, value in values.items()})
        for place, row in enumerate(rows):
            for moment in row.moments:
                board.apply(moment)
            force, moves = board.parameters(row.repeating)
            table[members, place, 0] = row.time
            table[members, place, 1:4] = row.period, row.block, row.laps
            table[members, place, 4 : 4 + parameters] = force
            table[members, place, 4 + parameters :] = moves
            board.repeat(row.repeating, row.laps * row.period)
    return Schedule(structure, table)


def _same_trains(scenario: Scenario, values: Values, runs: int, end: float) -> list[tuple[np.ndarray, list[Train]]]:
    """Runs whose pulse trains have the same times, and those trains."""
    timed = [(i, event) for i, event in enumerate(scenario.protocol) if isinstance(event, TimedEvent)]
    repeated = [i for i, event in timed if event.every is not None]
    keys = [f"protocol.{i}.{name}" for i in repeated for name in ("at", "every", "lasting")]
    columns = [np.broadcast_to(values[key], (runs,)) for key in keys if np.size(values[key]) > 1]
    if not columns:
        return [(np.arange(runs), trains(scenario, values, 0, end))]
    _, first, group = np.unique(np.stack(columns, axis=1), axis=0, return_index=True, return_inverse=True)
    return [(np.flatnonzero(group.reshape(-1) == i), trains(scenario, values, run, end)) for i, run in enumerate(first)]


def _listed(
    scenario: Scenario, values: Values, runs: int, every: list[list[Train]]
) -> Iterator[tuple[np.ndarray, list[Row]]]:
    """Runs with the same order of moments, and these moments, every pulse by itself."""
    pulses = {train.event: max(t.pulses for own in every for t in own if t.event == train.event) for train in every[0]}
    moments = [
        moment
        for i in range(len(scenario.protocol))
        for pulse in range(pulses.get(i, 1))
        for moment in moments_of(scenario, values, i, pulse)
    ]
    if not moments:
        return
    times = np.stack([np.broadcast_to(m.time(scenario, values), (runs,)) for m in moments], axis=1).astype(float)
    order = np.argsort(times, axis=1, kind="stable")
    times = np.take_along_axis(times, order, axis=1)
    last = np.append(times[:, 1:] != times[:, :-1], np.ones((runs, 1), dtype=bool), axis=1)
    patterns, pattern_of = np.unique(np.concatenate([order, last], axis=1), axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        members = np.flatnonzero(pattern_of.reshape(-1) == number)
        rows, together = [], []
        for place, (moment, closes) in enumerate(zip(*np.split(pattern, 2), strict=True)):
            together.append(moments[moment])
            if closes:
                rows.append(Row(tuple(together), times[members, place]))
                together = []
        yield members, rows


def _of(value: Any, members: np.ndarray, runs: int) -> Any:
    return value[members] if runs > 1 and np.ndim(value) and len(value) == runs else value
