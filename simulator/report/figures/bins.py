"""Cells of a map over swept keys: one per value if there are few values, else intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.physics.notation import pretty_unit, readable

#: Largest number of values with a row or column each; number of intervals for a key with more values.
MOST_VALUES, INTERVALS = 250, 40

#: Largest number of values that all get a tick; number of ticks that is enough for an axis.
FEW_VALUES, ENOUGH_TICKS = 6, 4

#: Ratio of largest to smallest value from which an axis is logarithmic.
WIDE = 3.0


@dataclass(frozen=True)
class Bins:
    """One axis of a map.

    Parameters
    ----------
    label : str
        Key and unit.
    values : ndarray, shape (runs,)
        Value of the key in each run, in that unit.
    place : ndarray of int, shape (runs,)
        Cell of each run.
    edges, centres : ndarray
        Edges and centres of the cells.
    logarithmic : bool
        Whether the axis is logarithmic.
    """

    label: str
    values: np.ndarray
    place: np.ndarray
    edges: np.ndarray
    centres: np.ndarray
    logarithmic: bool

    @classmethod
    def of(cls, key: str, values: np.ndarray, unit: str) -> Bins:
        """Make the cells for the values of a key [SI]."""
        scale = readable(float(np.max(np.abs(values))), unit)
        values = values / scale.size
        low, high = float(values.min()), float(values.max())
        logarithmic = low > 0.0 and high / low >= WIDE
        different = np.unique(values)
        if 1 < len(different) <= MOST_VALUES:
            place = np.searchsorted(different, values)
            edges = _around(np.log(different), True) if logarithmic else _around(different, False)
            centres = different
        else:
            spread = np.geomspace if logarithmic else np.linspace
            edges = spread(low, high if high > low else low + 1.0, INTERVALS + 1)
            place = np.clip(np.searchsorted(edges, values, "right") - 1, 0, INTERVALS - 1)
            centres = np.sqrt(edges[1:] * edges[:-1]) if logarithmic else 0.5 * (edges[1:] + edges[:-1])
        name = key if len(key) < 40 else "…" + ".".join(key.split(".")[-2:])
        text = f"{name} ({pretty_unit(scale.text)})" if scale.text not in ("", "1") else name
        return cls(text, values, place, edges, centres, logarithmic)

    def ticks(self) -> np.ndarray:
        """Tick positions: the values if there are few, else round numbers."""
        if len(self.centres) <= FEW_VALUES:
            return self.centres
        if not self.logarithmic:
            from matplotlib.ticker import MaxNLocator

            ticks = np.asarray(MaxNLocator(7).tick_values(self.edges[0], self.edges[-1]))
            return ticks[(ticks >= self.edges[0]) & (ticks <= self.edges[-1])]
        decades = np.arange(np.floor(np.log10(self.edges[0])), np.ceil(np.log10(self.edges[-1])) + 1)
        for steps in ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)):
            ticks = np.sort(np.concatenate([10.0**decades * step for step in steps]))
            ticks = ticks[(ticks >= self.edges[0]) & (ticks <= self.edges[-1])]
            if len(ticks) >= ENOUGH_TICKS:
                break
        return ticks


def _around(centres: np.ndarray, logarithmic: bool) -> np.ndarray:
    middles = 0.5 * (centres[1:] + centres[:-1])
    edges = np.concatenate([[2.0 * centres[0] - middles[0]], middles, [2.0 * centres[-1] - middles[-1]]])
    return np.exp(edges) if logarithmic else edges


def binned(axes: Sequence[Bins], values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Median of the finite values in each cell of a map, and whether any cell has several runs."""
    shape = (len(axes[0].centres), len(axes[1].centres))
    cell = axes[0].place * shape[1] + axes[1].place
    finite = np.isfinite(values)
    order = np.lexsort((values[finite], cell[finite]))
    cells, first, many = np.unique(cell[finite][order], return_index=True, return_counts=True)
    ordered = values[finite][order]
    found = np.full(shape[0] * shape[1], np.nan)
    found[cells] = 0.5 * (ordered[first + (many - 1) // 2] + ordered[first + many // 2])
    return found.reshape(shape), bool(np.any(np.bincount(cell) > 1))


def agreed(axes: Sequence[Bins], codes: np.ndarray, kinds: int) -> np.ndarray:
    """Code shared by all runs of a cell; `kinds` where they differ, NaN where no run has one."""
    shape = (len(axes[0].centres), len(axes[1].centres))
    cell = axes[0].place * shape[1] + axes[1].place
    known = codes >= 0
    counts = np.zeros((shape[0] * shape[1], kinds), dtype=np.int64)
    np.add.at(counts, (cell[known], codes[known]), 1)
    different = np.count_nonzero(counts, axis=1)
    found = np.where(different > 1, float(kinds), counts.argmax(axis=1))
    return np.where(different > 0, found, np.nan).reshape(shape)
