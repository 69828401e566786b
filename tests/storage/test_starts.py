"""Runs that start from the end of a saved run."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from simulator.cli.app import main
from simulator.cli.source import read_source
from simulator.errors import ModelError, UsageError
from simulator.kernel.inputs import Inputs
from simulator.model.model import Model
from simulator.runs.batch import Batch
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.issues import ConfigError
from simulator.storage.datafile import DataFileError
from simulator.storage.layout import scenario_in
from simulator.storage.start import load_config, load_scenario
from simulator.storage.store import read, stored_scenario, write
from simulator.trajectory.conservation import conservation
from simulator.verdict.verdict import classify

#: A cell with a slow gate, water and a pump, that runs down: everything moves for many hours.
CELL = """\
name: cell
temperature: 37 degC
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 4.5 mM, cl: 149.5 mM}}
  cell:
    geometry: {sphere: {radius: 10 um}}
    concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM}
    impermeant: {concentration: 131 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    potential: -60 mV
    water: {permeability: 20 um/s}
    mechanisms:
      k_leak: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s}
      na_leak: {law: leak_ghk, ion: na, permeability: 4.0e-10 m/s}
      cl_leak: {law: leak_ghk, ion: cl, permeability: 1.0e-9 m/s}
      pump: {law: na_k_pump_hill, max_rate: 0.1 umol/m^2/s, k_na: 10 mM, k_k: 1.5 mM}
      k_channel:
        law: channel
        ions: {k: 1}
        conductance: 0.01 mS/cm^2
        gates:
          n: {steady: {form: sigmoid, midpoint: -40 mV, width: 10 mV}, time_constant: 3 h, start: 0.9}
run: {duration: 10 h, save_every: 1 h, rtol: 1.0e-8}
"""

GATE = "plasma.k_channel.n"


@pytest.fixture
def cell(tmp_path):
    """The file of the cell in a folder of its own."""
    path = tmp_path / "cell.yaml"
    path.write_text(CELL)
    return path


@pytest.fixture
def saved(cell):
    """The data file of its first three hours."""
    result = run(load_scenario(cell, {"run.duration": "3 h"}))
    return write(result, cell.with_name("first.h5"))


def following(cell, start, more=""):
    """A file like that of the cell, that starts from `start`."""
    path = cell.with_name("next.yaml")
    path.write_text(CELL + f"start: {start}\n" + more)
    return path


def issues(path, overrides=None):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return caught.value.issues


# -- the state ------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", ["capacitive", "electroneutral"])
@pytest.mark.parametrize("water", ["{permeability: 20 um/s}", "instant", "fixed"])
@pytest.mark.parametrize("growing", ["", "    area_change: with_volume\n"])
def test_one_run_and_ten_runs_each_from_the_end_of_the_last_come_to_the_same(tmp_path, formulation, water, growing):
    text = CELL.replace("water: {permeability: 20 um/s}", f"water: {water}")
    text = text.replace("    potential:", f"{growing}    potential:") if water != "fixed" else text
    whole = tmp_path / "cell.yaml"
    whole.write_text(f"{text}formulation: {formulation}\n")
    at_once = run(load_scenario(whole))
    hour = load_scenario(whole, {"run.duration": "1 h"})
    piece = run(hour)
    for _ in range(9):
        piece = run(hour.starting_from(piece))
    assert piece.time[-1] == 3600.0
    # Potentials in the electroneutral formulation are found anew at the start, to the tolerance of the run.
    np.testing.assert_allclose(piece.states[-1], at_once.states[-1], rtol=10 * 1e-8)
    if water != "fixed":
        assert abs(at_once.volume[-1, 1] / at_once.volume[0, 1] - 1.0) > 1e-3
    assert abs(at_once.open_fraction[-1, 0] - 0.9) > 0.1


def test_the_run_begins_with_the_saved_state_bit_for_bit(cell, saved):
    scenario = load_scenario(following(cell, "{from: first.h5}"))
    before = read(saved)
    np.testing.assert_array_equal(Inputs.of(Model.of(scenario)).state[0], before.states[-1])
    first = run(scenario)
    for name in ("amount", "charge", "volume", "open_fraction"):
        np.testing.assert_array_equal(getattr(first, name)[0], getattr(before, name)[-1])
    assert first.time[0] == 0.0


def test_charges_of_compartments_behind_each_other_are_taken_over(tmp_path):
    text = """\
name: cell with an organelle
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 4.5 mM, cl: 149.5 mM}}
  cell: {volume: 4 pL, concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM}, impermeant: {concentration: 131 mM, charge: auto}}
  store: {volume: 1 pL, concentrations: {na: 5 mM, k: 100 mM, cl: 30 mM}, impermeant: {concentration: 9 mM, charge: auto}}
membranes:
  plasma: {inside: cell, outside: bath, area: 1200 um^2, potential: -60 mV, mechanisms: {k: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s}}}
  inner: {inside: store, outside: cell, area: 500 um^2, potential: 20 mV, mechanisms: {k: {law: leak_ghk, ion: k, permeability: 1.0e-9 m/s}, na: {law: leak_ghk, ion: na, permeability: 1.0e-9 m/s}}}
run: {duration: 10 min, save_every: 1 min}
"""  # noqa: E501
    path = tmp_path / "cell.yaml"
    path.write_text(text)
    scenario = load_scenario(path)
    first = run(scenario)
    second = run(scenario.starting_from(first))
    np.testing.assert_allclose(second.potential.values[0], first.potential.values[-1], rtol=1e-12)
    np.testing.assert_array_equal(second.charge[0], first.charge[-1])
    assert scenario.starting_from(first).start.charges["cell"] == first.charge[-1, 1]


def test_parameters_are_those_of_the_new_scenario_and_its_protocol_counts_from_0(cell, saved):
    more = "protocol: [{at: 1 h, set: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}}]\n"
    path = following(cell, "{from: first.h5}", more)
    found = run(load_scenario(path, {"compartments.bath.concentrations.k": "10 mM", "run.duration": "2 h"}))
    assert found.concentration.sel(compartment="bath", species="k")[0] == 10.0
    # The reversal potential of K jumps, that of the membrane does not.
    assert found.potential.values[0, 0] == read(saved).potential.values[-1, 0]
    pump = found.structure.parameters.index("p_plasma_pump_max_rate")
    assert found.parameters[:, pump].tolist() == [1e-7, 1e-7, 0.0]


def test_a_voltage_that_was_clamped_is_the_one_that_the_next_run_starts_from(cell):
    clamp = {"at": 0.0, "clamp": {"plasma": {"potential": -0.03, "carrier": "k"}}}
    scenario = load_scenario(cell, {"run.duration": "1 h"})
    clamped = run(Scenario.model_validate(scenario.resolved() | {"protocol": [clamp]}))
    free = run(scenario.starting_from(clamped))
    assert free.potential.values[0, 0] == pytest.approx(-0.03, abs=1e-6)


def test_impermeant_and_areas_come_from_the_scenario_not_from_the_saved_volume(cell, saved):
    before, scenario = read(saved), load_scenario(following(cell, "{from: first.h5}"))
    after = run(scenario)
    assert before.volume[-1, 1] != before.volume[0, 1]
    for name in ("x_cell", "area_plasma"):
        i = after.structure.parameters.index(name)
        assert after.parameters[0, i] == before.parameters[0, i]


def test_mechanisms_may_come_and_go_and_a_solute_that_no_longer_moves_keeps_its_amount(cell, saved):
    path = following(cell, "{from: first.h5}")
    path.write_text(
        path.read_text().replace("      na_leak:", "      # na_leak:").replace("      pump:", "      # pump:")
    )
    scenario, before = load_scenario(path, {"run.duration": "1 h"}), read(saved)
    found = run(scenario)
    assert "n_cell_na" not in found.structure.states
    sodium = found.labels["species"].index("na")
    assert found.amount[:, 1, sodium].tolist() == [before.amount[-1, 1, sodium]] * 2


def test_a_volume_that_is_fixed_from_now_on_is_the_saved_one(cell, saved):
    path = following(cell, "{from: first.h5}")
    path.write_text(path.read_text().replace("water: {permeability: 20 um/s}", "water: fixed"))
    found, before = run(load_scenario(path)), read(saved)
    assert found.volume[:, 1].tolist() == [before.volume[-1, 1]] * len(found.time)
    assert before.volume[-1, 1] != before.volume[0, 1]


def test_drift_is_measured_from_the_saved_state(cell, saved):
    after = run(load_scenario(following(cell, "{from: first.h5}")))
    assert conservation(after).charge < 1e-12


def test_a_run_from_rest_is_at_rest_and_until_steady_ends_at_once(cell):
    stopped = {"run.duration": "60 d", "run.until": "steady", "run.save_every": "1 d"}
    first = run(load_scenario(cell, stopped))
    assert classify(first).word == "steady_state"
    again = run(load_scenario(cell, stopped).starting_from(first))
    assert again.end_time == 0.0
    assert classify(again).word == "steady_state"


def test_a_start_is_not_warned_of_as_if_the_initial_values_counted(cell, saved):
    # By itself, water would balance before the start and change the volume; the saved state is balanced already.
    text = CELL.replace("water: {permeability: 20 um/s}", "water: instant").replace("131 mM", "100 mM")
    cell.write_text(text)
    first = write(run(load_scenario(cell)), cell.with_name("first.h5"), overwrite=True)
    cell.write_text(text + f"start: {{from: {first.name}}}\n")
    assert read_source(cell, None).warnings == ()
    with pytest.raises(ConfigError) as refusal:
        load_config(cell, {"compartments.cell.concentrations.na": "20 mM"})
    assert "no effect: the run starts from the saved amounts" in str(refusal.value)


# -- sweeps ---------------------------------------------------------------------------------------

SWEEP = "sweep: {mode: grid, over: {membranes.plasma.mechanisms.pump.max_rate: [0 umol/m^2/s, 0.2 umol/m^2/s]}}\n"


def test_all_runs_of_a_sweep_start_from_the_same_state_and_match_lone_runs(cell, saved):
    scenario = load_scenario(following(cell, "{from: first.h5}", SWEEP), {"run.duration": "1 h"})
    batch = run_batch(scenario)
    np.testing.assert_array_equal(batch.arrays["amount"][:, 0], np.stack([read(saved).amount[-1]] * 2))
    alone = run(load_scenario(following(cell, "{from: first.h5}"), {"run.duration": "1 h"} | {
        "membranes.plasma.mechanisms.pump.max_rate": 2e-7}))  # fmt: skip
    np.testing.assert_array_equal(batch.arrays["amount"][1], alone.amount)
    np.testing.assert_array_equal(batch.trajectory(1).states, alone.states)


def test_a_run_of_a_sweep_on_disk_is_a_start(cell):
    cell.write_text(CELL + SWEEP)
    batch = run_batch(load_scenario(cell, {"run.duration": "1 h"}))
    folder = write(batch, cell.with_name("sweep"))
    scenario = load_scenario(following(cell, "{from: sweep, run: 1}"))
    np.testing.assert_array_equal(Inputs.of(Model.of(scenario)).state[0], batch.trajectory(1).states[-1])
    part = folder / "part-000000.h5"
    assert scenario.start.sha256 == hashlib.sha256(part.read_bytes()).hexdigest()
    assert (
        load_scenario(following(cell, "{from: sweep/part-000000.h5, run: 1}")).start.amounts == scenario.start.amounts
    )
    for start, told in [
        ("{from: sweep}", "it holds 2 runs; say which with `run`, a number from 0 to 1"),
        ("{from: sweep, run: 2}", "it has no run 2; its runs are 0 to 1"),
    ]:
        [issue] = issues(following(cell, start))
        assert told in str(issue)
        assert issue.key == "start.from"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("compartments.cell.concentrations.na", "saved amounts"),
        ("membranes.plasma.potential", "saved charges or potentials"),
        ("membranes.plasma.mechanisms.k_channel.gates.n.start", "saved gates"),
        ("start.amounts.cell.na", "it belongs to the saved state"),
    ],
)
def test_what_the_start_overrides_cannot_be_swept(cell, saved, key, why):
    path = following(cell, "{from: first.h5}", f"sweep: {{mode: grid, over: {{{key}: [1 mM, 2 mM]}}}}\n")
    found = [str(issue) for issue in issues(path)]
    assert any(f"`{key}` cannot be swept" in text and why in text for text in found)
    with pytest.raises(UsageError, match=why):
        run_batch(load_scenario(following(cell, "{from: first.h5}")), {key: [1.0, 2.0]})


def test_what_the_start_leaves_alone_can_be_swept(cell, saved):
    scenario = load_scenario(following(cell, "{from: first.h5}"), {"run.duration": "1 min", "run.save_every": "1 min"})
    keys = {
        "compartments.bath.concentrations.k": [3.0, 9.0],
        "compartments.cell.impermeant.concentration": [100.0, 131.0],
    }
    batch = run_batch(scenario, keys)
    assert batch.counts()["status"] == {"ok": 2}
    assert isinstance(batch, Batch)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  cell:\n", "  glia:\n", "has no free compartment `glia`; it has cell"),
        ("na: 15 mM, k:", "k:", "has a species in cell `na`, this scenario does not; it has k, cl"),
        ("  plasma:\n", "  outer:\n", "has no membrane `outer`; it has plasma"),
        ("          n: {", "          m: {", "has no gate `plasma.k_channel.m`; it has plasma.k_channel.n"),
        (
            "name: cell\n",
            "name: cell\nformulation: electroneutral\n",
            "was run capacitive, this scenario is electroneutral",
        ),
    ],
)
def test_a_state_of_another_cell_is_refused_by_name(cell, saved, old, new, told):
    path = following(cell, "{from: first.h5}")
    text = path.read_text().replace(old, new)
    path.write_text(text.replace("inside: cell", "inside: glia") if "glia" in new else text)
    found = [issue for issue in issues(path) if "first.h5" in issue.problem]
    assert any(told in issue.problem for issue in found)
    place = (str(path), path.read_text().count("\n"), "start.from")
    assert {(issue.file, issue.line, issue.key) for issue in found} == {place}


def test_the_same_is_refused_by_name_in_python(cell, saved):
    other = load_scenario(cell, {"formulation": "electroneutral", "membranes.plasma.mechanisms": {}})
    with pytest.raises(UsageError) as caught:
        other.starting_from(read(saved))
    assert "cell has a gate `plasma.k_channel.n`, this scenario does not; it has none" in str(caught.value)
    assert "cell was run capacitive, this scenario is electroneutral" in str(caught.value)


def test_another_ground_is_refused(cell, saved):
    scenario = load_scenario(cell).resolved()
    scenario["compartments"]["cell"]["grounded"] = True
    scenario["membranes"]["plasma"].pop("potential")
    start = read(saved).as_start()
    with pytest.raises(ModelError, match="the potentials of no compartment are free"):
        Model.of(Scenario.model_validate(scenario | {"start": start})).initial_state()


def test_a_failed_run_is_no_start(cell):
    broken = run(load_scenario(cell, {"run.max_steps": 3}))
    write(broken, cell.with_name("broken.h5"))
    [issue] = issues(following(cell, "{from: broken.h5}"))
    assert "broken.h5: the run failed at" in issue.problem
    assert "max_steps" in issue.problem
    with pytest.raises(UsageError, match="max_steps"):
        load_scenario(cell).starting_from(broken)


@pytest.mark.parametrize(
    ("start", "key"),
    [
        ("{from: first.h5, run: }", "start.run"),
        ("{from: first.h5, run: 1.5}", "start.run"),
        ("{from: first.h5, run: -1}", "start.from"),
        ("{from: first.h5, run: 2}", "start.from"),
        ("{from: first.h5, run: 1e300}", "start.run"),
        ("{from: first.h5, run: true}", "start.run"),
        ("{from: first.h5, ran: 1}", "start.ran"),
        ("{from: }", "start.from"),
        ("{from: [first.h5]}", "start.from"),
        (f"{{from: {'x' * 300}}}", "start.from"),
        ("{}", "start.from"),
        ("first.h5", "start"),
        ("[first.h5]", "start"),
    ],
)
def test_every_wrong_start_is_told_at_its_key(cell, saved, start, key):
    assert key in {issue.key for issue in issues(following(cell, start))}


def test_a_missing_file_is_told_at_its_place_with_the_name_that_is_meant(cell, saved):
    [issue] = issues(following(cell, "{from: frist.h5}"))
    assert (issue.file, issue.line, issue.key) == (str(cell.with_name("next.yaml")), CELL.count("\n") + 1, "start.from")
    assert "there is no file `frist.h5`" in issue.problem
    assert issue.hint == "did you mean `first.h5`?"


def test_a_file_that_is_not_a_data_file_is_told_as_such(cell):
    cell.with_name("text.h5").write_text("no data")
    with pytest.raises(DataFileError, match="not an HDF5 file"):
        load_scenario(following(cell, "{from: text.h5}"))


def test_a_wrong_digest_is_refused_and_the_right_one_accepted(cell, saved):
    digest = hashlib.sha256(saved.read_bytes()).hexdigest()
    assert load_scenario(following(cell, f"{{from: first.h5, sha256: {digest}}}")).start.sha256 == digest
    [issue] = issues(following(cell, f"{{from: first.h5, sha256: {'0' * 64}}}"))
    assert digest in issue.problem


def test_a_start_that_was_not_read_is_refused(cell):
    data = load_scenario(cell).resolved() | {"start": {"from": "first.h5"}}
    with pytest.raises(ValidationError, match=r"the state that `first.h5` ends with has not been read"):
        Scenario.model_validate(data)


MANY = ("epithelium", "spreading_depression", "published/saetra_2020", "published/halnes_2013")


@pytest.mark.parametrize("name", MANY)
def test_shipped_cells_with_many_compartments_go_on_from_where_they_ended(configs, name):
    data = load_scenario(configs / f"{name}.yaml").resolved() | {"protocol": []}

    def lasting(duration):
        run_ = {"duration": duration, "rtol": 1e-8, "max_steps": 10**6}
        return Scenario.model_validate(data | {"run": run_})

    length = data["run"]["duration"] / 20
    whole, half = run(lasting(length)), run(lasting(length / 2))
    rest = run(lasting(length / 2).starting_from(half))
    moving = [name != "time" for name in whole.structure.states]
    np.testing.assert_array_equal(rest.states[0, moving], half.states[-1, moving])
    scale = np.max(np.abs(whole.states), axis=0)
    assert np.max((np.abs(rest.states[-1] - whole.states[-1]) / scale)[moving]) < 10 * 1e-8


def test_a_state_that_is_written_out_needs_no_file(cell, saved):
    units = {"amounts": "mol", "charges": "C", "volumes": "m^3", "time": "s"}

    def written(value, unit):
        if isinstance(value, dict):
            return {key: written(item, unit) for key, item in value.items()}
        return f"{value!r} {unit}" if unit else value

    start = load_scenario(following(cell, "{from: first.h5}")).resolved()["start"]
    text = json.dumps({key: written(value, units.get(key)) for key, value in start.items()})
    saved.unlink()
    scenario = load_scenario(following(cell, text))
    assert scenario.resolved()["start"] == start
    other = load_scenario(following(cell, text), {"start.amounts.cell.na": "60 fmol"})
    assert Inputs.of(Model.of(other)).state[0, 0] == 60e-15


# -- identity and the command line ----------------------------------------------------------------


def test_the_scenario_holds_the_state_with_all_its_bits_and_repeats_without_the_file(cell, saved):
    scenario = load_scenario(following(cell, "{from: first.h5}"), {"run.duration": "1 h"})
    before = read(saved)
    assert Scenario.model_validate(json.loads(json.dumps(scenario.resolved()))) == scenario
    assert (scenario.start.source, scenario.start.run, scenario.start.time) == ("first.h5", 0, 3 * 3600.0)
    assert scenario.start.sha256 == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert scenario.start.gates[GATE] == before.open_fraction[-1, 0]
    result = run(scenario)
    write(result, cell.with_name("second.h5"))
    saved.unlink()
    again = run(scenario_in(stored_scenario(cell.with_name("second.h5")), {}))
    np.testing.assert_array_equal(again.states, result.states)


def test_where_the_file_lies_is_no_part_of_what_the_run_is(cell, saved):
    elsewhere = cell.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "first.h5").write_bytes(saved.read_bytes())
    here = load_scenario(following(cell, "{from: first.h5}"))
    assert load_scenario(following(cell, "{from: elsewhere/first.h5}")) == here
    assert load_scenario(following(cell, f"{{from: {saved}}}")) == here


def test_the_path_in_a_file_is_relative_to_it_and_that_of_the_command_to_the_folder_one_is_in(cell, saved, monkeypatch):
    below = cell.parent / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert load_scenario(following(cell, "{from: first.h5}")).start.time == 3 * 3600.0
    assert load_scenario(cell, {"start.from": "../first.h5"}).start.time == 3 * 3600.0
    [issue] = issues(cell, {"start.from": "first.h5"})
    assert "there is no file `first.h5`" in issue.problem
    # `--set` on top of a file that names another run.
    other = write(run(load_scenario(cell, {"run.duration": "1 h"})), below / "other.h5")
    assert load_scenario(following(cell, "{from: first.h5}"), {"start.from": other.name}).start.time == 3600.0


def test_the_path_in_a_file_that_is_extended_is_relative_to_that_file(cell, saved):
    below = cell.parent / "below"
    below.mkdir()
    saved.rename(below / "first.h5")
    following(cell, "{from: first.h5}").rename(below / "base.yaml")
    over = cell.with_name("over.yaml")
    over.write_text("extends: below/base.yaml\nname: over\n")
    assert load_scenario(over).start.source == "first.h5"
    over.write_text("extends: below/base.yaml\nname: over\nstart: {from: second.h5}\n")
    [issue] = issues(over)
    assert (issue.file, issue.line, issue.key) == (str(over), 3, "start.from")


def ionflux(*arguments):
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    return left.value.code


def test_the_command_continues_from_a_file_and_a_data_file_repeats_that(cell, saved, monkeypatch, capsys):
    monkeypatch.chdir(cell.parent)
    assert ionflux("run", "cell.yaml", "--from", "first.h5", "--set", "run.duration=1 h", "-o", "second.h5") == 0
    np.testing.assert_array_equal(read("second.h5").amount[0], read(saved).amount[-1])
    assert ionflux("run", "cell.yaml", "--from", "first.h5", "--set", "run.duration=1 h", "-o", "second.h5") == 0
    assert "already complete" in capsys.readouterr().err
    saved.unlink()
    assert ionflux("run", "second.h5", "-o", "third.h5") == 0
    np.testing.assert_array_equal(read("third.h5").states, read("second.h5").states)
    assert ionflux("validate", "cell.yaml", "--from", "second.h5", "--show-resolved") == 0
    shown = capsys.readouterr().out
    assert "start.charges.cell" in shown
    assert "second.h5" in shown
    assert ionflux("steady", "cell.yaml", "--from", "second.h5") == 0
    assert ionflux("equations", "cell.yaml", "--set", "start.from=second.h5") == 0


def test_exit_codes_of_starts_that_cannot_be(cell, saved, monkeypatch, capsys):
    monkeypatch.chdir(cell.parent)
    cell.with_name("text.h5").write_text("no data")
    assert ionflux("run", "cell.yaml", "--from", "text.h5") == 5
    assert ionflux("run", "cell.yaml", "--from", "none.h5") == 2
    assert ionflux("run", "cell.yaml", "--from-run", "3") == 2
    assert ionflux("run", "first.h5", "--from", "first.h5") == 2
    assert ionflux("validate", following(cell, "{from: none.h5}")) == 2
    assert "next.yaml:" in capsys.readouterr().err


def test_a_twin_that_starts_elsewhere_is_compared(cell, saved, monkeypatch, capsys):
    twins = "twins: {later: {start.from: first.h5}}\n"
    cell.write_text(CELL + twins)
    (cell.parent / "below").mkdir()
    monkeypatch.chdir(cell.parent / "below")
    assert ionflux("compare", cell) == 0
    assert "later" in capsys.readouterr().out


def test_a_scenario_without_a_start_does_not_load_what_reads_files(cell):
    code = (
        "import sys, simulator; simulator.load_scenario(sys.argv[1]); "
        "sys.exit(any(name in sys.modules for name in ('h5py', 'simulator.storage.hdf5', 'simulator.runs.batch')))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(cell)]).returncode == 0
