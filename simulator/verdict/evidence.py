"""A verdict's evidence as data that fits into JSON, for data files and programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from simulator.verdict.verdict import Verdict

__all__ = ["evidence", "fit_for_json", "pairs"]


def evidence(verdict: Verdict) -> dict[str, Any]:
    """Return the evidence of a verdict in SI: times [s], eigenvalues [1/s] as pairs, affinities over RT."""
    found = fit_for_json(
        {
            "sentence": verdict.sentence,
            "distance": verdict.distance,
            "time_to_rest": verdict.time_to_rest,
            "dissipation": verdict.dissipation,
            "atp_rate": verdict.atp_rate,
            "eigenvalues": pairs(verdict.eigenvalues),
            "species": verdict.species,
            "affinity": verdict.affinity,
            "isolated": list(verdict.isolated),
            "left_out": list(verdict.left_out),
            "oscillation": None if verdict.oscillation is None else asdict(verdict.oscillation),
            "run_away": None if verdict.run_away is None else asdict(verdict.run_away),
            "entrainment": None if verdict.entrainment is None else asdict(verdict.entrainment),
        }
    )
    assert isinstance(found, dict)
    return found


def pairs(values: Iterable[complex]) -> list[list[float]]:
    """Complex numbers as pairs of real and imaginary part."""
    return [[float(v.real), float(v.imag)] for v in values]


def fit_for_json(value: Any) -> Any:
    """Convert recursively to plain Python values; None for NaN and infinity, which JSON lacks."""
    if isinstance(value, Mapping):
        return {str(key): fit_for_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fit_for_json(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
