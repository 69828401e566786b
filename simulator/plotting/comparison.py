"""Two runs side by side on one slide: potentials over time, and what balances what at the end."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from simulator.analysis import Analysis
from simulator.compare import Comparison, Side
from simulator.kernel.status import Status
from simulator.notation import HEADLINES, duration, nernst_name, pretty_number, readable
from simulator.plotting.balance import draw_balance, largest_flux, species_that_move
from simulator.plotting.panels import Series, TimeAxis, draw_lines, label_ends, mark_events
from simulator.plotting.protocol import marks
from simulator.plotting.style import FAINT, INK, MAIN, MUTED, THEME, VERMILION, species_looks

#: What each verdict means for the paths across a membrane, as the title of the bars.
CLAIMS = {
    "equilibrium": "Every path balances by itself: influx = efflux",
    "steady_state": "Only the sums over paths balance",
    "oscillation": "Nothing balances for long",
    "run_away": "Nothing balances",
    "not_converged": "Not balanced yet",
}

#: Power [W] of one thermal energy kT per second, about: less than this is no dissipation to speak of.
THERMAL_POWER = 4.0e-21

# Inches. A page with one membrane is a slide of 16 to 9.
WIDTH, HEAD, POTENTIALS, GAP, BALANCE, PATHS, FOOT = 13.33, 1.72, 1.95, 0.92, 1.3, 0.88, 0.73
LEFT, RIGHT, GUTTER = 0.95, 1.55, 2.45


def plot_comparison(comparison: Comparison) -> Figure:
    """Draw two runs side by side.

    Parameters
    ----------
    comparison : Comparison
        What :func:`simulator.compare.compare` gave.

    Returns
    -------
    Figure
        Columns A and B: verdict, membrane and Nernst potentials over time, and at the end each species' influx
        and efflux, stacked by path. Panels of one row share their vertical axis, so heights can be compared.
    """
    with rc_context(THEME):
        return _compose(comparison)


def _compose(comparison: Comparison) -> Figure:
    membranes = list(dict.fromkeys(m for side in comparison.sides for m in side.end.potential))
    block = POTENTIALS + GAP + BALANCE + PATHS
    height = HEAD + len(membranes) * block + (len(membranes) - 1) * 0.6 + FOOT
    figure = Figure(figsize=(WIDTH, height))
    across = (WIDTH - LEFT - RIGHT - GUTTER) / 2.0
    for i, side in enumerate(comparison.sides):
        x = LEFT + i * (across + GUTTER)
        _head(figure, side, "AB"[i], x, _changes(comparison, i))
        _foot(figure, side, x)
    middle = (LEFT + across + RIGHT + 0.1) / WIDTH
    figure.add_artist(_rule(figure, middle))
    for j, m in enumerate(membranes):
        top = HEAD + j * (block + 0.6)
        named = m if len(membranes) > 1 else ""
        _potentials(figure, comparison, m, top, across, named)
        _balances(figure, comparison, m, top + POTENTIALS + GAP, across)
    return figure


def _rule(figure: Figure, x: float) -> object:
    from matplotlib.lines import Line2D

    return Line2D([x, x], [0.03, 0.97], color=FAINT, lw=1.2, transform=figure.transFigure)


def _box(figure: Figure, x: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    """A place given in inches from the upper left corner, as matplotlib wants it."""
    whole = figure.get_figheight()
    return x / WIDTH, (whole - top - height) / whole, width / WIDTH, height / whole


def _write(figure: Figure, x: float, top: float, text: str, **style: object) -> None:
    whole = figure.get_figheight()
    figure.text(x / WIDTH, (whole - top) / whole, text, va="baseline", **style)


# -- words ----------------------------------------------------------------------------------------


def _head(figure: Figure, side: Side, letter: str, x: float, changes: str) -> None:
    """Which run, its verdict in big words, and the sentence that goes with it."""
    x = x - 0.55
    name = textwrap.shorten(side.name, 44, placeholder="…")
    _write(figure, x, 0.42, letter, fontsize=15, weight="bold", color=MUTED)
    _write(figure, x + 0.3, 0.42, name, fontsize=15, color=MUTED, parse_math=False)
    status = Status[side.trajectory.status.upper()]
    failed = status is not Status.OK
    headline = "Ended early" if failed else HEADLINES.get(side.verdict.word, side.verdict.word)
    _write(figure, x, 0.87, headline, fontsize=27, weight="bold", color=VERMILION if failed else INK)
    sentence = f"{status.sentence}, at {duration(side.trajectory.end_time)}" if failed else side.verdict.sentence
    sentence = textwrap.shorten(sentence, 66, placeholder="…")
    _write(figure, x, 1.17, sentence, fontsize=13, color=INK, parse_math=False)
    if changes:
        _write(figure, x, 1.42, changes, fontsize=11, color=MUTED, parse_math=False)


def _changes(comparison: Comparison, column: int) -> str:
    """The one or two values that make the difference; how many, if they are more."""
    found = comparison.differences
    if len(found) > 2:
        return f"{len(found)} values of the scenario differ"
    parts = []
    for d in found:
        text = (d.a, d.b)[column].replace("um", "µm").replace("^2", "²")
        parts.append(f"{'.'.join(d.path.split('.')[-2:])} = {text}")
    return textwrap.shorten(",  ".join(parts), 72, placeholder="…")


def _foot(figure: Figure, side: Side, x: float) -> None:
    """What it costs: ATP per second and dissipation, as numbers."""
    from scipy.constants import N_A

    molecules = side.verdict.atp_rate * N_A
    power = side.verdict.dissipation
    scale = readable(abs(power), "W")
    lost = "0" if abs(power) < THERMAL_POWER else f"{pretty_number(power / scale.size, 3)} {scale.symbol}"
    whole = figure.get_figheight()
    for column, (value, caption) in enumerate(
        (("0" if molecules == 0.0 else pretty_number(molecules, 2), "ATP per second"), (lost, "dissipated"))
    ):
        start = x - 0.55 + column * 2.9
        _write(figure, start, whole - 0.28, value, fontsize=19, weight="bold", color=INK)
        _write(figure, start + 0.165 * len(value) + 0.12, whole - 0.28, caption, fontsize=13, color=MUTED)


# -- panels ---------------------------------------------------------------------------------------


def _potentials(figure: Figure, comparison: Comparison, membrane: str, top: float, across: float, named: str) -> None:
    """Membrane potential and every Nernst potential over time, on one vertical axis for both runs."""
    drawn = []
    for i, side in enumerate(comparison.sides):
        if membrane not in side.end.potential:
            continue
        axes = figure.add_axes(_box(figure, LEFT + i * (across + GUTTER), top, across, POTENTIALS))
        series = _potential_series(side, membrane, comparison)
        time = TimeAxis(side.trajectory.time)
        scale = draw_lines(axes, time, series, "V", "Potential")
        if named:
            axes.set_title(named)
        drawn.append((axes, time, series, scale, side))
    low = min(axes.get_ylim()[0] for axes, *_ in drawn)
    high = max(axes.get_ylim()[1] for axes, *_ in drawn)
    for axes, time, series, scale, side in drawn:
        axes.set_ylim(low, high)
        label_ends(axes, time, series, scale)
        mark_events(axes, marks(side.trajectory), time, named=True)


def _potential_series(side: Side, membrane: str, comparison: Comparison) -> list[Series]:
    t = side.trajectory
    analysis = Analysis(t)
    looks = species_looks(s for other in comparison.sides for s in other.trajectory.labels["species"])
    series = [Series("$V$", t.potential.sel(membrane=membrane), MAIN, width=2.8)]
    for s, z in t.structure.charges:
        values = analysis.nernst.sel(membrane=membrane, species=s)
        if np.any(np.isfinite(values)):
            series.append(Series(nernst_name(s, z), values, looks[s]))
    return series


def _balances(figure: Figure, comparison: Comparison, membrane: str, top: float, across: float) -> None:
    """Bars of influx against efflux at the end, on one vertical axis for both runs."""
    sides = [side for side in comparison.sides if membrane in side.end.potential]
    species = list(dict.fromkeys(s for side in sides for s in species_that_move(side.end, membrane)))
    charges = {s: z for side in sides for s, z in side.trajectory.structure.charges}
    looks = species_looks(s for side in comparison.sides for s in side.trajectory.labels["species"])
    scale = readable(max((largest_flux(side.end, membrane) for side in sides), default=0.0), "mol/m^2/s")
    for i, side in enumerate(comparison.sides):
        if side not in sides:
            continue
        axes = figure.add_axes(_box(figure, LEFT + i * (across + GUTTER), top, across, BALANCE))
        axes.set_title(CLAIMS.get(side.verdict.word, "") + f", at {duration(side.end.time)}", fontsize=12.5)
        draw_balance(axes, side.end, membrane, {s: charges[s] for s in species}, looks, scale)
        axes.set_ylim(0.0, 1.12 * max((largest_flux(s.end, membrane) for s in sides), default=1.0) / scale.size)
