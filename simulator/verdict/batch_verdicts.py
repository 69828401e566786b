"""Verdicts of many runs at once, where they are plain; the rest is left to :func:`simulator.verdict.verdict.classify`.

Both use the same definitions (:mod:`simulator.trajectory.flows`, :mod:`simulator.verdict.balance`). Here a run is
decided only if it would get the same word with every limit ten times wider and ten times tighter, so a cell has the
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

#: What stands in the place of a word's code where none was found.
UNDECIDED = -1

STEADY, BALANCED, INERT = map(WORDS.index, ("steady_state", "equilibrium", "inert"))


def plain_verdicts(structure: Structure, states: np.ndarray, parameters: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Codes of the verdicts of runs that finished, :data:`UNDECIDED` where `classify` is to be asked.

    Parameters
    ----------
    structure : Structure
        What the runs share.
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
    # A law that breaks conservation by declaration never rests in equilibrium.
    found[plain & ~unbalanced(flows, margin=1.0 / DOUBT)] = STEADY if structure.open else BALANCED
    found[~flows.open_paths] = INERT
    return found
