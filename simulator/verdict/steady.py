"""Find rest points without integrating the run, each with its verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.errors import IonfluxError
from simulator.kernel import load_arrays
from simulator.kernel.inputs import initial_states
from simulator.model.model import Model
from simulator.scenario.scenario import Scenario
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.search import TRANSIENTS, Search
from simulator.verdict.verdict import Verdict, classify


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
        How it was found: ``newton`` from the initial state, ``newton from another start`` (possibly
        advanced by pseudo-transient continuation first), ``deflated newton``, or ``pseudo-transient, newton`` from
        the initial state or from next to an unstable point.
    """

    trajectory: Trajectory
    verdict: Verdict
    residual: float
    route: str


def steady_state(scenario: Scenario, announce: Callable[[str], None] = lambda _: None) -> SteadyState:
    """The first of :func:`steady_states`."""
    return steady_states(scenario, announce)[0]


def steady_states(scenario: Scenario, announce: Callable[[str], None] = lambda _: None) -> tuple[SteadyState, ...]:
    """Find the rest points of a scenario after its last event, with the conserved totals of its initial state.

    Totals are the charge and closed amounts. Stable points come first, in the order in which they were found. The
    search is bounded: there may be more.

    Parameters
    ----------
    scenario : Scenario
        What to solve; its duration does not matter.
    announce : callable
        Called with a sentence before something that takes seconds.

    Raises
    ------
    NoSteadyState
        When none was found.
    """
    model = Model.of(scenario)
    events = model.events()
    parameters = events[-1].parameters if events else model.parameters()
    search = Search(model, parameters, initial_states(model))
    search.everywhere()
    if not search.found:
        search.continued(announce)
    if not search.found:
        raise NoSteadyState(
            f"{scenario.name}: no steady state found from the initial state, neither by Newton's method nor after "
            f"{TRANSIENTS[-1]:.0e} s of model time; it may not exist (a cell that swells without end, an oscillation)"
        )
    return tuple(_described(model, state, parameters, route) for state, route in search.found)


def _described(model: Model, state: np.ndarray, parameters: np.ndarray, route: str) -> SteadyState:
    """A rest point with its verdict and residual."""
    last = max([e.time for e in model.events()], default=0.0)
    time = np.array([np.nextafter(max(last, model.scenario.run.duration), np.inf)])
    trajectory = Trajectory.from_states(model, time, state[None], end_time=float(time[0]))
    equations = load_arrays(model.structure)
    rates = np.array([float(v) for v in equations.derivative(state, parameters).values()])
    basis, differential = list(equations.BASIS), np.array(equations.DIFFERENTIAL)
    size = np.maximum(np.abs(state), model.scales())[basis]
    residual = float(np.max(np.abs(rates / size)[differential], initial=0.0))
    return SteadyState(trajectory, classify(trajectory), residual, route)
