"""Spikes of a membrane: upward crossings of 0 V by its potential."""

from __future__ import annotations

import numpy as np

#: Membrane potential [V] whose upward crossing counts as a spike.
SPIKE = 0.0


def spikes(potential: np.ndarray) -> np.ndarray:
    """Indices of the samples just before each spike.

    Parameters
    ----------
    potential : ndarray, shape (times,)
        Potential of one membrane over time [V].
    """
    above = np.asarray(potential) >= SPIKE
    return np.flatnonzero(~above[:-1] & above[1:])


def most_spikes(potentials: np.ndarray) -> np.ndarray:
    """Spikes of the membrane that has the most; `potentials` has the shape (times, membranes)."""
    return max(map(spikes, potentials.T), key=len, default=np.empty(0, dtype=int))
