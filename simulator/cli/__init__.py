"""Command line: data to stdout, everything else to stderr; exit codes as below.

0 ok; 1 internal bug; 2 usage or configuration; 3 finished, but some runs failed or nothing was found;
4 storage; 5 unreadable data file; 130 interrupted; 143 terminated.
"""

from simulator.cli.app import main

__all__ = ["main"]
