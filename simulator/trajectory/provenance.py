"""Where a result comes from: versions, kernel, machine, commit."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from simulator.kernel.cache import PACKAGE, numbers_hash, version
from simulator.model.structure import Structure

LIBRARIES = ("numpy", "numba", "llvmlite", "h5py")


def provenance(structure: Structure) -> dict[str, str]:
    """Provenance that a data file stores with its numbers."""
    return {"kernel_hash": numbers_hash(structure), **_surroundings()}


@cache
def _surroundings() -> dict[str, str]:
    """Versions, machine and commit, constant within a process."""
    facts = {
        "ionflux_version": own_version(),
        "python_version": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "git_commit": _git_commit(PACKAGE.parent),
    }
    return facts | {f"{name}_version": version(name) for name in LIBRARIES}


def own_version() -> str:
    """Version of ionflux; ``unknown`` when run from a folder that was never installed."""
    try:
        return version("ionflux")
    except PackageNotFoundError:
        return "unknown"


def _git_commit(folder: Path) -> str:
    """Commit of a checkout, empty outside one; read from git's files without running git."""
    try:
        head = (folder / ".git" / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        reference = head.removeprefix("ref: ")
        loose = folder / ".git" / reference
        if loose.is_file():
            return loose.read_text().strip()
        packed = (folder / ".git" / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(reference)), "")
    except OSError:
        return ""
