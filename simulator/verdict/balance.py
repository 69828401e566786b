"""The definition of equilibrium, for one state or many."""

from __future__ import annotations

import numpy as np

from simulator.trajectory.flows import Flows

#: Largest affinity over RT of a mechanism at equilibrium, and largest relative imbalance of water.
EQUILIBRIUM = 1.0e-6


def unbalanced(flows: Flows) -> np.ndarray:
    """Where some mechanism, or water, is out of equilibrium.

    Electrodes are left out, and so are mechanisms that have nothing to carry.
    """
    found = [
        flows.carrying(label) & ~(np.abs(affinity) < EQUILIBRIUM)
        for label, affinity in flows.affinity.items()
        if label not in flows.electrodes
    ]
    found += [~(np.abs(value) < EQUILIBRIUM) for value in flows.imbalance.values()]
    return np.logical_or.reduce(np.broadcast_arrays(*found)) if found else np.asarray(False)
