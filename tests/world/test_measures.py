"""Measures of a run, taken while it is integrated: against closed forms, and against finely saved trajectories."""

import math

import numpy as np
import pytest

import simulator
from simulator.errors import UsageError
from simulator.kernel.inputs import Inputs
from simulator.model.model import Model
from simulator.runs.threads import run_batch
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.export import to_csv
from simulator.trajectory.analysis import Analysis

CELL = """
name: clamped cell
temperature: 22 degC
compartments:
  bath: {fixed: true, concentrations: {na: 140 mM, k: 5 mM, cl: 145 mM}}
  cell:
    volume: 10 pL
    concentrations: {na: 10 mM, k: 140 mM, cl: 10 mM}
    impermeant: {concentration: 140 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1500 um^2
    capacitance: 1 uF/cm^2
    potential: -60 mV
    mechanisms:
      k: {law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2}
"""

SINE = """
protocol:
  - {at: 0 s, clamp: {plasma: {potential: {sine: 70 mV, around: -60 mV, frequency: 10 Hz}, carrier: k}}}
run: {duration: 1 s, save: final}
"""

K = "membranes.plasma.mechanisms.k.conductance"


@pytest.fixture
def scenario(tmp_path):
    """A scenario from a text, and from the measures in it."""

    def made(text, overrides=None):
        (tmp_path / "cell.yaml").write_text(CELL + text)
        return simulator.load_scenario(tmp_path / "cell.yaml", overrides)

    return made


def measured(scenario):
    return dict(simulator.run(scenario).measures)


def test_measures_of_a_sine_are_those_of_its_formula(scenario):
    found = measured(
        scenario(
            SINE
            + """
measure:
  top: {peak: potential.plasma}
  bottom: {trough: potential.plasma}
  middle: {mean: potential.plasma}
  early: {mean: potential.plasma, window: [10 ms, 60 ms]}
  late_top: {peak: potential.plasma, window: [0.91 s, 0.92 s]}
  at_time: {value: potential.plasma, at: 213 ms}
  first: {crossing: potential.plasma}
  first_fall: {crossing: potential.plasma, direction: falling}
  below: {crossing: potential.plasma, level: -120 mV, direction: rising}
  never: {crossing: potential.plasma, level: 20 mV}
  rises: {spikes: potential.plasma}
  some_rises: {spikes: potential.plasma, window: [50 ms, 450 ms]}
  apart: {period: potential.plasma}
"""
        )
    )
    turn = 2.0 * math.pi * 10.0

    def v(t):
        return -0.06 + 0.07 * math.sin(turn * t)

    def mean(a, b):
        return -0.06 + 0.07 * (math.cos(turn * a) - math.cos(turn * b)) / (turn * (b - a))

    rise = math.asin(6.0 / 7.0) / turn
    expected = {
        "top": 0.01,
        "bottom": -0.13,
        "middle": -0.06,
        "early": mean(0.01, 0.06),
        "late_top": v(0.92),
        "at_time": v(0.213),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-7), name
    times = {
        "first": rise,
        "first_fall": 0.05 - rise,
        "below": 0.1 - math.asin(6.0 / 7.0) / turn,
        "apart": 0.1,
    }
    for name, value in times.items():
        assert found[name] == pytest.approx(value, abs=2e-8), name
    assert math.isnan(found["never"])
    assert (found["rises"], found["some_rises"]) == (10.0, 4.0)


def test_a_relaxing_potential_crosses_a_level_when_its_exponential_does(scenario):
    # A stimulus of 1 uA/cm^2 moves the passive membrane by I/g = 10 mV with the time constant C/g = 10 ms.
    text = """
protocol: [{at: 5 ms, set: {membranes.plasma.mechanisms.electrode.current: 1 uA/cm^2}}]
run: {duration: 0.2 s, save: final, rtol: 1.0e-9}
measure:
  half_way: {crossing: potential.plasma, level: LEVEL}
  mean: {mean: potential.plasma, window: [5 ms, 25 ms]}
"""
    electrode = {"membranes.plasma.mechanisms.electrode": {"law": "stimulus", "ion": "k", "current": 0.0}}
    rest = 8.314462618 * 295.15 / 96485.33212 * math.log(5.0 / 140.0)
    begin = {"membranes.plasma.potential": rest, "compartments.cell.volume": 1e-9}  # so large that K hardly changes
    level = rest + 0.005
    found = measured(scenario(text.replace("LEVEL", f"{level!r} V"), electrode | begin))
    assert found["half_way"] == pytest.approx(0.005 + 0.01 * math.log(2.0), rel=1e-5)
    assert found["mean"] == pytest.approx(rest + 0.01 * (1.0 - 0.5 * (1.0 - math.exp(-2.0))), abs=1e-7)


def test_a_current_that_an_event_makes_jump_crosses_at_the_event(scenario):
    text = f"""
protocol: [{{at: 30 ms, set: {{{K}: 1 mS/cm^2}}}}]
run: {{duration: 0.1 s, save: final}}
measure:
  jump: {{crossing: current.plasma.k, level: 0.1 A/m^2, direction: rising}}
  largest: {{peak: current.plasma.k}}
"""
    found = measured(scenario(text, {"membranes.plasma.potential": "-50 mV", K: "0.001 mS/cm^2"}))
    assert found["jump"] == pytest.approx(0.03, abs=1e-15)
    assert found["largest"] > 0.1


SPIKE = """
measure:
  top: {peak: potential.plasma}
  low: {trough: potential.plasma, window: [10 ms, 20 ms]}
  mean: {mean: potential.plasma, window: [10.3 ms, 12.1 ms]}
  na_current: {trough: current.plasma.na_channel}
  k_flux: {peak: net_flux.plasma.k_channel.k, window: [11 ms, 30 ms]}
  open: {peak: open_fraction.plasma.na_channel.m}
  e_k: {value: nernst.plasma.k, at: 11 ms}
  force: {peak: driving_force.plasma.na}
  k: {trough: concentration.cell.k}
"""


@pytest.fixture
def spike(configs, tmp_path):
    """The action potential with measures, at a tolerance."""
    (tmp_path / "spike.yaml").write_text(f"extends: action_potential.yaml\nname: spike\n{SPIKE}")
    (tmp_path / "action_potential.yaml").write_text((configs / "action_potential.yaml").read_text())
    return lambda **run: simulator.load_scenario(tmp_path / "spike.yaml", {f"run.{k}": v for k, v in run.items()})


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_measures_are_as_accurate_as_the_run(spike, rtol):
    exact, found = measured(spike(rtol=1e-12)), measured(spike(rtol=rtol))
    for name, value in exact.items():
        assert found[name] == pytest.approx(value, rel=5.0 * rtol), name


def test_measures_of_a_spike_are_those_of_its_finely_saved_trajectory(spike):
    found, fine = measured(spike(rtol=1e-10)), simulator.run(spike(rtol=1e-10, save_every=1e-6))
    analysis, time = Analysis(fine), fine.time
    v, inside = fine.potential.sel(membrane="plasma"), (time >= 0.010) & (time <= 0.020)
    late = (time >= 0.011) & (time <= 0.030)
    part = (time >= 0.0103 - 1e-12) & (time <= 0.0121 + 1e-12)
    flux = np.asarray(analysis.net_flux.sel(mechanism="plasma.k_channel", species="k"))
    expected = {
        "top": v.max(),
        "low": v[inside].min(),
        "mean": np.trapezoid(v[part], time[part]) / (time[part][-1] - time[part][0]),
        "na_current": np.min(analysis.current.sel(mechanism="plasma.na_channel")),
        "k_flux": flux[late].max(),
        "open": fine.open_fraction[:, fine.labels["gate"].index("plasma.na_channel.m")].max(),
        "e_k": np.asarray(analysis.nernst.sel(membrane="plasma", species="k"))[time >= 0.011 - 1e-12][0],
        "force": np.max(analysis.driving_force.sel(membrane="plasma", species="na")),
        "k": fine.concentration.sel(compartment="cell", species="k").min(),
    }
    for name, value in expected.items():
        # The Na current turns so sharply that a point every microsecond misses its trough by 3e-5.
        assert found[name] == pytest.approx(value, rel=1e-4 if name == "na_current" else 1e-5), name


def test_measures_change_neither_the_run_nor_depend_on_company(configs):
    plain = simulator.load_scenario(configs / "benchmark_cell.yaml", {"run.save": "final"})
    wanted = {"measure": {"top": {"peak": "potential.plasma"}, "na": {"mean": "concentration.cell.na"}}}
    scenario = simulator.Scenario.model_validate(plain.resolved() | wanted)
    rates = {"membranes.plasma.mechanisms.pump.max_rate": np.geomspace(2e-7, 3e-6, 70)}
    many, without = run_batch(scenario, rates, threads=2), run_batch(plain, rates, threads=1)
    assert np.array_equal(many.arrays["amount"], without.arrays["amount"], equal_nan=True)
    alone = [
        simulator.run(simulator.Scenario.model_validate(_with(scenario, "max_rate", rate))).measures
        for rate in next(iter(rates.values()))[::23]
    ]
    for name, values in many.measures.items():
        assert values[::23].tolist() == [found[name] for found in alone]


def _with(scenario, name, value):
    data = scenario.resolved()
    data["membranes"]["plasma"]["mechanisms"]["pump"][name] = float(value)
    return data


def test_measures_of_a_sweep_are_stored_read_and_written_as_a_table(scenario, tmp_path):
    found = scenario(
        "run: {duration: 50 ms, save: final}\n"
        "measure: {late: {value: potential.plasma, at: 40 ms}, cross: {crossing: potential.plasma, level: -80 mV}}\n"
        f"sweep: {{mode: grid, over: {{{K}: [0.001 mS/cm^2, 0.1 mS/cm^2, 1 mS/cm^2]}}}}\n"
    )
    simulator.write(run_batch(found, {K: [0.01, 1.0, 10.0]}), tmp_path / "sweep")
    batch = simulator.read(tmp_path / "sweep")
    late, cross = batch.final("late"), batch.final("cross")
    assert late[0] > late[1] > late[2]
    assert math.isnan(cross[0])
    assert cross[1] > cross[2] > 0.0
    assert batch.about("cross") == ("s", "time of the first crossing of potential.plasma through -80 mV")
    to_csv(batch, tmp_path / "sweep.csv")
    head, first, *_ = (tmp_path / "sweep.csv").read_text().splitlines()
    row = dict(zip(head.split(","), first.split(","), strict=True))
    assert float(row["late [V]"]) == late[0]
    assert row["cross [s]"] == ""


def test_a_run_keeps_its_measures_in_its_file(scenario, tmp_path):
    trajectory = simulator.run(scenario(SINE + "measure: {top: {peak: potential.plasma}}"))
    simulator.write(trajectory, tmp_path / "run.h5")
    assert simulator.read(tmp_path / "run.h5").measures == dict(trajectory.measures)


def test_a_failed_run_has_no_measures(configs):
    scenario = simulator.load_scenario(configs / "benchmark_cell.yaml", {"run.max_steps": 20})
    wanted = {"measure": {"top": {"peak": "potential.plasma"}}}
    trajectory = simulator.run(simulator.Scenario.model_validate(scenario.resolved() | wanted))
    assert trajectory.status == "max_steps"
    assert math.isnan(trajectory.measures["top"])


@pytest.mark.parametrize(
    ("measure", "problem"),
    [
        ("{peak: potential.plasm}", "potential.plasma"),
        ("{peak: voltage.plasma}", "there is no quantity"),
        ("{peek: potential.plasma}", "did you mean `peak`"),
        ("{peak: potential.plasma, trough: potential.plasma}", "a measure is one of"),
        ("{value: potential.plasma}", "`at` is missing"),
        ("{value: potential.plasma, at: 5 h}", "after the end of the run"),
        ("{crossing: concentration.cell.k}", "`level` is missing"),
        ("{crossing: concentration.cell.k, level: 5 mV}", "is a voltage"),
        ("{peak: potential.plasma, window: [2 s, 1 s]}", "not a window"),
        ("{mean: potential.plasma, level: 1 mV}", "no level"),
        ("{peak: current.plasma.voltage_clamp}", "save the trajectory"),
        ("potential.plasma", "this is the text"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(scenario, measure, problem):
    with pytest.raises(ConfigError, match=r"measure\.x") as refused:
        scenario(SINE + f"measure: {{x: {measure}}}")
    assert problem in str(refused.value)


def test_two_peaks_in_different_windows_are_told_apart(scenario):
    found = scenario(SINE + "measure: {a: {peak: potential.plasma}, b: {peak: potential.plasma, window: [0 s, 0.5 s]}}")
    words = [measure.meaning for measure in found.measure.values()]
    assert words == ["peak of potential.plasma", "peak of potential.plasma from 0 s to 500 ms"]


@pytest.mark.parametrize("key", ["a.at", "b.window.0", "b.window.1", "c.level"])
def test_what_is_measured_is_the_same_in_all_runs_of_a_sweep(scenario, key):
    """A swept window or level had no effect, but was in the table of the sweep."""
    measures = (
        "measure: {a: {value: potential.plasma, at: 0.5 s}, b: {peak: potential.plasma, window: [0.1 s, 0.5 s]}, "
        "c: {crossing: concentration.cell.k, level: 100 mM}}\n"
    )
    sweep = f"sweep: {{mode: grid, over: {{measure.{key}: [0.2 s, 0.3 s]}}}}\n"
    with pytest.raises(ConfigError, match=f"`measure.{key}` cannot be swept: it is a setting that all runs"):
        scenario(SINE + measures + sweep)
    plain = scenario(SINE + measures)
    with pytest.raises(UsageError, match="cannot be swept"):
        run_batch(plain, {f"measure.{key}": np.array([0.2, 0.3])})


@pytest.mark.parametrize("name", ["status", "provenance", "temperature"])
def test_a_measure_cannot_take_the_name_of_a_variable_or_of_what_may_be_swept(scenario, name):
    with pytest.raises(ConfigError, match="name of something else"):
        scenario(SINE + f"measure: {{{name}: {{peak: potential.plasma}}}}")


def test_the_table_of_measures_has_a_row_for_each(scenario):
    found = scenario(SINE + "measure: {a: {peak: potential.plasma}, b: {value: potential.plasma, at: 0.5 s}}")
    table = Inputs.of(Model.of(found)).measures
    assert table.shape == (2, 6)
    assert table[1, 2:4].tolist() == [0.5, 0.5]
