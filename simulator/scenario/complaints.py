"""Complaints: the problems of a scenario in plain words, and their form as pydantic errors.

:mod:`simulator.scenario.yaml.reader` adds file, line and column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Never

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

__all__ = ["Complaint", "complaint_error", "refuse"]


@dataclass(frozen=True)
class Complaint:
    """One problem of a scenario.

    Parameters
    ----------
    location : tuple of (str or int)
        Keys and list indices that lead to the value.
    problem, expected, hint : str
        What is wrong, what was expected, and a suggestion.
    unknown_key : bool
        Whether the problem is an unknown key.
    """

    location: tuple[str | int, ...]
    problem: str
    expected: str = ""
    hint: str = ""
    unknown_key: bool = False

    @classmethod
    def of(cls, location: tuple[str | int, ...], context: Mapping[str, Any]) -> Complaint:
        """Build a complaint from the context of a pydantic error (see :func:`complaint_error`)."""
        return cls(
            location, context["problem"], context["expected"], context["hint"], context.get("unknown_key", False)
        )

    def __str__(self) -> str:
        wanted = f"expected {self.expected}" if self.expected else ""
        return "; ".join(part for part in (self.problem, wanted, self.hint) if part)


def complaint_error(problem: str, expected: str = "", hint: str = "", unknown_key: bool = False) -> PydanticCustomError:
    """Return a complaint as an error for a pydantic validator to raise; pydantic adds the location."""
    context = {"problem": problem, "expected": expected, "hint": hint, "unknown_key": unknown_key}
    text = str(Complaint((), problem, expected, hint))
    return PydanticCustomError("complaint", "{text}", {**context, "text": text})


def refuse(title: str, complaints: Iterable[Complaint]) -> Never:
    """Raise all complaints as one pydantic ``ValidationError``."""
    lines = [
        InitErrorDetails(type=complaint_error(c.problem, c.expected, c.hint, c.unknown_key), loc=c.location, input=None)
        for c in complaints
    ]
    raise ValidationError.from_exception_data(title, lines)
