"""Verbs that start from a scenario: ``run``, ``steady`` and ``validate``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.sweeping import plan_text, run_one_sweep, sweep_plan, sweep_target
from simulator.errors import IonfluxError, UsageError

if TYPE_CHECKING:
    from simulator.scenario.yaml.reader import Loaded
    from simulator.trajectory.trajectory import Trajectory

Configs = Annotated[list[Path], typer.Argument(help="Scenario (.yaml) or data file (.h5).", metavar="CONFIG...")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value by its dotted path; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, errors included.")]
DATA = (".h5", ".hdf5", ".nc")


def run(
    configs: Configs,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File, or directory for several.")] = None,
    overrides: Overrides = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads for sweeps (default: all processors).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: Json = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")] = False,
) -> int:
    """Run scenarios; each result is saved as HDF5. A data file repeats its own run."""
    records: list[dict[str, Any]] = []
    begun = time.perf_counter()
    compiled = False
    plans: list[dict[str, Any]] = []
    for config in configs:
        loaded = read_source(config, overrides)
        if loaded.scenario.sweep is not None:
            target = sweep_target(config, output, several=len(configs) > 1)
            if dry_run:
                plans.append(sweep_plan(loaded, target))
                continue
            warn(loaded)
            record, was_compiled = run_one_sweep(loaded, target, threads, overwrite, as_json)
            compiled = compiled or was_compiled
            records.append(record)
            continue
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
        from simulator.report.text import run_json

        print(json.dumps(run_json(records, time.perf_counter() - begun, compiled), indent=1, allow_nan=False))
    return 3 if any(_failed(record) for record in records) else 0


def steady(
    configs: Configs,
    overrides: Overrides = None,
    as_json: Json = False,
) -> int:
    """Find steady states without time stepping, all events of the protocol past: residual, eigenvalues, verdict."""
    from simulator.report.text import UNITS, steady_record, steady_text
    from simulator.verdict.steady import NoSteadyState, steady_states

    records: list[dict[str, Any]] = []
    compiled: list[str] = []
    missing, elapsed = 0, 0.0
    for config in configs:
        loaded = read_source(config, overrides)
        warn(loaded)
        begun = time.perf_counter()
        try:
            found = steady_states(loaded.scenario, compiled.append)
            records += map(steady_record, found)
        except NoSteadyState as none:
            missing += 1
            print(none, file=sys.stderr)
            continue
        finally:
            elapsed += time.perf_counter() - begun
        if not as_json:
            print("\n\n".join(map(steady_text, found)))
    if as_json:
        document = {"units": UNITS, "compiled": bool(compiled), "elapsed": elapsed, "states": records}
        print(json.dumps(document, indent=1, allow_nan=False))
    return 3 if missing else 0


def validate(
    configs: Configs,
    overrides: Overrides = None,
    show_resolved: Annotated[
        bool, typer.Option("--show-resolved", help="Print every value with where it came from.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Check scenarios; warnings leave the exit code 0."""
    errors: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    for config in configs:
        try:
            loaded = read_source(config, overrides)
        except IonfluxError as error:
            if error.exit_code != 2:
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
    return 2 if errors else 0


def read_source(path: Path, overrides: list[str] | None) -> Loaded:
    """A scenario from YAML or from a data file, with ``--set`` applied and its numbers checked."""
    from simulator.scenario.yaml.reader import from_resolved, read_config

    if path.suffix in DATA:
        from simulator.storage.hdf5 import stored_scenario

        if overrides:
            raise UsageError("--set does not go with a data file, which repeats its own run", "start from its YAML")
        loaded = from_resolved(stored_scenario(path))
    else:
        loaded = read_config(path, assignments(overrides))
    return _with_numbers_checked(loaded)


def _with_numbers_checked(loaded: Loaded) -> Loaded:
    """The same, with warnings of what is allowed but odd; raises if composition and potentials contradict."""
    from simulator.errors import ModelError
    from simulator.model.admissibility import inadmissible
    from simulator.model.model import Model
    from simulator.scenario.yaml.issues import ConfigError

    model = Model.of(loaded.scenario)
    try:
        model.initial_state()
    except ModelError as error:
        raise ConfigError((loaded.issue(error.key, error.problem, error.expected, error.hint),)) from None
    remarks = model.remarks() | inadmissible(model)
    more = tuple(loaded.issue(key, problem) for key, problem in remarks.items())
    return replace(loaded, warnings=(*loaded.warnings, *more))


def assignments(overrides: list[str] | None) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping."""
    found: dict[str, str] = {}
    for text in overrides or []:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {text!r} is not KEY=VALUE", "for example --set run.duration='2 h'")
        found[key.strip()] = value.strip()
    return found


def warn(loaded: Loaded) -> None:
    """Warnings of a scenario, to stderr."""
    for issue in loaded.warnings:
        print(f"warning: {issue}", file=sys.stderr)


def announce(sentence: str) -> None:
    """Tell a person at a terminal what takes long; say nothing in a pipe."""
    if sys.stderr.isatty():
        print(sentence, file=sys.stderr, flush=True)


def _target(config: Path, output: Path | None, several: bool) -> Path:
    """Where the result of a scenario goes."""
    name = config.with_suffix(".h5").name
    if config.suffix in DATA:
        name = f"{config.stem}_again.h5"
    if output is None:
        return Path(name)
    if several or output.is_dir():
        if output.suffix in DATA and not output.is_dir():
            raise UsageError(f"{output} is one file, but there are several scenarios", "give -o a directory")
        output.mkdir(parents=True, exist_ok=True)
        return output / name
    return output


def _plan(loaded: Loaded, target: Path) -> dict[str, Any]:
    """What a run would do."""
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


def _failed(record: dict[str, Any]) -> bool:
    """Whether a run, or some run of a sweep, failed."""
    status = record["status"]
    return set(status) != {"ok"} if isinstance(status, dict) else status != "ok"


def _existing_or_new(loaded: Loaded, target: Path, overwrite: bool) -> tuple[Trajectory, bool]:
    """The result in `target` if it is of this very run; else run and write it."""
    from simulator.runs.batch import Batch
    from simulator.runs.integrate import run as integrate
    from simulator.storage.atomic import refuse_homeless
    from simulator.storage.hdf5 import read, write

    refuse_homeless(target)
    if target.exists() and not overwrite:
        existing = read(target)
        if isinstance(existing, Batch):
            raise UsageError(f"{target} holds a batch", "choose another file (-o)")
        _refuse_other(existing, loaded, target)
        print(f"{target} is complete already", file=sys.stderr)
        return existing, False
    said: list[str] = []

    def tell(sentence: str) -> None:
        said.append(sentence)
        announce(sentence)

    trajectory = integrate(loaded.scenario, tell)
    write(trajectory, target, config_text=loaded.text, overwrite=overwrite)
    return trajectory, bool(said)


def _refuse_other(existing: Trajectory, loaded: Loaded, target: Path) -> None:
    """Raise unless an existing file holds the same run: same resolved scenario, same kernel."""
    from simulator.kernel.cache import kernel_hash
    from simulator.scenario.scenario import differences

    changed = differences(existing.scenario, loaded.scenario)
    if changed:
        keys = ", ".join(f"{path} ({a} -> {b})" for path, a, b in changed[:5])
        raise UsageError(f"{target} exists and holds another run; it differs in {keys}", "--overwrite replaces it")
    if existing.provenance.get("kernel_hash") != kernel_hash(existing.structure):
        raise UsageError(
            f"{target} exists and was computed by another version of the equations", "--overwrite replaces it"
        )


def _report(trajectory: Trajectory, target: Path, as_json: bool) -> dict[str, Any]:
    """Print a run's result for a person, and return its record."""
    from simulator.report.text import run_record, run_text
    from simulator.verdict.verdict import beyond_stall, classify

    verdict = classify(trajectory)
    for label in beyond_stall(trajectory, verdict):
        print(
            f"warning: {label} uses ATP although that gives too little energy for what it moves (affinity "
            f"{verdict.affinity[label]:.3g} RT): its rate law does not know where it stalls",
            file=sys.stderr,
        )
    if not as_json:
        print(run_text(trajectory, verdict, str(target)))
    return run_record(trajectory, verdict, str(target))
