"""Scenarios off the beaten track: several cells, floating baths, empty compartments, late clamps."""

import numpy as np
import pytest

from simulator.model.model import Model
from simulator.model.remarks import remarks
from simulator.model.start import initial_potentials
from simulator.runs.integrate import run
from simulator.scenario.complaints import Complaint
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.trajectory.conservation import conservation
from simulator.verdict.verdict import classify

SALT = {"k": 4.5, "cl": 4.5}


def leak(ion, permeability=1e-8):
    return {"law": "leak_ghk", "ion": ion, "permeability": permeability}


def scenario(compartments, membranes, **more) -> Scenario:
    data = {"name": "corner", "compartments": compartments, "membranes": membranes, "run": {"duration": 1e4}}
    return Scenario.model_validate(data | more)


def cell(k, volume=1e-15, **more):
    return {"volume": volume, "concentrations": {"k": k, "cl": 5.0}, **more}


def membrane(inside, outside, *ions, **more):
    mechanisms = {f"{ion}_leak": leak(ion) for ion in ions}
    return {"inside": inside, "outside": outside, "area": 1e-9, "mechanisms": mechanisms, **more}


ROW = {
    "inner": membrane("a", "b", "k", potential=-0.01),
    "plasma": membrane("b", "bath", "k", potential=-0.06),
}


@pytest.mark.parametrize("order", [("inner", "plasma"), ("plasma", "inner")])
def test_two_cells_in_a_row_start_as_given_in_whatever_order_the_membranes_come(order):
    compartments = {"bath": {"fixed": True, "concentrations": SALT}, "a": cell(100.0), "b": cell(120.0)}
    model = Model.of(scenario(compartments, {name: ROW[name] for name in order}))
    assert initial_potentials(model.contents()) == pytest.approx({"a": -0.07, "b": -0.06})
    assert classify(run(model.scenario)).word == "equilibrium"


def test_floating_bath_takes_the_potential_that_no_current_needs():
    compartments = {
        "cis": {"fixed": True, "concentrations": {"k": 10.0, "cl": 10.0}},
        "trans": {"fixed": True, "open_circuit": True, "concentrations": {"k": 100.0, "cl": 100.0}},
    }
    trajectory = run(scenario(compartments, {"sheet": membrane("trans", "cis", "k")}))
    expected = trajectory.scenario.thermal_voltage * np.log(10.0 / 100.0)
    assert trajectory.potential.sel(membrane="sheet")[-1] == pytest.approx(expected, abs=1e-9)


def test_water_that_crosses_at_once_keeps_the_potential_and_says_what_it_changes():
    compartments = {
        "bath": {"fixed": True, "concentrations": {"k": 100.0, "cl": 100.0}},
        "cell": {"geometry": {"sphere": {"radius": 1e-5}}, "concentrations": {"k": 200.0, "cl": 200.0}},
    }
    plasma = {
        "inside": "cell",
        "outside": "bath",
        "water": "instant",
        "potential": -0.06,
        "mechanisms": {"k": leak("k")},
    }
    found = scenario(compartments, {"plasma": plasma})
    start = run(found)
    assert start.potential.values[0, 0] == pytest.approx(-0.06, abs=1e-12)
    assert start.concentration.sel(compartment="cell", species="k")[0] == pytest.approx(100.0)
    assert any("2 times" in remark.text for remark in remarks(Model.of(found)))


@pytest.mark.parametrize("change", [{}, {"save": "final"}])
def test_washed_out_solute_is_at_equilibrium_not_isolated(change):
    compartments = {
        "bath": {"fixed": True, "concentrations": {"glucose": 0.0}},
        "cell": {"volume": 4e-15, "concentrations": {"glucose": 5.0}},
    }
    out = {"law": "diffusion_neutral", "species": "glucose", "permeability": 1e-8}
    membranes = {"plasma": {"inside": "cell", "outside": "bath", "area": 1e-9, "mechanisms": {"out": out}}}
    trajectory = run(scenario(compartments, membranes, run={"duration": 1e6, "rtol": 1e-3, **change}))
    verdict = classify(trajectory)
    assert trajectory.status == "ok"
    assert verdict.species["plasma"]["glucose"] == "equilibrium"
    assert verdict.word == "equilibrium"
    assert np.nanmin(trajectory.amount) >= 0.0


def test_clamp_works_after_weeks_of_model_time(configs):
    data = load_scenario(configs / "benchmark_cell.yaml").resolved()
    week = 7 * 86400.0
    data["protocol"] = [{"at": 8 * week, "clamp": {"plasma": {"potential": -0.04, "carrier": "k"}}}]
    data["run"] = {"duration": 8 * week + 3600.0, "save_at": [8 * week + 60.0]}
    trajectory = run(Scenario.model_validate(data))
    assert trajectory.status == "ok"
    assert trajectory.potential.values[-1, 0] == pytest.approx(-0.04, abs=1e-7)


def test_a_run_that_fails_at_once_keeps_the_state_it_was_given(tmp_path):
    from simulator.storage.store import read, write

    compartments = {"bath": {"fixed": True, "concentrations": SALT}, "cell": cell(100.0)}
    closed = {"inside": "cell", "outside": "bath", "area": 1e-9, "mechanisms": {"k": leak("k", 0.0)}}
    trajectory = run(scenario(compartments, {"plasma": closed}, formulation="electroneutral"))
    assert trajectory.status == "nonfinite"
    assert trajectory.time.tolist() == [0.0]
    assert read(write(trajectory, tmp_path / "failed.h5")).status == "nonfinite"


def test_conservation_is_measured_from_the_start_even_if_only_the_end_is_saved(configs):
    full = run(load_scenario(configs / "benchmark_cell.yaml"))
    final = run(load_scenario(configs / "benchmark_cell.yaml", {"run.save": "final"}))
    assert len(final.time) == 1
    assert 0.0 < conservation(final).charge < 1e-12
    assert np.array_equal(final.amount[-1], full.amount[-1], equal_nan=True)


def refused(path, changes, *words):
    with pytest.raises(ConfigError) as error:
        load_scenario(path, changes)
    text = "\n".join(map(str, error.value.issues))
    assert all(word in text for word in words), text


def test_contradicting_paths_of_water_and_borrowed_areas_are_refused():
    bath = {"fixed": True, "concentrations": SALT}
    membranes = {
        "plasma": membrane("cell", "bath", "k", water={"permeability": 1e-5}),
        "inner": membrane("store", "cell", "k", water="instant"),
    }
    with pytest.raises(ValueError, match="another membrane of the same compartment"):
        scenario({"bath": bath, "cell": cell(100.0), "store": cell(90.0)}, membranes)
    both = {name: membrane("cell", bath_name, "k", water="instant") for name, bath_name in (("m", "one"), ("n", "two"))}
    with pytest.raises(ValueError, match="several baths"):
        scenario({"one": bath, "two": bath, "cell": cell(100.0)}, both)
    sphere = {"geometry": {"sphere": {"radius": 1e-5}}, "concentrations": {"k": 100.0, "cl": 5.0}}
    halves = {name: {"inside": "cell", "outside": "bath", "potential": -0.06} for name in ("m", "n")}
    with pytest.raises(ValueError, match="whole surface"):
        scenario({"bath": bath, "cell": sphere}, halves)


def test_laws_refuse_what_they_cannot_describe(configs):
    leaky = configs / "leaky_bucket.yaml"
    law = "membranes.plasma.mechanisms.k_leak"
    refused(leaky, {law: "{law: diffusion_neutral, species: k, permeability: 1e-9 m/s}"}, "charged", "leak_ghk")
    ohmic = {law: "{law: leak_ohmic, ion: k, conductance: 1 S/m^2}", "compartments.cell.concentrations.k": "0 mM"}
    refused(leaky, ohmic, "logarithm", "1 nM")


def test_xarray_gives_the_same_numbers_by_label(configs):
    trajectory = run(load_scenario(configs / "potassium_only.yaml"))
    data = trajectory.to_xarray()
    inside = data.concentration.sel(compartment="cell", species="k").values
    assert np.array_equal(inside, trajectory.concentration.sel(compartment="cell", species="k"))
    assert data.potential.attrs["units"] == "V"


def test_complaints_are_sentences():
    assert (
        str(Complaint(("a",), "it is wrong", "something else", "try b"))
        == "it is wrong; expected something else; try b"
    )
