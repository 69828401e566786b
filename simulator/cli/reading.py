"""Verbs that start from saved runs: ``compare``, ``plot``, ``info``, ``export``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.errors import UsageError

DataFile = Annotated[Path, typer.Argument(help="Data file (.h5) of a run, or directory of a sweep.", metavar="FILE")]
Figure = Annotated[Path | None, typer.Option("-o", "--output", help="Figure: .png, .pdf or .svg.")]


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Data file of a run, or directory of a sweep.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one of the same kind.")],
    output: Figure = None,
) -> None:
    """Hold two saved runs side by side: verdicts, potentials, one-way fluxes, ATP, dissipation; or two sweeps."""
    from simulator.batch import Batch
    from simulator.comparison import compare as hold
    from simulator.report import comparison_text
    from simulator.storage import read

    one, other = read(a), read(b)
    if isinstance(one, Batch) and isinstance(other, Batch):
        from simulator.batch_report import batch_comparison_text

        print(batch_comparison_text(one, other))
        if output is not None:
            from simulator.plotting import plot_batches, save

            save(plot_batches(one, other), output)
            print(f"figure: {output}", file=sys.stderr)
        return
    if isinstance(one, Batch) or isinstance(other, Batch):
        raise UsageError("a run cannot be compared with a sweep", "give two files, or two directories")
    comparison = hold(one, other)
    print(comparison_text(comparison))
    if output is not None:
        from simulator.plotting import plot_comparison, save

        save(plot_comparison(comparison), output)
        print(f"figure: {output}", file=sys.stderr)


def plot(
    file: DataFile,
    output: Figure = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="overview, potentials, concentrations, fluxes, currents, iv, driving_forces or energy; "
            "of a sweep heat, bands, verdicts or failures.",
        ),
    ] = None,
    quantity: Annotated[
        str, typer.Option("--quantity", help="What a sweep's figure shows, e.g. concentration.cell.k.")
    ] = "",
    axes: Annotated[
        list[str] | None, typer.Option("--axis", help="Swept key along an axis of a map; once or twice.")
    ] = None,
) -> None:
    """Draw a saved run or sweep."""
    from simulator.batch import Batch
    from simulator.plotting import batch_kinds, kinds, plot_batch, plot_trajectory, save
    from simulator.storage import read

    if kind is not None and kind not in (*kinds(), *batch_kinds()):
        every = f"{', '.join(kinds())}; of sweeps {', '.join(batch_kinds())}"
        raise UsageError(f"there is no figure of kind {kind!r}", f"kinds: {every}")
    result = read(file)
    sweep = isinstance(result, Batch)
    chosen = kind or ("heat" if sweep else "overview")
    fitting = batch_kinds() if sweep else kinds()
    if chosen not in fitting:
        raise UsageError(f"there is no figure of kind {chosen!r} of this file", f"kinds: {', '.join(fitting)}")
    target = output or file.with_name(f"{file.name if file.is_dir() else file.stem}_{chosen}.png")
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
        bool, typer.Option("--ledger", help="Add where the run's free energy came from and went to.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, errors included.")] = False,
) -> None:
    """Say what is in a data file, with Nernst, reversal and stall potentials of its last state; or in a sweep."""
    from simulator.batch import Batch
    from simulator.storage import read

    found = read(file)
    if isinstance(found, Batch):
        from simulator.batch_report import batch_info_text

        print(batch_info_text(found))
        return
    from simulator.report import info_record, info_text

    if as_json:
        print(json.dumps(info_record(found, str(file), ledger), indent=1, allow_nan=False))
    else:
        print(info_text(found, ledger))


def export(
    file: DataFile,
    to: Annotated[str, typer.Option("--to", help="csv or netcdf.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a saved run in another format; of a sweep, a table of how its runs ended, or all of it in one file."""
    from simulator.export import to_csv, to_netcdf
    from simulator.storage import read

    writers = {"csv": (to_csv, ".csv"), "netcdf": (to_netcdf, ".nc")}
    if to not in writers:
        raise UsageError(f"cannot export to {to!r}", f"formats: {', '.join(writers)}")
    write, suffix = writers[to]
    target = output or (file.with_name(file.name + suffix) if file.is_dir() else file.with_suffix(suffix))
    write(read(file), target, overwrite=overwrite)
    print(f"written: {target}", file=sys.stderr)
