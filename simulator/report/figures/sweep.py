"""Figures of sweeps: a quantity, verdicts or failures over two swept keys, and bands of trajectories."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from simulator.kernel.status import STATUSES
from simulator.physics.notation import Scale, count, pretty_number, readable
from simulator.report.figures.bins import INTERVALS, Bins, agreed, binned
from simulator.report.figures.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SAND,
    SKY,
    VERMILION,
    VIOLET,
    theme,
    tint,
)
from simulator.report.figures.time_axis import TimeAxis, settled
from simulator.runs.batch import Batch
from simulator.verdict.words import HEADLINES

#: Colours of verdicts and of statuses, in the order of their codes.
VERDICT_COLORS = (BLUE, GREEN, PURPLE, VERMILION, GREY, ORANGE, FAINT)
STATUS_COLORS = (tint(GREEN, 0.6), ORANGE, VERMILION, PURPLE, BLUE, SKY, VIOLET, GREY)

#: Colour of the cells of a map in which runs differ.
MIXED = SAND

#: Lower and upper quantile and tint of each band, widest first.
BAND_QUANTILES = ((0.05, 0.95, 0.75), (0.25, 0.75, 0.45))

WIDTH, HEIGHT, HEAD = 10.0, 7.4, 1.15


def plot_batch(batch: Batch, kind: str = "heat", quantity: str = "", axes: Sequence[str] = ()) -> Figure:
    """Draw a sweep.

    Parameters
    ----------
    batch : Batch
        The runs.
    kind : str
        One of :func:`batch_kinds`.
    quantity : str
        Quantity drawn by ``heat`` and ``bands``, e.g. ``potential.plasma``, ``concentration.cell.k``; by default
        the first membrane's potential.
    axes : sequence of str
        The one or two swept keys of a map; by default the first ones with several values.

    Returns
    -------
    Figure
        Can be written with :func:`simulator.report.figures.save`.

    Raises
    ------
    ValueError
        For an unknown kind, quantity or key.
    """
    if kind not in _KINDS:
        raise ValueError(f"no figure of kind {kind!r} for a sweep; expected one of {', '.join(_KINDS)}")
    with theme():
        return _KINDS[kind](batch, quantity or f"potential.{batch.labels['membrane'][0]}", axes)


def plot_batches(a: Batch, b: Batch) -> Figure:
    """Draw histograms of the final membrane potentials of two sweeps."""
    membranes = [m for m in a.labels["membrane"] if m in b.labels["membrane"]]
    if not membranes:
        raise ValueError("the two sweeps have no membrane in common")
    with theme():
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        figure.suptitle("Membrane potential at the end of each run", x=0.03, ha="left", weight="bold")
        for axes, m in zip(figure.subplots(len(membranes), squeeze=False)[:, 0], membranes, strict=True):
            ends = [1.0e3 * batch.final(f"potential.{m}") for batch in (a, b)]
            every = np.concatenate([values[np.isfinite(values)] for values in ends])
            edges = np.linspace(every.min() - 0.5, every.max() + 0.5, INTERVALS + 1) if len(every) else np.arange(2.0)
            for name, batch, values, look in zip("AB", (a, b), ends, ((BLUE, "-"), (VERMILION, "--")), strict=True):
                text = f"{name}: {batch.scenario.name} ({count(batch.runs)} runs)"
                share, _ = np.histogram(values[np.isfinite(values)], edges)
                axes.stairs(share / batch.runs * 100.0, edges, color=look[0], ls=look[1], lw=2.2, label=text)
            axes.set_xlabel(f"membrane potential, {m} (mV)")
            axes.set_ylabel("runs (%)")
            _legend_above(axes)
        return figure


def batch_kinds() -> tuple[str, ...]:
    """Kinds of figures of a sweep."""
    return tuple(_KINDS)


def _heat(batch: Batch, quantity: str, keys: Sequence[str]) -> Figure:
    values = batch.final(quantity)
    if not np.any(np.isfinite(values)):
        raise ValueError(f"there is nothing to draw: no run has a number for {quantity}")
    chosen = _chosen(batch, keys)
    label, _, scale = _described(batch, quantity, values)
    when = "" if quantity in batch.scenario.measure else " at the end of each run"
    figure, axes = _page(batch, f"{label[0].upper()}{label[1:]}{when}")
    if len(chosen) == 1:
        _curve(axes, chosen[0], values / scale.size)
        axes.set_ylabel(f"{label} ({scale.symbol})")
        return figure
    cells, many = binned(chosen, values / scale.size)
    mesh = axes.pcolormesh(chosen[0].edges, chosen[1].edges, cells.T, cmap="viridis", rasterized=True)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label(f"{label} ({scale.symbol})" + (", median of the runs in a cell" if many else ""))
    bar.outline.set_visible(False)
    _name_axes(axes, chosen)
    if np.any(np.isnan(cells)):
        _note(axes, "white: no run, or none that finished")
    return figure


def _curve(axes: Axes, bins: Bins, values: np.ndarray) -> None:
    """Draw a quantity over one key: every run if there are few, else median and quantiles."""
    order = np.argsort(bins.values)
    if len(values) <= 2000:
        axes.plot(bins.values[order], values[order], "o-", color=BLUE, ms=3, lw=1.2)
    else:
        places = range(len(bins.centres))
        groups = [values[(bins.place == i) & np.isfinite(values)] for i in places]
        for low, high, share in BAND_QUANTILES:
            ends = np.array([np.quantile(g, (low, high)) if len(g) else (np.nan, np.nan) for g in groups])
            text = f"{100 * low:.0f} to {100 * high:.0f} % of the runs"
            axes.fill_between(bins.centres, ends[:, 0], ends[:, 1], color=tint(BLUE, share), lw=0, label=text)
        middle = [np.median(g) if len(g) else np.nan for g in groups]
        axes.plot(bins.centres, middle, color=INK, label="median")
        _legend_above(axes)
    axes.set_xlabel(bins.label)
    if bins.logarithmic:
        axes.set_xscale("log")
    _number(axes.xaxis, bins)


def _bands(batch: Batch, quantity: str, _keys: Sequence[str]) -> Figure:
    if len(batch.time) < 2:
        raise ValueError("only the last state of each run was saved, so there are no trajectories to draw")
    values = batch.over_time(quantity)
    label, _, scale = _described(batch, quantity, values)
    values = values / scale.size
    figure, axes = _page(batch, f"{label[0].upper()}{label[1:]} over time")
    with np.errstate(all="ignore"):
        levels = sorted({q for low, high, _ in BAND_QUANTILES for q in (low, high)} | {0.5})
        found = dict(zip(levels, np.nanquantile(values, levels, axis=0), strict=True))
    time = TimeAxis(batch.time, settled(batch.time, list(found.values())))
    shown, times = time.shown, time.values()
    for low, high, share in BAND_QUANTILES:
        text = f"{100 * low:.0f} to {100 * high:.0f} % of the runs"
        lower, upper = found[low][shown], found[high][shown]
        axes.fill_between(times, lower, upper, color=tint(BLUE, share), lw=0, label=text)
    axes.plot(times, found[0.5][shown], color=INK, label="median")
    axes.set_ylabel(f"{label} ({scale.symbol})")
    time.apply(axes)
    _legend_above(axes)
    return figure


def _verdicts(batch: Batch, _quantity: str, keys: Sequence[str]) -> Figure:
    names = list(HEADLINES.values())
    codes = np.where(batch.arrays["status"] == 0, batch.arrays["verdict"], -1)
    return _categories(batch, keys, codes, "Verdict of each run", names, VERDICT_COLORS)


def _failures(batch: Batch, _quantity: str, keys: Sequence[str]) -> Figure:
    names = [word.replace("_", " ") for word in STATUSES]
    return _categories(batch, keys, batch.arrays["status"], "How each run ended", names, STATUS_COLORS)


def _categories(
    batch: Batch, keys: Sequence[str], codes: np.ndarray, title: str, names: Sequence[str], colors: Sequence[str]
) -> Figure:
    """Draw a map of words; cells in which runs differ have their own colour."""
    chosen = _chosen(batch, keys)
    figure, axes = _page(batch, title)
    found = sorted({int(code) for code in np.unique(codes) if code >= 0})
    counts = {code: int(np.sum(codes == code)) for code in found}
    if len(chosen) == 1:
        for code in found:
            here = codes == code
            axes.plot(chosen[0].values[here], np.full(counts[code], names[code]), "|", ms=18, color=colors[code])
        axes.set_xlabel(chosen[0].label)
        if chosen[0].logarithmic:
            axes.set_xscale("log")
        _number(axes.xaxis, chosen[0])
        return figure
    cells = agreed(chosen, codes, len(names))
    norm = BoundaryNorm(np.arange(-0.5, len(names) + 1), len(names) + 1)
    palette = ListedColormap([*colors[: len(names)], MIXED])
    axes.pcolormesh(chosen[0].edges, chosen[1].edges, cells.T, cmap=palette, norm=norm, rasterized=True)
    _name_axes(axes, chosen)
    handles = [Patch(color=colors[code], label=f"{names[code]}: {count(counts[code])}") for code in found]
    if np.any(cells == len(names)):
        handles.append(Patch(color=MIXED, label="runs of a cell differ"))
    _legend_above(axes, handles)
    return figure


_KINDS: dict[str, Callable[[Batch, str, Sequence[str]], Figure]] = {
    "heat": _heat,
    "bands": _bands,
    "verdicts": _verdicts,
    "failures": _failures,
}


def _chosen(batch: Batch, keys: Sequence[str]) -> list[Bins]:
    """The one or two swept keys of a map; by default none that goes along with another one."""
    unknown = [key for key in keys if key not in batch.coordinates]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a swept key; expected one of {', '.join(batch.coordinates)}")
    led = batch.scenario.sweep.leaders() if batch.scenario.sweep is not None else {}
    own = {key: values for key, values in batch.coordinates.items() if key not in led}
    wanted = list(keys) or [key for key, values in own.items() if np.ptp(values) > 0.0]
    if not wanted:
        raise ValueError("nothing differs between the runs, so there is no map to draw")
    return [Bins.of(key, batch.coordinates[key], batch.scenario.unit_of(key)) for key in wanted[:2]]


def _described(batch: Batch, quantity: str, values: np.ndarray) -> tuple[str, str, Scale]:
    """Description of a quantity, its SI unit and a readable unit."""
    unit, meaning = batch.about(quantity)
    labels = quantity.split(".")[1:]
    finite = values[np.isfinite(values)]
    largest = float(np.max(np.abs(finite), initial=0.0))
    where = f" of {' in '.join(reversed(labels))}" if len(labels) > 1 else f", {labels[0]}" if labels else ""
    return meaning + where, unit, readable(largest, unit)


def _page(batch: Batch, title: str) -> tuple[Figure, Axes]:
    room = ConstrainedLayoutEngine(rect=(0.02, 0.02, 0.96, 1.0 - HEAD / HEIGHT - 0.02))
    figure = Figure(figsize=(WIDTH, HEIGHT), layout=room)
    name = textwrap.shorten(batch.scenario.name, 60, placeholder="…")
    figure.text(0.03, 1.0 - 0.25 / HEIGHT, name, fontsize=18, weight="bold", va="top", parse_math=False)
    failed = int(np.count_nonzero(batch.arrays["status"]))
    text = f"{title}; {count(batch.runs)} runs" + (f", {count(failed)} failed" if failed else "")
    figure.text(0.03, 1.0 - 0.65 / HEIGHT, text, fontsize=13, color=VERMILION if failed else MUTED, va="top")
    return figure, figure.add_subplot()


def _name_axes(axes: Axes, chosen: Sequence[Bins]) -> None:
    axes.grid(False)
    axes.set_xlabel(chosen[0].label)
    axes.set_ylabel(chosen[1].label)
    axes.set_xscale("log" if chosen[0].logarithmic else "linear")
    axes.set_yscale("log" if chosen[1].logarithmic else "linear")
    for axis, bins in ((axes.xaxis, chosen[0]), (axes.yaxis, chosen[1])):
        _number(axis, bins)


def _number(axis: Axis, bins: Bins) -> None:
    """Set the ticks of an axis and their numbers."""
    ticks = bins.ticks()
    axis.set_ticks(ticks, [pretty_number(tick, 3) for tick in ticks])
    axis.set_ticks([], minor=True)


def _legend_above(axes: Axes, handles: Sequence[Patch] | None = None) -> None:
    """Draw a legend above the panel, where it covers no data."""
    where: Any = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 3, "borderaxespad": 0.2}
    axes.legend(**where) if handles is None else axes.legend(handles=handles, **where)


def _note(axes: Axes, text: str) -> None:
    axes.annotate(
        text, (1.0, 1.0), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points",
        ha="right", va="bottom", fontsize=10, color=MUTED,
    )  # fmt: skip
