"""Check that a file looks like a data file before HDF5 opens it, and the error for files that cannot be used."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from simulator.errors import IonfluxError

#: File name suffixes of data files.
SUFFIXES = (".h5", ".hdf5", ".nc")

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

#: First bytes of files that people mistake for data files.
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
    """A data file that cannot be used: unreadable, incomplete, damaged or from another program.

    Attributes
    ----------
    path : Path
        The file.
    dataset : str
        The dataset concerned; empty if the problem concerns the whole file.
    problem, hint : str
        The parts of the message.
    """

    kind = "data_file"

    def __init__(self, path: Path, problem: str, dataset: str = "", hint: str = "") -> None:
        place = f"{path}: {dataset}" if dataset else str(path)
        super().__init__(f"{place}: {problem}" + (f"; {hint}" if hint else ""))
        self.path, self.dataset, self.problem, self.hint = path, dataset, problem, hint

    def records(self) -> list[dict[str, str]]:
        """Return the problem as a single record, with its file and dataset."""
        text = {"text": str(self), "file": str(self.path), "problem": self.problem, "hint": self.hint}
        return [text | {"dataset": self.dataset}]


def open_data_file(path: Path) -> BinaryIO:
    """Open a file whose first bytes are those of HDF5.

    Raises
    ------
    DataFileError
        If it cannot be opened or is of another kind.
    """
    try:
        # Checked first because opening a named pipe would block.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataFileError(path, "is a directory, not a data file")
        if not stat.S_ISREG(mode):
            raise DataFileError(path, "is not a regular file")
        file = path.open("rb")
    except FileNotFoundError:
        raise DataFileError(path, "there is no such file") from None
    except PermissionError:
        raise DataFileError(path, "cannot be read (permission denied)") from None
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else None
        raise DataFileError(path, f"cannot be opened ({text or error})") from error
    try:
        start = file.read(len(HDF5_SIGNATURE))
        if start != HDF5_SIGNATURE:
            hint = "`ionflux run` makes one from a scenario" if path.suffix in (".yaml", ".yml") else ""
            raise DataFileError(path, _not_hdf5(start), hint=hint)
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
