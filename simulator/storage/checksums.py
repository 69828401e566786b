"""Checksums of data files: of all that a file says, and of the one part that HDF5 does not checksum itself.

HDF5 checksums its metadata and its chunks, but not the heaps that hold strings of variable length.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from simulator.storage.contents import Contents
from simulator.storage.image import Image

#: Signature and version of a heap of strings, its smallest size, and the length of each header in it.
_HEAP, _HEAP_BYTES, _HEADER = b"GCOL\x01", 4096, 16
_BLOCK = 1 << 18


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


def digest(what: Contents) -> str:
    """SHA-256 of all numbers, labels and texts; the checksums of chunks cannot see a chunk in another's place."""
    found = hashlib.sha256(json.dumps([dict(what.texts), dict(what.facts)], sort_keys=True).encode())
    for name, variable in sorted(what.variables.items()):
        values = variable.values
        kind = list(values) if isinstance(values, tuple) else [values.dtype.str, *values.shape]
        found.update(json.dumps([name, variable.dims, kind]).encode())
        if not isinstance(values, tuple):
            found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()
