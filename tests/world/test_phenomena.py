"""The phenomena of membrane biophysics, each by the product's own run of its shipped scenario."""

import numpy as np
import pytest

from simulator.model.names import parameter_name
from simulator.physics.constants import FARADAY
from simulator.report.text import info_text
from simulator.runs.integrate import run
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.snapshot import snapshot
from simulator.verdict.verdict import classify

PLASMA = "membranes.plasma.mechanisms"


@pytest.fixture(scope="module")
def ran(configs):
    """Runs by scenario name and overrides, each made once."""
    made = {}

    def get(name, **changes):
        overrides = {key.replace("__", "."): value for key, value in changes.items()}
        key = (name, *overrides.items())
        if key not in made:
            made[key] = run(load_scenario(configs / f"{name}.yaml", overrides))
        return made[key]

    return get


def at(trajectory, time: float) -> int:
    """Index of the last saved state before a time [s]."""
    return int(np.searchsorted(trajectory.time, time)) - 1


def concentration(trajectory, species: str, index: int = -1) -> float:
    return float(trajectory.concentration.sel(compartment="cell", species=species)[index])


def volume(trajectory, index: int = -1) -> float:
    return float(trajectory.volume[index, trajectory.labels["compartment"].index("cell")])


# -- one ion, many ions ---------------------------------------------------------------------------


def test_a_handful_of_potassium_ions_makes_the_whole_nernst_potential(ran):
    trajectory = ran("potassium_only")
    assert trajectory.potential.values[-1, 0] == pytest.approx(-0.0909, abs=2e-5)
    i = trajectory.labels["compartment"].index("cell"), trajectory.labels["species"].index("k")
    first, last = trajectory.amount[[0, -1], *i]
    # What left is what charges the capacitor: C A V/F.
    area = 4.0 * np.pi * 1e-10
    assert last - first == pytest.approx(0.01 * area * trajectory.potential.values[-1, 0] / FARADAY, rel=1e-6)
    assert (last - first) / first == pytest.approx(-2.1e-5, rel=0.01)
    text = info_text(trajectory)
    assert "k -11.84 amol (relative -2.1e-05)" in text
    assert "-1.142 pC, 11.84 amol of charges: 1.8e-05 of those its ions carry" in text


def test_at_dynamic_equilibrium_both_fluxes_are_large_and_nothing_is_dissipated(ran):
    end = snapshot(ran("potassium_only"))
    influx, efflux, net = end.total("plasma", "k")
    assert influx > 6e-8
    assert influx == pytest.approx(efflux, rel=1e-9)
    assert abs(net) < 1e-9 * influx
    assert end.dissipation == pytest.approx(0.0, abs=1e-24)
    k = next(s for s in end.species["plasma"] if s.species == "k")
    assert k.driving_force == pytest.approx(0.0, abs=1e-9)  # electrochemical potential: equal on both sides


def test_nernst_potentials_of_the_textbook(ran):
    nernst = {s.species: s.nernst for s in snapshot(ran("nernst"), 0).species["plasma"]}
    assert nernst["k"] == pytest.approx(-0.0909, abs=1e-4)
    assert nernst["na"] == pytest.approx(0.0606, abs=1e-4)
    assert nernst["ca"] == pytest.approx(0.130, abs=1e-4)
    assert nernst["mg"] == 0.0
    assert nernst["glucose"] is None


def test_ten_times_more_outside_moves_calcium_by_half_of_what_it_moves_potassium(ran):
    def shift(species: str, more: str) -> float:
        before = Analysis(ran("nernst")).nernst.sel(membrane="plasma", species=species)[0]
        after = ran("nernst", **{f"compartments__bath__concentrations__{species}": more})
        return float(Analysis(after).nernst.sel(membrane="plasma", species=species)[0] - before)

    decade = np.log(10.0) * ran("nernst").scenario.thermal_voltage
    assert shift("k", "45 mM") == pytest.approx(decade, rel=1e-9)
    assert shift("ca", "18 mM") == pytest.approx(0.5 * decade, rel=1e-9)


def test_a_voltage_driven_leak_of_a_neutral_solute_is_refused_with_a_way_out(configs):
    with pytest.raises(ConfigError, match=r"glucose.*charge 0.*diffusion_neutral"):
        load_scenario(configs / "nernst.yaml", {f"{PLASMA}.k_leak.ion": "glucose"})


def test_each_open_channel_sends_its_ion_the_way_of_v_minus_e(ran):
    trajectory = ran("driving_force")
    analysis = Analysis(trajectory)
    force = {s.species: s.driving_force for s in snapshot(trajectory, 0).species["plasma"]}
    assert force["k"] == pytest.approx(0.020, abs=1e-4)
    assert {s.species: s.direction for s in snapshot(trajectory, 0).species["plasma"]} == {
        "k": "out",
        "na": "in",
        "ca": "in",
        "cl": "out",  # an anion: a negative driving force pushes it outward
        "glucose": "in",
    }
    for ion, open_at in (("k", 1e-3), ("na", 3e-3), ("cl", 5e-3), ("ca", 7e-3)):
        current = analysis.current.sel(mechanism=f"plasma.{ion}_channel")[at(trajectory, open_at + 1e-4)]
        assert current == pytest.approx(0.1 * force[ion], rel=0.01)


@pytest.mark.parametrize("scenario", ["weighted_mean", "weighted_mean_ghk"])
def test_resting_potential_is_the_mean_of_the_nernst_potentials_by_their_weights(ran, scenario):
    trajectory = ran(scenario)
    analysis = Analysis(trajectory)
    thermal, seen = trajectory.scenario.thermal_voltage, []
    for end in [*trajectory.model.events().time[0], trajectory.time[-1]]:
        i = at(trajectory, end)
        weight = {}
        for s in ("k", "na", "cl"):
            kind = "conductance" if scenario == "weighted_mean" else "permeability"
            column = trajectory.structure.parameters.index(parameter_name("plasma", f"{s}_leak", kind))
            weight[s] = trajectory.parameters[i, column]
        if scenario == "weighted_mean":
            e = {s: analysis.nernst.sel(membrane="plasma", species=s)[i] for s in weight}
            expected = sum(weight[s] * e[s] for s in weight) / sum(weight.values())
        else:
            c_in = {s: concentration(trajectory, s, i) for s in weight}
            outer = 4.5 * weight["k"] + 145.0 * weight["na"] + c_in["cl"] * weight["cl"]
            inner = c_in["k"] * weight["k"] + c_in["na"] * weight["na"] + 149.5 * weight["cl"]
            expected = thermal * np.log(outer / inner)
        seen.append(trajectory.potential.values[i, 0])
        assert seen[-1] == pytest.approx(expected, abs=2e-5)
    assert seen[0] < seen[1] < seen[2] > seen[3]  # more Na, less negative


def test_reversal_potential_of_a_mixed_channel_is_no_ions_equilibrium(ran):
    trajectory = ran("cation_channel")
    analysis = Analysis(trajectory)
    reversal = analysis.zero_current_potential("plasma", ["channel_k", "channel_na"])
    assert reversal == pytest.approx(-0.020, abs=1e-4)
    assert trajectory.potential.values[-1, 0] == pytest.approx(reversal, abs=1e-6)
    k, na = (analysis.current.sel(mechanism=f"plasma.channel_{s}")[-1] for s in ("k", "na"))
    assert k == pytest.approx(0.0814, abs=1e-4)  # outward
    assert na == pytest.approx(-k, rel=1e-4)  # inward
    curve = analysis.current_voltage("plasma", ["channel_k", "channel_na"], np.array([-0.06, reversal, 0.02]))
    assert curve[0] < 0.0 < curve[2]
    assert abs(curve[1]) < 1e-9


# -- pumps ----------------------------------------------------------------------------------------


def test_half_a_pump_holds_the_cell_near_rest_at_a_higher_sodium(ran):
    trajectory = ran("pump_half")
    before, jumped, rest = (at(trajectory, t) for t in (2 * 3600.0, 2 * 3600.0 + 61.0, 12 * 3600.0))
    v = trajectory.potential.values[:, 0]
    assert v[jumped] - v[before] == pytest.approx(0.0023, abs=2e-4)
    assert v[rest] == pytest.approx(-0.06614, abs=1e-4)
    assert concentration(trajectory, "na", before) == pytest.approx(9.57, abs=0.01)
    assert concentration(trajectory, "na", rest) == pytest.approx(15.82, abs=0.01)
    used = np.sum(Analysis(trajectory).atp_rate.values, axis=1)
    assert used[rest] == pytest.approx(used[before], rel=0.02)  # the same leak must be paid for
    assert v[-1] == pytest.approx(v[before], abs=1e-5)


def test_gradients_outlive_the_pump_by_an_hour(ran):
    trajectory = ran("sealed_bucket")
    k = trajectory.concentration.sel(compartment="cell", species="k")
    gone = (k - k[-1]) / (k[0] - k[-1])
    assert np.interp(-1.0 / np.e, -gone, trajectory.time) == pytest.approx(3553.0, rel=0.01)
    assert classify(trajectory).slowest_time == pytest.approx(5240.0, rel=0.01)


def test_sglt1_piles_glucose_up_to_the_limit_that_sodium_sets_and_no_further(ran):
    trajectory = ran("sglt1")
    full = at(trajectory, 24 * 3600.0)
    na, v = concentration(trajectory, "na", full), trajectory.potential.values[full, 0]
    limit = 1e-3 * (145.0 / na) ** 2 * np.exp(-2.0 * v / trajectory.scenario.thermal_voltage)
    assert limit == pytest.approx(34.97, abs=0.02)
    assert 0.995 * limit < concentration(trajectory, "glucose", full) < limit


def test_blocking_the_pump_drains_the_pile(ran):
    trajectory = ran("sglt1")
    assert concentration(trajectory, "glucose", at(trajectory, 25.01 * 3600.0)) == pytest.approx(0.49, abs=0.02)
    assert concentration(trajectory, "glucose") == pytest.approx(1e-3, rel=1e-4)
    assert classify(trajectory).word == "equilibrium"


def test_a_reversible_pump_stalls_and_makes_atp_where_the_gradients_outweigh_atp(configs):
    """Weak ATP (-30 kJ/mol) against the gradients of a resting cell, which ask for about 45."""
    pump = {"max_rate": 1e-6, "k_na_i": 5.0, "k_k_i": 50.0, "k_na_o": 50.0, "k_k_o": 1.0}
    rates = {}
    for energy in (-57e3, -30e3):
        data = load_scenario(configs / "leaky_bucket.yaml").resolved()
        data["atp_free_energy"] = energy
        data["membranes"]["plasma"]["mechanisms"]["pump"] = {"law": "na_k_pump_reversible", **pump}
        data["run"]["duration"], data["run"]["save_every"] = 1e-3, 1e-4
        start = Analysis(run(type(load_scenario(configs / "leaky_bucket.yaml")).model_validate(data)))
        rates[energy] = float(start.turnover.sel(mechanism="plasma.pump")[0])
        stall = float(start.reversal.sel(mechanism="plasma.pump")[0])
        assert (stall < -0.06) == (rates[energy] > 0.0)
        assert start.dissipation.sel(mechanism="plasma.pump")[0] > 0.0
    assert rates[-57e3] > 0.0 > rates[-30e3]


# -- other kingdoms, volume, epithelium -----------------------------------------------------------


def test_the_proton_pump_of_a_plant_drives_the_voltage_beyond_the_potassium_potential(ran):
    trajectory = ran("plant_cell")
    analysis = Analysis(trajectory)
    e_k = analysis.nernst.sel(membrane="plasma", species="k")[-1]
    running, poisoned = at(trajectory, 10.0), at(trajectory, 20.0)
    k = analysis.net_flux.sel(mechanism="plasma.k_channel", species="k")
    assert e_k == pytest.approx(-0.1183, abs=1e-4)
    assert trajectory.potential.values[running, 0] == pytest.approx(-0.158, abs=1e-4)
    assert trajectory.potential.values[poisoned, 0] == pytest.approx(-0.112, abs=1e-4)
    assert k[running] > 0.0 > k[poisoned]  # K flows in beyond E_K, out above it
    assert analysis.reversal.sel(mechanism="plasma.pump")[running] == pytest.approx(-0.484, abs=1e-3)


def test_a_cell_swells_when_its_pump_stops_and_shrinks_back_when_it_returns(ran):
    trajectory = ran("swelling")
    before, after = volume(trajectory, at(trajectory, 7200.0)), volume(trajectory, at(trajectory, 8 * 3600.0))
    assert before == pytest.approx(4.19e-15, rel=2e-3)
    assert after / before == pytest.approx(2.07, abs=0.02)
    assert volume(trajectory) == pytest.approx(before, rel=1e-3)
    assert classify(trajectory).word == "steady_state"


def test_swelling_opens_kcl_efflux_that_brings_the_volume_back_in_thin_water(ran):
    trajectory = ran("volume_decrease")
    without = ran("volume_decrease", membranes__plasma__mechanisms__kcc__rate="0 m^4/mol/s")
    before, swollen, later = (at(trajectory, t) for t in (599.0, 721.0, 1801.0))
    normal = volume(trajectory, before)
    assert volume(trajectory, swollen) / normal == pytest.approx(1.21, abs=0.01)
    assert volume(trajectory, later) / normal == pytest.approx(1.08, abs=0.01)
    assert volume(trajectory) / normal == pytest.approx(1.05, abs=0.005)
    assert volume(without, later) / volume(without, before) > 1.22
    assert concentration(trajectory, "cl") == pytest.approx(19.5, abs=0.1)  # what it paid with


def test_an_epithelium_carries_glucose_and_twice_as_much_sodium_from_gut_to_blood(ran):
    trajectory = ran("epithelium")
    assert classify(trajectory).word == "steady_state"
    assert concentration(trajectory, "glucose") > 5.0  # uphill from the gut (2 mM), downhill to the blood (5 mM)
    into_cell = crossing(trajectory, "apical.sglt1", "glucose")
    into_blood = -crossing(trajectory, "basolateral.glut2", "glucose")
    assert into_cell == pytest.approx(126.5e-18, rel=0.01)
    assert into_blood == pytest.approx(into_cell, rel=1e-6)
    assert crossing(trajectory, "apical.sglt1", "na") == pytest.approx(2.0 * into_cell, rel=1e-9)
    # Na absorbed: the gut side turns negative, Cl follows, some Na returns through the seam.
    lumen = trajectory.potential.sel(membrane="paracellular")[-1]
    assert lumen == pytest.approx(-0.0038, abs=1e-4)
    assert crossing(trajectory, "paracellular.na_seam", "na") > 0.0
    assert crossing(trajectory, "paracellular.cl_seam", "cl") < 0.0


def test_the_short_circuit_current_is_the_sodium_that_the_cell_moves(ran):
    trajectory = ran("epithelium", compartments__lumen__open_circuit=False)
    analysis = Analysis(trajectory)
    assert trajectory.potential.sel(membrane="paracellular")[-1] == 0.0
    area = analysis.area.sel(membrane="apical")[-1]
    current = -area * analysis.current.sel(mechanism="apical.sglt1")[-1]  # from gut to blood
    assert current == pytest.approx(26.7e-12, rel=0.01)
    assert current == pytest.approx(FARADAY * crossing(trajectory, "apical.sglt1", "na"), rel=1e-9)
    assert crossing(trajectory, "paracellular.na_seam", "na") == 0.0


def crossing(trajectory, mechanism: str, species: str) -> float:
    """Net flux into the inside over the whole membrane [mol/s], at the end."""
    analysis = Analysis(trajectory)
    area = analysis.area.sel(membrane=mechanism.partition(".")[0])[-1]
    return float(area * analysis.net_flux.sel(mechanism=mechanism, species=species)[-1])
