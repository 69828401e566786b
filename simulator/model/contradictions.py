"""Contradictions that the values of a single run, in a sweep, may bring about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from simulator.errors import ModelError
from simulator.model.contents import Values
from simulator.model.structure import Structure
from simulator.model.waves import changes
from simulator.physics.notation import format_quantity
from simulator.scenario.parts import POTENTIAL, ReleaseEvent
from simulator.scenario.scenario import Scenario
from simulator.scenario.waveforms import Sine, Table

__all__ = ["check_occupancies", "check_protocol"]

#: Largest error of a sum of occupancies that is due to rounding.
ROUNDING = 1.0e-9


def check_occupancies(structure: Structure, values: Values) -> None:
    """Raise ModelError if the parts of channels that start in each state do not add up to 1."""
    for m, mechanism, scheme in structure.schemes.values():
        key = f"membranes.{m.name}.mechanisms.{mechanism.owner}.start"
        parts = [values[f"{key}.{state}"] for state in scheme.states if f"{key}.{state}" in values]
        if parts and np.any(wrong := np.abs(sum(parts) - 1.0) > ROUNDING):
            total = float(np.broadcast_to(sum(parts), np.shape(wrong))[wrong].flat[0])
            raise ModelError(key, f"the parts at the start add up to {total:.10g}", "parts that add up to 1")


def check_protocol(scenario: Scenario, values: Values) -> None:
    """Raise ModelError if pulses overlap, points of a table are out of order, or a sine leaves the range of its value.

    `values` by dotted path are numbers, or arrays of shape (runs,).
    """
    for i, event in enumerate(scenario.protocol):
        if isinstance(event, ReleaseEvent):
            continue
        if event.every is not None and np.any(values[f"protocol.{i}.lasting"] >= values[f"protocol.{i}.every"]):
            raise ModelError(f"protocol.{i}.lasting", "a pulse lasts into the next one", "less than `every`")
        for (kind, name), (wave, key) in changes(event, i).items():
            if isinstance(wave, Table):
                _check_order(key, len(wave.times), values)
            elif isinstance(wave, Sine):
                _check_range(scenario, name if kind == "value" else "", key, values)


def _check_order(key: str, points: int, values: Values) -> None:
    times = [values[f"{key}.times.{i}"] for i in range(points)]
    for i in range(1, points):
        if np.any(times[i] < times[i - 1]):
            problem = f"this time lies before the one above it, `{key}.times.{i - 1}`"
            raise ModelError(f"{key}.times.{i}", problem, "times in order")


def _check_range(scenario: Scenario, path: str, key: str, values: Values) -> None:
    quantity = scenario.leaves()[path].quantity if path else POTENTIAL
    assert quantity is not None
    for end in _ends(values[f"{key}.around"], values[f"{key}.sine"]):
        outside = ~np.asarray(quantity.allows(end))
        if np.any(outside):
            worst = format_quantity(float(np.broadcast_to(end, outside.shape)[outside].flat[0]), quantity.unit)
            raise ModelError(f"{key}.sine", f"the sine reaches {worst}", quantity.expected)


def _ends(mean: Any, amplitude: Any) -> Iterator[Any]:
    yield np.asarray(mean - np.abs(amplitude))
    yield np.asarray(mean + np.abs(amplitude))
