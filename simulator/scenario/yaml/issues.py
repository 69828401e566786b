"""Issues: the problems of a scenario file, with their places and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from simulator.errors import IonfluxError

__all__ = ["ConfigError", "Issue"]


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


class ConfigError(IonfluxError):
    """A scenario that cannot be used.

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
