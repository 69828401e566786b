"""Machine code of compiled functions: kept in files, loaded and called without numba.

Importing numba and having it load a function takes longer than most runs. A compiled function is therefore kept as an
object file, which LLVM alone links, and called through ctypes with the arguments that numba's calling convention
prescribes. New code takes the same way, so code just compiled and code from the cache cannot differ.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from simulator.kernel.machine import processor

__all__ = ["Function", "MachineCode", "obtained"]

#: Argument types by the letters of :attr:`MachineCode.arguments`.
_TYPES: dict[str, Any] = {"P": ctypes.c_void_p, "q": ctypes.c_int64, "d": ctypes.c_double}

_DIGEST = hashlib.sha256().digest_size

_NUMBERS = count()


@dataclass(frozen=True)
class MachineCode:
    """A compiled function that needs nothing else to run.

    Parameters
    ----------
    symbol : str
        Its name in the object file.
    arguments : str
        A letter for each argument in numba's calling convention: ``P`` pointer, ``q`` integer, ``d`` float. The first
        two are pointers to the result and to an exception, which no function here raises.
    content : bytes
        The object file.
    facts : dict
        What its caller must know about it, as JSON can hold it.
    """

    symbol: str
    arguments: str
    content: bytes
    facts: dict[str, Any] = field(default_factory=dict)

    def packed(self) -> bytes:
        """As the content of a file: a digest of what follows; a line of JSON; the object file."""
        head = {name: value for name, value in asdict(self).items() if name != "content"}
        body = json.dumps(head).encode() + b"\n" + self.content
        return hashlib.sha256(body).digest() + body

    @classmethod
    def unpacked(cls, content: bytes) -> MachineCode:
        """Read the content of a file; ValueError if it is not what was written."""
        digest, body = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(body).digest() != digest:
            raise ValueError("damaged machine code")
        head, _, code = body.partition(b"\n")
        return cls(content=code, **json.loads(head))


class Function:
    """Machine code in memory, called like a Python function of arrays, numbers and tuples of them.

    Arrays must be contiguous and of the types the code was compiled for. The interpreter's lock is released meanwhile.
    """

    def __init__(self, code: MachineCode) -> None:
        self.facts = code.facts
        library = llvm.JITLibraryBuilder().add_object_img(code.content).add_current_process().export_symbol(code.symbol)
        #: Owns the memory in which the code lies.
        self._linked = library.link(_linker(), f"{code.symbol}-{next(_NUMBERS)}")
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *(_TYPES[letter] for letter in code.arguments))
        self._call = prototype(self._linked[code.symbol])

    def __call__(self, *arguments: Any) -> int:
        """Call it; the result means nothing if the function returns nothing."""
        result, exception = ctypes.c_int64(), ctypes.c_void_p()
        if self._call(ctypes.byref(result), ctypes.byref(exception), *_flat(arguments)):
            raise RuntimeError("compiled code raised an exception")
        return result.value


def obtained(
    folder: Path, name: str, compiled: Callable[[], MachineCode], announce: Callable[[bool], None] = lambda _: None
) -> Function:
    """A function of the cache: loaded if it is there and whole, otherwise compiled and kept.

    Parameters
    ----------
    folder : Path
        Folder of the cache whose name is a hash of all that the function depends on, except the processor.
    name : str
        Name of the function.
    compiled : callable
        Compiles it.
    announce : callable
        Called before compiling, with whether there is a file that cannot be used.
    """
    path = folder / f"{name}-{processor()}.code"
    # Whatever is wrong with the file, compiling again mends it.
    with suppress(Exception):
        return Function(MachineCode.unpacked(path.read_bytes()))
    announce(path.exists())
    code = compiled()
    with suppress(OSError):  # without the file, the next process compiles again
        _keep(path, code.packed())
    return Function(code)


def _keep(path: Path, content: bytes) -> None:
    """Write a file under another name first, so that none is seen incomplete."""
    handle, temporary = tempfile.mkstemp(prefix="new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


@cache
def _linker() -> Any:
    """LLVM's linker for code in this process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler()


def _flat(arguments: tuple[Any, ...]) -> list[int | float]:
    """Numbers that stand for arguments in numba's calling convention.

    An array is its owner and its Python object (none), its length, the size of an entry, its address, its shape and
    its strides.
    """
    found: list[int | float] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            address = argument.__array_interface__["data"][0]
            found += (0, 0, argument.size, argument.itemsize, address, *argument.shape, *argument.strides)
        elif isinstance(argument, tuple):
            found += _flat(argument)
        else:
            found.append(argument)
    return found
