"""Digests of data files: of the contents, and of the heaps of variable-length strings.

HDF5 checksums its metadata and its chunks, but not these heaps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from simulator.storage.contents import Contents
from simulator.storage.image import Image

#: Signature and version of a heap of strings; its smallest size and the length of each header in it [bytes].
_HEAP, _HEAP_BYTES, _HEADER = b"GCOL\x01", 4096, 16
_BLOCK = 1 << 18


def heap_digest(stream: BinaryIO | Image) -> str:
    """SHA-256 of the heaps of variable-length strings in an HDF5 file.

    Every heap is checked first: a wrong length puts the HDF5 library (2.0 and before) into an endless loop.

    Raises
    ------
    ValueError
        If a heap is malformed.
    """
    digest = hashlib.sha256()
    size = stream.seek(0, 2)
    for start in _heaps(stream, size):
        stream.seek(start)
        head = stream.read(_HEADER)
        length = int.from_bytes(head[8:16], "little")
        # Any other match of the signature is a coincidence, and the library rejects it too.
        if _HEAP_BYTES <= length <= size - start:
            heap = head + stream.read(length - _HEADER)
            _walk(heap)
            digest.update(heap)
    return digest.hexdigest()


def _heaps(stream: BinaryIO | Image, size: int) -> Iterator[int]:
    """Yield the positions of possible heaps."""
    for start in range(0, size, _BLOCK):
        stream.seek(start)
        block = np.frombuffer(stream.read(_BLOCK + len(_HEAP) - 1), np.uint8)
        # Compare three bytes with NumPy first: faster than a text search, and it lets other threads run.
        places = np.flatnonzero(_follow(block, _HEAP[:3]))
        for place in places[[block[i : i + len(_HEAP)].tobytes() == _HEAP for i in places]].tolist():
            yield start + place


def _follow(block: np.ndarray, letters: bytes) -> np.ndarray:
    """Return the positions in a block where these bytes occur in sequence."""
    last = max(0, len(block) - len(letters) + 1)
    found = block[:last] == letters[0]
    for i, letter in enumerate(letters[1:], start=1):
        found &= block[i : i + last] == letter
    return found


def _walk(heap: bytes) -> None:
    """Visit all objects of a heap as the HDF5 library does, and check their lengths."""
    place = _HEADER
    while place + _HEADER <= len(heap):
        index = int.from_bytes(heap[place : place + 2], "little")
        length = int.from_bytes(heap[place + 8 : place + 16], "little")
        # Object 0 is the free space and its length includes the header; others are padded to multiples of eight.
        step = length if index == 0 else _HEADER + -(-length // 8) * 8
        if step < _HEADER or place + step > len(heap):
            raise ValueError("a label has an impossible length")
        place += step


def digest(what: Contents) -> str:
    """SHA-256 of all numbers, labels, texts and facts; chunk checksums alone do not detect swapped chunks."""
    found = hashlib.sha256(json.dumps([dict(what.texts), dict(what.facts)], sort_keys=True).encode())
    for name, variable in sorted(what.variables.items()):
        values = variable.values
        kind = list(values) if isinstance(values, tuple) else [values.dtype.str, *values.shape]
        found.update(json.dumps([name, variable.dims, kind]).encode())
        if not isinstance(values, tuple):
            found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()
