"""The result of a run: times, states, and everything needed to recompute the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from simulator.errors import UsageError
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.trajectory.arrangement import arranged
from simulator.trajectory.labelled import dataset
from simulator.trajectory.states import States, parameters_in_force


@dataclass(frozen=True, repr=False)
class Trajectory(States):
    """The result of one run: saved states with their times, and how it ended.

    Parameters
    ----------
    scenario : Scenario
        What was run.
    time : ndarray, shape (times,)
        Save times [s] that were reached.
    amount : ndarray, shape (times, compartments, species)
        Amounts [mol]; NaN in baths and where a species is absent.
    charge : ndarray, shape (times, compartments)
        Charges of the membranes' inner faces [C]; NaN for grounded compartments.
    volume : ndarray, shape (times, compartments)
        Volumes [m3]; NaN for baths.
    compartment_potential : ndarray, shape (times, compartments)
        Potentials [V].
    open_fraction : ndarray, shape (times, gates)
        Open fractions of the gates that are states; no columns if there are none.
    status : str
        How the run ended, a word of :class:`simulator.kernel.status.Status`.
    end_time : float
        Time reached [s].
    culprit : str
        State that made a run fail, empty if none did.
    measures : mapping of str to float
        What each measure of the scenario came to; NaN where nothing was found.
    provenance : mapping of str to str
        Versions, kernel hash, platform, configuration text.
    """

    status: str = "ok"
    end_time: float = 0.0
    culprit: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        saved = f"{len(self.time)} saved states to t = {self.end_time:g} s"
        return f"Trajectory({self.scenario.name!r}, {self.status}, {saved})"

    @classmethod
    def from_states(cls, model: Model, time: np.ndarray, states: np.ndarray, **outcome: Any) -> Trajectory:
        """Sort a kernel's states, shape (times, states), into labelled arrays."""
        arrays: dict[str, Any] = arranged(model.structure, states, parameters_at(model, time))
        return cls(model.scenario, time, **(arrays | outcome))

    def moment(self, at: int = -1) -> Trajectory:
        """The saved state with this index, as a trajectory with one saved time."""
        time = self.time[[at]]
        arrays: dict[str, Any] = {name: values[[at]] for name, values in self._arrays.items()}
        found = replace(self, time=time, **arrays)
        vars(found)["model"] = self.model  # of the same scenario
        return found

    def as_start(self) -> dict[str, Any]:
        """The last saved state as the ``start`` of a scenario, see :class:`simulator.scenario.start.Start`.

        Raises
        ------
        UsageError
            If the run failed.
        """
        if self.status != Status.OK.word:
            problem = f"the run failed at {self.end_time:g} s with the status {self.status}: {self.ending}"
            raise UsageError(problem, "a run starts only from the end of one that finished")
        last = {name: values[-1].tolist() for name, values in self._arrays.items()}
        electric, kind = ("charge", "charges")
        if self.structure.formulation == "electroneutral":
            electric, kind = ("compartment_potential", "potentials")
        compartments = [*enumerate(self.structure.compartments)]
        solutions = [(i, c) for i, c in compartments if c.volume != "bath"]
        place = {s: j for j, s in enumerate(self.labels["species"])}
        return {
            "from": self.scenario.name,
            "time": float(self.time[-1]),
            "amounts": {c.name: {s: last["amount"][i][place[s]] for s in c.species} for i, c in solutions},
            kind: {c.name: last[electric][i] for i, c in compartments if c.potential == "free"},
            "volumes": {c.name: last["volume"][i] for i, c in solutions},
            "gates": dict(zip(self.labels["gate"], last["open_fraction"], strict=True)),
            "membranes": list(self.labels["membrane"]),
        }

    @property
    def ending(self) -> str:
        """How the run ended, for a person: ``finished``, or what went wrong and with which state."""
        status, structure = Status[self.status.upper()], self.structure
        if self.culprit in structure.states_of["potential"] and status in (Status.NONFINITE, Status.STEP_TOO_SMALL):
            where = structure.in_words(self.culprit)
            return f"no {where} near the last one balances the currents there; use `formulation: capacitive`"
        return status.sentence + (f" ({structure.in_words(self.culprit)})" if self.culprit else "")

    # -- quantities -------------------------------------------------------------------------------

    @cached_property
    def parameters(self) -> np.ndarray:
        """Parameter vector in force up to each saved time, shape (times, parameters)."""
        return parameters_at(self.model, self.time)

    def to_xarray(self) -> Any:
        """The saved quantities as an ``xarray.Dataset`` (xarray must be installed)."""
        coordinates = {"time": self.time} | {d: list(x) for d, x in self.labels.items() if x and d != "mechanism"}
        return dataset(self.fields(), coordinates, {"name": self.scenario.name, "status": self.status})


def parameters_at(model: Model, time: np.ndarray) -> np.ndarray:
    """Parameter vectors in force up to each time, shape (times, parameters); see :meth:`Schedule.at`."""
    return parameters_in_force(model, model.values, time[None])[0]
