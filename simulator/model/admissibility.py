"""Violations of thermodynamics by a scenario's laws, found before anything is run.

A reversible law obeys detailed balance by form. An irreversible one gives a net rate of its own, which may point
against its affinity: a pump past its stall potential, or a passive law that carries something uphill for nothing.
Both are judged by the numbers of the start. A law without a source of energy whose rate does not vanish where its
affinity does is named whatever the numbers, and so is a Markov scheme whose channels circulate for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.mechanisms.mechanism import Mechanism
from simulator.model.conditions import Conditions
from simulator.model.loops import unbalanced_loops
from simulator.model.structure import MembraneStructure

#: Affinity over RT that may be rounding error.
UNNOTICED = 1.0e-6


def inadmissible(here: Conditions) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield key, description and affected runs of every violation.

    Parameters
    ----------
    here : Conditions
        What the laws depend on.
    """
    for m in here.structure.membranes:
        for mechanism in m.mechanisms:
            law = mechanism.law
            if law.reversible or law.external or law.open or law.gates or law.outside == {}:
                continue
            key = f"membranes.{m.name}.mechanisms.{mechanism.owner}"
            for text, where in _problems(here, m, mechanism):
                if np.any(where):
                    yield key, f"{mechanism.label} {text}", np.asarray(where)
    yield from unbalanced_loops(here)


def _problems(here: Conditions, m: MembraneStructure, mechanism: Mechanism) -> Iterator[tuple[str, np.ndarray]]:
    law, sides, v = mechanism.law, here.sides(m), here.potential[m.name]
    if not law.atp:
        balanced = {
            s: (outside * np.exp(-here.charges[s] * v / here.thermal), outside) for s, (_, outside) in sides.items()
        }
        driving = here.rate(m, mechanism, v, sides | {s: balanced[s] for s in mechanism.moves}, {})
        yield (
            "has no energy source but a nonzero rate at zero affinity, so the model has no equilibrium "
            "(give the forward rate and declare the law reversible)",
            np.isfinite(driving) & (np.asarray(driving) != 0.0),
        )
    rate, affinity = here.rate(m, mechanism, v, sides, {}), here.affinity(mechanism, v, sides)
    with np.errstate(invalid="ignore"):
        against = np.isfinite(affinity) & (rate * affinity < 0.0) & (np.abs(affinity) > UNNOTICED)
    worst = np.max(np.abs(np.where(against, affinity, 0.0)))
    if law.atp:
        text = (
            f"runs past its stall potential: the transport needs {worst:.3g} RT more than ATP supplies, and its "
            "rate law does not stop it"
        )
    else:
        text = f"runs uphill, against {worst:.3g} RT, without an energy source"
    yield text, against
