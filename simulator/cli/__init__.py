"""Command line: data to stdout, everything else to stderr."""

from simulator.cli.app import main

__all__ = ["main"]
