"""Identity of runs: their hash, and how a stored result differs from a requested run."""

from __future__ import annotations

import hashlib
import json

from simulator.kernel.cache import numbers_hash
from simulator.model.assembly import structure_of
from simulator.scenario.scenario import Scenario, differences

#: Most differing values that a message lists.
DIFFERENCES_SHOWN = 5


def run_hash(resolved: str, kernel_hash: str) -> str:
    """Hash of the resolved scenario and the kernel, which together identify a run."""
    return hashlib.sha256(f"{kernel_hash}\n{resolved}".encode()).hexdigest()


def resolved_text(scenario: Scenario) -> str:
    """Return the resolved scenario as JSON, as stored in files: of a design from a file, the digest of each column."""
    return json.dumps(scenario.known_by_digest().resolved(), ensure_ascii=False, allow_nan=False, indent=1)


def how_it_differs(stored: Scenario, stored_kernel: str, wanted: Scenario, wanted_kernel: str = "") -> str:
    """Describe how a stored result differs from a requested run; empty if it is the same run.

    Parameters
    ----------
    stored : Scenario
        Scenario of the stored result.
    stored_kernel : str
        Hash of the kernel that ran it.
    wanted : Scenario
        Scenario that is requested now.
    wanted_kernel : str, optional
        Hash of the kernel that is to run it, by default the present one.
    """
    changed = differences(stored, wanted)
    if changed:
        return "it differs in " + ", ".join(f"{key} ({a} -> {b})" for key, a, b in changed[:DIFFERENCES_SHOWN])
    if stored_kernel != (wanted_kernel or numbers_hash(structure_of(wanted))):
        return "it was computed by another version of the equations"
    return ""
