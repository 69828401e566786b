"""A file in memory that the HDF5 library writes to before it is stored on disk."""

from __future__ import annotations

import io


class Image(io.BytesIO):
    """Bytes of a file.

    The buffer can be reused for another file with the same frame; only the numbers and facts are overwritten.

    Attributes
    ----------
    frame : str or None
        Everything two files must share for one's buffer to be reused; None while the file is incomplete.
    heap : str
        Digest of the labels, which are part of the frame.

    Notes
    -----
    No method that the HDF5 library calls is written in Python: a signal handler could run inside it, and an
    exception raised there ends the process.
    """

    frame: str | None = None
    heap: str = ""

    def view(self) -> memoryview:
        """Return all that was written, without a copy; release the view before writing more."""
        return self.getbuffer()
