"""The evidence for a run that is not at rest: entrained, oscillating, running away or still changing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.model.names import concentration, voltage
from simulator.model.structure import Structure
from simulator.model.waves import present
from simulator.physics.notation import duration, format_quantity
from simulator.trajectory.arrangement import named
from simulator.trajectory.spikes import most_spikes
from simulator.verdict.cycle import Cycle
from simulator.verdict.ends import Ends
from simulator.verdict.following import Course, Lanes
from simulator.verdict.judged import Judged, grown
from simulator.verdict.lookahead import PATIENCE, TOLERANCE, time_to_rest
from simulator.verdict.pacing import Repetition, pacings
from simulator.verdict.words import WORDS

#: Relative drift per hour that is worth a word.
WORTH_SAYING = 1.0e-3

#: Samples of a cycle, and attempted steps of one turn.
SAMPLES, LONGEST_TURN = 200_001, 500 * PATIENCE

ORDINALS = {2: "second", 3: "third", 4: "fourth"}


@dataclass(frozen=True)
class Oscillation:
    """A cycle that a run has reached.

    Parameters
    ----------
    period : float
        Its period [s].
    spikes : int
        Spikes in one period of the membrane that has the most; several in a burst, none in a slow swing below 0 V.
    potential : mapping of str to float
        Peak-to-peak amplitude of each membrane potential [V].
    concentration : mapping
        Peak-to-peak amplitude of each concentration [mol/m3], by compartment and species.
    distance : float
        Scaled distance of the last state to the cycle.
    """

    period: float
    spikes: int
    potential: Mapping[str, float]
    concentration: Mapping[str, Mapping[str, float]]
    distance: float


@dataclass(frozen=True)
class Entrainment:
    """A run that follows its stimulus.

    Parameters
    ----------
    stimulus, period : float
        Periods [s] of the stimulus and of the run; the latter is the longer one in alternans or a block.
    beats : int
        Periods of the stimulus in one of the run.
    spikes : int
        Spikes in one period of the run, of the membrane that has most.
    potential : mapping of str to float
        Peak-to-peak amplitude of each membrane potential [V].
    concentration : mapping
        Peak-to-peak amplitude of each concentration [mol/m3], by compartment and species.
    distance : float
        Largest scaled difference from one period to the next.
    drifting : str
        The volume or amount that drifts fastest under the beats, in words.
    drift : float
        Rate at which it does, relative to its size [1/s].
    """

    stimulus: float
    period: float
    beats: int
    spikes: int
    potential: Mapping[str, float]
    concentration: Mapping[str, Mapping[str, float]]
    distance: float
    drifting: str
    drift: float


@dataclass(frozen=True)
class RunAway:
    """Growth without end.

    Parameters
    ----------
    quantity : str
        What grows, e.g. ``volume of cell``.
    rate : float
        Its relative growth rate at the last state [1/s].
    exponent : float
        Final power of time with which it grows; infinite if faster than any power.
    """

    quantity: str
    rate: float
    exponent: float


@dataclass(frozen=True)
class WhatFollows:
    """What follows the end of a run: a clause, the time until rest [s], and the evidence for the word."""

    ahead: str = ""
    time_to_rest: float = np.nan
    oscillation: Oscillation | None = None
    run_away: RunAway | None = None
    entrainment: Entrainment | None = None


def what_follows(ends: Ends, found: Judged) -> WhatFollows:
    """What follows the end of a single run, from what its word was found from."""
    if WORDS[found.words[0]] == "entrained":
        return _entrained(ends, found.repetitions[0])
    if ends.finished[0] and (moved := _moved(ends)):
        return WhatFollows(f"as the protocol still moves {' and '.join(moved)}")
    if 0 in found.futures:
        return _moving(ends, found)
    if not found.repetitions:
        return WhatFollows()
    if pacings(ends)[0] is None:
        return WhatFollows("pulses and sines of the protocol have no common period")
    return WhatFollows("not the same from pulse to pulse")


def _moved(ends: Ends) -> list[str]:
    """What ramps of the protocol still move at the end of a single run."""
    targets = dict.fromkeys(target for target, runs in ends.ramps() if runs[0])
    return [f"the clamp of {name}" if kind == "clamp" else name for kind, name in targets]


def _entrained(ends: Ends, found: Repetition | None) -> WhatFollows:
    assert found is not None
    structure, course = ends.model.structure, found.course
    assert course.events is not None
    states = Lanes(structure).followed(course)
    running = course.events.at(course.times, course.parameters[None], running=True)[0]
    in_force = present(structure, running, course.times + ends.model.scenario.run.duration)
    kept = np.where(structure.places("amount", "volume"), np.abs(found.drift), 0.0)
    fastest = int(np.argmax(kept))
    entrained = Entrainment(
        stimulus=found.stimulus,
        period=found.stimulus * found.beats,
        beats=found.beats,
        **_swing(structure, states, in_force),
        distance=found.miss,
        drifting=structure.in_words(structure.states[fastest]),
        drift=float(found.drift[fastest]),
    )
    return WhatFollows(_paced_clause(entrained), entrainment=entrained)


def _paced_clause(found: Entrainment) -> str:
    parts = [f"period {format_quantity(found.period, 's')}"]
    if found.beats > 1:
        parts.append(f"the same at every {ORDINALS[found.beats]} pulse")
    if found.spikes != 1:
        parts.append(f"{found.spikes or 'no'} spike{'s' if found.spikes else ''}")
    parts += _amplitudes(found.potential)
    slow = (
        f"; the {found.drifting} drifts by {_percent_per_hour(found.drift)}"
        if abs(3600.0 * found.drift) > WORTH_SAYING
        else ""
    )
    return ", ".join(parts) + slow


def _percent_per_hour(rate: float) -> str:
    """A relative rate [1/s] in words; exponents are for physicists."""
    return f"{float(f'{360_000.0 * rate:.3g}'):,.9g} % per hour"


def _amplitudes(potential: Mapping[str, float]) -> list[str]:
    swings = [f"{1e3 * v:.3g} mV in {m}" for m, v in potential.items() if v > 0.0]
    return [f"{' and '.join(swings)} from peak to peak"] if swings else []


def _moving(ends: Ends, found: Judged) -> WhatFollows:
    """What follows a run that is not at rest and has no pulses to follow."""
    structure, future = ends.model.structure, found.futures[0]
    if future.rests:
        time = time_to_rest(ends, 0, future)
        return WhatFollows(f"rest is {duration(time)} away", time_to_rest=time)
    if future.cycle is not None:
        return _oscillating(ends, future.cycle)
    if future.growth is not None:
        growth = RunAway(structure.in_words(future.growth.quantity), future.growth.rate, future.growth.exponent)
        ahead = f"the {growth.quantity} grows without end"
        if not grown(future, float(ends.since[0])):
            return WhatFollows(f"{ahead} from here")
        return WhatFollows(f"{ahead}, now by {_percent_per_hour(growth.rate)}", run_away=growth)
    if future.failure:
        return WhatFollows(f"and it fails in {duration(future.time)} ({future.failure})")
    return WhatFollows("no rest point or cycle found ahead")


def _oscillating(ends: Ends, cycle: Cycle) -> WhatFollows:
    structure, parameters, size = ends.model.structure, ends.parameters[0], ends.sizes[0]
    times = np.linspace(0.0, cycle.period, SAMPLES)
    turn = Course(cycle.state * size, ends.scales[0], parameters, times, cycle.period, TOLERANCE, LONGEST_TURN)
    swing = _swing(structure, Lanes(structure).followed(turn), parameters)
    found = Oscillation(period=cycle.period, **swing, distance=cycle.distance)
    spikes = f" with {found.spikes} spikes" if found.spikes > 1 else ""
    clause = ", ".join([f"period {duration(found.period)}{spikes}", *_amplitudes(found.potential)])
    return WhatFollows(clause, oscillation=found)


def _swing(structure: Structure, states: np.ndarray, parameters: np.ndarray) -> dict[str, Any]:
    """Spikes, and peak-to-peak amplitudes of potentials and concentrations, over one period."""
    numbers = named(structure, states, parameters)
    voltages = np.array([np.broadcast_to(numbers[voltage(m.name)], len(states)) for m in structure.membranes]).T
    return {
        "spikes": len(most_spikes(np.vstack([voltages, voltages[:1]]))),  # once around
        "potential": {m.name: float(np.ptp(v)) for m, v in zip(structure.membranes, voltages.T, strict=True)},
        "concentration": {
            c.name: {s: float(np.ptp(numbers[concentration(c.name, s)])) for s in c.states}
            for c in structure.compartments
            if c.volume != "bath"
        },
    }
