"""A custom law as written in a scenario: stoichiometry, parameters with units, expressions."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from simulator.errors import kind_of
from simulator.mechanisms.custom_law import ROLES, CustomForm, WrittenGate
from simulator.mechanisms.mechanism import Mechanism
from simulator.physics.units import QuantityError, has_offset, read_any_quantity
from simulator.scenario.complaints import Complaint, complaint_error, refuse
from simulator.scenario.entries.base import MechanismEntry
from simulator.scenario.quantity import UNREADABLE, Measured, Quantity
from simulator.scenario.records import Frozen, Label, Record

__all__ = ["CustomEntry"]

_EXAMPLE = "a number with its unit, e.g. 6.8 uA/cm^2"


class _AnyQuantity:
    """Annotation of a number whose unit the scenario chooses."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_read)

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "examples": ["6.8 uA/cm^2"]}, {"type": "number"}]}


def _read(value: object) -> Measured:
    if isinstance(value, Measured):
        return value
    if value is UNREADABLE:
        return Measured(float(UNREADABLE), "1")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise complaint_error(f"this is {kind_of(value)}", _EXAMPLE)
    if not isinstance(value, str):
        return Measured(float(Quantity("1").read(value)), "1")
    try:
        number, unit = read_any_quantity(value)
        return Measured(number, unit, offset=has_offset(value))
    except QuantityError as error:
        raise complaint_error(error.problem, _EXAMPLE, error.hint) from None


Moves = Annotated[dict[Label, Annotated[int, Quantity("1", -100, 100, whole=True)]], Frozen]


class CustomGate(Record):
    """A gate of a custom law."""

    opening: str | None = Field(None, description="rate at which the shut part opens [1/s]")
    closing: str | None = Field(None, description="rate at which the open part shuts [1/s]")
    steady: str | None = Field(None, description="steady value of the gate")
    time_constant: str | None = Field(None, description="time constant of the approach [s]; instantaneous if not given")
    start: Annotated[float, Quantity("1", 0.0, 1.0)] | None = Field(
        None, description="value at t = 0; default: the steady value"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = {role for role in ROLES if getattr(self, role) is not None}
        if given not in ({"opening", "closing"}, {"steady"}, {"steady", "time_constant"}):
            problem = f"a gate cannot be given by {' and '.join(sorted(given)) or 'nothing'}"
            expected = "opening and closing, or steady and time_constant, or steady alone"
            refuse("CustomGate", [Complaint((), problem, expected)])
        if self.start is not None and given == {"steady"}:
            refuse("CustomGate", [Complaint(("start",), "an instantaneous gate has no start value")])
        return self


class CustomEntry(MechanismEntry):
    """A custom law."""

    law: Literal["custom"] = Field(description="custom law")
    rate: str = Field(
        description="expression of the turnover [mol/m2/s]: the forward rate if reversible, else the net rate"
    )
    moves: Moves = Field(
        default_factory=dict, description="molecules that enter the inside per turnover", validate_default=True
    )
    moves_outside: Moves | None = Field(
        None, description="molecules that enter the outside per turnover; default: the opposite of `moves`"
    )
    charge: Annotated[int, Quantity("1", -100, 100, whole=True)] | None = Field(
        None, description="charges that enter the inside per turnover, if not those of `moves`"
    )
    atp: Annotated[int, Quantity("1", 0, 100, whole=True)] = Field(0, description="ATP hydrolysed per turnover")
    reversible: bool = Field(False, description="whether the backward rate follows from the affinity")
    open: bool = Field(False, description="whether the law may break conservation, as some published models do")
    driven: bool = Field(
        False,
        description="whether something outside the model does its work, as an amplifier does; no verdict counts it",
    )
    parameters: Annotated[dict[Label, Annotated[float, _AnyQuantity()]], Frozen] = Field(
        default_factory=dict, description="parameters of the rate, with their units", validate_default=True
    )
    gates: Annotated[dict[Label, CustomGate], Frozen] = Field(
        default_factory=dict, description="gates by name", validate_default=True
    )

    @property
    def chosen(self) -> str | None:
        """None: a custom law names all its species."""
        return None

    def mechanisms(self, label: str) -> tuple[Mechanism, ...]:
        """Return the one mechanism of this entry."""
        form = CustomForm(
            rate=self.rate,
            moves=tuple(self.moves.items()),
            outside=None if self.moves_outside is None else tuple(self.moves_outside.items()),
            parameters=tuple((name, getattr(value, "unit", "1")) for name, value in self.parameters.items()),
            gates=tuple(
                WrittenGate(name, *(getattr(gate, role) or "" for role in ROLES)) for name, gate in self.gates.items()
            ),
            reversible=self.reversible,
            atp=self.atp,
            charge=self.charge,
            open=self.open,
            driven=self.driven,
        )
        return (Mechanism(label, self.law, None, form=form),)
