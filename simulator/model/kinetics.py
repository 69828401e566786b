"""Which numbers of a scenario its rates depend on, and the parameters of the equations that each of them enters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.mechanisms import CLAMP
from simulator.model.model import Model
from simulator.model.parameters import parameter_vector

__all__ = ["environment", "parameters_by_key", "rate_numbers"]


def rate_numbers(model: Model) -> tuple[str, ...]:
    """Dotted paths of the numbers of all mechanisms, and of the scales of permeability that they are multiples of."""
    found = []
    for m in model.structure.membranes:
        if f"membranes.{m.name}.permeability_scale" in model.values:
            found.append(f"membranes.{m.name}.permeability_scale")
        for mechanism in m.mechanisms:
            if mechanism.label != CLAMP:
                key = f"membranes.{m.name}.mechanisms.{mechanism.owner}"
                found += [f"{key}.{p.key}" for p in mechanism.law.parameters]
    return tuple(dict.fromkeys(found))


def environment(model: Model) -> tuple[str, ...]:
    """Dotted paths of the concentrations in baths, and of the temperature or RT/F."""
    baths = [c for c in model.structure.compartments if c.volume == "bath"]
    concentrations = [f"compartments.{c.name}.concentrations.{s}" for c in baths for s in c.species]
    return (*concentrations, *(key for key in ("temperature", "rt_over_f") if key in model.values))


def parameters_by_key(model: Model, keys: Sequence[str]) -> np.ndarray:
    """How the parameters of the equations grow with numbers of the scenario, shape (keys, parameters).

    Every such parameter is proportional to the number, so one difference is exact up to rounding. Amounts and areas
    stay what they were at t = 0, as after an event of the protocol.
    """
    before = model.values
    steps = np.array([abs(before[key]) or 1.0 for key in keys])
    moved = {key: before[key] + np.where(np.arange(len(keys)) == i, steps, 0.0) for i, key in enumerate(keys)}
    start = model.contents()
    base = parameter_vector(start.changed(before))
    after = np.broadcast_to(parameter_vector(start.changed({**before, **moved})), (len(keys), len(base)))
    return (after - base) / steps[:, None]
