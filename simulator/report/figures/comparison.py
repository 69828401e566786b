"""Two runs side by side on one slide: potentials over time, and the balance of fluxes at the end."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea

from simulator.physics.notation import (
    THERMAL_POWER,
    Scale,
    duration,
    nernst_name,
    pretty_number,
    pretty_unit,
    readable,
)
from simulator.report.comparison import Comparison, Side
from simulator.report.figures.balance import draw_balance, largest_flux, species_that_move
from simulator.report.figures.end_labels import label_ends
from simulator.report.figures.panels import Series, draw_lines
from simulator.report.figures.protocol import event_rows, mark_events, marks
from simulator.report.figures.style import FAINT, INK, MAIN, MUTED, VERMILION, species_looks, theme
from simulator.report.figures.time_axis import TimeAxis, settled
from simulator.trajectory.analysis import Analysis

#: Title of the bars for each verdict: what it means for the paths across a membrane.
CLAIMS = {
    "equilibrium": "Every path balances by itself: influx = efflux",
    "steady_state": "Only the sums over paths balance",
    "oscillation": "Nothing balances for long",
    "run_away": "Nothing balances",
    "not_converged": "Not balanced yet",
}

# Inches. A page with one membrane, up to four species and two paths for each is a 16:9 slide.
WIDTH, SPECIES_ON_SLIDE = 13.33, 4
HEAD, POTENTIALS, GAP, BALANCE, PATHS, ROW, FOOT = 1.62, 1.85, 0.9, 1.42, 0.46, 0.21, 0.61
MARGIN, LEFT, RIGHT = 0.4, 1.05, 1.4

#: Distance of the other run's potential, as a share of the axis, above which it is labelled.
GHOST_APART = 0.12


def plot_comparison(comparison: Comparison) -> Figure:
    """Draw two runs side by side.

    Parameters
    ----------
    comparison : Comparison
        Result of :func:`simulator.report.comparison.compare`.

    Returns
    -------
    Figure
        Columns A and B: verdict, membrane and Nernst potentials over time, and at the end each species' influx
        and efflux, stacked by path. Panels of one row share their vertical axis, so heights can be compared.
    """
    with theme():
        return _compose(comparison)


def _compose(comparison: Comparison) -> Figure:
    membranes = list(dict.fromkeys(m for side in comparison.sides for m in side.end.potential))
    moving = [(m, len(species_that_move(side.end, m))) for side in comparison.sides for m in side.end.potential]
    paths = [side.end.paths_of(p.membrane, p.species) for side in comparison.sides for p in side.end.paths]
    rows = 1 + max([2, *map(len, paths)])
    # Names of events stand above the potentials; there is always room for one row.
    events = max(
        1 + max(event_rows(marks(s.trajectory), TimeAxis(s.trajectory.time), 300.0), default=-1)
        for s in comparison.sides
    )
    above = 0.25 * max(0, events - 1) + (0.25 if len(membranes) > 1 else 0.0)
    block = above + POTENTIALS + GAP + BALANCE + PATHS + rows * ROW
    height = HEAD + len(membranes) * block + (len(membranes) - 1) * 0.6 + FOOT
    width = WIDTH * max([1.0, *(count / SPECIES_ON_SLIDE for _, count in moving)])
    figure = Figure(figsize=(width, height))
    for i, side in enumerate(comparison.sides):
        _head(figure, side, "AB"[i], _column(figure, i) + MARGIN, _changes(comparison, i))
        _foot(figure, side, _column(figure, i) + MARGIN)
    figure.add_artist(Line2D([0.5, 0.5], [0.03, 0.97], color=FAINT, lw=1.2, transform=figure.transFigure))
    for j, m in enumerate(membranes):
        top = HEAD + above + j * (block + 0.6)
        _potentials(figure, comparison, m, top, named=m if len(membranes) > 1 else "")
        _balances(figure, comparison, m, top + POTENTIALS + GAP)
    return figure


def _column(figure: Figure, i: int) -> float:
    """Left edge of a column [inches]."""
    return float(i * figure.get_figwidth() / 2.0)


def _panel(figure: Figure, column: int, top: float, height: float) -> Axes:
    """Add axes to a column; `top` and `height` in inches, from the top of the page."""
    across, down = figure.get_size_inches()
    width = across / 2.0 - LEFT - RIGHT
    x = _column(figure, column) + LEFT
    return figure.add_axes((x / across, (down - top - height) / down, width / across, height / down))


def _write(figure: Figure, x: float, top: float, text: str, **style: Any) -> None:
    across, down = figure.get_size_inches()
    figure.text(x / across, (down - top) / down, text, va="baseline", **style)


# -- words ----------------------------------------------------------------------------------------


def _head(figure: Figure, side: Side, letter: str, x: float, changes: str) -> None:
    """Write the run's letter and name, its verdict in large type, and the detail below."""
    name = textwrap.shorten(side.name, 44, placeholder="…")
    _write(figure, x, 0.42, letter, fontsize=15, weight="bold", color=MUTED)
    _write(figure, x + 0.3, 0.42, name, fontsize=15, color=MUTED, parse_math=False)
    failed = side.trajectory.status != "ok"
    headline, sentence = side.verdict.headline, side.verdict.detail
    if failed:
        headline, sentence = "Ended early", f"{side.trajectory.ending}, at {duration(side.trajectory.end_time)}"
    _write(figure, x, 0.87, headline, fontsize=27, weight="bold", color=VERMILION if failed else INK)
    sentence = textwrap.shorten(sentence, 66, placeholder="…")
    _write(figure, x, 1.17, sentence, fontsize=13, color=INK, parse_math=False)
    if changes:
        _write(figure, x, 1.42, changes, fontsize=11, color=MUTED, parse_math=False)


def _changes(comparison: Comparison, column: int) -> str:
    """The one or two values that differ, or their number if there are more."""
    found = comparison.differences
    if len(found) > 2:
        return f"{len(found)} values of the scenario differ"
    parts = []
    for d in found:
        number, _, unit = (d.a, d.b)[column].partition(" ")
        parts.append(f"{'.'.join(d.path.split('.')[-2:])} = {number} {pretty_unit(unit)}".rstrip())
    return textwrap.shorten(",  ".join(parts), 72, placeholder="…")


def _foot(figure: Figure, side: Side, x: float) -> None:
    """Write the ATP use per second and the dissipation."""
    from scipy.constants import N_A

    power = side.verdict.dissipation
    scale = readable(abs(power), "W")
    lost = "0" if abs(power) < THERMAL_POWER else f"{pretty_number(power / scale.size, 3)} {scale.symbol}"
    areas: list[Artist] = []
    for value, caption in ((_in_words(side.verdict.atp_rate * N_A), "ATP per second"), (lost, "dissipated")):
        areas.append(TextArea(value, textprops={"fontsize": 18, "weight": "bold", "color": INK}))
        areas.append(TextArea(f"{caption}        ", textprops={"fontsize": 13, "color": MUTED}))
    place = (x / figure.get_figwidth(), 0.24 / figure.get_figheight())
    packed = HPacker(children=areas, align="baseline", pad=0, sep=7)
    figure.add_artist(
        AnnotationBbox(packed, place, xycoords="figure fraction", box_alignment=(0.0, 0.0), frameon=False, pad=0.0)
    )


def _in_words(count: float) -> str:
    """A large number in words: ``30 million``."""
    for size, word in ((1.0e12, "trillion"), (1.0e9, "billion"), (1.0e6, "million"), (1.0e3, "thousand")):
        if size <= abs(count) < 1.0e3 * size:
            return f"{pretty_number(count / size, 2 if abs(count) < 99.5 * size else 3)} {word}"
    return pretty_number(count, 3)


# -- panels ---------------------------------------------------------------------------------------


def _potentials(figure: Figure, comparison: Comparison, membrane: str, top: float, named: str) -> None:
    """Draw the membrane potential and every Nernst potential over time, on one vertical axis for both runs."""
    curves = {
        i: _potential_series(side, membrane, comparison)
        for i, side in enumerate(comparison.sides)
        if membrane in side.end.potential
    }
    # Both panels show the same time range, the longer of the two.
    until = max(
        settled(comparison.sides[i].trajectory.time, [s.values for s in series]) for i, series in curves.items()
    )
    panels = {}
    for i, series in curves.items():
        axes = _panel(figure, i, top, POTENTIALS)
        time = TimeAxis(comparison.sides[i].trajectory.time, until)
        panels[i] = axes, time, draw_lines(axes, time, series, "V", "Potential")
        axes.set_title(named)
    low = min(axes.get_ylim()[0] for axes, *_ in panels.values())
    high = max(axes.get_ylim()[1] for axes, *_ in panels.values())
    for i, (axes, time, scale) in panels.items():
        axes.set_ylim(low, high)
        _ghost(axes, comparison.sides[1 - i], "AB"[1 - i], membrane, time, scale)
        _donnan(axes, comparison.sides[i], membrane, scale)
        label_ends(axes, curves[i], scale)
        mark_events(axes, marks(comparison.sides[i].trajectory), time, named=True)


def _ghost(axes: Axes, other: Side, letter: str, membrane: str, time: TimeAxis, scale: Scale) -> None:
    """Draw the other run's membrane potential over the same times as a pale line."""
    if membrane in other.end.potential:
        beside = TimeAxis(other.trajectory.time, time.until, time.logarithmic)
        values = other.trajectory.potential.sel(membrane=membrane)[beside.shown] / scale.size
        times = other.trajectory.time[beside.shown] / time.scale.size
        axes.plot(times, values, color=FAINT, lw=5.0, zorder=0.5, solid_capstyle="round")
        own = np.asarray(axes.get_lines()[0].get_ydata(), dtype=float)
        if len(values) and abs(values[-1] - own[-1]) > GHOST_APART * np.ptp(axes.get_ylim()):
            above = values[-1] < np.mean(axes.get_ylim())
            axes.annotate(
                f"$V$ of {letter}",
                (times[-1], values[-1]),
                xytext=(-6, 6 if above else -15),
                textcoords="offset points",
                ha="right",
                color=MUTED,
                fontsize=11,
            )


def _donnan(axes: Axes, side: Side, membrane: str, scale: Scale) -> None:
    """Mark the predicted Donnan potential with a ring at the right edge."""
    if membrane in side.donnan:
        v = side.donnan[membrane].potential / scale.size
        end = axes.get_xlim()[1]
        axes.plot([end], [v], "o", ms=11, mfc="none", mec=INK, mew=1.8, clip_on=False, zorder=6)
        axes.annotate(
            f"Donnan end, predicted: {pretty_number(v, 4)} {scale.symbol}",
            (end, v),
            xytext=(-10, 13),
            textcoords="offset points",
            ha="right",
            color=INK,
            fontsize=11,
        )


def _potential_series(side: Side, membrane: str, comparison: Comparison) -> list[Series]:
    t = side.trajectory
    analysis = Analysis(t)
    looks = species_looks(s for other in comparison.sides for s in other.trajectory.labels["species"])
    series = [Series("$V$", t.potential.sel(membrane=membrane), MAIN, width=2.8)]
    for s in analysis.nernst.labels["species"]:
        values = analysis.nernst.sel(membrane=membrane, species=s)
        if np.any(np.isfinite(values)):
            series.append(Series(nernst_name(s), values, looks[s]))
    return series


def _balances(figure: Figure, comparison: Comparison, membrane: str, top: float) -> None:
    """Draw bars of influx and efflux at the end, on one vertical axis for both runs."""
    sides = {i: side for i, side in enumerate(comparison.sides) if membrane in side.end.potential}
    moving = {s for side in sides.values() for s in species_that_move(side.end, membrane)}
    charges = {s: z for side in sides.values() for s, z in side.trajectory.structure.charges if s in moving}
    looks = species_looks(s for side in comparison.sides for s in side.trajectory.labels["species"])
    largest = max(largest_flux(side.end, membrane) for side in sides.values())
    scale = readable(largest, "mol/m^2/s")
    for i, side in sides.items():
        axes = _panel(figure, i, top, BALANCE)
        axes.set_title(f"{CLAIMS.get(side.verdict.word, 'Fluxes')} (at {duration(side.end.time)})", fontsize=13)
        draw_balance(axes, side.end, membrane, charges, looks, scale)
        axes.set_ylim(0.0, 1.1 * largest / scale.size if largest > 0.0 else 1.0)
