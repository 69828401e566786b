"""Arrays of a batch on disk as dask arrays, which are read when they are computed; dask is optional."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from simulator.errors import UsageError
from simulator.physics.notation import size

__all__ = ["in_words", "reader_of"]


def reader_of(arrays: Mapping[str, np.ndarray], needed: int) -> Callable[[Mapping[str, np.ndarray], str], Any]:
    """How arrays of a batch are read: lazily if it is on disk and dask is installed, else at once.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Those of the batch; a mapping that reads from files has a method ``lazy``.
    needed : int
        Bytes of all of them.

    Raises
    ------
    UsageError
        If they do not fit into the memory, and dask is missing.
    """
    if not hasattr(arrays, "lazy"):
        return lambda mapping, name: mapping[name]
    if find_spec("dask") is not None:
        return lambda mapping, name: mapping.lazy(name)  # type: ignore[attr-defined]
    if needed > (memory := memory_bytes()):
        problem = f"this sweep takes {size(needed)}, and the machine has {size(memory)} of memory"
        raise UsageError(problem, "install dask, which reads it piece by piece: pip install 'ionflux[xarray]'")
    return lambda mapping, name: mapping[name]


def memory_bytes() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def in_words(codes: Any, words: Sequence[str]) -> Any:
    """The words that codes stand for; lazily if the codes are."""
    known = np.array(words)
    if isinstance(codes, np.ndarray):
        return known[codes]
    return codes.map_blocks(known.take, dtype=known.dtype)
