"""One panel: lines over time, the legend and notes above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from simulator.physics.notation import Scale, readable
from simulator.report.figures.style import MUTED, Look
from simulator.report.figures.time_axis import Axis

#: Type size of legends.
LEGEND_SIZE = 11.0


@dataclass(frozen=True)
class Series:
    """One line of a panel: its label (mathtext allowed), values [SI], look, and colour of its label if different."""

    label: str
    values: np.ndarray
    look: Look
    width: float = 2.2
    ink: str = ""


def draw_lines(
    axes: Axes, time: Axis, series: Sequence[Series], unit: str, quantity: str, from_zero: bool = False
) -> Scale:
    """Draw series over time, in one readable unit.

    Parameters
    ----------
    axes : Axes
        Target.
    time : TimeAxis or PotentialAxis
        Horizontal axis.
    series : sequence of Series
        Lines to draw; undefined and infinite values leave gaps.
    unit : str
        Their SI unit.
    quantity : str
        Label of the vertical axis; the unit is added.
    from_zero : bool
        Begin the axis at zero, for quantities compared by size.

    Returns
    -------
    Scale
        The unit that was chosen.
    """
    values = [np.where(np.isfinite(s.values), s.values, np.nan)[time.shown] for s in series]
    largest = max((float(np.nanmax(np.abs(v))) for v in values if np.any(np.isfinite(v))), default=0.0)
    scale = readable(largest, unit)
    times = time.values()
    # A lone saved state has no line: show the point.
    marker = "o" if len(times) == 1 else ""
    for s, v in zip(series, values, strict=True):
        style = {"color": s.look.color, "linestyle": s.look.style, "linewidth": s.width}
        axes.plot(times, v / scale.size, label=s.label, marker=marker, clip_on=False, **style)
    axes.set_ylabel(f"{quantity} ({scale.symbol})")
    _widen(axes, [v / scale.size for v in values], from_zero)
    time.apply(axes)
    return scale


def _widen(axes: Axes, values: Sequence[np.ndarray], from_zero: bool) -> None:
    """Set vertical limits with a margin, wide enough to hide the rounding errors of a constant."""
    finite = np.concatenate([v[np.isfinite(v)] for v in values]) if values else np.empty(0)
    if not len(finite):
        axes.set_ylim(0.0, 1.0)
        return
    low, high = float(finite.min()), float(finite.max())
    size = max(abs(low), abs(high))
    least = 0.02 * size if size > 0.0 else 1.0
    if low == high == 0.0:
        low, high = (0.0, 1.0) if from_zero else (-1.0, 1.0)
    elif high - low < least:
        middle = 0.5 * (low + high)
        low, high = middle - least, middle + least
    margin = 0.07 * (high - low)
    # Quantities that cannot be negative do not get a negative axis.
    axes.set_ylim(0.0 if low >= 0.0 and (from_zero or low < 0.35 * high) else low - margin, high + margin)


def legend_columns(series: Sequence[Series], width: float) -> int:
    """How many series fit beside each other in the legend of a panel `width` points wide."""
    longest = max((len(spoken(s.label)) for s in series), default=0)
    # The line sample, the gap to the next one, and letters of about 0.55 em.
    gap = 1.4 * LEGEND_SIZE
    each = LEGEND_SIZE * (2.6 + 0.8 + 0.55 * longest) + gap
    return max(1, min(len(series), int((width + gap) / each)))


def legend_rows(series: Sequence[Series], width: float) -> int:
    """Rows that the legend of a panel takes."""
    return -(-len(series) // legend_columns(series, width))


def spoken(label: str) -> str:
    """A label without mathtext markup, to estimate its length."""
    return label.replace("\\mathrm", "").translate(str.maketrans("", "", "${}_\\"))


def legend_above(axes: Axes, series: Sequence[Series], lift: float) -> None:
    """Draw a legend `lift` points above a panel, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.0 + lift / panel_size(axes)[1]),
            ncols=legend_columns(series, panel_size(axes)[0]),
            handlelength=2.6,
            columnspacing=1.4,
            labelspacing=0.35,
            fontsize=LEGEND_SIZE,
            borderaxespad=0.1,
        )


def zero_line(axes: Axes) -> None:
    """Draw a line at zero, for signed quantities."""
    axes.axhline(0.0, color=MUTED, lw=1.0, zorder=0.8)


def note_above(axes: Axes, lines: Sequence[str], lift: float) -> None:
    """Write small text `lift` points above a panel."""
    axes.annotate(
        "\n".join(lines),
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, lift + 2),
        textcoords="offset points",
        va="bottom",
        fontsize=11,
        color=MUTED,
        annotation_clip=False,
        parse_math=False,
    )


def panel_size(axes: Axes) -> tuple[float, float]:
    """Width and height of a panel [points]."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    place = axes.get_position()
    width, height = figure.get_size_inches()
    return float(place.width * width * 72.0), float(place.height * height * 72.0)
