"""Messages on stderr while a command runs, and the option ``--json``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simulator.scenario.yaml.reader import Loaded

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, errors included.")]


def warn(loaded: Loaded) -> None:
    """Print the warnings of a scenario to stderr."""
    for issue in loaded.warnings:
        print(f"warning: {issue}", file=sys.stderr)


class Announcer:
    """Announces slow operations on stderr; `asked` tells whether there was anything to announce.

    Parameters
    ----------
    in_logs : bool
        Whether to announce also where stderr is no terminal.
    """

    def __init__(self, in_logs: bool = False) -> None:
        self.asked, self.in_logs = False, in_logs

    def __call__(self, sentence: str) -> None:
        """Announce an operation."""
        self.asked = True
        if self.in_logs or sys.stderr.isatty():
            print(sentence, file=sys.stderr, flush=True)
