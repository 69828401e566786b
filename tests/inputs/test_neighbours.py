"""What a user would try next to the inputs of README.md: units, waveforms and schemes of the same kind."""

import subprocess
import sys

import numpy as np
import pytest
from places import ROOT

from simulator.cli import main
from simulator.cli.source import read_source
from simulator.errors import similar_file
from simulator.model.model import Model
from simulator.model.remarks import remarks
from simulator.physics.units import QuantityError, has_offset, parse_quantity
from simulator.runs.integrate import run
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.verdict.steady import steady_states

BUCKET = """\
name: bucket
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
    mechanisms:
      leak: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s}
run: {duration: 1 h, save_every: 1 min}
"""

LEAK = "{law: leak_ghk, ion: k, permeability: 4.0e-9 m/s}"
BATH = "compartments.bath.concentrations"


@pytest.fixture
def written(tmp_path):
    def write(*changes):
        text = BUCKET
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "bucket.yaml"
        path.write_text(text)
        return path

    return write


def protocol(event):
    return "run:", f"protocol: [{event}]\nrun:"


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("98.6 degF", "K", 310.15),
        ("98.6 °F", "K", 310.15),
        ("37 °C", "K", 310.15),
        ("37 celsius", "K", 310.15),
        ("1 gigaohm", "S", 1e-9),
        ("200 megohm", "S", 5e-9),
        ("5 nanosiemens", "S", 5e-9),
        ("12 picofarad", "F", 12e-12),
        ("50 picoamps", "A", 50e-12),
        ("10 micrometers", "m", 10e-6),
        ("4 picoliters", "m^3", 4e-15),
    ],
)
def test_units_may_be_written_out(text, unit, expected):
    assert parse_quantity(text, unit) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("text", ["10 degC", "10 °C", "10 celsius", "18 degF", "18 fahrenheit"])
def test_no_temperature_with_a_zero_of_its_own_passes_for_a_difference(text):
    assert has_offset(text)
    with pytest.raises(QuantityError, match="write K instead"):
        parse_quantity(f"{text}/s", "K")


# -- waveforms in a bath ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wave", "worst"),
    [
        ("{ramp: [4.5 mM, 12 mM], over: 10 min}", "7.5 mM of positive"),
        ("{sine: 3 mM, around: 4.5 mM, period: 10 min}", "3 mM of positive"),
        ("{sine: 3 mM, around: 9 mM, period: 10 min}", "7.5 mM of positive"),
        ("{times: [0 s, 1 min, 2 min], values: [4.5 mM, 12 mM, 4.5 mM]}", "7.5 mM of positive"),
        ("{times: [0 s, 1 min, 1 min, 2 min], values: [4.5 mM, 12 mM, 4.5 mM, 4.5 mM]}", "7.5 mM of positive"),
    ],
)
def test_a_bath_that_a_waveform_unbalances_on_its_way_is_remarked_on(written, wave, worst):
    scenario = load_scenario(written(protocol(f"{{at: 1 min, set: {{{BATH}.k: {wave}}}}}")))
    [remark] = remarks(Model.of(scenario))
    assert remark.key == "protocol.0"
    assert worst in remark.text


@pytest.mark.parametrize(
    "event",
    [
        # Cl goes along.
        f"{{at: 1 min, set: {{{BATH}.k: {{ramp: [4.5 mM, 12 mM], over: 10 min}}, "
        f"{BATH}.cl: {{ramp: [149.5 mM, 157 mM], over: 10 min}}}}}}",
        # The event ends before K rises.
        "{at: 1 min, lasting: 1 min, "
        f"set: {{{BATH}.k: {{times: [0 s, 2 min, 3 min], values: [4.5 mM, 4.5 mM, 9 mM]}}}}}}",
    ],
)
def test_a_waveform_that_leaves_the_bath_neutral_is_not_remarked_on(written, event):
    assert remarks(Model.of(load_scenario(written(protocol(event))))) == []


def test_runs_of_a_sweep_that_a_waveform_unbalances_are_counted(written):
    event = protocol(f"{{at: 1 min, set: {{{BATH}.k: {{ramp: [4.5 mM, 12 mM], over: 10 min}}}}}}")
    key = f"protocol.0.set.{BATH}.k.ramp.1"
    sweep = "run:", f"sweep: {{mode: grid, over: {{{key}: [4.5 mM, 8 mM, 12 mM]}}}}\nrun:"
    [warning] = read_source(written(event, sweep), []).warnings
    assert "in 2 of 3 runs, from 1 min on: 7.5 mM of positive charge" in warning.problem


# -- Markov schemes and gates ----------------------------------------------------------------------------


def channel(more):
    return LEAK, f"{{law: channel, ions: {{k: 1}}, permeability: 1e-8 m/s, {more}}}"


STUCK = "states: [c, o], open: [o], transitions: [{between: [c, o], forward: 0 1/s, backward: 0 1/s}]"


@pytest.mark.parametrize(
    ("more", "start"),
    [(STUCK, "start: {c: 1}"), ("gates: {n: {opening: 0 1/s, closing: 0 1/s}}", "start: 0.5")],
)
@pytest.mark.filterwarnings("error")
def test_rates_that_leave_no_steady_value_ask_for_a_start(written, more, start):
    with pytest.raises(ConfigError, match="nothing says where it starts"):
        read_source(written(channel(more)), [])
    given = f"{more}, {start}" if more == STUCK else more.replace("closing: 0 1/s", f"closing: 0 1/s, {start}")
    assert read_source(written(channel(given)), []).warnings == ()


def test_a_transition_without_width_is_refused_as_in_a_gate(written):
    rate = "{form: exponential, rate: 1 1/s, midpoint: -40 mV, width: 0 mV}"
    more = f"states: [c, o], open: [o], transitions: [{{between: [c, o], forward: {rate}, backward: 1 1/s}}]"
    with pytest.raises(ConfigError, match=r"forward\.width: the width is 0"):
        load_scenario(written(channel(more)))


# -- expressions of other languages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("g*k_i*ln(k_i/k_o)", "the natural logarithm is log"),
        ("g*pow(k_i, 2)/k_o", r"write a power as a\*\*b"),
        ("g*k_i if v > 0 else 0", r"write where\(a < b, x, y\)"),
        ("if(v > 0, g*k_i, 0)", r"write where\(a < b, x, y\)"),
        ("r = g*k_i", "right of the ="),
        ("g*(k_i", r"there are 1 \( and 0 \)"),
        ("g*k_i*pi", r"3\.14159"),
        ("g*k_i*t/t", "the time is time"),
        ("", "the expression is empty"),
    ],
)
def test_an_expression_of_another_language_is_answered_with_what_to_write(written, rate, words):
    law = f'{{law: custom, moves: {{k: -1}}, parameters: {{g: 1e-9 m/s}}, rate: "{rate}"}}'
    with pytest.raises(ConfigError, match=words):
        load_scenario(written((LEAK, law)))


# -- areas ----------------------------------------------------------------------------------------------


def test_a_rest_point_of_a_swollen_cell_says_that_its_area_stayed(capsys):
    with pytest.raises(SystemExit):
        main(["steady", str(ROOT / "tests" / "world" / "reported" / "area_follows_volume.yaml")])
    told = capsys.readouterr().err
    assert told.count("egg ends at 1.58 times its first volume, but the area of plasma stays") == 1


def test_an_area_that_would_grow_with_a_fixed_volume_is_warned_of(written):
    grows = "potential:", "area_change: with_volume\n    potential:"
    [warning] = load_scenario(written(grows)).warnings
    assert "no water moves into `cell`" in str(warning)
    assert load_scenario(written(grows, ("potential:", "water: instant\n    potential:"))).warnings == ()


# -- files ----------------------------------------------------------------------------------------------


def test_a_start_at_another_time_than_the_end_of_a_run_is_refused(written, tmp_path):
    with pytest.raises(SystemExit):
        main(["run", str(written()), "-o", str(tmp_path / "first.h5")])
    start = "run:", "start: {from: first.h5, time: 10 min}\nrun:"
    with pytest.raises(ConfigError, match="has only the state that it ends with, at 60 min"):
        read_source(written(start), [])


def test_a_common_suffix_makes_no_two_file_names_alike():
    names = ["s6.yaml", "leaky_bucket.yaml", "leaky_bucket.h5"]
    assert similar_file("a.yaml", names) == ""
    assert similar_file("leaky_buket.yaml", names) == "did you mean `leaky_bucket.yaml`?"
    assert similar_file("leaky_bucket.hdf5", names) == "did you mean `leaky_bucket.h5`?"


def test_a_reader_that_has_enough_is_no_error():
    command = [sys.executable, "-m", "simulator", "schema"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as schema:
        schema.stdout.read(1)
        schema.stdout.close()
        assert (schema.stderr.read(), schema.wait()) == (b"", 0)


# -- twins, sweeps, clamps --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("membranes.plasma.mechanisms.leak.permeability: 0 mV", "`0 mV` is a voltage"),
        ("membranes.plasma.mechanisms.leek.permeability: 0 m/s", "did you mean `membranes.plasma.mechanisms.leak"),
        ("run.duration: -1 h", "out of range"),
    ],
)
def test_a_twin_that_is_no_scenario_is_refused_at_its_place(written, change, words):
    with pytest.raises(ConfigError) as refused:
        load_scenario(written(("run:", f"twins: {{fine: {{run.duration: 2 h}}, other: {{{change}}}}}\nrun:")))
    [issue] = refused.value.issues
    assert issue.key.startswith("twins.other.")
    assert issue.line == BUCKET[: BUCKET.index("run:")].count("\n") + 1
    assert words in issue.problem + issue.hint


def test_a_new_value_may_leave_a_twin_without_what_it_changes(written):
    key = "membranes.plasma.mechanisms.leak"
    path = written(("run:", f"twins: {{shut: {{{key}.permeability: 0 m/s}}}}\nrun:"))
    assert load_scenario(path, {key: "{law: leak_ohmic, ion: k, conductance: 5 nS}"}).name == "bucket"


def test_an_axis_of_one_value_is_told_what_an_axis_is(written):
    with pytest.raises(ConfigError, match="this is the text `5 mM`; expected several values"):
        load_scenario(written(("run:", f"sweep: {{mode: grid, over: {{{BATH}.k: 5 mM}}}}\nrun:")))


ELECTRONEUTRAL = "name: bucket", "name: bucket\nformulation: electroneutral"


@pytest.mark.parametrize("wave", ["-20 mV", "{ramp: [-60 mV, -20 mV], over: 1 min}"])
def test_an_electroneutral_cell_can_be_clamped(written, wave):
    event = protocol(f"{{at: 1 min, clamp: {{plasma: {{potential: {wave}, carrier: k}}}}}}")
    scenario = load_scenario(written(ELECTRONEUTRAL, ("potential: -60 mV", "potential: -90 mV"), event))
    assert remarks(Model.of(scenario)) == []
    assert run(scenario).potential.values[-1, 0] == pytest.approx(-20e-3, abs=1e-6)


def test_a_list_of_the_wrong_length_is_told_the_right_one(written):
    event = "{at: 1 s, clamp: {plasma: {potential: {ramp: [-70 mV, 0 mV, 3 mV], over: 1 s}, carrier: k}}}"
    with pytest.raises(ConfigError, match="this list has 3 values; expected 2 values"):
        load_scenario(written(protocol(event)))


CHANNEL = "membranes.plasma.mechanisms.na_channel.conductance"
EXCITABLE = ROOT / "tests" / "world" / "reported" / "electroneutral_three_rests.yaml"


def test_runs_of_a_sweep_without_a_potential_are_counted():
    swept = {CHANNEL: np.array([0.0, 10.0, 1000.0]), "membranes.plasma.area": np.array([9e-10, 9e-10, 1e-9])}
    found = {remark.key: remark.where.tolist() for remark in remarks(Model.of(load_scenario(EXCITABLE)), swept)}
    assert found["formulation"] == [False, True, True]


def test_an_event_that_leaves_no_potential_is_remarked_on():
    event = [{"at": 60.0, "set": {CHANNEL: 1000.0}}]
    scenario = load_scenario(EXCITABLE, {CHANNEL: 0.0, "protocol": event})
    found = {remark.key: remark.text for remark in remarks(Model.of(scenario))}
    assert found["protocol.0"].startswith("from 1 min on: between -59 mV and -5 mV no potential of cell balances")
    assert "formulation" not in found


def test_an_electroneutral_cell_finds_its_potential_however_far_off_it_starts(written):
    """One GHK leak alone: V = RT/F ln(4.5/140) = -91.87 mV at any time."""
    assert run(load_scenario(written(ELECTRONEUTRAL))).potential.values[-1, 0] == pytest.approx(-91.87e-3, abs=5e-6)


def test_a_sine_goes_on_as_long_as_its_protocol(written):
    event = protocol(f"{{at: 0 s, set: {{{BATH}.k: {{sine: 0.1 mM, around: 4.5 mM, frequency: 1 Hz}}}}}}")
    assert run(load_scenario(written(event), {"run.save": "final", "run.max_steps": 10_000})).status == "ok"


# -- two baths --------------------------------------------------------------------------------------------

BATHS = ROOT / "tests" / "world" / "reported" / "nothing_to_integrate.yaml"


@pytest.mark.parametrize("wave", ["40 mV", {"ramp": ["0 mV", "40 mV"], "over": "10 min"}])
def test_no_electrode_changes_the_potential_between_two_baths(wave):
    event = [{"at": 60.0, "clamp": {"m": {"potential": wave, "carrier": "na"}}}]
    with pytest.raises(ConfigError, match="both sides of `m` have potentials of their own"):
        load_scenario(BATHS, {"protocol": event})
    clamped = run(load_scenario(BATHS, {"protocol": event, "compartments.b.open_circuit": "true"}))
    assert clamped.potential.values[-1, 0] == pytest.approx(40e-3, abs=1e-6)


def test_two_baths_are_at_rest_in_either_formulation():
    for formulation in ("capacitive", "electroneutral"):
        [rest] = steady_states(load_scenario(BATHS, {"formulation": formulation}))
        assert rest.verdict.word == "steady_state"
