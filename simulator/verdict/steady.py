"""Find rest points without integrating the run, each with its verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator.errors import IonfluxError
from simulator.kernel import load_arrays
from simulator.kernel.inputs import initial_states
from simulator.model.model import Model
from simulator.model.names import amount
from simulator.model.structure import Structure
from simulator.scenario.parts import ClampEvent, ReleaseEvent, SetEvent
from simulator.scenario.scenario import Scenario
from simulator.scenario.waveforms import is_waveform
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.rest import capacitances, let_follow, newton_step
from simulator.verdict.search import ITERATIONS, PASSED, Search
from simulator.verdict.verdict import Verdict, classify


class NoSteadyState(IonfluxError):
    """No rest point was found within a bounded search."""

    kind = "nothing_found"


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
        Distance to the exact rest point that is left: the largest Newton step of any state, relative to its size.
    route : str
        How it was found: ``newton`` from the initial state, ``newton from another start`` (possibly
        advanced by pseudo-transient continuation first), ``deflated newton``, ``pseudo-transient, newton`` from
        the initial state or from next to an unstable point, or ``time steps, newton``.
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
    model = Model.of(settled(scenario))
    events = model.events().parameters[0]
    parameters = events[-1] if len(events) else model.parameters()
    found = rest_points(model, parameters, initial_states(model), announce)
    if not found:
        raise NoSteadyState(
            f"{scenario.name}: no steady state found from the initial state, neither by Newton's method nor after "
            f"{PASSED[-1]:.0e} s of model time; it may not exist (a cell that swells without end, an oscillation)"
        )
    return tuple(_described(model, state, parameters, route) for state, route in found)


def before_changes(scenario: Scenario) -> Scenario:
    """The scenario without the events after t = 0: its rest points are those that a run can start from."""
    return scenario.with_protocol(tuple(event for event in scenario.protocol if event.at <= 0.0))


def settled(scenario: Scenario) -> Scenario:
    """The scenario without pulses, and with the values that its waveforms come to; a sine comes to its mean."""
    protocol: list[Any] = []
    for event in scenario.protocol:
        if isinstance(event, SetEvent) and event.lasting is None:
            values = {path: value.last if is_waveform(value) else value for path, value in event.set.items()}
            protocol.append(event.model_copy(update={"set": type(event.set)(values)}))
        elif isinstance(event, ClampEvent) and event.lasting is None:
            clamps = {
                name: clamp
                if isinstance(clamp.potential, float)
                else clamp.model_copy(update={"potential": clamp.potential.last})
                for name, clamp in event.clamp.items()
            }
            protocol.append(event.model_copy(update={"clamp": type(event.clamp)(clamps)}))
        elif isinstance(event, ReleaseEvent):
            protocol.append(event)
    return scenario.with_protocol(tuple(protocol))


def rest_points(
    model: Model, parameters: np.ndarray, state: np.ndarray, announce: Callable[[str], None]
) -> list[tuple[np.ndarray, str]]:
    """Rest points and the routes to them; those of an electroneutral model are sought in its capacitive twin."""
    structure, scales = model.structure, model.scales()
    if structure.formulation == "capacitive" or not structure.states_of["potential"]:
        return _all(Search(structure, parameters, state, scales), announce)
    twin = replace(structure, formulation="capacitive")
    potentials, charges = structure.places("potential"), twin.places("charge")
    charged, sizes, matrix = state.copy(), scales.copy(), capacitances(structure, state, parameters)
    charged[charges] = matrix @ state[potentials]
    sizes[charges] = np.diag(matrix) * scales[potentials]
    own, found = Search(structure, parameters, state, scales), []
    for point, route in _all(Search(twin, parameters, charged, sizes), announce):
        polished = own.newton(_uncharged(structure, twin, point, charged, parameters), ITERATIONS)
        if polished is not None:
            found.append((polished, route))
    return found


def _all(search: Search, announce: Callable[[str], None]) -> list[tuple[np.ndarray, str]]:
    search.everywhere()
    if not search.found:
        search.continued(announce)
    return search.found


def _uncharged(
    structure: Structure, twin: Structure, point: np.ndarray, start: np.ndarray, parameters: np.ndarray
) -> np.ndarray:
    """A state of the capacitive twin in the terms of the electroneutral model.

    Potentials take the place of charges. In each compartment the most abundant ion gives up the charge that came to the
    membrane since the start, because an electroneutral compartment keeps its charge; totals stay.
    """
    charges, state, numbers = twin.places("charge"), point.copy(), dict(twin.charges)
    equations, step = load_arrays(structure), np.zeros(len(point))
    free = [c for c in twin.compartments if c.potential == "free"]
    for c, excess in zip(free, point[charges] - start[charges], strict=True):
        places = {s: twin.states.index(amount(c.name, s)) for s in c.states if numbers[s]}
        if places:
            most = max(places, key=lambda s: point[places[s]])
            taken = -excess / (twin.faraday * numbers[most])
            name = twin.states[places[most]]
            source, weight = next(iter(equations.DEPENDENT.get(name, {name: 1.0}).items()))
            step[twin.states.index(source)] += taken / weight
    let_follow(equations, step)
    state += step
    state[structure.places("potential")] = np.linalg.solve(capacitances(twin, point, parameters), point[charges])
    return state


def _described(model: Model, state: np.ndarray, parameters: np.ndarray, route: str) -> SteadyState:
    """A rest point with its verdict and residual."""
    last = np.max(model.events().time, initial=0.0)
    time = np.array([np.nextafter(max(last, model.scenario.run.duration), np.inf)])
    trajectory = Trajectory.from_states(model, time, state[None], end_time=float(time[0]))
    size = np.maximum(np.abs(state), model.scales())
    step, _ = newton_step(load_arrays(model.structure), state, parameters, size)
    residual = float(np.max(np.abs(step) / size, initial=0.0))
    return SteadyState(trajectory, classify(trajectory), residual, route)
