"""What a membrane's ``mechanisms:`` may hold: a record for each law of the library, a channel, a law of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, create_model

from simulator.channel_entry import ChannelEntry
from simulator.custom_entry import CustomEntry
from simulator.mechanism_entry import MechanismEntry, field_of
from simulator.mechanisms import Mechanism, library
from simulator.records import Label

__all__ = ["AnyMechanism"]

_CHOICES = {"ion": "the ion that moves (a charged species)", "species": "the species that moves"}


class LibraryEntry(MechanismEntry):
    """A law of the library and its numbers."""

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any]]]:
        # The classes of these entries are made when this module loads; pickle cannot find them by name.
        return _restored, ({name: getattr(self, name) for name in type(self).model_fields},)


def _entry(name: str, mechanism: Mechanism) -> type[LibraryEntry]:
    """The record of one law."""
    fields: dict[str, Any] = {"law": (Literal[name], Field(description=mechanism.title))}
    if mechanism.chooses is not None:
        fields[mechanism.chooses] = (Label, Field(description=_CHOICES[mechanism.chooses]))
    fields |= {key: (Label, Field(description=f"species that is the {key}")) for key in mechanism.partners}
    fields |= {parameter.name: field_of(parameter) for parameter in mechanism.parameters}
    title = name.title().replace("_", "")
    return create_model(title, __base__=LibraryEntry, __doc__=mechanism.title, **fields)


_ENTRIES = {name: _entry(name, mechanism) for name, mechanism in library().items()}

if TYPE_CHECKING:
    AnyMechanism = MechanismEntry
else:
    AnyMechanism = Annotated[
        Union[(*_ENTRIES.values(), ChannelEntry, CustomEntry)],
        Field(discriminator="law"),
    ]


def _restored(data: dict[str, Any]) -> MechanismEntry:
    return _ENTRIES[data["law"]].model_validate(data)
