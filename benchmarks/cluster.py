"""A sweep on dask.distributed beside the same on threads: ``python -m benchmarks.cluster``.

A real scheduler and two worker processes on this machine, 10^5 cells. Both ways are timed in turns, from the first part
handed out to the last one on the disk, with kernels loaded and workers connected.
"""

from __future__ import annotations

import pickle
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.batches import SWEEPS
from simulator.scenario.yaml.reader import read_config
from simulator.storage.cluster import Crew, Order, Scheduler
from simulator.storage.folder import Folder
from simulator.storage.parts import PartRow, stored_parts
from simulator.storage.store import read
from simulator.storage.sweeping import job_of, planned

RUNS, WORKERS, ROUNDS = 100_000, 2, 7

#: Where Linux counts the bytes that pass each network interface.
NETWORK = Path("/proc/net/dev")


def main() -> None:
    """Print what was measured."""
    found = read_config(SWEEPS / "million_cells.yaml", {"sweep.n": RUNS})
    job = job_of(found.scenario)
    with tempfile.TemporaryDirectory(dir=".") as name:
        place = Path(name)

        def fresh(what: str) -> Folder:
            folder = planned(found.scenario, place / what, found.text, least_parts=WORKERS)
            folder.make()
            folder.begin(overwrite=True)
            return folder

        here, there = fresh("here"), fresh("there")
        order, every = Order.of(there), range(there.parts)
        with Scheduler.of(f"local:{WORKERS}", None, None, None).workers() as workers:
            while len(workers.client.nthreads()) < WORKERS:
                time.sleep(0.1)
            crew = Crew.of(workers, order, there, print)
            ways: dict[str, Callable[[], list[PartRow]]] = {
                "threads": lambda: list(stored_parts(here, job, every, WORKERS)),
                "workers": lambda: list(crew.rows(every)),
            }
            times: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS + 1):  # the first warms up
                for way, act in ways.items():
                    begun, before = time.perf_counter(), _loopback()
                    rows = act()
                    times[way].append(time.perf_counter() - begun)
                    passed = (_loopback() - before) / len(rows)
        _report(times, passed, len(pickle.dumps((order, 0))), max(len(pickle.dumps(row)) for row in rows))
        a, b = read(place / "here"), read(place / "there")
        same = all(np.array_equal(a.arrays[n].view(np.uint8), b.arrays[n].view(np.uint8)) for n in a.arrays)  # type: ignore[union-attr]
        print(f"all data variables bit for bit equal: {same}")


def _report(times: dict[str, list[float]], passed: float, order: int, row: int) -> None:
    middle = {way: statistics.median(each[1:]) for way, each in times.items()}
    for way, seconds in middle.items():
        spread = f"{min(times[way][1:]):.2f} to {max(times[way][1:]):.2f}"
        print(f"{RUNS:,} cells on {WORKERS} {way}: {seconds:.2f} s ({spread}), {RUNS / seconds:,.0f} runs/s")
    ratios = [a / b for a, b in zip(times["threads"][1:], times["workers"][1:], strict=True)]
    print(f"throughput of workers: {100 * statistics.median(ratios):.0f} % of that of threads (wanted: 85 %)")
    print(f"a part's order and row, pickled: {order} and {row} bytes")
    print(f"bytes on the loopback interface per part, all other traffic of the machine included: {passed:,.0f}")


def _loopback() -> int:
    """Bytes that have passed the loopback interface since it was up; 0 where this is not counted."""
    try:
        lines = NETWORK.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.strip().startswith("lo:")), 0)


if __name__ == "__main__":
    main()
