"""Where waveforms turn: what an event sets at its start, at its end and at the extremes of each waveform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from simulator.model.structure import Drive
from simulator.model.waves import Stretch, followed, stretches
from simulator.scenario.parts import SetEvent

__all__ = ["passed"]


def passed(event: SetEvent, number: int, values: Mapping[str, Any], duration: float) -> Iterator[dict[str, Any]]:
    """Values by dotted path that an event sets together, at each of its turning points; last those that stay.

    Parameters
    ----------
    event : SetEvent
        The event.
    number : int
        Its place in the protocol.
    values : mapping
        Values of the scenario by dotted path, numbers or arrays of shape (runs,).
    duration : float
        Duration of the run [s].
    """
    key = f"protocol.{number}"
    lasting = values.get(f"{key}.lasting", np.inf)
    waves = {path: stretches(wave, f"{key}.set.{path}", values, lasting) for path, wave in event.set.items()}
    end = np.minimum(lasting, duration - values[f"{key}.at"])
    for time in [time for parts in waves.values() for time in _turns(parts)]:
        for before in (True, False):  # two points of a table at one time are a jump
            yield {path: _level(parts, np.minimum(time, end), before) for path, parts in waves.items()}
    for place in (0, -1) if event.lasting is None else (0,):
        yield {path: parts[place].value for path, parts in waves.items()}


def _turns(parts: Sequence[Stretch]) -> list[Any]:
    """Times after the event at which a waveform is highest, lowest and last."""
    if np.any(parts[0].turn):
        ahead = parts[0].phase / (2.0 * np.pi)
        return [(quarter - ahead) % 1.0 * 2.0 * np.pi / parts[0].turn for quarter in (0.25, 0.75)]
    points = [(s.begins, s.value) for s in parts]
    points += [(s.begins + s.span, s.other) for s in parts[-1:] if s.other is not None]
    if len(points) == 1:
        return []
    shaped = np.broadcast_arrays(*(number for point in points for number in point))
    times, levels = np.stack(shaped[::2]), np.stack(shaped[1::2])
    extremes = [np.expand_dims(of(levels, axis=0), 0) for of in (np.argmax, np.argmin)]
    return [np.take_along_axis(times, at, axis=0)[0] for at in extremes] + [times[-1]]


def _level(parts: Sequence[Stretch], time: Any, before: bool) -> Any:
    """Value of a waveform at a time after the event, or just before that."""
    found = parts[0].value
    for s in parts:
        if s.other is None:
            value = s.value
        else:
            still = np.equal(s.span, 0.0)
            part = {"since": s.begins, "swing": s.other - s.value, "turn": s.turn, "phase": s.phase}
            part["slope"] = np.where(still, 0.0, part["swing"] / np.where(still, 1.0, s.span))
            swings = bool(np.any(s.turn))
            value = followed(Drive("", not swings, swings), s.value, part, time)
        begun = np.greater(time, s.begins) if before else np.greater_equal(time, s.begins)
        found = np.where(begun, value, found)
    return found
