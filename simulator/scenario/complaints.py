"""Complaints: what is wrong with a scenario, in words that help, and how pydantic carries them.

:mod:`simulator.scenario.yaml.reader` adds file, line and column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Never

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

__all__ = ["Complaint", "complaint_error", "refuse"]


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with a scenario: where, what, what was expected, what may have been meant."""

    location: tuple[str | int, ...]
    problem: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        wanted = f"expected {self.expected}" if self.expected else ""
        return "; ".join(part for part in (self.problem, wanted, self.hint) if part)


def complaint_error(problem: str, expected: str = "", hint: str = "") -> PydanticCustomError:
    """A complaint as a pydantic validator raises it; pydantic adds the location."""
    context = {"problem": problem, "expected": expected, "hint": hint}
    text = str(Complaint((), problem, expected, hint))
    return PydanticCustomError("complaint", "{text}", {**context, "text": text})


def refuse(title: str, complaints: Iterable[Complaint]) -> Never:
    """Raise all complaints as one pydantic ``ValidationError``."""
    lines = [
        InitErrorDetails(type=complaint_error(c.problem, c.expected, c.hint), loc=c.location, input=None)
        for c in complaints
    ]
    raise ValidationError.from_exception_data(title, lines)
