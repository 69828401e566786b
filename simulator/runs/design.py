"""Values of each run of a sweep, from the run's number.

A run's values depend only on the sweep and its number, not on which other runs are requested.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from simulator.errors import UsageError, suggestion
from simulator.scenario.scenario import Scenario
from simulator.scenario.sweep import RANDOM_MODES, Axis, Sweep

__all__ = ["Design", "Drawn", "Listed", "Product", "design_of", "design_of_arrays"]

#: Random numbers per step of the counter-based generator.
STREAM_BLOCK = 4


class Design:
    """Values of the runs of a sweep."""

    keys: tuple[str, ...]
    runs: int

    def values(self, run: np.ndarray) -> dict[str, np.ndarray]:
        """Values by key of the runs with these numbers, shape (len(run),) each."""
        raise NotImplementedError

    def part(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Values of the runs from `start` to before `stop`."""
        return self.values(np.arange(start, min(stop, self.runs)))


@dataclass(frozen=True)
class Listed(Design):
    """Runs with listed values, one array per key."""

    columns: Mapping[str, np.ndarray]

    @property
    def keys(self) -> tuple[str, ...]:  # type: ignore[override]
        """Keys that vary."""
        return tuple(self.columns)

    @property
    def runs(self) -> int:  # type: ignore[override]
        """Number of runs."""
        return len(next(iter(self.columns.values()))) if self.columns else 1

    def values(self, run: np.ndarray) -> dict[str, np.ndarray]:
        """Values by key."""
        return {key: column[run] for key, column in self.columns.items()}


@dataclass(frozen=True)
class Product(Design):
    """Every combination of the runs of several designs; the last varies fastest."""

    parts: tuple[Design, ...]

    @property
    def keys(self) -> tuple[str, ...]:  # type: ignore[override]
        """Keys that vary."""
        return tuple(key for part in self.parts for key in part.keys)

    @property
    def runs(self) -> int:  # type: ignore[override]
        """Number of runs."""
        return math.prod(part.runs for part in self.parts)

    def values(self, run: np.ndarray) -> dict[str, np.ndarray]:
        """Values by key."""
        found: dict[str, np.ndarray] = {}
        for part in reversed(self.parts):
            run, own = np.divmod(run, part.runs)
            found = part.values(own) | found
        return found


@dataclass(frozen=True)
class Drawn(Design):
    """Runs drawn at random, or spread by a Latin hypercube or a scrambled Sobol sequence."""

    mode: str
    axes: Mapping[str, Axis]
    bounds: Mapping[str, tuple[float, float]]
    runs: int
    seed: int

    @property
    def keys(self) -> tuple[str, ...]:  # type: ignore[override]
        """Keys that vary."""
        return tuple(key for leader, axis in self.axes.items() for key in (leader, *axis.coupled()))

    def values(self, run: np.ndarray) -> dict[str, np.ndarray]:
        """Values by key."""
        shares, found = self._shares(run), {}
        for i, (key, axis) in enumerate(self.axes.items()):
            for name, each in {key: axis, **axis.coupled()}.items():  # axes that go along take the same share
                found[name] = quantile(each, shares[:, i], self.bounds[name])
        return found

    def _shares(self, run: np.ndarray) -> np.ndarray:
        """Numbers in [0, 1), shape (len(run), axes)."""
        if self.mode == "random":
            return self._stream(run)
        return self._spread[run]

    def _stream(self, run: np.ndarray) -> np.ndarray:
        """Random numbers; each run has its own position in the stream."""
        blocks = -(-len(self.axes) // STREAM_BLOCK)
        found = np.empty((len(run), len(self.axes)))
        for first, last in stretches(run):
            stream = np.random.Philox(key=self.seed).advance(int(run[first]) * blocks)
            numbers = np.random.Generator(stream).random((last - first, blocks * STREAM_BLOCK))
            found[first:last] = numbers[:, : len(self.axes)]
        return found

    @cached_property
    def _spread(self) -> np.ndarray:
        from scipy.stats import qmc

        random = np.random.default_rng(self.seed)
        if self.mode == "lhs":
            return np.asarray(qmc.LatinHypercube(len(self.axes), rng=random).random(self.runs))
        sobol = qmc.Sobol(len(self.axes), scramble=True, rng=random)
        whole = 1 << (self.runs - 1).bit_length()  # Sobol points are balanced in powers of two
        return np.asarray(sobol.random(whole)[: self.runs])


def stretches(run: np.ndarray) -> Iterator[tuple[int, int]]:
    """Index ranges [first, last) of consecutive run numbers."""
    breaks = [0, *(np.flatnonzero(np.diff(run) != 1) + 1).tolist(), len(run)]
    return ((a, b) for a, b in pairwise(breaks) if b > a)


def quantile(axis: Axis, share: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Quantiles of an axis' distribution, at shares in [0, 1)."""
    numbers = axis.numbers
    match axis.form:
        case "values":
            place = np.minimum((share * len(numbers)).astype(np.int64), len(numbers) - 1)
            return np.array(numbers, dtype=float)[place]
        case "uniform":
            low, high = numbers
            return np.clip(low + share * (high - low), min(numbers), max(numbers))
        case "loguniform":
            low, high = numbers
            return np.clip(low * np.exp(share * math.log(high / low)), min(numbers), max(numbers))
    from scipy.special import ndtr, ndtri

    mean, deviation = numbers
    low, high = (ndtr((bound - mean) / deviation) for bound in bounds)
    tiny = np.finfo(float).tiny
    drawn = mean + deviation * ndtri(np.clip(low + share * (high - low), tiny, 1.0 - 1e-16))
    return np.clip(drawn, *bounds)


def columns(key: str, axis: Axis) -> dict[str, np.ndarray]:
    """All values of an axis that is not a distribution, and of those that go along with it, by key."""
    return {name: spaced(each) for name, each in {key: axis, **axis.coupled()}.items()}


def spaced(axis: Axis) -> np.ndarray:
    """All values of an axis that is not a distribution."""
    numbers = axis.numbers
    match axis.form:
        case "linspace":
            return np.linspace(numbers[0], numbers[1], axis.count())
        case "logspace":
            found = np.geomspace(numbers[0], numbers[1], axis.count())
            return np.clip(found, min(numbers), max(numbers))
        case "range":
            return np.asarray(numbers[0] + numbers[2] * np.arange(axis.count()))
    return np.array(numbers, dtype=float)


def design_of(scenario: Scenario) -> Design:
    """The runs of a scenario's sweep; a single run if it has none."""
    return Listed({}) if scenario.sweep is None else _design(scenario, scenario.sweep)


def _design(scenario: Scenario, sweep: Sweep) -> Design:
    if sweep.mode == "product":
        return Product(tuple(_design(scenario, part) for part in sweep.parts))
    if sweep.mode in RANDOM_MODES:
        bounds = {key: _bounds(scenario, key) for key in sweep.swept()}
        return Drawn(sweep.mode, sweep.over, bounds, int(sweep.n or 0), sweep.seed)
    if sweep.mode == "grid":
        return Product(tuple(Listed(columns(key, axis)) for key, axis in sweep.over.items()))
    if sweep.columns is not None:
        return Listed({key: column.numbers for key, column in sweep.columns.items()})
    if sweep.runs:
        return Listed({key: np.array([run[key] for run in sweep.runs], dtype=float) for key in sweep.runs[0]})
    return Listed({name: v for key, axis in sweep.over.items() for name, v in columns(key, axis).items()})


def _bounds(scenario: Scenario, key: str) -> tuple[float, float]:
    quantity = scenario.leaves()[key].quantity
    assert quantity is not None
    low = max(quantity.minimum, np.finfo(float).tiny) if quantity.positive else quantity.minimum
    return low, quantity.maximum


def design_of_arrays(scenario: Scenario, parameters: Mapping[str, Sequence[float] | np.ndarray | float]) -> Design:
    """Runs given as one array per key [SI], all of one length (or single numbers).

    Raises
    ------
    UsageError
        For a key that is not a number of the scenario, empty arrays or unequal lengths, or a value out of bounds.
    """
    from simulator.scenario.checks.sweep import why_not_swept

    leaves = scenario.leaves()
    columns = {key: np.atleast_1d(np.asarray(values, dtype=float)) for key, values in parameters.items()}
    lengths = {len(column) for column in columns.values() if column.ndim == 1 and len(column) != 1}
    if len(lengths) > 1 or any(column.ndim != 1 for column in columns.values()):
        shapes = ", ".join(f"{key}: {column.shape}" for key, column in columns.items())
        raise UsageError(f"the arrays do not match ({shapes})", "give one array of shape (runs,) for each key")
    runs = lengths.pop() if lengths else 1
    if not runs:
        raise UsageError("there is nothing to run: the arrays are empty", "give at least one value for each key")
    for key, column in columns.items():
        quantity = leaves[key].quantity if key in leaves else None
        if quantity is None or (reason := why_not_swept(key, leaves)):
            problem = f"`{key}` cannot be swept" + (f": {reason}" if quantity is not None else "")
            raise UsageError(problem, suggestion(key, leaves) or "give the dotted path of a number")
        wrong = np.flatnonzero(~(np.isfinite(column) & quantity.allows(column)))
        if len(wrong):
            raise UsageError(f"`{key}` is {column[wrong[0]]!r} in run {wrong[0]}", f"expected {quantity.expected}")
    return Listed({key: np.broadcast_to(column, (runs,)) for key, column in columns.items()})
