"""The words for the ends of runs, one or many: equilibrium, steady state, cycle, run-away, or none of these.

A state is *at rest* when its scaled Newton distance to a rest point is below :data:`simulator.verdict.rest.REST`; the
Newton step is taken among states with the same conserved totals, so a conserved total cannot hide a
drift. At rest it is an *equilibrium* when every mechanism that has something to carry has an affinity below
:data:`simulator.verdict.balance.EQUILIBRIUM` RT at that rest point, and a *steady state* otherwise: something
flows, and free energy is dissipated to keep it flowing. From a state that is not at rest the kernel continues
(:mod:`simulator.verdict.lookahead`): the state is an *oscillation* if it is already on a cycle, a *run-away* if
a volume or an amount has begun to grow without end, and otherwise *not converged*. A run whose pulses go on is
*entrained* if it repeats with them (:mod:`simulator.verdict.pacing`). The word depends only on the last state and its
parameters, so it concerns the time after the last event. While a ramp of the protocol goes on, nothing is settled.

All runs are judged together, in arrays and in the lanes of the kernel. Each gets the same numbers, to the last bit, as
if it were judged alone, so nothing depends on what else is in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.kernel import load_arrays
from simulator.trajectory.flows import Flows
from simulator.verdict.balance import unbalanced
from simulator.verdict.ends import Ends
from simulator.verdict.following import Lanes
from simulator.verdict.lookahead import Future, look_ahead
from simulator.verdict.pacing import SMALLEST_SWING, Repetition, pacings, repetition
from simulator.verdict.rest import REST, approach
from simulator.verdict.words import WORDS

__all__ = ["Judged", "grown", "judged"]

#: Least growth since the last event, as final relative growth rate times elapsed time, that is a run-away.
BEGUN = 0.1

BALANCED, STEADY, CYCLE, RUN_AWAY, CHANGING, ENTRAINED, INERT = range(len(WORDS))


@dataclass(frozen=True)
class Judged:
    """The words for the ends of runs, and what they were found from.

    Parameters
    ----------
    words : ndarray of int8, shape (runs,)
        Indices of :data:`simulator.verdict.words.WORDS`.
    distance : ndarray, shape (runs,)
        Scaled Newton distance to the nearest rest point.
    points : ndarray, shape (runs, states)
        The rest point of a run at rest, the last state of others.
    jacobians : ndarray, shape (runs, independent states, independent states)
        Jacobian there.
    at_rest : ndarray of bool, shape (runs,)
        Which runs finished at rest.
    repetitions : mapping of int to Repetition or None
        What a run with pulses or sines to come repeats, None if nothing; by run.
    futures : mapping of int to Future
        What follows a run that is not at rest and has no pulses to come; by run.
    """

    words: np.ndarray
    distance: np.ndarray
    points: np.ndarray
    jacobians: np.ndarray
    at_rest: np.ndarray
    repetitions: Mapping[int, Repetition | None]
    futures: Mapping[int, Future]


def judged(ends: Ends, stopped: Callable[[], bool] = lambda: False) -> Judged:
    """Judge the ends of runs.

    Parameters
    ----------
    ends : Ends
        The runs.
    stopped : callable
        Polled while runs are followed on.

    Raises
    ------
    Stopped
        When `stopped` returned true meanwhile.
    """
    structure, lanes = ends.model.structure, Lanes(ends.model.structure, stopped)
    distance, rest, jacobians = approach(load_arrays(structure), ends.states, ends.parameters, ends.sizes)
    at_rest = (distance < REST) & ends.finished & ~ends.ramped
    points = np.where(at_rest[:, None], rest, ends.states)
    flows = Flows.of(structure, points, ends.parameters, ends.scales)
    free = ends.finished & flows.open_paths
    # A model with a law that breaks conservation has no equilibrium.
    at_equilibrium = ~(structure.open | unbalanced(flows))
    words = np.where(free, np.where(at_equilibrium, BALANCED, STEADY), np.where(ends.finished, INERT, CHANGING))

    words[free & ends.ramped] = CHANGING
    free &= ~ends.ramped
    going = {run: pulses for run, pulses in pacings(ends).items() if free[run]}
    paced = {run: pulses for run, pulses in going.items() if pulses is not None}
    repeated = lanes.together([repetition(ends, run, pulses) for run, pulses in paced.items()])
    repetitions = dict.fromkeys(going) | dict(zip(paced, repeated, strict=True))
    for run, found in repetitions.items():
        if found is None or found.swing >= SMALLEST_SWING:
            words[run], free[run] = CHANGING if found is None else ENTRAINED, False

    moving = np.flatnonzero(free & ~at_rest)
    futures = dict(zip(moving.tolist(), look_ahead(ends.part(moving), lanes), strict=True)) if len(moving) else {}
    for run, future in futures.items():
        words[run] = CYCLE if future.cycle is not None else RUN_AWAY if grown(future, ends.since[run]) else CHANGING
    return Judged(words.astype(np.int8), distance, points, jacobians, at_rest, repetitions, futures)


def grown(future: Future, since: float) -> bool:
    """Whether something grows without end and, in the time [s] since the last event, already has."""
    return future.growth is not None and future.growth.rate * since >= BEGUN
