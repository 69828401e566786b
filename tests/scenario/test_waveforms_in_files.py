"""Waveforms as a scenario gives them: their forms, their places in messages, and all ways to change their values."""

import jsonschema
import numpy as np
import pytest
from cell_file import TEXT

from simulator.errors import ModelError
from simulator.model.model import Model
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.scenario.scenario import Scenario
from simulator.scenario.schema import json_schema
from simulator.scenario.waveforms import Ramp, Sine, Table
from simulator.scenario.yaml.reader import ConfigError, from_resolved, read_config, read_plain
from simulator.storage.start import load_scenario
from simulator.storage.store import read, stored_scenario, write

RATE = "membranes.plasma.mechanisms.pump.max_rate"
POTENTIAL = "clamp.plasma.potential"
RAMP = "{at: 10 ms, clamp: {plasma: {potential: {ramp: [-80 mV, 20 mV], over: 0.1 s}, carrier: k}}}"
SINE = f"{{at: 20 ms, set: {{{RATE}: {{sine: 0.1 umol/m^2/s, around: 0.5 umol/m^2/s, period: 50 ms}}}}}}"
TABLE = (
    f"{{at: 50 ms, lasting: 30 ms, set: {{{RATE}: "
    "{times: [0 s, 10 ms, 10 ms], values: [0.1 umol/m^2/s, 0.2 umol/m^2/s, 0 umol/m^2/s]}}}"
)


@pytest.fixture
def file(tmp_path):
    def write_file(*events, name="cell.yaml", more=""):
        protocol = "protocol:\n" + "".join(f"  - {event}\n" for event in events)
        short = TEXT.replace("{duration: 48 h, save_every: 5 min}", "{duration: 0.2 s, save_every: 5 ms}")
        (tmp_path / name).write_text(short + protocol + more)
        return tmp_path / name

    return write_file


@pytest.fixture
def complaints(file):
    def found(*events, more=""):
        with pytest.raises(ConfigError) as error:
            load_scenario(file(*events, more=more))
        return [(issue.key, issue.problem, issue.line) for issue in error.value.issues]

    return found


def same(first, second):
    return np.array_equal(run(first).states, run(second).states)


def test_the_three_forms_and_what_they_hold(file):
    ramp, sine, table = load_scenario(file(RAMP, SINE, TABLE)).protocol
    assert isinstance(ramp.clamp["plasma"].potential, Ramp)
    assert ramp.clamp["plasma"].potential.ramp == (-0.08, 0.02)
    assert isinstance(sine.set[RATE], Sine)
    assert (sine.set[RATE].sine, sine.set[RATE].phase) == (1e-7, 0.0)
    assert isinstance(table.set[RATE], Table)
    assert table.set[RATE].times == (0.0, 0.01, 0.01)


def test_a_resolved_scenario_is_the_same_to_the_last_bit(file):
    scenario = load_scenario(file(RAMP, SINE, TABLE))
    again = Scenario.model_validate(scenario.resolved())
    assert again.resolved() == scenario.resolved()
    assert same(again, scenario)


def test_a_data_file_repeats_its_run(file, tmp_path):
    (tmp_path / "rate.csv").write_text("time [ms],rate [umol/m^2/s]\n0,0.1\n50,0.3\n50,0.2\n")
    table = f"{{at: 20 ms, set: {{{RATE}: {{table: rate.csv}}}}}}"
    result = run(load_scenario(file(RAMP, table)))
    saved = write(result, tmp_path / "result.h5")
    (tmp_path / "rate.csv").unlink()
    assert np.array_equal(read(saved).states, result.states)
    assert np.array_equal(read(saved).parameters, result.parameters)
    assert same(from_resolved(stored_scenario(saved)).scenario, result.scenario)


def test_set_extends_and_text_are_alike(file, tmp_path):
    wanted = load_scenario(file(RAMP.replace("20 mV", "40 mV")))
    path = file(RAMP, name="base.yaml")
    by_set = load_scenario(path, {f"protocol.0.{POTENTIAL}.ramp.1": "40 mV"})
    by_number = load_scenario(path, {f"protocol.0.{POTENTIAL}.ramp.1": 0.04})
    by_block = load_scenario(path, {f"protocol.0.{POTENTIAL}": "{ramp: [-80 mV, 40 mV], over: 100 ms}"})
    (tmp_path / "heir.yaml").write_text(
        "extends: base.yaml\nprotocol:\n  - " + RAMP.replace("20 mV", "40 mV").replace("0.1 s", "100 ms") + "\n"
    )
    for scenario in (by_set, by_number, by_block, load_scenario(tmp_path / "heir.yaml")):
        assert scenario.resolved()["protocol"] == wanted.resolved()["protocol"]
        assert same(scenario, wanted)


def test_twins_differ_in_a_waveform(file):
    twins = f"twins:\n  steep: {{protocol.0.{POTENTIAL}.ramp.1: 40 mV}}\n"
    path = file(RAMP, more=twins)
    [changes] = read_config(path).twins.values()
    assert same(load_scenario(path, changes), load_scenario(path, {f"protocol.0.{POTENTIAL}.ramp.1": "40 mV"}))


SWEPT = {
    f"protocol.0.{POTENTIAL}.ramp.1": (0.0, 0.01, 0.02),
    f"protocol.0.{POTENTIAL}.over": (0.05, 0.1, 0.3),
    "protocol.0.at": (0.0, 0.01, 0.033),
    f"protocol.1.set.{RATE}.sine": (0.0, 1e-7, -2e-7),
    f"protocol.1.set.{RATE}.around": (3e-7, 4e-7, 5e-7),
    f"protocol.1.set.{RATE}.period": (0.01, 0.05, 0.07),
    f"protocol.1.set.{RATE}.phase": (0.0, 0.25, -0.5),
    f"protocol.2.set.{RATE}.times.1": (0.0, 0.005, 0.01),
    f"protocol.2.set.{RATE}.values.2": (0.0, 1e-7, 2e-7),
    "protocol.2.lasting": (0.005, 0.02, 0.1),
}


@pytest.mark.parametrize("key", SWEPT)
def test_each_run_of_a_sweep_is_the_lone_run_to_the_last_bit(file, key):
    path = file(RAMP, SINE, TABLE)
    batch = run_batch(load_scenario(path), {key: np.array(SWEPT[key])})
    ends = []
    for i, value in enumerate(SWEPT[key]):
        alone = run(load_scenario(path, {key: value}))
        assert np.array_equal(batch.trajectory(i).states, alone.states)
        assert np.array_equal(batch.trajectory(i).parameters, alone.parameters)
        ends.append(alone.states.tobytes())
    assert len(set(ends)) == 3, "the value has an effect"


def test_all_of_them_swept_together(file):
    path = file(RAMP, SINE, TABLE)
    batch = run_batch(load_scenario(path), {key: np.array(values) for key, values in SWEPT.items()})
    for i in range(3):
        alone = run(load_scenario(path, {key: values[i] for key, values in SWEPT.items()}))
        assert np.array_equal(batch.trajectory(i).states, alone.states)


def test_an_amplitude_is_a_difference(file, complaints):
    warm = "{at: 0 s, set: {temperature: {sine: 2 K, around: 37 degC, period: 1 s}}}"
    scenario = load_scenario(
        file(warm, more="sweep: {mode: grid, over: {protocol.0.set.temperature.sine: [1 K, 3 K]}}\n")
    )
    assert scenario.sweep.over["protocol.0.set.temperature.sine"].numbers == (1.0, 3.0)
    [(key, problem, _)] = complaints(warm.replace("2 K", "2 degC"))
    assert (key, problem) == ("protocol.0.set.temperature.sine", "`2 degC` is a temperature")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({f"protocol.1.set.{RATE}.sine": [1e-7, 6e-7]}, r"in run 1 of the sweep .* the sine reaches -0.1 umol/m"),
        ({f"protocol.2.set.{RATE}.times.2": [0.01, 0.001]}, r"in run 1 .* lies before the one above it"),
        ({"protocol.3.lasting": [1e-3, 2e-2]}, r"in run 1 .* lasts into the next one"),
    ],
)
def test_runs_that_contradict_themselves_are_refused_with_their_number(file, values, words):
    train = f"{{at: 0.1 s, lasting: 1 ms, every: 10 ms, set: {{{RATE}: 0.7 umol/m^2/s}}}}"
    with pytest.raises(ModelError, match=words):
        run_batch(load_scenario(file(RAMP, SINE, TABLE, train)), {key: np.array(v) for key, v in values.items()})


def test_trains_without_a_common_period_are_told_before_anything_runs(file):
    trains = [
        f"{{at: 0 s, lasting: 1 us, every: {every} us, set: {{{RATE}: 0.7 umol/m^2/s}}}}" for every in (10, 14.14213)
    ]
    with pytest.raises(ModelError, match="no common period"):
        Model.of(load_scenario(file(*trains))).events()


CLAMP = "{at: 0 s, clamp: {plasma: {potential: %s, carrier: k}}}"


@pytest.mark.parametrize(
    ("wave", "place", "words"),
    [
        ("{ramp: [-80 mV, 20 mV]}", "", "`over` is missing"),
        ("{ramp: [-80 mV, 20 mS], over: 1 s}", ".ramp.1", "a conductance"),
        ("{ramp: [-80 mV, 2 V], over: 1 s}", ".ramp.1", "out of range"),
        ("{ramp: [-80 mV, 20 mV], over: 1}", ".over", "no unit"),
        ("{ramp: [-80 mV, 20 mV, 30 mV], over: 1 s}", ".ramp", ""),
        ("{ramp: [-80 mV, 20 mV], over: 1 s, frequency: 1 Hz}", ".frequency", "unknown key"),
        ("{sine: 10 mV, around: -60 mV}", "", "a frequency or a period"),
        ("{sine: 10 mV, around: -60 mV, period: 1 s, frequency: 1 Hz}", "", "a frequency or a period"),
        ("{sine: 10 mV, period: 1 s}", ".around", "missing"),
        ("{sine: 0.5 V, around: 0.6 V, period: 1 s}", ".sine", "leaves the range"),
        ("{sine: 10 mV, around: 0 mV, period: 1 s, phase: 90}", ".phase", "out of range"),
        ("{times: [0 s, 2 s, 1 s], values: [0 mV, 1 mV, 2 mV]}", ".times.2", "before the one above"),
        ("{times: [0 s, 2 s], values: [0 mV]}", ".values", "times is 2, that of values 1"),
        ("{times: [], values: []}", ".times", "0 points"),
        ("{cosine: 1 mV}", "", "not a waveform"),
        ("{tabel: command.csv}", "", "not a waveform"),
        ("[-80 mV, 20 mV]", "", "not a waveform"),
        ("{table: command.csv}", ".table", "no such file"),
        ("{table: 3}", ".table", "not a file name"),
    ],
)
def test_a_waveform_that_cannot_be_is_refused_at_its_place(complaints, wave, place, words):
    found = complaints(CLAMP % wave)
    assert any(key == f"protocol.0.{POTENTIAL}{place}" and words in problem for key, problem, _ in found), found


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "empty"),
        ("time,command\n0,1\n", 1, "two units"),
        ("time [ms];command [mV]\n0;1\n", 1, "two units"),
        ("time [ms],command [mV]\n0,1\n2\n", 3, "no time and value"),
        ("time [ms],command [mV]\n0,nan\n", 2, "no time and value"),
        ("time [ms],command [mS]\n0,1\n", 2, "a conductance"),
        ("command [mV],time [ms]\n0,1\n", 2, "a voltage"),
        ("time [ms],command [mV]\n", None, "0 points"),
        ("time [ms],command [mV]\n5,0\n3,0\n", 3, "before the one above"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_its_line(complaints, tmp_path, text, line, words):
    (tmp_path / "command.csv").write_text(text)
    found = complaints(CLAMP % "{table: command.csv}")
    assert any(words in problem and line in (None, at) for _, problem, at in found), found


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_table_without_commas_is_told_what_separates_its_columns(file, tmp_path, mark, name):
    (tmp_path / "command.csv").write_text(f"time [ms]{mark}command [mV]\n0{mark}-80\n")
    with pytest.raises(ConfigError, match=f"separated by {name}; save the table with commas"):
        load_scenario(file(CLAMP % "{table: command.csv}"))


def test_a_sine_without_a_mean_is_told_only_that(complaints):
    assert [key for key, *_ in complaints(CLAMP % "{sine: 10 mV, period: 1 s}")] == [f"protocol.0.{POTENTIAL}.around"]


@pytest.mark.parametrize("head", ["time [ms],V [mV]", '"time (ms)","V (mV)"', "\ufefftime [ms],V [mV]"])
def test_tables_as_spreadsheets_write_them(file, tmp_path, head):
    (tmp_path / "command.csv").write_bytes((head + "\r\n0,-80\r\n 100 , 2e1\r\n\r\n").encode())
    scenario = load_scenario(file(CLAMP % "{table: command.csv}"))
    assert scenario.protocol[0].clamp["plasma"].potential == Table(times=(0.0, 0.1), values=(-0.08, 0.02))


# -- for editors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "right"),
    [
        (RAMP, True),
        (SINE, True),
        (TABLE, True),
        (CLAMP % "{table: command.csv}", True),
        (f"{{at: 0 s, set: {{{RATE}: {{table: rate.csv}}}}}}", True),
        (f"{{at: 0 s, set: {{{RATE}: 0.1 umol/m^2/s}}}}", True),
        (CLAMP % "{ramp: [-80 mV], over: 1 s}", False),
        (CLAMP % "{sine: 10 mV, around: 0 mV}", False),
        (CLAMP % "{table: 3}", False),
        (CLAMP % "{cosine: 1 mV}", False),
        (f"{{at: 0 s, set: {{{RATE}: {{cosine: 0.1 umol/m^2/s}}}}}}", False),
        (f"{{at: 0 s, set: {{{RATE}: [0.1 umol/m^2/s, 0.2 umol/m^2/s]}}}}", False),
        (SINE.replace("period: 50 ms", "period: 50 ms, frequency: 20 Hz"), False),
    ],
)
def test_the_schema_for_editors_knows_waveforms(file, event, right):
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(read_plain(file(event))) is right
