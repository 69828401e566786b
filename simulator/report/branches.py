"""Branches of rest points, as text and as a record."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np

from simulator.errors import IonfluxError
from simulator.model.kinetics import environment, rate_numbers
from simulator.physics.notation import Scale, duration, plain_number, readable, with_unit
from simulator.physics.units import QuantityError
from simulator.report.columns import table
from simulator.scenario.paths import shortest_ending
from simulator.scenario.quantity import Quantity
from simulator.verdict.continuation import Branch, Continuation
from simulator.verdict.evidence import fit_for_json, pairs
from simulator.verdict.tracing import Special

__all__ = ["branches_record", "branches_text", "membranes_of", "name_of", "period", "scale_of"]

#: Names of special points, and digits of their values.
KINDS, DIGITS = {"fold": "fold", "hopf": "Hopf point", "branch_point": "branch point", "end": "end"}, 7

#: Part of the larger end of the range that is zero up to rounding.
NOTHING = 1.0e-12


def name_of(found: Continuation) -> str:
    """The number's name: the shortest ending of its path that is unique."""
    return shortest_ending(found.key, [*rate_numbers(found.model), *environment(found.model)])


def membranes_of(found: Continuation) -> list[str]:
    """Membranes whose potential is not the same at all rest points, or all if there is none."""
    places = [place for branch in found.branches for place in branch.places]
    values = np.array([list(found.potentials(place).values()) for place in places])
    names = [m.name for m in found.model.structure.membranes]
    return [name for name, span in zip(names, np.ptp(values, axis=0), strict=True) if span > 0.0] or names


def scale_of(found: Continuation, text: str) -> Scale:
    """The unit of a text such as ``20 uA/cm^2`` for the number, or a readable one."""
    quantity = found.model.scenario.leaves()[found.key].quantity
    given = re.fullmatch(r"\s*([-+0-9.eE]*[0-9.])\s*([^\W\d].*?)\s*", text)
    if given is not None and isinstance(quantity, Quantity):
        number, unit = float(given[1]), given[2]
        # A unit is a factor if half of a value is half as much in SI: neither degC, pH nor resistances are.
        with suppress(IonfluxError, QuantityError):
            whole, half = (
                float(found.model.scenario.read_at(found.key, quantity, f"{n!r} {unit}", text=True))
                for n in (number, 0.5 * number)
            )
            if number and math.isclose(whole, 2.0 * half, rel_tol=1e-12):
                return Scale(whole / number, unit)
    return readable(max(abs(found.start), abs(found.stop)), found.unit)


def period(special: Special) -> float:
    """Period [s] of the oscillation that begins at a Hopf point."""
    return float(2.0 * np.pi / special.crossing.imag)


def branches_text(found: Continuation, unit_text: str = "") -> str:
    """Describe branches of rest points for a terminal; values are in the unit of a text, if it has one."""
    scale = scale_of(found, unit_text)

    def written(value: float) -> str:
        value = value if abs(value) > NOTHING * max(abs(found.start), abs(found.stop)) else 0.0
        return f"{plain_number(value / scale.size, DIGITS)} {scale.text}".strip()

    name, membranes = name_of(found), membranes_of(found)
    lines = [f"{found.model.scenario.name}: rest points over {name}, {written(found.start)} to {written(found.stop)}"]
    for i, branch in enumerate(found.branches):
        heading = f"branch {i}" + (", closed" if branch.closed else "")
        lines += ["", f"{heading}: {_stability(branch, written)}"]
        rows = [("point", name, *(f"V, {m}" for m in membranes), "")]
        for place, special in branch.specials:
            known = found.potentials(special.place)
            potentials = (with_unit(known[m], "V", 5) for m in membranes)
            rows.append((KINDS[special.kind], written(special.place.value), *potentials, _what(branch, place, special)))
        lines += table(rows)
    return "\n".join(lines)


def _stability(branch: Branch, written: Callable[[float], str]) -> str:
    """Where a branch is stable, in words."""
    stable = branch.stable
    if np.all(stable):
        return "stable"
    if not np.any(stable):
        return "unstable"
    marks, parts = [(n, s.place.value) for n, s in branch.specials], []
    for (n, one), (m, other) in pairwise(marks):
        if m > n and np.all(stable[n:m]):
            parts.append(f"{written(min(one, other))} to {written(max(one, other))}")
    return "stable from " + " and from ".join(parts) if parts else "stable in parts"


def _what(branch: Branch, place: int, special: Special) -> str:
    """What happens at a special point, in words."""
    if special.kind == "end":
        return special.reason
    if special.kind == "fold":
        stable = 0 in (special.before, special.after)
        pair = "a stable and an unstable rest point" if stable else "two unstable rest points"
        return f"{pair} meet; neither exists {'above' if branch.places[place - 1].rising else 'below'}"
    if special.kind == "branch_point":
        return "another branch crosses"
    told = f"period {duration(period(special))}"
    if special.before and special.after:
        return f"{told}; already unstable"
    return f"{told}; unstable {'above' if (special.before == 0) == special.place.rising else 'below'}"


def branches_record(found: Continuation) -> dict[str, Any]:
    """The document of ``continue --json``: SI numbers."""
    points = []
    for i, special in found.points():
        place = special.place
        point: dict[str, Any] = {
            "kind": special.kind,
            "value": place.value,
            "potential": found.potentials(place),
            "concentration": found.concentrations(place),
            "volume": found.volumes(place),
            "eigenvalues": pairs(place.eigenvalues),
            "branch": i,
        }
        if special.kind == "hopf":
            point["period"] = period(special)
        if special.kind == "end":
            point["reason"] = special.reason
        points.append(point)
    membranes = [m.name for m in found.model.structure.membranes]
    branches = [
        {
            "value": branch.values.tolist(),
            "potential": {m: [found.potentials(place)[m] for place in branch.places] for m in membranes},
            "stable": branch.stable.tolist(),
            "unstable": [place.unstable for place in branch.places],
            "closed": branch.closed,
        }
        for branch in found.branches
    ]
    record = {
        "name": found.model.scenario.name,
        "parameter": found.key,
        "unit": found.unit,
        "from": found.start,
        "to": found.stop,
        "points": points,
        "branches": branches,
    }
    fitting = fit_for_json(record)
    assert isinstance(fitting, dict)
    return fitting
