"""What follows the end of a run that is not at rest, as part of its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.names import amount, concentration, voltage, volume
from simulator.physics.notation import duration
from simulator.trajectory.arrangement import named
from simulator.trajectory.spikes import most_spikes
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.cycle import Cycle
from simulator.verdict.lookahead import look_ahead

#: Least growth since the last event, as final relative growth rate times elapsed time, that is a run-away.
BEGUN = 0.1


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
class Prospect:
    """The word for a run that is not at rest, and what follows."""

    word: str
    ahead: str = ""
    time_to_rest: float = np.nan
    oscillation: Oscillation | None = None
    run_away: RunAway | None = None


def prospect(trajectory: Trajectory) -> Prospect:
    """Find what follows the last state of a run that is not at rest."""
    state, parameters = trajectory.states[-1], trajectory.parameters[-1]
    future = look_ahead(trajectory.model, state, parameters)
    if future.rest is not None:
        return Prospect("not_converged", f"{duration(future.time)} still to go", time_to_rest=future.time)
    if future.cycle is not None:
        found = _oscillation(trajectory, future.cycle, state, parameters)
        parts = [f"{1e3 * v:.3g} mV in {m}" for m, v in found.potential.items() if v > 0.0]
        spikes = f" with {found.spikes} spikes" if found.spikes > 1 else ""
        swing = f", {' and '.join(parts)} from peak to peak" if parts else ""
        return Prospect("oscillation", f"period {duration(found.period)}{spikes}{swing}", oscillation=found)
    if future.growth is not None:
        growth = RunAway(_in_words(trajectory, future.growth.quantity), future.growth.rate, future.growth.exponent)
        ahead = f"the {growth.quantity} grows without end"
        since = float(trajectory.time[-1]) - max((e.time for e in trajectory.model.events()), default=0.0)
        if growth.rate * since < BEGUN:
            return Prospect("not_converged", f"{ahead} from here")
        ahead += f", now by {100 * growth.rate * 3600.0:.3g} % per hour"
        return Prospect("run_away", ahead, run_away=growth)
    if future.failure:
        return Prospect("not_converged", f"and it fails in {duration(future.time)} ({future.failure})")
    return Prospect("not_converged", "no rest point or cycle found ahead")


def _in_words(trajectory: Trajectory, name: str) -> str:
    """Description of a volume or an amount, from its name in the equations."""
    for c in trajectory.structure.compartments:
        if name == volume(c.name):
            return f"volume of {c.name}"
        for s in c.species:
            if name == amount(c.name, s):
                return f"amount of {s} in {c.name}"
    return name


def _oscillation(trajectory: Trajectory, cycle: Cycle, state: np.ndarray, parameters: np.ndarray) -> Oscillation:
    structure = trajectory.structure
    states = cycle.states * np.maximum(np.abs(state), trajectory.model.scales())
    numbers = named(structure, states, parameters)
    voltages = np.array([np.broadcast_to(numbers[voltage(m.name)], len(states)) for m in structure.membranes]).T
    return Oscillation(
        period=float(cycle.period),
        spikes=len(most_spikes(np.vstack([voltages, voltages[:1]]))),  # close the cycle
        potential={m.name: float(np.ptp(numbers[voltage(m.name)])) for m in structure.membranes},
        concentration={
            c.name: {s: float(np.ptp(numbers[concentration(c.name, s)])) for s in c.states}
            for c in structure.compartments
            if c.volume != "bath"
        },
        distance=cycle.distance,
    )
