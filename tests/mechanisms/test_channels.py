"""Gated channels, pulses, stimuli and buffers: what gates do, and when."""

import numpy as np
import pytest

from simulator.kernel import load_arrays
from simulator.mechanisms.gating import temperature_factor
from simulator.physics.constants import FARADAY
from simulator.runs.integrate import run
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.verdict.rest import linearised
from simulator.verdict.verdict import classify

HH = "reference/HH-REST-01.yaml"
CHANNEL = "membranes.plasma.mechanisms.na_channel"

CELL = """
name: a channel
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 4 mM, ca: 2 mM}}
  cell:
    geometry: {sphere: {radius: 5 um}}
    concentrations: {na: 12 mM, k: 140 mM, ca: 1 uM, calbindin: 0.2 mM, ca_calbindin: 0 mM}
    impermeant: {concentration: 100 mM, charge: auto}
species: {calbindin: {charge: -2}, ca_calbindin: {charge: 0}}
membranes:
  plasma:
    inside: cell
    outside: bath
    potential: -70 mV
    mechanisms:
      mixed:
        law: channel
        ions: {na: 0.446754429568, k: 1}
        permeability: 1e-8 m/s
        gates: {s: {opening: {form: constant, rate: 2 1/s}, closing: {form: constant, rate: 3 1/s}, start: 0}}
      ca_k:
        law: channel
        ions: {k: 1}
        conductance: 0 S/m^2
        gates: {c: {power: 2, steady: {form: hill, of: ca_i, half: 5 nM, power: 4}, time_constant: 1 s, start: 0}}
      buffer:
        law: buffer
        ion: ca
        buffer: calbindin
        complex: ca_calbindin
        on_rate: 1e3 m^3/mol/s
        dissociation: 1 uM
      stimulus: {law: stimulus, ion: k}
run: {duration: 10 s, save_every: 0.5 s, rtol: 1.0e-8}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("channels")
    (path / "cell.yaml").write_text(CELL)
    return path


def load(folder, **changes):
    return load_scenario(folder / "cell.yaml", {key.replace("__", "."): value for key, value in changes.items()})


@pytest.fixture(scope="module")
def cell(folder):
    return run(load(folder))


def test_a_gate_opens_and_shuts_at_its_rates(cell):
    place = cell.labels["gate"].index("plasma.mixed.s")
    assert cell.open_fraction[:, place] == pytest.approx(0.4 * (1.0 - np.exp(-5.0 * cell.time)), rel=1e-6, abs=1e-9)


def test_a_mixed_channel_reverses_where_its_permeabilities_say(cell):
    """EREV-01: P_Na/P_K = 0.4468 makes it reverse at -20 mV, where neither ion is at its own equilibrium."""
    analysis = Analysis(cell)
    v = analysis.zero_current_potential("plasma", ["mixed_na", "mixed_k"], at=0)
    assert v == pytest.approx(float("nan"), nan_ok=True)  # shut at first
    v = analysis.zero_current_potential("plasma", ["mixed_na", "mixed_k"], at=1)
    assert v == pytest.approx(-0.020, abs=2e-5)  # 26 mM/s of current have moved some ions by now
    opposite = [analysis.current_voltage("plasma", [f"mixed_{s}"], np.array([v]), at=1)[0] for s in ("na", "k")]
    assert opposite[0] < 0.0 < opposite[1]
    assert opposite[0] == pytest.approx(-opposite[1], rel=1e-9)


def test_ions_of_one_channel_share_gate_and_parameters(cell):
    assert cell.labels["mechanism"][:2] == ("plasma.mixed_na", "plasma.mixed_k")
    assert cell.labels["gate"] == ("plasma.mixed.s", "plasma.ca_k.c")
    assert sum("mixed_permeability" in name for name in cell.structure.parameters) == 1


def test_a_buffer_binds_until_the_law_of_mass_action_holds(cell):
    free, buffer, bound = (
        cell.concentration.sel(compartment="cell", species=s) for s in ("ca", "calbindin", "ca_calbindin")
    )
    assert bound[-1] / (free[-1] * buffer[-1]) == pytest.approx(1.0 / 1e-3, rel=1e-8)
    assert free + bound == pytest.approx(np.full(len(free), 1e-3), rel=1e-12)
    assert buffer + bound == pytest.approx(np.full(len(free), 0.2), rel=1e-12)
    assert bound[-1] > 0.0
    assert classify(cell).affinity["plasma.buffer"] == pytest.approx(0.0, abs=1e-6)


def test_calcium_opens_a_hill_gate_as_far_as_its_sites_are_filled(cell):
    free = cell.concentration.sel(compartment="cell", species="ca")[-1] / 5e-6
    assert cell.open_fraction[-1, 1] == pytest.approx(free**4 / (free**4 + 1.0), rel=1e-3)


def test_a_shut_channel_carries_nothing_and_isolates_its_ions(folder):
    shut = run(load(folder, membranes__plasma__mechanisms__mixed__gates__s__opening__rate="0 1/s"))
    analysis = Analysis(shut)
    assert analysis.influx.sel(mechanism="plasma.mixed_na", species="na")[-1] == 0.0
    assert classify(shut).species["plasma"]["na"] == "isolated"


def test_pulses_are_what_the_same_changes_one_by_one_are(folder):
    current = "membranes.plasma.mechanisms.stimulus.current"
    pulses = "[{at: 1 s, lasting: 0.25 s, every: 1 s, times: 2, set: {" + current + ": 1 mA/m^2}}]"
    single = ", ".join(
        f"{{at: {at} s, set: {{{current}: {value} mA/m^2}}}}" for at, value in ((1, 1), (1.25, 0), (2, 1), (2.25, 0))
    )
    first, second = (run(load(folder, protocol=text)) for text in (pulses, f"[{single}]"))
    assert np.array_equal(first.states, second.states)
    moved = run(load(folder)).states[-1] - first.states[-1]
    assert np.any(moved != 0.0)


def test_a_stimulus_carries_its_charge_on_its_ion(folder):
    """Half a second of 1 mA/m2 brings in that much K, and depolarises an otherwise shut cell by Q/C."""
    shut = {"membranes__plasma__mechanisms__mixed__gates__s__opening__rate": "0 1/s"}
    pulse = "[{at: 0.5 s, lasting: 0.5 s, set: {membranes.plasma.mechanisms.stimulus.current: 1 mA/m^2}}]"
    t = run(load(folder, protocol=pulse, **shut))
    area = Analysis(t).area.values[0, 0]
    gained = t.amount[-1, 1, t.labels["species"].index("k")] - t.amount[0, 1, t.labels["species"].index("k")]
    assert gained * FARADAY == pytest.approx(0.5e-3 * area, rel=1e-6)
    rise = t.potential.values[-1, 0] - t.potential.values[0, 0]
    assert rise == pytest.approx(0.5e-3 / 0.01, rel=1e-6)


@pytest.mark.parametrize(
    ("protocol", "problem"),
    [
        (
            "{at: 1 s, times: 3, lasting: 0.1 s, set: {membranes.plasma.capacitance: 2 uF/cm^2}}",
            "need an interval",
        ),
        ("{at: 1 s, every: 1 s, times: 3, set: {membranes.plasma.capacitance: 2 uF/cm^2}}", "need a duration"),
        (
            "{at: 1 s, every: 1 s, times: 3, lasting: 1 s, set: {membranes.plasma.capacitance: 2 uF/cm^2}}",
            "into the next",
        ),
    ],
)
def test_pulses_that_make_no_sense_are_refused(folder, protocol, problem):
    with pytest.raises(ConfigError, match=problem):
        load(folder, protocol=f"[{protocol}]")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("mixed.gates.s.opening.form", "sigmoid", "`midpoint` is missing"),
        ("mixed.gates.s.opening.form", "sigmoidal", "unknown form `sigmoidal`"),
        ("mixed.gates.s.steady", "{form: sigmoid, midpoint: -40 mV, width: 0 mV}", "a gate cannot be given by"),
        ("mixed.ions.cl", "1", "unknown|does not list"),
        ("mixed.conductance", "1 S/m^2", "both conductance and permeability are given"),
        ("mixed.q10", "3", "belong together"),
        ("ca_k.gates.c.steady.of", "cs_i", "unknown concentration `cs_i`"),
        ("ca_k.gates.c.steady.half", "1 mV", "a voltage"),
    ],
)
def test_channels_that_make_no_sense_are_refused_where_the_mistake_is(folder, key, value, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        load_scenario(folder / "cell.yaml", {f"membranes.plasma.mechanisms.{key}": value})
    assert any(
        issue.key.startswith(f"membranes.plasma.mechanisms.{key.split('.')[0]}") for issue in caught.value.issues
    )


def test_squid_axon_fires_when_pushed_and_not_when_touched(configs):
    """All or none, with an overshoot below E_Na and an undershoot above E_K."""
    peaks = {}
    for push in (-55.0, -62.0):
        t = run(
            load_scenario(
                configs / HH,
                {
                    "membranes.plasma.potential": push * 1e-3,
                    "run.duration": 0.03,
                    "run.save_every": 1e-4,
                    f"{CHANNEL}.gates.m.start": 0.05293,
                    f"{CHANNEL}.gates.h.start": 0.596,
                    "membranes.plasma.mechanisms.k_channel.gates.n.start": 0.3177,
                },
            )
        )
        peaks[push] = t.potential.values[:, 0].max(), t.potential.values[:, 0].min()
    assert 0.03 < peaks[-55.0][0] < 0.05
    assert -0.077 < peaks[-55.0][1] < -0.070
    assert peaks[-62.0][0] < -0.055


def test_warming_by_ten_degrees_speeds_gates_by_q10():
    assert temperature_factor(310.0, 300.0, 3.0) == pytest.approx(3.0)
    assert temperature_factor(300.0, 300.0, 3.0) == 1.0


def test_jacobian_of_gated_channels_agrees_with_differences(configs):
    t = run(
        load_scenario(configs / "published" / "huebel_dahlem_2014.yaml", {"run.duration": 1.0, "run.save_every": 1.0})
    )
    arrays, parameters = load_arrays(t.structure), t.parameters[-1]
    state = t.states[-1]

    def derivative(x):
        return np.array([float(v) for v in arrays.derivative(x, parameters).values()])

    sizes = np.maximum(np.abs(state), t.model.scales())
    for (i, j), value in np.ndenumerate(linearised(arrays, state, parameters)[1]):
        direction = np.zeros(len(state))
        direction[arrays.BASIS[j]] = 1.0
        for name, row in arrays.DEPENDENT.items():
            direction[arrays.STATES.index(name)] = row.get(arrays.STATES[arrays.BASIS[j]], 0.0)
        h = (1e-3 if arrays.STATES[arrays.BASIS[j]].startswith("g_") else 1e-8) * sizes[arrays.BASIS[j]]
        far, near = (derivative(state + s * h * direction) - derivative(state - s * h * direction) for s in (2.0, 1.0))
        slope = (8.0 * near - far)[i] / (12.0 * h)
        assert float(value) == pytest.approx(slope, rel=1e-5, abs=1e-13 * np.abs(derivative(state)).max() / h)
