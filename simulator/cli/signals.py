"""Signal handling: the first signal stops the work in good order, a second one ends the process at once."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

from simulator.cli.exit_codes import INTERRUPTED, TERMINATED
from simulator.errors import Stopped

#: The stop that a signal has requested, if any.
_asked: list[Stopped] = []


def listen() -> None:
    """Turn SIGINT and SIGTERM into :class:`~simulator.errors.Stopped`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    sys.unraisablehook = _dropped


def stop_if_asked() -> None:
    """Raise the requested stop again.

    Python drops an exception that a signal handler raises while an object is being cleaned up, so long
    computations call this regularly.
    """
    if _asked:
        raise _asked[0]


def _dropped(what: sys.UnraisableHookArgs) -> None:
    """Do not report a stop that Python dropped: it is raised again soon."""
    if not isinstance(what.exc_value, Stopped):
        sys.__unraisablehook__(what)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # a second signal ends the process at once
    code, word = (INTERRUPTED, "interrupted") if number == signal.SIGINT else (TERMINATED, "terminated")
    _asked.append(Stopped(code, word, "run the same command to start again"))
    raise _asked[0]
