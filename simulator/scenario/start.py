"""The start of a scenario from the end of another run."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from pydantic import Field

from simulator.scenario.quantity import Quantity
from simulator.scenario.records import Frozen, Label, Record

__all__ = ["MOST_RUNS", "STATE_KEYS", "Ended", "Start"]

#: Largest number of a run.
MOST_RUNS = 10**15

#: Keys of the state itself; a scenario that has them needs no file.
STATE_KEYS = ("amounts", "charges", "potentials", "volumes", "gates", "membranes")

Amounts = Annotated[dict[Label, Annotated[float, Quantity("mol")]], Frozen]


class Ended(Protocol):
    """A run that another one can start from."""

    def as_start(self) -> dict[str, Any]:
        """The last saved state, with the keys of :class:`Start`."""
        ...


class Start(Record):
    """The saved state at which a run begins, instead of the scenario's own initial values.

    Only `from` and `run` need to be written; the others are filled in from the file, so that the scenario can be run
    again without it.
    """

    source: str = Field(alias="from", description="data file (.h5) of a run, or directory of a sweep")
    run: Annotated[int, Quantity("1", 0, MOST_RUNS, whole=True)] | None = Field(
        None, description="number of the run, if `from` holds a sweep"
    )
    time: Annotated[float, Quantity("s", 0.0)] | None = Field(
        None, description="time of the saved state, filled in; the new run's clock starts at 0"
    )
    sha256: str | None = Field(
        None, description="SHA-256 of the file that holds the run, filled in; checked if written"
    )
    amounts: Annotated[dict[Label, Amounts], Frozen] | None = Field(
        None, description="amount by free compartment and species, filled in"
    )
    charges: Annotated[dict[Label, Annotated[float, Quantity("C")]], Frozen] | None = Field(
        None, description="charge by compartment in the capacitive formulation, filled in"
    )
    potentials: Annotated[dict[Label, Annotated[float, Quantity("V")]], Frozen] | None = Field(
        None, description="potential by compartment in the electroneutral formulation, filled in"
    )
    volumes: Annotated[dict[Label, Annotated[float, Quantity("m^3", positive=True)]], Frozen] | None = Field(
        None, description="volume by free compartment, filled in"
    )
    gates: Annotated[dict[str, Annotated[float, Quantity("1")]], Frozen] | None = Field(
        None, description="open fraction by membrane.mechanism.gate, filled in"
    )
    membranes: tuple[Label, ...] | None = Field(None, description="membranes of the saved run, filled in", strict=False)
