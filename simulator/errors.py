"""Errors that a user can fix, their exit codes, and helpers that word messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: A name that a user gives: of a compartment, membrane, mechanism, species or law.
LABEL = re.compile(r"[a-z][a-z0-9_]{0,40}")
LABEL_IN_WORDS = "a lower-case letter, then lower-case letters, digits or _, at most 41 characters in all"


class IonfluxError(Exception):
    """Base of all expected errors."""

    kind = "bug"

    def __reduce__(self) -> tuple[Any, ...]:
        """Make every such error fit to pass between processes, whatever its constructor takes."""
        return _restored, (type(self), self.args), self.__dict__

    def records(self) -> list[dict[str, Any]]:
        """Return one dictionary per problem; its ``text`` is the full message."""
        return [{"text": str(self), "problem": str(self)}]


def _restored(kind: type[IonfluxError], arguments: tuple[Any, ...]) -> IonfluxError:
    error = kind.__new__(kind)
    error.args = arguments
    return error


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


@dataclass(frozen=True)
class Issue:
    """One problem at one place.

    Parameters
    ----------
    file : str
        File as the user named it, or ``--set``.
    line, column : int or None
        Position, counted from 1; None if there is none.
    key : str
        Dotted path of the value; may be empty.
    problem, expected, hint : str
        What is wrong, what was expected, and a suggestion; the last two may be empty.
    """

    file: str
    line: int | None
    column: int | None
    key: str
    problem: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part not in (None, ""))
        start = ": ".join(part for part in (place, self.key, self.problem) if part)
        wanted = f"expected {self.expected}" if self.expected else ""
        return "; ".join(part for part in (start, wanted, self.hint) if part)

    def record(self) -> dict[str, Any]:
        """Return the parts by name, and the full message as ``text``."""
        return {**asdict(self), "text": str(self)}


class FileError(IonfluxError):
    """A file of the user's that cannot be used.

    Parameters
    ----------
    issues : iterable of Issue
        All problems found, in order of position.
    """

    kind = "usage"

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))

    def records(self) -> list[dict[str, Any]]:
        """Return one dictionary per issue."""
        return [issue.record() for issue in self.issues]


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


def similar_file(given: str, names: Iterable[str]) -> str:
    """Hint that suggests the file with the closest name; a common suffix makes no two names alike."""
    alike = sorted(names, key=lambda name: difflib.SequenceMatcher(None, given[:100], name).ratio())
    by_stem = {name.rpartition(".")[0] or name: name for name in alike}
    return did_you_mean(by_stem.get(closest(given.rpartition(".")[0] or given, by_stem), ""))


def among(given: str, known: Iterable[str], listed: str) -> str:
    """Hint that suggests the closest known word and lists all: ``did you mean `heat`?; the kinds are heat, bands``."""
    words = list(known)
    return "; ".join(part for part in (suggestion(given, words), f"{listed} {', '.join(words)}") if part)


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


def one_line(error: BaseException) -> str:
    """Message of an error that another program's code raised, on one line."""
    return " ".join(str(error).split())[:160]


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
