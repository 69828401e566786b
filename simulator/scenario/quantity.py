"""Numbers of a scenario: their units, their bounds, and messages about invalid ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from simulator.errors import kind_of, shown, suggestion
from simulator.physics.constants import FARADAY
from simulator.physics.notation import format_quantity
from simulator.physics.units import DIMENSION_WORDS, QuantityError, alternatives, describe, parse_quantity
from simulator.scenario.complaints import complaint_error

__all__ = ["UNREADABLE", "Measured", "Quantity", "SiNumber", "quantity_of"]


class SiNumber(float):
    """A number in SI within a scenario that is read from text."""


class Measured(float):
    """A number [SI] whose unit the scenario chose, not the program."""

    unit: str
    offset: bool

    def __new__(cls, value: float, unit: str, offset: bool = False) -> Measured:
        """A value in SI, the name of its SI unit, and whether it was given in a unit with its own zero, as degC."""
        made = super().__new__(cls, value)
        made.unit, made.offset = unit, offset
        return made

    def __getnewargs__(self) -> tuple[float, str]:  # type: ignore[override]
        return float(self), self.unit

    def text(self) -> str:
        """Value with all digits and its unit."""
        return f"{float(self)!r} {self.unit}"


#: Placeholder for an unreadable value that has already been reported. Every comparison with NaN is false,
#: so the other checks do not report it again. Other NaNs are refused.
UNREADABLE = SiNumber("nan")


@dataclass(frozen=True)
class Quantity:
    """Annotation of a number in a scenario: its SI unit and its closed bounds.

    Parameters
    ----------
    unit : str
        SI unit; ``"1"`` for plain numbers.
    minimum, maximum : float
        Closed bounds in SI.
    positive : bool
        Whether 0 is excluded as a lower bound.
    whole : bool
        Whether only whole numbers are allowed (plain numbers only).
    words : tuple of str
        Words allowed instead of the number.
    """

    unit: str
    minimum: float = -math.inf
    maximum: float = math.inf
    positive: bool = False
    whole: bool = False
    words: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        if self.unit != "1":
            example = DIMENSION_WORDS[self.unit][1] if self.unit in DIMENSION_WORDS else self.unit
            pattern = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*[A-Za-z/µμ°1].*$"
            return {"type": "string", "pattern": pattern, "examples": [f"1 {example}"], "unit": self.unit}
        number: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        if self.positive and self.minimum <= 0.0:
            number["exclusiveMinimum"] = 0
        elif math.isfinite(self.minimum):
            number["minimum"] = self.minimum
        if math.isfinite(self.maximum):
            number["maximum"] = self.maximum
        return {"anyOf": [number, {"enum": list(self.words)}]} if self.words else number

    def _validate(self, value: object, info: core_schema.ValidationInfo) -> float | str:
        context = info.context or {}
        try:
            return self.read(value, text=bool(context.get("text")), faraday=context.get("faraday", FARADAY))
        except QuantityError as error:
            raise complaint_error(error.problem, error.expected, error.hint) from None

    def read(self, value: object, *, text: bool = False, faraday: float = FARADAY) -> float | str:
        """Check a value and turn it into SI.

        Parameters
        ----------
        value : object
            Text with a unit, a number in SI, or one of the words.
        text : bool
            Whether the value was read from text, where a bare number has no unit.
        faraday : float
            Faraday constant [C/mol] that turns a current into a flux.

        Raises
        ------
        QuantityError
            If the value is not such a quantity or is out of bounds.
        """
        if value is UNREADABLE:
            return math.nan
        if self.words and isinstance(value, str):
            if value not in self.words:
                raise QuantityError(
                    f"`{shown(value)}` is not an allowed word", self.expected, suggestion(value, self.words)
                )
            return value
        number = self._number(value, text, faraday)
        if not math.isfinite(number):
            raise QuantityError(f"`{number}` is not a finite number", self.expected)
        if not self.allows(number):
            raise QuantityError(f"{self._quote(value, number)} is out of range", self.expected, self._intended(value))
        return int(number) if self.whole else number

    def allows(self, number: Any) -> Any:
        """Whether a number lies within the bounds, or each number of an array."""
        return (self.minimum <= number) & (number <= self.maximum) & ((number > 0.0) | (not self.positive))

    @property
    def expected(self) -> str:
        """The expected value in words, with its bounds."""
        words = DIMENSION_WORDS.get(self.unit, (f"a quantity in {self.unit}", ""))[0]
        words = "a whole number" if self.whole else words
        low, high = (format_quantity(bound, self.unit) for bound in (self.minimum, self.maximum))
        if self.positive and self.minimum <= 0.0:
            bounds = "above 0" if math.isinf(self.maximum) else f"above 0 and at most {high}"
        elif math.isinf(self.maximum):
            bounds = "" if math.isinf(self.minimum) else f"of at least {low}"
        else:
            bounds = f"from {low} to {high}" if math.isfinite(self.minimum) else f"of at most {high}"
        options = "".join(f" or `{word}`" for word in self.words)
        return f"{words} {bounds}".strip() + options

    def _number(self, value: object, text: bool, faraday: float) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            hint = "a value that changes with time belongs into `protocol`" if isinstance(value, Mapping) else ""
            expected = describe(self.unit) if self.unit != "1" else self.expected
            raise QuantityError(f"this is {kind_of(value)}", expected, hint)
        if self.unit == "1":
            if isinstance(value, str):
                raise QuantityError(f"this is {kind_of(value)}", self.expected, "write a number without unit or quotes")
            number = _as_float(value, self.expected)
            if self.whole and number != int(number):
                raise QuantityError(f"`{value}` is not whole", self.expected)
            return number
        if isinstance(value, str):
            return parse_quantity(value, self.unit, faraday)
        if text and not isinstance(value, SiNumber):
            return parse_quantity(repr(value), self.unit)  # raises an error about the missing unit
        return _as_float(value, describe(self.unit))

    def _quote(self, value: object, number: float) -> str:
        return f"`{shown(value)}`" if isinstance(value, str) else f"`{format_quantity(number, self.unit)}`"

    def _intended(self, value: object) -> str:
        if not isinstance(value, str):
            return ""
        likely = (f"did you mean `{other}`?" for other, number in alternatives(value, self.unit) if self.allows(number))
        return next(likely, "")


def _as_float(value: int | float, expected: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise QuantityError("this number is too large to compute with", expected) from None
    if not math.isfinite(number):
        raise QuantityError(f"`{number}` is not a finite number", expected)
    return number


def quantity_in(annotation: object) -> Quantity | None:
    """Return the quantity inside a type annotation, e.g. in ``dict[Label, Annotated[float, Quantity("V")]]``."""
    for metadata in getattr(annotation, "__metadata__", ()):
        if isinstance(metadata, Quantity):
            return metadata
    return next(filter(None, map(quantity_in, reversed(get_args(annotation)))), None)


def quantity_of(field: FieldInfo) -> Quantity | None:
    """Return the quantity of a record's field, alone or in a mapping or list."""
    own = next((m for m in field.metadata if isinstance(m, Quantity)), None)
    return own or quantity_in(field.annotation)
