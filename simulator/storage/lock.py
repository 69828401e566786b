"""Locks of an output directory: one for a command that needs it alone, shared ones for shards of the same sweep.

The lock of a killed process does not count.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simulator.storage.atomic import StorageError, storage_error

NAME = ".ionflux-lock"

#: Beginning of the names of shared locks.
SHARED = ".ionflux-shard-"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a directory alone.

    Raises
    ------
    StorageError
        If another process holds it or shares it, or it cannot be created.
    """
    path = folder / NAME
    try:
        with _claim(folder) as temporary:
            _take(temporary, path)
    except OSError as error:
        raise storage_error(path, 100, error) from error
    with _released(path):
        for other in folder.glob(f"{SHARED}*"):
            _refuse_living(other)
            other.unlink(missing_ok=True)
        yield


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Hold the lock of a directory together with others that share it.

    Raises
    ------
    StorageError
        If another process holds it alone, or it cannot be created.
    """
    path = folder / f"{SHARED}{secrets.token_hex(8)}"
    try:
        with _claim(folder) as temporary:
            os.link(temporary, path)
    except OSError as error:
        raise storage_error(path, 100, error) from error
    with _released(path):
        # Whoever wants the directory alone makes a lock first and looks for others then, too: one of the two sees it.
        _refuse_living(folder / NAME)
        yield


def writing_since(folder: Path) -> float | None:
    """Time [s since 1970] at which the first of the commands began that now write to a directory; None without one."""
    begun = []
    for path in (folder / NAME, *folder.glob(f"{SHARED}*")):
        holder = _holder(path)
        if holder is not None and _alive(holder):
            with suppress(OSError):
                begun.append(path.stat().st_mtime)
    return min(begun, default=None)


@contextmanager
def _claim(folder: Path) -> Iterator[Path]:
    """A temporary file that says who we are; a lock is a link to it, so it is never seen without its content."""
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    temporary = folder / f"{NAME}-{secrets.token_hex(4)}.tmp"
    temporary.write_text(json.dumps(me))
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _released(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def _take(temporary: Path, path: Path) -> None:
    """Create the lock with its content in one atomic step, replacing that of a dead process."""
    for _ in range(2):
        try:
            os.link(temporary, path)
        except FileExistsError:
            _refuse_living(path)
            with suppress(FileNotFoundError):
                path.unlink()
        else:
            return
    raise StorageError(path.parent, "another command has just started to write there", "wait for it")


def _refuse_living(path: Path) -> None:
    """Raise StorageError if a lock is there and its process runs."""
    holder = _holder(path)
    if holder is not None and _alive(holder):
        problem = f"another command (process {holder.get('pid')} on {holder.get('host')}) is writing there"
        hint = f"wait for it, or choose another directory; if it is certainly no longer running, delete {path}"
        raise StorageError(path.parent, problem, hint) from None


def _holder(path: Path) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _alive(holder: dict[str, object]) -> bool:
    """Whether the process that made a lock still runs; assumed on other machines, where it cannot be checked."""
    if holder.get("host") != socket.gethostname():
        return True
    pid = holder.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # The process number may have been reused since.
    return holder.get("started") == _started(pid)


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot; empty if unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
