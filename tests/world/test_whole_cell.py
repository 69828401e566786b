"""Numbers of the whole cell, permeability ratios and amounts of impermeants: what they do to a cell.

The inputs in `reported/` were refused once; the right values are closed forms, or were found with SciPy's Radau.
"""

import math
from pathlib import Path

import numpy as np
import pytest

from simulator.model.model import Model
from simulator.model.names import area, capacitance, parameter_name
from simulator.physics.constants import FARADAY, GAS_CONSTANT
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.trajectory.snapshot import snapshot

REPORTED = Path(__file__).resolve().parent / "reported"

CELL = """\
name: cell
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 4.5 mM, cl: 149.5 mM}}
  cell:
    geometry: {sphere: {diameter: 20 um}}
    concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM}
    impermeant: {concentration: 131 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    capacitance: 12.566370614359172 pF
    potential: -60 mV
    mechanisms:
      leak: {law: leak_ohmic, ion: k, conductance: 5 nS}
      pump: {law: na_k_pump_constant, rate: 3 pA}
run: {duration: 10 s}
"""

#: Area of the cell [m2].
SPHERE = math.pi * (20e-6) ** 2

LEAK = "membranes.plasma.mechanisms.leak.conductance"
CONDUCTANCE = parameter_name("plasma", "leak", "conductance")


@pytest.fixture
def cell(tmp_path):
    def read(*changes, **overrides):
        text = CELL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "cell.yaml").write_text(text)
        return load_scenario(tmp_path / "cell.yaml", {key.replace("__", "."): v for key, v in overrides.items()})

    return read


def reported(name, **changes):
    return load_scenario(REPORTED / f"{name}.yaml", {key.replace("__", "."): value for key, value in changes.items()})


def numbers(scenario, values=None):
    model = Model.of(scenario)
    given = None if values is None else dict(model.values) | values
    return dict(zip(model.structure.parameters, np.moveaxis(model.parameters(given), -1, 0), strict=True))


def after(scenario, event):
    model = Model.of(scenario)
    return dict(zip(model.structure.parameters, model.events().parameters[0, event], strict=True))


def test_two_cells_with_conductances_in_nS_rest_at_the_nernst_potential():
    end = snapshot(run(reported("whole_cell_conductance")))
    nernst = GAS_CONSTANT * 298.15 / FARADAY * math.log(5.0 / 112.6)
    assert nernst == pytest.approx(-80.02e-3, abs=1e-5)
    assert [end.potential["ma"], end.potential["mb"]] == pytest.approx([nernst, nernst], abs=1e-6)


def test_a_picoampere_of_calcium_fills_a_spine():
    """Influx I/(2F) over the volume, against a pump of 12 ms: 50 nM + I tau/(2 F V) (1 - exp(-t/tau))."""
    end = snapshot(run(reported("whole_cell_current")))
    filled = 50e-6 + 1e-12 * 12e-3 / (2 * FARADAY * 1e-19) * (1.0 - math.exp(-100.0 / 12.0))
    assert filled == pytest.approx(0.62176, abs=1e-5)
    assert end.concentration["spine"]["ca"] == pytest.approx(filled, rel=1e-4)


def test_an_amount_of_impermeant_stays_where_water_moves_at_once():
    end = snapshot(run(reported("impermeant_amount")))
    assert end.potential["plasma"] == pytest.approx(-80.596e-3, abs=1e-6)
    assert [end.concentration["cell"][s] for s in ("na", "k", "cl")] == pytest.approx(
        [19.168, 115.861, 4.9384], rel=1e-4
    )
    assert end.volume["cell"] == pytest.approx(9.2244e-15, rel=1e-4)


def test_whole_cell_conductance_is_divided_by_the_area_at_the_start(cell):
    given = numbers(cell())
    assert given[CONDUCTANCE] == pytest.approx(5e-9 / SPHERE, rel=1e-14)
    assert given[capacitance("plasma")] == pytest.approx(0.01, rel=1e-14)
    assert given[parameter_name("plasma", "pump", "rate")] == pytest.approx(3e-12 / FARADAY / SPHERE, rel=1e-14)


def test_a_cell_in_whole_cell_numbers_is_the_same_cell_per_area(cell):
    per_area = cell(
        ("12.566370614359172 pF", "1 uF/cm^2"),
        ("5 nS", f"{5e-9 / SPHERE!r} S/m^2"),
        ("3 pA", f"{3e-12 / SPHERE!r} A/m^2"),
    )
    first, second = run(cell()), run(per_area)
    assert first.states == pytest.approx(second.states, rel=1e-9)


def test_a_swept_diameter_keeps_the_number_of_the_whole_cell(cell):
    diameters = np.array([10e-6, 20e-6, 40e-6])
    swept = numbers(cell(), {"compartments.cell.geometry.sphere.diameter": diameters})
    assert swept[CONDUCTANCE] * np.pi * diameters**2 == pytest.approx([5e-9] * 3, rel=1e-14)
    batch = run_batch(cell(), {LEAK: [1e-9, 5e-9]})
    assert batch.scenario.unit_of(LEAK) == "S"
    assert batch.to_xarray()[LEAK].attrs["units"] == "S"


def test_an_event_that_changes_the_area_does_not_spread_the_numbers_anew(cell):
    event = ("run:", "protocol: [{at: 1 s, set: {membranes.plasma.area: 100 um^2}}]\nrun:")
    later = after(cell(event, ("capacitance:", f"area: {SPHERE!r} m^2\n    capacitance:")), 0)
    assert later[area("plasma")] == pytest.approx(100e-12)
    assert later[CONDUCTANCE] == pytest.approx(5e-9 / SPHERE, rel=1e-14)


def test_water_that_balances_first_decides_the_area_of_the_start(cell):
    swelling = cell(
        ("capacitance:", "water: instant\n    area_change: with_volume\n    capacitance:"), ("131 mM", "431 mM")
    )
    contents = Model.of(swelling).contents()
    swollen = SPHERE * ((15 + 140 + 13 + 431) / 299.0) ** (2 / 3)
    assert contents.per_area("plasma", LEAK) == pytest.approx(5e-9 / swollen, rel=1e-14)
    salty = dict(contents.values) | {"compartments.bath.concentrations.na": 290.0}
    assert contents.changed(salty).per_area("plasma", LEAK) == contents.per_area("plasma", LEAK)


def test_new_values_are_given_like_those_of_the_scenario(cell):
    change = "protocol: [{at: 1 s, set: {membranes.plasma.mechanisms.leak.conductance: %s}}]\nrun:"
    assert after(cell(("run:", change % "0.2 Gohm")), 0)[CONDUCTANCE] == pytest.approx(5e-9 / SPHERE, rel=1e-14)
    words = "`1 S/m.2` is a number per area, but the scenario gives a number for the whole cell"
    with pytest.raises(ConfigError, match=words):
        cell(("run:", change % "1 S/m^2"))
    with pytest.raises(
        ConfigError, match="`5 pS` is a number for the whole cell, but the scenario gives a number per area"
    ):
        cell(("run:", change % "5 pS"), ("5 nS", "4 S/m^2"))
    current = "protocol: [{at: 1 s, set: {membranes.plasma.mechanisms.stimulus.current: 20 pA}}]\nrun:"
    stimulus = ("    mechanisms:\n", "    mechanisms:\n      stimulus: {law: stimulus, ion: k}\n")
    with pytest.raises(ConfigError, match=r"leaves out is per area, so write it there, too \(e\.g\. 0 pA\)"):
        cell(("run:", current), stimulus)
    with pytest.raises(ConfigError, match=r"sweep\.over.*values\.1: `1 S/m.2` is a number per area"):
        cell(("run:", f"sweep: {{mode: grid, over: {{{LEAK}: [1 nS, 1 S/m^2]}}}}\nrun:"))


def test_resistances_are_reciprocals_of_conductances(cell):
    assert cell(("5 nS", "200 Mohm")).quantities()[LEAK] == 5e-9
    assert numbers(cell(("5 nS", "10 kohm*cm^2")))[CONDUCTANCE] == 1.0
    with pytest.raises(ConfigError, match=r"`0 ohm` is a resistance that is not above 0.*`0 S`"):
        cell(("5 nS", "0 ohm"))
    with pytest.raises(ConfigError, match="no difference of two values"):
        cell(("run:", f"sweep: {{mode: grid, over: {{{LEAK}: {{range: [1 nS, 5 nS, 1 Mohm]}}}}}}\nrun:"))


def test_a_slip_of_the_prefix_is_found_by_what_it_makes_per_area(cell):
    from simulator.errors import ModelError

    with pytest.raises(ModelError, match=r"capacitance.*spread over the area.*at most 1000 uF/cm"):
        Model.of(cell(("12.566370614359172 pF", "12 uF"))).initial_state()


def test_whole_cell_numbers_survive_being_written_down(cell):
    scenario = cell(("run:", f"protocol: [{{at: 1 s, set: {{{LEAK}: 1 nS}}}}]\nrun:"))
    again = Scenario.model_validate(scenario.resolved())
    assert again.resolved() == scenario.resolved()
    assert again.unit_of(LEAK) == "S"
    assert np.array_equal(Model.of(again).parameters(), Model.of(scenario).parameters())
    assert scenario.leaves()[LEAK].text() == "5 nS"


def test_a_clamp_on_a_capacitance_in_pF_holds_the_command(cell):
    held = run(cell(("run:", "protocol: [{at: 1 s, clamp: {plasma: {potential: -20 mV, carrier: k}}}]\nrun:")))
    assert held.potential.values[-1, 0] == pytest.approx(-20e-3, abs=1e-6)


# -- permeability ratios ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "outside", "expected"), [(10, 1.0, -49.4e-3), (10, 5.0, -43.4e-3), (10, 32.0, -20.6e-3), (1, 5.0, 8.0e-3)]
)
def test_ratios_of_permeabilities_give_the_potential_of_goldman(ratio, outside, expected):
    """Goldman: V = RT/F ln((r K_o + Na_o)/(r K_i + Na_i)), in a cell so large that no concentration moves meanwhile."""
    scenario = reported(
        "relative_permeability",
        membranes__plasma__mechanisms__k_leak__permeability=str(ratio),
        compartments__bath__concentrations__k=outside,
        compartments__cell__geometry__sphere__radius="1 mm",
        run__duration="300 ms",
    )
    goldman = GAS_CONSTANT * 310.15 / FARADAY * math.log((ratio * outside + 150.0) / (ratio * 100.0 + 15.0))
    assert goldman == pytest.approx(expected, abs=5e-5)
    assert snapshot(run(scenario)).potential["plasma"] == pytest.approx(goldman, abs=2e-5)


def test_a_ratio_multiplies_the_scale_of_its_membrane():
    scenario = reported("relative_permeability")
    key = parameter_name("plasma", "k_leak", "permeability")
    assert numbers(scenario)[key] == pytest.approx(4e-8, rel=1e-15)
    scales = np.array([1e-9, 2e-9])
    assert numbers(scenario, {"membranes.plasma.permeability_scale": scales})[key] == pytest.approx(10 * scales)
    again = Scenario.model_validate(scenario.resolved())
    assert again.resolved() == scenario.resolved()
    assert numbers(again)[key] == numbers(scenario)[key]


def test_a_scale_of_the_whole_cell_is_spread_over_the_area():
    scenario = reported("relative_permeability", membranes__plasma__permeability_scale="5 um^3/s")
    expected = 10 * 5e-18 / (4 * math.pi * 1e-10)
    assert numbers(scenario)[parameter_name("plasma", "k_leak", "permeability")] == pytest.approx(expected, rel=1e-14)


def test_a_number_in_python_is_a_velocity_and_a_text_without_unit_a_ratio():
    key = "membranes__plasma__mechanisms__k_leak__permeability"
    velocity, ratio = (reported("relative_permeability", **{key: value}) for value in (2e-8, "2"))
    named = parameter_name("plasma", "k_leak", "permeability")
    assert [numbers(s)[named] for s in (velocity, ratio)] == [2e-8, 8e-9]


def test_a_ratio_without_a_scale_shows_both_ways():
    with pytest.raises(ConfigError, match="4e-9 m/s, or permeability_scale on the membrane"):
        reported(
            "relative_permeability",
            membranes__plasma={
                "inside": "cell",
                "outside": "bath",
                "mechanisms": {"k_leak": {"law": "leak_ghk", "ion": "k", "permeability": "10"}},
            },
        )


def test_a_scale_that_no_mechanism_uses_is_warned_of():
    given = {f"membranes__plasma__mechanisms__{s}_leak__permeability": 1e-9 for s in ("k", "na")}
    [warning] = reported("relative_permeability", **given).warnings
    assert warning.location == ("membranes", "plasma", "permeability_scale")


def test_a_new_value_of_a_ratio_is_a_ratio():
    key = "membranes.plasma.mechanisms.k_leak.permeability"
    later = after(reported("relative_permeability", protocol=[{"at": 0.5, "set": {key: "3"}}]), 0)
    assert later[parameter_name("plasma", "k_leak", "permeability")] == pytest.approx(1.2e-8, rel=1e-14)
    with pytest.raises(ConfigError, match="`1e-9 m/s` is a velocity, but the scenario gives a ratio"):
        reported("relative_permeability", protocol=[{"at": 0.5, "set": {key: "1e-9 m/s"}}])
