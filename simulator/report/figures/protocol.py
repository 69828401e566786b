"""Marks for the events of a protocol: time and a short text each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from simulator.physics.notation import format_quantity, pretty_unit
from simulator.report.figures.panels import panel_size
from simulator.report.figures.style import MUTED
from simulator.report.figures.time_axis import TimeAxis
from simulator.scenario.parts import ClampEvent, ReleaseEvent, SetEvent
from simulator.scenario.scenario import Scenario
from simulator.scenario.waveforms import Ramp, Sine, Table
from simulator.trajectory.trajectory import Trajectory

#: Type size and line height [points] of event names, and the largest number of events that are named.
EVENT_SIZE, EVENT_ROW, MOST_EVENTS = 10.0, 14.0, 6


@dataclass(frozen=True)
class Mark:
    """Time [s] of an event and a text that describes it."""

    time: float
    text: str


def marks(trajectory: Trajectory) -> list[Mark]:
    """Every event of a run's protocol after its start, in order of time."""
    scenario = trajectory.scenario
    found = [Mark(event.at, ", ".join(_words(event, scenario))) for event in scenario.protocol if event.at > 0.0]
    return sorted(found, key=lambda mark: mark.time)


def _words(event: SetEvent | ClampEvent | ReleaseEvent, scenario: Scenario) -> Iterator[str]:
    match event:
        case SetEvent():
            for path, value in event.set.items():
                # The last two names are enough: `pump.max_rate`, `concentrations.k`.
                short = ".".join(path.split(".")[-2:]).replace("concentrations.", "")
                yield f"{short} {_course(value, scenario.unit_of(path))}{_pulses(event)}"
        case ClampEvent():
            for name, clamp in event.clamp.items():
                yield f"{name} clamped {_course(clamp.potential, 'V', 'to')}{_pulses(event)}"
        case ReleaseEvent():
            yield f"{', '.join(event.release)} released"


def _course(value: Any, unit: str, becomes: str = "=") -> str:
    """What a value becomes, or how it moves."""
    match value:
        case Ramp():
            first, last = (_quantity(end, unit) for end in value.ramp)
            return f"from {first} to {last}" + (f" in {_quantity(value.over, 's')}" if value.over is not None else "")
        case Sine():
            swing = f"{_quantity(value.around, unit)} {chr(0xB1)} {_quantity(abs(value.sine), unit)}"
            return f"{swing} every {_quantity(value.once, 's')}"
        case Table():
            return "by table"
    return f"{becomes} {_quantity(value, unit)}"


def _pulses(event: SetEvent | ClampEvent) -> str:
    """Duration and number of pulses; empty for a permanent change."""
    if event.lasting is None:
        return ""
    often = f" every {_quantity(event.every, 's')}" if event.every is not None else ""
    often += f", {event.times} times" if event.times is not None else ""
    return f" for {_quantity(event.lasting, 's')}{often}"


def _quantity(value: float, unit: str) -> str:
    number, _, name = format_quantity(value, unit).partition(" ")
    return f"{number.replace('-', chr(0x2212))} {pretty_unit(name)}".rstrip()


def event_rows(marks: Sequence[Mark], time: TimeAxis, width: float) -> list[int]:
    """Row for the name of each event above a panel `width` points wide, from 0.

    The row is -1 (no name) for events outside the axis, and for all if there are more than :data:`MOST_EVENTS`.
    """
    times = time.values()
    if len(times) < 2 or len(marks) > MOST_EVENTS:
        return [-1] * len(marks)
    span = float(times[-1] - times[0])
    ends: list[float] = []
    rows = []
    for mark in marks:
        x = (mark.time / time.scale.size - times[0]) / span * width
        if not 0.0 <= x <= width:
            rows.append(-1)
            continue
        row = next((i for i, end in enumerate(ends) if end < x), len(ends))
        ends[row : row + 1] = [x + 0.6 * EVENT_SIZE * len(mark.text) + 8.0]
        rows.append(row)
    return rows


def mark_events(axes: Axes, marks: Sequence[Mark], time: TimeAxis, named: bool) -> None:
    """Draw a thin vertical line at each event, with its name above the panel if `named`."""
    start, end = axes.get_xlim()
    width, _ = panel_size(axes)
    for mark, row in zip(marks, event_rows(marks, time, width), strict=True):
        x = mark.time / time.scale.size
        if not start <= x <= end:
            continue
        axes.axvline(x, color=MUTED, lw=1.0, ls=(0, (2, 2)), zorder=0.5)
        if not named or row < 0:
            continue
        # A name that would leave the page on the right is written towards the left.
        room = (end - x) / (end - start) * width + 90.0
        to_the_left = room < 0.6 * EVENT_SIZE * len(mark.text)
        axes.annotate(
            mark.text,
            (x, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2 if to_the_left else -2, 3 + EVENT_ROW * row),
            textcoords="offset points",
            ha="right" if to_the_left else "left",
            va="bottom",
            fontsize=EVENT_SIZE,
            color=MUTED,
            annotation_clip=False,
            parse_math=False,
        )
