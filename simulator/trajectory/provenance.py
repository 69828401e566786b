"""Where a result comes from: versions, kernel, machine, commit."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from simulator.kernel.cache import PACKAGE, numbers_hash, version
from simulator.mechanisms.outside import Origin, origin_of
from simulator.model.structure import Structure

#: Beginning of the names of facts on laws from outside the package.
LAW = "law_"

LIBRARIES = ("numpy", "numba", "llvmlite", "h5py")


def provenance(structure: Structure) -> dict[str, str]:
    """Provenance that a data file stores with its numbers."""
    laws = {f"{LAW}{name}": origin for name, origin in laws_from_outside(structure).items()}
    return {"kernel_hash": numbers_hash(structure), **laws, **surroundings()}


def laws_in(facts: Mapping[str, str]) -> dict[str, str]:
    """File and digest of each law from outside the package that a stored provenance names."""
    return {name.removeprefix(LAW): text for name, text in facts.items() if name.startswith(LAW)}


def laws_from_outside(structure: Structure) -> dict[str, str]:
    """File and digest of each law from outside the package that a structure uses."""
    return {name: str(origin) for name, origin in outside_laws(structure)}


def outside_laws(structure: Structure) -> list[tuple[str, Origin]]:
    """Name and origin of each law from outside the package that a structure uses."""
    used = {(m.law_name, m.digest) for _, m in structure.mechanisms if m.digest}
    found = ((name, origin_of(name, digest)) for name, digest in sorted(used))
    return [(name, origin) for name, origin in found if origin is not None]


@cache
def surroundings() -> dict[str, str]:
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
