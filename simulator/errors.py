"""Errors that are the user's to mend, with the exit code each leaves the program with."""

from __future__ import annotations

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
