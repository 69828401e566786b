"""Building blocks of a scenario: records, quantities with bounds, labels, and how they complain.

Every error is a *complaint*: a pydantic line error whose context holds ``problem``, ``expected`` and
``hint``, so that :mod:`simulator.config` only has to add file, line and column.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Never, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

from simulator.units import DIMENSION_WORDS, QuantityError, alternatives, describe, format_quantity, parse_quantity

__all__ = [
    "Complaint",
    "FrozenDict",
    "Label",
    "Quantity",
    "Record",
    "SiNumber",
    "quantity_in",
    "refuse",
    "suggestion",
]

K = TypeVar("K")
Item = TypeVar("Item")

_LABEL = re.compile(r"[a-z][a-z0-9_]{0,40}")


class SiNumber(float):
    """A number known to be SI although the scenario around it is read from text.

    NaN marks a value that could not be read and was already complained about: every comparison with it
    is false, so the other checks stay quiet about it.
    """


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with a scenario: where, what, what was expected, what may have been meant."""

    location: tuple[str | int, ...]
    problem: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        wanted = f"expected {self.expected}" if self.expected else ""
        return "; ".join(part for part in (self.problem, wanted, self.hint) if part)


def refuse(title: str, complaints: Iterable[Complaint]) -> Never:
    """Raise all complaints as one pydantic ``ValidationError``."""
    lines = []
    for complaint in complaints:
        context = {"problem": complaint.problem, "expected": complaint.expected, "hint": complaint.hint}
        error = PydanticCustomError("complaint", "{text}", {**context, "text": str(complaint)})
        lines.append(InitErrorDetails(type=error, loc=complaint.location, input=None))
    raise ValidationError.from_exception_data(title, lines)


def suggestion(given: str, known: Iterable[str]) -> str:
    """``did you mean ...?`` if something known is close, else an empty text."""
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


class FrozenDict(dict[K, Item]):
    """A dict that cannot be changed."""

    def _unchangeable(self, *_args: object, **_kwargs: object) -> Never:
        raise TypeError("a scenario cannot be changed; make another one")

    __setitem__ = __delitem__ = __ior__ = _unchangeable  # type: ignore[assignment]
    clear = pop = popitem = setdefault = update = _unchangeable  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type, tuple[dict[K, Item]]]:
        return type(self), (dict(self),)


def _check_label(value: object) -> object:
    if isinstance(value, str) and not _LABEL.fullmatch(value):
        problem = f"`{shown(value)}` is not a name"
        expected = "a small letter, then small letters, digits or _, at most 41 in all"
        lower = value.lower()
        hint = f"did you mean `{lower}`?" if _LABEL.fullmatch(lower) else ""
        raise PydanticCustomError(
            "complaint", "{problem}", {"problem": problem, "expected": expected, "hint": hint}
        )
    return value


#: A name a scenario gives: of a compartment, membrane, mechanism or species.
Label = Annotated[
    str, BeforeValidator(_check_label), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL.pattern}$"})
]

#: Turns validated dicts into unchangeable ones.
Frozen = AfterValidator(FrozenDict)


def shown(value: object) -> str:
    """A value as an error message quotes it: on one line, short."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 40 else text[:37] + "..."


def kind_of(value: object) -> str:
    """What a value is, in a user's words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number `{value:.15g}`" if abs(value) < 1e300 else "a huge number"
        case str():
            return f"the text `{shown(value)}`"
        case Mapping():
            return "a block of keys"
        case list() | tuple():
            return "a list"
    return "something else"


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
        Whether only whole numbers will do (plain numbers only).
    words : tuple of str
        Words that may stand instead of the number.
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
        if math.isfinite(self.minimum) or self.positive:
            number["exclusiveMinimum" if self.positive else "minimum"] = max(self.minimum, 0.0 if self.positive else self.minimum)
        if math.isfinite(self.maximum):
            number["maximum"] = self.maximum
        return {"anyOf": [number, {"enum": list(self.words)}]} if self.words else number

    def _validate(self, value: object, info: core_schema.ValidationInfo) -> float | str:
        text = bool(info.context and info.context.get("text"))
        try:
            return self.read(value, text=text)
        except QuantityError as error:
            context = {"problem": error.problem, "expected": error.expected, "hint": error.hint}
            raise PydanticCustomError("complaint", "{problem}", context) from None

    def read(self, value: object, *, text: bool = False) -> float | str:
        """Check a value and turn it into SI.

        Parameters
        ----------
        value : object
            Text with a unit, a number in SI, or one of the words.
        text : bool
            Whether the value was read from text, where a bare number has no unit.

        Raises
        ------
        QuantityError
            If it is not such a quantity or out of bounds.
        """
        if isinstance(value, SiNumber) and math.isnan(value):
            return float(value)
        if self.words and isinstance(value, str):
            if value not in self.words:
                raise QuantityError(f"`{shown(value)}` is not known here", self.expected, suggestion(value, self.words))
            return value
        number = self._number(value, text)
        if not math.isfinite(number):
            raise QuantityError(f"`{number}` is not a finite number", self.expected)
        if not self.allows(number):
            raise QuantityError(f"{self._quote(value, number)} is out of range", self.expected, self._intended(value))
        return int(number) if self.whole else number

    def allows(self, number: float) -> bool:
        """Whether a number lies within the bounds."""
        return self.minimum <= number <= self.maximum and not (self.positive and number <= 0.0)

    @property
    def expected(self) -> str:
        """What is wanted, in words, with the bounds."""
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

    def _number(self, value: object, text: bool) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise QuantityError(f"this is {kind_of(value)}", describe(self.unit) if self.unit != "1" else self.expected)
        if self.unit == "1":
            if isinstance(value, str):
                raise QuantityError(f"this is {kind_of(value)}", self.expected, "write a number without unit or quotes")
            number = _as_float(value, self.expected)
            if self.whole and number != int(number):
                raise QuantityError(f"`{value}` is not whole", self.expected)
            return number
        if isinstance(value, str):
            return parse_quantity(value, self.unit)
        if text and not isinstance(value, SiNumber):
            return parse_quantity(repr(value), self.unit)  # complains about the missing unit
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
    """The quantity inside a type annotation, e.g. in ``dict[Label, Annotated[float, Quantity("V")]]``."""
    for metadata in getattr(annotation, "__metadata__", ()):
        if isinstance(metadata, Quantity):
            return metadata
    return next(filter(None, map(quantity_in, reversed(get_args(annotation)))), None)


class Record(BaseModel):
    """A frozen part of a scenario that knows its keys and explains its errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    #: Depth at which pydantic inserts the name of a union's branch into the location, by field.
    branch_at: ClassVar[Mapping[str, int]] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            refuse(cls.__name__, cls._complaints(error.errors(include_url=False)))

    @classmethod
    def _complaints(cls, errors: list[ErrorDetails]) -> list[Complaint]:
        complaints, replaced = [], set()
        missing = [str(error["loc"][0]) for error in errors if error["type"] == "missing" and len(error["loc"]) == 1]
        for error in errors:
            if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
                given = str(error["loc"][0])
                hint = suggestion(given, missing) or suggestion(given, cls.model_fields)
                replaced |= {name for name in missing if hint == f"did you mean `{name}`?"}
                keys = "one of " + ", ".join(cls.model_fields)
                complaints.append(Complaint(error["loc"], f"unknown key `{shown(given)}`", keys, hint))
        for error in errors:
            if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
                continue
            if error["type"] == "missing" and error["loc"] and error["loc"][0] in replaced:
                continue
            complaints.append(_translated(error, cls._without_branch(error["loc"]), cls))
        return complaints

    @classmethod
    def _without_branch(cls, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
        depth = cls.branch_at.get(str(location[0])) if location else None
        return location if depth is None else location[:depth] + location[depth + 1 :]


_KINDS = {
    "model_type": "a block of `key: value` lines",
    "model_attributes_type": "a block of `key: value` lines",
    "dict_type": "a block of `key: value` lines",
    "mapping_type": "a block of `key: value` lines",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "a text",
    "bool_type": "true or false",
}


def _translated(error: ErrorDetails, location: tuple[str | int, ...], record: type[Record]) -> Complaint:
    """One of pydantic's own errors in a user's words."""
    context: Mapping[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "complaint":
            location = location[:-1] if location and location[-1] == "[key]" else location
            return Complaint(location, context["problem"], context["expected"], context["hint"])
        case "missing":
            field = record.model_fields.get(str(location[-1]))
            meaning = field.description if field is not None and len(location) == 1 else ""
            quantity = quantity_in(field.annotation) if field else None
            quantity = next((m for m in field.metadata if isinstance(m, Quantity)), quantity) if field else None
            form = f"; {describe(quantity.unit)}" if quantity else ""
            return Complaint(location, f"`{location[-1]}` is missing", f"{meaning or 'a value'}{form}")
        case "literal_error":
            words = [word.strip(" '") for word in re.split(",| or ", context["expected"])]
            hint = suggestion(error["input"], words) if isinstance(error["input"], str) else ""
            return Complaint(location, f"this is {kind_of(error['input'])}", "one of " + ", ".join(words), hint)
        case "union_tag_invalid":
            words = [word.strip(" '") for word in context["expected_tags"].split(",")]
            key, given = context["discriminator"].strip("'"), str(context["tag"])
            where = (*location, key)
            return Complaint(where, f"unknown {key} `{shown(given)}`", "one of " + ", ".join(words), suggestion(given, words))
        case "union_tag_not_found":
            key = context["discriminator"].strip("'").removesuffix("()")
            problem = f"`{key}` is missing" if isinstance(error["input"], Mapping) else f"this is {kind_of(error['input'])}"
            return Complaint(location, problem, record.branch_words(str(location[0])))
    expected = _KINDS.get(error["type"], error["msg"])
    return Complaint(location, f"this is {kind_of(error['input'])}", expected)
