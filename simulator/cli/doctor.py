"""Facts on the machine and the installation that a bug report needs."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version

from simulator.kernel import cache
from simulator.runs.threads import usable_threads
from simulator.trajectory.provenance import own_version

LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "h5py", "sympy", "matplotlib", "pydantic", "ruamel.yaml")


def facts() -> Iterator[tuple[str, str]]:
    """Yield names and values in the order they are printed."""
    yield "ionflux", own_version()
    yield "python", f"{platform.python_version()} ({sys.executable})"
    for name in LIBRARIES:
        yield name, version(name)
    yield "system", platform.platform()
    yield "processor", _processor()
    yield "threads", str(usable_threads())
    folder = cache.directory()
    kernels = sum(1 for path in folder.glob("*/kernel.py"))
    yield "cache", f"{folder} ({kernels} kernels)"
    yield "free disk", f"{shutil.disk_usage(folder).free / 1e9:.1f} GB at the cache, {_free('.')} here"


def _free(path: str) -> str:
    return f"{shutil.disk_usage(path).free / 1e9:.1f} GB"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"
