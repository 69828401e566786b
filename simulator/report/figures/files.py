"""Write figures to files with reproducible bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from simulator.errors import UsageError
from simulator.storage.atomic import write_atomically

#: File types by suffix, each with metadata that leaves out the date.
FORMATS: dict[str, dict[str, str | None]] = {
    ".png": {"Software": "ionflux"},
    ".pdf": {"Creator": "ionflux", "Producer": "matplotlib", "CreationDate": None},
    ".svg": {"Creator": "ionflux", "Date": None},
}

#: Dots per inch of a PNG: a slide of 13.3 inches becomes 2000 dots wide.
RESOLUTION = 150


class WrongSuffix(UsageError, ValueError):
    """A name that does not say which type of figure to write."""


def refuse_suffix(path: Path) -> None:
    """Raise :class:`WrongSuffix` for a name that does not end in one of :data:`FORMATS`."""
    if path.suffix.lower() not in FORMATS:
        raise WrongSuffix(f"cannot write a figure as {path.name!r}", f"its name must end in {', '.join(FORMATS)}")


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure.

    Parameters
    ----------
    figure : Figure
        Made by :func:`plot_trajectory` or :func:`plot_comparison`, for example.
    path : str or Path
        Target; its suffix decides the type.

    Raises
    ------
    WrongSuffix
        For a suffix that is not one of :data:`FORMATS`.
    """
    path = Path(path)
    refuse_suffix(path)
    kind = path.suffix.lower()
    picture = BytesIO()
    # Keep text as text in SVG and PDF; salt identifiers in an SVG with a constant for reproducible bytes.
    with rc_context({"svg.hashsalt": "ionflux", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(picture, format=kind[1:], dpi=RESOLUTION, metadata=FORMATS[kind])
    write_atomically(path, picture.getvalue(), overwrite=True)
