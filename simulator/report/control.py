"""Control coefficients of a rest point, as text and as a record."""

from __future__ import annotations

import math
from typing import Any

from simulator.physics.notation import with_unit
from simulator.report.columns import table
from simulator.scenario.paths import shortest_ending
from simulator.verdict.control import Control
from simulator.verdict.evidence import fit_for_json

__all__ = ["control_record", "control_text"]

#: Most numbers shown for each quantity, and the least coefficient shown, relative to the largest.
SHOWN, WORTH_SHOWING = 8, 1.0e-3


def control_text(found: Control) -> str:
    """Describe how a rest point moves, for a terminal: for each quantity the numbers it depends on most."""
    rest, others = found.rest, found.found - 1
    stable = "stable" if rest.verdict.stable else "unstable"
    count = f"the first of {found.found} rest points" if others else "the only rest point found"
    names = {key: shortest_ending(key, found.keys) for key in found.keys}
    lines = [f"{rest.trajectory.scenario.name}: {count} ({stable}, {rest.verdict.word})", ""]
    coefficients = found.coefficients
    for i, (quantity, value) in enumerate(found.quantities.items()):
        if value == 0.0 and quantity.startswith("flux."):
            lines += [f"{quantity} = 0", ""]
            continue
        unit, changes = found.units[quantity], dict(zip(found.keys, found.sensitivity[i].tolist(), strict=True))
        largest = max(map(abs, changes.values()), default=0.0)
        order = sorted(changes, key=lambda key: -abs(changes[key]))
        shown = [key for key in order[:SHOWN] if abs(changes[key]) > WORTH_SHOWING * largest]
        lines.append(f"{quantity} = {with_unit(value, unit)}")
        rows = [("number", "d ln Q/d ln p", "for +1 %")]
        rows += [
            (names[key], _coefficient(coefficients[quantity][key]), with_unit(0.01 * changes[key], unit))
            for key in shown
        ]
        rows.append(("all rates", _coefficient(_scaled(found.sums[quantity], value, largest)), ""))
        lines += [*table(rows), ""]
    missing = f" (with the whole rate of {', '.join(found.unscaled)})" if found.unscaled else ""
    lines.append(
        f"Summation theorem: the coefficients of all rates{missing} add up to 1 for fluxes and 0 for the rest, "
        f"within {found.theorem:.0e}."
    )
    return "\n".join(lines)


def _coefficient(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _scaled(total: float, value: float, largest: float) -> float:
    """A sum of coefficients; one that is zero up to rounding is zero."""
    return 0.0 if abs(total) < 1.0e-9 * largest else total / value if value else math.nan


def control_record(found: Control) -> dict[str, Any]:
    """The document of ``control --json``."""
    record = {
        "name": found.rest.trajectory.scenario.name,
        "rest_points": found.found,
        "stable": found.rest.verdict.stable,
        "verdict": found.rest.verdict.word,
        "quantities": dict(found.quantities),
        "units": dict(found.units),
        "coefficients": found.coefficients,
        "sensitivities": {
            quantity: dict(zip(found.keys, row, strict=True))
            for quantity, row in zip(found.quantities, found.sensitivity.tolist(), strict=True)
        },
        "rate_keys": list(found.rate_keys),
        "unscaled": list(found.unscaled),
        "sums": dict(found.sums),
        "theorem": found.theorem,
    }
    fitting = fit_for_json(record)
    assert isinstance(fitting, dict)
    return fitting
