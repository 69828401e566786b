"""Labels with name and last value at the ends of lines, without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea, VPacker

from simulator.physics.notation import Scale, pretty_number
from simulator.report.figures.panels import Series, panel_size, spoken
from simulator.report.figures.style import INK, MUTED

#: Maximum length of a label beside a panel.
LONGEST_LABEL = 13

#: Type size of labels at the ends of lines.
LABEL_SIZE = 11.5


def label_ends(axes: Axes, series: Sequence[Series], scale: Scale, digits: int = 3) -> None:
    """Write names and last values beside the ends of lines; lines that end together share one label.

    The panel's position in its figure must be final, because labels are spaced in points.
    """
    _, height = panel_size(axes)
    low, high = axes.get_ylim()
    ends = [(s, _last(s.values) / scale.size) for s in series]
    groups: list[list[tuple[Series, float]]] = []
    for s, y in sorted((end for end in ends if np.isfinite(end[1])), key=lambda end: end[1]):
        if groups and _same(groups[-1][0][1], y, digits, high - low):
            groups[-1].append((s, y))
        else:
            groups.append([(s, y)])
    order = {s.label: i for i, s in enumerate(series)}
    labels = []
    for group in groups:
        mean = float(np.mean([y for _, y in group]))
        # A value far too small to be seen is a rounding error of zero.
        value = pretty_number(0.0 if abs(mean) < 1.0e-5 * (high - low) else mean, digits)
        labels.append(_end_lines(sorted((s for s, _ in group), key=lambda s: order[s.label]), value))
    wanted = [(float(np.mean([y for _, y in group])) - low) / (high - low) * height for group in groups]
    # Labels may reach a little beyond the panel: nothing else is written there.
    sizes = [1.36 * LABEL_SIZE * len(lines) for lines in labels]
    placed = spread(wanted, sizes, -0.5 * LABEL_SIZE, height + 0.5 * LABEL_SIZE)
    for lines, want, place in zip(labels, wanted, placed, strict=True):
        box = AnnotationBbox(
            VPacker(children=lines, align="left", pad=0, sep=2),
            (1.0, place / height),
            xybox=(10, 0),
            xycoords="axes fraction",
            boxcoords="offset points",
            box_alignment=(0.0, 0.5),
            frameon=False,
            pad=0.0,
            annotation_clip=False,
        )
        axes.add_artist(box)
        _leader(axes, want / height, place / height)


def _leader(axes: Axes, end: float, place: float) -> None:
    """Draw a thin line from the end of a curve to a label that was moved away from it."""
    if abs(end - place) > 0.01:
        width = 8.0 / panel_size(axes)[0]
        axes.plot([1.004, 1.0 + width], [end, place], color=MUTED, lw=0.8, transform=axes.transAxes, clip_on=False)


def _end_lines(names: Sequence[Series], value: str) -> list[Artist]:
    """The lines of one label: names in their colours, joined by equals signs, and the value."""
    short = all(len(spoken(s.label)) <= 4 for s in names)
    per_line = 2 if short else 1
    lines: list[list[Artist]] = [[]]
    for i, s in enumerate(names):
        if i and i % per_line == 0:
            lines.append([])
        style = {"color": s.ink or s.look.color, "fontsize": LABEL_SIZE, "weight": "bold"}
        lines[-1].append(TextArea(_clipped(s.label), textprops=style))
        if i < len(names) - 1:
            lines[-1].append(TextArea("=", textprops={"color": MUTED, "fontsize": LABEL_SIZE}))
    number = TextArea(value, textprops={"color": INK, "fontsize": LABEL_SIZE})
    if len(names) > 2 or not short:
        lines.append([number])
    else:
        lines[-1].append(number)
    return [HPacker(children=line, align="baseline", pad=0, sep=4) for line in lines]


def _clipped(label: str) -> str:
    """A label that fits beside a panel; the legend has all of it."""
    return label if "$" in label or len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def _same(a: float, b: float, digits: int, extent: float) -> bool:
    """Whether two values print the same; values far too small to be seen count as zero."""
    unseen = max(abs(a), abs(b)) < 1.0e-5 * extent
    return unseen or pretty_number(a, digits) == pretty_number(b, digits)


def _last(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else float("nan")


def spread(places: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres of labels, moved apart as little as possible until none overlap.

    Parameters
    ----------
    places : sequence of float
        Wanted centres, in ascending order.
    sizes : sequence of float
        Extents of the labels.
    low, high : float
        Bounds; if there are too many labels, they extend beyond the upper one.
    """
    # Distance of each centre from the first one if all labels touched.
    touching = [0.0]
    for before, after in pairwise(sizes):
        touching.append(touching[-1] + 0.5 * (before + after))
    blocks: list[list[float]] = []  # sum and count of the places of touching labels
    for place, offset in zip(places, touching, strict=False):
        blocks.append([place - offset, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    flat = [total / count for total, count in blocks for _ in range(int(count))]
    top = high - 0.5 * sizes[-1] - touching[-1] if sizes else high
    bottom = low + 0.5 * sizes[0] if sizes else low
    return [max(bottom, min(place, top)) + offset for place, offset in zip(flat, touching, strict=False)]
