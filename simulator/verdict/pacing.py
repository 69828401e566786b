"""Whether a run follows a periodic protocol: the same state again before each pulse, or before every second or third.

A run is paced at its end when a pulse train of its protocol would go on there. Its last state is then followed through
more pulses by the model's own kernel, and looked at just before each of them. A run follows its stimulus when these
states agree within :data:`REPEATS`. Concentrations may still drift slowly under the beats; how fast is part of the
result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator.model.protocol import Schedule, schedule
from simulator.model.repetition import CommonPeriod, common_period
from simulator.scenario.parts import ClampEvent, Event, ReleaseEvent, SetEvent, TimedEvent
from simulator.scenario.waveforms import Ramp
from simulator.verdict.ends import Ends
from simulator.verdict.following import Course, Following
from simulator.verdict.lookahead import TOLERANCE

__all__ = ["SMALLEST_SWING", "Pacing", "Repetition", "paced_course", "pacings", "repetition"]

#: Largest scaled difference between the states before two pulses that counts as a repetition.
REPEATS = 1.0e-3

#: Largest scaled change of any state during a period that is still no answer to the stimulus.
SMALLEST_SWING = 1.0e-6

#: Most periods of the stimulus after which the state may repeat, and periods that are followed.
LONGEST, FOLLOWED = 4, 12

#: Samples of one repetition: evenly spaced, and at growing distances after each event.
EVEN, AFTER_EVENT, FIRST_AFTER = 1025, 400, 1.0e-5

#: Most intervals of the fastest of several pulse trains until all of them start together again.
MOST_INTERVALS = 60

#: Attempted steps between two events before the search is given up.
PATIENCE = 100_000

#: Time [s] that no search reaches; events of a protocol come before 1e12 s.
NEVER = 1.0e15


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
    swing : float
        Largest scaled change of a state during the repetition.
    course : Course
        The repetition, with times that resolve it.
    """

    stimulus: float
    beats: int
    miss: float
    drift: np.ndarray
    swing: float
    course: Course


@dataclass(frozen=True)
class _Trains:
    """The pulse trains that have begun and not ended at the end of a run, and the sines that go on.

    Parameters
    ----------
    events : tuple of int
        Number of each train's event; sines have numbers after those of all events.
    together : CommonPeriod
        Time after which all of them start together again.
    onsets : tuple of float
        Time [s] of the last pulse of each train that has begun.
    next_pulse : float
        Time [s] of the next pulse of the slowest train.
    """

    events: tuple[int, ...]
    together: CommonPeriod
    onsets: tuple[float, ...]
    next_pulse: float

    @property
    def pattern(self) -> tuple[tuple[int, int], ...]:
        """Each event and its number of intervals in the common period."""
        return tuple(zip(self.events, self.together.intervals, strict=True))


def pacings(ends: Ends) -> dict[int, Pacing | None]:
    """The pulse trains and sines that go on at the ends of runs, by run; None for those that together never repeat."""
    repeats = any(isinstance(e, TimedEvent) and e.every is not None for e in ends.model.scenario.protocol)
    if not repeats and not np.any(ends.swung):
        return {}
    alike: defaultdict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    trains: dict[int, _Trains] = {}
    found: dict[int, Pacing | None] = {}
    for run in range(len(ends)):
        interval, onset = _going_on(ends, run)
        if not interval:
            continue
        together = common_period(list(interval.values()))
        if together is None or max(together.intervals) > MOST_INTERVALS:
            found[run] = None
            continue
        slowest = max(interval, key=lambda i, every=interval: every[i])  # type: ignore[misc]
        next_pulse = onset[slowest] + interval[slowest]
        trains[run] = _Trains(tuple(interval), together, tuple(onset.values()), next_pulse)
        alike[trains[run].pattern].append(run)
    for runs in alike.values():
        found |= _pacings(ends.part(np.array(runs)), {i: trains[run] for i, run in enumerate(runs)}, runs)
    return found


def _going_on(ends: Ends, run: int) -> tuple[dict[int, float], dict[int, float]]:
    """Intervals and last onsets [s] of the trains and sines that go on at the end of a run, by number."""
    end, interval, onset = ends.model.scenario.run.duration, {}, {}
    for i, event in enumerate(ends.model.scenario.protocol):
        if not isinstance(event, ReleaseEvent) and event.every is not None:
            at, every = ends.value(f"protocol.{i}.at", run), ends.value(f"protocol.{i}.every", run)
            if at <= end < at + (event.times or np.inf) * every:
                interval[i] = every
                onset[i] = float(at + np.floor((end - at) / every * (1.0 + 1.0e-12)) * every)
    for i, period in enumerate(_periods_of_sines(ends, run), start=len(ends.model.scenario.protocol)):
        interval[i], onset[i] = period, end
    return interval, onset


def _periods_of_sines(ends: Ends, run: int) -> list[float]:
    """Periods of the sines that go on at the end of a run [s]."""
    found, place = [], {name: i for i, name in enumerate(ends.model.structure.parameters)}
    for drive in ends.model.structure.drives:
        if drive.sine and ends.running[run, place[drive.names["swing"]]]:
            found.append(2.0 * np.pi / float(ends.running[run, place[drive.names["turn"]]]))
    return list(dict.fromkeys(found))


def _pacings(ends: Ends, trains: dict[int, _Trains], numbers: list[int]) -> dict[int, Pacing | None]:
    """Pacing of runs whose trains have the same intervals in a common period; the result is by their numbers."""
    scenario = ends.model.scenario
    coming = {i: (FOLLOWED + LONGEST) * n + 2 for i, n in trains[0].pattern}
    events = list(scenario.protocol)
    for i, event in enumerate(events):
        if not isinstance(event, ReleaseEvent) and event.every is not None:  # one that has not begun matters no more
            events[i] = event.model_copy(update={"times": coming.get(i, event.times or 1)})
    starts = {
        f"protocol.{i}.at": np.array([trains[run].onsets[place] for run in range(len(ends))])
        for place, i in enumerate(trains[0].events)
    }
    values = {**ends.values, **_as_it_stands(ends), **starts}
    whole = schedule(scenario.with_protocol(tuple(events)), ends.model.structure, values, len(ends), np.inf)
    end = scenario.run.duration
    found: dict[int, Pacing | None] = {}
    for run, number in enumerate(numbers):
        later = (whole.time[run] >= end) & np.isfinite(whole.time[run])
        pulses = Schedule(whole.structure, whole.table[run, later][None]).later(np.array([end]))
        found[number] = Pacing(trains[run].together.period, trains[run].next_pulse - end, pulses)
    return found


def _as_it_stands(ends: Ends) -> dict[str, np.ndarray]:
    """Values by dotted path with which single events change nothing after the end: what is in force there stays.

    So a sine whose event lasts just as long as the run counts as one that goes on.
    """
    found, end = {}, ends.model.scenario.run.duration
    for i, event in enumerate(ends.model.scenario.protocol):
        lasting = event.lasting if isinstance(event, TimedEvent) else None
        if not isinstance(event, TimedEvent) or event.every is None:
            at = ends.values[f"protocol.{i}.at"]
            found[f"protocol.{i}.at"] = np.where((at >= end) & (at > 0.0), NEVER, at)
            if lasting is not None and not any(isinstance(w, Ramp) and w.over is None for w in _waves(event)):
                lasts = ends.values[f"protocol.{i}.lasting"]
                found[f"protocol.{i}.lasting"] = np.where(at + lasts >= end, NEVER, lasts)
    return found


def _waves(event: Event) -> Iterator[object]:
    """What an event sets, or clamps to."""
    if isinstance(event, SetEvent):
        yield from event.set.values()
    elif isinstance(event, ClampEvent):
        yield from (clamp.potential for clamp in event.clamp.values())


def repetition(ends: Ends, run: int, paced: Pacing) -> Following[Repetition | None]:
    """Search for one repetition of what follows the end of a run; None where it does not repeat with its stimulus.

    Parameters
    ----------
    ends : Ends
        The ends of runs.
    run : int
        Index of the run among them.
    paced : Pacing
        The pulses to come.
    """
    counted = ~ends.model.structure.places("clock")
    before = yield paced_course(ends, run, paced, paced.next_pulse + paced.period * np.arange(FOLLOWED + 1))
    if not np.all(np.isfinite(before)):
        return None
    sizes = np.maximum(np.abs(before[0]), ends.scales[run])
    change = np.where(counted, (before - before[0]) / sizes, 0.0)

    def miss(first: int, second: int) -> float:
        return float(np.max(np.abs(change[second] - change[first]), initial=0.0))

    for beats in range(1, LONGEST + 1):
        if max(miss(0, beats), miss(FOLLOWED - beats, FOLLOWED)) < REPEATS:
            course = paced_course(ends, run, paced, _samples(paced, beats))
            states = yield course
            if not np.all(np.isfinite(states)):
                return None
            sizes = np.maximum(np.abs(states[0]), ends.scales[run])
            whole = FOLLOWED - FOLLOWED % beats
            return Repetition(
                stimulus=paced.period,
                beats=beats,
                miss=miss(FOLLOWED - beats, FOLLOWED),
                drift=change[whole] / (whole * paced.period),
                swing=float(np.max(np.ptp(states, axis=0) / sizes, initial=0.0)),
                course=course,
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


def paced_course(ends: Ends, run: int, paced: Pacing, times: np.ndarray) -> Course:
    """What follows the end of a run under its pulses, at times [s] after that end."""
    parameters, pulses = paced.pulses.after_start(ends.running[[run]])
    return Course(
        ends.states[run], ends.scales[run], parameters[0], times, float(times[-1]), TOLERANCE, PATIENCE, pulses
    )
