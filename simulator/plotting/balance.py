"""Bars of influx against efflux, stacked by path: what balances by itself and what only in sum."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from simulator.notation import Scale, pretty_number, species_name
from simulator.plotting.style import INK, MUTED, Look, tint
from simulator.snapshot import Path, Snapshot

#: Net flux, as a share of the one-way flux, that is no more than rounding and slow remains of relaxation.
NOTHING = 1.0e-4

#: Width of a bar, and the distance of the two bars of one species from their middle.
BAR, APART = 0.27, 0.17


def species_that_move(end: Snapshot, membrane: str) -> list[str]:
    """Species that anything carries across a membrane, in either direction."""
    found = [p.species for p in end.paths if p.membrane == membrane and _traffic(p) > 0.0]
    order = [s.species for s in end.species[membrane]]
    return sorted(dict.fromkeys(found), key=order.index)


def largest_flux(end: Snapshot, membrane: str) -> float:
    """Largest summed one-way flux [mol/m2/s] of any species."""
    return max((max(end.total(membrane, s)[:2]) for s in species_that_move(end, membrane)), default=0.0)


def draw_balance(
    axes: Axes, end: Snapshot, membrane: str, charges: Mapping[str, int], looks: Mapping[str, Look], scale: Scale
) -> None:
    """Draw two bars for each species, in and out, and under them what each path brings in sum.

    Parameters
    ----------
    axes : Axes
        Where; its vertical limits are left to the caller.
    end : Snapshot
        The moment to show.
    membrane : str
        The membrane.
    charges : mapping of str to int
        The species to show, in order, with their charge numbers.
    looks : mapping of str to Look
        Colour of each.
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
    """One bar: a full piece for the first path, hatched ones for those that come on top."""
    bottom = 0.0
    for rank, path in enumerate(paths):
        height = (path.influx if direction == "in" else path.efflux) / scale.size
        if height <= 0.0:
            continue
        fill = color if rank == 0 else tint(color, 0.82)
        hatch = (None, "////", "....", "xxxx")[min(rank, 3)]
        axes.bar(
            x, height, BAR, bottom, facecolor=fill, edgecolor=color, linewidth=1.2, hatch=hatch, zorder=2,
            label=f"{path.species} {path.mechanism} {direction}",
        )
        bottom += height


def _ledger(axes: Axes, x: float, name: str, paths: list[Path], color: str, scale: Scale) -> None:
    """Under the bars: the species, the net flux of each path, and their sum."""
    net = sum(p.net for p in paths)
    largest = max((_traffic(p) for p in paths), default=0.0)
    rows = [(_short(p), p.net) for p in paths]
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top", "annotation_clip": False}
    axes.annotate(name, (x, 0.0), (0, -19), ha="center", fontsize=13, weight="bold", color=color, **place)
    for line, (label, value) in enumerate([*rows, ("sum", net)]):
        y = -38 - 14 * line
        weight = "bold" if line == len(rows) else "normal"
        text = "0" if abs(value) <= NOTHING * largest else pretty_number(value / scale.size, 3)
        text = f"+{text}" if text[0] not in "0−" else text
        axes.annotate(label, (x, 0.0), (-4, y), ha="right", fontsize=11, color=MUTED, parse_math=False, **place)
        axes.annotate(text, (x, 0.0), (4, y), ha="left", fontsize=11, color=INK, weight=weight, **place)


def _short(path: Path) -> str:
    """A mechanism's label without the species it is listed under: ``na_leak`` is the leak of Na."""
    return path.mechanism.removeprefix(f"{path.species}_").replace("_", " ")


def _traffic(path: Path) -> float:
    return max(path.influx, path.efflux)


__all__ = ["draw_balance", "largest_flux", "species_that_move"]
