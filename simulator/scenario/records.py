"""Building blocks of a scenario: labels, immutable mappings, and records that explain their errors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Never, Self, TypeVar, get_args, get_origin

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
from pydantic_core import ErrorDetails

from simulator.errors import LABEL, LABEL_IN_WORDS, closest, did_you_mean, kind_of, not_offered, shown, suggestion
from simulator.scenario.complaints import Complaint, complaint_error, refuse
from simulator.scenario.quantity import quantity_of

__all__ = ["LONGEST_TITLE", "TWIN_NAME", "Frozen", "FrozenDict", "Label", "Record", "check_title", "unknown_word"]

K = TypeVar("K")
Item = TypeVar("Item")

#: Maximum number of unknown keys reported per record: suggestions take time, and a file may hold 10^5 such keys.
MOST_UNKNOWN_KEYS = 20


class FrozenDict(dict[K, Item]):
    """An immutable dict."""

    def _unchangeable(self, *_args: object, **_kwargs: object) -> Never:
        raise TypeError("a scenario is immutable; make a new one")

    __setitem__ = __delitem__ = __ior__ = _unchangeable
    clear = pop = popitem = setdefault = update = _unchangeable

    def __reduce__(self) -> tuple[type, tuple[dict[K, Item]]]:
        return type(self), (dict(self),)


def _check_label(value: object) -> object:
    if isinstance(value, str) and not LABEL.fullmatch(value):
        problem = f"`{shown(value)}` is not a valid name"
        lower = value.lower()
        hint = f"did you mean `{lower}`?" if LABEL.fullmatch(lower) else ""
        raise complaint_error(problem, LABEL_IN_WORDS, hint)
    return value


#: A name a scenario gives: of a compartment, membrane, mechanism or species.
Label = Annotated[
    str, BeforeValidator(_check_label), WithJsonSchema({"type": "string", "pattern": f"^{LABEL.pattern}$"})
]

#: Names of twins: they can be typed after ``--twin`` and are no path.
TWIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+-]{0,40}")

#: Maximum number of characters of a title.
LONGEST_TITLE = 100


def check_title(title: str) -> str:
    """Refuse titles that do not fit into one line."""
    expected = f"a title of 1 to {LONGEST_TITLE} characters"
    if not title.strip() or len(title) > LONGEST_TITLE:
        raise complaint_error(f"the title has {len(title)} characters", expected)
    if any(unicodedata.category(character).startswith("C") for character in title):
        raise complaint_error("the title contains a control character", expected)
    return title


#: Makes validated dicts immutable.
Frozen = AfterValidator(FrozenDict)


class Record(BaseModel):
    """An immutable part of a scenario that reports its errors in a user's words."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    #: Union fields: depth at which pydantic puts the branch's name into the location, and the text of "expected".
    branches: ClassVar[Mapping[str, tuple[int, str]]] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            refuse(cls.__name__, cls._complaints(error.errors(include_url=False)))

    @classmethod
    def _complaints(cls, errors: list[ErrorDetails]) -> list[Complaint]:
        missing = {str(e["loc"][0]) for e in errors if e["type"] == "missing" and len(e["loc"]) == 1}
        complaints = cls._unknown_keys(errors, missing)
        for error in errors:
            at_this_record = len(error["loc"]) == 1
            if at_this_record and error["type"] == "extra_forbidden":
                continue
            if at_this_record and error["type"] == "missing" and error["loc"][0] not in missing:
                continue
            complaints.append(_translated(error, cls._without_branch(error["loc"]), cls))
        return complaints

    @classmethod
    def _unknown_keys(cls, errors: list[ErrorDetails], missing: set[str]) -> list[Complaint]:
        """Complaints about unknown keys, each with the key that may be meant; that one is taken out of `missing`."""
        complaints = []
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for error in [e for e in errors if e["type"] == "extra_forbidden" and len(e["loc"]) == 1][:MOST_UNKNOWN_KEYS]:
            given = str(error["loc"][0])
            meant = closest(given, missing)
            missing.discard(meant)  # the unknown key explains the missing one
            complaints.append(unknown_word(error["loc"], "key", given, known, meant))
        return complaints

    @classmethod
    def _without_branch(cls, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if not location or location[0] not in cls.branches:
            return location
        depth, _ = cls.branches[str(location[0])]
        return location[:depth] + location[depth + 1 :]


def _words_in(annotation: Any, key: str = "") -> list[str]:
    """Words that a type allows; with a key, those that this key has in the records of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _words_in(annotation.model_fields[key].annotation) if key in annotation.model_fields else []
    if get_origin(annotation) is Literal:
        return [] if key else [str(word) for word in get_args(annotation)]
    return [word for part in get_args(annotation) for word in _words_in(part, key)]


def _one_of(words: list[str]) -> str:
    return "one of " + ", ".join(words) if words else ""


def unknown_word(
    location: tuple[str | int, ...], kind: str, given: str, known: Iterable[str], meant: str = ""
) -> Complaint:
    """Complaint about a word that is not among those known; `meant` is the one it probably stands for."""
    reason, instead = not_offered(given)
    hint = did_you_mean(meant) if meant else instead or suggestion(given, known)
    problem = reason or f"unknown {kind} `{shown(given)}`"
    return Complaint(location, problem, "" if reason else "one of " + ", ".join(known), hint, unknown_key=kind == "key")


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
    """Translate one of pydantic's own errors into a user's words."""
    context: Mapping[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "complaint":
            location = location[:-1] if location and location[-1] == "[key]" else location
            return Complaint.of(location, context)
        case "missing":
            fields = {field.alias or name: field for name, field in record.model_fields.items()}
            field = fields.get(str(location[-1]))
            meaning = field.description if field is not None and len(location) == 1 else ""
            quantity = quantity_of(field) if field is not None else None
            example = quantity.typical() if quantity is not None else ""
            form = f" (with its unit, e.g. {example})" if example else ""
            choice = _one_of(_words_in(field.annotation)) if field is not None and quantity is None else ""
            told = f"{choice} ({meaning})" if choice and meaning else choice or f"{meaning or 'a value'}{form}"
            return Complaint(location, f"`{location[-1]}` is missing", told)
        case "literal_error":
            words = [word.strip(" '") for word in re.split(",| or ", context["expected"])]
            if isinstance(error["input"], str) and not_offered(error["input"])[0]:
                return unknown_word(location, "word", error["input"], words)
            hint = suggestion(error["input"], words) if isinstance(error["input"], str) else ""
            told = record.branches.get(str(location[0]), (0, ""))[1] or _one_of(words)
            return Complaint(location, f"this is {kind_of(error['input'])}", told, hint)
        case "union_tag_invalid":
            words = [word.strip(" '") for word in context["expected_tags"].split(",")]
            key, given = context["discriminator"].strip("'").removesuffix("()"), str(context["tag"])
            return unknown_word((*location, key), key, given, words)
        case "union_tag_not_found":
            key = context["discriminator"].strip("'").removesuffix("()")
            example = record.branches.get(str(location[0]), (0, ""))[1]
            if not isinstance(error["input"], Mapping):
                return Complaint(location, f"this is {kind_of(error['input'])}", example)
            choice = _one_of(_words_in(record.model_fields[str(location[0])].annotation, key))
            return Complaint(location, f"`{key}` is missing", choice or example, example if choice else "")
        case "too_long" | "too_short":
            most, given = context.get("max_length", context.get("min_length")), context["actual_length"]
            return Complaint(location, f"this list has {given} values", f"{most} values")
    expected = _KINDS.get(error["type"], error["msg"])
    scalar = error["type"] == "string_type" and isinstance(error["input"], bool | int | float)
    return Complaint(location, f"this is {kind_of(error['input'])}", expected, "put it in quotes" if scalar else "")
