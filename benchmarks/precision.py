"""Work and error of every shipped scenario at several tolerances: what the method and its step control are chosen by.

The error is the largest over all saved points and states against the same kernel at rtol 1e-12, relative to the size of
each state; points at which the reference itself failed are left out. Work is the number of attempted steps.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.kernel import load_program
from simulator.kernel.inputs import Inputs
from simulator.model.model import Model
from simulator.scenario.save_times import save_times
from simulator.storage.start import load_scenario

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
TOLERANCES = (1e-4, 1e-6, 1e-8)
REFERENCE = 1e-12


class Work(NamedTuple):
    """One scenario at one tolerance."""

    scenario: str
    rtol: float
    steps: int
    error: float


def scenarios() -> Iterator[Path]:
    """Files of the shipped scenarios."""
    for folder in (CONFIGS, CONFIGS / "published"):
        yield from sorted(folder.glob("*.yaml"))


def work(config: Path, tolerances: tuple[float, ...] = TOLERANCES) -> Iterator[Work]:
    """Run a scenario at each tolerance; nothing for one without states."""
    model = Model.of(load_scenario(config))
    if not model.structure.states:
        return
    inputs, times, program = Inputs.of(model), save_times(model.scenario.run), load_program(model.structure)

    def states(rtol: float) -> tuple[np.ndarray, int]:
        found = program.integrate(
            inputs.state,
            inputs.parameters,
            inputs.scale,
            inputs.end,
            times,
            event_time=inputs.events.time,
            event_parameters=inputs.events.parameters,
            rtol=rtol,
            max_steps=10_000_000,
        )
        return found.saved[0], int(found.attempts[0])

    reference, _ = states(REFERENCE)
    size = np.maximum(np.nanmax(np.abs(reference), axis=0), 1e3 * inputs.scale[0])
    for rtol in tolerances:
        found, steps = states(rtol)
        yield Work(config.stem, rtol, steps, float(np.nanmax(np.abs(found - reference) / size)))


def rows() -> Iterator[Work]:
    """Work and error of every shipped scenario."""
    for config in scenarios():
        yield from work(config)


def summary() -> Iterator[tuple[float, int, float]]:
    """Yield each tolerance with the steps of all scenarios, and the geometric mean of error over tolerance."""
    found = list(rows())
    for rtol in TOLERANCES:
        alike = [row for row in found if row.rtol == rtol]
        ratios = [max(row.error, 1e-16) / rtol for row in alike]
        yield rtol, sum(row.steps for row in alike), math.exp(statistics.fmean(map(math.log, ratios)))


if __name__ == "__main__":
    for row in rows():
        print(f"{row.scenario:28s} {row.rtol:.0e} {row.steps:8d} {row.error:.1e}")
