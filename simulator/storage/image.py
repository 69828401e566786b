"""A file in memory that the HDF5 library writes to before the whole of it goes to the disk."""

from __future__ import annotations

import io


class Image(io.BytesIO):
    """Bytes of a file.

    The next file of the same frame can take over its place: all but numbers is there already, and so is the memory.

    Attributes
    ----------
    frame : str or None
        What files that only differ in their numbers have in common; None while the file is not whole.
    heap : str
        Digest of the labels in it, which are part of the frame.

    Nothing that the HDF5 library calls is written in Python: a signal would be answered within it, and an
    exception there ends the process.
    """

    frame: str | None = None
    heap: str = ""

    def view(self) -> memoryview:
        """All that was written, without a copy; to be let go of before more is written."""
        return self.getbuffer()
