"""The subcommand ``run`` for a scenario with a sweep."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli.console import Announcer
from simulator.cli.signals import stop_if_asked
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


def sweep_plan(loaded: Loaded, target: Path, seconds: float) -> dict[str, Any]:
    """Describe what running a sweep would do, and how long [s] that takes."""
    from simulator.scenario.sweep_cost import estimated_bytes

    sweep = loaded.scenario.sweep
    assert sweep is not None
    total = sweep.total()
    return {
        "name": loaded.scenario.name,
        "runs": total,
        "counts": dict(sweep.counts()),
        "bytes": total * estimated_bytes(loaded.scenario),
        "seconds": seconds,
        "file": str(target),
    }


def sweep_tried(loaded: Loaded, target: Path, threads: int | None) -> dict[str, Any]:
    """Describe what running a sweep would do; a few of its runs are computed to tell how long it takes."""
    from simulator.storage.sweeping import expected_seconds, job_of, planned

    folder, job = planned(loaded.scenario, target, loaded.text), job_of(loaded.scenario, Announcer())
    return sweep_plan(loaded, target, expected_seconds(folder, job, job.design.runs, threads))


def plan_text(plan: dict[str, Any]) -> str:
    """Return a plan as a sentence."""
    from simulator.physics.notation import count, duration, size

    counts = " x ".join(f"{count(n)} {key}" for key, n in plan["counts"].items())
    return (
        f"{plan['name']}: {count(plan['runs'])} runs ({counts}), about {size(plan['bytes'])} "
        f"and {duration(plan['seconds'])} -> {plan['file']}"
    )


def run_one_sweep(
    loaded: Loaded, target: Path, threads: int | None, overwrite: bool, as_json: bool
) -> tuple[dict[str, Any], bool]:
    """Run or resume a sweep; return its record and whether something was compiled."""
    from simulator.report.batch import sweep_record, sweep_text
    from simulator.storage.datafile import SUFFIXES
    from simulator.storage.sweeping import planned, run_sweep

    if target.suffix in SUFFIXES:
        raise UsageError(f"a sweep is saved in a directory, but {target} is a file name", "leave out the suffix")
    folder = planned(loaded.scenario, target, loaded.text)
    announce = Announcer()
    progress = _Progress(folder, lambda seconds: plan_text(sweep_plan(loaded, target, seconds)))
    try:
        run_sweep(folder, threads=threads, overwrite=overwrite, announce=announce, report=progress)
    except Stopped as stop:
        raise Stopped(stop.exit_code, stop.reason, progress.so_far()) from None
    progress.close()
    if not announce.asked and progress.was_complete:
        print(f"{target} is already complete", file=sys.stderr)
    record = sweep_record(folder)
    if not as_json:
        print(sweep_text(record))
    return record, announce.asked


class _Progress:
    """Reports the progress of a sweep: regularly at a terminal, and when it is stopped."""

    def __init__(self, folder: Folder, plan: Callable[[float], str]) -> None:
        self.folder, self.plan = folder, plan
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
            rest = (now - self.begun) * left / max(new, 1)
            text = f"\r{progress.done:,} of {progress.runs:,} runs, {rest:.0f} s left "
            print(text, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the progress line."""
        if sys.stderr.isatty() and self.told > self.begun:
            print(file=sys.stderr)

    def so_far(self) -> str:
        """Return a sentence on what is stored and how to continue."""
        self.close()
        if self.last is None:
            return "nothing was computed yet; run the same command to start again"
        done = f"{self.folder.stored():,} of {self.folder.runs:,} runs are stored in {self.folder.path}"
        return f"{done}; run the same command to continue"
