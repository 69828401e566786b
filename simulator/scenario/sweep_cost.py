"""Estimate the disk space of a sweep before it runs."""

from __future__ import annotations

from simulator.scenario.draft import Draft
from simulator.scenario.save_times import saved_points

__all__ = ["estimated_bytes"]


def estimated_bytes(draft: Draft) -> int:
    """Approximate size on disk [bytes] of one run of a sweep."""
    compartments, species = len(draft.compartments), len(draft.charges())
    per_time = 2 * compartments * species + 3 * compartments + len(draft.membranes)
    keys = len(draft.sweep.swept()) if draft.sweep is not None else 0
    return 8 * (saved_points(draft.run) * per_time + keys + species + 3)
