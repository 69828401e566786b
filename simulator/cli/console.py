"""What is said on stderr while a command works, and the option that says everything as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simulator.scenario.yaml.reader import Loaded

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, errors included.")]


def warn(loaded: Loaded) -> None:
    """Warnings of a scenario, to stderr."""
    for issue in loaded.warnings:
        print(f"warning: {issue}", file=sys.stderr)


class Announcer:
    """Tells a person at a terminal what takes long, says nothing in a pipe, and remembers whether it was asked to."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, sentence: str) -> None:
        """Tell it."""
        self.asked = True
        if sys.stderr.isatty():
            print(sentence, file=sys.stderr, flush=True)
