"""Whole-process times: warm and cold runs of the product beside bare imports of its libraries."""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KAY = ROOT / "configs" / "published" / "kay_2017.yaml"
ROUNDS = 7


@dataclass(frozen=True)
class Ratio:
    """One command against another, both timed in turn."""

    what: str
    seconds: float
    against: str
    against_seconds: float
    limit: float

    @property
    def ratio(self) -> float:
        """How many times longer."""
        return self.seconds / self.against_seconds


def _once(command: list[str], cache: str, folder: str) -> float:
    begun = time.perf_counter()
    environment = os.environ | {"IONFLUX_CACHE": cache}
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
    return time.perf_counter() - begun


def rows() -> Iterator[Ratio | tuple[str, float, float]]:
    """Ratios, and last the cold start: its name, seconds beyond a warm run, limit."""
    ionflux = [sys.executable, "-m", "simulator"]
    run = [*ionflux, "run", str(KAY), "--overwrite", "-o", "kay.h5"]
    pairs = [
        ("ionflux run kay_2017.yaml, warm", run, "import numpy, numba, h5py, pydantic", 2.5),
        ("ionflux --help", [*ionflux, "--help"], "import typer, rich", 5.0),
        ("ionflux validate kay_2017.yaml", [*ionflux, "validate", str(KAY)], "import typer, rich", 10.0),
    ]
    with tempfile.TemporaryDirectory() as folder:
        # As an installed package: with its bytecode, whatever the environment says about writing it.
        compileall.compile_dir(ROOT / "simulator", quiet=1)
        os.symlink(ROOT / "simulator", Path(folder) / "simulator")
        cache = str(Path(folder) / "cache")
        cold = [_once(run, str(Path(folder) / f"cold{i}"), folder) for i in range(3)]
        _once(run, cache, folder)
        for what, command, imports, limit in pairs:
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(_once(command, cache, folder))
                theirs.append(_once([sys.executable, "-c", imports], cache, folder))
            yield Ratio(what, statistics.median(ours), imports, statistics.median(theirs), limit)
            if command is run:
                warm = statistics.median(ours)
        yield "first run ever, beyond a warm one", statistics.median(cold) - warm, 8.0
