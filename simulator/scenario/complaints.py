"""Complaints: what is wrong with a scenario, in words that help, and how pydantic carries them.

:mod:`simulator.scenario.yaml.reader` adds file, line and column.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Never

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

__all__ = ["Complaint", "complaint_error", "kind_of", "refuse", "shown", "suggestion"]


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
