"""Saved states under a moving voltage clamp, corrected so that the amplifier's current can be read off them.

An amplifier holds its membrane by a current that is its conductance times what is left of the deviation, some
10^-10 V for every pA on a membrane of 10 pF. Between two steps a state is interpolated, and the interpolation of a
moving command errs by more than that. How fast the potential moves is known, though: as fast as the command. So each
saved state gets the deviation at which it does. (A command at rest needs none of this: interpolation errors vanish with
the movement.)
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from simulator.kernel import load_arrays
from simulator.mechanisms import CLAMP
from simulator.model.moments import CLAMP_TIME
from simulator.model.names import charge, parameter_name, potential, voltage
from simulator.model.protocol import Schedule
from simulator.model.structure import Drive, MembraneStructure, Structure
from simulator.model.waves import present, speed

__all__ = ["follow_commands"]

#: Time constants of a clamp after which its membrane follows.
SETTLED = 50.0


def follow_commands(
    structure: Structure, events: Schedule, start: np.ndarray, states: np.ndarray, time: np.ndarray
) -> None:
    """Correct saved states under moving commands, in place.

    Parameters
    ----------
    structure : Structure
        The model's structure.
    events : Schedule
        Changes of the parameters.
    start : ndarray, shape (runs, parameters)
        Parameters before them.
    states : ndarray, shape (runs, times, states)
        States.
    time : ndarray, shape (times,)
        Their times [s].
    """
    moving = _moving(structure)
    if not moving:
        return
    equations, place = load_arrays(structure), {name: i for i, name in enumerate(structure.parameters)}
    running = events.at(time, start, running=True)
    times = np.broadcast_to(time, states.shape[:2])
    parameters = present(structure, running, times)
    last = np.max(events.last_times(times), axis=1, initial=0.0)
    settled = (times - last > SETTLED * CLAMP_TIME) & np.all(np.isfinite(states), axis=-1)
    for m, own in moving:
        chosen = settled & (running[..., place[parameter_name(m.name, CLAMP, "conductance")]] > 0.0)
        if np.any(chosen):
            fast = speed(own, {name: running[..., place[p]][chosen] for name, p in own.names.items()}, times[chosen])
            states[chosen] = _followed(equations, structure, m, states[chosen], parameters[chosen], fast)


def _followed(
    equations: ModuleType,
    structure: Structure,
    m: MembraneStructure,
    states: np.ndarray,
    parameters: np.ndarray,
    speed: np.ndarray,
) -> np.ndarray:
    """States, shape (n, states), in which the potential of a membrane changes at a given speed [V/s]."""
    row = _row(equations, structure, m)
    column, found, moved = equations.BASIS[row], states.copy(), states.copy()
    size = 1.0e-3 * np.maximum(np.abs(states[:, column]), np.finfo(float).tiny)
    moved[:, column] += size
    before, after = (equations.quantities(each, parameters)[voltage(m.name)] for each in (states, moved))
    capacity = size / (after - before) if equations.DIFFERENTIAL[row] else 0.0
    linear = equations.linearisation(states, parameters)
    found[:, column] += (capacity * speed - linear[row]) / linear[row, row]
    return found


def _moving(structure: Structure) -> list[tuple[MembraneStructure, Drive]]:
    """Membranes with a clamp whose command moves."""
    commands = {parameter_name(m.name, CLAMP, "command"): m for m in structure.membranes}
    return [(commands[d.parameter], d) for d in structure.drives if d.parameter in commands]


def _row(equations: ModuleType, structure: Structure, m: MembraneStructure) -> int:
    """Independent state on which the potential of a membrane depends: of the side that is farther from a ground."""
    free = {c.name for c in structure.compartments if c.potential == "free"}
    sides = [c for c in (m.inside, m.outside) if c in free]
    side = min(sides, key=lambda c: len(structure.behind[c]))
    states = [structure.states[i] for i in equations.BASIS]
    return states.index(charge(side) if charge(side) in states else potential(side))
