"""The last states of the runs of a batch; an analysis of them computes the same as of the end of each run alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from simulator.runs.batch import Batch
from simulator.trajectory.arrangement import ARRANGED
from simulator.trajectory.states import States, parameters_in_force

__all__ = ["LastStates"]


@dataclass(frozen=True, repr=False)
class LastStates(States):
    """The last saved states of many runs, one in each row; NaN where a run failed.

    Parameters
    ----------
    swept : mapping of str to ndarray
        Values [SI] in which the runs differ, by dotted path, shape (runs,) each.
    """

    swept: Mapping[str, np.ndarray]

    axis: ClassVar[str] = "run"

    @classmethod
    def of(cls, batch: Batch, last: Mapping[str, np.ndarray] | None = None) -> LastStates:
        """The last states of a batch; `last` has its quantities at the ends by name, if they have been read already."""
        arrays: dict[str, Any] = {name: batch.last(name) if last is None else last[name] for name in ARRANGED}
        found = cls(batch.scenario, batch.last_time, **arrays, swept=dict(batch.coordinates))
        vars(found)["model"] = batch.model
        return found

    def part(self, rows: slice) -> LastStates:
        """Some of the runs."""
        arrays: dict[str, Any] = {name: values[rows] for name, values in self._arrays.items()}
        swept = {key: values[rows] for key, values in self.swept.items()}
        found = replace(self, time=self.time[rows], **arrays, swept=swept)
        vars(found)["model"] = self.model
        return found

    @cached_property
    def values(self) -> Mapping[str, np.ndarray]:
        """Numbers of the scenario by dotted path [SI], of shape (runs,) where the runs differ, otherwise (1,)."""
        return {key: np.array([value]) for key, value in self.model.values.items()} | dict(self.swept)

    @cached_property
    def parameters(self) -> np.ndarray:
        """Parameter vector in force up to each state, shape (runs, parameters)."""
        return parameters_in_force(self.model, self.values, self.time[:, None])[:, 0]
