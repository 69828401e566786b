"""Waveforms: values that change with time while an event is in force, in place of a single value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from simulator.errors import suggestion
from simulator.physics.units import QuantityError
from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.quantity import Quantity
from simulator.scenario.records import Record

__all__ = [
    "EXAMPLES",
    "NO_WAVEFORM",
    "SHAPES",
    "Instant",
    "Ramp",
    "Sine",
    "Span",
    "Table",
    "is_waveform",
    "settled_waveform",
    "shape_of",
]

Instant = Annotated[float, Quantity("s", 0.0, 1e12)]
Span = Annotated[float, Quantity("s", maximum=1e12, positive=True)]

#: Maximum number of points of a table.
MOST_POINTS = 10_000

#: What a waveform looks like, for messages.
EXAMPLES = (
    "{ramp: [-120 mV, 40 mV], over: 500 ms}, {sine: 10 mV, around: -60 mV, frequency: 5 Hz}, "
    "{times: [0 s, 1 s], values: [-80 mV, 20 mV]} or {table: command.csv}"
)


class Ramp(Record):
    """From one value to another at constant speed, then held."""

    ramp: tuple[Any, Any] = Field(description="first and last value", strict=False)
    over: Span | None = Field(None, description="time from the first to the last value; default: `lasting`")

    def numbers(self) -> Iterator[tuple[str | int, ...]]:
        """Places of the values within the waveform."""
        yield from (("ramp", 0), ("ramp", 1))

    @property
    def last(self) -> float:
        """Value that it comes to."""
        return float(self.ramp[1])


class Sine(Record):
    """A sine about a mean."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["frequency"]}, {"required": ["period"]}]})

    sine: Any = Field(description="amplitude: from the mean to the peak, with its unit")
    around: Any = Field(description="the mean that the sine swings about, with its unit")
    frequency: Annotated[float, Quantity("1/s", positive=True)] | None = Field(None, description="frequency")
    period: Span | None = Field(None, description="period, instead of a frequency")
    phase: Annotated[float, Quantity("1", -1.0, 1.0)] = Field(
        0.0, description="part of a period by which it is ahead: 0 begins at the mean and rises, 0.25 at the peak"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.frequency is None) == (self.period is None):
            refuse("Sine", [Complaint((), "a sine needs a frequency or a period", "one of both, e.g. frequency: 5 Hz")])
        return self

    def numbers(self) -> Iterator[tuple[str | int, ...]]:
        """Places of the values within the waveform."""
        yield from (("sine",), ("around",))

    @property
    def once(self) -> float:
        """Its period [s]."""
        return 1.0 / self.frequency if self.frequency is not None else float(self.period or math.nan)

    @property
    def last(self) -> float:
        """Value that it swings about."""
        return float(self.around)


class Table(Record):
    """Points joined by straight lines; two points at one time are a jump, and the last value is held."""

    times: tuple[Instant, ...] = Field(description="times after the event, not decreasing", strict=False)
    values: tuple[Any, ...] = Field(description="values at these times", strict=False)

    @model_validator(mode="after")
    def _check(self) -> Self:
        found = []
        if len(self.times) != len(self.values):
            problem = f"the number of times is {len(self.times)}, that of values {len(self.values)}"
            found.append(Complaint(("values",), problem, "a value for each time"))
        if not 1 <= len(self.times) <= MOST_POINTS:
            found.append(Complaint(("times",), f"there are {len(self.times)} points", f"1 to {MOST_POINTS} points"))
        for i, (time, following) in enumerate(zip(self.times, self.times[1:], strict=False)):
            if following < time:
                found.append(Complaint(("times", i + 1), "this time lies before the one above it", "times in order"))
                break
        if found:
            refuse("Table", found)
        return self

    def numbers(self) -> Iterator[tuple[str | int, ...]]:
        """Places of the values within the waveform."""
        yield from (("values", i) for i in range(len(self.values)))

    @property
    def last(self) -> float:
        """Value that it comes to."""
        return float(self.values[-1])


#: The waveforms by the key that only one of them has.
SHAPES: Mapping[str, type[Ramp | Sine | Table]] = {"ramp": Ramp, "sine": Sine, "values": Table}


def shape_of(value: object) -> str | None:
    """Key that tells which waveform a block is; None if it has none of these keys."""
    keys = value if isinstance(value, Mapping) else vars(value) if isinstance(value, Record) else ()
    return next((name for name in SHAPES if name in keys), None)


#: The error about a block with none of these keys.
NO_WAVEFORM: Any = {
    "custom_error_type": "complaint",
    "custom_error_message": "{problem}",
    "custom_error_context": {"problem": "this is not a waveform", "expected": EXAMPLES, "hint": ""},
}


def is_waveform(value: object) -> bool:
    """Whether a value of an event is more than a number, and so meant to be a waveform."""
    return isinstance(value, Mapping | list | tuple | Ramp | Sine | Table)


def settled_waveform(
    value: Any,
    quantity: Quantity,
    read: Callable[[Quantity, Any], Any],
    at: tuple[str | int, ...],
    lasting: float | None,
    *,
    text: bool,
) -> tuple[Ramp | Sine | Table | None, list[Complaint]]:
    """Return a waveform with its values in SI, and the complaints about it.

    Parameters
    ----------
    value : mapping or waveform
        The waveform as written.
    quantity : Quantity
        What its values are.
    read : callable
        Reads a value of such a quantity.
    at : tuple of str or int
        Its place in the scenario.
    lasting : float or None
        How long its event is in force [s]; None if for good.
    text : bool
        Whether the scenario is read from text, where times need units.
    """
    shape = shape_of(value)
    if shape is None:
        keys = map(str, value) if isinstance(value, Mapping) else ()
        hints = (suggestion(key, (*SHAPES, "table")) for key in keys)
        return None, [Complaint(at, "this is not a waveform", EXAMPLES, next(filter(None, hints), ""))]
    try:
        found = SHAPES[shape].model_validate(value, context={"text": text})
    except ValidationError as error:
        return None, [Complaint.of((*at, *line["loc"]), line["ctx"]) for line in error.errors(include_url=False)]
    wrong: list[Complaint] = []
    numbers = {}
    for place in found.numbers():
        given: Any = found
        for step in place:
            given = getattr(given, step) if isinstance(step, str) else given[step]
        try:
            numbers[place] = read(quantity.difference() if place == ("sine",) else quantity, given)
        except QuantityError as error:
            numbers[place] = math.nan
            wrong.append(Complaint((*at, *place), error.problem, error.expected, error.hint))
    if isinstance(found, Ramp):
        if found.over is None and lasting is None:
            wrong.append(Complaint(at, "`over` is missing: the time from the first to the last value", "a time"))
        return found.model_copy(update={"ramp": tuple(numbers.values())}), wrong
    if isinstance(found, Table):
        return found.model_copy(update={"values": tuple(numbers.values())}), wrong
    amplitude, mean = numbers.values()
    readable = not wrong and math.isfinite(amplitude) and math.isfinite(mean)
    if readable and not (quantity.allows(mean - abs(amplitude)) and quantity.allows(mean + abs(amplitude))):
        wrong.append(Complaint((*at, "sine"), "the sine leaves the range of the value", quantity.expected))
    return found.model_copy(update={"sine": amplitude, "around": mean}), wrong
