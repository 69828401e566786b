"""Inputs on which the program once fell short, where no other test covers them; README.md lists all of them.

Numbers are closed forms.
"""

from pathlib import Path

import numpy as np
import pytest
from places import ROOT
from scipy.linalg import expm

from simulator.model.model import Model
from simulator.model.remarks import remarks
from simulator.physics.constants import FARADAY, GAS_CONSTANT
from simulator.report.text import trajectory_remarks
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.verdict.verdict import classify

HERE = Path(__file__).resolve().parent

#: The clamped cell: area [m2], conductance [S], capacitance [F] and Nernst potential of K [V].
AREA, CONDUCTANCE, CAPACITANCE = 1500e-12, 1.5e-9, 15e-12
NERNST = GAS_CONSTANT * 295.15 / FARADAY * np.log(5.0 / 140.0)


def given(name, **changes):
    return load_scenario(HERE / f"{name}.yaml", {key.replace("__", "."): value for key, value in changes.items()})


def currents(trajectory):
    """Currents of the K conductance and out of the electrode [A]."""
    found = Analysis(trajectory).current
    return found.sel(mechanism="plasma.k") * AREA, -found.sel(mechanism="plasma.voltage_clamp") * AREA


def test_a_clamp_ramp_of_160_mV_per_second_carries_187_pA_at_40_mV_and_2_4_pA_into_the_capacitance():
    clamped = run(given("clamp_ramp"))
    ohmic, electrode = currents(clamped)
    assert clamped.potential.values[1:, 0] == pytest.approx(-0.12 + 0.16 * clamped.time[1:], abs=1e-6)
    assert ohmic[-1] == pytest.approx(187.1e-12, abs=0.05e-12)
    assert ohmic[-1] == pytest.approx(CONDUCTANCE * (40e-3 - NERNST), rel=1e-5)
    assert electrode[1:] - ohmic[1:] == pytest.approx(2.4e-12, rel=1e-4)


def test_a_clamp_sine_charges_the_capacitance_a_quarter_period_ahead():
    clamped = run(given("clamp_sine", run__rtol=1e-9))
    turn, time = 2.0 * np.pi * 5.0, clamped.time[1:-1]
    ohmic = CONDUCTANCE * (-80e-3 + 20e-3 * np.sin(turn * time) - NERNST)
    charging = CAPACITANCE * 20e-3 * turn * np.cos(turn * time)
    assert currents(clamped)[1][1:-1] == pytest.approx(ohmic + charging, abs=1e-15)


@pytest.mark.parametrize("lasting", ["1 s", "1.35 s"])
def test_a_sine_that_lasts_as_long_as_the_run_is_followed(lasting):
    verdict = classify(run(given("clamp_sine", protocol__0__lasting=lasting)))
    assert verdict.word == "entrained"
    assert verdict.entrainment.period == pytest.approx(0.2)
    assert verdict.entrainment.potential["plasma"] == pytest.approx(40e-3, rel=1e-4)


def test_a_law_of_ones_own_may_use_a_sine():
    clamped = run(given("own_law_sine", run__rtol=1e-9))
    follow = -0.12 + 25e-3 * np.sin(6.28 * clamped.time)
    held = (1e4 * follow + 1.0 * NERNST) / 1.0001e4  # the amplifier's 1e4 S/m2 against 1 S/m2 of K
    lag = CAPACITANCE / AREA / 1.0001e4 * 25e-3 * 6.28
    assert clamped.potential.values[1:, 0] == pytest.approx(held[1:], abs=2 * lag + 1e-7)


def test_the_argument_of_a_sine_has_no_unit():
    with pytest.raises(ConfigError, match=r"the argument of sin has a unit.*divide it"):
        given(
            "own_law_sine", membranes__plasma__mechanisms__amp__rate="gain*(first + swing*sin(6.28*time) - v)/faraday"
        )


def test_occupancies_of_a_markov_channel_follow_the_exponential_of_its_rates_and_keep_their_sum():
    rates = np.array([[-1.0, 2.0, 0.0], [1.0, -5.0, 0.5], [0.0, 3.0, -0.5]])  # c <-> o <-> i
    channel = run(given("markov_states", run__rtol=1e-9))
    found = channel.states[:, [channel.structure.states.index(f"g_plasma_herg_{s}") for s in "coi"]]
    exact = np.stack([expm(rates * t) @ [1.0, 0.0, 0.0] for t in channel.time])
    assert found == pytest.approx(exact, abs=1e-8)
    assert np.sum(found, axis=1) == pytest.approx(1.0, abs=1e-14)


def test_a_stimulus_without_end_is_followed_for_a_week():
    stimulated = run(given("stimulated_without_end"))
    verdict = classify(stimulated)
    assert (stimulated.status, verdict.word) == ("ok", "entrained")
    assert verdict.entrainment.period == pytest.approx(3600.0)
    cell = stimulated.concentration.sel(compartment="cell", species="na")
    assert cell[-1] == pytest.approx(cell[-7], rel=1e-9), "an hour earlier"


def test_a_run_of_a_sweep_over_a_law_of_ones_own_fails_alone():
    key = "membranes.plasma.mechanisms.drain.parameters.big"
    swept = run_batch(given("sweep_of_own_law_fails"), {key: [0.0, 1e-5]}, save="final")
    assert list(swept.status) == ["ok", "negative_amount"]
    assert swept.verdict.tolist() == ["steady_state", "not_converged"]
    # 13 mM Cl in a sphere of 10 um radius, drained through its area: V c/(A J), less what leaks in meanwhile.
    assert swept.end_time[1] == pytest.approx(10e-6 / 3.0 * 13.0 / 1e-5, rel=2e-2)


def test_less_than_one_particle_is_remarked_on_at_the_end_too():
    """0.1 mM in 33.5 zL are 2 protons, but a vesicle with 20 mM of buffer comes to rest at 839 nM: 0.017 protons."""
    vesicle = ROOT / "tests" / "world" / "reported" / "less_than_one_proton.yaml"
    lumen = load_scenario(vesicle, {"compartments.lumen.concentrations.h": "0.1 mM"})
    assert not [remark for remark in remarks(Model.of(lumen)) if "particles" in remark.text]
    [told] = trajectory_remarks(run(lumen))
    assert "lumen ends with 0.017 particles of H" in told
