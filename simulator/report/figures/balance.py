"""Bars of influx and efflux, stacked by path: they show whether each path balances or only their sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, DrawingArea
from matplotlib.patches import Rectangle

from simulator.physics.notation import Scale, pretty_number, species_name
from simulator.report.figures.style import INK, MUTED, Look, tint
from simulator.trajectory.snapshot import Path, Snapshot

#: Net flux relative to the one-way flux up to which it counts as zero: rounding and incomplete relaxation.
NOTHING = 1.0e-4

#: Width of a bar, and distance of each of a species' two bars from their centre.
BAR, APART = 0.3, 0.18


def species_that_move(end: Snapshot, membrane: str) -> list[str]:
    """Species with a flux across a membrane in either direction."""
    found = [p.species for p in end.paths if p.membrane == membrane and _traffic(p) > 0.0]
    order = [s.species for s in end.species[membrane]]
    return sorted(dict.fromkeys(found), key=order.index)


def largest_flux(end: Snapshot, membrane: str) -> float:
    """Largest summed one-way flux [mol/m2/s] of any species."""
    return max((max(end.total(membrane, s)[:2]) for s in species_that_move(end, membrane)), default=0.0)


def draw_balance(
    axes: Axes, end: Snapshot, membrane: str, charges: Mapping[str, int], looks: Mapping[str, Look], scale: Scale
) -> None:
    """Draw bars of influx and efflux for each species, and the net flux of each path below them.

    Parameters
    ----------
    axes : Axes
        Target; the caller sets its vertical limits.
    end : Snapshot
        The state to show.
    membrane : str
        The membrane.
    charges : mapping of str to int
        The species to show, in order, with their charge numbers.
    looks : mapping of str to Look
        Colour of each species.
    scale : Scale
        Unit of the fluxes.
    """
    ticks, names = [], []
    for i, (species, charge) in enumerate(charges.items()):
        paths = [p for p in end.paths_of(membrane, species) if _traffic(p) > 0.0]
        for direction, offset in (("in", -APART), ("out", APART)):
            ticks.append(i + offset)
            names.append(direction)
            _stack(axes, i + offset, paths, direction, looks[species].color, scale)
        _ledger(axes, i, species_name(species, charge), paths, looks[species].color, scale)
    axes.set_xticks(ticks, names, fontsize=10.5)
    axes.tick_params(axis="x", length=0, pad=3)
    axes.set_xlim(-0.55, max(len(charges), 1) - 0.45)
    axes.set_ylabel(f"Flux ({scale.symbol})")


def _stack(axes: Axes, x: float, paths: list[Path], direction: str, color: str, scale: Scale) -> None:
    """Draw one bar: a solid segment for the first path, hatched segments on top for the others."""
    bottom = 0.0
    for rank, path in enumerate(paths):
        height = (path.influx if direction == "in" else path.efflux) / scale.size
        if height <= 0.0:
            continue
        label = f"{path.species} {path.mechanism} {direction}"
        axes.bar(x, height, BAR, bottom, zorder=2, label=label, **_fill(color, rank))
        bottom += height


def _fill(color: str, rank: int) -> dict[str, Any]:
    """Fill style of the segment of the first, second, ... path."""
    hatch = (None, "////", "....", "xxxx")[min(rank, 3)]
    return {"facecolor": tint(color, 0.82) if hatch else color, "edgecolor": color, "linewidth": 1.2, "hatch": hatch}


def _ledger(axes: Axes, x: float, name: str, paths: list[Path], color: str, scale: Scale) -> None:
    """Write under the bars: the species, the net flux of each path, and their sum."""
    net = sum(p.net for p in paths)
    largest = max((_traffic(p) for p in paths), default=0.0)
    rows = [(_short(p), p.net) for p in paths]
    left = -22.0 - 6.8 * max((len(label) for label, _ in rows), default=0)
    style: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "annotation_clip": False}
    text = style | {"textcoords": "offset points", "va": "center"}
    axes.annotate(name, (x, 0.0), (0, -27), ha="center", fontsize=13, weight="bold", color=color, **text)
    if not paths:
        axes.annotate("no path", (x, 0.0), (0, -44), ha="center", fontsize=11, color=MUTED, **text)
        return
    for line, (label, value) in enumerate([*rows, ("sum", net)]):
        y = -44 - 14.5 * line
        last = line == len(rows)
        number = "0" if abs(value) <= NOTHING * largest else pretty_number(value / scale.size, 3)
        number = f"+{number}" if number[0] not in "0−" else number
        axes.annotate(label, (x, 0.0), (-3, y), ha="right", fontsize=11, color=MUTED, parse_math=False, **text)
        weight = "bold" if last else "normal"
        axes.annotate(number, (x, 0.0), (3, y), ha="left", fontsize=11, color=INK, weight=weight, **text)
        if not last:
            # The rows are the legend: each begins with a swatch of its segment.
            swatch = DrawingArea(9, 9)
            swatch.add_artist(Rectangle((0, 0), 9, 9, **_fill(color, line)))
            axes.add_artist(
                AnnotationBbox(
                    swatch,
                    (x, 0.0),
                    (left, y),
                    boxcoords="offset points",
                    frameon=False,
                    pad=0.0,
                    box_alignment=(0.0, 0.5),
                    **style,
                )
            )


def _short(path: Path) -> str:
    """A mechanism's label without the species it is listed under: ``na_leak`` is the leak of Na."""
    name = path.mechanism.removeprefix(f"{path.species}_").replace("_", " ")
    return name if len(name) <= 9 else f"{name[:8]}…"


def _traffic(path: Path) -> float:
    return max(path.influx, path.efflux)


__all__ = ["draw_balance", "largest_flux", "species_that_move"]
