"""Write files atomically: a file appears under its name complete or not at all."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from simulator.errors import IonfluxError

fcntl: Any = None
if hasattr(os, "O_DIRECT"):  # Linux
    import fcntl

#: Bytes of a direct write that bypasses the page cache, and the page size that they must be a multiple of.
_BLOCK, _PAGE = 4 << 20, 4096

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, or choose another disk"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or choose another disk"),
    errno.EFBIG: ("the file would exceed the limit on file sizes", "raise the limit (ulimit -f)"),
    errno.EACCES: ("no permission", "choose a directory that you may write to"),
    errno.EPERM: ("no permission", "choose a directory that you may write to"),
    errno.EROFS: ("the disk is read-only", "choose a directory that you may write to"),
    errno.ENOENT: ("its directory does not exist", "create the directory, or choose another one"),
    errno.ENOTDIR: ("a part of its path is a file, not a directory", "choose another directory"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
}


class StorageError(IonfluxError):
    """A result that could not be stored.

    Attributes
    ----------
    path : Path
        The file that could not be written.
    problem, hint : str
        The parts of the message.
    """

    kind = "storage"

    def __init__(self, path: Path, problem: str, hint: str) -> None:
        super().__init__(f"{path}: {problem}; {hint}")
        self.path, self.problem, self.hint = path, problem, hint

    def records(self) -> list[dict[str, str]]:
        """Return the problem as a single record, with its file and hint."""
        return [{"text": str(self), "file": str(self.path), "problem": self.problem, "hint": self.hint}]


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise :class:`StorageError` if `path` is a directory, or exists and may not be overwritten."""
    if os.path.isdir(path):  # never raises, not even for a malformed path
        raise StorageError(path, "is a directory", "give the name of a file")
    if not overwrite and os.path.lexists(path):
        raise StorageError(
            path,
            "already exists",
            "choose another name, or replace it with --overwrite (in Python overwrite=True)",
        )


def refuse_homeless(path: Path) -> None:
    """Raise :class:`StorageError` if a file's directory does not exist; call before hours of work, not after."""
    if not os.path.isdir(path.parent):
        raise StorageError(path, "cannot be written: its directory does not exist", "create it, or choose another one")


def write_atomically(path: Path, data: bytes | memoryview, overwrite: bool = False) -> None:
    """Write a file so that its name always refers to a complete file, even after a power cut.

    Parameters
    ----------
    path : Path
        Final name. A symbolic link there is replaced, not followed.
    data : bytes or memoryview
        All bytes of the file.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StorageError
        If the file cannot be written; nothing is left behind and an existing file is unchanged.
    """
    with opened_atomically(path, overwrite, memoryview(data).nbytes) as file:
        _write(file, data)


@contextmanager
def opened_atomically(path: Path, overwrite: bool = False, size: int = 0) -> Iterator[FileIO]:
    """Open a file for writing that gets its name at the end of the block, complete; on an exception nothing is left.

    Parameters and errors are those of :func:`write_atomically`; `size` is the number of bytes needed, if known.
    """
    _refuse_impossible(path, size)
    try:
        refuse_existing(path, overwrite)
        with _name_beside(path) as temporary:
            with _new_file(temporary) as file:
                yield file
            refuse_existing(path, overwrite)
            os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise storage_error(path, size, error) from error


def write_once(path: Path, data: bytes) -> bool:
    """Write a file unless there is one of its name already, also if others try the same at the same time.

    Returns
    -------
    bool
        Whether this call wrote it.

    Raises
    ------
    StorageError
        If the file cannot be written; nothing is left behind.
    """
    _refuse_impossible(path, len(data))
    try:
        with _name_beside(path) as temporary:
            with _new_file(temporary) as file:
                _write(file, data)
            os.link(temporary, path)
        _sync_directory(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise storage_error(path, len(data), error) from error
    return True


def _refuse_impossible(path: Path, size: int) -> None:
    """Raise :class:`StorageError` for a path that no file can have, as one with a null character."""
    try:
        path.lstat()
    except ValueError as error:
        raise storage_error(path, size, error) from error
    except OSError:  # told when the file is written
        return


@contextmanager
def _name_beside(path: Path) -> Iterator[Path]:
    """A name for a temporary file in the same directory, so that a rename cannot become a copy."""
    temporary = path.parent / f".ionflux-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        yield temporary
    finally:
        with suppress(OSError):
            os.unlink(temporary)


@contextmanager
def _new_file(path: Path) -> Iterator[FileIO]:
    """A new file, on the disk when it is closed."""
    with os.fdopen(os.open(path, _NEW_FILE, 0o666), "wb", buffering=0) as file:
        yield file
        os.fsync(file.fileno())


def _write(file: FileIO, data: bytes | memoryview) -> None:
    rest = memoryview(data).cast("B")
    if fcntl is not None and rest.nbytes >= _BLOCK:
        rest = rest[_past_the_cache(file.fileno(), rest) :]
    while rest:
        rest = rest[file.write(rest) :]


def _past_the_cache(descriptor: int, data: memoryview) -> int:
    """Write the whole pages of a large file directly to disk, and return the number of bytes written.

    The data will not be read soon, and filling the page cache costs more than the write. Return 0 where the
    file system does not support direct writes.
    """
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    done, whole = 0, data.nbytes - data.nbytes % _PAGE
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT)
        with mmap.mmap(-1, _BLOCK) as block:  # page-aligned, as O_DIRECT requires
            while done < whole:
                size = min(_BLOCK, whole - done)
                block[:size] = data[done : done + size]
                with memoryview(block) as view, view[:size] as page:
                    done += os.write(descriptor, page)
                if done % _PAGE:
                    break
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return done


def _sync_directory(path: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems do not support this for directories.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def storage_error(path: Path, needed: int, error: Exception) -> StorageError:
    """Turn an OSError into a :class:`StorageError`; `needed` is the number of bytes to write."""
    code = error.errno if isinstance(error, OSError) else None
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    reason, hint = _REASONS.get(code or 0, (text, "choose another place"))
    wanted = f"{needed} bytes needed, " if needed else ""
    return StorageError(path, f"cannot be written: {reason} ({wanted}{_free(path)} free)", hint)


def _free(path: Path) -> str:
    for folder in path.absolute().parents:
        with suppress(OSError, ValueError):
            return str(shutil.disk_usage(folder).free)
    return "unknown"
