"""Colours, line styles and type of all figures."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.colors import to_hex, to_rgb

from simulator.trajectory.states import States

INK, MUTED, FAINT, PAPER = "#1a1a1a", "#606060", "#dddddd", "#ffffff"

# Okabe & Ito 2008, without their yellow, which is too faint for a line on white.
BLACK, ORANGE, SKY, GREEN = INK, "#e69f00", "#56b4e9", "#009e73"
BLUE, VERMILION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#808080"
VIOLET, BROWN, SAND = "#7a5195", "#8c6d1f", "#e9dcc0"

SOLID: Any = (0, ())
DASHED: Any = (0, (6, 2))
DOTTED: Any = (0, (1.2, 1.4))
DASH_DOT: Any = (0, (6, 1.6, 1.2, 1.6))
SHORT: Any = (0, (3, 1.4))
LONG: Any = (0, (11, 2.5))
DASH_DOT_DOT: Any = (0, (6, 1.6, 1.2, 1.6, 1.2, 1.6))
SPARSE: Any = (0, (1.2, 3.2))
DASH_DASH_DOT: Any = (0, (6, 1.6, 6, 1.6, 1.2, 1.6))

# For wide pale lines below others: nearly solid but distinguishable.
BANDS: Any = (SOLID, (0, (2.5, 0.4)), (0, (6, 0.5)), (0, (6, 0.4, 1.2, 0.4)), (0, (1, 0.3)))


@dataclass(frozen=True)
class Look:
    """Colour and line style of one series; in a panel either of them identifies the series."""

    color: str
    style: Any

    def tinted(self, share: float) -> Look:
        """Return this look with its colour mixed with that share of white."""
        return Look(tint(self.color, share), self.style)


#: Black and solid: the membrane potential, and totals.
MAIN = Look(BLACK, SOLID)

#: One look per species, the same in every figure.
SPECIES = {
    "na": Look(VERMILION, DASHED),
    "k": Look(BLUE, DASH_DOT),
    "cl": Look(GREEN, DOTTED),
    "ca": Look(PURPLE, SHORT),
    "glucose": Look(ORANGE, LONG),
    "hco3": Look(SKY, DASH_DOT_DOT),
    "h": Look(GREY, SPARSE),
    "mg": Look(VIOLET, DASH_DASH_DOT),
    "atp": Look(BROWN, SOLID),
}

THEME: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
    "lines.dash_capstyle": "butt",
    "lines.scale_dashes": True,
    "legend.frameon": False,
    "hatch.linewidth": 1.4,
    "mathtext.fontset": "dejavusans",
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


def theme() -> AbstractContextManager[Any]:
    """Return a context manager that sets type, lines and grid of all figures."""
    return rc_context(THEME)


def species_looks(species: Iterable[str]) -> dict[str, Look]:
    """Looks by species; species without a look of their own in :data:`SPECIES` get unused ones."""
    names = list(dict.fromkeys(species))
    looks = {s: SPECIES[s] for s in names if s in SPECIES}
    others = [s for s in names if s not in SPECIES]
    return looks | dict(zip(others, _unused(looks.values(), len(others)), strict=True))


def mechanism_looks(trajectory: States) -> dict[str, Look]:
    """Looks by ``membrane.label``: on each membrane, the first leak of a species gets the look of that species."""
    species = species_looks(trajectory.labels["species"])
    found: dict[str, Look] = {}
    for m in trajectory.structure.membranes:
        here: dict[str, Look] = {}
        for mechanism in m.mechanisms:
            moved = list(mechanism.moves)
            if len(moved) == 1 and species[moved[0]] not in here.values():
                here[mechanism.label] = species[moved[0]]
        others = [mechanism.label for mechanism in m.mechanisms if mechanism.label not in here]
        # Black is for totals, so a pump is purple rather than black.
        here |= dict(zip(others, _unused([MAIN, *here.values()], len(others)), strict=True))
        found |= {f"{m.name}.{label}": look for label, look in here.items()}
    return found


def _unused(taken: Iterable[Look], count: int) -> list[Look]:
    """Return `count` looks that differ in colour and style from `taken` and from each other, as far as possible."""
    taken = list(taken)
    chosen: list[Look] = []
    colors = list(dict.fromkeys([PURPLE, *(look.color for look in SPECIES.values())]))
    styles = [SHORT, LONG, DASH_DOT_DOT, DASHED, DASH_DOT, DOTTED, SPARSE, DASH_DASH_DOT, SOLID]
    for _ in range(count):
        used = [*taken, *chosen]
        color = min(colors, key=lambda c: sum(look.color == c for look in used))
        free = [s for s in styles if Look(color, s) not in used] or styles
        chosen.append(Look(color, min(free, key=lambda s: sum(look.style == s for look in used))))
    return chosen


def tint(color: str, share: float) -> str:
    """A colour mixed with that share of white."""
    red, green, blue = (c + (1.0 - c) * share for c in to_rgb(color))
    return str(to_hex((red, green, blue)))
