"""Numbers of a scenario: their units, their bounds, and messages about invalid ones."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from simulator.errors import kind_of, shown, suggestion
from simulator.physics.constants import FARADAY
from simulator.physics.dissolved import PH, Solute, parse_dissolved
from simulator.physics.notation import format_quantity
from simulator.physics.unit_table import DIMENSION_WORDS, WHOLE_CELL
from simulator.physics.units import QuantityError, alternatives, describe, fits, has_offset, parse_quantity
from simulator.scenario.complaints import complaint_error

__all__ = ["UNREADABLE", "Measured", "OfSolute", "Quantity", "Ratio", "SiNumber", "quantity_of"]

_PLAIN = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*")


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

    def plain(self) -> float | str:
        """Value with all digits and its unit; a number of a law that has none as a number."""
        return float(self) if self.unit == "1" else f"{float(self)!r} {self.unit}"


class Ratio(Measured):
    """A permeability as a multiple of its membrane's ``permeability_scale``."""

    def __new__(cls, value: float, unit: str = "1") -> Ratio:
        """A plain number."""
        return super().__new__(cls, value, unit)  # type: ignore[return-value]

    def plain(self) -> str:
        """Value with all digits, as text: a number would be a permeability in SI."""
        return repr(float(self))


class OfSolute(str):
    """A text about a solute, on which the meaning of its unit may depend."""

    solute: Solute

    def __new__(cls, text: str, solute: Solute) -> OfSolute:
        """A text and what it is about."""
        made = super().__new__(cls, text)
        made.solute = solute
        return made


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
    solute : bool
        Whether it is a concentration of a solution, which may also be given in osmoles.
    example : str
        A typical value for messages, if that of its dimension does not suit.
    ratio : bool
        Whether a plain number is a multiple of the membrane's ``permeability_scale``.
    key_unit : str
        Empty for the number of a key. New values of a number that a scenario gives (see :meth:`of`) have to be of the
        same kind (per area, of the whole cell, a ratio); then this is the unit of the key, and `unit` that of the kind.
    """

    unit: str
    minimum: float = -math.inf
    maximum: float = math.inf
    positive: bool = False
    whole: bool = False
    words: tuple[str, ...] = ()
    solute: bool = False
    example: str = ""
    ratio: bool = False
    key_unit: str = ""

    def of(self, given: Any) -> Quantity:
        """The quantity of new values of a number that is given like this."""
        key_unit = self.key_unit or self.unit
        if isinstance(given, Measured) and given.unit != self.unit:
            return replace(self, unit=given.unit, maximum=math.inf, example="", key_unit=key_unit)
        return replace(self, key_unit=key_unit)

    @property
    def kind(self) -> str:
        """Kind of a given number: ``cell`` or ``ratio`` if it is not in the unit of its key, else empty."""
        if not self.key_unit or self.unit == self.key_unit:
            return ""
        return "ratio" if self.unit == "1" else "cell"

    def difference(self) -> Quantity:
        """The quantity of differences between two values."""
        return Difference(self.unit, ratio=self.ratio, key_unit=self.key_unit)

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        if self.unit != "1":
            examples = [self.typical(unit) or f"1 {unit}" for unit in self._units]
            number = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
            forms = [rf"{number}\s*[A-Za-z/µμΩ℧°1].*", *([rf"pH\s*{number}\s*"] if self.solute else ())]
            pattern = rf"^\s*({'|'.join(forms)})$"
            text = {"type": "string", "pattern": pattern, "examples": examples, "unit": self.unit}
            return {"anyOf": [text, {"type": "number", "minimum": 0}], "unit": self.unit} if self.ratio else text
        number_schema: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        if self.positive and self.minimum <= 0.0:
            number_schema["exclusiveMinimum"] = 0
        elif math.isfinite(self.minimum):
            number_schema["minimum"] = self.minimum
        if math.isfinite(self.maximum):
            number_schema["maximum"] = self.maximum
        return {"anyOf": [number_schema, {"enum": list(self.words)}]} if self.words else number_schema

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
        given = self.of(number)
        if not given.allows(number):
            problem = f"`{shown(value)}`" if isinstance(value, str) else f"`{format_quantity(number, given.unit)}`"
            raise QuantityError(f"{problem} is out of range", given.expected, self._intended(value))
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

    def typical(self, unit: str = "") -> str:
        """A typical value in its own unit, or in that of another kind; empty for a plain number."""
        own = self.example if unit in ("", self.unit) else ""
        return own or DIMENSION_WORDS.get(unit or self.unit, ("", ""))[1]

    @property
    def _units(self) -> tuple[str, ...]:
        """SI units of the kinds in which the number may be given."""
        whole = WHOLE_CELL.get(self.unit)
        return (self.unit, whole) if whole and not self.key_unit else (self.unit,)

    @property
    def _described(self) -> str:
        return ", or for the whole cell ".join(describe(unit, self.typical(unit)) for unit in self._units)

    def _number(self, value: object, text: bool, faraday: float) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            hint = "a value that changes with time belongs into `protocol`" if isinstance(value, Mapping) else ""
            expected = self._described if self.unit != "1" else self.expected
            raise QuantityError(f"this is {kind_of(value)}", expected, hint)
        if isinstance(value, Measured) and value.unit in self._units + ("1",) * self.ratio:
            return value
        in_si = not isinstance(value, str) and (isinstance(value, SiNumber) or not text)
        written = value if isinstance(value, str) else repr(value)
        if self.key_unit in WHOLE_CELL and not in_si:
            self._require_kind(written)
        if self.ratio and not in_si and _PLAIN.fullmatch(written):
            number = _as_float(float(written), self._described)
            return number if self.key_unit else Ratio(number)
        if self.unit == "1":
            return self._plain_number(value)
        return _as_float(value, self._described) if in_si else self._from_text(written, faraday)

    def _plain_number(self, value: Any) -> float:
        if isinstance(value, str):
            raise QuantityError(f"this is {kind_of(value)}", self.expected, "write a number without unit or quotes")
        number = _as_float(value, self.expected)
        if self.whole and number != int(number):
            raise QuantityError(f"`{value}` is not whole", self.expected)
        return number

    def _from_text(self, text: str, faraday: float) -> float:
        try:
            for unit in self._units[1:]:
                if fits(text, unit):
                    return Measured(parse_quantity(text, unit, faraday), unit)
            if self.unit in ("mol/m^3", "mol"):
                solute = text.solute if isinstance(text, OfSolute) else Solute() if self.solute else None
                return parse_dissolved(text, self.unit, solute, faraday)
            return parse_quantity(text, self.unit, faraday, self.example)
        except QuantityError as error:
            raise QuantityError(error.problem, self._described, error.hint) from None

    def _require_kind(self, text: str) -> None:
        """Refuse a new value of another kind than the scenario gives."""
        kinds = {
            self.key_unit: "a velocity" if self.key_unit == "m/s" else "a number per area",
            WHOLE_CELL[self.key_unit]: "a number for the whole cell",
        }
        taken = next((unit for unit in kinds if fits(text, unit)), "1" if self.ratio and _PLAIN.fullmatch(text) else "")
        kinds["1"] = "a ratio to the membrane's permeability_scale"
        if taken and taken != self.unit:
            problem = f"`{shown(text)}` is {kinds[taken]}, but the scenario gives {kinds[self.unit]} here"
            hint = "write both in the same way"
            if taken == WHOLE_CELL[self.key_unit] and self.unit == self.key_unit:
                zero = f"0 {self.typical(taken).partition(' ')[2]}"
                hint += f"; a value that the scenario leaves out is per area, so write it there, too (e.g. {zero})"
            raise QuantityError(problem, describe(self.unit), hint)

    def _intended(self, value: object) -> str:
        if not isinstance(value, str):
            return ""
        likely = (f"did you mean `{other}`?" for other, number in alternatives(value, self.unit) if self.allows(number))
        return next(likely, "")


class Difference(Quantity):
    """A difference between two values of a quantity, independent of its zero point."""

    def read(self, value: object, *, text: bool = False, faraday: float = FARADAY) -> float | str:
        if self.unit == "K" and isinstance(value, str) and has_offset(value):
            raise QuantityError(f"`{shown(value)}` is a temperature", "a difference of temperatures, e.g. 2 K")
        if isinstance(value, str) and (PH.fullmatch(value) or fits(value, self.unit) == "resistance"):
            raise QuantityError(f"`{shown(value)}` is no difference of two values", self.expected)
        return super().read(value, text=text, faraday=faraday)


def _as_float(value: Any, expected: str) -> float:
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
