"""Rest points without time stepping: Newton's method among states with the same conserved totals.

When Newton's method from the initial state does not arrive, the state is first carried towards rest by
pseudo-transient continuation: the kernel's own L-stable steps, at loose tolerance, over times that grow until
they dwarf every time constant. What is reported is always a Newton solution, with its residual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.errors import IonfluxError
from simulator.kernel import load_arrays, load_program
from simulator.model import Model
from simulator.provenance import provenance
from simulator.rest import newton_step
from simulator.scenario import Scenario
from simulator.trajectory import Trajectory
from simulator.verdict import Verdict, classify

#: Newton steps before giving up, and the scaled length at which a solution has been found.
ITERATIONS = 60
FOUND = 1.0e-13
GOOD_ENOUGH = 1.0e-9

#: Largest factor by which one Newton step may change an amount or a volume.
LARGEST_FACTOR = 4.0

#: A volume this many times the initial one is beyond any cell: the search has run away, not arrived.
LARGEST_SWELLING = 1.0e3

#: Times [s] of pseudo-transient continuation, one after the other.
TRANSIENTS = (1.0e3, 1.0e5, 1.0e7, 1.0e9)


class NoSteadyState(IonfluxError):
    """No rest point was found within a bounded search."""

    exit_code = 3


@dataclass(frozen=True)
class SteadyState:
    """A rest point.

    Parameters
    ----------
    trajectory : Trajectory
        The state at rest, as a run with one saved state.
    verdict : Verdict
        Its word and evidence.
    residual : float
        Largest rate of change [1/s], relative to the size of the state that changes.
    route : str
        How it was found: ``newton`` or ``pseudo-transient, newton``.
    """

    trajectory: Trajectory
    verdict: Verdict
    residual: float
    route: str


def steady_state(scenario: Scenario, announce: Callable[[str], None] = lambda _: None) -> SteadyState:
    """Find the rest point of a scenario's last stretch that belongs to its initial state.

    The rest point has the conserved totals (charge, closed amounts) of the initial state; every event of the
    protocol has happened. Where there are several rest points, it is one of them.

    Parameters
    ----------
    scenario : Scenario
        What to solve; its duration does not matter.
    announce : callable
        Told in a sentence before something that takes seconds.

    Raises
    ------
    NoSteadyState
        When none was found; the search is bounded.
    """
    model = Model.of(scenario)
    events = model.events()
    parameters = events[-1].parameters if events else model.parameters()
    state, route = model.initial_state(), "newton"
    largest = LARGEST_SWELLING * _volumes(model, state, parameters)
    solution = _newton(model, state, parameters, largest)
    if solution is None:
        route = "pseudo-transient, newton"
        solution = _continued(model, state, parameters, largest, announce)
    if solution is None:
        raise NoSteadyState(
            f"{scenario.name}: no steady state found from the initial state, neither by Newton's method nor after "
            f"{TRANSIENTS[-1]:.0e} s of model time; it may not exist (a cell that swells without end, an oscillation)"
        )
    return _described(model, solution, parameters, route)


def _newton(model: Model, state: np.ndarray, parameters: np.ndarray, largest: np.ndarray) -> np.ndarray | None:
    """Damped Newton iteration; None if it does not arrive, or runs away beyond the `largest` volumes."""
    equations, scales = load_arrays(model.structure), model.scales()
    positive = np.array([name.startswith(("n_", "w_")) for name in model.structure.states])
    electric = ~positive
    length = np.inf
    for _ in range(ITERATIONS):
        size = np.maximum(np.abs(state), scales)
        step, _ = newton_step(equations, state, parameters, size)
        if not np.all(np.isfinite(step)):
            return None
        shrink = 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.abs(step[positive]) / np.maximum(state[positive], scales[positive])
        shrink = min([shrink, *((1.0 - 1.0 / LARGEST_FACTOR) / growth[growth > 0.0])])
        # A potential may move by one thermal voltage at a time.
        shrink = min([shrink, *(scales[electric] / np.maximum(np.abs(step[electric]), 1e-300))])
        state = state + shrink * step
        if np.any(_volumes(model, state, parameters) > largest):
            return None
        previous, length = length, float(np.max(np.abs(step) / size, initial=0.0))
        if length < FOUND or (length < GOOD_ENOUGH and length >= 0.5 * previous):
            return state if np.all(state[positive] >= 0.0) else None
    return None


def _volumes(model: Model, state: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Volumes [m3] that can change."""
    derived = load_arrays(model.structure).quantities(state, parameters)
    own = [v for name, v in zip(model.structure.states, state, strict=True) if name.startswith("w_")]
    return np.array([*own, *(v for name, v in derived.items() if name.startswith("w_"))])


def _continued(
    model: Model,
    state: np.ndarray,
    parameters: np.ndarray,
    largest: np.ndarray,
    announce: Callable[[str], None],
) -> np.ndarray | None:
    """Newton's method after ever longer pseudo-transients."""
    program = load_program(model.structure, announce)
    for time in TRANSIENTS:
        end = np.array([time])
        run = program.integrate(
            state[None], parameters[None], model.scales()[None], end, end, rtol=1e-4, max_steps=20_000
        )
        if run.status[0] != 0:
            return None
        state = run.final[0]
        solution = _newton(model, state, parameters, largest)
        if solution is not None:
            return solution
    return None


def _described(model: Model, state: np.ndarray, parameters: np.ndarray, route: str) -> SteadyState:
    """A rest point with its verdict and residual."""
    last = max([e.time for e in model.events()], default=0.0)
    time = np.array([np.nextafter(max(last, model.scenario.run.duration), np.inf)])
    trajectory = Trajectory.from_states(
        model, time, state[None], end_time=float(time[0]), provenance=provenance(model.structure)
    )
    equations = load_arrays(model.structure)
    rates = np.array([float(v) for v in equations.derivative(state, parameters).values()])
    basis, differential = list(equations.BASIS), np.array(equations.DIFFERENTIAL)
    size = np.maximum(np.abs(state), model.scales())[basis]
    residual = float(np.max(np.abs(rates / size)[differential], initial=0.0))
    return SteadyState(trajectory, classify(trajectory), residual, route)
