"""What makes a run the same run, and whether a stored result is of the run that is asked for."""

from __future__ import annotations

import hashlib
import json

from simulator.kernel.cache import kernel_hash
from simulator.model.structure import structure_of
from simulator.scenario.scenario import Scenario, differences

#: Values that differ which are named.
DIFFERENCES_SHOWN = 5


def run_hash(resolved: str, kernel_hash: str) -> str:
    """What makes a run the same run: hash of resolved scenario and kernel together."""
    return hashlib.sha256(f"{kernel_hash}\n{resolved}".encode()).hexdigest()


def resolved_text(scenario: Scenario) -> str:
    """A resolved scenario as files keep it."""
    return json.dumps(scenario.resolved(), ensure_ascii=False, allow_nan=False, indent=1)


def how_it_differs(stored: Scenario, stored_kernel: str, wanted: Scenario) -> str:
    """How a stored result differs from what running a scenario now would give; empty if it is of the same run.

    Parameters
    ----------
    stored : Scenario
        What was run.
    stored_kernel : str
        Hash of the kernel that ran it.
    wanted : Scenario
        What is asked for.
    """
    changed = differences(stored, wanted)
    if changed:
        return "it differs in " + ", ".join(f"{key} ({a} -> {b})" for key, a, b in changed[:DIFFERENCES_SHOWN])
    if stored_kernel != kernel_hash(structure_of(wanted)):
        return "it was computed by another version of the equations"
    return ""
