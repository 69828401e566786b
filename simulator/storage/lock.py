"""Lock that admits one writer at a time to an output directory; that of a killed process is replaced."""

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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a directory.

    Raises
    ------
    StorageError
        If another process holds it, or it cannot be created.
    """
    path = folder / NAME
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    temporary = folder / f"{NAME}-{secrets.token_hex(4)}.tmp"
    try:
        temporary.write_text(json.dumps(me))
        try:
            _take(temporary, path)
        finally:
            temporary.unlink()
    except OSError as error:
        raise storage_error(path, 100, error) from error
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
            holder = _holder(path)
            if holder is not None and _alive(holder):
                problem = f"another command (process {holder.get('pid')} on {holder.get('host')}) is writing there"
                hint = f"wait for it, or choose another directory; if it is certainly no longer running, delete {path}"
                raise StorageError(path.parent, problem, hint) from None
            with suppress(FileNotFoundError):
                path.unlink()
        else:
            return
    raise StorageError(path.parent, "another command has just started to write there", "wait for it")


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
