"""Complaints: what is wrong with a scenario, in words that help, and how pydantic carries them.

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
    """One thing wrong with a scenario.

    Parameters
    ----------
    location : tuple of (str or int)
        Where: the keys, and places in lists, that lead to it.
    problem, expected, hint : str
        What is wrong, what was expected, what may have been meant.
    unknown_key : bool
        Whether the key itself is what is wrong.
    """

    location: tuple[str | int, ...]
    problem: str
    expected: str = ""
    hint: str = ""
    unknown_key: bool = False

    @classmethod
    def of(cls, location: tuple[str | int, ...], context: Mapping[str, Any]) -> Complaint:
        """A complaint as pydantic carries it (see :func:`complaint_error`)."""
        return cls(
            location, context["problem"], context["expected"], context["hint"], context.get("unknown_key", False)
        )

    def __str__(self) -> str:
        wanted = f"expected {self.expected}" if self.expected else ""
        return "; ".join(part for part in (self.problem, wanted, self.hint) if part)


def complaint_error(problem: str, expected: str = "", hint: str = "", unknown_key: bool = False) -> PydanticCustomError:
    """A complaint as a pydantic validator raises it; pydantic adds the location."""
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
