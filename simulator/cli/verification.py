"""Run the shipped reference cases and compare their numbers with the expected ones.

A case is a scenario ``ID.yaml`` with ``ID.expected.yaml`` beside it; ``configs/reference/README.md`` describes the
format. Every number is computed by the functions that users call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.physics.units import parse_quantity
from simulator.runs.integrate import run
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.reader import read_plain
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.steady import steady_states
from simulator.verdict.verdict import classify

SUFFIX = ".expected.yaml"


@dataclass(frozen=True)
class Check:
    """One expected number or word and the computed one.

    Parameters
    ----------
    case, quantity : str
        The case, and a description of the number.
    value, expected : float or str
        SI numbers, or words.
    limit : float
        Largest allowed difference, same unit; 0 for words.
    unit : str
        SI unit of the numbers.
    """

    case: str
    quantity: str
    value: float | str
    expected: float | str
    limit: float
    unit: str

    @property
    def difference(self) -> float:
        """Distance from the expected value; infinite for a wrong word."""
        if isinstance(self.value, str) or isinstance(self.expected, str):
            return 0.0 if self.value == self.expected else math.inf
        return abs(self.value - self.expected)

    @property
    def passed(self) -> bool:
        """Whether the difference is within the limit."""
        return self.difference <= self.limit


def case_ids(folder: Path) -> list[str]:
    """Return all cases in a folder of reference cases."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def verify(folder: Path, case: str) -> Iterator[Check]:
    """Run one case and yield its checks.

    Parameters
    ----------
    folder : Path
        Folder of reference cases, e.g. ``configs/reference``.
    case : str
        Its identifier, e.g. ``"KAY2017-01"``.
    """
    expected = read_plain(folder / f"{case}{SUFFIX}")
    for variant in expected["runs"]:
        scenario = load_scenario(folder / f"{case}.yaml", variant["set"])
        suffix = "".join(f", {key.rpartition('.')[2]} {value}" for key, value in variant["set"].items())
        at_rest = [row["at"].startswith("rest") for row in variant["expect"]]
        trajectory = None if all(at_rest) else run(scenario)
        rests = _rest_points(scenario) if any(at_rest) else []
        for row, resting in zip(variant["expect"], at_rest, strict=True):
            if row["quantity"] == "rest_points":
                yield Check(case, f"rest_points{suffix}", float(len(rests)), float(row["value"]), 0.0, "")
            elif resting:
                yield _check(case, rests[int(row["at"].removeprefix("rest")) - 1], row, suffix)
            elif trajectory is not None:
                yield _check(case, trajectory, row, suffix)


def _rest_points(scenario: Scenario) -> list[Trajectory]:
    """Rest points that the search finds, each as a run with one saved state, from the lowest potential up."""
    found = [state.trajectory for state in steady_states(scenario)]
    return sorted(found, key=lambda trajectory: float(trajectory.potential.values[-1, 0]))


def _check(case: str, trajectory: Trajectory, row: Mapping[str, Any], suffix: str) -> Check:
    unit, measure = MEASURES[row["quantity"]]
    at = _index(trajectory, row["at"])
    value = measure(trajectory, row.get("of"), at)
    name = f"{row['quantity']} {_spelled(row.get('of'))} at {row['at']}{suffix}".replace("  ", " ")
    if unit is None:
        return Check(case, name, str(value), row["value"], 0.0, "")
    expected = _number(row["value"], unit)
    limit = row["rtol"] * abs(expected) if "rtol" in row else _number(row["atol"], unit)
    return Check(case, name, float(value), expected, limit, unit)


def _number(text: Any, unit: str) -> float:
    return parse_quantity(text, unit) if isinstance(text, str) and unit else float(text)


def _spelled(of: Any) -> str:
    if isinstance(of, Mapping):
        return "; ".join(f"{membrane}: {' + '.join(labels)}" for membrane, labels in of.items())
    return of or ""


def _index(trajectory: Trajectory, at: str) -> int:
    if at in ("start", "end") or at.startswith("rest"):
        return 0 if at == "start" else len(trajectory.time) - 1
    time = parse_quantity(at, "s")
    found = np.flatnonzero(np.abs(trajectory.time - time) <= 1e-12 * time)
    if not len(found):
        raise ValueError(f"the run saves no state at {at}")
    return int(found[0])


# -- the quantities, under their names in the expected files --------------------------------------


def _at(trajectory: Trajectory, field: str, of: str, dims: tuple[str, ...], at: int) -> float:
    """Return the value of an analysis or trajectory field at labels joined by dots."""
    parts = of.rsplit(".", len(dims) - 1) if len(dims) > 1 else [of]
    source = trajectory.fields().get(field) or getattr(Analysis(trajectory), field)
    return float(source.sel(**dict(zip(dims, parts, strict=True)))[at])


def _field(name: str, *dims: str) -> Callable[[Trajectory, str, int], float]:
    return lambda trajectory, of, at: _at(trajectory, name, of, dims, at)


def _change(trajectory: Trajectory, of: str, at: int) -> float:
    read = _field("concentration", "compartment", "species")
    return read(trajectory, of, at) - read(trajectory, of, 0)


def _volume_ratio(trajectory: Trajectory, of: str, at: int) -> float:
    read = _field("volume", "compartment")
    return read(trajectory, of, at) / read(trajectory, of, 0)


def _radius(trajectory: Trajectory, of: str, at: int) -> float:
    return float(np.cbrt(0.75 / math.pi * _at(trajectory, "volume", of, ("compartment",), at)))


def _osmotic_excess(trajectory: Trajectory, of: str, at: int) -> float:
    membrane = next(m for m in trajectory.structure.membranes if m.name == of)
    read = _field("osmolarity", "compartment")
    return read(trajectory, membrane.inside, at) - read(trajectory, membrane.outside, at)


def _total_drift(trajectory: Trajectory, of: str, at: int) -> float:
    amounts = np.nansum(trajectory.amount[:, :, trajectory.labels["species"].index(of)], axis=1)
    return float(abs(amounts[at] - amounts[0]))


def _zero_current(trajectory: Trajectory, of: Mapping[str, list[str]], at: int) -> float:
    ((membrane, labels),) = of.items()
    return Analysis(trajectory).zero_current_potential(membrane, labels, at)


def _flux_ratio(trajectory: Trajectory, of: str, at: int) -> float:
    dims = ("mechanism", "species")
    return _at(trajectory, "influx", of, dims, at) / _at(trajectory, "efflux", of, dims, at)


def _slowest(trajectory: Trajectory, _: None, at: int) -> float:
    return float(classify(trajectory).eigenvalues[0].real)


def _largest(trajectory: Trajectory, _: None, at: int) -> float:
    return float(classify(trajectory).eigenvalues.real.max())


def _entropy(trajectory: Trajectory, of: str, at: int) -> float:
    analysis = Analysis(trajectory)
    rows = [i for i, (m, _, _) in enumerate(analysis.mechanisms) if m.name == of]
    power = float(np.sum(analysis.dissipation.values[at, rows]))
    return power / trajectory.scenario.kelvin / float(analysis.area.sel(membrane=of)[at])


#: SI unit (None for words) and function of (trajectory, of, index) for each quantity.
MEASURES: dict[str, tuple[str | None, Callable[[Trajectory, Any, int], Any]]] = {
    "potential": ("V", _field("potential", "membrane")),
    "concentration": ("mol/m^3", _field("concentration", "compartment", "species")),
    "concentration_change": ("mol/m^3", _change),
    "gate": ("", _field("open_fraction", "gate")),
    "volume": ("m^3", _field("volume", "compartment")),
    "volume_ratio": ("", _volume_ratio),
    "radius": ("m", _radius),
    "osmolarity": ("mol/m^3", _field("osmolarity", "compartment")),
    "osmotic_excess": ("mol/m^3", _osmotic_excess),
    "total_amount_drift": ("mol", _total_drift),
    "nernst": ("V", _field("nernst", "membrane", "species")),
    "driving_force": ("V", _field("driving_force", "membrane", "species")),
    "zero_current_potential": ("V", _zero_current),
    "net_flux": ("mol/m^2/s", _field("turnover", "mechanism")),
    "influx": ("mol/m^2/s", _field("influx", "mechanism", "species")),
    "efflux": ("mol/m^2/s", _field("efflux", "mechanism", "species")),
    "flux_ratio": ("", _flux_ratio),
    "affinity": ("J/mol", _field("affinity", "mechanism")),
    "work": ("J/mol", _field("work", "mechanism")),
    "stall_potential": ("V", _field("reversal", "mechanism")),
    "eigenvalue_slowest": ("1/s", _slowest),
    "eigenvalue_largest": ("1/s", _largest),
    "entropy_production": ("W/m^2/K", _entropy),
    "verdict": (None, lambda trajectory, _, at: classify(trajectory).word),
}
