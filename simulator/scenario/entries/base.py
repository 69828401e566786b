"""A mechanism as written in a scenario: its law and the law's parameter values."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from simulator.mechanisms import Law, Parameter
from simulator.mechanisms.mechanism import Mechanism
from simulator.mechanisms.outside import law_of
from simulator.scenario.quantity import Quantity
from simulator.scenario.records import Record

__all__ = ["MechanismEntry", "field_of"]


class MechanismEntry(Record):
    """A mechanism of a membrane: its law and the law's parameter values."""

    #: Digest of the source of a law from outside the package, as it was when the scenario was read.
    source_digest: ClassVar[str] = ""

    law: str

    @property
    def library_law(self) -> Law:
        """The law, for entries that name one of the library."""
        return law_of(self.law, self.source_digest)

    @property
    def chosen(self) -> str | None:
        """The species the scenario chose for the law; None if the law names all its species."""
        key = self.library_law.chooses
        return str(getattr(self, key)) if key else None

    def values(self) -> dict[str, float]:
        """Return the parameter values of a library law by name [SI]."""
        return {parameter.name: float(getattr(self, parameter.name)) for parameter in self.library_law.parameters}

    def mechanisms(self, label: str) -> tuple[Mechanism, ...]:
        """Return the mechanisms of the entry, without their parameter values."""
        partners = tuple(str(getattr(self, key)) for key in self.library_law.partners)
        return (Mechanism(label, self.law, self.chosen, partners, digest=self.source_digest),)


def field_of(parameter: Parameter) -> Any:
    """Return type and description of a parameter as a record field."""
    limits = (parameter.minimum, parameter.maximum, parameter.positive)
    quantity = Quantity(parameter.unit, *limits, ratio=parameter.name == "permeability")
    default = ... if parameter.default is None else parameter.default
    return (Annotated[float, quantity], Field(default, description=parameter.meaning))
