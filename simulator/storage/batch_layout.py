"""What a part of a batch holds: consecutive runs as named variables over named dimensions, and back.

The variables are those of a single run's file (:mod:`simulator.storage.layout`) with as many runs, and one
coordinate on ``run`` for each swept key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.kernel.cache import kernel_hash
from simulator.kernel.status import STATUSES
from simulator.runs.batch import Batch
from simulator.storage.layout import (
    CODE,
    CONFIG,
    FLOAT,
    GATING,
    INDEX,
    PART,
    SCENARIO,
    Contents,
    LayoutError,
    Variable,
    flags,
    numbers,
    resolved_text,
    run_hash,
    scenario_in,
)
from simulator.trajectory.arrangement import QUANTITIES
from simulator.verdict.words import WORDS

#: Variables that say how each run ended.
OUTCOMES = ("status", "verdict", "end_time", "culprit", "conservation_charge", "conservation_species")


def part_contents(batch: Batch, number: int, config_text: str) -> Contents:
    """All that is saved of one part."""
    resolved = resolved_text(batch.scenario)
    facts = {k: v for k, v in sorted(batch.provenance.items()) if k != CONFIG}
    facts["run_hash"] = run_hash(resolved, kernel_hash(batch.model.structure))
    facts |= {PART: str(number), "first_run": str(batch.first), "swept": json.dumps(list(batch.coordinates))}
    texts = {name: text for name, text in ((SCENARIO, resolved), (CONFIG, config_text)) if text}
    # By convention of NetCDF, this is how a variable that is no dimension becomes a coordinate.
    heading = {"coordinates": " ".join(batch.coordinates)} if batch.coordinates else {}
    return Contents(batch.scenario.name, _variables(batch), texts, facts, heading)


def _variables(batch: Batch) -> dict[str, Variable]:
    """The variables of some runs; coordinates first."""
    place = np.arange(batch.first, batch.first + batch.runs).astype(INDEX)
    found = {
        "run": Variable(place, ("run",), {"long_name": "number of the run"}),
        "time": Variable(batch.time.astype(FLOAT), ("time",), {"long_name": "time", "units": "s"}),
    }
    for dim, labels in batch.labels.items():
        if labels:
            found[dim] = Variable(labels, (dim,), {"long_name": dim})
    for key, values in batch.coordinates.items():
        about = {"long_name": key, "units": batch.scenario.unit_of(key)}
        found[key] = Variable(np.ascontiguousarray(values, FLOAT), ("run",), about)
    for name, field in batch.fields().items():
        about = {"long_name": field.meaning, "units": field.unit}
        found[name] = Variable(np.ascontiguousarray(field.values, FLOAT), field.dims, about)
    relative = "largest drift relative to the sum of magnitudes"
    states = batch.model.structure.states
    about_outcomes: dict[str, tuple[np.dtype, Mapping[str, Any]]] = {
        "status": (CODE, {"long_name": "how the run ended", **flags(STATUSES, CODE)}),
        "verdict": (CODE, {"long_name": "kind of rest", **flags(WORDS, CODE)}),
        "end_time": (FLOAT, {"long_name": "time reached", "units": "s"}),
        "culprit": (INDEX, {"long_name": "state that made the run fail, -1 if none did", **flags(states, INDEX)}),
        "conservation_charge": (FLOAT, {"long_name": f"{relative}: charge", "units": "1"}),
        "conservation_species": (
            FLOAT,
            {"long_name": f"{relative}: amount, NaN if the system is open to it", "units": "1"},
        ),
    }
    for name, (dtype, attributes) in about_outcomes.items():
        dims = ("run", "species") if name == "conservation_species" else ("run",)
        found[name] = Variable(np.ascontiguousarray(batch.arrays[name], dtype), dims, attributes)
    return found


def restored_part(found: Contents) -> Batch:
    """The runs that a part holds.

    Raises
    ------
    LayoutError
        When something is missing, or does not fit the rest.
    """
    resolved, facts = found.texts.get(SCENARIO, ""), dict(found.facts)
    if facts.pop("run_hash", "") != run_hash(resolved, facts.get("kernel_hash", "")):
        raise LayoutError(SCENARIO, "does not match the hash stored beside it")
    if CONFIG in found.texts:
        facts[CONFIG] = found.texts[CONFIG]
    scenario, first, swept = scenario_in(resolved), facts.pop("first_run", ""), swept_keys(facts.pop("swept", ""))
    facts.pop(PART, None)
    if not first.isdecimal():
        raise LayoutError("run", "does not say which runs these are")
    names = [name for name in (*QUANTITIES, *OUTCOMES) if name != GATING or name in found.variables]
    arrays = {name: numbers(found, name) for name in names}
    runs = len(arrays["status"])
    arrays.setdefault(GATING, np.empty((*arrays["charge"].shape[:2], 0)))
    coordinates = {key: numbers(found, key) for key in swept}
    batch = Batch(scenario, numbers(found, "time"), arrays, coordinates, runs, int(first), facts)
    _require_shapes(batch)
    return batch


def swept_keys(text: str) -> list[str]:
    """The swept keys that a part lists."""
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise LayoutError("run", "does not say what was swept")
    return keys


def _require_shapes(batch: Batch) -> None:
    """Raise unless every array has the dimensions of the scenario, and codes that mean something."""
    sizes = {"run": batch.runs, "time": len(batch.time)} | {dim: len(labels) for dim, labels in batch.labels.items()}
    for name, field in batch.fields().items():
        if field.values.shape != tuple(sizes[dim] for dim in field.dims):
            raise LayoutError(name, f"does not have the dimensions {', '.join(field.dims)} of its scenario")
    for name in OUTCOMES:
        if len(batch.arrays[name]) != batch.runs:
            raise LayoutError(name, "does not have one entry for each run")
    for name, words in (("status", STATUSES), ("verdict", WORDS)):
        codes = batch.arrays[name]
        if np.any((codes < 0) | (codes >= len(words))):
            raise LayoutError(name, "has an unknown code")
    for key, values in batch.coordinates.items():
        if values.shape != (batch.runs,):
            raise LayoutError(key, "does not have one value for each run")
