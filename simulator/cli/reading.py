"""Verbs that start from saved runs: ``compare``, ``plot``, ``info``, ``export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.errors import UsageError

DataFile = Annotated[Path, typer.Argument(help="Data file (.h5) of a run.", metavar="FILE")]
Figure = Annotated[Path | None, typer.Option("-o", "--output", help="Figure: .png, .pdf or .svg.")]


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Data file of a run.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Data file of another run.")],
    output: Figure = None,
) -> None:
    """Hold two saved runs side by side: verdicts, potentials, one-way fluxes, ATP, dissipation."""
    from simulator.comparison import compare as hold
    from simulator.report import comparison_text
    from simulator.storage import read

    comparison = hold(read(a), read(b))
    print(comparison_text(comparison))
    if output is not None:
        from simulator.plotting import plot_comparison, save

        save(plot_comparison(comparison), output)
        print(f"figure: {output}", file=sys.stderr)


def plot(
    file: DataFile,
    output: Figure = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", help="overview, potentials, concentrations, fluxes, currents, iv, driving_forces or energy."
        ),
    ] = "overview",
) -> None:
    """Draw a saved run."""
    from simulator.plotting import kinds, plot_trajectory, save
    from simulator.storage import read

    if kind not in kinds():
        raise UsageError(f"there is no figure of kind {kind!r}", f"kinds: {', '.join(kinds())}")
    target = output or file.with_name(f"{file.stem}_{kind}.png")
    save(plot_trajectory(read(file), kind), target)
    print(f"figure: {target}", file=sys.stderr)


def info(file: DataFile) -> None:
    """Say what is in a data file, with Nernst, reversal and stall potentials of its last state."""
    from simulator.report import info_text
    from simulator.storage import read

    print(info_text(read(file)))


def export(
    file: DataFile,
    to: Annotated[str, typer.Option("--to", help="csv or netcdf.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a saved run in another format."""
    from simulator.export import to_csv, to_netcdf
    from simulator.storage import read

    writers = {"csv": (to_csv, ".csv"), "netcdf": (to_netcdf, ".nc")}
    if to not in writers:
        raise UsageError(f"cannot export to {to!r}", f"formats: {', '.join(writers)}")
    write, suffix = writers[to]
    target = output or file.with_suffix(suffix)
    write(read(file), target, overwrite=overwrite)
    print(f"written: {target}", file=sys.stderr)
