"""The protocol of each run: times at which parameters change, and the parameter vectors from then on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.model.contents import Contents, Values
from simulator.model.parameters import parameter_vector
from simulator.model.structure import Structure
from simulator.scenario.parts import ClampEvent, ReleaseEvent, SetEvent
from simulator.scenario.scenario import Scenario

#: Time constant [s] with which a clamped membrane reaches its command potential.
CLAMP_TIME = 1.0e-9


@dataclass(frozen=True)
class Schedule:
    """Events of a batch of runs, in order of time.

    Parameters
    ----------
    time : ndarray, shape (runs, events)
        Times [s], increasing in each run; padded with inf where a run has fewer events than others.
    parameters : ndarray, shape (runs, events, parameters)
        Parameter vectors from each event on.
    """

    time: np.ndarray
    parameters: np.ndarray

    def part(self, rows: slice) -> Schedule:
        """The events of some of the runs."""
        return Schedule(self.time[rows], self.parameters[rows])

    def after_start(self, parameters: np.ndarray) -> tuple[np.ndarray, Schedule]:
        """Return the parameters at the start, events at t = 0 applied, and the later events."""
        if not self.time.shape[1] or not np.any(self.time[:, 0] <= 0.0):
            return parameters, self
        now = self.time[:, 0] <= 0.0
        parameters = np.where(now[:, None], self.parameters[:, 0], parameters)
        places = np.minimum(np.arange(self.time.shape[1]) + now[:, None], self.time.shape[1] - 1)
        time = np.take_along_axis(self.time, places, axis=1)
        time[now, -1] = np.inf
        return parameters, Schedule(time, np.take_along_axis(self.parameters, places[:, :, None], axis=1))

    def at(self, time: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Parameters in force until each time, shape (runs, times, parameters); (runs, 1, parameters) without events.

        The times have the shape (times,), or (runs, times) if each run has its own.

        A state saved at the time of an event belongs to the parameters before it; an event at t = 0 belongs
        to the start.
        """
        if not self.time.shape[1]:
            return parameters[:, None]
        found = np.repeat(parameters[:, None], time.shape[-1], axis=1)
        for i in range(self.time.shape[1]):
            when = self.time[:, i, None]
            found = np.where(((time > when) | (when <= 0.0))[:, :, None], self.parameters[:, i, None], found)
        return found


@dataclass(frozen=True)
class Moment:
    """One change of the parameters: an event, or the beginning or end of one of its pulses."""

    event: int
    pulse: int = 0
    begins: bool = True

    def time(self, values: Values) -> Any:
        """Time of the change [s]."""
        key = f"protocol.{self.event}"
        time = values[f"{key}.at"]
        if self.pulse:
            time = time + self.pulse * values[f"{key}.every"]
        return time if self.begins else time + values[f"{key}.lasting"]


def _moments(scenario: Scenario) -> Iterator[Moment]:
    """All changes of a protocol, in the order in which it lists them."""
    for i, event in enumerate(scenario.protocol):
        if not isinstance(event, SetEvent) or event.lasting is None:
            yield Moment(i)
            continue
        for pulse in range(event.times or 1):
            yield Moment(i, pulse)
            yield Moment(i, pulse, begins=False)


def schedule(scenario: Scenario, structure: Structure, values: Values, runs: int) -> Schedule:
    """Return the events of runs; `values` are by dotted path, numbers or arrays of shape (runs,)."""
    moments = tuple(_moments(scenario))
    width = len(structure.parameters)
    if not moments:
        return Schedule(np.empty((runs, 0)), np.empty((runs, 0, width)))
    times = np.stack([np.broadcast_to(m.time(values), (runs,)) for m in moments], axis=1).astype(float)
    order = np.argsort(times, axis=1, kind="stable")
    sorted_times = np.take_along_axis(times, order, axis=1)
    last = np.append(np.diff(sorted_times, axis=1) != 0.0, np.ones((runs, 1), dtype=bool), axis=1)
    # Runs with the same order of events and the same simultaneous events are computed together.
    patterns, pattern_of = np.unique(np.concatenate([order, last], axis=1), axis=0, return_inverse=True)
    most = int(np.max(patterns[:, len(moments) :].sum(axis=1)))
    found = Schedule(np.full((runs, most), np.inf), np.zeros((runs, most, width)))
    for number, pattern in enumerate(patterns):
        members = np.flatnonzero(pattern_of.reshape(-1) == number)
        own = {key: _of(value, members, runs) for key, value in values.items()}
        place = 0
        steps = _applied(scenario, structure, own, [moments[i] for i in pattern[: len(moments)]])
        for i, (parameters, closes) in enumerate(zip(steps, pattern[len(moments) :], strict=True)):
            if closes:
                found.time[members, place] = sorted_times[members, i]
                found.parameters[members, place] = parameters
                place += 1
    return found


def _of(value: Any, members: np.ndarray, runs: int) -> Any:
    return value[members] if runs > 1 and np.ndim(value) and len(value) == runs else value


def _applied(
    scenario: Scenario, structure: Structure, values: dict[str, Any], moments: list[Moment]
) -> Iterator[np.ndarray]:
    """Yield the parameters after each moment; active pulses override permanent settings."""
    values = dict(values)
    start = Contents(scenario, structure, values)
    clamps: dict[str, tuple[Any, Any]] = {}
    pulses: dict[int, dict[str, Any]] = {}
    for moment in moments:
        i = moment.event
        match scenario.protocol[i]:
            case SetEvent() as event:
                new = {key: values[f"protocol.{i}.set.{key}"] for key in event.set}
                if event.lasting is None:
                    values = values | new
                elif moment.begins:
                    pulses[i] = new
                else:
                    del pulses[i]
            case ClampEvent() as event:
                for name in event.clamp:
                    gain = start.changed(values).per_area(name, f"membranes.{name}.capacitance") / CLAMP_TIME
                    clamps[name] = (gain, values[f"protocol.{i}.clamp.{name}.potential"])
            case ReleaseEvent() as event:
                clamps |= dict.fromkeys(event.release, (0.0, 0.0))
        over = {key: value for pulse in pulses.values() for key, value in pulse.items()}
        yield parameter_vector(start.changed(values | over), clamps)
