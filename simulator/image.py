"""A file in memory that the HDF5 library writes to before the whole of it goes to the disk."""

from __future__ import annotations

import io


class Image(io.BytesIO):
    """Bytes of a file.

    Nothing that the HDF5 library calls is written in Python: a signal would be answered within it, and an
    exception there ends the process.
    """

    def view(self) -> memoryview:
        """All that was written, without a copy; to be let go of before more is written."""
        return self.getbuffer()
