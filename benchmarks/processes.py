"""Whole-process times: warm and cold runs against bare imports of the libraries."""

from __future__ import annotations

import compileall
import json
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
TEN_STATES = ROOT / "benchmarks" / "ten_states.yaml"
ROUNDS = 7


@dataclass(frozen=True)
class Ratio:
    """Times [s] of two commands, measured alternately."""

    what: str
    seconds: float
    against: str
    against_seconds: float
    limit: float

    @property
    def ratio(self) -> float:
        """Ratio of the two times."""
        return self.seconds / self.against_seconds


#: Cases whose steady states are searched for.
STEADY = (
    "KAY2017-01",
    "DUES2018-01",
    "DUES2018-05",
    "VER-01",
    "HD2014-01",
    "HD2014-02",
    "BC2011-01",
    "KONLY-01",
    "DONNAN-01",
)

#: Times symbolic algebra, code generation and compilation, without imports and reading the file.
COMPILE = """
import sys, time, numba
from simulator.storage.start import load_scenario
from simulator.model.assembly import structure_of
from simulator.kernel import load_program
structure = structure_of(load_scenario(sys.argv[1]))
begun = time.perf_counter()
load_program(structure)
print(time.perf_counter() - begun)
"""


def compile_seconds(config: Path, cache: str, folder: str) -> float:
    """Time [s] to generate and compile the kernel of a scenario."""
    command = [sys.executable, "-c", COMPILE, str(config)]
    environment = os.environ | {"IONFLUX_CACHE": cache}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, env=environment)
    return float(done.stdout)


def steady_seconds(case: str, cache: str, folder: str) -> float:
    """Time [s] of a search for steady states as the command reports it; median of three warm searches."""
    config = ROOT / "configs" / "reference" / f"{case}.yaml"
    command = [sys.executable, "-m", "simulator", "steady", str(config), "--json"]
    environment = os.environ | {"IONFLUX_CACHE": cache}
    told = [
        json.loads(subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment).stdout)
        for _ in range(4)
    ]
    return statistics.median(document["elapsed"] for document in told[1:])


def _once(command: list[str], cache: str, folder: str) -> float:
    begun = time.perf_counter()
    environment = os.environ | {"IONFLUX_CACHE": cache}
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
    return time.perf_counter() - begun


def rows() -> Iterator[Ratio | tuple[str, float, float]]:
    """Yield ratios, then single times as name, seconds and limit."""
    ionflux = [sys.executable, "-m", "simulator"]
    run = [*ionflux, "run", str(KAY), "--overwrite", "-o", "kay.h5"]
    pairs = [
        ("ionflux run kay_2017.yaml, warm", run, "import numpy, numba, h5py, pydantic", 1.6),
        ("ionflux --help", [*ionflux, "--help"], "import typer, rich", 5.0),
        ("ionflux validate kay_2017.yaml", [*ionflux, "validate", str(KAY)], "import typer, rich", 10.0),
    ]
    with tempfile.TemporaryDirectory() as folder:
        # Compile bytecode as for an installed package, even if the environment disables it.
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
        ten = [compile_seconds(TEN_STATES, str(Path(folder) / f"ten{i}"), folder) for i in range(3)]
        yield "kernel of the ten states, the first ever", statistics.median(ten), 8.0
        yield "kernel of the ten states, with others in the cache", compile_seconds(TEN_STATES, cache, folder), 8.0
        for case in STEADY:
            yield f"steady states of {case}", steady_seconds(case, cache, folder), 0.05
