"""Functions that numba compiles to machine code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba as nb
from llvmlite import ir

from simulator.kernel.native import MachineCode

__all__ = ["compiled"]


def compiled(function: Any, example: tuple[Any, ...], facts: dict[str, Any] | None = None) -> MachineCode:
    """Compile a function.

    Parameters
    ----------
    function : numba dispatcher
        A function without wrappers for Python, so that its code needs nothing from it.
    example : tuple
        Arguments of the types for which to compile it.
    facts : dict, optional
        What its caller must know about it.
    """
    signature = tuple(map(nb.typeof, example))
    with _linear_algebra_put_off(), _garbage_left():
        function.compile(signature)
    found = function.overloads[signature]
    described = found.fndesc
    kind = found.target_context.call_conv.get_function_type(described.restype, described.argtypes)
    content = found.library._get_compiled_object()
    return MachineCode(described.llvm_func_name, "".join(map(_letter, kind.args)), content, facts or {})


def _letter(kind: Any) -> str:
    """Letter of an argument's type."""
    if isinstance(kind, ir.PointerType):
        return "P"
    return {ir.IntType(64): "q", ir.DoubleType(): "d"}[kind]


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Disable garbage collection while compiling: the millions of objects created are all live."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@contextmanager
def _linear_algebra_put_off() -> Iterator[None]:
    """Keep numba from importing SciPy's linear algebra when it first compiles.

    Numba only tests whether it exists, which takes longer than a run; SciPy is a dependency, so it always does.
    """
    name = "scipy.linalg.cython_blas"
    modules: dict[str, Any] = sys.modules
    if name in modules:
        yield
        return
    modules[name] = None
    try:
        yield
    finally:
        modules.pop(name, None)
        asked = modules.get("numba.np.arraymath")
        if asked is not None:
            asked._HAVE_BLAS = True
