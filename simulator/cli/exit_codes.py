"""Exit codes of the command line, and the code for each kind of error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from simulator.errors import IonfluxError

OK = 0
BUG = 1  # internal error, never caused by the user
USAGE = 2  # a wrong command line or scenario
SOME_FAILED = 3  # finished, but some runs failed or nothing was found
STORAGE = 4
DATA_FILE = 5  # unreadable, incomplete or from another program
INTERRUPTED = 130
TERMINATED = 143

#: Exit code by the kind of an error, see :class:`simulator.errors.IonfluxError`.
OF_KIND = {"usage": USAGE, "nothing_found": SOME_FAILED, "storage": STORAGE, "data_file": DATA_FILE}


def after_error(error: IonfluxError) -> int:
    """Exit code of a command that an error ends."""
    return OF_KIND.get(error.kind, BUG)


def after_runs(records: Iterable[Mapping[str, Any]]) -> int:
    """Exit code of a command whose runs have ended, by the status of each, or the counts per status of each sweep."""
    for record in records:
        status = record["status"]
        if set(status if isinstance(status, dict) else [status]) - {"ok"}:
            return SOME_FAILED
    return OK
