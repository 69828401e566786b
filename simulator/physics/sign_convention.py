"""The sign convention of the whole project.

- a membrane potential is the potential *inside minus outside*;
- ``influx`` and ``efflux`` are both >= 0, and ``net = influx - efflux`` is positive *into* the inside;
- a current is positive *outward*, ``i = -F sum_s z_s N_s v``;
- the driving force on an ion is ``V - E``; for a cation a positive one pushes outward.
"""

from __future__ import annotations

from typing import Any

from simulator.physics.constants import FARADAY


def current_density(charge_per_turnover: Any, turnover: Any, faraday: float = FARADAY) -> Any:
    """Outward current [A/m2] of a turnover [mol/m2/s] that carries that many charges into the inside."""
    return -faraday * charge_per_turnover * turnover
