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
    """Announces slow operations if stderr is a terminal; `asked` tells whether there was anything to announce."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, sentence: str) -> None:
        """Announce an operation."""
        self.asked = True
        if sys.stderr.isatty():
            print(sentence, file=sys.stderr, flush=True)
