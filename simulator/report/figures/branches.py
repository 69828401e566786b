"""Branches of rest points: potential, or another quantity, against the number that changes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.physics.notation import Scale
from simulator.report.branches import membranes_of, name_of, scale_of
from simulator.report.figures.style import BLACK, BLUE, DASHED, GREEN, MUTED, PAPER, SOLID, VERMILION, theme
from simulator.verdict.continuation import Branch, Continuation

__all__ = ["plot_branches"]

#: Marker, its size, colour and name of special points; a fold is often beside a Hopf point, so it is larger and behind.
MARKS = {
    "fold": ("o", 12, VERMILION, "fold"),
    "branch_point": ("s", 10, GREEN, "branch point"),
    "hopf": ("D", 7, BLUE, "Hopf point"),
}


def plot_branches(found: Continuation, unit_text: str = "") -> Figure:
    """Draw the potential of each membrane at rest: stable rest points solid, unstable ones dashed.

    Parameters
    ----------
    found : Continuation
        As :func:`simulator.continuation` returns it.
    unit_text : str
        A value in the unit of the horizontal axis, such as ``20 uA/cm^2``.
    """
    scale, membranes = scale_of(found, unit_text), membranes_of(found)
    with theme():
        figure = Figure(figsize=(9.6, 1.6 + 4.4 * len(membranes)), layout="constrained")
        panels = figure.subplots(len(membranes), 1, sharex=True, squeeze=False)[:, 0]
        for axes, membrane in zip(panels, membranes, strict=True):
            named = set[str]()
            for branch in found.branches:
                _draw(axes, found, branch, membrane, scale, named)
            axes.set_ylabel(f"potential, {membrane} (mV)" if len(membranes) > 1 else "potential (mV)")
            if found.logarithmic:
                axes.set_xscale("log")
            axes.margins(x=0.02)
            axes.legend(loc="best", fontsize=10.5)
        panels[-1].set_xlabel(f"{name_of(found)} ({scale.symbol})" if scale.text != "1" else name_of(found))
        panels[0].set_title(f"Rest points over {name_of(found)}", pad=26)
        panels[0].text(
            0.0, 1.02, found.model.scenario.name, transform=panels[0].transAxes, va="bottom", color=MUTED, size=11
        )
    return figure


def _draw(axes: Axes, found: Continuation, branch: Branch, membrane: str, scale: Scale, named: set[str]) -> None:
    """Draw a branch and its special points; what is in `named` already gets no further entry in the legend."""

    def label(text: str) -> str | None:
        new = text not in named
        named.add(text)
        return text if new else None

    points = [(place.value, found.potentials(place)[membrane], place.unstable == 0) for place in branch.places]
    marks = [(n, s) for n, s in branch.specials if s.kind != "end"]
    # Special points are joints of the line: it changes its style there.
    for n, special in reversed(marks):
        value = (special.place.value, found.potentials(special.place)[membrane])
        points.insert(n, (*value, points[n - 1][2]))
        points.insert(n + 1, (*value, points[n + 1][2] if n + 1 < len(points) else points[n - 1][2]))
    x, y = (np.array([point[i] for point in points]) for i in (0, 1))
    stable = np.array([point[2] for point in points])
    starts = [0, *(np.flatnonzero(stable[1:] != stable[:-1]) + 1), len(points)]
    for begin, end in pairwise(starts):
        part, word = slice(begin, end), "stable" if stable[begin] else "unstable"
        style = SOLID if stable[begin] else DASHED
        axes.plot(x[part] / scale.size, y[part] * 1e3, color=BLACK, linestyle=style, label=label(word))
    for _, special in sorted(marks, key=lambda mark: list(MARKS).index(mark[1].kind)):
        marker, size, color, word = MARKS[special.kind]
        axes.plot(
            special.place.value / scale.size,
            found.potentials(special.place)[membrane] * 1e3,
            marker=marker,
            color=color,
            markersize=size,
            markeredgecolor=PAPER,
            markeredgewidth=1.2,
            linestyle="none",
            zorder=3,
            label=label(word),
        )
