"""Free energy: the balance of powers is an identity, and what integration leaves out shrinks with rtol."""

import numpy as np
import pytest

from simulator.runs.integrate import run
from simulator.scenario.scenario import Scenario
from simulator.storage.start import load_scenario
from simulator.trajectory.account import account
from simulator.trajectory.ledger import ledger
from simulator.trajectory.replay import replayed

CASES = [
    "leaky_bucket",
    "sealed_bucket",
    "pump_stopped",
    "glucose",
    "published/kay_2017",
    "published/duesterwald_2018",
    "published/vereninov_u937",
    "reference/CLOSED2-01",
    "reference/DONNAN-02",
    "reference/OSMO-01",
    "reference/SGLT-01",
    "reference/CCC-01",
]
PASSIVE_AND_CLOSED = ["reference/CLOSED2-01", "reference/DONNAN-02"]


def cell(changes=None, **membrane) -> Scenario:
    """A cell with leaks, a pump and a sphere's area; water and shape as asked."""
    data = {
        "name": "ledger",
        "compartments": {
            "bath": {"fixed": True, "concentrations": {"na": 145.0, "k": 4.5, "cl": 149.5}},
            "cell": {
                "geometry": {"sphere": {"radius": 1e-5}},
                "concentrations": {"na": 15.0, "k": 140.0, "cl": 13.0},
                "impermeant": {"concentration": 120.0, "charge": "auto"},
            },
        },
        "membranes": {
            "plasma": {
                "inside": "cell",
                "outside": "bath",
                "potential": -0.06,
                "area_change": "with_volume",
                "mechanisms": {
                    "na_leak": {"law": "leak_ghk", "ion": "na", "permeability": 3e-10},
                    "k_leak": {"law": "leak_ghk", "ion": "k", "permeability": 4e-9},
                    "cl_leak": {"law": "leak_ghk", "ion": "cl", "permeability": 2e-9},
                    "pump": {"law": "na_k_pump_hill", "max_rate": 6e-7, "k_na": 10.0, "k_k": 1.5},
                },
                **membrane,
            }
        },
        "run": {"duration": 2e4, "rtol": 1e-8},
    }
    return Scenario.model_validate(data | (changes or {}))


@pytest.mark.parametrize("name", CASES)
def test_rate_of_change_is_what_is_supplied_minus_what_is_dissipated(configs, name):
    books = ledger(run(load_scenario(configs / f"{name}.yaml")))
    finite = np.isfinite(books.magnitude)
    assert np.sum(~finite) <= 1  # a species that starts at zero has an infinite power then
    assert books.imbalance[finite].max() < 1e-12


@pytest.mark.parametrize("water", ["fixed", "instant", {"permeability": 2e-5}])
@pytest.mark.parametrize("formulation", ["capacitive", "electroneutral"])
def test_the_balance_knows_water_and_an_area_that_follows_it(water, formulation):
    clamp = {"at": 5e3, "clamp": {"plasma": {"potential": -0.02, "carrier": "k"}}}
    changes = {"formulation": formulation, "run": {"duration": 2e4, "rtol": 1e-6}}
    if formulation == "capacitive" and water == "fixed":
        changes["protocol"] = [clamp]
    trajectory = run(cell(changes, water=water))
    assert trajectory.status == "ok"
    assert ledger(trajectory).imbalance.max() < 1e-12
    assert account(trajectory).relative_gap < 10 * trajectory.scenario.run.rtol


@pytest.mark.parametrize("water", ["instant", {"permeability": 2e-5}])
def test_powers_are_the_slope_of_the_free_energy(water):
    trajectory = run(cell({"run": {"duration": 2e4, "rtol": 1e-11}}, water=water))
    middle, step = 30.0, 1e-3  # while the cell still moves
    around = middle + step * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    books = ledger(replayed(trajectory, around))
    slope = np.dot([1.0, -8.0, 0.0, 8.0, -1.0], books.free_energy) / (12.0 * step)
    assert abs(books.rate[2]) > 1e-14
    assert slope == pytest.approx(books.rate[2], rel=1e-3)
    assert books.supplied["stretching plasma"][2] != 0.0


@pytest.mark.parametrize("name", CASES)
def test_the_account_of_a_run_closes_and_closes_better_with_rtol(configs, name):
    gaps = []
    for rtol in (1e-4, 1e-6, 1e-8):
        found = account(run(load_scenario(configs / f"{name}.yaml", {"run.rtol": rtol})))
        assert found.relative_gap < 10 * rtol
        gaps.append(found.relative_gap)
    assert gaps[2] < max(0.1 * gaps[0], 1e-14)


@pytest.mark.parametrize("name", PASSIVE_AND_CLOSED)
def test_in_a_passive_closed_system_free_energy_never_rises(configs, name):
    books = ledger(run(load_scenario(configs / f"{name}.yaml", {"run.rtol": 1e-10})))
    assert all(np.all(power >= 0.0) for power in books.dissipated.values())
    steps = np.diff(books.free_energy)
    assert steps.max() <= 1e-13 * abs(books.free_energy[0])
    assert steps.min() < 0.0


def test_events_do_their_work_at_once_and_are_named():
    event = {"at": 1e4, "set": {"membranes.plasma.capacitance": 0.02}}
    trajectory = run(cell({"protocol": [event]}))
    found = account(trajectory)
    # At constant charge twice the capacitance holds half the energy.
    before = ledger(replayed(trajectory, np.array([1e4]))).stored["membranes"][0]
    assert found.jumps == {1e4: pytest.approx(-before / 2, rel=1e-9)}
    assert found.relative_gap < 10 * trajectory.scenario.run.rtol


def test_a_clamp_supplies_what_the_cell_then_dissipates():
    clamp = {"at": 1e3, "clamp": {"plasma": {"potential": 0.0, "carrier": "k"}}}
    books = ledger(run(cell({"protocol": [clamp]})))
    assert books.supplied["plasma.voltage_clamp"][0] == 0.0
    assert abs(books.supplied["plasma.voltage_clamp"][-1]) > 1e-15
    assert "plasma.voltage_clamp" not in books.dissipated


def test_the_pump_turns_part_of_atp_into_gradients(configs):
    books = ledger(run(load_scenario(configs / "leaky_bucket.yaml")))
    loss = sum(v[-1] for v in books.dissipated.values())
    assert books.supplied["atp"][-1] == pytest.approx(loss, rel=1e-6)  # at rest all of it is lost
    assert 0.3 < books.efficiency["plasma.pump"][-1] < 1.0
    assert books.dissipated["plasma.pump"][-1] == pytest.approx(
        (1 - books.efficiency["plasma.pump"][-1]) * books.supplied["atp"][-1], rel=1e-9
    )


def test_a_passive_coupled_transporter_never_gains_more_than_it_spends(configs):
    books = ledger(run(load_scenario(configs / "published" / "vereninov_u937.yaml")))
    for label in ("plasma.ncc", "plasma.nkcc"):
        assert np.all((books.efficiency[label] > 0.0) & (books.efficiency[label] < 1.0))
    assert np.all(books.efficiency["plasma.kcc"] == 0.0)  # K and Cl both run downhill, nothing is gained
