"""The contents of a data file: named variables over named dimensions, texts, and short facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FORMAT = "ionflux run"
FORMAT_VERSION = 1


class LayoutError(ValueError):
    """Contents that are not those of a run; gives the name of the item and the problem."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name, self.problem = name, problem


@dataclass(frozen=True)
class Variable:
    """Numbers or labels over named dimensions; a coordinate if its only dimension has the same name."""

    values: np.ndarray | tuple[str, ...]
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Contents:
    """Everything a data file holds: variables, longer texts, short facts on its provenance, more attributes."""

    title: str
    variables: Mapping[str, Variable]
    texts: Mapping[str, str]
    facts: Mapping[str, str]
    heading: Mapping[str, str] = field(default_factory=dict)


def numbers(found: Contents, name: str) -> np.ndarray:
    """Return the numbers of a variable; raise :class:`LayoutError` if it is missing or has none."""
    variable = found.variables.get(name)
    if variable is None:
        raise LayoutError(name, "is missing")
    if isinstance(variable.values, tuple) or not variable.values.size:
        raise LayoutError(name, "has no numbers")
    return variable.values
