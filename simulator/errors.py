"""Errors that a user can fix, their exit codes, and helpers that word messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class IonfluxError(Exception):
    """Base of all expected errors."""

    kind = "bug"

    def records(self) -> list[dict[str, Any]]:
        """Return one dictionary per problem; its ``text`` is the full message."""
        return [{"text": str(self), "problem": str(self)}]


class Stopped(BaseException):
    """Raised on SIGINT or SIGTERM.

    Parameters
    ----------
    exit_code : int
        Exit code of the process.
    reason : str
        Name of the signal.
    what_next : str
        What is kept, and how to continue.
    """

    def __init__(self, exit_code: int, reason: str, what_next: str) -> None:
        super().__init__(f"{reason}; {what_next}")
        self.exit_code, self.reason = exit_code, reason


class UsageError(IonfluxError):
    """A command that cannot be carried out as given."""

    kind = "usage"

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.problem, self.hint = problem, hint

    def records(self) -> list[dict[str, Any]]:
        """Return the one problem with its hint."""
        return [{"text": str(self), "problem": self.problem, "hint": self.hint}]


class ModelError(IonfluxError):
    """A scenario whose numbers contradict each other.

    Attributes
    ----------
    key : str
        Dotted path of the value to change.
    problem, expected, hint : str
        The parts of the message.
    """

    kind = "usage"

    def __init__(self, key: str, problem: str, expected: str, hint: str = "") -> None:
        super().__init__(f"{key}: {problem}; expected {expected}" + (f"; {hint}" if hint else ""))
        self.key, self.problem, self.expected, self.hint = key, problem, expected, hint


def closest(given: str, known: Iterable[str]) -> str:
    """Return the known word closest to the given one; empty if none is close."""
    close = difflib.get_close_matches(given[:100], list(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def did_you_mean(word: str) -> str:
    """Hint that suggests a word; empty without one."""
    return f"did you mean `{word}`?" if word else ""


def suggestion(given: str, known: Iterable[str]) -> str:
    """Hint that suggests the closest known word; empty if none is close."""
    return did_you_mean(closest(given, known))


#: Words for random numbers, which somebody may look for in a rate, a stimulus or a scenario.
NOISE = frozenset({"rand", "randn", "random", "noise", "normal", "gauss", "gaussian", "white_noise", "wiener"})


def not_offered(word: str) -> tuple[str, str]:
    """Why something is left out on purpose, and what to do instead; both empty for any other word."""
    if word.lower() not in NOISE:
        return "", ""
    reason = "noise is not offered, because runs must repeat bit for bit and an adaptive step needs smooth rates"
    return (
        reason,
        "sweep a parameter over random values (`normal`, `uniform`), or give irregular pulses in the protocol",
    )


def shown(value: object) -> str:
    """Value as quoted in error messages: short, printable, on one line."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 40 else text[:37] + "..."


def kind_of(value: object) -> str:
    """Describe the type of a value in a user's words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number `{value:.15g}`" if abs(value) < 1e300 else "a huge number"
        case str():
            return f"the text `{shown(value)}`"
        case Mapping():
            return "a block of keys"
        case list() | tuple():
            return "a list"
    return "a value of an unsupported type"
