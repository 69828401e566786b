"""Figures into files, the same bytes every time."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from simulator.storage.atomic import place

#: File types by suffix, each with the metadata that would otherwise hold the date.
FORMATS: dict[str, dict[str, str | None]] = {
    ".png": {"Software": "ionflux"},
    ".pdf": {"Creator": "ionflux", "Producer": "matplotlib", "CreationDate": None},
    ".svg": {"Creator": "ionflux", "Date": None},
}

#: Dots per inch of a PNG: a slide of 13.3 inches becomes 2000 dots wide.
RESOLUTION = 150


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure.

    Parameters
    ----------
    figure : Figure
        What :func:`plot_trajectory` or :func:`plot_comparison` gave.
    path : str or Path
        Target; its suffix decides the type.

    Raises
    ------
    ValueError
        For a suffix that is not one of :data:`FORMATS`.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ValueError(f"cannot write a figure as {path.name!r}: its name must end in {', '.join(FORMATS)}")
    picture = BytesIO()
    # Text stays text in SVG and PDF; identifiers in an SVG are salted with a constant, not at random.
    with rc_context({"svg.hashsalt": "ionflux", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(picture, format=kind[1:], dpi=RESOLUTION, metadata=FORMATS[kind])
    place(path, picture.getvalue(), overwrite=True)
