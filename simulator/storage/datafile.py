"""Data files as seen from outside: what is not one, and the error that says so."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from simulator.errors import IonfluxError

#: Endings of the names of data files.
SUFFIXES = (".h5", ".hdf5", ".nc")

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

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

    kind = "data_file"

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
