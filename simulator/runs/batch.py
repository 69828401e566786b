"""The result of many runs: labelled arrays whose first axis is the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from simulator.kernel.status import STATUSES
from simulator.model.model import Model
from simulator.runs.lazily import in_words, reader_of
from simulator.scenario.parts import Run
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import ARRANGED, QUANTITIES, dimension_labels
from simulator.trajectory.conservation import Conservation
from simulator.trajectory.labelled import Field, dataset
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.words import WORDS

__all__ = ["Batch", "Failure", "kept_times", "scenario_of"]


@dataclass(frozen=True)
class Failure:
    """A run that failed: its number, status, time reached [s], the state to blame or an empty text, and its values."""

    run: int
    status: str
    time: float
    culprit: str
    values: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class Batch:
    """Results of many runs of one scenario.

    Parameters
    ----------
    scenario : Scenario
        What was run; its sweep gives the runs' values.
    time : ndarray, shape (times,)
        Save times [s], shared by all runs.
    arrays : mapping of str to ndarray
        Variables whose first axis is the run: the quantities of :data:`QUANTITIES`, ``status``, ``verdict``,
        ``end_time``, ``culprit`` and the drifts of charge and species. They may be computed on access, or read from
        a file.
    coordinates : mapping of str to ndarray
        Swept values [SI] by dotted path, shape (runs,) each.
    first : int
        Number of the first run, in a part of a larger batch.
    runs : int
        Number of runs.
    provenance : mapping of str to str
        Versions, kernel hash, platform, configuration text.
    """

    scenario: Scenario
    time: np.ndarray
    arrays: Mapping[str, np.ndarray]
    coordinates: Mapping[str, np.ndarray]
    runs: int
    first: int = 0
    provenance: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_one(cls, trajectory: Trajectory, verdict: str, kept: Conservation) -> Batch:
        """A single run as a batch, with the word of its verdict and its drifts."""
        arrays = {name: field.values[None] for name, field in trajectory.fields().items()}
        arrays.setdefault("open_fraction", trajectory.open_fraction[None])
        states, species = trajectory.structure.states, trajectory.labels["species"]
        drift = {name: np.nan if d is None else d for name, d in kept.species.items()}
        arrays |= {
            "status": np.array([STATUSES.index(trajectory.status)]),
            "verdict": np.array([WORDS.index(verdict)]),
            "end_time": np.array([trajectory.end_time]),
            "culprit": np.array([states.index(trajectory.culprit) if trajectory.culprit else -1]),
            "conservation_charge": np.array([np.nan if kept.charge is None else kept.charge]),
            "conservation_species": np.array([[drift[s] for s in species]]),
        } | {name: np.array([value]) for name, value in trajectory.measures.items()}
        return cls(trajectory.scenario, trajectory.time, arrays, {}, 1, provenance=trajectory.provenance)

    def __repr__(self) -> str:
        words = ", ".join(f"{n} {word}" for word, n in self.counts()["status"].items())
        return f"Batch({self.scenario.name!r}, {self.runs} runs: {words})"

    def __len__(self) -> int:
        return self.runs

    # -- outcome ----------------------------------------------------------------------------------

    @property
    def status(self) -> np.ndarray:
        """How each run ended, as a word, shape (runs,)."""
        return np.array(STATUSES)[self.arrays["status"]]

    @property
    def verdict(self) -> np.ndarray:
        """Verdict of each run, as a word, shape (runs,)."""
        return np.array(WORDS)[self.arrays["verdict"]]

    @property
    def end_time(self) -> np.ndarray:
        """Time reached [s], shape (runs,)."""
        return self.arrays["end_time"]

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of runs by status and by verdict."""
        return {
            name: {words[code]: n for code, n in sorted(Counter(self.arrays[name].tolist()).items())}
            for name, words in (("status", STATUSES), ("verdict", WORDS))
        }

    def failures(self) -> Iterator[Failure]:
        """Each run that failed."""
        structure = self.model.structure
        for i in np.flatnonzero(self.arrays["status"]).tolist():
            culprit = int(self.arrays["culprit"][i])
            values = {key: float(column[i]) for key, column in self.coordinates.items()}
            word = STATUSES[self.arrays["status"][i]]
            time = float(self.end_time[i])
            where = structure.in_words(structure.states[culprit]) if culprit >= 0 else ""
            yield Failure(self.first + i, word, time, where, values)

    # -- quantities -------------------------------------------------------------------------------

    @cached_property
    def model(self) -> Model:
        """The model of the scenario; the runs differ only in their values."""
        return Model.of(self.scenario)

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Labels of each dimension but run and time."""
        return dimension_labels(self.model.structure)

    @property
    def potential(self) -> Field:
        """Membrane potentials [V], shape (runs, times, membranes)."""
        return self.field("potential")

    @property
    def concentration(self) -> Field:
        """Concentrations [mol/m3], shape (runs, times, compartments, species)."""
        return self.field("concentration")

    def field(self, name: str) -> Field:
        """One of the saved quantities; NaN after the end of a run."""
        return self._field(name, self.arrays[name])

    def _field(self, name: str, values: np.ndarray) -> Field:
        unit, meaning, dims = QUANTITIES[name]
        names = dims.split()
        return Field(values, ("run", "time", *names), {d: self.labels[d] for d in names}, unit, meaning)

    def about(self, quantity: str) -> tuple[str, str]:
        """SI unit and meaning of a quantity such as ``potential.plasma`` or ``concentration.cell.k``, or of a measure.

        Raises
        ------
        ValueError
            If there is no such quantity.
        """
        if quantity in self.scenario.measure:
            measure = self.scenario.measure[quantity]
            return measure.unit, measure.meaning
        name, _ = self._place(quantity)
        unit, meaning, _ = QUANTITIES[name]
        return unit, meaning

    def _place(self, quantity: str) -> tuple[str, tuple[int, ...]]:
        """Name and indices of a quantity."""
        name, *labels = quantity.split(".")
        dims = QUANTITIES[name][2].split() if name in QUANTITIES else []
        if dims == ["gate"]:  # a gate's label contains dots
            labels = [".".join(labels)]
        known = len(dims) == len(labels) and all(x in self.labels[d] for d, x in zip(dims, labels, strict=True))
        if not dims or not known:
            every = [".".join((n, *x)) for n in QUANTITIES for x in product(*self._labels_of(n))]
            every += self.scenario.measure
            raise ValueError(f"there is no quantity {quantity!r}; there are {', '.join(every)}")
        return name, tuple(self.labels[d].index(x) for d, x in zip(dims, labels, strict=True))

    def _labels_of(self, name: str) -> list[tuple[str, ...]]:
        return [self.labels[dim] for dim in QUANTITIES[name][2].split()]

    def over_time(self, quantity: str) -> np.ndarray:
        """One quantity over time in each run, shape (runs, times); NaN after a run's end."""
        name, labels = self._place(quantity)
        place: Any = (slice(None), slice(None), *labels)
        return np.concatenate([values[place] for values in self._by_part(name)])

    def final(self, quantity: str) -> np.ndarray:
        """One quantity at the last saved time of each run, or a measure, shape (runs,); NaN where a run failed."""
        if quantity in self.scenario.measure:
            return self.arrays[quantity]
        name, labels = self._place(quantity)
        place: Any = (slice(None), *labels)
        return self.last(name)[place]

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """What each measure of the scenario came to, by name, shape (runs,); NaN where nothing was found."""
        return {name: self.arrays[name] for name in self.scenario.measure}

    def last(self, name: str) -> np.ndarray:
        """One of the saved quantities at the last saved time of each run, shape (runs, ...); NaN where a run failed."""
        found, places = [], self._last_places
        for values in self._by_part(name):
            found.append(values[np.arange(len(values)), places[: len(values)]])
            places = places[len(values) :]
        whole = np.concatenate(found)
        whole[self.arrays["status"] != 0] = np.nan
        return whole

    @property
    def _last_places(self) -> np.ndarray:
        """Index of the last saved time of each run; 0 if only final states were saved, one per run."""
        return np.clip(np.searchsorted(self.time, self.end_time, "right") - 1, 0, len(self.time) - 1)

    @property
    def last_time(self) -> np.ndarray:
        """Time of the last saved state of each run [s], shape (runs,)."""
        return self.end_time if self.scenario.run.save == "final" else self.time[self._last_places]

    def _by_part(self, name: str) -> Iterator[np.ndarray]:
        """A variable, part by part if it is on disk, else whole."""
        by_part = getattr(self.arrays, "by_part", None)
        return by_part(name) if by_part is not None else iter((self.arrays[name],))

    def fields(self) -> dict[str, Field]:
        """All quantities saved over time, by name."""
        return {name: self.field(name) for name in self._saved}

    @property
    def _saved(self) -> list[str]:
        return [name for name in QUANTITIES if name != "open_fraction" or self.labels["gate"]]

    def trajectory(self, run: int) -> Trajectory:
        """One run, as if it had been run alone and saved at these times.

        Raises
        ------
        IndexError
            If there is no such run, or nothing of it was saved.
        """
        i = run - self.first
        if not 0 <= i < self.runs:
            raise IndexError(f"there is no run {run}; there are runs {self.first} to {self.first + self.runs - 1}")
        values = {key: float(column[i]) for key, column in self.coordinates.items()}
        arrays = {name: self.arrays[name][i] for name in ARRANGED}
        end = float(self.end_time[i])
        kept = self.time <= end if self.scenario.run.save != "final" else np.ones(1, dtype=bool)
        if not np.any(kept) or np.all(np.isnan(arrays["compartment_potential"])):
            raise IndexError(f"nothing was saved of run {run}, which ended {STATUSES[self.arrays['status'][i]]}")
        culprit = int(self.arrays["culprit"][i])
        scenario = scenario_of(self.scenario, values)
        return Trajectory(
            scenario,
            np.array([end]) if self.scenario.run.save == "final" else self.time[kept],
            **{name: values[kept] for name, values in arrays.items()},
            status=STATUSES[self.arrays["status"][i]],
            end_time=end,
            culprit=self.model.structure.states[culprit] if culprit >= 0 else "",
            measures={name: float(self.arrays[name][i]) for name in self.scenario.measure},
            provenance=self.provenance,
        )

    def part(self, start: int, stop: int) -> Batch:
        """The runs from `start` to before `stop`, counted from the first of this batch."""
        stop = min(stop, self.runs)
        arrays = {name: values[start:stop] for name, values in self.arrays.items()}
        coordinates = {key: values[start:stop] for key, values in self.coordinates.items()}
        return replace(self, arrays=arrays, coordinates=coordinates, first=self.first + start, runs=stop - start)

    def parts(self, runs: int) -> Iterator[Batch]:
        """The batch in parts of at most `runs` runs; one on disk is read and verified file by file, each once."""
        stored = getattr(self.arrays, "parts", None)
        for whole in (self,) if stored is None else stored():
            yield from (whole.part(start, start + runs) for start in range(0, whole.runs, runs))

    def size(self) -> int:
        """Approximate size of all variables, in bytes."""
        per_time = sum(int(np.prod([len(self.labels[d]) for d in dims.split()])) for _, _, dims in QUANTITIES.values())
        return 8 * self.runs * (len(self.time) * per_time + len(self.coordinates) + len(self.labels["species"]) + 3)

    def to_xarray(self, unfold: bool = False) -> Any:
        """The saved quantities as an ``xarray.Dataset`` (xarray must be installed).

        Of a batch on disk, the variables are dask arrays over its parts, which are read when they are computed. Without
        dask they are read at once.

        Parameters
        ----------
        unfold : bool
            Whether the dimension ``run`` becomes the axes of the sweep, each named after the key that leads it. Keys
            that go along with another one are coordinates on its dimension, and ``run`` is one on all of them.

        Raises
        ------
        UsageError
            If the variables are larger than the memory and dask is missing, or the runs are no grid.
        """
        from simulator.runs.unfolding import unfolded

        read = reader_of(self.arrays, self.size())
        ends = {name: read(self.arrays, name) for name in ("status", "verdict", "end_time", *self.scenario.measure)}
        coordinates: dict[str, Any] = {"run": np.arange(self.first, self.first + self.runs), "time": self.time}
        coordinates |= {dim: list(labels) for dim, labels in self.labels.items() if labels}
        for key in self.coordinates:
            coordinates[key] = ("run", read(self.coordinates, key), {"units": self.scenario.unit_of(key)})
        fields = {name: self._field(name, read(self.arrays, name)) for name in self._saved}
        found = dataset(fields, coordinates, {"name": self.scenario.name})
        about: dict[str, Any] = {"end_time": {"units": "s"}}
        about |= {name: {"units": m.unit, "long_name": m.meaning} for name, m in self.scenario.measure.items()}
        words = {"status": STATUSES, "verdict": WORDS}
        values = {n: in_words(v, words[n]) if n in words else v for n, v in ends.items()}
        found = found.assign({name: ("run", v, about.get(name, {})) for name, v in values.items()})
        return unfolded(found, self.scenario.sweep) if unfold else found


def kept_times(run: Run, times: np.ndarray) -> np.ndarray:
    """The save times [s] that a batch keeps."""
    return times[-1:] if run.save == "final" else times


def scenario_of(scenario: Scenario, values: Mapping[str, float]) -> Scenario:
    """The scenario of one run of a sweep, with its own values and without the sweep."""
    data = scenario.model_copy(update={"sweep": None}).resolved()
    for key, value in values.items():
        *above, name = scenario.leaves()[key].path
        place: Any = data
        for step in above:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[int(name) if isinstance(place, list) else name] = value
    return Scenario.model_validate(data)
