"""Measures: one number of a run besides its end, such as a peak or the time of a first crossing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from simulator.physics.notation import format_quantity
from simulator.scenario.complaints import Complaint, refuse
from simulator.scenario.quantity import Quantity
from simulator.scenario.records import Record
from simulator.scenario.waveforms import Instant

__all__ = ["KINDS", "MEASURABLE", "Measure"]

#: What can be measured: unit, meaning, and the labels that a quantity needs, as in ``concentration.cell.k``.
MEASURABLE: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "potential": ("V", "membrane potential", ("membrane",)),
    "concentration": ("mol/m^3", "concentration", ("compartment", "species")),
    "amount": ("mol", "amount", ("compartment", "species")),
    "volume": ("m^3", "volume", ("compartment",)),
    "charge": ("C", "charge of a compartment", ("compartment",)),
    "compartment_potential": ("V", "potential of a compartment", ("compartment",)),
    "open_fraction": ("1", "open fraction of a gate", ("membrane", "mechanism", "gate")),
    "current": ("A/m^2", "current density, outward", ("membrane", "mechanism")),
    "influx": ("mol/m^2/s", "influx", ("membrane", "mechanism", "species")),
    "efflux": ("mol/m^2/s", "efflux", ("membrane", "mechanism", "species")),
    "net_flux": ("mol/m^2/s", "net flux into the inside", ("membrane", "mechanism", "species")),
    "nernst": ("V", "Nernst potential", ("membrane", "species")),
    "driving_force": ("V", "driving force V - E", ("membrane", "species")),
}

#: The kinds of measures, and their units: that of the quantity if empty.
KINDS: Mapping[str, str] = {
    "peak": "",
    "trough": "",
    "mean": "",
    "value": "",
    "crossing": "s",
    "spikes": "1",
    "period": "s",
}

_EXAMPLE = "a quantity, e.g. potential.plasma or concentration.cell.k"


class Measure(Record):
    """One number of a run: a quantity's peak, mean, value at a time, time of its first crossing of a level, ..."""

    peak: str | None = Field(None, description="quantity whose largest value is wanted")
    trough: str | None = Field(None, description="quantity whose smallest value is wanted")
    mean: str | None = Field(None, description="quantity whose mean over time is wanted")
    value: str | None = Field(None, description="quantity whose value at the time `at` is wanted")
    crossing: str | None = Field(None, description="quantity whose first crossing of `level` is timed")
    spikes: str | None = Field(None, description="quantity whose rises through `level` are counted")
    period: str | None = Field(
        None, description="quantity whose mean time from one rise through `level` to the next is wanted"
    )
    at: Instant | None = Field(None, description="time of a value")
    level: Any | None = Field(None, description="level to cross; default for potentials: 0 mV")
    direction: Literal["rising", "falling", "either"] = Field("either", description="direction of a crossing")
    window: tuple[Instant, ...] | None = Field(
        None, description="first and last time that count; default: the whole run", strict=False
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            problem = f"a measure is one of {', '.join(KINDS)}, but {' and '.join(given) or 'none'} is given"
            refuse("Measure", [Complaint((), problem, "one of them with a quantity", "e.g. {peak: potential.plasma}")])
        found = []
        if (self.at is not None) != (self.kind == "value"):
            problem = "`at` is missing: the time of the value" if self.kind == "value" else f"a {self.kind} has no `at`"
            found.append(Complaint(() if self.at is None else ("at",), problem, "a time, e.g. at: 5 min, for a value"))
        if self.window is not None and (len(self.window) != 2 or not self.window[0] < self.window[-1]):
            found.append(Complaint(("window",), "this is not a window", "first and last time, e.g. [1 h, 2 h]"))
        if self.window is not None and self.kind == "value":
            found.append(Complaint(("window",), "a value at a time has no window", "`at` alone"))
        if self.direction != "either" and self.kind != "crossing":
            found.append(Complaint(("direction",), f"a {self.kind} has no direction", "a direction of a crossing"))
        if self.level is not None and self.kind not in ("crossing", "spikes", "period"):
            found.append(Complaint(("level",), f"a {self.kind} has no level", "a level of crossing, spikes or period"))
        if found:
            refuse("Measure", found)
        return self

    @property
    def kind(self) -> str:
        """Which of :data:`KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def quantity(self) -> str:
        """The quantity that is measured, e.g. ``potential.plasma``."""
        return str(getattr(self, self.kind))

    @property
    def of(self) -> Quantity:
        """What values of the quantity are."""
        return Quantity(MEASURABLE.get(self.quantity.partition(".")[0], ("1", "", ()))[0])

    @property
    def unit(self) -> str:
        """SI unit of the measure."""
        return KINDS[self.kind] or self.of.unit

    @property
    def meaning(self) -> str:
        """The measure in words."""
        within = ""
        if self.window is not None:
            within = " from {} to {}".format(*(format_quantity(time, "s") for time in self.window))
        if self.kind in ("crossing", "spikes", "period"):
            level = format_quantity(float(self.level or 0.0), self.of.unit)
            first = f"first {self.direction} " if self.direction != "either" else "first "
            words = {
                "crossing": f"time of the {first}crossing",
                "spikes": "number of rises",
                "period": "time between rises",
            }
            return f"{words[self.kind]} of {self.quantity} through {level}{within}"
        moment = f" at {format_quantity(self.at, 's')}" if self.at is not None else ""
        return f"{self.kind} of {self.quantity}{moment}{within}"
