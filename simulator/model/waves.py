"""Waveforms as numbers: the stretches of each, and the parameters that make a model follow one.

On a stretch a value is held, moves at constant speed, or swings about a mean. The model then follows
``p + slope (time - since) + swing sin(turn (time - since) + phase)`` (:class:`simulator.model.structure.Drive`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.errors import ModelError
from simulator.model.structure import Drive, Structure
from simulator.physics.special import cos, sin
from simulator.scenario.parts import ClampEvent, Event, SetEvent
from simulator.scenario.waveforms import Ramp, Sine, Table

__all__ = ["Stretch", "Target", "Wave", "changes", "drive", "followed", "following", "present", "speed", "stretches"]


#: What an event changes: a value by dotted path, or the command of the clamp of a membrane.
Target = tuple[str, str]


def changes(event: Event, number: int) -> dict[Target, tuple[Any, str]]:
    """What an event sets, and the path of that in the scenario, by target."""
    key = f"protocol.{number}"
    match event:
        case SetEvent():
            return {("value", path): (value, f"{key}.set.{path}") for path, value in event.set.items()}
        case ClampEvent():
            return {
                ("clamp", name): (clamp.potential, f"{key}.clamp.{name}.potential")
                for name, clamp in event.clamp.items()
            }
    return {}


@dataclass(frozen=True)
class Stretch:
    """What a value does from a time on.

    Parameters
    ----------
    begins : float or ndarray
        Time from the event on [s].
    value : float or ndarray
        Value at its beginning; of a sine, its mean.
    other : float, ndarray or None
        Value that is reached after `span`, or the mean plus the amplitude; None if the value is held.
    span : float or ndarray
        Duration of a movement [s].
    turn, phase : float or ndarray
        Angular frequency [rad/s] and phase [rad] of a sine; `turn` is 0 for a movement.
    """

    begins: Any
    value: Any
    other: Any = None
    span: Any = 0.0
    turn: Any = 0.0
    phase: Any = 0.0


def stretches(wave: Any, key: str, values: Mapping[str, Any], lasting: Any) -> list[Stretch]:
    """Stretches of what an event sets at `key`, from the scenario's values by dotted path.

    A value that is not a waveform is one stretch, held.
    """
    match wave:
        case Ramp():
            first, last = values[f"{key}.ramp.0"], values[f"{key}.ramp.1"]
            if wave.over is None:
                return [Stretch(0.0, first, last, lasting)]
            over = values[f"{key}.over"]
            return [Stretch(0.0, first, last, over), Stretch(over, last)]
        case Sine():
            mean = values[f"{key}.around"]
            per_second = 1.0 / values[f"{key}.period"] if wave.frequency is None else values[f"{key}.frequency"]
            turn, phase = 2.0 * np.pi * per_second, 2.0 * np.pi * values[f"{key}.phase"]
            return [Stretch(0.0, mean, mean + values[f"{key}.sine"], turn=turn, phase=phase)]
        case Table():
            count = len(wave.times)
            times, points = ([values[f"{key}.{name}.{i}"] for i in range(count)] for name in ("times", "values"))
            found = [Stretch(times[i], points[i], points[i + 1], times[i + 1] - times[i]) for i in range(count - 1)]
            return [Stretch(0.0, points[0]), *found, Stretch(times[-1], points[-1])]
    return [Stretch(0.0, values[key])]


@dataclass(frozen=True)
class Wave:
    """A stretch that is not held, as it acts on the parameters.

    Parameters
    ----------
    place : str
        Dotted path of the waveform in the scenario.
    stretch : Stretch
        The stretch.
    since : float or ndarray
        Time of its beginning [s].
    far : ndarray, shape (parameters,) or (runs, parameters)
        Parameters with the value replaced by :attr:`Stretch.other`.
    repeats : bool
        Whether it begins again with each repetition of the events around it.
    """

    place: str
    stretch: Stretch
    since: Any
    far: np.ndarray
    repeats: bool

    @property
    def timing(self) -> tuple[Any, ...]:
        """When it begins and how it runs: numbers, or arrays where they differ between runs."""
        return self.since, self.stretch.span, self.stretch.turn, self.stretch.phase


def drive(structure: Structure, parameters: np.ndarray, waves: list[Wave]) -> np.ndarray:
    """Let parameters follow waves.

    Parameters
    ----------
    structure : Structure
        The structure of the model.
    parameters : ndarray, shape (parameters,) or (runs, parameters)
        Parameters with each value as it is at the beginning of its stretch; filled in.
    waves : list of Wave
        The waves.

    Returns
    -------
    ndarray of float, shape (drives,)
        1 for each drive whose beginning moves along when events repeat, else 0.

    Raises
    ------
    ModelError
        If two waves move one parameter at the same time, as a scale of permeabilities and a ratio to it would.
    """
    place = {name: i for i, name in enumerate(structure.parameters)}
    moves = np.zeros(len(structure.drives))
    followed_already: dict[int, str] = {}
    for wave in waves:
        for number, own in enumerate(structure.drives):
            difference = wave.far[..., place[own.parameter]] - parameters[..., place[own.parameter]]
            if not np.any(difference):
                continue
            if number in followed_already:
                problem = f"this moves while {followed_already[number]} does, and the permeability is their product"
                raise ModelError(wave.place, problem, "one waveform at a time for a scale and a ratio to it")
            followed_already[number] = wave.place
            names, s = own.names, wave.stretch
            still = np.equal(s.turn, 0.0) & np.equal(s.span, 0.0)  # two points at one time
            if np.any(s.turn):
                parts = {"swing": difference, "turn": s.turn, "phase": s.phase}
            else:
                parts = {"slope": np.where(still, 0.0, difference / np.where(still, 1.0, s.span))}
            for part, value in (parts | {"since": wave.since}).items():
                parameters[..., place[names[part]]] = value
            moves[number] = float(wave.repeats)
    return moves


def followed(own: Drive, value: Any, part: Mapping[str, Any], time: Any) -> Any:
    """Present value of a parameter that follows a waveform, from where that begins; numbers, arrays or symbols."""
    elapsed = time - part["since"]
    if own.ramp:
        value = value + part["slope"] * elapsed
    if own.sine:
        value = value + part["swing"] * sin(part["turn"] * elapsed + part["phase"])
    return value


def speed(own: Drive, part: Mapping[str, Any], time: Any) -> Any:
    """Rate at which it changes [per second]."""
    found = part["slope"] if own.ramp else 0.0
    if own.sine:
        found = found + part["swing"] * part["turn"] * cos(part["turn"] * (time - part["since"]) + part["phase"])
    return found


def present(structure: Structure, parameters: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Parameters with the present values of those that follow waves, and no waves.

    Parameters
    ----------
    structure : Structure
        The structure of the model.
    parameters : ndarray, shape (..., parameters)
        Parameters in force.
    time : ndarray, shape (...)
        Time [s].
    """
    if not structure.drives:
        return parameters
    place = {name: i for i, name in enumerate(structure.parameters)}
    found = parameters.copy()
    for own in structure.drives:
        part = {name: found[..., place[p]] for name, p in own.names.items()}
        found[..., place[own.parameter]] = followed(own, found[..., place[own.parameter]], part, time)
        for name in ("slope", "swing"):
            if name in own.names:
                found[..., place[own.names[name]]] = 0.0
    return found


def following(structure: Structure, parameters: np.ndarray, *parts: str) -> np.ndarray:
    """Whether parameters follow a ramp (part ``slope``) or a sine (``swing``).

    `parameters` have the shape (runs, parameters), the result (runs,). Without parts, either counts.
    """
    wanted = parts or ("slope", "swing")
    names = [name for own in structure.drives for part, name in own.names.items() if part in wanted]
    place = [structure.parameters.index(name) for name in names]
    return np.any(parameters[:, place] != 0.0, axis=1)
