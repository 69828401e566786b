"""Benchmarks of batches: threads, cost against the number of runs, and sweeps from YAML to files on disk.

Ratios compare times measured in turn in one process, the best or the median of a few rounds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from simulator.kernel import load_program
from simulator.kernel.inputs import Inputs
from simulator.kernel.program import Integration, Program
from simulator.model.model import Model
from simulator.runs.design import design_of
from simulator.runs.piece import Job
from simulator.runs.threads import run_batch
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.reader import read_config
from simulator.storage.folder import Folder
from simulator.storage.store import read
from simulator.storage.sweeping import planned, run_sweep

SWEEPS = Path(__file__).resolve().parent.parent / "configs" / "sweeps"
Line = tuple[str, str, str]


def job_of(config: str, runs: int) -> Job:
    """Job of a shipped sweep with `runs` runs."""
    scenario = read_config(SWEEPS / config, {"sweep.n": runs}).scenario
    return Job(scenario, design_of(scenario), load_program(Model.of(scenario).structure))


def kernel_seconds(job: Job, runs: int, threads: int = 1, piece: int = 8192) -> float:
    """Time [s] in the kernel alone on `threads` threads, with inputs prepared in advance."""
    starts = range(0, runs, piece)
    ready = [Inputs.of(job.model, job.design.part(start, min(start + piece, runs))) for start in starts]
    waiting = iter(ready)
    guard = threading.Lock()

    def work() -> None:
        while True:
            with guard:
                inputs = next(waiting, None)
            if inputs is None:
                return
            inputs.integrated(job.program, job.times)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    begun = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - begun


def best(measure: Callable[[], float], rounds: int = 3) -> float:
    """Smallest of a few measurements."""
    return min(measure() for _ in range(rounds))


def scaling() -> Iterator[Line]:
    """Speed-up by threads, and cost per run against the number of runs."""
    job = job_of("million_cells.yaml", 1_000_000)
    pairs = [(kernel_seconds(job, 65_536), kernel_seconds(job, 65_536, 2)) for _ in range(5)]
    one, two = (min(times) for times in zip(*pairs, strict=True))
    yield "two threads against one", f"{one / two:.2f} times as fast", "1.8"
    per_run = {runs: best(lambda r=runs: kernel_seconds(job, r), 5 if runs < 1e5 else 2) / runs for runs in SIZES}
    for runs, seconds in per_run.items():
        yield f"kernel, {runs:,} runs", f"{1e6 * seconds:.2f} us per run", ""
    spread = max(per_run.values()) / min(per_run.values()) - 1.0
    yield "most expensive run count against the cheapest", f"{100 * spread:.0f} % more per run", "10 %"


SIZES = (1_000, 10_000, 100_000, 1_000_000)


#: Three measures, as one might want them of a sweep, and one of a flux, which has to be computed for it.
MEASURES = {
    "three measures (peak potential, mean Na, time of a K level)": {
        "top": {"peak": "potential.plasma"},
        "na": {"mean": "concentration.cell.na"},
        "k": {"crossing": "concentration.cell.k", "level": 120.0},
    },
    "one measure (peak of a one-way flux)": {"flux": {"peak": "influx.plasma.k_leak.k"}},
}


def measured(runs: int = 100_000) -> Iterator[Line]:
    """Cost of measures: kernel time against that of the same sweep without, in turn; best of a few rounds."""
    config = read_config(SWEEPS / "million_cells.yaml", {"sweep.n": runs}).scenario.resolved()
    for rtol in (1e-4, 1e-6, 1e-8):
        config["run"]["rtol"] = rtol
        every = {"": {}} | MEASURES
        scenarios = {name: Scenario.model_validate(config | {"measure": own}) for name, own in every.items()}
        jobs = {n: Job(s, design_of(s), load_program(Model.of(s).structure)) for n, s in scenarios.items()}
        times = {name: [] for name in jobs}
        for _ in range(4):
            for name, job in jobs.items():
                times[name].append(kernel_seconds(job, runs))
        for name in MEASURES:
            wanted = "1.3" if rtol == 1e-6 and name.startswith("three") else ""
            yield (
                f"{name}, rtol {rtol:.0e}",
                f"{min(times[name]) / min(times['']):.2f} times the kernel without",
                wanted,
            )


def end_to_end(runs: int = 1_000_000) -> Iterator[Line]:
    """Run the million cells from YAML to files in a separate process."""
    job = job_of("million_cells.yaml", runs)
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    kernel = kernel_seconds(job, runs, threads)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        code = (
            "import json, resource, time, sys; from pathlib import Path; from benchmarks.batches import SWEEPS\n"
            "from simulator.scenario.yaml.reader import read_config\n"
            "from simulator.storage.sweeping import planned, run_sweep\n"
            "from simulator.kernel import load_program; from simulator.model.model import Model\n"
            f"found = read_config(SWEEPS / 'million_cells.yaml', {{'sweep.n': {runs}}})\n"
            "load_program(Model.of(found.scenario).structure)\n"
            "begun = time.perf_counter()\n"
            f"run_sweep(planned(found.scenario, Path({folder!r}) / 'out', found.text), threads={threads})\n"
            "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "print(json.dumps([time.perf_counter() - begun, peak]))"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout)
    yield (
        f"{runs:,} cells to disk, save: final",
        f"{seconds:.1f} s, {seconds / kernel:.2f} times the kernel alone",
        "2.5",
    )
    yield "peak memory of that", f"{peak / (1 << 20 if sys.platform != 'darwin' else 1 << 30):.2f} GiB", "1 GiB"


def published_scan() -> Iterator[Line]:
    """The largest published scan of a pump-leak cell that we know of, through the command."""
    with tempfile.TemporaryDirectory(dir=".") as place:
        command = [sys.executable, "-m", "simulator", "run", str(SWEEPS / "pump_leak_scan.yaml"), "-o", f"{place}/out"]
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - begun
    yield "1,967,005 pump-leak cells to disk", f"{seconds:.0f} s", "207 minutes published"


def trajectories_to_disk(runs: int, wanted: str, rounds: int = 5) -> Iterator[Line]:
    """Whole trajectories to disk, against h5py writing the same arrays from memory; median of a few rounds."""
    found = read_config(SWEEPS / "trajectories_100k.yaml", {"sweep.n": runs})
    times = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=".") as place:
            folder = planned(found.scenario, Path(place) / "out", found.text)
            begun = time.perf_counter()
            run_sweep(folder)
            ours = time.perf_counter() - begun
            times.append(
                (_written_by_h5py(folder, Path(place) / "again.h5", min(folder.parts, 12)) * folder.parts, ours)
            )
    ratios = sorted(theirs / ours for theirs, ours in times)
    spread = (
        f"{100 * statistics.median(ratios):.0f} % of the rate of h5py ({100 * ratios[0]:.0f} to {100 * ratios[-1]:.0f})"
    )
    yield f"{runs:,} trajectories to disk", f"{statistics.median(ours for _, ours in times):.1f} s, {spread}", wanted


def _written_by_h5py(folder: Folder, target: Path, parts: int) -> float:
    """Mean time [s] of h5py to write one part from memory, with the same chunks, checksums and fsync."""
    import h5py

    total = 0.0
    for number in range(parts):
        batch = read(folder.part_path(number))
        arrays = dict(batch.arrays) | dict(batch.coordinates)  # type: ignore[union-attr]
        begun = time.perf_counter()
        with h5py.File(target, "w", libver=("v110", "v110")) as file:
            for name, values in arrays.items():
                if values.size:
                    rows = max(1, (1 << 20) * len(values) // values.nbytes)
                    chunks = (min(rows, len(values)), *values.shape[1:])
                    file.create_dataset(name, data=values, chunks=chunks, shuffle=True, fletcher32=True)
        with target.open("rb") as stream:
            os.fsync(stream.fileno())
        total += time.perf_counter() - begun
    return total / parts


def around_the_kernel(runs: int = 4_000, rounds: int = 15) -> Iterator[Line]:
    """What `run_batch` costs besides the kernel, on one thread; also when every array of the batch is then read."""
    factors = np.exp2(np.random.default_rng(1).uniform(-1.0, 1.0, (2, runs)))
    integrate = Program.integrate
    kernel = 0.0

    def timed(self: Program, *arguments: Any, **settings: Any) -> Integration:
        nonlocal kernel
        begun = time.perf_counter()
        result = integrate(self, *arguments, **settings)
        kernel += time.perf_counter() - begun
        return result

    def measured(scenario: Scenario, save: str) -> tuple[float, float, float]:
        """Time [s] in the kernel, around it, and around it including the reading of every array."""
        nonlocal kernel
        given, kernel = scenario.quantities(), 0.0
        values = {key: given[key] * factor for key, factor in zip(VARIED, factors, strict=True)}
        begun = time.perf_counter()
        batch = run_batch(scenario, values, save=save, threads=1)
        around = time.perf_counter() - begun - kernel
        dict(batch.arrays)
        return kernel, around, time.perf_counter() - begun - kernel

    with mock.patch.object(Program, "integrate", timed):
        for save, wanted in (("final", "40 %"), ("trajectory", "80 %")):
            for rtol in (1e-4, 1e-6, 1e-8):
                scenario = read_config(SWEEPS.parent / "benchmark_cell.yaml", {"run.rtol": rtol}).scenario
                best_of = [min(times) for times in zip(*(measured(scenario, save) for _ in range(rounds)), strict=True)]
                alone, *others = best_of
                words = [f"{100 * t / alone:.0f} % of the kernel's time ({1e6 * t / runs:.2f} us)" for t in others]
                what = f"run_batch, save: {save}, rtol {rtol:.0e}: what surrounds the kernel"
                yield what, f"{words[0]}; with every array read {words[1]}", wanted


#: Keys that vary in the measurement of what surrounds the kernel.
VARIED = ("membranes.plasma.mechanisms.k_leak.permeability", "membranes.plasma.mechanisms.pump.max_rate")


def poison(runs: int = 10_000) -> Iterator[Line]:
    """Cost of one run with NaN rates among ten thousand."""
    job = job_of("million_cells.yaml", runs)
    healthy = Inputs.of(job.model, job.design.part(0, runs))
    parameters = healthy.parameters.copy()
    parameters[runs // 2, job.model.structure.parameters.index("p_plasma_pump_max_rate")] = np.nan
    sick = Inputs(healthy.state, healthy.scale, parameters, healthy.end, healthy.events, healthy.settings)

    def timed(inputs: Inputs) -> float:
        begun = time.perf_counter()
        inputs.integrated(job.program, job.times)
        return time.perf_counter() - begun

    pairs = [(timed(healthy), timed(sick)) for _ in range(7)]
    without, with_it = (min(times) for times in zip(*pairs, strict=True))
    yield "10,000 runs with a poison run", f"{100 * (with_it / without - 1):+.1f} % time", "5 %"


def rows() -> Iterator[Line]:
    """Yield every benchmark: name, measured value, target."""
    yield from scaling()
    yield from around_the_kernel()
    yield from poison()
    yield from measured()
    yield from end_to_end()
    yield from published_scan()
    yield from trajectories_to_disk(100_000, "85 %")
    yield from trajectories_to_disk(20_000, "75 %")
