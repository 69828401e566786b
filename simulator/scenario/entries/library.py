"""Entries of a membrane's ``mechanisms:``: a record type for each library law, for channels and for custom laws.

A record type is made when a scenario first uses its law, so a run pays only for the laws it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, GetJsonSchemaHandler, TypeAdapter, create_model
from pydantic_core import core_schema

from simulator.errors import kind_of
from simulator.mechanisms import library
from simulator.mechanisms.outside import WRITTEN, Origin, add_file, digest_of, known, law_of, load_installed, origin_of
from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.entries.base import MechanismEntry, field_of
from simulator.scenario.records import Label, unknown_word

__all__ = ["AnyMechanism", "laws"]

_CHOICES = {"ion": "the ion that moves (a charged species)", "species": "the species that moves"}
_EXAMPLE = "a mechanism, e.g. {law: leak_ghk, ion: k, permeability: 4e-9 m/s}"


class LibraryEntry(MechanismEntry):
    """A library law and its parameter values."""

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any], Origin | None]]:
        # The classes of these entries are made on demand, so pickle cannot find them by name.
        origin = origin_of(self.law, self.source_digest)
        return _restored, ({name: getattr(self, name) for name in type(self).model_fields}, origin)


def laws() -> tuple[str, ...]:
    """Return every law that a mechanism may name, those of installed packages included."""
    load_installed()
    return (*library(), *WRITTEN)


def _record(law: str) -> type[MechanismEntry]:
    """Return the record type of one law."""
    return _record_of(law, digest_of(law))


@cache
def _record_of(law: str, digest: str) -> type[MechanismEntry]:
    """Return the record type of one law, from outside as it was when its source had this digest."""
    if law == "channel":
        from simulator.scenario.entries.channel import ChannelEntry

        return ChannelEntry
    if law == "custom":
        from simulator.scenario.entries.custom import CustomEntry

        return CustomEntry
    found = law_of(law, digest)
    fields: dict[str, Any] = {"law": (Literal[law], Field(description=found.title))}
    if found.chooses is not None:
        fields[found.chooses] = (Label, Field(description=_CHOICES[found.chooses]))
    fields |= {key: (Label, Field(description=f"species that acts as the {key}")) for key in found.partners}
    fields |= {parameter.name: field_of(parameter) for parameter in found.parameters}
    title = law.title().replace("_", "")
    record = create_model(title, __base__=LibraryEntry, __doc__=found.title, **fields)
    record.source_digest = digest
    return record


class _ByLaw:
    """Annotation of a value to validate with the record type of the law it names."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(_validated)

    def __get_pydantic_json_schema__(self, _schema: object, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        every: Any = Union[tuple(map(_record, laws()))]  # noqa: UP007 - from a tuple
        one_of: Any = Annotated[every, Field(discriminator="law")]
        return handler(TypeAdapter(one_of).core_schema)


def _validated(value: object, info: core_schema.ValidationInfo) -> MechanismEntry:
    if isinstance(value, MechanismEntry):
        return value
    if not isinstance(value, Mapping):
        refuse("mechanism", [Complaint((), f"this is {kind_of(value)}", _EXAMPLE)])
    law = value.get("law")
    if law is None:
        refuse("mechanism", [Complaint((), "`law` is missing", "one of " + ", ".join(laws()), _EXAMPLE)])
    if law not in WRITTEN and not (isinstance(law, str) and known(law)):
        complaint = unknown_word(("law",), "law", str(law), laws())
        own = f"{complaint.hint} " * bool(complaint.hint) + "a law of your own is loaded with --laws FILE.py"
        refuse("mechanism", [replace(complaint, hint=own)])
    return _record(str(law)).model_validate(value, context=info.context)


if TYPE_CHECKING:
    AnyMechanism = MechanismEntry
else:
    AnyMechanism = Annotated[MechanismEntry, _ByLaw()]


def _restored(data: dict[str, Any], origin: Origin | None) -> MechanismEntry:
    if origin is not None and digest_of(data["law"]) != origin.digest:  # in another process
        add_file(origin.path)
    return _record(data["law"]).model_validate(data)
