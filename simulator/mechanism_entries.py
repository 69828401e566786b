"""What a membrane's ``mechanisms:`` may hold: one record per law, made from the law's declared parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, create_model

from simulator.mechanisms import Mechanism, Parameter, library
from simulator.quantity import Quantity
from simulator.records import Label, Record

__all__ = ["AnyMechanism", "MechanismEntry"]


class MechanismEntry(Record):
    """A mechanism of a membrane: its law and the numbers of that law."""

    law: str

    @property
    def mechanism(self) -> Mechanism:
        """The law itself, from the library."""
        return library()[self.law]

    @property
    def chosen(self) -> str | None:
        """The species the scenario chose for the law, None if the law names all its species."""
        key = self.mechanism.chooses
        return str(getattr(self, key)) if key else None

    def values(self) -> dict[str, float]:
        """The law's parameters by name [SI]."""
        return {parameter.name: float(getattr(self, parameter.name)) for parameter in self.mechanism.parameters}

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any]]]:
        # The classes of the entries are made when this module loads; pickle cannot find them by name.
        return _restored, ({name: getattr(self, name) for name in type(self).model_fields},)


_CHOICES = {"ion": "the ion that moves (a charged species)", "species": "the species that moves"}


def _field(parameter: Parameter) -> Any:
    quantity = Quantity(parameter.unit, parameter.minimum, parameter.maximum, parameter.positive)
    default = ... if parameter.default is None else parameter.default
    return (Annotated[float, quantity], Field(default, description=parameter.meaning))


def _entry(name: str, mechanism: Mechanism) -> type[MechanismEntry]:
    """The record of one law."""
    fields: dict[str, Any] = {"law": (Literal[name], Field(description=mechanism.title))}
    if mechanism.chooses is not None:
        fields[mechanism.chooses] = (Label, Field(description=_CHOICES[mechanism.chooses]))
    fields |= {parameter.name: _field(parameter) for parameter in mechanism.parameters}
    title = name.title().replace("_", "")
    return create_model(title, __base__=MechanismEntry, __doc__=mechanism.title, **fields)


_ENTRIES = {name: _entry(name, mechanism) for name, mechanism in library().items()}

if TYPE_CHECKING:
    AnyMechanism = MechanismEntry
else:
    AnyMechanism = Annotated[Union[tuple(_ENTRIES.values())], Field(discriminator="law")]  # noqa: UP007 - from a tuple


def _restored(data: dict[str, Any]) -> MechanismEntry:
    return _ENTRIES[data["law"]].model_validate(data)
