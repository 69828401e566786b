"""Generated code and the code that compiles, caches and runs it; the only package that imports numba and llvmlite."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from simulator.kernel import cache
from simulator.model.structure import Structure

if TYPE_CHECKING:
    from simulator.kernel.program import NothingMoves, Program

__all__ = ["load_arrays", "load_chunk_filter", "load_program", "load_slopes", "source_text"]


#: Number of states from which on the wait for a new kernel is announced in advance, and what a state adds to it [s].
MANY, SECONDS_PER_STATE = 60, 0.15

#: Kernels loaded in this process.
_PROGRAMS: dict[Structure, Program] = {}


@lru_cache
def load_arrays(structure: Structure) -> ModuleType:
    """Array functions of a structure: ``quantities``, ``rates``, ``water``, ``derivative``, ``linearisation``."""
    return cache.load_module(cache.folder(structure) / "arrays.py")


@lru_cache
def load_slopes(structure: Structure) -> ModuleType:
    """Partial derivatives of a structure's flows and definitions; generated on first use, because few need them."""
    return cache.load_module(cache.slopes_path(structure))


def load_program(structure: Structure, announce: Callable[[str], None] = lambda _: None) -> Program | NothingMoves:
    """Compiled kernel of a structure, from the cache if it is there.

    Parameters
    ----------
    structure : Structure
        The structure of the model.
    announce : callable
        Called with a sentence before an operation that takes seconds.
    """
    from simulator.kernel.program import NothingMoves, Program

    if not structure.states:
        return NothingMoves()
    with cache.LOADING:  # two threads would compile the same kernel
        if structure not in _PROGRAMS:
            states = len(structure.states)
            if states > MANY and not cache.is_generated(structure):
                seconds = states * SECONDS_PER_STATE
                announce(f"this model has {states} states; its kernel will take about {seconds:.0f} s")
            _PROGRAMS[structure] = Program.load(cache.folder(structure) / "kernel.py", announce)
        return _PROGRAMS[structure]


@lru_cache
def load_chunk_filter() -> Callable[[np.ndarray, np.ndarray], object]:
    """Return the compiled :func:`simulator.kernel.chunk_filter.filtered`, from the cache if it is there."""
    from simulator.kernel.native import MachineCode, obtained

    def compiled() -> MachineCode:
        from simulator.kernel import compiler

        return compiler.compiled(cache.shared("chunk_filter").filtered, (np.empty(0, np.uint64), np.empty(0, np.uint8)))

    with cache.LOADING:
        return obtained(cache.shared_path("chunk_filter").parent, "filtered", compiled)


def source_text(structure: Structure) -> str:
    """Source text of the generated kernel."""
    return (cache.folder(structure) / "kernel.py").read_text()
