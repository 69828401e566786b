"""Claims about the world: what cells do, by the product's own runs of its shipped scenarios."""

import numpy as np
import pytest

from simulator.physics.constants import FARADAY
from simulator.physics.electrochemistry import electrochemical_difference, nernst_potential
from simulator.runs.integrate import run
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.conservation import conservation
from simulator.verdict.verdict import classify

PUMP = "membranes.plasma.mechanisms.pump.max_rate"


@pytest.fixture(scope="module")
def leaky(configs):
    return run(load_scenario(configs / "leaky_bucket.yaml"))


@pytest.fixture(scope="module")
def sealed(configs):
    return run(load_scenario(configs / "sealed_bucket.yaml"))


def last(trajectory, field, **where) -> float:
    source = trajectory.fields().get(field) or getattr(Analysis(trajectory), field)
    return float(source.sel(**where)[-1])


def test_pump_off_ends_in_donnan_equilibrium(sealed):
    assert classify(sealed).word == "equilibrium"
    v = last(sealed, "potential", membrane="plasma")
    nernst = [last(sealed, "nernst", membrane="plasma", species=s) for s in ("na", "k", "cl")]
    assert nernst == pytest.approx([v] * 3, abs=1e-9)
    # One Donnan ratio for all: cations held in, anions kept out.
    inside = [last(sealed, "concentration", compartment="cell", species=s) for s in ("na", "k", "cl")]
    outside = [last(sealed, "concentration", compartment="bath", species=s) for s in ("na", "k", "cl")]
    ratio = inside[0] / outside[0]
    assert ratio > 1.0
    assert inside[1] / outside[1] == pytest.approx(ratio, rel=1e-7)
    assert outside[2] / inside[2] == pytest.approx(ratio, rel=1e-7)


def test_at_equilibrium_influx_equals_efflux_and_neither_is_zero(sealed):
    analysis = Analysis(sealed)
    for s in ("na", "k", "cl"):
        path = {"mechanism": f"plasma.{s}_leak", "species": s}
        influx, efflux = analysis.influx.sel(**path)[-1], analysis.efflux.sel(**path)[-1]
        assert influx > 1e-9
        assert influx == pytest.approx(efflux, rel=1e-8)
    assert classify(sealed).atp_rate == 0.0


def test_leaky_bucket_rests_in_a_steady_state_that_burns_atp(leaky):
    verdict = classify(leaky)
    assert verdict.word == "steady_state"
    assert verdict.species["plasma"] == {"na": "steady_state", "k": "steady_state", "cl": "equilibrium"}
    assert verdict.atp_rate > 0.0
    assert verdict.dissipation > 0.0


def test_in_the_steady_state_the_pump_balances_each_leak(leaky):
    net = Analysis(leaky).net_flux
    for s in ("na", "k"):
        leak = net.sel(mechanism=f"plasma.{s}_leak", species=s)[-1]
        pump = net.sel(mechanism="plasma.pump", species=s)[-1]
        assert leak == pytest.approx(-pump, rel=1e-7)
    assert net.sel(mechanism="plasma.na_leak", species="na")[-1] > 0.0  # Na leaks in
    assert net.sel(mechanism="plasma.k_leak", species="k")[-1] < 0.0  # K leaks out


def test_dissipation_at_a_steady_state_is_what_atp_supplies(leaky):
    verdict = classify(leaky)
    supplied = -verdict.atp_rate * leaky.scenario.atp_free_energy
    assert verdict.dissipation == pytest.approx(supplied, rel=1e-7)


def test_currents_sum_to_zero_at_rest(leaky):
    current = Analysis(leaky).current.values[-1]
    assert abs(current.sum()) < 1e-8 * np.abs(current).sum()
    assert Analysis(leaky).current.sel(mechanism="plasma.pump")[-1] > 0.0  # 3 Na out, 2 K in: outward


def test_driving_force_of_20_mv_sends_potassium_out(configs):
    scenario = load_scenario(configs / "reference" / "GHK-FLUX-01.yaml")
    analysis = Analysis(run(scenario))
    force = analysis.driving_force.sel(membrane="plasma", species="k")[0]
    assert force == pytest.approx(-0.070 - nernst_potential(140.0, 4.0, 1, 0.0267267), abs=1e-5)
    assert force > 0.0
    assert analysis.net_flux.sel(mechanism="plasma.k_leak", species="k")[0] < 0.0
    assert analysis.current.sel(mechanism="plasma.k_leak")[0] > 0.0


def test_neutral_solute_has_no_nernst_potential():
    with pytest.raises(ValueError, match="neutral"):
        nernst_potential(1.0, 5.0, 0, 0.0267)


def test_doubly_charged_ion_needs_half_the_voltage():
    assert nernst_potential(1.0, 30.0, 2, 0.0267) == pytest.approx(0.5 * nernst_potential(1.0, 30.0, 1, 0.0267))


def test_stopped_and_restarted_pump_runs_down_and_recovers(configs, leaky):
    trajectory = run(load_scenario(configs / "pump_stopped.yaml"))
    stopped, restarted = trajectory.model.events().time[0]
    v = trajectory.potential.sel(membrane="plasma")
    before, worst = v[trajectory.time < stopped][-1], v[trajectory.time < restarted][-1]
    assert worst > before + 0.02
    assert v[-1] == pytest.approx(last(leaky, "potential", membrane="plasma"), abs=1e-6)
    assert classify(trajectory).word == "steady_state"


def test_a_run_stopped_early_is_not_converged(configs):
    scenario = load_scenario(configs / "sealed_bucket.yaml", {"run.duration": "1 h"})
    verdict = classify(run(scenario))
    assert verdict.word == "not_converged"
    assert verdict.distance > 1e-6
    assert set(verdict.species["plasma"].values()) == {"not_converged"}


def test_blocked_channels_prove_nothing(configs):
    closed = {f"membranes.plasma.mechanisms.{s}_leak.permeability": "0 m/s" for s in ("na", "k", "cl")}
    verdict = classify(run(load_scenario(configs / "sealed_bucket.yaml", closed)))
    assert verdict.word != "equilibrium"
    assert set(verdict.species["plasma"].values()) == {"isolated"}


def test_one_blocked_channel_leaves_the_others_judged(configs):
    closed = {"membranes.plasma.mechanisms.na_leak.permeability": "0 m/s"}
    verdict = classify(run(load_scenario(configs / "sealed_bucket.yaml", closed)))
    assert verdict.word == "equilibrium"
    assert verdict.species["plasma"]["na"] == "isolated"
    assert verdict.species["plasma"]["k"] == "equilibrium"


@pytest.mark.parametrize(
    "change", [{"run.rtol": 1e-4}, {"run.rtol": 1e-9}, {"run.save_every": "7 h"}, {"run.save": "final"}]
)
@pytest.mark.parametrize("name", ["leaky_bucket", "sealed_bucket"])
def test_verdict_does_not_depend_on_tolerance_or_saving(configs, name, change):
    expected = {"leaky_bucket": "steady_state", "sealed_bucket": "equilibrium"}[name]
    assert classify(run(load_scenario(configs / f"{name}.yaml", change))).word == expected


def test_until_steady_ends_early_with_the_same_word(configs, leaky):
    early = run(load_scenario(configs / "leaky_bucket.yaml", {"run.until": "steady"}))
    assert early.end_time < 0.5 * leaky.end_time
    assert classify(early).word == "steady_state"
    n = len(early.time)
    assert np.array_equal(early.amount, leaky.amount[:n], equal_nan=True)


def test_clamped_membrane_holds_its_potential_and_books_the_carrier(configs):
    path = configs / "leaky_bucket.yaml"
    base = load_scenario(path).resolved()
    base["protocol"] = [
        {"at": 3600.0, "clamp": {"plasma": {"potential": -0.04, "carrier": "k"}}},
        {"at": 7200.0, "release": ["plasma"]},
    ]
    base["run"] = {"duration": 10800.0, "save_every": 60.0, "rtol": 1e-8}
    trajectory = run(type(load_scenario(path)).model_validate(base))
    v = trajectory.potential.sel(membrane="plasma")
    held = (trajectory.time > 3600.0) & (trajectory.time <= 7200.0)
    assert v[held] == pytest.approx(-0.04, abs=1e-8)
    assert abs(v[trajectory.time <= 3600.0] + 0.04).min() > 1e-3
    assert conservation(trajectory).charge < 1e-13


def test_charge_and_closed_totals_are_conserved_to_rounding(configs):
    for path in [
        *configs.glob("*.yaml"),
        configs / "reference" / "DONNAN-02.yaml",
        configs / "reference" / "CLOSED2-01.yaml",
    ]:
        assert conservation(run(load_scenario(path))).worst < 1e-12, path.name


def test_conservation_check_fires_when_charge_is_lost(leaky):
    from dataclasses import replace

    broken = leaky.amount.copy()
    broken[-1, leaky.labels["compartment"].index("cell"), 0] *= 1.0 + 1e-6
    assert conservation(replace(leaky, amount=broken)).worst > 1e-9


def test_potential_follows_the_charge_on_the_capacitor(leaky):
    """A handful of ions makes the voltage: q = C A V, a tiny fraction of what the cell holds."""
    q = leaky.charge[-1, leaky.labels["compartment"].index("cell")]
    area = last(leaky, "area", membrane="plasma")
    assert q == pytest.approx(0.01 * area * last(leaky, "potential", membrane="plasma"), rel=1e-12)
    held = FARADAY * last(leaky, "amount", compartment="cell", species="k")
    assert abs(q) / held < 1e-3


def test_splitting_a_membrane_in_two_changes_nothing(configs):
    scenario = load_scenario(configs / "leaky_bucket.yaml")
    whole = run(scenario)
    data = scenario.resolved()
    plasma = data["membranes"].pop("plasma")
    radius = data["compartments"]["cell"]["geometry"]["sphere"]["radius"]
    half = 0.5 * 4.0 * np.pi * radius**2
    data["membranes"] = {
        "apical": {**plasma, "area": half},
        "basal": {**plasma, "area": half, "potential": None},
    }
    data["membranes"]["basal"] = {k: v for k, v in data["membranes"]["basal"].items() if v is not None}
    halves = run(type(scenario).model_validate(data))
    assert halves.potential.sel(membrane="apical")[-1] == pytest.approx(
        last(whole, "potential", membrane="plasma"), abs=1e-10
    )
    assert halves.potential.sel(membrane="apical") == pytest.approx(halves.potential.sel(membrane="basal"), abs=1e-15)


def test_electrochemical_difference_is_zero_at_the_nernst_potential_and_pulls_cations_into_a_negative_cell():
    v = nernst_potential(140.0, 5.0, 1, 0.0267)
    assert electrochemical_difference(140.0, 5.0, 1, v / 0.0267) == pytest.approx(0.0, abs=1e-14)
    assert electrochemical_difference(10.0, 10.0, 1, -2.0) < 0.0 < electrochemical_difference(10.0, 10.0, -1, -2.0)
