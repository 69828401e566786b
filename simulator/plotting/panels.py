"""One panel: lines over time with labels at their ends, a time axis, marks of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnchoredOffsetbox, AnnotationBbox, HPacker, TextArea, VPacker
from matplotlib.ticker import LogFormatterSciNotation, MaxNLocator, MultipleLocator

from simulator.notation import Scale, pretty_number, readable, time_scale
from simulator.plotting.protocol import Mark
from simulator.plotting.style import FAINT, INK, MUTED, PAPER, Look, spread

#: Steps between ticks that suit minutes, hours and days; other units take 1, 2, 5.
TIME_STEPS = {
    "min": (0.5, 1, 2, 5, 10, 15, 30, 60),
    "h": (0.25, 0.5, 1, 2, 3, 4, 6, 12, 24, 48),
    "d": (0.5, 1, 2, 5, 7, 10, 14, 28, 50, 100),
}


@dataclass(frozen=True)
class Series:
    """One line of a panel: its label (mathtext allowed), values [SI] and look."""

    label: str
    values: np.ndarray
    look: Look
    width: float = 2.2


@dataclass(frozen=True)
class TimeAxis:
    """Times of a panel and how they are shown.

    Parameters
    ----------
    times : ndarray
        Saved times [s].
    logarithmic : bool
        Whether decades of time are shown alike; what happened at t = 0 is then left out.
    """

    times: np.ndarray
    logarithmic: bool = False

    @property
    def scale(self) -> Scale:
        """The unit of the axis."""
        return time_scale(float(self.times[-1]) if len(self.times) else 0.0)

    def values(self) -> np.ndarray:
        """Times in that unit."""
        return np.asarray(self.times / self.scale.size)

    def apply(self, axes: Axes, labelled: bool = True) -> None:
        """Set up the horizontal axis."""
        times = self.values()
        if self.logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(LogFormatterSciNotation())
            times = times[times > 0.0]
        if len(times) > 1:
            axes.set_xlim(times[0], times[-1])
        elif len(times) == 1:
            width = abs(times[0]) or 1.0
            axes.set_xlim(times[0] - 0.5 * width, times[0] + 0.5 * width)
        if not self.logarithmic:
            axes.xaxis.set_major_locator(self._locator())
        if labelled:
            axes.set_xlabel(f"Time ({self.scale.symbol})")

    def _locator(self) -> MaxNLocator | MultipleLocator:
        times = self.values()
        span = float(times[-1] - times[0]) if len(times) else 0.0
        fitting = [step for step in TIME_STEPS.get(self.scale.text, ()) if 2.0 <= span / step <= 6.5]
        return MultipleLocator(fitting[0]) if fitting else MaxNLocator(6, steps=[1, 2, 5, 10])


def draw_lines(axes: Axes, time: TimeAxis, series: Sequence[Series], unit: str, quantity: str) -> Scale:
    """Draw series over time, in one readable unit.

    Parameters
    ----------
    axes : Axes
        Where.
    time : TimeAxis
        Their times.
    series : sequence of Series
        What; undefined and infinite values leave gaps.
    unit : str
        Their SI unit.
    quantity : str
        Label of the vertical axis; the unit is added.

    Returns
    -------
    Scale
        The unit that was chosen.
    """
    values = [np.where(np.isfinite(s.values), s.values, np.nan) for s in series]
    largest = max((float(np.nanmax(np.abs(v))) for v in values if np.any(np.isfinite(v))), default=0.0)
    scale = readable(largest, unit)
    times = time.values()
    # A lone saved state has no line: show the point.
    marker = "o" if len(times) == 1 else ""
    for s, v in zip(series, values, strict=True):
        style = {"color": s.look.color, "linestyle": s.look.style, "linewidth": s.width}
        axes.plot(times, v / scale.size, label=s.label, marker=marker, clip_on=False, **style)
    axes.set_ylabel(f"{quantity} ({scale.symbol})")
    _widen(axes, [v / scale.size for v in values])
    time.apply(axes)
    return scale


def _widen(axes: Axes, values: Sequence[np.ndarray]) -> None:
    """Vertical limits with a margin; a constant does not fill the panel with its rounding errors."""
    finite = np.concatenate([v[np.isfinite(v)] for v in values]) if values else np.empty(0)
    if not len(finite):
        axes.set_ylim(0.0, 1.0)
        return
    low, high = float(finite.min()), float(finite.max())
    size = max(abs(low), abs(high))
    least = 0.02 * size if size > 0.0 else 1.0
    if high - low < least:
        middle = 0.5 * (low + high)
        low, high = middle - least, middle + least
    margin = 0.07 * (high - low)
    # Amounts that cannot be negative do not get an axis that is.
    axes.set_ylim(0.0 if 0.0 <= low < 0.35 * high else low - margin, high + margin)


def label_ends(axes: Axes, time: TimeAxis, series: Sequence[Series], scale: Scale, digits: int = 3) -> None:
    """Write names and last values beside the ends of lines; lines that end together share one label.

    The panel's position in its figure must be final, for labels are kept apart in points.
    """
    height = axes.get_position().height * axes.figure.get_figheight() * 72.0
    low, high = axes.get_ylim()
    ends = [(s, _last(s.values) / scale.size) for s in series]
    ends = [(s, y) for s, y in ends if np.isfinite(y)]
    groups: list[list[tuple[Series, float]]] = []
    for s, y in sorted(ends, key=lambda end: end[1]):
        together = groups and _same(groups[-1][0][1], y, digits, high - low)
        if together:
            groups[-1].append((s, y))
        else:
            groups.append([(s, y)])
    order = {s.label: i for i, s in enumerate(series)}
    size = 11.5
    wanted = [float(np.mean([y for _, y in g]) - low) / (high - low) * height for g in groups]
    placed = spread(wanted, 1.32 * size, 0.0, height)
    for group, want, place in zip(groups, wanted, placed, strict=True):
        names = sorted((s for s, _ in group), key=lambda s: order[s.label])
        value = pretty_number(float(np.mean([y for _, y in group])), digits)
        _end_label(axes, names, value, want / height, place / height, size)


def _end_label(axes: Axes, names: Sequence[Series], value: str, end: float, place: float, size: float) -> None:
    """One label: the names in their colours, joined by equals signs, and the value."""
    areas = []
    for i, s in enumerate(names):
        if i:
            areas.append(TextArea("=", textprops={"color": MUTED, "fontsize": size}))
        areas.append(TextArea(s.label, textprops={"color": s.look.color, "fontsize": size, "weight": "bold"}))
    areas.append(TextArea(value, textprops={"color": INK, "fontsize": size}))
    packed = HPacker(children=areas, align="baseline", pad=0, sep=4)
    box = AnnotationBbox(
        packed, (1.03, place), xycoords="axes fraction", box_alignment=(0.0, 0.5), frameon=False, pad=0.0
    )
    box.set_clip_on(False)
    axes.add_artist(box)
    axes.plot([1.004, 1.024], [end, place], color=MUTED, lw=0.8, transform=axes.transAxes, clip_on=False)


def _same(a: float, b: float, digits: int, extent: float) -> bool:
    return pretty_number(a, digits) == pretty_number(b, digits) or abs(a - b) < 2.0e-3 * extent


def _last(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else float("nan")


def legend_above(axes: Axes, title_lines: int = 1, columns: int = 4) -> None:
    """A legend in the strip between the panel and its title, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.0),
            ncols=min(columns, len(labels)),
            handlelength=2.6,
            columnspacing=1.4,
            fontsize=11,
            borderaxespad=0.2,
        )


def mark_events(axes: Axes, marks: Sequence[Mark], time: TimeAxis, named: bool) -> None:
    """Thin vertical lines where the protocol acts, named along the line if asked."""
    start, end = axes.get_xlim()
    shown = [m for m in marks if start <= m.time / time.scale.size <= end]
    for mark in shown:
        x = mark.time / time.scale.size
        axes.axvline(x, color=MUTED, lw=1.0, ls=(0, (2, 2)), zorder=0.5)
    # Beyond a handful the names would cover the curves they explain.
    for mark in shown if named and len(shown) <= 6 else ():
        axes.annotate(
            mark.text,
            (mark.time / time.scale.size, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -3),
            textcoords="offset points",
            rotation=90,
            ha="left",
            va="top",
            fontsize=10,
            color=MUTED,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 1.0},
            parse_math=False,
        )


def zero_line(axes: Axes) -> None:
    """A line at zero, for quantities whose sign has a meaning."""
    axes.axhline(0.0, color=MUTED, lw=1.0, zorder=0.8)


def note(axes: Axes, lines: Sequence[str]) -> None:
    """Small print in an empty panel or a corner."""
    areas: list[TextArea] = [TextArea(text, textprops={"color": MUTED, "fontsize": 11}) for text in lines]
    if areas:
        packed = VPacker(children=areas, align="left", pad=0, sep=3)
        box = AnchoredOffsetbox(loc="lower left", child=packed, frameon=True, pad=0.3, borderpad=0.4)
        box.patch.set(facecolor=PAPER, edgecolor="none", alpha=0.8)
        axes.add_artist(box)


__all__ = [
    "FAINT",
    "Series",
    "TimeAxis",
    "draw_lines",
    "label_ends",
    "legend_above",
    "mark_events",
    "note",
    "zero_line",
]
