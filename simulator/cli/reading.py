"""Subcommands for saved runs: ``compare``, ``plot``, ``info``, ``export``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.console import Announcer, Json, warn
from simulator.errors import UsageError, among

if TYPE_CHECKING:
    from simulator.runs.batch import Batch
    from simulator.trajectory.trajectory import Trajectory

DataFile = Annotated[Path, typer.Argument(help="Data file (.h5) of a run, or directory of a sweep.", metavar="FILE")]
Figure = Annotated[Path | None, typer.Option("-o", "--output", help="Figure: .png, .pdf or .svg.")]


def compare(
    a: Annotated[
        Path, typer.Argument(metavar="A", help="Data file of a run, directory of a sweep, or a scenario (.yaml).")
    ],
    b: Annotated[Path | None, typer.Argument(metavar="B", help="The other one; omit it for a scenario.")] = None,
    output: Figure = None,
    twin: Annotated[
        str | None, typer.Option("--twin", help="Which of the scenario's `twins:` to compare it with.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Make the twin by changing this value; repeatable."),
    ] = None,
) -> None:
    """Compare two runs (verdicts, potentials, one-way fluxes, ATP, dissipation) or two sweeps.

    Given one scenario, run it and its twin: one listed under `twins:`, or the scenario with the changes of --set.
    """
    from simulator.report.comparison import compare as hold
    from simulator.report.text import comparison_text
    from simulator.runs.batch import Batch

    one, other = _two(a, b, twin, overrides)
    if isinstance(one, Batch) and isinstance(other, Batch):
        from simulator.report.batch import batch_comparison_text

        print(batch_comparison_text(one, other))
        if output is not None:
            from simulator.report.figures import plot_batches, save

            save(plot_batches(one, other), output)
            print(f"figure: {output}", file=sys.stderr)
        return
    if isinstance(one, Batch) or isinstance(other, Batch):
        raise UsageError("a run cannot be compared with a sweep", "give two files, or two directories")
    comparison = hold(one, other)
    print(comparison_text(comparison))
    if output is not None:
        from simulator.report.figures import plot_comparison, save

        save(plot_comparison(comparison), output)
        print(f"figure: {output}", file=sys.stderr)


def _two(
    a: Path, b: Path | None, twin: str | None, overrides: list[str] | None
) -> tuple[Trajectory | Batch, Trajectory | Batch]:
    """Return the two results to compare: two saved ones, or a scenario and its twin, run now."""
    from simulator.cli.source import assignments, read_source
    from simulator.runs.integrate import run
    from simulator.scenario.yaml.twins import twin_title
    from simulator.storage.datafile import SUFFIXES
    from simulator.storage.store import read

    scenario = a.suffix not in SUFFIXES and not a.is_dir()
    if not scenario:
        if b is None:
            raise UsageError("there is nothing to compare with", "give a second file, or a scenario (.yaml)")
        if twin or overrides:
            raise UsageError("--twin and --set apply to a scenario, not to a saved run", "give a .yaml file")
        return read(a), read(b)
    if b is not None:
        raise UsageError("a scenario is compared with its own twin", f"leave out {b}, or run both and give the files")
    loaded = read_source(a, None)
    if loaded.scenario.sweep is not None:
        raise UsageError("a sweep has no twin", "run it twice and give the two directories")
    changes = assignments(overrides)
    if not overrides:
        if not loaded.twins:
            raise UsageError(f"{a} has no twins", "write them under `twins:`, or say what differs with --set KEY=VALUE")
        if twin is None and len(loaded.twins) > 1:
            raise UsageError(f"{a} has several twins", f"choose one with --twin: {', '.join(loaded.twins)}")
        name = twin or next(iter(loaded.twins))
        if name not in loaded.twins:
            raise UsageError(f"{a} has no twin {name!r}", among(name, loaded.twins, "it has"))
        changes = {path: str(value) for path, value in loaded.twins[name].items()}
        if "start.from" in changes:  # relative to the file that says so
            changes["start.from"] = str(a.parent / changes["start.from"])
    title = twin_title(loaded.scenario.name, changes, "" if overrides else name)
    # The title is quoted, since --set reads a value that starts with a bracket as YAML.
    named = {"name": json.dumps(title, ensure_ascii=False)} | changes
    other = read_source(a, [f"{path}={value}" for path, value in named.items()])
    for each in (loaded, other):
        warn(each)
    announce = Announcer()
    return run(loaded.scenario, announce), run(other.scenario, announce)


def plot(
    file: DataFile,
    output: Figure = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="overview, potentials, concentrations, fluxes, currents, iv, driving_forces or energy; "
            "for a sweep: heat, bands, verdicts or failures.",
        ),
    ] = None,
    quantity: Annotated[
        str, typer.Option("--quantity", help="Quantity in a sweep's figure, e.g. concentration.cell.k.")
    ] = "",
    axes: Annotated[
        list[str] | None, typer.Option("--axis", help="Swept key along an axis of a map; once or twice.")
    ] = None,
) -> None:
    """Draw a saved run or sweep."""
    from simulator.report.figures import batch_kinds, kinds, plot_batch, plot_trajectory, save
    from simulator.runs.batch import Batch
    from simulator.storage.store import read

    if kind is not None and kind not in (*kinds(), *batch_kinds()):
        raise UsageError(
            f"there is no figure of kind {kind!r}", among(kind, (*kinds(), *batch_kinds()), "the kinds are")
        )
    result = read(file)
    sweep = isinstance(result, Batch)
    chosen = kind or ("heat" if sweep else "overview")
    fitting = batch_kinds() if sweep else kinds()
    if chosen not in fitting:
        raise UsageError(
            f"there is no figure of kind {chosen!r} for this file", among(chosen, fitting, "its kinds are")
        )
    described = "_".join([file.name if file.is_dir() else file.stem, chosen, *([quantity] if quantity else [])])
    target = output or file.with_name(f"{described}.png")
    if isinstance(result, Batch):
        try:
            picture = plot_batch(result, chosen, quantity, axes or ())
        except ValueError as error:
            raise UsageError(str(error)) from error
    else:
        picture = plot_trajectory(result, chosen)
    save(picture, target)
    print(f"figure: {target}", file=sys.stderr)


def info(
    file: DataFile,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Add the sources and sinks of the run's free energy.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Describe a saved run, with Nernst, reversal and stall potentials of its last state, or a saved sweep."""
    from simulator.runs.batch import Batch
    from simulator.storage.store import read

    found = read(file)
    if isinstance(found, Batch):
        from simulator.report.batch import batch_info_text

        print(batch_info_text(found))
        return
    from simulator.report.records import info_record
    from simulator.report.text import info_text

    if as_json:
        print(json.dumps(info_record(found, str(file), ledger), indent=1, allow_nan=False))
    else:
        print(info_text(found, ledger))


def export(
    file: DataFile,
    to: Annotated[str, typer.Option("--to", help="csv, parquet or netcdf.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a saved run in another format.

    For a sweep, csv and parquet are a table of how its runs ended, and netcdf is all of its runs in one file.
    """
    from simulator.storage.export import to_csv, to_netcdf, to_parquet
    from simulator.storage.store import read

    writers = {"csv": (to_csv, ".csv"), "parquet": (to_parquet, ".parquet"), "netcdf": (to_netcdf, ".nc")}
    if to not in writers:
        raise UsageError(f"cannot export to {to!r}", among(to, writers, "the formats are"))
    write, suffix = writers[to]
    target = output or (file.with_name(file.name + suffix) if file.is_dir() else file.with_suffix(suffix))
    write(read(file), target, overwrite=overwrite)
    print(f"written: {target}", file=sys.stderr)
