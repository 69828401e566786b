"""Subcommands for scenarios: ``run``, ``steady`` and ``validate``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.console import Announcer, Json, warn
from simulator.cli.exit_codes import OK, SOME_FAILED, USAGE, after_runs
from simulator.cli.rewriting import refuse_target, write_at_rest
from simulator.cli.source import Configs, From, FromRun, Overrides, read_source, with_start
from simulator.cli.spread import SchedulerOption, ShardOption, TlsCa, TlsCert, TlsKey, spread
from simulator.cli.sweeping import plan_text, run_one_sweep, sweep_target, sweep_tried
from simulator.errors import IonfluxError, UsageError

if TYPE_CHECKING:
    from simulator.scenario.yaml.reader import Loaded
    from simulator.trajectory.trajectory import Trajectory


def run(
    configs: Configs,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File, or directory for several.")] = None,
    overrides: Overrides = None,
    start: From = None,
    start_run: FromRun = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads for sweeps (default: all available processors).")
    ] = None,
    shard: ShardOption = None,
    scheduler: SchedulerOption = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, without doing it.")] = False,
    as_json: Json = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")] = False,
) -> int:
    """Run scenarios and save each result as HDF5. Given a data file, repeat its run; given a sweep, go on with it."""
    overrides = with_start(overrides, start, start_run)
    over = spread(shard, scheduler, (tls_ca, tls_cert, tls_key), overwrite)
    records: list[dict[str, Any]] = []
    begun = time.perf_counter()
    compiled = False
    plans: list[dict[str, Any]] = []
    for config in configs:
        loaded = read_source(config, overrides)
        if loaded.scenario.sweep is not None:
            again = config.is_dir() and output is None
            target = config if again else sweep_target(config, output, several=len(configs) > 1)
            if dry_run:
                plans.append(sweep_tried(loaded, target, threads, over))
                continue
            warn(loaded)
            record, was_compiled = run_one_sweep(loaded, target, threads, overwrite, as_json, over)
            compiled = compiled or was_compiled
            records.append(record)
            continue
        if over.asked:
            raise UsageError(f"{config} has no sweep to divide", "leave out --shard and --scheduler")
        target = _target(config, output, several=len(configs) > 1)
        if dry_run:
            plans.append(_plan(loaded, target))
            continue
        warn(loaded)
        trajectory, was_compiled = _existing_or_new(loaded, target, overwrite)
        compiled = compiled or was_compiled
        records.append(_report(trajectory, target, as_json))
    if dry_run:
        lines = map(_plan_text, plans)
        print(json.dumps({"planned": plans}, indent=1) if as_json else "\n".join(lines))
    elif as_json:
        from simulator.report.records import run_json

        print(json.dumps(run_json(records, time.perf_counter() - begun, compiled), indent=1, allow_nan=False))
    return after_runs(records)


def steady(
    configs: Configs,
    overrides: Overrides = None,
    start: From = None,
    start_run: FromRun = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="OUT.yaml", help="Write the scenario so that it starts at rest.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Find the steady states after all events of the protocol, without time stepping.

    Print residual, eigenvalues and verdict of each.
    """
    from simulator.report.records import UNITS, steady_record
    from simulator.report.text import steady_text, trajectory_remarks
    from simulator.verdict.steady import NoSteadyState, steady_states

    if write is not None:
        refuse_target(write, configs)
    overrides = with_start(overrides, start, start_run)
    records: list[dict[str, Any]] = []
    announce = Announcer()
    missing, elapsed = 0, 0.0
    for config in configs:
        loaded = read_source(config, overrides)
        warn(loaded)
        begun = time.perf_counter()
        try:
            found = steady_states(loaded.scenario, announce)
            records += map(steady_record, found)
        except NoSteadyState as none:
            missing += 1
            print(none, file=sys.stderr)
            continue
        finally:
            elapsed += time.perf_counter() - begun
        for text in dict.fromkeys(text for rest in found for text in trajectory_remarks(rest.trajectory)):
            print(f"warning: {text}", file=sys.stderr)
        if not as_json:
            print("\n\n".join(map(steady_text, found)))
        if write is not None:
            write_at_rest(loaded, config, write, found[0], announce)
    if as_json:
        document = {"units": UNITS, "compiled": announce.asked, "elapsed": elapsed, "states": records}
        print(json.dumps(document, indent=1, allow_nan=False))
    return SOME_FAILED if missing else OK


def validate(
    configs: Configs,
    overrides: Overrides = None,
    start: From = None,
    start_run: FromRun = None,
    show_resolved: Annotated[
        bool, typer.Option("--show-resolved", help="Print every value and where it comes from.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Check scenarios. Warnings do not change the exit code."""
    overrides = with_start(overrides, start, start_run)
    errors: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    for config in configs:
        try:
            loaded = read_source(config, overrides)
        except IonfluxError as error:
            if error.kind != "usage":
                raise
            errors += error.records()
            continue
        warnings += [issue.record() for issue in loaded.warnings]
        if show_resolved and not as_json:
            for path, text, origin in loaded.rows():
                print(f"{path:<60} {text:<20} {origin}")
        elif not as_json:
            print(f"{config}: ok", file=sys.stderr)
    if as_json:
        print(json.dumps({"errors": errors, "warnings": warnings}, indent=1))
    else:
        for record in errors:
            print(record["text"], file=sys.stderr)
        for record in warnings:
            print(f"warning: {record['text']}", file=sys.stderr)
    return USAGE if errors else OK


def _target(config: Path, output: Path | None, several: bool) -> Path:
    """Return the path for the result of a scenario."""
    from simulator.storage.datafile import SUFFIXES

    name = config.with_suffix(".h5").name
    if config.suffix in SUFFIXES:
        name = f"{config.stem}_again.h5"
    if output is None:
        return Path(name)
    if several or output.is_dir():
        if output.suffix in SUFFIXES and not output.is_dir():
            raise UsageError(f"{output} is one file, but there are several scenarios", "give -o a directory")
        output.mkdir(parents=True, exist_ok=True)
        return output / name
    return output


def _plan(loaded: Loaded, target: Path) -> dict[str, Any]:
    """Describe what a run would do."""
    from simulator.scenario.save_times import save_times

    run = loaded.scenario.run
    return {
        "name": loaded.scenario.name,
        "duration": run.duration,
        "saved": len(save_times(run)),
        "file": str(target),
    }


def _plan_text(plan: dict[str, Any]) -> str:
    if "counts" in plan:
        return plan_text(plan)
    return f"{plan['name']}: {plan['duration']} s, {plan['saved']} saved states -> {plan['file']}"


def _existing_or_new(loaded: Loaded, target: Path, overwrite: bool) -> tuple[Trajectory, bool]:
    """Return the result of a run, read from `target` if it is there already, and whether something was compiled."""
    from simulator.runs.integrate import run as integrate
    from simulator.storage.atomic import refuse_homeless
    from simulator.storage.store import finished_run, write

    refuse_homeless(target)
    existing = None if overwrite else finished_run(target, loaded.scenario)
    if existing is not None:
        print(f"{target} is already complete", file=sys.stderr)
        return existing, False
    announce = Announcer()
    trajectory = integrate(loaded.scenario, announce)
    write(trajectory, target, config_text=loaded.text, overwrite=overwrite)
    return trajectory, announce.asked


def _report(trajectory: Trajectory, target: Path, as_json: bool) -> dict[str, Any]:
    """Print a run's result for a person, and return its record."""
    from simulator.physics.notation import with_unit
    from simulator.report.records import run_record
    from simulator.report.text import run_text, trajectory_remarks
    from simulator.verdict.verdict import beyond_stall, classify, uphill

    verdict = classify(trajectory)
    stalled = beyond_stall(trajectory, verdict)
    for label, power in uphill(trajectory).items():
        if label not in stalled:
            print(
                f"warning: {label} runs against its affinity and gains {with_unit(power, 'W')}: its rate law is not "
                "passive; declare `driven: true` if its work is done from outside",
                file=sys.stderr,
            )
    for text in trajectory_remarks(trajectory):
        print(f"warning: {text}", file=sys.stderr)
    for label in stalled:
        print(
            f"warning: {label} runs past its stall potential: the transport needs more energy than ATP supplies "
            f"(affinity {verdict.affinity[label]:.3g} RT), and its rate law does not stop it",
            file=sys.stderr,
        )
    if not as_json:
        print(run_text(trajectory, verdict, str(target)))
    return run_record(trajectory, verdict, str(target))
