"""The command ``ionflux``: its subcommands, and the messages and exit codes of errors."""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from simulator.cli import exit_codes, gathering, library, reading, resting, running, signals
from simulator.errors import IonfluxError, Stopped, UsageError

#: Options of every command, taken from the command line wherever they stand.
EVERYWHERE = (
    "Every command takes --laws FILE.py (repeatable): laws of your own, each under its file's name. "
    "--debug: print where an error comes from."
)

app = typer.Typer(
    name="ionflux",
    help="Simulate the ion fluxes of cells, and tell a dynamic equilibrium from a steady state that looks like one.",
    epilog=EVERYWHERE,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    running.run,
    running.steady,
    resting.balance,
    resting.control,
    resting.continue_,
    running.validate,
    gathering.submit,
    gathering.status,
    gathering.merge,
    reading.compare,
    reading.plot,
    reading.info,
    reading.export,
    library.equations,
    library.kernel,
    library.mechanisms,
    library.examples,
    library.verify,
    library.schema,
    library.doctor,
)


def _version(asked: bool) -> None:
    """Print the version and end the command."""
    if asked:
        from simulator.trajectory.provenance import own_version

        print(f"ionflux {own_version()}")
        raise typer.Exit


for command in COMMANDS:
    app.command(command.__name__.rstrip("_"), epilog=EVERYWHERE)(command)


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a subcommand."""


#: What libraries read when they are imported. NumPy would start threads for large matrices, of which there are none,
#: and pydantic would look for plugins in every installed package: together a sixth of a short run.
SETTINGS = {"OPENBLAS_NUM_THREADS": "1", "PYDANTIC_DISABLE_PLUGINS": "__all__"}

#: Objects allocated between two garbage collections.
OBJECTS_BETWEEN_COLLECTIONS = 200_000


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit the process with its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"] or ["--help"]
    # Imports create many objects and no garbage; collecting at the default rate takes a sixth of a short run.
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    # At its end the interpreter looks for garbage once more, which takes another tenth; memory is given back anyway.
    atexit.register(gc.freeze)
    signals.listen()
    warnings.showwarning = _warn
    sys.exit(_run(arguments, as_json="--json" in arguments, debug=debug))


def _with_laws(arguments: list[str]) -> list[str]:
    """Load the laws that ``--laws`` names, wherever it stands; return the other arguments."""
    rest: list[str] = []
    named: dict[str, str] = {}
    left = iter(arguments)
    for argument in left:
        option, equals, file = argument.partition("=")
        if argument == "--":
            return [*rest, argument, *left]
        if option != "--laws":
            rest.append(argument)
            continue
        file = file if equals else next(left, "")
        if not file:
            raise UsageError("--laws names no file", "for example --laws kcc.py")
        from simulator.kernel.laws import add_laws

        [name] = add_laws(file)
        if named.setdefault(name, file) != file:
            raise UsageError(f"{named[name]} and {file} are both a law `{name}`", "rename one of the files")
    return rest


def _run(arguments: list[str], as_json: bool, debug: bool) -> int:
    try:
        code = app(_with_laws(arguments), standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except IonfluxError as error:
        if debug:
            traceback.print_exc()
        _complain(as_json, error.records())
        return exit_codes.after_error(error)
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # the reader has closed the pipe; click makes an exit of it
        sys.stderr.close()
        return 0
    except Exception as error:
        usage = getattr(error, "format_message", None)  # what typer raises for a wrong command line
        if usage is not None:
            _complain(as_json, [{"problem": usage(), "hint": "ionflux --help lists the commands"}])
            return exit_codes.USAGE
        if debug:
            traceback.print_exc()
        problem = f"internal error: {type(error).__name__}: {error}"
        hint = "this is a bug in ionflux; run again with --debug and report what it prints, with the scenario"
        _complain(as_json, [{"problem": problem, "hint": hint}])
        return exit_codes.BUG


def _complain(as_json: bool, records: list[dict[str, Any]]) -> None:
    """Report errors: one sentence each on stderr, or one JSON document on stdout."""
    if as_json:
        print(json.dumps({"errors": records, "warnings": []}, indent=1))
        return
    for record in records:
        print(record.get("text") or "; ".join(str(v) for v in record.values() if v), file=sys.stderr)


def _warn(message: Warning | str, *_where: Any, **_more: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
