"""Control coefficients of a rest point as a map: quantities by the numbers that move them."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from simulator.physics.notation import pretty_number
from simulator.report.figures.style import BLUE, INK, MUTED, PAPER, VERMILION, theme
from simulator.scenario.paths import shortest_ending
from simulator.verdict.control import Control

__all__ = ["plot_control"]

#: Most numbers of a map, and the least coefficient for which a number gets a column.
MOST, WORTH_A_COLUMN = 24, 0.01

#: Coefficient at which the colour is full, and from which on figures are white on it.
FULL, DARK = 1.0, 0.65

#: Inches of a cell, and of what stands around the cells.
CELL, MARGIN = (0.62, 0.42), (3.6, 3.4)


def plot_control(found: Control) -> Figure:
    """Draw the control coefficients ``d ln Q/d ln p`` of a rest point.

    Parameters
    ----------
    found : Control
        As :func:`simulator.control` returns it.

    Returns
    -------
    Figure
        Of the numbers with a coefficient of at least 0.01, up to 24 with the largest ones.
    """
    table = np.array([list(row.values()) for row in found.coefficients.values()])
    rows = [i for i in range(len(table)) if np.any(np.isfinite(table[i]))]
    size = np.max(np.abs(np.nan_to_num(table)), axis=0, initial=0.0)
    largest = sorted(np.argsort(-size, kind="stable")[:MOST])
    columns = [j for j in largest if size[j] >= WORTH_A_COLUMN]
    if not rows or not columns:
        raise ValueError("there is nothing to draw: no number moves this rest point")
    cells = table[np.ix_(rows, columns)]
    with theme():
        width, height = MARGIN[0] + CELL[0] * len(columns), MARGIN[1] + CELL[1] * len(rows)
        figure = Figure(figsize=(max(width, 8.0), height), layout="constrained")
        axes = figure.subplots()
        colors = LinearSegmentedColormap.from_list("signed", [BLUE, PAPER, VERMILION])
        mesh = axes.pcolormesh(cells, cmap=colors, vmin=-FULL, vmax=FULL, edgecolors=PAPER, linewidth=1.0)
        for (i, j), value in np.ndenumerate(cells):
            if np.isfinite(value) and abs(value) >= WORTH_A_COLUMN / 2:
                ink = PAPER if abs(value) > DARK else INK
                axes.text(j + 0.5, i + 0.5, pretty_number(value, 2), ha="center", va="center", size=9, color=ink)
        names = [shortest_ending(found.keys[j], found.keys) for j in columns]
        axes.set_xticks(np.arange(len(columns)) + 0.5, names, rotation=60, ha="right", rotation_mode="anchor", size=10)
        axes.set_yticks(np.arange(len(rows)) + 0.5, [list(found.quantities)[i] for i in rows], size=10)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.invert_yaxis()
        for spine in axes.spines.values():
            spine.set_visible(False)
        bar = figure.colorbar(mesh, ax=axes, pad=0.02, extend="both", shrink=0.8)
        bar.set_label("d ln Q / d ln p: % for +1 %")
        bar.outline.set_visible(False)
        kind = "stable" if found.rest.verdict.stable else "unstable"
        axes.set_title(f"Control of the {kind} rest point", pad=26)
        axes.text(0.0, 1.0, found.rest.trajectory.scenario.name, transform=axes.transAxes, va="bottom", color=MUTED)
    return figure
