"""Subcommands for a sweep that is computed in shards: ``submit``, ``status`` and ``merge``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import Announcer, Json, warn
from simulator.cli.exit_codes import OK
from simulator.cli.signals import stop_if_asked
from simulator.cli.source import Overrides, read_source
from simulator.cli.sweeping import refuse_file_name
from simulator.errors import UsageError

Folders = Annotated[list[Path], typer.Argument(help="Directory of a sweep, or of a shard of it.", metavar="DIR...")]

#: Memory [bytes] that a task takes besides its parts, for compiling too; parts that it holds at once for each thread.
OWN_MEMORY, PARTS_HELD = 1_000_000_000, 8


def status(folders: Folders, as_json: Json = False) -> int:
    """Tell what of a sweep is there: runs done, failed and missing, verdicts so far, time left.

    Given several directories of shards, count them together. Only how each run ended is read.
    """
    from simulator.report.batch import status_record, status_text
    from simulator.storage.inventory import Inventory

    inventory = Inventory.of(folders)
    record = status_record(inventory)
    print(json.dumps(record, indent=1) if as_json else status_text(inventory, record))
    return OK


def merge(
    folders: Folders,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory, or one file .h5; without it, only check.")
    ] = None,
    parts: Annotated[
        int | None, typer.Option("--parts", min=1, help="Number of parts, instead of what a run here would make.")
    ] = None,
    as_json: Json = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")] = False,
) -> int:
    """Gather the shards of a sweep, after checking that every run is there exactly once.

    An interrupted merge is continued by the same command. Runs that are missing or damaged are named (exit code 5).
    """
    from simulator.report.batch import status_record, status_text
    from simulator.storage.merging import checked, gather

    inventory = checked(folders, _counter("checked"))
    if output is not None:
        gather(inventory, output, parts=parts, overwrite=overwrite, report=_counter("gathered"))
    record = status_record(inventory)
    if as_json:
        print(json.dumps(record | {"file": None if output is None else str(output)}, indent=1))
    else:
        print(status_text(inventory, record) + ("" if output is None else f"\n-> {output}"))
    if output is None:
        print("every run is there exactly once; nothing was written (-o OUT gathers them)", file=sys.stderr)
    return OK


def submit(
    config: Annotated[Path, typer.Argument(help="Scenario with a sweep.", metavar="SWEEP")],
    tasks: Annotated[int, typer.Option("-n", "--tasks", min=1, help="Number of tasks, one shard each.")],
    slurm: Annotated[bool, typer.Option("--slurm", help="For SLURM, so far the only scheduler.")] = True,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory of the parts, on a disk that all machines share.")
    ] = None,
    overrides: Overrides = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Processors of a task.")] = 1,
    time_limit: Annotated[
        str | None, typer.Option("--time", help="Time limit of a task, instead of a tried one.")
    ] = None,
    memory: Annotated[str | None, typer.Option("--mem", help="Memory of a task, instead of an estimate.")] = None,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(
            "--sbatch", metavar="OPTION", help='Option for sbatch, as in --sbatch "--partition=x"; repeatable.'
        ),
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print the script instead of submitting it.")] = False,
) -> int:
    """Submit a sweep as a job array of shards; --print shows the script."""
    more = [*(sbatch or [])]
    more += [f"--time={time_limit}"] if time_limit else []
    more += [f"--mem={memory}"] if memory else []
    for option in more:
        if not option.startswith("-") or "\n" in option:
            raise UsageError(
                f"--sbatch {option!r} is not an option of sbatch", 'for example --sbatch "--partition=long"'
            )
    program = None if only_print else shutil.which("sbatch")
    if program is None and not only_print:
        raise UsageError("there is no sbatch here to submit to", "--print shows the script, to be submitted elsewhere")
    text = _script(config, tasks, output, overrides, threads, more)
    if program is None:
        print(text, end="")
        return OK
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"sbatch refused the job: {done.stderr.strip()}", "--print shows the script")
    print(done.stdout, end="")
    return OK


def _script(
    config: Path, tasks: int, output: Path | None, overrides: list[str] | None, threads: int, directives: list[str]
) -> str:
    """The job array's script; a few runs are tried to tell its time."""
    from simulator.report.slurm import JobArray
    from simulator.scenario.sweep_cost import estimated_bytes
    from simulator.storage.atomic import refuse_homeless
    from simulator.storage.parts import expected_seconds
    from simulator.storage.sweeping import Shard, job_of, planned
    from simulator.trajectory.provenance import outside_laws

    loaded = read_source(config, overrides)
    if loaded.scenario.sweep is None:
        raise UsageError(f"{config} has no sweep to divide", "ionflux run runs a single scenario")
    warn(loaded)
    target = (output or Path(config.stem)).resolve()
    refuse_file_name(target)
    refuse_homeless(target)
    folder = planned(loaded.scenario, target, loaded.text, least_parts=tasks)
    folder.refuse_other(overwrite=False)
    tasks = min(tasks, folder.parts)
    job = job_of(loaded.scenario, Announcer())
    longest = max(folder.runs_in(Shard(number, tasks).parts(folder)) for number in range(1, tasks + 1))
    laws = [str(origin.path) for _, origin in outside_laws(job.model.structure)]
    part = min(folder.part_runs, longest) * estimated_bytes(loaded.scenario)
    return JobArray(
        name=loaded.scenario.name,
        runs=folder.runs,
        parts=folder.parts,
        tasks=tasks,
        seconds=expected_seconds(folder, job, longest, threads),
        memory=OWN_MEMORY + PARTS_HELD * part * max(1, threads // 2),
        threads=threads,
        program=(sys.executable, "-m", "simulator"),
        scenario=str(config.resolve()),
        output=str(target),
        options=[*_repeated("--set", overrides or []), *_repeated("--laws", laws)],
        directives=directives,
    ).text()


def _repeated(option: str, values: list[str]) -> list[str]:
    """A repeatable option with each of some values."""
    return [word for value in values for word in (option, value)]


def _counter(what: str) -> Callable[[int, int], None]:
    """Report progress over parts at a terminal, once a second; stop if asked to."""
    told = time.monotonic()

    def report(done: int, parts: int) -> None:
        nonlocal told
        stop_if_asked()
        if sys.stderr.isatty() and (time.monotonic() - told > 1.0 or done == parts):
            told = time.monotonic()
            print(
                f"\r{what} {done:,} of {parts:,} parts ", end="\n" if done == parts else "", file=sys.stderr, flush=True
            )

    return report
