"""Subcommands about rest points: ``balance``, ``control`` and ``continue``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import Announcer, Json, warn
from simulator.cli.exit_codes import OK, SOME_FAILED
from simulator.cli.rewriting import own_start, refuse_target, write_scenario
from simulator.cli.source import From, FromRun, Overrides, read_source, with_start
from simulator.errors import UsageError

Config = Annotated[Path, typer.Argument(help="Scenario (.yaml) or data file (.h5).", metavar="CONFIG")]


def balance(
    config: Config,
    free: Annotated[
        str,
        typer.Option(
            "--free", metavar="KEY,KEY,...", help="Numbers to find, by dotted path or its end: pump.max_rate."
        ),
    ],
    write: Annotated[
        Path | None, typer.Option("--write", metavar="OUT.yaml", help="Write the scenario with the values found.")
    ] = None,
    overrides: Overrides = None,
    start: From = None,
    start_run: FromRun = None,
    as_json: Json = False,
) -> int:
    """Find the leaks and pump rates that hold the given potential and concentrations at rest."""
    from simulator.report.balancing import balance_record, balance_text
    from simulator.verdict.balancing import NotBalanced
    from simulator.verdict.balancing import balance as find

    if write is not None:
        refuse_target(write, [config])
    overrides = with_start(overrides, start, start_run)
    loaded = read_source(config, overrides)
    warn(loaded)
    keys = [key.strip() for key in free.split(",") if key.strip()]
    problems: tuple[str, ...] = ()
    try:
        found = find(loaded.scenario, keys)
    except NotBalanced as none:
        found, problems = none.found, none.problems
    if as_json:
        print(json.dumps(balance_record(found, problems), indent=1, allow_nan=False))
    else:
        print(balance_text(found, held=not problems))
    for problem in problems:
        print(problem, file=sys.stderr)
    if write is not None and not problems:
        write_scenario(loaded, config, write, own_start(loaded.scenario) | found.values | found.starts)
    return SOME_FAILED if problems else OK


def control(
    config: Config,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Figure of the coefficients (.png, .pdf, .svg).")
    ] = None,
    overrides: Overrides = None,
    start: From = None,
    start_run: FromRun = None,
    as_json: Json = False,
) -> int:
    """Print how the rest point moves with each number of the mechanisms: control coefficients and sensitivities."""
    from simulator.report.control import control_record, control_text
    from simulator.verdict.control import control as find

    loaded = read_source(config, with_start(overrides, start, start_run))
    warn(loaded)
    found = find(loaded.scenario, Announcer())
    if as_json:
        print(json.dumps(control_record(found), indent=1, allow_nan=False))
    else:
        print(control_text(found))
    if output is not None:
        from simulator.report.figures import plot_control, save

        try:
            save(plot_control(found), output)
        except ValueError as error:
            raise UsageError(str(error)) from error
        print(f"figure: {output}", file=sys.stderr)
    return OK


def continue_(
    config: Config,
    over: Annotated[
        str, typer.Option("--over", metavar="KEY", help="The number, by dotted path or its end: pump.max_rate.")
    ],
    begin: Annotated[str, typer.Option("--from", metavar="A", help="One end of its range, with a unit.")],
    end: Annotated[str, typer.Option("--to", metavar="B", help="The other end, with a unit.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Data file (.h5) or figure (.png, .pdf, .svg)."),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing data file.")] = False,
) -> int:
    """Follow the rest points as one number changes: branches, folds, Hopf points, and where no rest is left."""
    from simulator.report.branches import branches_record, branches_text
    from simulator.storage.atomic import refuse_existing, refuse_homeless
    from simulator.storage.datafile import SUFFIXES
    from simulator.verdict.continuation import continuation

    if output is not None:
        refuse_homeless(output)
        refuse_existing(output, overwrite or output.suffix not in SUFFIXES)
        if output.suffix not in SUFFIXES:
            from simulator.report.figures import refuse_suffix

            refuse_suffix(output)
    loaded = read_source(config, overrides)
    warn(loaded)
    found = continuation(loaded.scenario, over, begin, end, Announcer())
    if as_json:
        print(json.dumps(branches_record(found), indent=1, allow_nan=False))
    else:
        print(branches_text(found, end))
    if output is not None and output.suffix in SUFFIXES:
        from simulator.storage.branches import write_branches

        print(f"written: {write_branches(found, output, overwrite)}", file=sys.stderr)
    elif output is not None:
        from simulator.report.figures import plot_branches, save

        save(plot_branches(found, end), output)
        print(f"figure: {output}", file=sys.stderr)
    return OK
