"""What 10^9 and 10^12 runs cost: ``python -m benchmarks.scale`` measures one run and prints the table of docs/scale.md.

Core time is the processor time of the whole process, so that others on the machine do not count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulator.scenario.scenario import Scenario
from simulator.storage.folder import PART_RUNS
from simulator.storage.start import load_scenario
from simulator.storage.sweeping import planned, run_sweep

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "sweeps" / "million_cells.yaml"

#: Measures that a million cells may have: of each kind that looks into the steps.
MEASURES = {
    "top": {"peak": "potential.plasma"},
    "mean": {"mean": "potential.plasma"},
    "leaves": {"crossing": "potential.plasma", "level": -0.05, "direction": "either"},
    "influx": {"peak": "influx.plasma.na_leak.na"},
}

TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


@dataclass(frozen=True)
class Cost:
    """What a run costs: core time to the disk [s], bytes there, and in how many files they are."""

    what: str
    seconds: float
    size: float


def measured(scenario: Scenario, what: str) -> Cost:
    """Run a sweep to disk and count processor time and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sweep"
        plan = planned(scenario, target)
        begun = time.process_time()
        run_sweep(plan, threads=1)
        seconds = time.process_time() - begun
        whole = sum(path.stat().st_size for path in target.iterdir())
    return Cost(what, seconds / plan.runs, whole / plan.runs)


def costs(runs: int) -> Iterator[Cost]:
    """Final states at several tolerances, with measures, and whole trajectories of 100 times."""
    number = {"sweep.n": float(runs)}
    measured(load_scenario(CONFIG, {"sweep.n": 100.0}), "")  # compiles
    for rtol in TOLERANCES:
        yield measured(load_scenario(CONFIG, number | {"run.rtol": rtol}), f"final states, rtol {rtol:.0e}")
    yield measured(load_scenario(CONFIG, number | {"measure": MEASURES}), "final states and 4 measures, rtol 1e-06")
    few = {"sweep.n": float(runs // 10), "run.save": "trajectory", "run.save_every": 1000.0}
    yield measured(load_scenario(CONFIG, few), "trajectories of 101 times, rtol 1e-06")


def table(found: list[Cost]) -> Iterator[str]:
    """The costs as Markdown."""
    yield "| what is kept | core time per run | bytes per run | 10^9 runs | 10^12 runs |"
    yield "|---|---|---|---|---|"
    for cost in found:
        sizes = [
            f"{cost.seconds * runs / 3600.0:,.3g} core hours, {cost.size * runs / 1e12:,.3g} TB"
            for runs in (10**9, 10**12)
        ]
        yield f"| {cost.what} | {cost.seconds * 1e6:.1f} us | {cost.size:.0f} | {' | '.join(sizes)} |"
    yield f"\nParts of {PART_RUNS:,} runs: {10**9 // PART_RUNS + 1:,} and {10**12 // PART_RUNS + 1:,} files."


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=200_000)
    print(*table(list(costs(options.parse_args().runs))), sep="\n")
