"""Exit codes of the command line, and the code for each kind of error."""

from __future__ import annotations

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
