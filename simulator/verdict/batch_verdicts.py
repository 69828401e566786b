"""Verdicts of many runs at once, where they are plain; the rest is left to :func:`simulator.verdict.verdict.classify`.

The same quantities as there, over arrays of final states, and the same limits. A run is decided only if
every one of these quantities is far from its limit, so that a cell gets the same word alone and in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.model import TRACE_CONCENTRATION
from simulator.model.structure import Structure
from simulator.verdict.rest import DOUBT, REST, clear, newton_distances
from simulator.verdict.verdict import EMPTY, EQUILIBRIUM
from simulator.verdict.words import WORDS

#: What stands in the place of a word's code where none was found.
UNDECIDED = -1

STEADY, BALANCED = WORDS.index("steady_state"), WORDS.index("equilibrium")


def judge(structure: Structure, states: np.ndarray, parameters: np.ndarray, scales: np.ndarray) -> np.ndarray:
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
    equations = load_arrays(structure)
    sizes = np.maximum(np.abs(states), scales)
    distance, steps = newton_distances(equations, states, parameters, sizes)
    with np.errstate(all="ignore"):
        resting = distance < REST / DOUBT
        rest = np.where(resting[:, None], states + steps, states)
        rates = equations.rates(rest, parameters)
        probed = equations.rates(*_probed(structure, rest, parameters, scales))
        flowing, doubtful = _flowing(structure, rates, probed, len(states))
    # Water at its own pace could be out of balance where nothing else is.
    balanced = ~flowing & ~doubtful if all(m.water != "finite" for m in structure.membranes) else np.zeros_like(flowing)
    open_paths = np.zeros(len(states), dtype=bool)
    for label in _labels(structure):
        open_paths |= _traffic(probed, label) > 0.0
    found = np.full(len(states), UNDECIDED, dtype=np.int8)
    found[resting & open_paths & flowing] = STEADY
    # A law that breaks conservation by declaration never rests in equilibrium.
    found[resting & open_paths & balanced] = STEADY if structure.open else BALANCED
    return found


def _labels(structure: Structure) -> list[str]:
    return [f"{m.name}.{use.label}" for m, use in structure.uses if not use.mechanism.external]


def _probed(
    structure: Structure, states: np.ndarray, parameters: np.ndarray, scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """States and parameters with a trace of every species on both sides of each membrane."""
    amounts = [name.startswith("n_") for name in structure.states]
    baths = [name.startswith("c_") for name in structure.parameters]
    floor = np.where(amounts, scales, -np.inf)
    return np.maximum(states, floor), np.maximum(parameters, np.where(baths, TRACE_CONCENTRATION, -np.inf))


def _traffic(rates: Mapping[str, np.ndarray], label: str) -> np.ndarray:
    """Size of what passes through a mechanism, in either direction."""
    size = np.asarray(0.0)
    for kind in ("net", "forward", "backward"):
        size = np.fmax(size, np.abs(rates.get(f"{label}.{kind}", 0.0)))
    return size


def _flowing(
    structure: Structure, rates: Mapping[str, np.ndarray], probed: Mapping[str, np.ndarray], runs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where something surely flows at rest, and where it is not sure whether something does."""
    flowing, doubtful = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for label in _labels(structure):
        traffic, possible = _traffic(rates, label), _traffic(probed, label)
        affinity = np.abs(rates[f"{label}.affinity"])
        carrying = traffic > EMPTY * possible
        sure = clear(traffic, EMPTY * possible) | (possible == 0.0)
        flowing |= carrying & sure & (affinity > EQUILIBRIUM * DOUBT)
        doubtful |= ~sure | (carrying & ~clear(affinity, EQUILIBRIUM))
    return flowing, doubtful


__all__ = ["UNDECIDED", "judge"]
