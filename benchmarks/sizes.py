"""What a model costs by its size: chains of compartments, and one cell with many mechanisms, each in its own process.

Times are in seconds. *Derive* and *generate* are SymPy's part, *compile* is the compiler's; *load* is a warm start of
the kernel alone. A step is one of a full set of lanes, in nanoseconds per lane.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHAINS = (1, 2, 4, 8, 16, 32)
MECHANISMS = (10, 20, 40)

CELL = {
    "geometry": {"sphere": {"radius": "10 um"}},
    "concentrations": {"na": "15 mM", "k": "140 mM", "cl": "13 mM"},
    "impermeant": {"concentration": "131 mM", "charge": "auto"},
}
BATH = {"fixed": True, "concentrations": {"na": "145 mM", "k": "4.5 mM", "cl": "149.5 mM"}}
PATHS: dict[str, dict[str, Any]] = {
    "na_leak": {"law": "leak_ghk", "ion": "na", "permeability": "3.0e-10 m/s"},
    "k_leak": {"law": "leak_ghk", "ion": "k", "permeability": "4.0e-9 m/s"},
    "cl_leak": {"law": "leak_ghk", "ion": "cl", "permeability": "2.0e-9 m/s"},
    "pump": {"law": "na_k_pump_hill", "max_rate": "0.6 umol/m^2/s", "k_na": "10 mM", "k_k": "1.5 mM"},
}


def chain(length: int) -> dict[str, Any]:
    """Scenario of cells one inside the other's neighbour, each with three leaks and a pump towards the one before."""
    return {
        "name": f"chain of {length}",
        "compartments": {"bath": BATH} | {f"c{i}": CELL for i in range(length)},
        "membranes": {
            f"m{i}": {
                "inside": f"c{i}",
                "outside": f"c{i - 1}" if i else "bath",
                "potential": "0 mV" if i else "-60 mV",
                "mechanisms": PATHS,
            }
            for i in range(length)
        },
        "run": {"duration": "1 h"},
    }


def crowded(number: int) -> dict[str, Any]:
    """Scenario of one cell with so many leaks and pumps, each with a parameter of its own."""
    kinds = list(PATHS.items())
    mechanisms = {f"{kinds[i % 4][0]}_{i}": kinds[i % 4][1] for i in range(number)}
    membrane = {"inside": "cell", "outside": "bath", "potential": "-60 mV", "mechanisms": mechanisms}
    return {
        "name": f"{number} mechanisms",
        "compartments": {"bath": BATH, "cell": CELL},
        "membranes": {"plasma": membrane},
        "run": {"duration": "1 h"},
    }


MEASURE = """
import json, resource, sys, time
from simulator.storage.start import load_scenario
from simulator.model.model import Model
from simulator.kernel import cache, load_program
from simulator.kernel.inputs import Inputs
from simulator.scenario.save_times import save_times
import numpy as np
model = Model.of(load_scenario(sys.argv[1]))
found = {"states": len(model.structure.states)}
begun = time.perf_counter()
if sys.argv[2] == "cold":
    from simulator.model.equations import Equations
    from simulator.kernel.generate import KernelSource
    cache.shared("driver")
    start = time.perf_counter()
    equations = Equations(model.structure)
    equations.derivative
    derived = time.perf_counter()
    source = KernelSource(equations)
    source.kernel(), source.arrays()
    generated = time.perf_counter()
    load_program(model.structure)
    found |= {"derive": derived - start, "generate": generated - derived}
    found["compile"] = time.perf_counter() - generated - (generated - start)
else:
    program = load_program(model.structure)
    found["load"] = time.perf_counter() - begun
    one = Inputs.of(model)
    runs = 64
    state, scale, parameters, end = (np.repeat(a, runs, 0) for a in (one.state, one.scale, one.parameters, one.end))
    times = save_times(model.scenario.run)[-1:]
    best = 1e9
    for _ in range(5):
        begun = time.perf_counter()
        result = program.integrate(state, parameters, scale, end, times, rtol=1e-9)
        best = min(best, time.perf_counter() - begun)
    found["step"] = 1e9 * best / result.attempts.sum()
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")] if sys.platform == "linux" else []
# ru_maxrss counts what the process was before it was replaced by this program.
usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found["memory"] = (float(peak[0].split()[1]) if peak else usage) / 1024
print(json.dumps(found))
"""


def measured(scenario: dict[str, Any]) -> dict[str, float]:
    """Times [s], step [ns per lane] and memory [MiB] of a scenario."""
    with tempfile.TemporaryDirectory() as place:
        config, cache = Path(place) / "model.yaml", Path(place) / "cache"
        config.write_text(json.dumps(scenario))
        cache.mkdir(mode=0o700)
        found: dict[str, float] = {}
        for how in ("cold", "warm"):
            done = subprocess.run(
                [sys.executable, "-c", MEASURE, str(config), how],
                check=True,
                capture_output=True,
                text=True,
                env=os.environ | {"IONFLUX_CACHE": str(cache)},
            )
            found = json.loads(done.stdout.splitlines()[-1]) | found
    return found


def rows() -> Iterator[tuple[str, dict[str, float]]]:
    """Yield every model with what it costs."""
    for scenario in (*map(chain, CHAINS), *map(crowded, MECHANISMS)):
        yield scenario["name"], measured(scenario)


if __name__ == "__main__":
    for name, found in rows():
        print(name, {key: round(value, 3) for key, value in found.items()}, flush=True)
