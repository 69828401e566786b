"""What a data file holds: a run as named variables over named dimensions, and back.

Nothing here knows of a file format; :mod:`simulator.storage.hdf5` stores :class:`Contents` as HDF5.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from simulator.errors import IonfluxError
from simulator.kernel.status import STATUSES
from simulator.scenario.scenario import Scenario
from simulator.trajectory.conservation import conservation
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.verdict import Verdict, classify
from simulator.verdict.words import WORDS

FORMAT = "ionflux run"
FORMAT_VERSION = 1

#: Name of the configuration text, in a file and in a trajectory's provenance.
CONFIG = "config"
SCENARIO = "scenario"

#: Fact that only a part of a batch has: its number.
PART = "part"

#: Arrays that a trajectory consists of; its other quantities follow from them.
ARRAYS = tuple(f.name for f in fields(Trajectory) if f.type == "np.ndarray" and f.name != "time")

#: The one of them that a run without gates has no columns of, and a file nothing.
GATING = "open_fraction"

#: Relative difference between a stored derived quantity and the same computed from the stored states.
DERIVED_AGREES = 1.0e-9

FLOAT, INDEX, CODE = (np.dtype(t) for t in ("<f8", "<i4", "i1"))


class LayoutError(ValueError):
    """Contents that are not those of a run: where, and why."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name, self.problem = name, problem


@dataclass(frozen=True)
class Variable:
    """Numbers or labels over dimensions; a coordinate if its one dimension has its own name."""

    values: np.ndarray | tuple[str, ...]
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Contents:
    """All that a file holds: variables, longer texts, short facts about where it comes from, and conventions."""

    title: str
    variables: Mapping[str, Variable]
    texts: Mapping[str, str]
    facts: Mapping[str, str]
    heading: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SavedRun:
    """A run and what its file says about it.

    Parameters
    ----------
    trajectory : Trajectory
        The run; its provenance includes the configuration text, as ``config``.
    verdict : str
        Verdict at the time of writing.
    evidence : mapping
        What the verdict rests on: distance to rest, eigenvalues, words per species and membrane, the cycle, the growth.
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


def run_hash(resolved: str, kernel_hash: str) -> str:
    """What makes a run the same run: hash of resolved scenario and kernel together."""
    return hashlib.sha256(f"{kernel_hash}\n{resolved}".encode()).hexdigest()


def resolved_text(scenario: Scenario) -> str:
    """A resolved scenario as files keep it."""
    return json.dumps(scenario.resolved(), ensure_ascii=False, allow_nan=False, indent=1)


def digest(what: Contents) -> str:
    """SHA-256 of all numbers, labels and texts; the checksums of chunks cannot see a chunk in another's place."""
    found = hashlib.sha256(json.dumps([dict(what.texts), dict(what.facts)], sort_keys=True).encode())
    for name, variable in sorted(what.variables.items()):
        values = variable.values
        kind = list(values) if isinstance(values, tuple) else [values.dtype.str, *values.shape]
        found.update(json.dumps([name, variable.dims, kind]).encode())
        if not isinstance(values, tuple):
            found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def contents(result: Trajectory, config_text: str) -> Contents:
    """All that is saved of a run.

    Raises
    ------
    LayoutError
        When the result has numbers that no run may have.
    """
    _require_plausible(result)
    resolved = resolved_text(result.scenario)
    facts = {k: v for k, v in sorted(result.provenance.items()) if k != CONFIG}
    facts["run_hash"] = run_hash(resolved, facts.get("kernel_hash", ""))
    texts = {SCENARIO: resolved, CONFIG: config_text or result.provenance.get(CONFIG, "")}
    kept, verdict = conservation(result), classify(result)
    drift = {"charge": kept.charge, **kept.species}
    saved = SavedRun(result, verdict.word, _evidence(verdict), drift, resolved)
    return Contents(result.scenario.name, _variables(saved), {k: v for k, v in texts.items() if v}, facts)


def restore(found: Contents) -> SavedRun:
    """The run that a file holds.

    Raises
    ------
    LayoutError
        When something is missing, too much, or does not fit the rest.
    """
    resolved, facts = found.texts.get(SCENARIO, ""), dict(found.facts)
    if not resolved:
        raise LayoutError(SCENARIO, "is missing")
    if facts.pop("run_hash", "") != run_hash(resolved, facts.get("kernel_hash", "")):
        raise LayoutError(SCENARIO, "does not match the hash stored beside it")
    if CONFIG in found.texts:
        facts[CONFIG] = found.texts[CONFIG]
    runs = len(numbers(found, "run"))
    if runs != 1:
        raise LayoutError("run", f"holds {runs} runs where one is expected")
    nothing: dict[str, Any] = dict.fromkeys(("time", *ARRAYS), np.empty(0))
    nothing[GATING] = np.empty((len(numbers(found, "time")), 0))
    empty = Trajectory(scenario_in(resolved), **nothing)
    trajectory = replace(
        empty,
        time=numbers(found, "time"),
        **{name: numbers(found, name)[0] for name in ARRAYS if name != GATING or empty.labels["gate"]},
        status=_word(found, "status", STATUSES),
        end_time=float(numbers(found, "end_time")[0]),
        culprit=_word(found, "culprit", ("", *empty.structure.states), first=-1),
        provenance=facts,
    )
    species = numbers(found, "conservation_species")[0]
    drifts = [
        float(numbers(found, "conservation_charge")[0]),
        *map(_finite, np.atleast_1d(species).tolist()),
    ]
    drift = dict(zip(("charge", *empty.labels["species"]), drifts, strict=False))
    verdict = _word(found, "verdict", WORDS)
    evidence = json.loads(found.variables["verdict"].attributes.get("evidence", "{}"))
    if not isinstance(evidence, dict):
        raise LayoutError("verdict", "has evidence of another kind")
    saved = SavedRun(trajectory, verdict, evidence, drift, resolved)
    _compare(found.variables, saved)
    return saved


def _compare(found: Mapping[str, Variable], saved: SavedRun) -> None:
    """Raise unless the variables are those that this run would be stored as."""
    try:
        expected = _variables(saved)
    except (ValueError, IndexError, KeyError) as error:
        raise LayoutError("variables", "have dimensions that do not fit the scenario") from error
    for name in sorted(found.keys() ^ expected.keys()):
        raise LayoutError(name, "is missing" if name in expected else "does not belong into such a file")
    for name, wanted in expected.items():
        got = found[name]
        if isinstance(wanted.values, tuple) or isinstance(got.values, tuple):
            if got.values != wanted.values or got.dims != wanted.dims:
                raise LayoutError(name, "does not match the scenario in the file")
        elif got.dims != wanted.dims or got.values.shape != wanted.values.shape:
            raise LayoutError(name, f"does not have the dimensions {', '.join(wanted.dims)} of its scenario")
        elif got.values.dtype != wanted.values.dtype:
            raise LayoutError(name, f"has numbers of type {got.values.dtype}, not {wanted.values.dtype}")
        elif not np.allclose(got.values, wanted.values, rtol=DERIVED_AGREES, atol=0.0, equal_nan=True):
            raise LayoutError(name, "does not follow from the states in the file")
    _require_plausible(saved.trajectory)


def _variables(saved: SavedRun) -> dict[str, Variable]:
    """The variables of a run; coordinates first."""
    result = saved.trajectory
    found = {
        "run": Variable(np.zeros(1, INDEX), ("run",), {"long_name": "run"}),
        "time": Variable(result.time.astype(FLOAT), ("time",), {"long_name": "time", "units": "s"}),
    }
    for dim in ("membrane", "compartment", "species", *(("gate",) if result.labels["gate"] else ())):
        found[dim] = Variable(result.labels[dim], (dim,), {"long_name": dim})
    with np.errstate(all="ignore"):
        for name, quantity in result.fields().items():
            about = {"long_name": quantity.meaning, "units": quantity.unit}
            found[name] = Variable(quantity.values[None].astype(FLOAT), ("run", *quantity.dims), about)

    def outcome(name: str, value: Any, dtype: np.dtype, long_name: str, **about: Any) -> None:
        dims = ("run", "species") if isinstance(value, list) else ("run",)
        found[name] = Variable(np.array([value], dtype), dims, {"long_name": long_name, **about})

    states = result.structure.states
    culprit = states.index(result.culprit) if result.culprit else -1
    drifts = [np.nan if (d := saved.drift[s]) is None else d for s in result.labels["species"]]
    evidence = json.dumps(saved.evidence, ensure_ascii=False, allow_nan=False)
    charge = np.nan if saved.drift["charge"] is None else saved.drift["charge"]
    relative = "largest drift relative to the sum of magnitudes"
    outcome("status", STATUSES.index(result.status), CODE, "how the run ended", **flags(STATUSES, CODE))
    outcome("verdict", WORDS.index(saved.verdict), CODE, "kind of rest", **flags(WORDS, CODE), evidence=evidence)
    outcome("end_time", result.end_time, FLOAT, "time reached", units="s")
    outcome("culprit", culprit, INDEX, "state that made the run fail, -1 if none did", **flags(states, INDEX))
    outcome("conservation_charge", charge, FLOAT, f"{relative}: charge", units="1")
    outcome(
        "conservation_species",
        drifts,
        FLOAT,
        f"{relative}: amount, NaN if the system is open to it",
        units="1",
    )
    return found


def flags(words: Sequence[str], dtype: np.dtype) -> dict[str, Any]:
    """Attributes that say what codes mean."""
    return {"flag_values": np.arange(len(words), dtype=dtype), "flag_meanings": " ".join(words)}


def _evidence(verdict: Verdict) -> dict[str, Any]:
    """A verdict's reasons, fit for JSON: None for what is not a finite number."""
    return {
        "sentence": verdict.sentence,
        "distance": _finite(verdict.distance),
        "time_to_rest": _finite(verdict.time_to_rest),
        "dissipation": _finite(verdict.dissipation),
        "atp_rate": _finite(verdict.atp_rate),
        "eigenvalues": [[_finite(float(v.real)), _finite(float(v.imag))] for v in verdict.eigenvalues],
        "species": {m: dict(words) for m, words in verdict.species.items()},
        "affinity": {label: _finite(value) for label, value in verdict.affinity.items()},
        "isolated": list(verdict.isolated),
        "left_out": list(verdict.left_out),
        "oscillation": None if verdict.oscillation is None else _plain(asdict(verdict.oscillation)),
        "run_away": None if verdict.run_away is None else _plain(asdict(verdict.run_away)),
    }


def _plain(value: Any) -> Any:
    """Numbers and words in mappings, fit for JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return _finite(value) if isinstance(value, float) else value


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def numbers(found: Contents, name: str) -> np.ndarray:
    """The numbers of a variable, of which there must be some."""
    variable = found.variables.get(name)
    if variable is None:
        raise LayoutError(name, "is missing")
    if isinstance(variable.values, tuple) or not variable.values.size:
        raise LayoutError(name, "has no numbers")
    return variable.values


def _word(found: Contents, name: str, words: Sequence[str], first: int = 0) -> str:
    """The word that a stored code stands for."""
    place = int(numbers(found, name).flat[0]) - first
    if not 0 <= place < len(words):
        raise LayoutError(name, f"has the unknown code {place + first}")
    return words[place]


def scenario_in(resolved: str) -> Scenario:
    """The scenario that was stored as this text."""
    from simulator.scenario.yaml.reader import from_resolved

    try:
        return from_resolved(resolved).scenario
    except IonfluxError as error:
        text = " ".join(str(error).split())
        raise LayoutError(SCENARIO, f"is not one that this version understands ({text})") from error


def _require_plausible(result: Trajectory) -> None:
    """Raise unless every number that the model has is finite; absent species and baths have NaN instead."""
    if not len(result.time) or not np.all(np.isfinite(result.time)) or np.any(np.diff(result.time) <= 0.0):
        raise LayoutError("time", "is not a list of finite, rising numbers")
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
