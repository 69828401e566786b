"""Control coefficients against closed forms, and against rest points solved anew beside the first one."""

import math

import numpy as np
import pytest

from simulator import control, load_scenario
from simulator.physics.constants import FARADAY, GAS_CONSTANT
from simulator.report.control import control_record, control_text
from simulator.verdict.control import NoControl
from simulator.verdict.steady import steady_states

AT = "membranes.plasma.mechanisms."
THERMAL = GAS_CONSTANT * 310.15 / FARADAY


def quantities(state) -> dict[str, float]:
    """Quantities of a rest point as the trajectory has them, by the names of control coefficients."""
    end, found = state.trajectory, {}
    for name, labels in (("potential", "membrane"), ("volume", "compartment")):
        values = end.fields()[name].values[-1]
        found |= {f"{name}.{label}": float(v) for label, v in zip(end.labels[labels], values, strict=True)}
    for i, c in enumerate(end.labels["compartment"]):
        for j, s in enumerate(end.labels["species"]):
            found[f"concentration.{c}.{s}"] = float(end.concentration.values[-1, i, j])
    equations = end.equations
    rates, derived = (f(end.states[-1], end.parameters[-1]) for f in (equations.rates, equations.quantities))
    areas = dict(zip(end.structure.parameters, end.parameters[-1], strict=True)) | derived
    for m, mechanism in end.structure.mechanisms:
        label = f"{m.name}.{mechanism.label}"
        found[f"flux.{label}"] = float(rates[f"{label}.net"] * areas[f"area_{m.name}"])
    return found | {"atp_rate": state.verdict.atp_rate}


def beside(scenario, key, like, names):
    """Quantities of the rest point nearest to known ones, with another value of a number."""
    points = [quantities(state) for state in steady_states(scenario.with_values(key))]
    rows = [np.array([point[name] for name in names]) for point in points]
    flowing = like != 0.0
    return min(rows, key=lambda row: np.max(np.abs(row[flowing] / like[flowing] - 1.0)))


#: Published cells and the numbers by which rest points are solved anew: of each kind, whole sets of the small ones.
CELLS = {
    "kay_2017": None,
    "duesterwald_2018": None,
    "vereninov_u937": None,
    "huebel_dahlem_2014": [
        "pump.max_rate",
        "pump.k_mid",
        "na_leak.conductance",
        "k_channel.gates.n.opening.midpoint",
        "rt_over_f",
    ],
    "barreto_cressman_2011": [
        "pump.parameters.rho",
        "glia.parameters.k_mid",
        "na_current.parameters.g_leak",
        "bath.concentrations.k",
    ],
    "halnes_2013": ["kir.parameters.g", "pump.parameters.largest"],
}


@pytest.mark.parametrize("name", CELLS)
def test_coefficients_are_the_slopes_of_rest_points_solved_directly(configs, name):
    scenario = load_scenario(configs / "published" / f"{name}.yaml")
    found = control(scenario)
    like = np.array(list(found.quantities.values()))
    counted = like != 0.0
    values = scenario.quantities()
    wanted = CELLS[name]
    keys = [key for key in found.keys if wanted is None or any(key.endswith(end) for end in wanted)]
    assert wanted is None or len(keys) == len(wanted)
    for key in keys:
        h = 3e-4
        rows = {n: beside(scenario, {key: values[key] * (1 + n * h)}, like, found.quantities) for n in (-2, -1, 1, 2)}
        slope = (8 * (rows[1] - rows[-1]) - (rows[2] - rows[-2])) / (12 * h)
        sensitivity = found.sensitivity[:, found.keys.index(key)]
        size = np.maximum(np.abs(like), np.abs(sensitivity))[counted]
        assert np.max(np.abs(slope - sensitivity)[counted] / size) < 1e-8, key
        for quantity, value in found.quantities.items():
            if value:
                scaled = slope[list(found.quantities).index(quantity)] / value
                assert found.coefficients[quantity][key] == pytest.approx(scaled, rel=1e-6, abs=1e-8)


def test_the_quantities_are_those_of_the_rest_point(configs):
    found = control(load_scenario(configs / "published/duesterwald_2018.yaml"))
    known = quantities(found.rest)
    assert found.quantities == pytest.approx({name: known[name] for name in found.quantities}, rel=1e-12, abs=1e-40)


GOLDMAN = """
name: a cell with baths inside and outside
temperature: 37 degC
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 5 mM}}
  cell: {fixed: true, open_circuit: true, concentrations: {na: 12 mM, k: 138 mM}}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1000 um^2
    mechanisms:
      na_leak: {law: leak_ghk, ion: na, permeability: 1e-10 m/s}
      k_leak: {law: leak_ghk, ion: k, permeability: 2e-9 m/s}
run: {duration: 1 s}
"""


def test_the_control_of_a_potential_is_that_of_the_goldman_equation(tmp_path):
    (tmp_path / "cell.yaml").write_text(GOLDMAN)
    found = control(load_scenario(tmp_path / "cell.yaml"))
    outside, inside = 145 * 1e-10 + 5 * 2e-9, 12 * 1e-10 + 138 * 2e-9
    v = THERMAL * math.log(outside / inside)
    assert found.quantities["potential.plasma"] == pytest.approx(v, rel=1e-12)
    na = THERMAL * (145e-10 / outside - 12e-10 / inside)
    expected = {AT + "na_leak.permeability": na, AT + "k_leak.permeability": -na, "temperature": v}
    expected |= {"compartments.bath.concentrations.k": THERMAL * 5 * 2e-9 / outside}
    moved = dict(zip(found.keys, found.sensitivity[list(found.quantities).index("potential.plasma")], strict=True))
    assert {key: moved[key] for key in expected} == pytest.approx(expected, rel=1e-12)
    coefficients = found.coefficients["potential.plasma"]
    assert {key: coefficients[key] for key in expected} == pytest.approx(
        {k: x / v for k, x in expected.items()}, rel=1e-12
    )


@pytest.mark.parametrize("name", [*CELLS, "huebel_ullah_2016", "saetra_2020"])
def test_rates_together_control_fluxes_by_one_and_all_else_by_nothing(configs, name):
    found = control(load_scenario(configs / "published" / f"{name}.yaml"))
    assert found.theorem < 1e-12
    for quantity, value in found.quantities.items():
        if value:
            size = np.max(np.abs(found.sensitivity[list(found.quantities).index(quantity)]))
            wanted = value if quantity.startswith(("flux", "atp")) else 0.0
            assert found.sums[quantity] == pytest.approx(wanted, rel=1e-9, abs=1e-9 * size)


def test_mechanisms_that_no_single_number_scales_are_named(configs):
    found = control(load_scenario(configs / "published/barreto_cressman_2011.yaml"))
    assert found.unscaled == ("plasma.na_current", "plasma.k_current")  # a gated and a leak conductance each
    assert "whole rate of plasma.na_current, plasma.k_current" in control_text(found)


def test_what_does_not_flow_at_rest_has_no_coefficient(configs):
    found = control(load_scenario(configs / "published/kay_2017.yaml"))
    assert found.quantities["flux.plasma.cl_leak"] == 0.0
    assert all(map(math.isnan, found.coefficients["flux.plasma.cl_leak"].values()))
    assert set(control_record(found)["coefficients"]["flux.plasma.cl_leak"].values()) == {None}


def test_a_passive_leak_controls_nothing(configs):
    found = control(load_scenario(configs / "published/kay_2017.yaml"))
    column = [row[AT + "cl_leak.conductance"] for row in found.coefficients.values()]
    assert np.nanmax(np.abs(column)) < 1e-12


def test_the_first_of_several_rest_points_is_taken_and_said(configs):
    found = control(load_scenario(configs / "two_resting_potentials.yaml"))
    assert found.found > 1
    assert found.rest.verdict.stable
    assert f"the first of {found.found} rest points (stable" in control_text(found)


def test_numbers_of_the_whole_cell_and_ratios_have_the_same_coefficients(configs, tmp_path):
    source = (configs / "leaky_bucket.yaml").read_text()
    whole = source.replace("permeability: 3.0e-10 m/s", "permeability: 0.376991118430775 um^3/s")
    whole = whole.replace("permeability: 4.0e-9 m/s", "permeability: 0.5").replace(
        "    potential:", "    permeability_scale: 8e-9 m/s\n    potential:"
    )
    (tmp_path / "whole.yaml").write_text(whole)
    plain, other = (control(load_scenario(path)) for path in (configs / "leaky_bucket.yaml", tmp_path / "whole.yaml"))
    for quantity, row in plain.coefficients.items():
        for key, value in row.items():
            assert other.coefficients[quantity][key] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)
    scale = "membranes.plasma.permeability_scale"
    assert other.coefficients["potential.plasma"][scale] == pytest.approx(
        plain.coefficients["potential.plasma"][AT + "k_leak.permeability"], rel=1e-12
    )


FED = """
name: a sugar that comes and goes whatever there is of it
compartments:
  bath: {fixed: true, concentrations: {glucose: 5 mM}}
  cell: {volume: 1 pL, concentrations: {glucose: 1 mM}}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 500 um^2
    mechanisms:
      feeding: {law: custom, moves: {glucose: 1}, rate: a, parameters: {a: 1 nmol/m^2/s}}
      eating: {law: custom, moves: {glucose: -1}, rate: b, parameters: {b: 1 nmol/m^2/s}}
run: {duration: 1 s}
"""


def test_a_rest_point_that_nothing_brings_back_has_no_control(tmp_path):
    (tmp_path / "cell.yaml").write_text(FED)
    with pytest.raises(NoControl, match="one of many"):
        control(load_scenario(tmp_path / "cell.yaml"))
