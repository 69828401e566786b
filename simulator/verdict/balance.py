"""Whether what flows in a state is in balance: the definition of equilibrium, for one state or for many."""

from __future__ import annotations

import numpy as np

from simulator.trajectory.flows import Flows

#: Largest affinity over RT of a mechanism at equilibrium, and largest relative imbalance of water.
EQUILIBRIUM = 1.0e-6


def unbalanced(flows: Flows, margin: float = 1.0) -> np.ndarray:
    """Where some mechanism, or water, is driven.

    Electrodes are left out, and so are mechanisms that have nothing to carry.

    Parameters
    ----------
    flows : Flows
        What flows in some states.
    margin : float
        Factor on all limits: above 1 only what is surely driven counts, below 1 also what may be.
    """
    found = [
        flows.carrying(label, margin) & ~(np.abs(affinity) < EQUILIBRIUM * margin)
        for label, affinity in flows.affinity.items()
        if label not in flows.electrodes
    ]
    found += [~(np.abs(value) < EQUILIBRIUM * margin) for value in flows.imbalance.values()]
    return np.logical_or.reduce(np.broadcast_arrays(*found)) if found else np.asarray(False)
