"""Description of a sweep: which values vary, how, and the number of runs.

:mod:`simulator.runs.design` turns it into the values of each run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.errors import kind_of
from simulator.scenario.columns import Column
from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.quantity import Quantity
from simulator.scenario.records import Frozen, Record

__all__ = ["RANDOM_MODES", "Axis", "Sweep"]

#: Modes that draw `n` runs; the others enumerate the given values.
RANDOM_MODES = ("random", "lhs", "sobol")

#: Default limit on the number of runs of a sweep.
DEFAULT_LIMIT = 10_000_000

#: Forms of an axis, with the number of values each takes (None: any).
FORMS = {"values": None, "linspace": 2, "logspace": 2, "range": 3, "uniform": 2, "loguniform": 2, "normal": 2}
SPACED = ("linspace", "logspace")
DISTRIBUTIONS = ("uniform", "loguniform", "normal")

Count = Annotated[int, Quantity("1", 1, 10**15, whole=True)]
Numbers = tuple[Any, ...]


def _whole(number: float | None) -> int:
    """Return a count as an integer; 0 if it is missing or unreadable."""
    return int(number) if number is not None and math.isfinite(number) else 0


class Axis(Record):
    """Values of one key: listed, spaced or drawn. A plain list means `values`."""

    values: Numbers | None = Field(None, description="the values themselves", strict=False)
    linspace: Numbers | None = Field(None, description="first and last of n evenly spaced values", strict=False)
    logspace: Numbers | None = Field(None, description="first and last of n values in equal ratios", strict=False)
    range: Numbers | None = Field(None, description="first value, last value, step", strict=False)
    uniform: Numbers | None = Field(None, description="lowest and highest of values drawn evenly", strict=False)
    loguniform: Numbers | None = Field(None, description="lowest and highest, logarithm drawn evenly", strict=False)
    normal: Numbers | None = Field(
        None, description="mean and standard deviation, truncated at the bounds of the key", strict=False
    )
    n: Count | None = Field(None, description="number of values of linspace or logspace")
    with_: Annotated[dict[str, Axis], Frozen] | None = Field(
        None,
        alias="with",
        description="axes of other keys that go along: as many values, or drawn at the same quantile",
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_list(cls, data: Any) -> Any:
        if isinstance(data, str | int | float):
            refuse("Axis", [Complaint((), f"this is {kind_of(data)}", "several values, e.g. [1 mM, 5 mM]")])
        return {"values": data} if isinstance(data, list | tuple) else data

    @property
    def form(self) -> str:
        """Which of :data:`FORMS` is given; empty unless it is exactly one."""
        given = [form for form in FORMS if getattr(self, form) is not None]
        return given[0] if len(given) == 1 else ""

    @property
    def numbers(self) -> Numbers:
        """Values given for that form."""
        return tuple(getattr(self, self.form)) if self.form else ()

    def count(self) -> int:
        """Number of values of an axis that is not drawn from a distribution."""
        if self.form == "range":
            first, last, step = self.numbers
            if not math.isfinite((last - first) / step):  # unreadable, already reported
                return 0
            return math.floor((last - first) / step * (1.0 + 1.0e-12) + 1.0e-12) + 1
        return len(self.numbers) if self.form == "values" else _whole(self.n)

    def coupled(self) -> dict[str, Axis]:
        """Axes that go along with this one by dotted path, each with the same number of values."""
        n = self.count() if self.with_ else 0
        own = (self.with_ or {}).items()
        return {key: axis.model_copy(update={"n": n}) if axis.form in SPACED else axis for key, axis in own}


class Sweep(Record):
    """Many runs of one scenario, each with its own values."""

    mode: Literal["grid", "zip", "list", "random", "lhs", "sobol", "product", "table"] = Field(
        description="how values combine: all combinations, side by side, as listed, drawn, all combinations of parts, "
        "as in a table"
    )
    over: Annotated[dict[str, Axis], Frozen] = Field(
        default_factory=dict, description="axis by dotted path", validate_default=True
    )
    n: Count | None = Field(None, description="number of runs of random, lhs and sobol")
    seed: Annotated[int, Quantity("1", 0, 2**63 - 1, whole=True)] = Field(
        0, description="seed of random, lhs and sobol"
    )
    runs: tuple[Annotated[dict[str, Any], Frozen], ...] = Field(
        (), description="values of each run by dotted path, for list", strict=False
    )
    parts: tuple[Sweep, ...] = Field((), description="sweeps that a product combines", strict=False)
    file: str | None = Field(
        None,
        description="CSV file of a table: a column for each dotted path with its unit in the head, a line per run",
    )
    columns: Annotated[dict[str, Column], Frozen] | None = Field(
        None, description="values of each run by dotted path, for table; a file is read into them"
    )
    limit: Count = Field(DEFAULT_LIMIT, description="largest number of runs; guards against mistakes")

    def swept(self) -> tuple[str, ...]:
        """Dotted paths that vary, in order of appearance."""
        along = (key for leader, axis in self.over.items() for key in (leader, *(axis.with_ or ())))
        own = [*along, *(key for run in self.runs for key in run), *(self.columns or ())]
        return tuple(dict.fromkeys([*own, *(key for part in self.parts for key in part.swept())]))

    def leaders(self) -> dict[str, str]:
        """Each key that goes along with another one, and that one; together they are one axis."""
        own = {key: leader for leader, axis in self.over.items() for key in axis.with_ or ()}
        for part in self.parts:
            own |= part.leaders()
        return own

    def counts(self) -> Mapping[str, int]:
        """Number of values of each axis, by the key that leads it."""
        return {name: number for name, (number, _) in self.axes().items()}

    def axes(self) -> Mapping[str, tuple[int, tuple[str, ...]]]:
        """Number of values of each axis and the keys that vary along it, by the key that leads it; the last is fastest.

        A part that draws or lists its runs is one axis.
        """
        if self.mode == "product":
            found: dict[str, tuple[int, tuple[str, ...]]] = {}
            for i, part in enumerate(self.parts):
                whole = {f"parts.{i} ({part.mode})": (part.total(), part.swept())}
                found |= part.axes() if part.mode == "grid" else whole
            return found
        if self.mode == "grid":
            return {key: (axis.count(), (key, *(axis.with_ or ()))) for key, axis in self.over.items()}
        return {self.mode: (self.total(), self.swept())}

    def total(self) -> int:
        """Number of runs."""
        match self.mode:
            case "grid":
                return math.prod(axis.count() for axis in self.over.values())
            case "product":
                return math.prod(part.total() for part in self.parts)
            case "random" | "lhs" | "sobol":
                return _whole(self.n)
            case "table":
                return min(map(len, (self.columns or {}).values()), default=0)
        lengths = [axis.count() for axis in self.over.values()]
        return len(self.runs) or (min(lengths) if lengths else 0)

    def known_by_digest(self) -> Sweep:
        """The same sweep with the digests of the columns of its tables instead of their numbers."""
        return self.with_columns(lambda column: column.known_by_digest())

    def with_columns(self, other: Callable[[Column], Column]) -> Sweep:
        """The same sweep with other columns in its tables, in its parts too."""
        own = self.columns
        columns = None if own is None else type(own)({key: other(column) for key, column in own.items()})
        parts = tuple(part.with_columns(other) for part in self.parts)
        return self.model_copy(update={"columns": columns, "parts": parts})

    def leaves_of_parts(self) -> Iterator[Sweep]:
        """The sweeps that are not products, in order."""
        if self.mode == "product":
            for part in self.parts:
                yield from part.leaves_of_parts()
        else:
            yield self
