"""The subcommand ``run`` for a scenario with a sweep: all of it or a shard, on threads or on a cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli.console import Announcer
from simulator.cli.signals import stop_if_asked
from simulator.cli.spread import HERE, Spread
from simulator.errors import Stopped, UsageError

if TYPE_CHECKING:
    from simulator.scenario.yaml.reader import Loaded
    from simulator.storage.folder import Folder
    from simulator.storage.sweeping import Progress

#: Seconds between two progress messages at a terminal.
PROGRESS_EVERY = 1.0


def sweep_target(config: Path, output: Path | None, several: bool) -> Path:
    """Return the directory for the results of a sweep."""
    if output is None:
        return Path(config.stem)
    if not several:
        return output
    output.mkdir(parents=True, exist_ok=True)
    return output / config.stem


def refuse_file_name(target: Path) -> None:
    """Raise UsageError if the results of a sweep are to be saved under the name of a data file."""
    from simulator.storage.datafile import SUFFIXES

    if target.suffix in SUFFIXES:
        raise UsageError(f"a sweep is saved in a directory, but {target} is a file name", "leave out the suffix")


def sweep_plan(loaded: Loaded, target: Path, runs: int, seconds: float) -> dict[str, Any]:
    """Describe what running a sweep, or so many of its runs, would do, and how long [s] that takes."""
    from simulator.scenario.sweep_cost import estimated_bytes

    sweep = loaded.scenario.sweep
    assert sweep is not None
    return {
        "name": loaded.scenario.name,
        "runs": runs,
        "counts": dict(sweep.counts()),
        "bytes": runs * estimated_bytes(loaded.scenario),
        "seconds": seconds,
        "file": str(target),
    }


def sweep_tried(loaded: Loaded, target: Path, threads: int | None, spread: Spread = HERE) -> dict[str, Any]:
    """Describe what running a sweep would do; a few of its runs are computed to tell how long it takes."""
    from simulator.storage.parts import expected_seconds
    from simulator.storage.sweeping import job_of, planned

    folder = planned(loaded.scenario, target, loaded.text, least_parts=spread.least_parts)
    job, runs = job_of(loaded.scenario, Announcer()), folder.runs_in(spread.parts(folder))
    return sweep_plan(loaded, target, runs, expected_seconds(folder, job, runs, spread.at_once or threads))


def plan_text(plan: dict[str, Any]) -> str:
    """Return a plan as a sentence."""
    from simulator.physics.notation import count, duration, size

    counts = " x ".join(f"{count(n)} {key}" for key, n in plan["counts"].items())
    return (
        f"{plan['name']}: {count(plan['runs'])} runs ({counts}), about {size(plan['bytes'])} "
        f"and {duration(plan['seconds'])} -> {plan['file']}"
    )


def run_one_sweep(
    loaded: Loaded, target: Path, threads: int | None, overwrite: bool, as_json: bool, spread: Spread = HERE
) -> tuple[dict[str, Any], bool]:
    """Run or resume a sweep or a shard of it; return its record and whether something was compiled."""
    from simulator.report.batch import sweep_record, sweep_text
    from simulator.storage.sweeping import planned, run_sweep

    refuse_file_name(target)
    folder = planned(loaded.scenario, target, loaded.text, least_parts=spread.least_parts, overwrite=overwrite)
    own = spread.parts(folder)
    announce = Announcer(in_logs=spread.scheduler is not None)  # a log must tell that no worker has come
    progress = _Progress(
        folder, own, lambda seconds: plan_text(sweep_plan(loaded, target, folder.runs_in(own), seconds))
    )
    elsewhere = None if spread.scheduler is None else spread.scheduler.parts(announce)
    try:
        run_sweep(
            folder,
            shard=spread.shard,
            threads=threads,
            elsewhere=elsewhere,
            overwrite=overwrite,
            announce=announce,
            report=progress,
        )
    except Stopped as stop:
        raise Stopped(stop.exit_code, stop.reason, progress.so_far()) from None
    progress.close()
    if not own:
        problem = f"the sweep has {folder.parts:,} parts, and none of them is of shard {spread.shard}"
        print(f"{problem}; there is nothing to do", file=sys.stderr)
    elif not announce.asked and progress.was_complete:
        which = f"shard {spread.shard} of {target}" if spread.shard is not None else str(target)
        print(f"{which} is already complete", file=sys.stderr)
    record = sweep_record(folder, own)
    if not as_json:
        print(sweep_text(record))
    return record, announce.asked


class _Progress:
    """Reports the progress of a sweep: regularly at a terminal, and when it is stopped."""

    def __init__(self, folder: Folder, own: range, plan: Callable[[float], str]) -> None:
        self.folder, self.own, self.plan = folder, own, plan
        self.last: Progress | None = None
        self.was_complete = False
        self.begun = self.told = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        stop_if_asked()
        if self.last is None:
            self.was_complete = progress.done == progress.runs
            self.before = progress.done
        self.last = progress
        now = time.monotonic()
        if progress.expected is not None:
            print(self.plan(progress.expected), file=sys.stderr)
            self.begun = self.told = now
        if sys.stderr.isatty() and now - self.told > PROGRESS_EVERY:
            self.told = now
            new, left = progress.done - self.before, progress.runs - progress.done
            took = now - self.begun
            failed = f", {progress.failed:,} failed" if progress.failed else ""
            pace = f"{new / took:,.0f} runs/s, {took * left / new:.0f} s left" if new else "none finished yet"
            print(
                f"\r{progress.done:,} of {progress.runs:,} runs{failed}, {pace} ", end="", file=sys.stderr, flush=True
            )

    def close(self) -> None:
        """End the progress line."""
        if sys.stderr.isatty() and self.told > self.begun:
            print(file=sys.stderr)

    def so_far(self) -> str:
        """Return a sentence on what is stored and how to continue."""
        self.close()
        if self.last is None:
            return "nothing was computed yet; run the same command to start again"
        stored = [number for number in self.folder.finished() if number in self.own]
        done = f"{self.folder.runs_in(stored):,} of {self.last.runs:,} runs are stored in {self.folder.path}"
        return f"{done}; run the same command to continue"
