"""Stopping when told: the first signal ends the work in good order, a second one at once."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

from simulator.cli.exit_codes import INTERRUPTED, TERMINATED
from simulator.errors import Stopped

#: The stop that a signal has asked for.
_asked: list[Stopped] = []


def listen() -> None:
    """Turn interrupts and termination into :class:`~simulator.errors.Stopped`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    sys.unraisablehook = _dropped


def stop_if_asked() -> None:
    """Raise again what a signal asked for.

    Python drops an exception that a signal raises while some object is being cleaned up; whoever works for
    long asks here now and then.
    """
    if _asked:
        raise _asked[0]


def _dropped(what: sys.UnraisableHookArgs) -> None:
    """Say nothing of a stop that Python dropped: it is raised again soon."""
    if not isinstance(what.exc_value, Stopped):
        sys.__unraisablehook__(what)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # a second one stops at once
    code, word = (INTERRUPTED, "interrupted") if number == signal.SIGINT else (TERMINATED, "terminated")
    _asked.append(Stopped(code, word, "the same command starts again"))
    raise _asked[0]
