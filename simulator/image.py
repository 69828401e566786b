"""A file in memory that the HDF5 library writes to before the whole of it goes to the disk."""

from __future__ import annotations

import io
from typing import Any

import numpy as np


class Image(io.RawIOBase):
    """Bytes of a file, with room for as many as are expected; more are taken as well.

    Unlike :class:`io.BytesIO` it does not grow piece by piece, for the system hands out new memory slowly.

    Parameters
    ----------
    room : int
        Bytes expected.
    """

    def __init__(self, room: int) -> None:
        self._room = np.empty(max(room, 1), np.uint8)
        self._size = self._place = 0

    def view(self) -> memoryview:
        """All that was written, without a copy."""
        return self._room[: self._size].data

    def seekable(self) -> bool:
        """Any place can be gone to."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def readinto(self, target: Any) -> int:
        """Fill the target, or its front at the end of the file."""
        into = memoryview(target).cast("B")
        found = self.view()[self._place : self._place + into.nbytes]
        into[: found.nbytes] = found
        self._place += found.nbytes
        return found.nbytes

    def write(self, data: Any) -> int:
        """Put bytes at the place."""
        source = np.frombuffer(data, np.uint8)
        stop = self._place + source.size
        if stop > self._size:
            self.truncate(stop)
        self._room[self._place : stop] = source
        self._place = stop
        return source.size

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or lengthen it with zeros."""
        size = self._place if size is None else size
        if size > self._room.size:
            larger = np.empty(max(size, self._room.size * 3 // 2), np.uint8)
            larger[: self._size] = self._room[: self._size]
            self._room = larger
        self._room[self._size : size] = 0
        self._size = size
        return size
