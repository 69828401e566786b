"""Data files as seen from outside: what is not one, and the error that says so."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from simulator.errors import IonfluxError
from simulator.storage.image import Image

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

#: Signature and version of a heap of strings, its smallest size, and the length of each header in it.
_HEAP, _HEAP_BYTES, _HEADER = b"GCOL\x01", 4096, 16
_BLOCK = 1 << 18

#: First bytes of what people mistake for a data file.
_OTHER_KINDS = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzip-compressed",
    b"CDF": "a NetCDF-3 file",
    b"\x93NUMPY": "a NumPy file",
}


class DataFileError(IonfluxError):
    """A data file that cannot be used: unreadable, incomplete, damaged or foreign.

    Attributes
    ----------
    path : Path
        The file.
    dataset : str
        Where in the file, empty if it concerns the whole.
    problem, hint : str
        The parts of the message.
    """

    exit_code = 5

    def __init__(self, path: Path, problem: str, dataset: str = "", hint: str = "") -> None:
        place = f"{path}: {dataset}" if dataset else str(path)
        super().__init__(f"{place}: {problem}" + (f"; {hint}" if hint else ""))
        self.path, self.dataset, self.problem, self.hint = path, dataset, problem, hint

    def records(self) -> list[dict[str, str]]:
        """The one problem, with its file and dataset."""
        text = {"text": str(self), "file": str(self.path), "problem": self.problem, "hint": self.hint}
        return [text | {"dataset": self.dataset}]


def open_data_file(path: Path) -> BinaryIO:
    """Open what looks like an HDF5 file from outside.

    Raises
    ------
    DataFileError
        When it cannot be opened or is of another kind.
    """
    try:
        # Asked before opening: a named pipe would block there.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataFileError(path, "is a directory, not a data file")
        if not stat.S_ISREG(mode):
            raise DataFileError(path, "is not a regular file")
        file = path.open("rb")
    except FileNotFoundError:
        raise DataFileError(path, "there is no such file") from None
    except PermissionError:
        raise DataFileError(path, "may not be read (permission denied)") from None
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else None
        raise DataFileError(path, f"cannot be opened ({text or error})") from error
    try:
        start = file.read(len(HDF5_SIGNATURE))
        if start != HDF5_SIGNATURE:
            raise DataFileError(path, _not_hdf5(start))
        file.seek(0)
    except OSError as error:
        file.close()
        raise DataFileError(path, f"cannot be read ({error.strerror or error})") from error
    except DataFileError:
        file.close()
        raise
    return file


def _not_hdf5(start: bytes) -> str:
    if not start:
        return "is empty (zero bytes)"
    if HDF5_SIGNATURE.startswith(start):
        return "is truncated within its first bytes"
    if not any(start):
        return "is not an HDF5 file: it starts with zeros, as an unfinished copy does"
    kind = next((kind for first, kind in _OTHER_KINDS.items() if start.startswith(first)), "")
    return "is not an HDF5 file" + (f": it is {kind}" if kind else "")


def heap_digest(stream: BinaryIO | Image) -> str:
    """SHA-256 of the heaps in an HDF5 file, which hold strings of variable length and have no checksum.

    Every heap is walked first: one wrong length sends the HDF5 library (2.0 and before) round in circles.

    Raises
    ------
    ValueError
        When a heap is malformed.
    """
    digest = hashlib.sha256()
    size = stream.seek(0, 2)
    for start in _heaps(stream, size):
        stream.seek(start)
        head = stream.read(_HEADER)
        length = int.from_bytes(head[8:16], "little")
        # Anything else that looks like a signature is chance, and the library refuses it as well.
        if _HEAP_BYTES <= length <= size - start:
            heap = head + stream.read(length - _HEADER)
            _walk(heap)
            digest.update(heap)
    return digest.hexdigest()


def _heaps(stream: BinaryIO | Image, size: int) -> Iterator[int]:
    """Positions of all that may be a heap."""
    for start in range(0, size, _BLOCK):
        stream.seek(start)
        block = np.frombuffer(stream.read(_BLOCK + len(_HEAP) - 1), np.uint8)
        # Three letters at once first: faster than looking for the text, and other threads may go on meanwhile.
        places = np.flatnonzero(_follow(block, _HEAP[:3]))
        for place in places[[block[i : i + len(_HEAP)].tobytes() == _HEAP for i in places]].tolist():
            yield start + place


def _follow(block: np.ndarray, letters: bytes) -> np.ndarray:
    """Where in a block these letters follow each other."""
    last = max(0, len(block) - len(letters) + 1)
    found = block[:last] == letters[0]
    for i, letter in enumerate(letters[1:], start=1):
        found &= block[i : i + last] == letter
    return found


def _walk(heap: bytes) -> None:
    """Go from object to object as the HDF5 library does, to the end of a heap."""
    place = _HEADER
    while place + _HEADER <= len(heap):
        index = int.from_bytes(heap[place : place + 2], "little")
        length = int.from_bytes(heap[place + 8 : place + 16], "little")
        # Object 0 is the free rest and counts its own header; others are padded to multiples of eight.
        step = length if index == 0 else _HEADER + -(-length // 8) * 8
        if step < _HEADER or place + step > len(heap):
            raise ValueError("a text in it has an impossible length")
        place += step
