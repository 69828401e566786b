"""A run or a batch as a table: a run's quantities at its saved times, or how each run of a batch ended.

The rows come in blocks, so that a table may be larger than the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from simulator.runs.batch import Batch
from simulator.runs.last_states import LastStates
from simulator.storage.layout import OUTCOMES
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.arrangement import QUANTITIES
from simulator.trajectory.labelled import Field
from simulator.trajectory.states import States
from simulator.trajectory.trajectory import Trajectory

__all__ = ["DERIVED", "TableColumn", "tables"]

#: Quantities of :class:`simulator.trajectory.analysis.Analysis` that a table has in addition to the saved ones.
DERIVED = (
    "nernst",
    "driving_force",
    "influx",
    "efflux",
    "net_flux",
    "species_flux",
    "current",
    "ion_current",
    "species_current",
    "atp_rate",
    "dissipation",
    "area",
)

#: Most runs in a block: their derived quantities are computed at once.
TOGETHER = 1 << 14


@dataclass(frozen=True)
class TableColumn:
    """A column of a table: numbers or words, their unit (empty without one) and meaning."""

    name: str
    values: np.ndarray
    unit: str
    meaning: str

    @property
    def head(self) -> str:
        """Name with the unit, e.g. ``potential.plasma [V]``."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    @property
    def filled(self) -> bool:
        """Whether there is anything in it but NaN."""
        return self.values.dtype.kind != "f" or not np.all(np.isnan(self.values))


def tables(result: Trajectory | Batch) -> Iterator[list[TableColumn]]:
    """Yield blocks of rows, all with the same columns; those without any number in the whole table are left out.

    Which have numbers is known only after all blocks have been looked at, so that larger batches are read twice.
    """
    filled: set[str] = set()
    blocks = 0
    for block in _blocks(result):
        filled |= {column.head for column in block if column.filled}
        blocks += 1
    for each in (block,) if blocks == 1 else _blocks(result):
        yield [column for column in each if column.head in filled]


def _blocks(result: Trajectory | Batch) -> Iterator[list[TableColumn]]:
    """Blocks of rows with all columns."""
    if isinstance(result, Batch):
        yield from map(_ends, result.parts(TOGETHER))
    else:
        fields = result.fields() | _derived(result)
        over_time = [column for name, field in fields.items() for column in _columns(name, field)]
        yield [TableColumn("time", result.time, "s", "time"), *over_time]


def _ends(batch: Batch) -> list[TableColumn]:
    """Columns of how each run of a batch ended: swept values, status, verdict, end time, and all of its last state."""
    unit_of = batch.scenario.unit_of
    last = {name: batch.last(name) for name in QUANTITIES}
    states = LastStates.of(batch, last)
    found = [TableColumn("run", np.arange(batch.first, batch.first + batch.runs), "", "number of the run")]
    found += [TableColumn(key, values, unit_of(key), "swept value") for key, values in batch.coordinates.items()]
    ends = {"status": batch.status, "verdict": batch.verdict, "end_time": batch.end_time}
    found += [TableColumn(name, values, OUTCOMES[name][2], OUTCOMES[name][1]) for name, values in ends.items()]
    found += [TableColumn(name, values, *batch.about(name)) for name, values in batch.measures.items()]
    for name, values in last.items():
        unit, meaning, dims = QUANTITIES[name]
        names = dims.split()
        found += _columns(name, Field(values, ("run", *names), {d: batch.labels[d] for d in names}, unit, meaning))
    for name, field in _derived(states).items():
        values = np.where(_per_row(batch.arrays["status"] != 0, field.values), np.nan, field.values)
        found += _columns(name, replace(field, values=values))
    return found


def _per_row(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Switches of rows in a shape that fits the values of the rows."""
    return rows.reshape(-1, *(1,) * (values.ndim - 1))


def _derived(states: States) -> dict[str, Field]:
    """Quantities that are recomputed from saved states."""
    analysis = Analysis(states)
    with np.errstate(all="ignore"):
        return {name: getattr(analysis, name) for name in DERIVED}


def _columns(name: str, field: Field) -> Iterator[TableColumn]:
    """One column for each label of a quantity."""
    for labels in product(*(field.labels[dim] for dim in field.dims[1:])):
        values = field.sel(**dict(zip(field.dims[1:], labels, strict=True)))
        yield TableColumn(".".join((name, *labels)), values, field.unit, field.meaning)
