"""Uses that people reported: scenarios in `reported/` on which the program once fell short, with the right values.

The values are closed forms, or were found by an independent integration (SciPy's Radau at 1e-8 or tighter).
"""

import json
from pathlib import Path

import numpy as np
import pytest
from places import CONFIGS

from simulator.cli import main
from simulator.model.model import Model
from simulator.model.names import water_permeability
from simulator.model.remarks import remarks
from simulator.physics.notation import species_text
from simulator.report.comparison import compare
from simulator.report.text import info_text, run_text
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.snapshot import snapshot
from simulator.verdict.steady import steady_states
from simulator.verdict.verdict import classify, uphill

REPORTED = Path(__file__).resolve().parent / "reported"

# What the charge on the membrane, which only the capacitive formulation stores, adds to the potential [V]; it is
# proportional to the capacitance. The last one stems from a rest point with 87 nM K outside.
PUBLISHED = {
    "kay_2017": 2e-6,
    "duesterwald_2018": 5e-8,
    "vereninov_u937": 5e-7,
    "huebel_dahlem_2014": 2e-6,
    "huebel_ullah_2016": 4e-6,
    "barreto_cressman_2011": 5e-8,
    "saetra_2020": 2e-7,
    "halnes_2013": 2e-4,
}


def reported(name, **changes):
    return load_scenario(REPORTED / f"{name}.yaml", {key.replace("__", "."): value for key, value in changes.items()})


def remarked(scenario):
    return {remark.key: remark.text for remark in remarks(Model.of(scenario))}


# -- areas, temperatures, driven laws ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "atp", "volume", "contents"),
    [("fixed", 76.6e-15, 7.051e-9, (16.64, 36.68, 11.74)), ("with_volume", 109.0e-15, 6.876e-9, (16.99, 36.65, 10.99))],
)
def test_pumps_and_channels_grow_with_the_volume_only_where_the_scenario_says_so(change, atp, volume, contents):
    egg = run(reported("area_follows_volume", membranes__plasma__area_change=change))
    end = snapshot(egg)
    assert end.atp_rate == pytest.approx(atp, rel=2e-3)
    assert end.volume["egg"] == pytest.approx(volume, rel=2e-4)
    assert [end.concentration["egg"][s] for s in ("na", "k", "cl")] == pytest.approx(contents, abs=1e-2)


def test_the_area_is_fixed_by_default_and_the_choice_is_printed():
    scenario = reported("area_follows_volume")
    assert scenario.leaves()["membranes.plasma.area_change"].value == "fixed"


def test_an_area_that_is_given_cannot_grow():
    with pytest.raises(ConfigError, match="area_change"):
        reported("area_follows_volume", membranes__plasma__area_change="with_volume", membranes__plasma__area="1 mm^2")


def test_a_temperature_with_a_zero_of_its_own_is_no_difference():
    with pytest.raises(ConfigError, match=r"not a difference of temperatures.* 10 K"):
        reported("q10_degC_as_difference")
    cell = run(reported("q10_degC_as_difference", membranes__plasma__mechanisms__pump__parameters__ten="10 K"))
    assert cell.potential.values[-1, 0] == pytest.approx(-69.26e-3, abs=5e-6)
    assert Analysis(cell).reversal.sel(mechanism="plasma.pump")[-1] == pytest.approx(102e-3, abs=1e-3)


def test_a_q10_without_gates_that_take_time_is_refused():
    with pytest.raises(ConfigError, match=r"q10.*none that takes time"):
        reported("q10_without_gates_ignored")


def test_a_law_that_gains_free_energy_is_named_unless_it_is_driven_from_outside():
    clamp = run(reported("own_amplifier_negative_dissipation"))
    assert list(uphill(clamp)) == ["plasma.amp"]
    assert "plasma.amp gains" in run_text(clamp, classify(clamp))
    driven = run(reported("own_amplifier_negative_dissipation", membranes__plasma__mechanisms__amp__driven="true"))
    assert uphill(driven) == {}
    assert classify(driven).dissipation > 0.0
    assert np.array_equal(driven.states, clamp.states), "who pays changes no number of the run"


# -- words ------------------------------------------------------------------------------------------


def test_a_bucket_stimulated_every_hour_follows_its_stimulus():
    verdict = classify(run(reported("forced_cycle_not_recognised")))
    assert verdict.word == "entrained"
    assert set(verdict.species["plasma"].values()) == {"entrained"}
    assert verdict.entrainment.period == pytest.approx(3600.0)
    assert "period 1 h" in verdict.sentence
    assert verdict.entrainment.distance < 1e-6


def test_a_paced_squid_axon_goes_on_as_long_as_its_protocol_and_follows_it():
    axon = run(reported("pacing_step_limit", run__duration="300 s", run__max_steps=2000, run__save="final"))
    verdict = classify(axon)
    assert (axon.status, verdict.word) == ("ok", "entrained")
    assert (verdict.entrainment.period, verdict.entrainment.spikes) == (pytest.approx(1.0), 1)
    assert 0.1 < verdict.entrainment.potential["plasma"] < 0.12
    assert verdict.entrainment.drift > 0.0, "each spike brings some Na"


def test_an_axon_paced_too_fast_answers_every_second_pulse_only():
    fast = {"protocol.0.every": "3 ms", "protocol.0.times": "3000", "run.duration": "2 s", "run.save": "final"}
    verdict = classify(run(load_scenario(REPORTED / "pacing_step_limit.yaml", fast)))
    assert verdict.word == "entrained"
    assert verdict.entrainment.beats > 1
    assert verdict.entrainment.spikes < verdict.entrainment.beats


def test_cells_of_a_batch_follow_the_stimulus_of_each():
    every = np.array([0.2, 0.5, 1.0])
    batch = run_batch(reported("pacing_step_limit", run__duration="20 s"), {"protocol.0.every": every}, save="final")
    assert batch.verdict.tolist() == ["entrained"] * 3
    assert [classify(batch.trajectory(i)).entrainment.period for i in range(3)] == pytest.approx(every)


def test_blocking_everything_is_said_to_prove_nothing():
    verdict = classify(run(reported("all_channels_blocked")))
    assert verdict.word == "inert"
    assert "proves nothing" in verdict.sentence
    batch = run_batch(reported("all_channels_blocked"), {"membranes.plasma.capacitance": [0.01, 0.02]}, save="final")
    assert batch.verdict.tolist() == ["inert", "inert"]


def test_species_are_written_as_people_do(configs):
    cell = run(load_scenario(configs / "potassium_only.yaml"))
    text = json.dumps(classify(cell).sentence)
    assert "K is at equilibrium" in text
    assert [species_text(s) for s in ("hco3", "co2", "nh4", "na", "glucose")] == [
        "HCO3-",
        "CO2",
        "NH4+",
        "Na",
        "glucose",
    ]


def test_what_a_reaction_makes_is_not_isolated(tmp_path):
    text = (REPORTED / "less_than_one_proton.yaml").read_text()
    (tmp_path / "lumen.yaml").write_text(text.replace("h: 63 nM}}\n", "h: 63 nM, buf: 0 mM, hbuf: 0 mM}}\n", 1))
    verdict = classify(run(load_scenario(tmp_path / "lumen.yaml")))
    assert verdict.species["wall"]["buf"] != "isolated"
    assert verdict.species["wall"]["na"] == "isolated"


# -- remarks ----------------------------------------------------------------------------------------


def test_a_bath_that_an_event_unbalances_is_remarked_on_at_the_event():
    assert "5.5 mM of positive charge" in remarked(reported("bath_step_not_neutral"))["protocol.0"]


def test_runs_of_a_sweep_that_are_unbalanced_are_counted(tmp_path, capsys):
    (tmp_path / "sweep.yaml").write_text(
        f"extends: {CONFIGS.name}/leaky_bucket.yaml\n"
        "sweep: {mode: grid, over: {compartments.bath.concentrations.k: {linspace: [4.5 mM, 12 mM], n: 16}}}\n"
    )
    (tmp_path / CONFIGS.name).symlink_to(CONFIGS)
    with pytest.raises(SystemExit):
        main(["validate", str(tmp_path / "sweep.yaml")])
    assert "in 13 of 16 runs, 7.5 mM of positive charge" in capsys.readouterr().err


def test_less_than_one_particle_is_remarked_on():
    found = remarked(reported("less_than_one_proton"))["compartments.lumen.concentrations.h"]
    assert "0.0013 particles of H" in found  # 63 nM in a sphere of 20 nm radius


# -- rest points ------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", ["electroneutral", "capacitive"])
def test_a_swelling_neuron_has_three_rest_points_in_either_formulation(formulation):
    found = steady_states(reported("electroneutral_three_rests", formulation=formulation))
    rests = sorted((1e3 * one.trajectory.potential.values[0, 0], one.verdict.stable) for one in found)
    assert [v for v, _ in rests] == pytest.approx([-67.09, -47.34, -18.114], abs=6e-3)
    assert [stable for _, stable in rests] == [True, False, True]


def test_a_negative_slope_conductance_separates_two_stable_rest_points():
    found = steady_states(reported("electroneutral_stability"))
    stable, unstable = (
        [1e3 * one.trajectory.potential.values[0, 0] for one in found if one.verdict.stable is whether]
        for whether in (True, False)
    )
    assert stable == pytest.approx([-67.19, -23.11], abs=6e-3)
    assert unstable == pytest.approx([-45.149], abs=6e-3)


@pytest.mark.parametrize(("name", "charge"), PUBLISHED.items())
def test_both_formulations_of_a_published_cell_have_the_same_rest_points(name, charge):
    def rests(formulation):
        found = steady_states(load_scenario(CONFIGS / "published" / f"{name}.yaml", {"formulation": formulation}))
        return sorted((float(one.trajectory.potential.values[0, 0]), one.verdict.stable) for one in found)

    one, other = rests("capacitive"), rests("electroneutral")
    assert [v for v, _ in one] == pytest.approx([v for v, _ in other], abs=charge)
    assert [stable for _, stable in one] == [stable for _, stable in other]


def test_a_potential_that_nothing_balances_is_named_before_and_after_the_run():
    scenario = reported("electroneutral_no_potential")
    assert "capacitive" in remarked(scenario)["formulation"]
    lost = run(scenario)
    assert lost.status == "step_too_small"
    assert "no potential of cell" in lost.ending
    assert "capacitive" in lost.ending


def test_a_rest_point_beyond_a_hopf_point_is_found_and_called_unstable(configs):
    raised = {"compartments.bath.concentrations.k": "8 mM"}
    [rest] = steady_states(load_scenario(configs / "published" / "barreto_cressman_2011.yaml", raised))
    assert not rest.verdict.stable
    assert rest.trajectory.potential.sel(membrane="plasma")[0] == pytest.approx(-33.3237e-3, abs=1e-7)
    assert rest.residual < 1e-12


def test_a_cell_may_rest_at_thousands_of_times_its_first_volume(configs):
    weak = {"membranes.plasma.water": "instant", "membranes.plasma.mechanisms.pump.max_rate": "1e-5 umol/m^2/s"}
    [rest] = steady_states(load_scenario(configs / "leaky_bucket.yaml", weak))
    # The pump throws out as much Na as leaks in; trapped anions alone hold the water that is left.
    assert rest.trajectory.volume[0, 1] == pytest.approx(12.55e-12, rel=1e-3)
    assert rest.verdict.stable


def test_a_species_may_all_but_vanish(configs):
    strong = "{law: custom, moves: {na: -3, k: 2}, atp: 1, parameters: {r: 0.1 m/s}, rate: r*na_i}"
    [rest] = steady_states(load_scenario(configs / "leaky_bucket.yaml", {"membranes.plasma.mechanisms.pump": strong}))
    na = float(rest.trajectory.concentration.sel(compartment="cell", species="na")[0])
    leak = Analysis(rest.trajectory).net_flux.sel(mechanism="plasma.na_leak", species="na")[0]
    assert na == pytest.approx(leak / 3.0 / 0.1, rel=1e-9)  # the pump's 3 r c is what leaks in
    assert na < 1e-6


# -- fixed states -----------------------------------------------------------------------------------


def test_two_baths_have_fluxes_currents_and_a_verdict_though_nothing_can_change(tmp_path):
    baths = run(reported("nothing_to_integrate"))
    [path] = snapshot(baths).paths
    assert (path.influx, path.efflux) == pytest.approx((145e-9, 10e-9))  # P c, without a voltage
    assert Analysis(baths).nernst.sel(membrane="m", species="na")[0] == pytest.approx(71.471e-3, abs=1e-6)
    verdict = classify(baths)
    assert verdict.word == "steady_state"
    assert verdict.dissipation == pytest.approx(96485.33 * 135e-9 * 100e-12 * 71.471e-3, rel=1e-4)
    assert "145.0" in info_text(baths)
    assert not compare(baths, baths).differences


def test_a_potential_between_two_baths_stays_as_it_is_given():
    baths = run(reported("nothing_to_integrate", membranes__m__potential="-70 mV"))
    assert baths.potential.values[:, 0] == pytest.approx(-70e-3)
    u = -70.0 / 26.7267
    influx = 1e-9 * 145.0 * u / np.expm1(u)  # Goldman-Hodgkin-Katz
    assert snapshot(baths).paths[0].influx == pytest.approx(influx, rel=1e-4)


# -- numbers that are not there ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dissipation_inf", "stray_numpy_warning"])
@pytest.mark.filterwarnings("error")
def test_what_is_undefined_is_said_and_no_library_warns(name):
    lost = run(reported(name))
    assert lost.status in ("negative_amount", "nonfinite")
    text = run_text(lost, classify(lost))
    assert "inf" not in text.replace("infinite", "")
    assert snapshot(lost).dissipation == pytest.approx(classify(lost).dissipation, nan_ok=True)


def test_a_neutral_solute_has_no_nernst_potential_in_python_either(configs):
    cell = run(load_scenario(configs / "glucose.yaml"))
    with pytest.raises(KeyError, match="glucose"):
        Analysis(cell).nernst.sel(species="glucose")
    glucose = next(s for at in snapshot(cell).species.values() for s in at if s.species == "glucose")
    assert glucose.nernst is None


# -- constants --------------------------------------------------------------------------------------


def test_constants_that_a_paper_rounds_can_be_set(configs):
    def at(**constants):
        return run(load_scenario(configs / "benchmark_cell.yaml", {"run.duration": "1 h"} | constants))

    usual, rounded = at(), at(faraday="96500 C/mol")
    assert rounded.potential.values[-1, 0] != usual.potential.values[-1, 0]
    kept = Analysis(rounded)
    current = kept.current.sel(mechanism="plasma.na_leak")[-1]
    flux = kept.net_flux.sel(mechanism="plasma.na_leak", species="na")[-1]
    assert current == pytest.approx(-96500.0 * flux, rel=1e-14)
    assert rounded.scenario.thermal_voltage == pytest.approx(8.314462618 * 310.15 / 96500.0)


def test_a_current_is_turned_into_a_flux_by_the_constant_of_its_scenario(configs):
    key = "membranes.plasma.mechanisms.pump.max_rate"
    cell = load_scenario(configs / "leaky_bucket.yaml", {"faraday": "96500 C/mol", key: "0.0965 A/m^2"})
    assert cell.quantities()[key] == pytest.approx(1e-6, rel=1e-15)


def test_water_moves_by_the_molar_volume_that_the_scenario_gives(configs):
    def permeability(molar):
        model = Model.of(load_scenario(configs / "swelling.yaml", {"water_molar_volume": molar}))
        return model.parameters()[model.structure.parameters.index(water_permeability("plasma"))]

    assert permeability("18.5 mL/mol") / permeability("18.0 mL/mol") == pytest.approx(18.5 / 18.0, rel=1e-14)
