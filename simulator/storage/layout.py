"""Convert one run, or a part of a batch, to the contents of a data file and back.

A lone run is stored as a batch of one, with the evidence of its verdict. This module does not depend on the file
format; :mod:`simulator.storage.hdf5` stores :class:`~simulator.storage.contents.Contents` as HDF5.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.errors import IonfluxError, UsageError
from simulator.kernel.status import STATUSES
from simulator.mechanisms.outside import digest_of, known, origin_of
from simulator.runs.batch import Batch
from simulator.scenario.scenario import Scenario
from simulator.storage.contents import Contents, LayoutError, Variable, numbers
from simulator.storage.identity import resolved_text, run_hash
from simulator.trajectory.arrangement import ARRANGED, QUANTITIES
from simulator.trajectory.conservation import conservation
from simulator.trajectory.provenance import laws_in
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.evidence import evidence
from simulator.verdict.verdict import classify
from simulator.verdict.words import WORDS

#: Name of the configuration text, in a file and in a result's provenance; name of the resolved scenario.
CONFIG, SCENARIO = "config", "scenario"

#: Facts that only a part of a batch has: its number, the number of its first run, the swept keys.
PART, FIRST_RUN, SWEPT = "part", "first_run", "swept"

#: The variable that the file of a model without gates omits.
GATING = "open_fraction"

#: Relative tolerance between a stored derived quantity and its value computed from the stored states.
DERIVED_AGREES = 1.0e-9

FLOAT, INDEX, CODE = (np.dtype(t) for t in ("<f8", "<i4", "i1"))

_DRIFT = "largest drift relative to the sum of magnitudes"

#: How each run ended: type, meaning and unit of each variable.
OUTCOMES = {
    "status": (CODE, "how the run ended", ""),
    "verdict": (CODE, "kind of rest", ""),
    "end_time": (FLOAT, "time reached", "s"),
    "culprit": (INDEX, "state that made the run fail, -1 if none did", ""),
    "conservation_charge": (FLOAT, f"{_DRIFT}: charge", "1"),
    "conservation_species": (FLOAT, f"{_DRIFT}: amount, NaN if the system is open to it", "1"),
}


@dataclass(frozen=True)
class SavedRun:
    """A run and what its file states about it.

    Parameters
    ----------
    trajectory : Trajectory
        The run; its provenance includes the configuration text, as ``config``.
    verdict : str
        Verdict at the time of writing.
    evidence : mapping
        Evidence of the verdict: distance to rest, eigenvalues, words per species and membrane, the cycle, the growth.
    drift : mapping of str to (float or None)
        Largest relative drift of charge and of each species; None for one that the system is open to.
    resolved : str
        The resolved scenario as JSON.
    """

    trajectory: Trajectory
    verdict: str
    evidence: Mapping[str, Any]
    drift: Mapping[str, float | None]
    resolved: str


# -- to contents ----------------------------------------------------------------------------------


def run_contents(result: Trajectory, config_text: str) -> Contents:
    """Return the contents saved for one run.

    Raises
    ------
    LayoutError
        If the result has numbers that no run may have.
    """
    _require_plausible(result)
    verdict = classify(result)
    alone = Batch.of_one(result, verdict.word, conservation(result))
    reasons = json.dumps(evidence(verdict), ensure_ascii=False, allow_nan=False)
    return _contents(alone, config_text, _variables(alone, reasons))


def part_contents(batch: Batch, number: int, config_text: str) -> Contents:
    """Return the contents saved for one part of a batch."""
    # Of one length in all parts, so that a part can be written in the place of another.
    first = f"{batch.first:012d}"
    more = {PART: str(number), FIRST_RUN: first, SWEPT: json.dumps(list(batch.coordinates))}
    return _contents(batch, config_text, _variables(batch), more)


def _contents(
    batch: Batch, config_text: str, variables: Mapping[str, Variable], more: Mapping[str, str] | None = None
) -> Contents:
    resolved = resolved_text(batch.scenario)
    facts = {k: v for k, v in sorted(batch.provenance.items()) if k != CONFIG}
    facts["run_hash"] = run_hash(resolved, facts.get("kernel_hash", ""))
    texts = {SCENARIO: resolved, CONFIG: config_text or batch.provenance.get(CONFIG, "")}
    # NetCDF convention: this attribute makes a variable that is not a dimension a coordinate.
    heading = {"coordinates": " ".join(batch.coordinates)} if batch.coordinates else {}
    present = {name: text for name, text in texts.items() if text}
    return Contents(batch.scenario.name, variables, present, facts | dict(more or {}), heading)


def _variables(batch: Batch, reasons: str = "") -> dict[str, Variable]:
    """Return the variables of a batch, coordinates first; `reasons` is the evidence of a lone run's verdict."""
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
    words = {"status": STATUSES, "verdict": WORDS, "culprit": batch.model.structure.states}
    for name, (dtype, meaning, unit) in OUTCOMES.items():
        attributes: dict[str, Any] = {"long_name": meaning} | ({"units": unit} if unit else {})
        if name in words:
            attributes |= _flags(words[name], dtype)
        if name == "verdict" and reasons:
            attributes["evidence"] = reasons
        dims = ("run", "species") if name == "conservation_species" else ("run",)
        found[name] = Variable(np.ascontiguousarray(batch.arrays[name], dtype), dims, attributes)
    for name, measure in batch.scenario.measure.items():
        about = {"long_name": measure.meaning, "units": measure.unit}
        found[name] = Variable(np.ascontiguousarray(batch.arrays[name], FLOAT), ("run",), about)
    return found


def _flags(words: Sequence[str], dtype: np.dtype) -> dict[str, Any]:
    """Attributes that give the meaning of integer codes."""
    return {"flag_values": np.arange(len(words), dtype=dtype), "flag_meanings": " ".join(words)}


# -- and back -------------------------------------------------------------------------------------


def restored_part(found: Contents) -> Batch:
    """Return the runs that a file holds.

    Raises
    ------
    LayoutError
        If something is missing, unexpected or inconsistent.
    """
    resolved, facts = found.texts.get(SCENARIO, ""), dict(found.facts)
    if not resolved:
        raise LayoutError(SCENARIO, "is missing")
    if facts.pop("run_hash", "") != run_hash(resolved, facts.get("kernel_hash", "")):
        raise LayoutError(SCENARIO, "does not match its stored hash")
    if CONFIG in found.texts:
        facts[CONFIG] = found.texts[CONFIG]
    lone = facts.pop(PART, None) is None
    first = facts.pop(FIRST_RUN, "0" if lone else "")
    if not first.isdecimal():
        raise LayoutError("run", "does not state the number of its first run")
    swept = _swept_keys(facts.pop(SWEPT, "[]" if lone else ""))
    scenario = scenario_in(resolved, laws_in(facts))
    every = (*QUANTITIES, *OUTCOMES, *scenario.measure)
    names = [name for name in every if name != GATING or name in found.variables]
    arrays = {name: numbers(found, name) for name in names}
    runs = len(numbers(found, "run"))
    arrays.setdefault(GATING, np.empty((runs, len(numbers(found, "time")), 0)))
    coordinates = {key: numbers(found, key) for key in swept}
    batch = Batch(scenario, numbers(found, "time"), arrays, coordinates, runs, int(first), facts)
    _require_form(found.variables, batch)
    for name, words in (("status", STATUSES), ("verdict", WORDS), ("culprit", batch.model.structure.states)):
        least = -1 if name == "culprit" else 0
        wrong = batch.arrays[name][(batch.arrays[name] < least) | (batch.arrays[name] >= len(words))]
        if len(wrong):
            raise LayoutError(name, f"has the unknown code {wrong[0]}")
    return batch


def restored_run(found: Contents) -> SavedRun:
    """Return the run that a file holds, with its stored verdict, evidence and drift.

    Raises
    ------
    LayoutError
        If something is missing, unexpected or inconsistent.
    """
    batch = restored_part(found)
    if batch.runs != 1:
        raise LayoutError("run", f"holds {batch.runs} runs where one is expected")
    arrays = {name: values[0] for name, values in batch.arrays.items()}
    culprit = int(arrays["culprit"])
    of_states: dict[str, Any] = {name: arrays[name] for name in ARRANGED}
    trajectory = Trajectory(
        batch.scenario,
        batch.time,
        **of_states,
        status=STATUSES[arrays["status"]],
        end_time=float(arrays["end_time"]),
        culprit=batch.model.structure.states[culprit] if culprit >= 0 else "",
        measures={name: float(arrays[name]) for name in batch.scenario.measure},
        provenance=batch.provenance,
    )
    drifts = (arrays["conservation_charge"], *np.atleast_1d(arrays["conservation_species"]))
    names = ("charge", *batch.labels["species"])
    drift = {name: float(d) if math.isfinite(d) else None for name, d in zip(names, drifts, strict=True)}
    reasons = json.loads(found.variables["verdict"].attributes.get("evidence", "{}"))
    if not isinstance(reasons, dict):
        raise LayoutError("verdict", "has malformed evidence")
    _require_derived(found.variables, trajectory)
    _require_plausible(trajectory)
    return SavedRun(trajectory, WORDS[arrays["verdict"]], reasons, drift, found.texts[SCENARIO])


def _swept_keys(text: str) -> list[str]:
    """Return the swept keys that a part lists."""
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise LayoutError("run", "does not list the swept keys")
    return keys


def _require_form(variables: Mapping[str, Variable], batch: Batch) -> None:
    """Raise unless the variables have the names, labels, dimensions and types that the batch would be stored with."""
    try:
        expected = _variables(batch)
    except (ValueError, IndexError, KeyError) as error:
        raise LayoutError("variables", "have dimensions that do not fit the scenario") from error
    for name in sorted(variables.keys() ^ expected.keys()):
        raise LayoutError(name, "is missing" if name in expected else "does not belong in such a file")
    sizes = {"run": batch.runs, "time": len(batch.time)} | {dim: len(labels) for dim, labels in batch.labels.items()}
    for name, wanted in expected.items():
        got = variables[name]
        if isinstance(wanted.values, tuple) or isinstance(got.values, tuple):
            if got.values != wanted.values or got.dims != wanted.dims:
                raise LayoutError(name, "does not match the scenario in the file")
        elif got.dims != wanted.dims or got.values.shape != tuple(sizes[dim] for dim in wanted.dims):
            raise LayoutError(name, f"does not have the dimensions {', '.join(wanted.dims)} of its scenario")
        elif got.values.dtype != wanted.values.dtype:
            raise LayoutError(name, f"has numbers of type {got.values.dtype}, not {wanted.values.dtype}")
    if np.any(variables["run"].values != expected["run"].values):
        raise LayoutError("run", "does not match the scenario in the file")


def _require_derived(variables: Mapping[str, Variable], trajectory: Trajectory) -> None:
    """Raise unless potentials and concentrations follow from the stored states."""
    with np.errstate(all="ignore"):
        derived = {"concentration": trajectory.concentration, "potential": trajectory.potential}
    for name, field in derived.items():
        stored = np.asarray(variables[name].values)[0]
        if not np.allclose(stored, field.values, rtol=DERIVED_AGREES, atol=0.0, equal_nan=True):
            raise LayoutError(name, "does not follow from the states in the file")


def scenario_in(resolved: str, laws: Mapping[str, str]) -> Scenario:
    """Return the scenario stored as this text.

    Parameters
    ----------
    resolved : str
        The resolved scenario as JSON.
    laws : mapping of str to str
        The laws from outside the package that it uses, each with file and digest.

    Raises
    ------
    UsageError
        If such a law is not loaded.
    LayoutError
        If it is no scenario of this version.
    """
    from simulator.scenario.yaml.reader import from_resolved

    for name, origin in laws.items():
        if not known(name):
            file = origin.partition(" ")[0]
            problem = f"this result was computed with the law `{name}` of {origin}, which is not loaded"
            raise UsageError(problem, f"add `--laws {file}` to the command (in Python, simulator.add_laws)")
        if not digest_of(name) or digest_of(name) not in origin:
            problem = f"the law `{name}` was that of {origin}, now it is that of {origin_of(name) or 'the library'}"
            warnings.warn(f"{problem}; what follows from saved states is computed by the present one", stacklevel=2)
    try:
        return from_resolved(resolved).scenario
    except IonfluxError as error:
        text = " ".join(str(error).split())
        raise LayoutError(SCENARIO, f"cannot be read by this version of ionflux ({text})") from error


def _require_plausible(result: Trajectory) -> None:
    """Raise unless every number of the model is finite; absent species and baths have NaN instead."""
    if not len(result.time) or not np.all(np.isfinite(result.time)) or np.any(np.diff(result.time) <= 0.0):
        raise LayoutError("time", "is not a list of finite, increasing numbers")
    if not math.isfinite(result.end_time):
        raise LayoutError("end_time", "is not a finite number")
    with np.errstate(all="ignore"):
        every = result.fields()
    for name, quantity in every.items():
        missing = np.isnan(quantity.values)
        if np.any(np.isinf(quantity.values)) or np.any(missing != missing[:1]):
            raise LayoutError(name, "has a NaN or an infinity among its numbers")
    structure = result.structure
    present = np.array([[s in c.species for s, _ in structure.charges] for c in structure.compartments])
    if np.any(np.isfinite(result.concentration.values) != present):
        raise LayoutError("concentration", "has a NaN where there must be a number")
    if not np.all(np.isfinite(result.potential.values)):
        raise LayoutError("potential", "has a NaN where there must be a number")
    for name, column in zip(structure.states, result.states.T, strict=True):
        if not np.all(np.isfinite(column)):
            raise LayoutError(name, "has a NaN where there must be a number")
