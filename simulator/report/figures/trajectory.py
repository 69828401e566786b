"""A figure of one run: its head and its panels laid out on a page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.physics.notation import duration
from simulator.report.figures.end_labels import label_ends
from simulator.report.figures.kinds import KINDS, Panel, iv_potentials
from simulator.report.figures.panels import draw_lines, legend_above, legend_rows, note_above, panel_size, zero_line
from simulator.report.figures.protocol import EVENT_ROW, event_rows, mark_events, marks
from simulator.report.figures.style import MUTED, VERMILION, theme
from simulator.report.figures.time_axis import Axis, PotentialAxis, TimeAxis, settled
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.verdict import Verdict, classify

#: Line heights [points] of legends and notes above panels.
LEGEND_ROW, NOTE_ROW = 19.0, 16.0


def plot_trajectory(
    trajectory: Trajectory, kind: str = "overview", log_time: bool = False, whole: bool = False
) -> Figure:
    """Draw a run.

    Parameters
    ----------
    trajectory : Trajectory
        The run; a failed one is drawn up to its end, with a note.
    kind : str
        One of :func:`kinds`.
    log_time : bool
        Use a logarithmic time axis, for runs that relax over many decades; t = 0 is left out.
    whole : bool
        Draw to the end even if nothing changes for most of the run. By default the axis ends after the last
        visible change and says so.

    Returns
    -------
    Figure
        Can be written with :func:`simulator.report.figures.save`.

    Raises
    ------
    ValueError
        For an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"no figure of kind {kind!r}; expected one of {', '.join(KINDS)}")
    analysis = Analysis(trajectory)
    panels = [panel for panel in KINDS[kind](analysis) if panel.series or panel.notes]
    if kind == "iv":
        with theme():
            return _compose(trajectory, panels, PotentialAxis(iv_potentials(analysis)))
    until = np.inf if whole or log_time else settled(trajectory.time, _states(trajectory))
    time = TimeAxis(trajectory.time, until, log_time)
    with theme():
        return _compose(trajectory, panels, time)


def kinds() -> tuple[str, ...]:
    """Kinds of figures of one run."""
    return tuple(KINDS)


def _states(trajectory: Trajectory) -> list[np.ndarray]:
    """Curves that set the end of the time axis, the same for all kinds of figure."""
    fields = (trajectory.potential.values, trajectory.concentration.values, trajectory.volume)
    return [column for values in fields for column in values.reshape(len(trajectory.time), -1).T]


# -- page -----------------------------------------------------------------------------------------


def _compose(trajectory: Trajectory, panels: Sequence[Panel], time: Axis) -> Figure:
    """Lay out a title and panels; all positions are in inches, so that text never overlaps panels."""
    columns = 1 if len(panels) == 1 else 2
    rows = max(1, math.ceil(len(panels) / columns))
    # With an odd number the first panel, the most important one, takes the whole width.
    wide_first = columns == 2 and len(panels) % 2 == 1
    panel_height = 4.6 if rows == 1 else 2.6
    head, below, left, right, gutter = 0.95, 0.7, 0.95, 1.75, 2.65
    width = 13.33 if columns == 2 else 10.5
    column_width = (width - left - right - (columns - 1) * gutter) / columns
    whole_width = width - left - right
    events = marks(trajectory) if isinstance(time, TimeAxis) else []
    first_width = 72.0 * (whole_width if wide_first else column_width)
    named = 1 + max(event_rows(events, time, first_width), default=-1) if isinstance(time, TimeAxis) else 0
    places = [divmod(i + 1 if wide_first and i else i, columns) for i in range(len(panels))]
    widths = [whole_width if wide_first and i == 0 else column_width for i in range(len(panels))]
    laid = list(zip(panels, widths, places, strict=True))
    strips = [
        max(_strip(p, 72.0 * w, named if row == 0 else 0) for p, w, (r, _) in laid if r == row) / 72.0
        for row in range(rows)
    ]
    height = head + sum(strips) + rows * (panel_height + below)
    figure = Figure(figsize=(width, height))
    _head(figure, trajectory, classify(trajectory))
    for panel, across, (row, column) in laid:
        x = left + column * (column_width + gutter)
        y = height - head - sum(strips[: row + 1]) - (row + 1) * panel_height - row * below
        axes = figure.add_axes((x / width, y / height, across / width, panel_height / height))
        _draw(axes, panel, time, named if row == 0 else 0)
        if isinstance(time, TimeAxis):
            mark_events(axes, events, time, named=row == 0)
    return figure


def _strip(panel: Panel, width: float, event_names: int) -> float:
    """Height [points] of the strip above a panel: names of events, legend, notes, title."""
    legend = LEGEND_ROW * legend_rows(panel.series, width)
    return EVENT_ROW * event_names + legend + NOTE_ROW * len(panel.notes) + 30.0


def _draw(axes: Axes, panel: Panel, time: Axis, event_names: int) -> None:
    scale = draw_lines(axes, time, panel.series, panel.unit, panel.quantity, panel.from_zero)
    if panel.signed:
        zero_line(axes)
    for potential in panel.upright:
        axes.axvline(1e3 * potential, color=MUTED, lw=1.4, zorder=0.8)
    legend = EVENT_ROW * event_names
    notes = legend + LEGEND_ROW * legend_rows(panel.series, panel_size(axes)[0])
    legend_above(axes, panel.series, legend)
    note_above(axes, panel.notes, notes)
    axes.set_title(panel.title, pad=notes + NOTE_ROW * len(panel.notes) + 7.0)
    label_ends(axes, panel.series, scale, panel.digits)


def _head(figure: Figure, trajectory: Trajectory, verdict: Verdict) -> None:
    """Write the run's name and its verdict, or how it failed."""
    height = figure.get_figheight()
    x = 0.35 / figure.get_figwidth()
    name = textwrap.shorten(trajectory.scenario.name, 70, placeholder="…")
    figure.text(x, 1.0 - 0.25 / height, name, fontsize=18, weight="bold", va="top", parse_math=False)
    if trajectory.status == "ok":
        text, color = ": ".join(filter(None, (verdict.headline, verdict.detail))), MUTED
    else:
        text, color = f"Ended early, at {duration(trajectory.end_time)}: {trajectory.ending}", VERMILION
    # About ten letters of this size to the inch.
    text = textwrap.shorten(text, int(9.6 * figure.get_figwidth()), placeholder=" …")
    figure.text(x, 1.0 - 0.62 / height, text, fontsize=13, color=color, va="top", parse_math=False)
