"""The verdict on a run that is not at rest: entrained, oscillating, running away or still changing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.model.names import concentration, voltage
from simulator.physics.notation import duration, format_quantity
from simulator.trajectory.arrangement import named
from simulator.trajectory.spikes import most_spikes
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.lookahead import look_ahead
from simulator.verdict.pacing import pacing, repetition

#: Least growth since the last event, as final relative growth rate times elapsed time, that is a run-away.
BEGUN = 0.1

#: Largest scaled change of any state during a period that is still no answer to the stimulus.
SMALLEST_SWING = 1.0e-6

#: Relative drift per hour that is worth a word.
WORTH_SAYING = 1.0e-3

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
class Judgement:
    """The word for a run that is not at rest, and what follows."""

    word: str
    ahead: str = ""
    time_to_rest: float = np.nan
    oscillation: Oscillation | None = None
    run_away: RunAway | None = None
    entrainment: Entrainment | None = None


def follows_its_stimulus(trajectory: Trajectory) -> Judgement | None:
    """The word for a run whose pulses would go on at its end; None for one without, or where they change nothing."""
    model, state, parameters = trajectory.model, trajectory.states[-1], trajectory.parameters[-1]
    paced = pacing(model)
    if paced is None:
        return None
    found = repetition(model, paced, state, parameters)
    if found is None:
        return Judgement("not_converged", "not the same from pulse to pulse")
    sizes = np.maximum(np.abs(found.states[0]), model.scales())
    if np.max(np.ptp(found.states, axis=0) / sizes) < SMALLEST_SWING:
        return None
    swing = _swing(trajectory, found.states, found.parameters)
    kept = np.where(model.structure.places("amount", "volume"), np.abs(found.drift), 0.0)
    fastest = int(np.argmax(kept))
    entrained = Entrainment(
        stimulus=found.stimulus,
        period=found.stimulus * found.beats,
        beats=found.beats,
        **swing,
        distance=found.miss,
        drifting=model.structure.in_words(model.structure.states[fastest]),
        drift=float(found.drift[fastest]),
    )
    return Judgement("entrained", _paced_clause(entrained), entrainment=entrained)


def _paced_clause(found: Entrainment) -> str:
    parts = [f"period {format_quantity(found.period, 's')}"]
    if found.beats > 1:
        parts.append(f"the same at every {ORDINALS[found.beats]} pulse")
    if found.spikes != 1:
        parts.append(f"{found.spikes or 'no'} spike{'s' if found.spikes else ''}")
    parts += _amplitudes(found.potential)
    hourly = 3600.0 * found.drift
    slow = f"; the {found.drifting} drifts by {100 * hourly:+.2g} % per hour" if abs(hourly) > WORTH_SAYING else ""
    return ", ".join(parts) + slow


def _amplitudes(potential: Mapping[str, float]) -> list[str]:
    swings = [f"{1e3 * v:.3g} mV in {m}" for m, v in potential.items() if v > 0.0]
    return [f"{' and '.join(swings)} from peak to peak"] if swings else []


def oscillating_growing_or_changing(trajectory: Trajectory) -> Judgement:
    """The word for a run that is not at rest and has no pulses to follow, by what follows its last state."""
    state, parameters = trajectory.states[-1], trajectory.parameters[-1]
    future = look_ahead(trajectory.model, state, parameters)
    if future.rest is not None:
        return Judgement("not_converged", f"rest is {duration(future.time)} away", time_to_rest=future.time)
    if future.cycle is not None:
        states = future.cycle.states * np.maximum(np.abs(state), trajectory.model.scales())
        swing = _swing(trajectory, states, parameters)
        found = Oscillation(period=float(future.cycle.period), **swing, distance=future.cycle.distance)
        spikes = f" with {found.spikes} spikes" if found.spikes > 1 else ""
        clause = ", ".join([f"period {duration(found.period)}{spikes}", *_amplitudes(found.potential)])
        return Judgement("oscillation", clause, oscillation=found)
    if future.growth is not None:
        growth = RunAway(
            trajectory.structure.in_words(future.growth.quantity), future.growth.rate, future.growth.exponent
        )
        ahead = f"the {growth.quantity} grows without end"
        since = float(trajectory.time[-1]) - max((e.time for e in trajectory.model.events()), default=0.0)
        if growth.rate * since < BEGUN:
            return Judgement("not_converged", f"{ahead} from here")
        ahead += f", now by {100 * growth.rate * 3600.0:.3g} % per hour"
        return Judgement("run_away", ahead, run_away=growth)
    if future.failure:
        return Judgement("not_converged", f"and it fails in {duration(future.time)} ({future.failure})")
    return Judgement("not_converged", "no rest point or cycle found ahead")


def _swing(trajectory: Trajectory, states: np.ndarray, parameters: np.ndarray) -> dict[str, Any]:
    """Spikes, and peak-to-peak amplitudes of potentials and concentrations, over one period."""
    structure = trajectory.structure
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
