"""Estimate the disk space and computing time of a sweep before it runs."""

from __future__ import annotations

from simulator.scenario.draft import Draft
from simulator.scenario.save_times import saved_points

__all__ = ["estimated_bytes", "estimated_seconds"]

#: Rough cost of a run [s]: per state, and per byte stored.
SECONDS_PER_STATE, SECONDS_PER_BYTE = 1.0e-6, 4.0e-9


def estimated_bytes(draft: Draft) -> int:
    """Approximate size on disk [bytes] of one run of a sweep."""
    compartments, species = len(draft.compartments), len(draft.charges())
    per_time = 2 * compartments * species + 3 * compartments + len(draft.membranes)
    keys = len(draft.sweep.swept()) if draft.sweep is not None else 0
    return 8 * (saved_points(draft.run) * per_time + keys + species + 3)


def estimated_seconds(draft: Draft) -> float:
    """Computing and writing time [s] of one run of a sweep, to within a factor of a few."""
    states = sum(len(c.concentrations) + 1 for c in draft.compartments.values() if not c.fixed)
    return SECONDS_PER_STATE * states + SECONDS_PER_BYTE * estimated_bytes(draft)
