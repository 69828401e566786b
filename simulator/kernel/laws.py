"""Laws of the user's own, tried in symbols before a kernel is made of them."""

from __future__ import annotations

import os
from contextlib import suppress

from simulator.kernel.cache import proof_of
from simulator.mechanisms.outside import LawError, forget, origin_of, require_formula
from simulator.mechanisms.outside import add_file as added

__all__ = ["add_laws"]


def add_laws(*paths: str | os.PathLike[str]) -> tuple[str, ...]:
    """Make the laws of some files known, each under its file's name.

    A file may be added again after a change: what is run from then on uses the new law.

    Parameters
    ----------
    *paths : path
        Python files that declare ``LAW``.

    Returns
    -------
    tuple of str
        The names of the laws.

    Raises
    ------
    LawError
        With all problems of a file, each with its line.
    """
    names = tuple(map(added, paths))
    for name in names:
        _require_formula(name)
    return names


def _require_formula(name: str) -> None:
    """Refuse a law that is no formula. One that was found to be one before is not tried again: SymPy loads slowly."""
    origin = origin_of(name)
    assert origin is not None
    proof = proof_of(origin.digest)
    if proof.exists():
        return
    try:
        require_formula(name, origin.digest)
    except LawError:
        forget(name)
        raise
    with suppress(OSError):
        proof.touch()
