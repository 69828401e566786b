"""Scenario: the validated, immutable description of one simulation, in SI.

:class:`Scenario` is the single source of the JSON Schema, of the defaults and of the dotted paths that
name a value everywhere (``--set``, ``protocol``, ``sweep``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo, model_validator

from simulator.errors import UsageError
from simulator.scenario.checks import consistency, start
from simulator.scenario.checks.measures import settled_measures
from simulator.scenario.checks.protocol import settled_protocol
from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.draft import Draft
from simulator.scenario.start import Ended

__all__ = ["Scenario", "differences"]


class Scenario(Draft):
    """One simulation. Numbers are SI; text may carry any unit of the right dimension."""

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        complaints = [*consistency.complaints(self), *start.complaints(self)]
        protocol, more = settled_protocol(self, text=bool(info.context and info.context.get("text")))
        measures, wrong = settled_measures(self, text=bool(info.context and info.context.get("text")))
        found = [*complaints, *more, *wrong]
        object.__setattr__(self, "protocol", protocol)
        object.__setattr__(self, "measure", type(self.measure)(measures))
        if self.sweep is not None:
            from simulator.scenario.checks.sweep import settled_sweep  # not needed for a single run

            sweep, wrong = settled_sweep(self, text=bool(info.context and info.context.get("text")))
            found += wrong
            object.__setattr__(self, "sweep", sweep)
            self.__dict__.pop("_leaves", None)  # the cached leaves hold the values as text
        if info.context is not None and "collected" in info.context:
            info.context["collected"] += found
        elif found:
            refuse("Scenario", found)
        return self

    def starting_from(self, end: Ended) -> Self:
        """Return the same scenario, beginning with the last saved state of a run.

        Parameters
        ----------
        end : Trajectory
            The run; of a batch, ``batch.trajectory(run)``.

        Raises
        ------
        UsageError
            If that run failed, or its state is not one of this scenario.
        """
        data = self.resolved() | {"start": end.as_start()}
        try:
            return type(self).model_validate(data)
        except ValidationError as error:
            raise UsageError("\n".join(each["msg"] for each in error.errors(include_url=False))) from None

    def with_values(self, values: Mapping[str, float]) -> Self:
        """Return the same scenario with new numbers.

        Parameters
        ----------
        values : mapping of str to float
            Numbers by dotted path, SI, of the kind that the scenario gives (per area, for the whole cell, a ratio).
        """
        data: Any = self.resolved()
        for path, value in values.items():
            leaf = self.leaves().get(path)
            *above, last = leaf.path if leaf is not None else path.split(".")
            place = data
            for name in above:
                place = place[int(name) if isinstance(place, list) else name]
            of = leaf.quantity if leaf is not None else None
            if of is not None and isinstance(place[last], str):  # its unit tells its kind
                place[last] = repr(float(value)) if of.unit == "1" else f"{float(value)!r} {of.unit}"
            else:
                place[last] = int(value) if of is not None and of.whole else float(value)
        return type(self).model_validate(data)

    @cached_property
    def warnings(self) -> tuple[Complaint, ...]:
        """Complaints about what is allowed but probably unintended."""
        return tuple(consistency.warnings(self))


def differences(a: Scenario, b: Scenario) -> list[tuple[str, str, str]]:
    """Return the values in which two scenarios differ: ``(path, in a, in b)`` as text, ``-`` if missing."""
    first, second = a.leaves(), b.leaves()
    found = []
    for path in [*first, *(path for path in second if path not in first)]:
        here, there = first.get(path), second.get(path)
        if here is None or there is None or here.value != there.value or a.unit_of(path) != b.unit_of(path):
            texts = tuple("-" if leaf is None else leaf.text() for leaf in (here, there))
            if texts[0] == texts[1]:  # they differ beyond the digits shown
                texts = tuple("-" if leaf is None else repr(leaf.value) for leaf in (here, there))
            found.append((path, texts[0], texts[1]))
    return found
