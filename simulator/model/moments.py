"""Moments of a protocol: when parameters change, and what is in force from then on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator.model.contents import Contents, Values
from simulator.model.parameters import parameter_vector
from simulator.model.structure import Structure
from simulator.model.waves import Stretch, Target, Wave, changes, drive, stretches
from simulator.scenario.parts import ReleaseEvent, TimedEvent
from simulator.scenario.scenario import Scenario

__all__ = ["Board", "InForce", "Moment", "Train", "moments_of", "number_of", "trains"]

#: Time constant [s] with which a clamped membrane reaches its command potential.
CLAMP_TIME = 1.0e-9


@dataclass(frozen=True)
class Moment:
    """One change: an event, or the beginning or end of one of its pulses, or a bend of one of its waveforms.

    Parameters
    ----------
    event : int
        Number of the event.
    pulse : int
        Number of the pulse, from 0.
    bend : tuple of (target, int) or None
        The waveform whose next stretch begins, and the number of that stretch; None at the beginning and the end.
    begins : bool
        False at the end of a pulse.
    """

    event: int
    pulse: int = 0
    bend: tuple[Target, int] | None = None
    begins: bool = True

    def time(self, scenario: Scenario, values: Values) -> Any:
        """Time of the moment [s]; an array if it differs between runs, inf for a bend after the end of its pulse."""
        key, event = f"protocol.{self.event}", scenario.protocol[self.event]
        time = values[f"{key}.at"]
        if self.pulse:
            time = time + self.pulse * values[f"{key}.every"]
        if not self.begins:
            return time + values[f"{key}.lasting"]
        if self.bend is None:
            return time
        target, number = self.bend
        wave, place = changes(event, self.event)[target]
        lasting = values.get(f"{key}.lasting", np.inf)
        begins = stretches(wave, place, values, lasting)[number].begins
        return np.where(begins < lasting, time + begins, np.inf)[()]


@dataclass(frozen=True)
class Train:
    """An event that repeats: its number, and its times [s] of one run; `pulses` of them begin in the run."""

    event: int
    at: float
    every: float
    pulses: int


def moments_of(scenario: Scenario, values: Values, number: int, pulse: int = 0) -> Iterator[Moment]:
    """Yield the moments of one pulse of an event, or of one that does not repeat, in order.

    Without the bends that come after the end of the pulse in all runs.
    """
    event, lasting = scenario.protocol[number], values.get(f"protocol.{number}.lasting", np.inf)
    yield Moment(number, pulse)
    for target, (wave, place) in changes(event, number).items():
        for bend, stretch in enumerate(stretches(wave, place, values, lasting)):
            if bend and np.any(stretch.begins < lasting):
                yield Moment(number, pulse, (target, bend))
    if isinstance(event, TimedEvent) and event.lasting is not None:
        yield Moment(number, pulse, begins=False)


def trains(scenario: Scenario, values: Values, run: int, end: float) -> list[Train]:
    """The events that repeat, in one run; no pulse begins after `end` [s]."""
    found = []
    for i, event in enumerate(scenario.protocol):
        if isinstance(event, TimedEvent) and event.every is not None:
            at, every = (number_of(values[f"protocol.{i}.{name}"], run) for name in ("at", "every"))
            most = event.times or np.inf
            pulses = min(most, np.floor((end - at) / every * (1.0 + 1.0e-12)) + 1.0)
            found.append(Train(i, at, every, max(0, int(pulses))))
    return found


def number_of(value: Any, run: int) -> float:
    """The number of one run."""
    return float(value[run if len(value) > 1 else 0]) if np.ndim(value) else float(value)


@dataclass(frozen=True)
class InForce:
    """What an event has set: its number, the path of the value, its stretch, and when that began [s]."""

    event: int
    place: str
    stretch: Stretch
    since: Any


class Board:
    """What is in force while the moments of a protocol pass, one after the other.

    Parameters
    ----------
    scenario, structure : Scenario, Structure
        What is run.
    values : mapping
        Values by dotted path, numbers or arrays of shape (runs,).
    """

    def __init__(self, scenario: Scenario, structure: Structure, values: Mapping[str, Any]) -> None:
        self.scenario, self.structure, self.values = scenario, structure, values
        self.start = Contents(scenario, structure, values)
        self.lasting: dict[Target, InForce] = {}
        self.pulses: dict[int, dict[Target, InForce]] = {}

    def apply(self, moment: Moment) -> None:
        """Let one moment pass."""
        event = self.scenario.protocol[moment.event]
        if isinstance(event, ReleaseEvent):
            for name in event.release:
                self.lasting.pop(("clamp", name), None)
            return
        if not moment.begins:
            self.pulses.pop(moment.event, None)
            return
        since = moment.time(self.scenario, self.values)
        board = self.lasting if event.lasting is None else self.pulses.setdefault(moment.event, {})
        for target, (wave, place) in changes(event, moment.event).items():
            if moment.bend is None or moment.bend[0] == target:
                parts = stretches(wave, place, self.values, self.values.get(f"protocol.{moment.event}.lasting"))
                current = board.get(target)
                if moment.bend is not None and (current is None or current.event != moment.event):
                    continue  # another event has taken over meanwhile
                stretch = parts[0 if moment.bend is None else moment.bend[1]]
                board[target] = InForce(moment.event, place, stretch, since)

    def repeat(self, events: frozenset[int], passed: float) -> None:
        """Let the pulses of events be those of a time `passed` [s] later."""
        for event in events & self.pulses.keys():
            pulse = self.pulses[event].items()
            self.pulses[event] = {target: replace(own, since=own.since + passed) for target, own in pulse}

    def parameters(self, repeating: frozenset[int] = frozenset()) -> tuple[np.ndarray, np.ndarray]:
        """Parameters in force, shape (parameters,) or (runs, parameters), and which waves repeat, shape (drives,).

        `repeating` are the events whose pulses the schedule writes down once for many repetitions.
        """
        force = dict(self.lasting)
        for pulse in self.pulses.values():
            force |= pulse
        values = {name: own.stretch.value for (kind, name), own in force.items() if kind == "value"}
        commands = {name: own.stretch.value for (kind, name), own in force.items() if kind == "clamp"}
        parameters = self._vector(values, commands)
        waves = []
        for (kind, name), own in force.items():
            if own.stretch.other is not None:
                other = {name: own.stretch.other}
                far = (
                    self._vector(values | other, commands)
                    if kind == "value"
                    else self._vector(values, commands | other)
                )
                waves.append(Wave(own.place, own.stretch, own.since, far, own.event in repeating))
        if not waves:
            return parameters, np.zeros(len(self.structure.drives))
        shapes = [parameters.shape, *(wave.far.shape for wave in waves)]
        shapes += [(*np.shape(number), 1) for wave in waves for number in wave.timing if np.ndim(number)]
        parameters = np.broadcast_to(parameters, np.broadcast_shapes(*shapes)).copy()
        return parameters, drive(self.structure, parameters, waves)

    def _vector(self, values: Mapping[str, Any], commands: Mapping[str, Any]) -> np.ndarray:
        changed = self.start.changed({**self.values, **values})
        gains = {name: changed.per_area(name, f"membranes.{name}.capacitance") / CLAMP_TIME for name in commands}
        return parameter_vector(changed, {name: (gains[name], command) for name, command in commands.items()})
