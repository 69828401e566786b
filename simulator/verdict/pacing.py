"""Whether a run follows a periodic protocol: the same state again before each pulse, or before every second or third.

A run is paced at its end when a pulse train of its protocol would go on there. Its last state is then followed through
more pulses by the model's own kernel, and looked at just before each of them. A run follows its stimulus when these
states agree within :data:`REPEATS`. Concentrations may still drift slowly under the beats; how fast is part of the
result.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

import numpy as np

from simulator.kernel import load_program
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.model.protocol import Schedule, schedule
from simulator.scenario.parts import SetEvent
from simulator.verdict.lookahead import TOLERANCE

__all__ = ["Pacing", "Repetition", "pacing", "repetition"]

#: Largest scaled difference between the states before two pulses that counts as a repetition.
REPEATS = 1.0e-3

#: Most periods of the stimulus after which the state may repeat, and periods that are followed.
LONGEST, FOLLOWED = 4, 12

#: Samples of one repetition: evenly spaced, and at growing distances after each event.
EVEN, AFTER_EVENT, FIRST_AFTER = 1025, 400, 1.0e-5

#: Most intervals of the fastest of several pulse trains until all of them start together again.
MOST_INTERVALS = 60

#: Attempted steps between two events before the search is given up.
PATIENCE = 100_000


@dataclass(frozen=True)
class Pacing:
    """The pulse trains that go on at the end of a run.

    Parameters
    ----------
    period : float
        Time after which the stimulus repeats [s].
    next_pulse : float
        Time from the end of the run to the next pulse of the slowest train [s].
    pulses : Schedule
        What the trains do from then on; times [s] count from the end of the run.
    """

    period: float
    next_pulse: float
    pulses: Schedule


@dataclass(frozen=True)
class Repetition:
    """One repetition of a run that follows its stimulus.

    Parameters
    ----------
    stimulus : float
        Period of the stimulus [s].
    beats : int
        Periods of the stimulus after which the state repeats: 1; 2 in alternans or a 2:1 block.
    miss : float
        Largest scaled difference from one repetition to the next.
    drift : ndarray, shape (states,)
        Rate at which each state drifts, relative to its size [1/s].
    states : ndarray, shape (samples, states)
        States of one repetition.
    parameters : ndarray, shape (samples, parameters)
        Parameters in force.
    """

    stimulus: float
    beats: int
    miss: float
    drift: np.ndarray
    states: np.ndarray
    parameters: np.ndarray


def pacing(model: Model) -> Pacing | None:
    """The pulse trains that go on at the end of a run; None if there are none, or if together they never repeat."""
    values, end, protocol = model.values, model.scenario.run.duration, model.scenario.protocol
    interval: dict[int, float] = {}
    onset: dict[int, float] = {}  # of the last pulse that has begun
    for i, event in enumerate(protocol):
        if isinstance(event, SetEvent) and event.times is not None:
            at, every = values[f"protocol.{i}.at"], values[f"protocol.{i}.every"]
            if at <= end < at + event.times * every:
                interval[i] = every
                onset[i] = at + np.floor((end - at) / every * (1.0 + 1.0e-12)) * every
    if not interval:
        return None
    shortest = min(interval.values())
    ratio = {i: round(every / shortest) for i, every in interval.items()}
    together = lcm(*ratio.values())
    if together > MOST_INTERVALS or any(abs(ratio[i] * shortest / t - 1.0) > 1.0e-9 for i, t in interval.items()):
        return None
    coming = {i: (FOLLOWED + LONGEST) * together // n + 2 for i, n in ratio.items()}
    endless = (e.model_copy(update={"times": coming[i]}) if i in coming else e for i, e in enumerate(protocol))
    scenario = model.scenario.model_copy(update={"protocol": tuple(endless)})
    numbers = values | {f"protocol.{i}.at": time for i, time in onset.items()}
    whole = schedule(scenario, model.structure, numbers, 1)
    later = whole.time[0] >= end
    slowest = max(interval, key=lambda i: interval[i])
    pulses = Schedule(whole.time[:, later] - end, whole.parameters[:, later])
    return Pacing(shortest * together, float(onset[slowest] + interval[slowest] - end), pulses)


def repetition(model: Model, paced: Pacing, state: np.ndarray, parameters: np.ndarray) -> Repetition | None:
    """One repetition of what follows a state; None where it does not repeat with its stimulus.

    Parameters
    ----------
    model : Model
        The model.
    paced : Pacing
        The pulses to come.
    state, parameters : ndarray
        Last state of the run, and the parameters in force there.
    """
    counted = ~model.structure.places("clock")
    before = _followed(model, paced, state, parameters, paced.next_pulse + paced.period * np.arange(FOLLOWED + 1))
    if before is None:
        return None
    sizes = np.maximum(np.abs(before[0]), model.scales())
    change = np.where(counted, (before - before[0]) / sizes, 0.0)

    def miss(first: int, second: int) -> float:
        return float(np.max(np.abs(change[second] - change[first]), initial=0.0))

    for beats in range(1, LONGEST + 1):
        if max(miss(0, beats), miss(FOLLOWED - beats, FOLLOWED)) < REPEATS:
            times = _samples(paced, beats)
            states = _followed(model, paced, state, parameters, times)
            if states is None:
                return None
            whole = FOLLOWED - FOLLOWED % beats
            return Repetition(
                stimulus=paced.period,
                beats=beats,
                miss=miss(FOLLOWED - beats, FOLLOWED),
                drift=change[whole] / (whole * paced.period),
                states=states,
                parameters=paced.pulses.at(times, parameters[None])[0],
            )
    return None


def _samples(paced: Pacing, beats: int) -> np.ndarray:
    """Times that resolve what happens in one repetition [s]: slowly between the events, fast after them."""
    start, length = paced.next_pulse, paced.period * beats
    events = paced.pulses.time[0]
    events = events[(events >= start) & (events < start + length)]
    after = (events[:, None] + np.geomspace(FIRST_AFTER, length, AFTER_EVENT)).ravel()
    times = np.union1d(start + length * np.linspace(0.0, 1.0, EVEN), after)
    return times[times <= start + length]


def _followed(
    model: Model, paced: Pacing, state: np.ndarray, parameters: np.ndarray, times: np.ndarray
) -> np.ndarray | None:
    """States at times after the end of the run, shape (times, states); None where the kernel does not get there."""
    start, pulses = paced.pulses.after_start(parameters[None])
    found = load_program(model.structure).integrate(
        state[None],
        start,
        model.scales()[None],
        times[-1:],
        times,
        event_time=pulses.time,
        event_parameters=pulses.parameters,
        rtol=TOLERANCE,
        max_steps=PATIENCE,
    )
    return found.saved[0] if found.status[0] == Status.OK else None
