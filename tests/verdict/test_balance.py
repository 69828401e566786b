"""The rates that hold a measured state, against closed forms, published cells and runs."""

import math

import numpy as np
import pytest

from simulator import balance, classify, load_scenario, run
from simulator.errors import UsageError
from simulator.physics.constants import FARADAY, GAS_CONSTANT
from simulator.report.balancing import balance_text
from simulator.trajectory.restart import initial_values
from simulator.verdict.balancing import NotBalanced
from simulator.verdict.steady import before_changes, steady_state

AT = "membranes.plasma.mechanisms."
THERMAL = GAS_CONSTANT * 310.15 / FARADAY

PUMP_LEAK = """
name: pump and leaks
temperature: 37 degC
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 5 mM}}
  cell:
    volume: 4 pL
    concentrations: {na: 12 mM, k: 138 mM}
    impermeant: {concentration: 150 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1200 um^2
    potential: -65 mV
    mechanisms:
      na_leak: {law: leak_ohmic, ion: na, conductance: 0.05 mS/cm^2}
      k_leak: {law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2}
      pump: {law: na_k_pump_constant, rate: 1 uA/cm^2}
run: {duration: 1 h, until: steady}
"""
E_NA, E_K = THERMAL * math.log(145 / 12), THERMAL * math.log(5 / 138)
PUMP_RATE = 1e-2 / FARADAY


@pytest.fixture
def cell(tmp_path):
    def written(text=PUMP_LEAK, **overrides):
        path = tmp_path / "cell.yaml"
        path.write_text(text)
        return load_scenario(path, {key.replace("__", "."): value for key, value in overrides.items()})

    return written


def test_leaks_carry_what_the_pump_brings(cell):
    found = balance(cell(), ["na_leak.conductance", "k_leak.conductance"])
    g_na, g_k = 3 * FARADAY * PUMP_RATE / (E_NA + 0.065), 2 * FARADAY * PUMP_RATE / (-0.065 - E_K)
    assert found.values == pytest.approx(
        {AT + "na_leak.conductance": g_na, AT + "k_leak.conductance": g_k}, rel=1e-13, abs=0
    )
    assert found.residual < 1e-14
    assert found.undetermined == ()


def test_the_held_state_is_at_rest_from_the_beginning(cell):
    found = balance(cell(), ["na_leak.conductance", "k_leak.conductance"])
    trajectory = run(found.held)
    assert classify(trajectory).word == "steady_state"
    assert trajectory.potential.values[:, 0] == pytest.approx(-0.065, abs=1e-12)
    assert classify(trajectory.moment(0)).word == "steady_state"


def test_of_too_many_numbers_those_next_to_the_given_ones_are_taken(cell):
    keys = ["na_leak.conductance", "k_leak.conductance", "pump.rate"]
    found = balance(cell(), keys)
    given = np.array(list(found.given.values()))
    line = np.array([3 * FARADAY / (E_NA + 0.065), 2 * FARADAY / (-0.065 - E_K), 1.0]) * PUMP_RATE
    direction = line / given  # all rates along this line hold the state; the nearest is a projection
    nearest = direction * (direction @ np.ones(3)) / (direction @ direction) * given
    assert list(found.values.values()) == pytest.approx(nearest.tolist(), rel=1e-12, abs=0)
    assert set(found.undetermined) == {AT + key for key in keys}
    [free] = found.directions
    assert list(free.values()) == pytest.approx([1.0, 1.0, 1.0], rel=1e-9)


def test_two_paths_of_one_ion_leave_their_shares_open(cell):
    text = PUMP_LEAK.replace(
        "      pump:", "      na_leak_2: {law: leak_ohmic, ion: na, conductance: 0.05 mS/cm^2}\n      pump:"
    )
    keys = ["na_leak.conductance", "na_leak_2.conductance", "k_leak.conductance"]
    found = balance(cell(text), keys)
    first, second, _ = found.values.values()
    assert first == pytest.approx(second, rel=1e-12)
    assert first + second == pytest.approx(3 * FARADAY * PUMP_RATE / (E_NA + 0.065), rel=1e-12)
    assert set(found.undetermined) == {AT + "na_leak.conductance", AT + "na_leak_2.conductance"}
    [free] = found.directions
    assert free[AT + "na_leak.conductance"] == pytest.approx(-free[AT + "na_leak_2.conductance"])


def test_too_few_numbers_come_as_close_as_they_can_and_say_what_is_left(cell):
    with pytest.raises(NotBalanced, match=r"the amount of (Na|K) in cell by") as none:
        balance(cell(), ["na_leak.conductance"])
    found = none.value.found
    assert found.values[AT + "na_leak.conductance"] == pytest.approx(3 * FARADAY * PUMP_RATE / (E_NA + 0.065), rel=1e-9)
    conductance = 1.0  # 0.1 mS/cm2
    k_flow = 1200e-12 * (2 * PUMP_RATE - conductance * (-0.065 - E_K) / FARADAY)
    assert found.leftovers == pytest.approx({"n_cell_k": k_flow}, rel=1e-9)


def test_a_leak_that_would_have_to_run_uphill_is_refused_with_its_direction(cell):
    scenario = cell(membranes__plasma__potential="-95 mV")
    with pytest.raises(NotBalanced, match=r"k_leak.conductance would have to be -") as none:
        balance(scenario, ["na_leak.conductance", "k_leak.conductance"])
    [problem] = none.value.problems
    assert "k_leak would have to move k out, but at -95.00 mV (E_k is -88.67 mV) it can only move k in" in problem


def test_a_pump_that_would_have_to_run_backwards_is_refused_with_its_direction(cell):
    scenario = cell(**{"compartments__cell__concentrations__na": "400 mM", "membranes__plasma__potential": "60 mV"})
    with pytest.raises(NotBalanced, match=r"pump.rate would have to be -") as none:
        balance(scenario, ["pump.rate", "k_leak.conductance"])
    assert "pump would have to move na in and k out, but at 60.00 mV it can only move na out and k in" in str(
        none.value
    )


def test_numbers_in_which_rates_are_not_linear_are_found_as_well(cell):
    text = PUMP_LEAK.replace(
        "na_k_pump_constant, rate: 1 uA/cm^2", "na_k_pump_hill, max_rate: 0.9 umol/m^2/s, k_na: 4 mM, k_k: 1 mM"
    )
    found = balance(cell(text), ["pump.k_na", "k_leak.conductance"])
    leak = 0.5 * (E_NA + 0.065) / FARADAY / 3  # turnovers that the Na leak of 0.05 mS/cm2 needs
    law = load_law("na_k_pump_hill")
    turnover = law(0.9e-6, found.values[AT + "pump.k_na"], 1.0, 12.0, 5.0)
    assert turnover == pytest.approx(leak, rel=1e-12)
    assert found.values[AT + "pump.k_na"] != found.given[AT + "pump.k_na"]


def load_law(name):
    """A pump's rate as a function of its numbers and of Na inside and K outside, in plain floats."""
    from importlib import import_module

    forward = import_module(f"simulator.mechanisms.laws.{name}").LAW.rate
    return lambda max_rate, k_na, k_k, na_i, k_o: forward(max_rate=max_rate, k_na=k_na, k_k=k_k, na_i=na_i, k_o=k_o)


def test_numbers_of_the_whole_cell_and_ratios_keep_their_kind(cell):
    text = PUMP_LEAK.replace(
        "law: leak_ohmic, ion: na, conductance: 0.05 mS/cm^2", "law: leak_ohmic, ion: na, conductance: 1 nS"
    )
    text = text.replace("law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2", "law: leak_ghk, ion: k, permeability: 0.5")
    text = text.replace("    potential:", "    permeability_scale: 1e-8 m/s\n    potential:")
    found = balance(cell(text), ["na_leak.conductance", "k_leak.permeability"])
    assert found.values[AT + "na_leak.conductance"] == pytest.approx(
        3 * FARADAY * PUMP_RATE / (E_NA + 0.065) * 1200e-12
    )
    u = -0.065 / THERMAL
    flux = u / (1 - math.exp(-u)) * (138 - 5 * math.exp(-u))  # per permeability, out of the cell
    assert found.values[AT + "k_leak.permeability"] == pytest.approx(2 * PUMP_RATE / flux / 1e-8, rel=1e-12)
    assert found.held.kind_of(AT + "na_leak.conductance") == "cell"
    assert found.held.kind_of(AT + "k_leak.permeability") == "ratio"
    assert classify(run(found.held).moment(0)).word == "steady_state"


def test_the_scale_of_permeabilities_can_be_found(cell):
    text = PUMP_LEAK.replace(
        "law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2", "law: leak_ghk, ion: k, permeability: 0.5"
    )
    text = text.replace("    potential:", "    permeability_scale: 1e-8 m/s\n    potential:")
    ratio = balance(cell(text), ["na_leak.conductance", "k_leak.permeability"]).values[AT + "k_leak.permeability"]
    scale = balance(cell(text), ["na_leak.conductance", "permeability_scale"]).values[
        "membranes.plasma.permeability_scale"
    ]
    assert scale * 0.5 == pytest.approx(ratio * 1e-8, rel=1e-13)


def test_water_that_no_rate_can_hold_is_told(cell):
    text = PUMP_LEAK.replace("    potential:", "    water: {permeability: 50 um/s}\n    potential:")
    text = text.replace("k: 5 mM}}", "k: 5 mM}, impermeant: {concentration: 160 mM, charge: 0}}")
    with pytest.raises(NotBalanced, match="the volume of cell by -"):
        balance(cell(text), ["na_leak.conductance", "k_leak.conductance"])
    balanced = text.replace("{concentration: 160 mM", "{concentration: 150 mM")
    assert balance(cell(balanced), ["na_leak.conductance", "k_leak.conductance"]).residual < 1e-14


def test_where_an_ion_that_only_leaks_would_rest_is_told(configs):
    scenario = load_scenario(configs / "leaky_bucket.yaml")
    with pytest.raises(NotBalanced) as none:
        balance(scenario, ["na_leak.permeability", "k_leak.permeability"])
    resting = 149.5 * math.exp(-0.060 / THERMAL)
    assert f"Cl moves through cl_leak alone, so it rests at {resting:.10g} mM in cell" in str(none.value)
    held = balance(
        scenario.with_values({"compartments.cell.concentrations.cl": resting}),
        ["na_leak.permeability", "k_leak.permeability"],
    )
    assert held.residual < 1e-12


def test_the_potential_of_a_clamped_composition_gives_the_ratio_of_permeabilities(cell):
    text = """
name: two solutions
temperature: 37 degC
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 5 mM}}
  cell:
    fixed: true
    open_circuit: true
    concentrations: {na: 12 mM, k: 138 mM}
    impermeant: {concentration: 1 mM, charge: -1}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1000 um^2
    potential: -70 mV
    mechanisms:
      na_leak: {law: leak_ghk, ion: na, permeability: 1e-10 m/s}
      k_leak: {law: leak_ghk, ion: k, permeability: 2e-9 m/s}
run: {duration: 1 s}
"""
    e = math.exp(-0.070 / THERMAL)  # (145 p + 5)/(12 p + 138) at rest (Goldman)
    found = balance(cell(text), ["na_leak.permeability"])
    assert found.values[AT + "na_leak.permeability"] == pytest.approx(2e-9 * (138 * e - 5) / (145 - 12 * e), rel=1e-12)
    assert classify(run(found.held).moment(0)).word == "steady_state"
    with pytest.raises(NotBalanced, match=r"na_leak would have to move na out, but at -95\.00 mV"):
        balance(cell(text.replace("-70 mV", "-95 mV")), ["na_leak.permeability"])


def test_an_electroneutral_state_needs_its_potential(configs):
    scenario = load_scenario(configs / "published/vereninov_u937.yaml")
    with pytest.raises(UsageError, match=r"membranes.plasma.potential is missing"):
        balance(scenario, ["na_channel.permeability"])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("pump.rates", "did you mean `pump.rate`"),
        ("bath.concentrations.na", "is no number of a mechanism"),
        ("conductance", "names .*na_leak.conductance and .*k_leak.conductance"),
        ("cell.volume", "is no number of a mechanism"),
    ],
)
def test_keys_that_cannot_be_found_are_refused(cell, key, message):
    with pytest.raises(UsageError, match=message):
        balance(cell(), [key])


def test_a_key_is_named_once(cell):
    with pytest.raises(UsageError, match="twice"):
        balance(cell(), ["pump.rate", AT + "pump.rate"])


#: Cells with numbers that their rest point determines.
PUBLISHED = {
    "published/kay_2017": ["na_leak.conductance", "k_leak.conductance"],
    "published/duesterwald_2018": ["na_leak.conductance", "k_leak.conductance", "cl_leak.conductance"],
    "published/vereninov_u937": ["na_channel.permeability", "k_channel.permeability", "cl_channel.permeability"],
    "published/huebel_dahlem_2014": ["na_leak.conductance", "pump.max_rate"],
    "published/huebel_ullah_2016": ["na_leak.conductance", "k_leak.conductance"],
    "published/barreto_cressman_2011": [
        "na_current.parameters.g_leak",
        "k_current.parameters.g_leak",
        "diffusion.parameters.eps",
    ],
    "published/halnes_2013": ["na_leak.conductance", "kir.parameters.g"],
    "published/saetra_2020": ["na_leak.conductance", "k_leak.conductance"],
    "leaky_bucket": ["na_leak.permeability", "k_leak.permeability"],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_cell_gives_back_its_rates_from_its_own_rest_point(configs, name):
    scenario = before_changes(load_scenario(configs / f"{name}.yaml"))
    rest = steady_state(scenario)
    resting = scenario.with_values(initial_values(rest.trajectory.model, rest.trajectory))
    keys = [next(k for k in resting.quantities() if k.endswith("." + key)) for key in PUBLISHED[name]]
    published = {key: resting.quantities()[key] for key in keys}
    wrong = resting.with_values(
        {key: value * factor for (key, value), factor in zip(published.items(), (3.0, 0.4, 1.7), strict=False)}
    )
    found = balance(wrong, keys)
    assert found.values == pytest.approx(published, rel=1e-9, abs=0)
    assert found.undetermined == ()


def test_gates_are_taken_where_they_rest(configs):
    scenario = load_scenario(configs / "published/huebel_dahlem_2014.yaml")
    resting = scenario.with_values(
        initial_values(steady_state(scenario).trajectory.model, steady_state(scenario).trajectory)
    )
    keys = [AT + "k_channel.conductance", AT + "na_leak.conductance"]
    published = {key: resting.quantities()[key] for key in keys}
    found = balance(resting.with_values({key: 0.5 * value for key, value in published.items()}), keys)
    assert found.values == pytest.approx(published, rel=1e-9, abs=0)


def test_a_number_that_is_zero_can_be_found(cell):
    found = balance(
        cell(**{AT.replace(".", "__") + "na_leak__conductance": "0 S/m^2"}),
        ["na_leak.conductance", "k_leak.conductance"],
    )
    assert found.values[AT + "na_leak.conductance"] == pytest.approx(
        3 * FARADAY * PUMP_RATE / (E_NA + 0.065), rel=1e-12
    )


def test_the_answer_is_printed_as_yaml_that_extends_the_scenario(cell, tmp_path):
    found = balance(cell(), ["na_leak.conductance", "k_leak.conductance"])
    lines = balance_text(found, held=True).partition("\n\n")[2]
    (tmp_path / "held.yaml").write_text("extends: cell.yaml\n" + lines)
    assert load_scenario(tmp_path / "held.yaml") == found.held
