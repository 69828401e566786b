"""Scenarios with a rest point written into them start at rest, and stay there."""

import numpy as np
import pytest
from places import CONFIGS

from simulator import classify, load_scenario, run, steady_state
from simulator.cli.app import main
from simulator.kernel import load_arrays
from simulator.kernel.inputs import Inputs
from simulator.model.model import Model
from simulator.scenario.scenario import differences
from simulator.trajectory.restart import initial_values
from simulator.verdict.rest import newton_step
from simulator.verdict.steady import before_changes


def ionflux(*arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def distance(scenario) -> float:
    """Largest scaled distance of any state to rest at t = 0."""
    model = Model.of(scenario)
    inputs = Inputs.of(model)
    size = np.maximum(np.abs(inputs.state[0]), model.scales())
    step, _ = newton_step(load_arrays(model.structure), inputs.state[0], inputs.parameters[0], size)
    return float(np.max(np.abs(step) / size))


#: Of each kind: gates, gates with start values, water of either speed, shapes, numbers of the whole cell, closed
#: compartments, several membranes, electroneutral, only a potential.
SHIPPED = [
    "leaky_bucket",
    "epithelium",
    "action_potential",
    "swelling",
    "volume_regulation",
    "plant_cell",
    "synapse",
    "published/kay_2017",
    "published/duesterwald_2018",
    "published/vereninov_u937",
    "published/huebel_dahlem_2014",
    "published/saetra_2020",
    "reference/KAY2017-01",
    "reference/DONNAN-01",
    "reference/CLOSED2-01",
    "reference/HH-REST-01",
]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_written_rest_point_is_where_the_run_starts(tmp_path, capsys, name):
    source, target = CONFIGS / f"{name}.yaml", tmp_path / "rest.yaml"
    assert ionflux("steady", source, "--write", target) == 0
    capsys.readouterr()
    written, given = load_scenario(target), load_scenario(source)
    assert distance(written) < 1e-9
    assert distance(given) > distance(written)
    rest = steady_state(before_changes(given)).trajectory
    again = steady_state(before_changes(written)).trajectory
    for field in ("potential", "concentration", "volume", "amount"):
        before, after = rest.fields()[field].values, again.fields()[field].values
        assert after == pytest.approx(before, rel=1e-8, abs=1e-25, nan_ok=True), field


@pytest.mark.parametrize("name", ["leaky_bucket", "published/vereninov_u937", "published/kay_2017"])
def test_a_run_from_a_written_rest_point_stays_there(tmp_path, name):
    source, target = CONFIGS / f"{name}.yaml", tmp_path / "rest.yaml"
    assert ionflux("steady", source, "--write", target) == 0
    trajectory = run(load_scenario(target, {"run.duration": "1 h", "run.save_every": "1 min"}))
    assert classify(trajectory.moment(0)).word == classify(trajectory).word == "steady_state"
    assert np.ptp(trajectory.potential.values, axis=0) == pytest.approx(0.0, abs=1e-10)


def test_comments_and_layout_stay(tmp_path):
    source, target = CONFIGS / "leaky_bucket.yaml", tmp_path / "rest.yaml"
    assert ionflux("steady", source, "--write", target) == 0
    old, new = source.read_text().splitlines(), target.read_text().splitlines()
    changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    assert [a.split(":")[0].strip() for a, _ in changed] == ["concentrations", "potential"]
    paths = {path.rpartition(".")[0] for path, *_ in differences(load_scenario(source), load_scenario(target))}
    assert paths == {"compartments.cell.concentrations", "membranes.plasma"}


def test_the_trapped_amount_stays_where_the_volume_changes(tmp_path):
    source, target = CONFIGS / "published/kay_2017.yaml", tmp_path / "rest.yaml"
    assert ionflux("steady", source, "--write", target) == 0
    before, after = (Model.of(load_scenario(path)).contents() for path in (source, target))
    assert after.volume("cell") == pytest.approx(0.3364 * before.volume("cell"), rel=1e-3)
    assert after.impermeant("cell") == pytest.approx(before.impermeant("cell"), rel=1e-15)
    assert after.area("plasma") == before.area("plasma")


SWOLLEN = """
name: a cell that swells with its membrane
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 5 mM, cl: 150 mM}}
  cell:
    geometry: {SHAPE}
    concentrations: {na: 14 mM, k: 150 mM, cl: 25 mM}
    impermeant: {concentration: 120 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    potential: -50 mV
    capacitance: 12 pF
    water: instant
    area_change: CHANGE
    mechanisms:
      na_leak: {law: leak_ohmic, ion: na, conductance: 0.5 nS}
      k_leak: {law: leak_ghk, ion: k, permeability: 4e-9 m/s}
      cl_leak: {law: leak_ghk, ion: cl, permeability: 2e-9 m/s}
      pump: {law: na_k_pump_hill, max_rate: 8 pA, k_na: 10 mM, k_k: 1.5 mM}
protocol:
  - {at: 1 h, set: {membranes.plasma.mechanisms.pump.max_rate: 4 pA}}
run: {duration: 2 h}
"""


@pytest.mark.parametrize("shape", ["sphere: {diameter: 20 um}", "cylinder: {radius: 5 um, length: 60 um}"])
@pytest.mark.parametrize("change", ["fixed", "with_volume"])
def test_areas_and_numbers_of_the_whole_cell_are_what_they_were_per_area(tmp_path, capsys, shape, change):
    source, target = tmp_path / "cell.yaml", tmp_path / "rest.yaml"
    source.write_text(SWOLLEN.replace("SHAPE", shape).replace("CHANGE", change))
    assert ionflux("steady", source, "--write", target) == 0
    assert "before the events of the protocol" in capsys.readouterr().err
    before, after = (Model.of(load_scenario(path)) for path in (source, target))
    assert distance(after.scenario) < 1e-9
    volume = after.contents().volume("cell")
    assert volume != pytest.approx(before.contents().volume("cell"), rel=0.01, abs=0.0)
    grown = after.contents().area("plasma") / before.contents().area("plasma")
    powers = {"fixed": 0.0, "with_volume": 2 / 3 if "sphere" in shape else 1 / 2}
    assert grown == pytest.approx((volume / before.contents().volume("cell")) ** powers[change], rel=1e-12)
    assert after.events().parameters[0] == pytest.approx(before.events().parameters[0], rel=1e-12)


GATED = """
name: a channel that starts half open
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 5 mM}}
  cell: {volume: 1 nL, concentrations: {na: 15 mM, k: 140 mM}, impermeant: {concentration: 150 mM, charge: auto}}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 5000 um^2
    potential: -70 mV
    mechanisms:
      na_leak: {law: leak_ohmic, ion: na, conductance: 0.01 mS/cm^2}
      k_leak: {law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2}
      pump: {law: na_k_pump_hill, max_rate: 0.3 umol/m^2/s, k_na: 10 mM, k_k: 1.5 mM}
      channel:
        law: channel
        ions: {k: 1}
        conductance: 1 mS/cm^2
        gates: {n: {power: 4, start: 0.5, steady: {form: sigmoid, midpoint: -40 mV, width: 10 mV}, time_constant: 5 ms}}
run: {duration: 1 h}
"""


def test_gates_with_a_start_value_get_the_one_at_rest(tmp_path):
    source, target = tmp_path / "cell.yaml", tmp_path / "rest.yaml"
    source.write_text(GATED)
    assert ionflux("steady", source, "--write", target) == 0
    written = load_scenario(target)
    assert distance(written) < 1e-9
    v = steady_state(written).trajectory.potential.values[-1, 0]
    start = written.quantities()["membranes.plasma.mechanisms.channel.gates.n.start"]
    assert start == pytest.approx(1 / (1 + np.exp(-(v + 0.04) / 0.01)), rel=1e-9)


SCHEME = """
        states: [closed, open, inactive]
        open: [open]
        transitions:
          - between: [closed, open]
            forward: {form: exponential, rate: 2 1/ms, midpoint: -40 mV, width: 20 mV}
            backward: 1 1/ms
          - {between: [open, inactive], forward: 0.3 1/ms, backward: 0.1 1/ms}
        start: {closed: 1}
"""


def test_occupancies_with_a_start_value_get_those_at_rest(tmp_path):
    source, target = tmp_path / "cell.yaml", tmp_path / "rest.yaml"
    begin = GATED.index("        gates:")
    source.write_text(GATED[:begin] + SCHEME.lstrip("\n") + GATED[GATED.index("run:") :])
    assert ionflux("steady", source, "--write", target) == 0
    written = load_scenario(target)
    assert distance(written) < 1e-9
    start = "membranes.plasma.mechanisms.channel.start."
    parts = [written.quantities()[start + state] for state in ("closed", "open", "inactive")]
    assert parts[2] == pytest.approx(3.0 * parts[1], rel=1e-12)
    assert sum(parts) == pytest.approx(1.0, abs=1e-15)


def test_a_start_from_a_file_gives_way_to_the_rest_point(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ionflux("run", CONFIGS / "leaky_bucket.yaml", "--set", "run.duration=1 h", "-o", "saved.h5") == 0
    (tmp_path / "base.yaml").write_text((CONFIGS / "leaky_bucket.yaml").read_text())
    (tmp_path / "cell.yaml").write_text("extends: base.yaml\nstart: {from: saved.h5}\n")
    assert ionflux("steady", "cell.yaml", "--write", "rest.yaml") == 0
    written = load_scenario("rest.yaml")
    assert written.start is None
    assert distance(written) < 1e-9


@pytest.mark.parametrize("given", ["pump.max_rate", "membranes.plasma.mechanisms.pump.max_rate"])
def test_what_set_changed_is_written_too(tmp_path, given):
    target = tmp_path / "rest.yaml"
    key = "membranes.plasma.mechanisms.pump.max_rate"
    assert ionflux("steady", CONFIGS / "leaky_bucket.yaml", "--set", f"{given}=0.4 umol/m^2/s", "--write", target) == 0
    assert load_scenario(target).quantities()[key] == pytest.approx(0.4e-6, rel=1e-15)
    assert distance(load_scenario(target)) < 1e-9


def test_initial_values_of_a_saved_run_are_those_of_its_end():
    scenario = load_scenario(
        CONFIGS / "published/duesterwald_2018.yaml", {"run.duration": "60 s", "run.save_every": "60 s"}
    )
    end = run(scenario)
    again = scenario.with_values(initial_values(end.model, end))
    start = run(again)
    assert start.potential.values[0] == pytest.approx(end.potential.values[-1], abs=1e-9)
    assert start.amount[0] == pytest.approx(end.amount[-1], rel=1e-14, nan_ok=True)
    assert start.volume[0] == pytest.approx(end.volume[-1], rel=1e-14, nan_ok=True)
