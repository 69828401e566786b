"""Check a sweep against its scenario: keys exist, values have valid units and bounds, the size is intended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.errors import shown, suggestion
from simulator.physics.notation import count, size
from simulator.physics.units import QuantityError
from simulator.scenario.checks.columns import settled_column
from simulator.scenario.checks.start import why_overridden
from simulator.scenario.columns import Column
from simulator.scenario.complaints import Complaint
from simulator.scenario.draft import Draft
from simulator.scenario.paths import Leaf
from simulator.scenario.quantity import Quantity
from simulator.scenario.sweep import DISTRIBUTIONS, FORMS, RANDOM_MODES, SPACED, Axis, Sweep
from simulator.scenario.sweep_cost import estimated_bytes

__all__ = ["settled_sweep", "why_not_swept"]

#: Maximum number of complaints about one sweep.
MOST_COMPLAINTS = 20

Location = tuple[str | int, ...]


def settled_sweep(draft: Draft, *, text: bool) -> tuple[Sweep | None, list[Complaint]]:
    """Return the sweep with its values in SI, and the complaints about it."""
    if draft.sweep is None:
        return None, []
    reader = _Reader(draft, draft.leaves_without_changes() | _changes(draft), text)
    sweep = reader.sweep(("sweep",), draft.sweep)
    if not reader.found:
        reader.found += _too_many(draft, sweep)
    return sweep, reader.found


def _changes(draft: Draft) -> dict[str, Leaf]:
    """Return the new values in the protocol, each with the quantity of its target."""
    try:
        return {path: leaf for path, leaf in draft.leaves().items() if path.startswith("protocol.")}
    except KeyError:  # an unknown target of the protocol is reported elsewhere
        return {}


def _too_many(draft: Draft, sweep: Sweep) -> Iterator[Complaint]:
    total = sweep.total()
    if total > sweep.limit:
        counts = ", ".join(f"{key}: {count(number)}" for key, number in sweep.counts().items())
        problem = f"this makes {count(total)} runs ({counts}), which take about {size(total * estimated_bytes(draft))}"
        hint = f"use fewer values, or set sweep.limit: {total} if this is intended (--set sweep.limit={total})"
        yield Complaint(("sweep",), problem, f"at most {count(sweep.limit)} runs (sweep.limit)", hint)


class _Reader:
    """Reads the values of a sweep with the quantities of their keys, and collects complaints."""

    def __init__(self, draft: Draft, leaves: Mapping[str, Leaf], text: bool) -> None:
        self.draft, self.leaves, self.text = draft, leaves, text
        self.found: list[Complaint] = []
        self.taken: set[str] = set()

    def complain(self, at: Location, problem: str, expected: str = "", hint: str = "") -> None:
        if len(self.found) < MOST_COMPLAINTS:
            self.found.append(Complaint(at, problem, expected, hint))

    def sweep(self, at: Location, sweep: Sweep) -> Sweep:
        """Return a sweep, or one of its `parts`, with its values in SI."""
        self._shape(at, sweep)
        parts = tuple(self.sweep((*at, "parts", i), part) for i, part in enumerate(sweep.parts))
        for where, key in _varied(at, sweep):
            if key in self.taken:
                self.complain(where, f"`{key}` already varies in another part of the sweep", "each key once")
            self.taken.add(key)
        over = {key: self._axis((*at, "over", key), key, axis, sweep.mode) for key, axis in sweep.over.items()}
        runs = tuple(
            type(run)({key: self._value((*at, "runs", i, key), key, value) for key, value in run.items()})
            for i, run in enumerate(sweep.runs)
        )
        settled = sweep.model_copy(update={"over": type(sweep.over)(over), "runs": runs, "parts": parts})
        if sweep.columns is not None:
            columns = {key: self._column((*at, "columns", key), key, c) for key, c in sweep.columns.items()}
            settled = settled.model_copy(update={"columns": type(sweep.columns)(columns)})
        if sweep.mode in ("zip", "list", "table") and not self.found:
            self._lengths(at, settled)
        return settled

    def _shape(self, at: Location, sweep: Sweep) -> None:
        """Check which keys the mode requires and which it excludes."""
        wanted = {"product": ("parts",), "list": ("runs", "over"), "table": ("columns",)}.get(sweep.mode, ("over",))
        for name in ("over", "runs", "parts", "columns", "file"):
            if name == "file" and sweep.mode == "table":
                continue
            if getattr(sweep, name) and name not in wanted:
                self.complain((*at, name), f"a {sweep.mode} sweep has no `{name}`", f"`{wanted[0]}`")
        if sweep.mode == "table" and sweep.file is not None and not sweep.columns:
            hint = "in Python give `columns`: an array for each dotted path"
            self.complain((*at, "file"), "the file has not been read", "a scenario file that names it", hint)
        elif sum(bool(getattr(sweep, name)) for name in wanted) != 1:
            self.complain(at, f"a {sweep.mode} sweep needs `{wanted[0]}`", "what varies, given by dotted path")
        if sweep.mode in RANDOM_MODES and sweep.n is None:
            self.complain(at, f"`n` is missing: the number of runs of the {sweep.mode} sweep", "a whole number")
        if sweep.mode not in RANDOM_MODES and sweep.n is not None:
            hint = "give each linspace or logspace its own n"
            self.complain(
                (*at, "n"), f"a {sweep.mode} sweep takes its number of runs from its values", "no `n` here", hint
            )
        keys = [set(run) for run in sweep.runs]
        for i, own in enumerate(keys):
            if own != keys[0]:
                odd = ", ".join(sorted(own ^ keys[0]))
                self.complain(
                    (*at, "runs", i), f"run {i} and run 0 have different keys ({odd})", "the same keys in every run"
                )

    def _lengths(self, at: Location, sweep: Sweep) -> None:
        """Check that axes side by side are equally long; name each that differs together with another."""
        name = "over" if sweep.columns is None else "columns"
        lengths = {key: axis.count() for key, axis in sweep.over.items()}
        lengths |= {key: len(column) for key, column in (sweep.columns or {}).items()}
        for key, length in lengths.items():
            other = next((k for k, n in lengths.items() if n != length), None)
            if other is not None:
                problem = f"there are {length} values here, but {lengths[other]} for `{other}`"
                self.complain((*at, name, key), problem, "axes of equal length", "use mode: grid for all combinations")

    def _quantity(self, at: Location, key: str) -> Quantity | None:
        """Return the quantity of a key; None, with a complaint, if it cannot be swept."""
        leaf = self.leaves.get(key)
        if leaf is not None and (reason := why_not_swept(key, self.leaves)):
            self.complain(at, f"`{key}` cannot be swept: {reason}", "a number of a compartment, membrane or event")
            return None
        if leaf is None or leaf.quantity is None or isinstance(leaf.value, str):
            numbers = [
                p
                for p, other in self.leaves.items()
                if other.quantity is not None and not why_not_swept(p, self.leaves)
            ]
            self.complain(at, f"there is no number `{shown(key)}` in this scenario", "", suggestion(key, numbers))
            return None
        # Words such as `auto` are not values of an axis.
        return replace(leaf.quantity, words=())

    def _value(self, at: Location, key: str, value: Any) -> Any:
        quantity = self._quantity(at, key)
        return value if quantity is None else self._read(at, key, quantity, value)

    def _read(self, at: Location, key: str, quantity: Quantity, value: Any) -> Any:
        try:
            return self.draft.read_at(key, quantity, value, text=self.text)
        except QuantityError as error:
            self.complain(at, error.problem, error.expected, error.hint)
            return value

    def _column(self, at: Location, key: str, column: Any) -> Column:
        """Return a column of a table with its values in SI; with complaints, as much of it as can be told."""
        quantity = self._quantity(at, key)
        if quantity is None:
            return column if isinstance(column, Column) else Column.of(np.zeros(1))

        def read(by: Quantity, value: Any) -> Any:
            return self.draft.read_at(key, by, value, text=self.text)

        found, wrong = settled_column(column, quantity, read)
        for place, error in wrong:
            self.complain((*at, *place), error.problem, error.expected, error.hint)
        return found

    def _axis(self, at: Location, key: str, axis: Axis, mode: str) -> Axis:
        """Return an axis, and those that go along with it, with their values in SI."""
        leader = self._lone_axis(at, key, axis, mode)
        if axis.with_ is None:
            return leader
        before, along = len(self.found), {}
        for other, coupled in axis.with_.items():
            where = (*at, "with", other)
            if coupled.with_ is not None:
                self.complain((*where, "with"), f"`{other}` goes along with `{key}` itself", f"all axes under `{key}`")
            if coupled.n is not None:
                self.complain((*where, "n"), f"there are as many values as for `{key}`", "no `n` here")
            along[other] = self._lone_axis(where, other, coupled, mode, led=True)
        leader = leader.model_copy(update={"with_": type(axis.with_)(along)})
        if len(self.found) == before:
            self._as_long(at, key, leader)
        return leader

    def _as_long(self, at: Location, key: str, leader: Axis) -> None:
        """Check that listed axes have as many values as the one they go along with."""
        for other, coupled in leader.coupled().items():
            drawn = leader.form in DISTRIBUTIONS or coupled.form in DISTRIBUTIONS
            if not drawn and coupled.count() != leader.count():
                problem = f"there are {coupled.count()} values here, but {leader.count()} for `{key}`"
                self.complain((*at, "with", other), problem, "as many values as the axis it goes along with")

    def _lone_axis(self, at: Location, key: str, axis: Axis, mode: str, led: bool = False) -> Axis:
        """Return an axis without those that go along; one that is `led` takes its number of values from another."""
        quantity = self._quantity(at, key)
        form = axis.form
        if not form:
            self.complain(at, "an axis needs exactly one form", ", ".join(FORMS), "e.g. {linspace: [1 mM, 5 mM], n: 5}")
            return axis
        numbers = axis.numbers
        wanted = FORMS[form]
        if wanted is not None and len(numbers) != wanted:
            self.complain((*at, form), f"there are {len(numbers)} numbers", f"{wanted}: {_MEANING[form]}")
            return axis
        if not numbers:
            self.complain((*at, form), "there are no values", "at least one")
            return axis
        self._fits_mode(at, axis, mode, led)
        if quantity is None:
            return axis
        before = len(self.found)
        read = [self._read((*at, form, i), key, q, v) for i, (q, v) in enumerate(_kinds(form, quantity, numbers))]
        if len(self.found) == before:
            self._ordered((*at, form), form, read, led)
        return axis.model_copy(update={form: tuple(read)})

    def _fits_mode(self, at: Location, axis: Axis, mode: str, led: bool) -> None:
        spaced = axis.form in SPACED
        if mode in RANDOM_MODES and axis.form not in (*DISTRIBUTIONS, "values"):
            hint = "uniform or loguniform draw between two values"
            self.complain(
                (*at, axis.form),
                f"a {mode} sweep draws its values from distributions",
                f"{', '.join(DISTRIBUTIONS)}",
                hint,
            )
        elif mode not in RANDOM_MODES and axis.form in DISTRIBUTIONS:
            hint = "use linspace or logspace, or the mode random, lhs or sobol"
            self.complain(
                (*at, axis.form), f"a {mode} sweep does not draw from distributions", "values that can be listed", hint
            )
        elif spaced and axis.n is None and not led:
            self.complain(at, f"`n` is missing: the number of values of {axis.form}", "a whole number")
        if axis.n is not None and not spaced and not led:
            self.complain((*at, "n"), f"{axis.form} takes no `n`", "", "only linspace and logspace have their own")

    def _ordered(self, at: Location, form: str, numbers: Sequence[Any], led: bool) -> None:
        """Check the order of values; one that goes along may fall while the other rises."""
        first, *others = numbers
        if form in ("uniform", "loguniform") and not (first < others[0] or (led and first > others[0])):
            self.complain(at, "the lowest value is not below the highest", _MEANING[form])
        if form in ("loguniform", "logspace") and not (first > 0.0 and others[0] > 0.0):
            self.complain(at, "values in equal ratios cannot start or end at 0 or below", "values above 0")
        if form == "range" and (others[1] == 0.0 or (others[0] - first) / others[1] < 0.0):
            self.complain(at, "the step does not lead from the first value to the last", _MEANING[form])


def _varied(at: Location, sweep: Sweep) -> Iterator[tuple[Location, str]]:
    """Every key that varies in a sweep itself, with its place."""
    for key, axis in sweep.over.items():
        yield (*at, "over", key), key
        yield from (((*at, "over", key, "with", other), other) for other in axis.with_ or ())
    for key in dict.fromkeys(key for run in sweep.runs for key in run):
        yield (*at, "runs", 0, key), key
    yield from (((*at, "columns", key), key) for key in sweep.columns or ())


_MEANING = {
    "linspace": "the first and the last value",
    "logspace": "the first and the last value",
    "range": "the first value, the last value and the step",
    "uniform": "the lowest and the highest value",
    "loguniform": "the lowest and the highest value",
    "normal": "the mean and the standard deviation",
}


def _kinds(form: str, quantity: Quantity, numbers: Sequence[Any]) -> Iterator[tuple[Quantity, Any]]:
    """Yield each number of an axis with its quantity: a value of the key, or a difference between two."""
    for i, number in enumerate(numbers):
        difference = (form == "normal" and i == 1) or (form == "range" and i == 2)
        if not difference:
            yield quantity, number
        else:
            yield replace(quantity.difference(), positive=form == "normal"), number


def why_not_swept(path: str, leaves: Mapping[str, Leaf]) -> str:
    """Return why a value cannot differ between the runs of a sweep; empty if it can.

    `leaves` are all values of the scenario, by dotted path.
    """
    match path.split("."):
        case ["species", *_]:
            return "a charge number is part of the equations, which the runs of a sweep share"
        case ["run" | "sweep" | "measure", *_]:
            return "it is a setting that all runs of a sweep share"
        case ["protocol", _, "times"]:
            return "the number of pulses is part of the protocol, which the runs of a sweep share"
        case ["faraday"]:
            return "this constant is part of the equations, which the runs of a sweep share"
    if path in leaves and leaves[path].counts:
        return "a whole number is part of the equations, which the runs of a sweep share"
    return why_overridden(path, leaves)
