"""Every shipped reference case, as `ionflux verify` runs it; and the same physics told differently."""

import numpy as np
import pytest
from places import CONFIGS

from simulator.cli.verification import Check, case_ids, verify
from simulator.runs.integrate import run
from simulator.scenario.scenario import Scenario
from simulator.storage.start import load_scenario
from simulator.verdict.verdict import classify

REFERENCE = CONFIGS / "reference"
PUMP = "membranes.plasma.mechanisms.pump.rate"


@pytest.mark.parametrize("case", case_ids(REFERENCE))
def test_reference_case_gives_its_numbers(case):
    checks = list(verify(REFERENCE, case))
    assert checks
    assert [str(check) for check in checks if not check.passed] == []


def test_a_wrong_number_does_not_pass():
    assert not Check("X", "potential", -0.0700001, -0.07, 7e-9, "V").passed
    assert not Check("X", "verdict", "steady_state", "equilibrium", 0.0, "").passed


def renamed(data: dict, names: dict[str, str]) -> dict:
    """The same scenario with other labels for compartments, membranes and mechanisms."""
    if isinstance(data, dict):
        return {names.get(key, key): renamed(value, names) for key, value in data.items()}
    return names.get(data, data) if isinstance(data, str) else data


@pytest.mark.parametrize("case", ["KAY2017-01", "DONNAN-01", "DUES2018-01", "CLOSED2-01"])
def test_labels_have_no_part_in_the_numbers(case):
    scenario = load_scenario(REFERENCE / f"{case}.yaml")
    names = {"cell": "soma", "bath": "saline", "ecs": "cleft", "plasma": "sarcolemma", "pump": "atpase"}
    other = run(Scenario.model_validate(renamed(scenario.resolved(), names)))
    original = run(scenario)
    assert np.array_equal(other.potential.values, original.potential.values)
    assert np.array_equal(other.amount, original.amount, equal_nan=True)
    assert classify(other).word == classify(original).word


@pytest.mark.parametrize(
    ("case", "moved"),
    [
        ("KAY2017-01", {"na": "60 mM", "k": "70 mM", "cl": "80 mM"}),
        ("DUES2018-01", {"cl": "15.163 mM", "k": "132.873 mM"}),
        ("DONNAN-01", {"na": "60 mM", "k": "100 mM", "cl": "60 mM"}),
    ],
)
def test_the_end_does_not_depend_on_the_start_within_its_basin(case, moved):
    original = run(load_scenario(REFERENCE / f"{case}.yaml"))
    changes = {f"compartments.cell.concentrations.{s}": value for s, value in moved.items()}
    other = run(load_scenario(REFERENCE / f"{case}.yaml", changes))
    assert abs(other.amount[0] / original.amount[0] - 1)[1].max() > 0.05
    assert other.potential.values[-1] == pytest.approx(original.potential.values[-1], rel=1e-7)
    assert other.concentration.values[-1] == pytest.approx(original.concentration.values[-1], rel=1e-7, nan_ok=True)
    assert classify(other).word == classify(original).word


def test_the_same_quantities_in_other_units_are_the_same_run():
    other = {
        "membranes.plasma.capacitance": "0.01 F/m^2",
        "compartments.cell.concentrations.na": "0.12 M",
        "compartments.bath.concentrations.k": "3000 uM",
        "membranes.plasma.mechanisms.k_leak.conductance": "3 S/m^2",
        "compartments.cell.geometry.sphere.radius": "5e-6 m",
        PUMP: "0.5 uA/cm^2",
    }
    original = run(load_scenario(REFERENCE / "KAY2017-01.yaml"))
    again = run(load_scenario(REFERENCE / "KAY2017-01.yaml", other))
    assert again.potential.values[-1] == pytest.approx(original.potential.values[-1], rel=1e-12)
    assert again.amount[-1] == pytest.approx(original.amount[-1], rel=1e-12, nan_ok=True)


def test_swapping_the_sides_turns_the_potential_round():
    scenario = load_scenario(REFERENCE / "DONNAN-02.yaml")
    data = scenario.resolved()
    (name,) = data["membranes"]
    m = data["membranes"][name]
    m["inside"], m["outside"] = m["outside"], m["inside"]
    if m.get("potential") is not None:
        m["potential"] = -m["potential"]
    swapped, original = run(Scenario.model_validate(data)), run(scenario)
    assert swapped.potential.values[-1] == pytest.approx(-original.potential.values[-1], rel=1e-9)
    assert swapped.concentration.values[-1] == pytest.approx(original.concentration.values[-1], rel=1e-9, nan_ok=True)
