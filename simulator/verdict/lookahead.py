"""Find what follows a state: rest, a cycle, growth without end, or a failure.

After the last event of its protocol a model is autonomous, so its last state determines what follows. The kernel
continues from that state with a fixed tolerance, so the result depends neither on the run's save times nor on its
accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from simulator.kernel import load_arrays, load_program
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.verdict.cycle import Cycle, find_cycle
from simulator.verdict.rest import REST, approach

#: Longest time [s] that a state is followed, and relative tolerance.
FARTHEST, TOLERANCE = 1.0e12, 1.0e-8

#: First time [s] at which the state is examined, and times per decade.
NEAREST, PER_DECADE = 1.0e-3, 4

#: Attempted steps before a search for a cycle begins; steps of the first and of the longest search.
PATIENCE, ROUNDS = 20_000, (60_000, 1_500_000)

#: States stored along an orbit.
CHECKPOINTS = 257

#: Criteria of growth without end: least exponent d ln x / d ln t,
#: least ratio of the exponents of successive decades,
#: number of decades examined.
EXPONENT, KEPT, DECADES = 0.1, 0.95, 3

#: Growth by this factor before a failure also counts as growth without end.
EXPLOSION = 1.0e6


@dataclass(frozen=True)
class Growth:
    """A quantity that grows without end.

    Parameters
    ----------
    quantity : str
        Name of a volume or an amount in the equations.
    exponent : float
        Final power of time with which it grows; infinite if faster than any power.
    rate : float
        Its relative growth rate at the given state [1/s].
    """

    quantity: str
    exponent: float
    rate: float


@dataclass(frozen=True)
class Future:
    """What follows a state; at most one of the first four is set.

    Parameters
    ----------
    rest : ndarray or None
        The rest point that it reaches.
    cycle : Cycle or None
        The cycle it is on.
    growth : Growth or None
        The growth without end.
    failure : str
        How the kernel fails before any of these, a word of :class:`simulator.kernel.status.Status`.
    time : float
        Time until rest or failure [s]; NaN if there is neither.
    """

    rest: np.ndarray | None = None
    cycle: Cycle | None = None
    growth: Growth | None = None
    failure: str = ""
    time: float = np.nan


def look_ahead(model: Model, state: np.ndarray, parameters: np.ndarray) -> Future:
    """Find what follows a state.

    Parameters
    ----------
    model : Model
        The model, after the last event of its protocol.
    state : ndarray, shape (states,)
        Where to start.
    parameters : ndarray, shape (parameters,)
        Parameters in force from there on.
    """
    orbit = _Orbit(model, state, parameters)
    decades = np.log10(FARTHEST / NEAREST)
    times = np.geomspace(NEAREST, FARTHEST, int(PER_DECADE * decades) + 1)
    states, status, end = orbit.states(times, PATIENCE)
    seen = np.all(np.isfinite(states), axis=1)
    times, states = np.append(0.0, times[seen]), np.vstack([state, states[seen]])
    arrival = _arrival(orbit, times, states)
    if arrival is not None:
        return arrival
    growing = _growth(orbit, times, states, failed=status not in (Status.OK, Status.MAX_STEPS))
    if growing is not None:
        return Future(growth=growing)
    if status is Status.MAX_STEPS:
        return Future(cycle=_cycle(orbit))
    return Future(failure=status.word, time=end) if status is not Status.OK else Future()


class _Orbit:
    """The orbit of a state, computed by the kernel."""

    def __init__(self, model: Model, state: np.ndarray, parameters: np.ndarray):
        self.model, self.state, self.parameters = model, state, parameters
        self.program = load_program(model.structure)
        self.scales = model.scales()

    @property
    def equations(self) -> ModuleType:
        return load_arrays(self.model.structure)

    def states(self, times: np.ndarray, most: int, start: np.ndarray | None = None) -> tuple[np.ndarray, Status, float]:
        """States at increasing times after the start, the status, and the time reached [s]."""
        run = self.program.integrate(
            (self.state if start is None else start)[None],
            self.parameters[None],
            self.scales[None],
            times[-1:],
            times,
            rtol=TOLERANCE,
            max_steps=most,
        )
        return run.saved[0], Status(int(run.status[0])), float(run.time[0])

    def distance(self, state: np.ndarray) -> tuple[float, np.ndarray]:
        """Scaled distance of a state to the nearest rest point, and that point."""
        found = approach(self.equations, state, self.parameters, np.maximum(np.abs(state), self.scales))
        return found[0], found[1]

    def sizes(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """Volumes and amounts by name, shape (times,)."""
        derived = self.equations.quantities(states, self.parameters)
        structure = self.model.structure
        own = dict(zip(structure.states, states.T, strict=True))
        found = {name: np.asarray(derived[name]) for name in structure.osmotic_volumes}
        return found | {name: own[name] for kind in ("volume", "amount") for name in structure.states_of[kind]}


def _arrival(orbit: _Orbit, times: np.ndarray, states: np.ndarray) -> Future | None:
    """The rest point an orbit reaches, and when; None if its last state is not at rest."""
    distance, rest = orbit.distance(states[-1])
    if not distance < REST:
        return None
    reached, before = times[-1], distance
    for i in range(len(times) - 2, -1, -1):
        before, _ = orbit.distance(states[i])
        if not before < REST:
            # Interpolate: the distance shrinks exponentially.
            if np.isfinite(before) and distance > 0.0:
                share = np.log(before / REST) / np.log(before / distance)
                reached = times[i] + share * (times[i + 1] - times[i])
            break
        reached, distance = times[i], before
    return Future(rest=rest, time=float(reached))


def _growth(orbit: _Orbit, times: np.ndarray, states: np.ndarray, failed: bool) -> Growth | None:
    """A quantity that grows from the first state on without slowing down; None if there is none."""
    steps = DECADES * PER_DECADE
    if len(times) < 2 * steps:
        return None
    sizes = orbit.sizes(states)
    for name, size in sizes.items():
        if not (np.all(size > 0.0) and np.all(np.diff(size) >= -1.0e-7 * size[1:])):
            continue
        rate = float(np.log(size[1] / size[0]) / times[1])
        exponents = np.diff(np.log(size[1:])) / np.diff(np.log(times[1:]))
        by_decade = exponents[-steps:].reshape(DECADES, PER_DECADE).mean(axis=1)
        if failed:
            if size[-1] > EXPLOSION * size[0]:
                return Growth(name, np.inf, rate)
        elif np.all(by_decade > EXPONENT) and np.all(by_decade[1:] > KEPT * by_decade[:-1]):
            return Growth(name, float(by_decade[-1]), rate)
    return None


def _cycle(orbit: _Orbit) -> Cycle | None:
    """The cycle that an orbit is on; None if there is none."""
    size = np.maximum(np.abs(orbit.state), orbit.scales)
    for most in ROUNDS:
        _, status, horizon = orbit.states(np.array([FARTHEST]), most)
        if status is not Status.MAX_STEPS:
            return None
        found = find_cycle(_Checkpoints(orbit, horizon, most, size), horizon)
        if found is not None:
            return found
    return None


class _Checkpoints:
    """Scaled states of an orbit at given times, computed from the nearest earlier checkpoint."""

    def __init__(self, orbit: _Orbit, horizon: float, most: int, size: np.ndarray):
        self.orbit, self.most, self.size = orbit, most, size
        self.times = np.linspace(0.0, 0.99 * horizon, CHECKPOINTS)
        self.states = orbit.states(self.times, most)[0]

    def __call__(self, times: np.ndarray) -> np.ndarray:
        start = int(np.searchsorted(self.times, times[0], side="right")) - 1
        later = np.maximum(times - self.times[start], 0.0)
        return self.orbit.states(later, 2 * self.most, self.states[start])[0] / self.size
