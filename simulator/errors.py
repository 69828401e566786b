"""Errors that a user can mend, their exit codes, and how a message quotes what was given."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class IonfluxError(Exception):
    """Base of all expected errors."""

    exit_code = 1

    def records(self) -> list[dict[str, Any]]:
        """One dictionary per problem, ``text`` being the sentence a person reads."""
        return [{"text": str(self), "problem": str(self)}]


class Stopped(BaseException):
    """The user, or the system, wants the program to end; it leaves with that exit code and a last sentence."""

    def __init__(self, exit_code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class UsageError(IonfluxError):
    """A command that cannot be carried out as it was given."""

    exit_code = 2

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.problem, self.hint = problem, hint

    def records(self) -> list[dict[str, Any]]:
        """The one problem, with its hint."""
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

    exit_code = 2

    def __init__(self, key: str, problem: str, expected: str, hint: str = "") -> None:
        super().__init__(f"{key}: {problem}; expected {expected}" + (f"; {hint}" if hint else ""))
        self.key, self.problem, self.expected, self.hint = key, problem, expected, hint


def suggestion(given: str, known: Iterable[str]) -> str:
    """``did you mean ...?`` if something known is close, else an empty text."""
    close = difflib.get_close_matches(given[:100], list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def shown(value: object) -> str:
    """A value as an error message quotes it: on one line, short."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 40 else text[:37] + "..."


def kind_of(value: object) -> str:
    """What a value is, in a user's words."""
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
    return "something else"
