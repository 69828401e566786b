"""Verdicts of many runs at once, where clear; :func:`simulator.verdict.verdict.classify` decides the others.

Both use the same definitions (:mod:`simulator.trajectory.flows`, :mod:`simulator.verdict.balance`). Here a run is
decided only if it would get the same word with every limit ten times wider and ten times tighter, so a run gets the
same word alone and in a batch.
"""

from __future__ import annotations

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.structure import Structure
from simulator.trajectory.flows import Flows
from simulator.verdict.balance import unbalanced
from simulator.verdict.rest import DOUBT, REST, newton_distances
from simulator.verdict.words import WORDS

__all__ = ["UNDECIDED", "plain_verdicts"]

#: Code of a run without a verdict.
UNDECIDED = -1

STEADY, BALANCED, INERT = map(WORDS.index, ("steady_state", "equilibrium", "inert"))


def plain_verdicts(structure: Structure, states: np.ndarray, parameters: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Codes of the verdicts of runs that finished, :data:`UNDECIDED` where `classify` must decide.

    Parameters
    ----------
    structure : Structure
        Structure of the runs' model.
    states, scales : ndarray, shape (runs, states)
        Final states, and the sizes below which only absolute accuracy counts.
    parameters : ndarray, shape (runs, parameters)
        Parameters in force at the end.
    """
    sizes = np.maximum(np.abs(states), scales)
    distance, steps = newton_distances(load_arrays(structure), states, parameters, sizes)
    with np.errstate(all="ignore"):
        resting = distance < REST / DOUBT
        rest = np.where(resting[:, None], states + steps, states)
    flows = Flows.of(structure, rest, parameters, scales)
    plain = resting & flows.open_paths
    found = np.full(len(states), UNDECIDED, dtype=np.int8)
    found[plain & unbalanced(flows, margin=DOUBT)] = STEADY
    # A model with a law that breaks conservation has no equilibrium.
    found[plain & ~unbalanced(flows, margin=1.0 / DOUBT)] = STEADY if structure.open else BALANCED
    found[~flows.open_paths] = INERT
    return found
