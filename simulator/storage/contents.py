"""What any data file of ours holds: named variables over named dimensions, texts, and short facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FORMAT = "ionflux run"
FORMAT_VERSION = 1


class LayoutError(ValueError):
    """Contents that are not those of a run: where, and why."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name, self.problem = name, problem


@dataclass(frozen=True)
class Variable:
    """Numbers or labels over dimensions; a coordinate if its one dimension has its own name."""

    values: np.ndarray | tuple[str, ...]
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Contents:
    """All that a file holds: variables, longer texts, short facts about where it comes from, and conventions."""

    title: str
    variables: Mapping[str, Variable]
    texts: Mapping[str, str]
    facts: Mapping[str, str]
    heading: Mapping[str, str] = field(default_factory=dict)


def numbers(found: Contents, name: str) -> np.ndarray:
    """The numbers of a variable, of which there must be some."""
    variable = found.variables.get(name)
    if variable is None:
        raise LayoutError(name, "is missing")
    if isinstance(variable.values, tuple) or not variable.values.size:
        raise LayoutError(name, "has no numbers")
    return variable.values
