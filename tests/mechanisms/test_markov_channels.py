"""Markov channels: what their occupancies do, against gates, hand-written equations and the law of detailed balance."""

import math
from itertools import pairwise

import jsonschema
import numpy as np
import pytest
from places import ROOT
from scipy.linalg import expm

from simulator.errors import ModelError
from simulator.model.model import Model
from simulator.model.remarks import remarks
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.scenario.scenario import Scenario
from simulator.scenario.schema import json_schema
from simulator.scenario.yaml.reader import ConfigError, read_plain
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis

CELL = """\
name: a cell
temperature: 22 degC
compartments:
  bath: {fixed: true, concentrations: {na: 140 mM, k: 5 mM, cl: 145 mM, ca: 2 mM}}
  cell:
    volume: 10 nL
    concentrations: {na: 10 mM, k: 140 mM, cl: 10 mM, ca: 1 uM}
    impermeant: {concentration: 140 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1500 um^2
    potential: -80 mV
    mechanisms:
      leak: {law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2}
      channel:
        law: channel
        ions: {k: 1}
        conductance: 0.1 mS/cm^2
        states: [c, o, i]
        open: [o]
        transitions:
          - between: [c, o]
            forward: 30 1/s
            backward: {form: exponential, rate: 20 1/s, midpoint: -80 mV, width: -20 mV}
          - {between: [o, i], forward: 5 1/s, backward: 2 1/s}
        start: {c: 1}
protocol:
  - {at: 0 s, clamp: {plasma: {potential: -60 mV, carrier: k}}}
run: {duration: 0.5 s, save_every: 5 ms, rtol: 1.0e-10}
"""

TRANSITIONS = CELL[CELL.index("          - between: [c, o]") : CELL.index("        start: {c: 1}")]


@pytest.fixture
def cell(tmp_path):
    def read(*changes, **overrides):
        text = CELL
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        (tmp_path / "cell.yaml").write_text(text)
        return load_scenario(
            tmp_path / "cell.yaml", {key.replace("__", "."): value for key, value in overrides.items()}
        )

    return read


def occupancies(rates, times, start):
    """Occupancies by the exponential of the matrix of rates; `rates` [1/s] by pair of places."""
    matrix = np.zeros((len(start), len(start)))
    for (a, b), rate in rates.items():
        matrix[b, a] += rate
        matrix[a, a] -= rate
    return np.array([expm(matrix * t) @ start for t in times])


def test_occupancies_follow_the_master_equation(cell):
    found = run(cell())
    back = 20.0 * math.exp(-1.0)
    expected = occupancies({(0, 1): 30.0, (1, 0): back, (1, 2): 5.0, (2, 1): 2.0}, found.time, [1.0, 0.0, 0.0])
    assert found.labels["gate"] == tuple(f"plasma.channel.{s}" for s in "coi")
    assert found.open_fraction == pytest.approx(expected, abs=5e-8), "the amplifier leaves a few nV"
    assert np.sum(found.open_fraction, axis=1) == pytest.approx(np.ones(len(found.time)), abs=5e-15)
    analysis = Analysis(found)
    driven = analysis.driving_force.sel(membrane="plasma", species="k")
    current = analysis.current.sel(mechanism="plasma.channel")
    assert current == pytest.approx(1.0 * found.open_fraction[:, 1] * driven, rel=1e-9, abs=1e-12)


def test_channels_start_where_they_would_stay(cell):
    start = run(cell(("        start: {c: 1}\n", ""))).open_fraction[0]
    at_minus_80 = np.array([1.0, 30.0 / 20.0, 30.0 / 20.0 * 5.0 / 2.0])
    assert start == pytest.approx(at_minus_80 / at_minus_80.sum(), rel=1e-14)


def test_states_that_the_start_does_not_name_are_empty(cell):
    assert run(cell(("{c: 1}", "{o: 0.25, i: 0.75}"))).open_fraction[0] == pytest.approx([0.0, 0.25, 0.75], abs=0.0)


def test_a_q10_quickens_all_transitions(cell):
    """Three times faster at 32 degrees: after a third of the time as far."""
    warm = cell(
        (
            "conductance: 0.1 mS/cm^2\n        states",
            "conductance: 0.1 mS/cm^2\n        q10: 3\n        measured_at: 12 degC\n        states",
        )
    )
    slow, quick = run(cell(run__save_every="15 ms", run__duration="0.45 s")), run(warm)
    assert quick.open_fraction[: len(slow.time)] == pytest.approx(slow.open_fraction, abs=1e-8)


def test_a_ligand_opens_a_channel_by_a_hill_rate(cell):
    """c/(c + half) of 40/s: at 1 uM and a half of 3 uM, 10/s."""
    bound = cell(
        ("forward: 30 1/s", "forward: {form: hill, of: ca_i, rate: 40 1/s, half: 3 uM}"),
        ("width: -20 mV", "width: -1 kV"),
    )
    found = run(bound)
    expected = occupancies({(0, 1): 10.0, (1, 0): 20.0, (1, 2): 5.0, (2, 1): 2.0}, found.time, [1.0, 0.0, 0.0])
    assert found.open_fraction == pytest.approx(expected, abs=2e-4)


def test_two_ions_share_the_states_of_one_channel(cell):
    """GHK currents of K and Na at -60 mV, each times the open part."""
    found = run(
        cell(
            ("ions: {k: 1}", "ions: {k: 1, na: 0.3}"),
            ("conductance: 0.1 mS/cm^2\n        states", "permeability: 1e-8 m/s\n        states"),
        )
    )
    assert len(found.labels["gate"]) == 3
    y = -0.06 / (8.314462618 * 295.15 / 96485.33212)
    for ion, share, inside, outside in (("k", 1.0, 140.0, 5.0), ("na", 0.3, 10.0, 140.0)):
        ghk = 1e-8 * share * 96485.33212 * y * (inside - outside * math.exp(-y)) / (1.0 - math.exp(-y))
        current = Analysis(found).current.sel(mechanism=f"plasma.channel_{ion}")[1:]
        assert current == pytest.approx(ghk * found.open_fraction[1:, 1], rel=1e-4)


def test_channels_go_round_a_loop_of_three(cell):
    """A cycle of one-way steps holds occupancies in proportion to dwell times, 1/10 : 1/20 : 1/40."""
    loop = (
        "          - {between: [c, o], forward: 10 1/s}\n          - {between: [o, i], forward: 20 1/s}\n"
        "          - {between: [i, c], forward: 40 1/s}\n"
    )
    found = run(cell((TRANSITIONS, loop), run__duration="3 s"))
    assert found.open_fraction[-1] == pytest.approx(np.array([4.0, 2.0, 1.0]) / 7.0, abs=1e-9)
    steady = run(cell((TRANSITIONS, loop), ("        start: {c: 1}\n", "")))
    assert steady.open_fraction[0] == pytest.approx(np.array([4.0, 2.0, 1.0]) / 7.0, rel=1e-15)


#: The Na channel of configs/action_potential.yaml as eight states: i of three m gates open, h shut (x) or open (h).
M_OPENS = "{{form: linear_exponential, rate: {n} 1/ms, midpoint: -40 mV, width: 10 mV}}"
M_SHUTS = "{{form: exponential, rate: {n} 1/ms, midpoint: -65 mV, width: -18 mV}}"
H_OPENS = "{form: exponential, rate: 0.07 1/ms, midpoint: -65 mV, width: -20 mV}"
H_SHUTS = "{form: sigmoid, rate: 1 1/ms, midpoint: -35 mV, width: 10 mV}"


def hodgkin_huxley_states():
    lines = ["states: [x0, x1, x2, x3, h0, h1, h2, h3]", "open: [h3]", "transitions:"]
    for h in "xh":
        for i, j in pairwise(range(4)):
            up, down = M_OPENS.format(n=3 - i), M_SHUTS.format(n=4 * j)
            lines.append(f"  - {{between: [{h}{i}, {h}{j}], forward: {up}, backward: {down}}}")
    lines += [f"  - {{between: [x{i}, h{i}], forward: {H_OPENS}, backward: {H_SHUTS}}}" for i in range(4)]
    return "".join(f"        {line}\n" for line in lines)


def test_gates_written_as_states_spike_alike(configs, tmp_path):
    text = (configs / "action_potential.yaml").read_text()
    start, stop = text.index("        gates:\n          m:"), text.index("      k_channel:")
    (tmp_path / "states.yaml").write_text(text[:start] + hodgkin_huxley_states() + text[stop:])
    exact = {"run.rtol": 1e-11, "run.save_every": 1e-4}
    gates = run(load_scenario(configs / "action_potential.yaml", exact))
    states = run(load_scenario(tmp_path / "states.yaml", exact))
    assert gates.potential.values.max() > 0.03
    assert states.potential.values == pytest.approx(gates.potential.values, abs=1e-9)
    currents = [Analysis(t).current.sel(mechanism="plasma.na_channel") for t in (gates, states)]
    assert currents[1] == pytest.approx(currents[0], abs=1e-9 * np.max(np.abs(currents[0])))
    places = [states.labels["gate"].index(f"plasma.na_channel.{h}{i}") for h in "xh" for i in range(4)]
    assert np.sum(states.open_fraction[:, places], axis=1) == pytest.approx(np.ones(len(states.time)), abs=2e-14)


def herg(v):
    """Rates of Wang et al. 1997 [1/s] at a potential [mV], states c1, c2, c3, o, i."""
    return {
        (0, 1): 22.348 * math.exp(0.01176 * v),
        (1, 0): 47.002 * math.exp(-0.0631 * v),
        (1, 2): 23.761,
        (2, 1): 36.778,
        (2, 3): 13.733 * math.exp(0.038198 * v),
        (3, 2): 0.0689 * math.exp(-0.04178 * v),
        (3, 4): 90.821 * math.exp(0.023391 * v),
        (4, 3): 6.497 * math.exp(-0.03268 * v),
    }


def test_the_shipped_channel_recovers_faster_than_it_closes(configs):
    cell = run(load_scenario(configs / "markov_channel.yaml"))
    step, tail = np.arange(0.0, 1.001, 2e-3), np.arange(0.0, 2.0, 2e-3)
    rest = occupancies(herg(-80.0), [1e3], [1.0, 0.0, 0.0, 0.0, 0.0])[0]
    during = occupancies(herg(20.0), step, rest)
    after = occupancies(herg(-50.0), tail, during[500])
    assert cell.open_fraction[50:551] == pytest.approx(during[:501], abs=2e-5)  # widths have five digits
    assert cell.open_fraction[550:1550] == pytest.approx(after, abs=1e-4)
    current = Analysis(cell).current.sel(mechanism="plasma.herg") * 1.5e-9 * 1e12
    assert np.max(cell.open_fraction[:551, 3]) == pytest.approx(0.033, abs=5e-4)
    assert (current[550], cell.open_fraction[550, 4]) == (pytest.approx(8.8, abs=0.05), pytest.approx(0.973, abs=1e-3))
    peak = int(np.argmax(current))
    assert cell.time[peak] - 1.1 == pytest.approx(0.086, abs=5e-3)
    assert (current[peak], cell.open_fraction[peak, 3]) == (pytest.approx(91.8, abs=0.1), pytest.approx(0.52, abs=5e-3))


def test_the_channel_of_the_guide_is_a_channel(cell):
    guide = (ROOT / "docs" / "gates_and_own_laws.md").read_text("utf-8").partition("## Markov channels")[2]
    herg = guide.partition("```yaml\n")[2].partition("```")[0]
    found = run(cell(("      channel:\n", f"{herg}      channel:\n")))
    assert found.status == "ok"
    assert [name for name in found.labels["gate"] if "herg" in name] == [f"plasma.herg.{s}" for s in "coi"]
    assert found.open_fraction[0, :3] == pytest.approx([1.0, 0.0, 0.0], abs=0.0)


def test_a_run_goes_on_with_the_occupancies_of_another(cell):
    """A channel is where it was left, and what follows depends on nothing else."""
    whole, first = run(cell(run__duration="1 s")), run(cell())
    second = run(cell().starting_from(first))
    assert second.open_fraction[0] == pytest.approx(first.open_fraction[-1], abs=0.0)
    assert second.open_fraction == pytest.approx(whole.open_fraction[100:], abs=1e-8)


# -- detailed balance --------------------------------------------------------------------------------


LOOP = """\
          - between: [c, o]
            forward: {{form: exponential, rate: 30 1/s, midpoint: 0 mV, width: 25 mV}}
            backward: 20 1/s
          - {{between: [i, o], forward: 2 1/s, backward: 5 1/s}}
          - between: [c, i]
            forward: {{form: exponential, rate: {rate} 1/s, midpoint: 0 mV, width: 25 mV}}
            backward: 4 1/s
"""


def looped(rate, *others):
    """The changes that make the scheme a triangle; its loop is balanced where 30*5*4 = 20*2*rate, at 15/s."""
    return (TRANSITIONS, LOOP.format(rate=rate)), *others


def remarked(scenario):
    return [r.text for r in remarks(Model.of(scenario)) if r.key == "membranes.plasma.mechanisms.channel"]


def test_a_balanced_loop_is_not_remarked_on(cell):
    assert remarked(cell()) == []
    assert remarked(cell(*looped(15))) == []


def test_channels_that_circulate_for_nothing_are_named(cell):
    """With 30/s instead of 15/s the products differ by a factor of 2."""
    [text] = remarked(cell(*looped(30)))
    assert "round c, i, o the rates are 2 times those the other way" in text
    [text] = remarked(cell(*looped(7.5)))
    assert "round c, o, i the rates are 2 times those the other way" in text
    [text] = remarked(
        cell(*looped(15, ("width: 25 mV}\n            backward: 4", "width: 30 mV}\n            backward: 4")))
    )
    assert "circulate" in text, "balanced at 0 mV only"


def test_a_one_way_loop_is_named(cell):
    [text] = remarked(cell(*looped(15, ("forward: 2 1/s, backward: 5 1/s", "backward: 5 1/s"))))
    assert "round c, o, i the rates are one-way" in text


def test_two_transitions_between_the_same_states_are_a_loop(cell):
    last = "          - {between: [o, i], forward: 5 1/s, backward: 2 1/s}\n"
    assert remarked(cell((last, last + "          - {between: [o, i], forward: 50 1/s, backward: 20 1/s}\n"))) == []
    [text] = remarked(cell((last, last + "          - {between: [o, i], forward: 50 1/s, backward: 10 1/s}\n")))
    assert "round o, i the rates are 2 times" in text


def test_a_gradient_of_a_ligand_may_drive_a_loop(cell):
    bound = "{{form: hill, of: ca_{side}, rate: 5 1/s, half: 3 uM}}"
    changes = [
        ("forward: 2 1/s, backward: 5 1/s", f"forward: {bound.format(side='i')}, backward: 5 1/s"),
        ("backward: 4 1/s", f"backward: {bound.format(side='o')}"),
    ]
    assert remarked(cell(*looped(15, *changes))) == []
    assert len(remarked(cell(*looped(15, changes[0])))) == 1
    other = (changes[1][0], changes[1][1].replace("ca_o", "k_o"))
    assert len(remarked(cell(*looped(15, changes[0], other)))) == 1, "no gradient of one of them is between the sides"


def test_eight_states_of_independent_gates_are_balanced(configs, tmp_path):
    text = (configs / "action_potential.yaml").read_text()
    start, stop = text.index("        gates:\n          m:"), text.index("      k_channel:")
    (tmp_path / "states.yaml").write_text(text[:start] + hodgkin_huxley_states() + text[stop:])
    assert [r for r in remarks(Model.of(load_scenario(tmp_path / "states.yaml"))) if "na_channel" in r.key] == []


# -- what is refused ---------------------------------------------------------------------------------


def test_channels_that_have_no_place_to_start_are_refused(cell):
    lost = cell(("backward: 2 1/s", "backward: 0 1/s"), ("        start: {c: 1}\n", ""))
    [remark] = [r for r in remarks(Model.of(lost)) if r.key == "membranes.plasma.mechanisms.channel"]
    assert remark.fatal
    assert "give `start`" in remark.text
    given = run(cell(("backward: 2 1/s", "backward: 0 1/s")))
    assert given.status == "ok"


def test_parts_that_a_sweep_makes_add_up_to_something_else_are_refused(cell):
    with pytest.raises(ModelError, match=r"in run 1 of the sweep .* add up to 0\.5"):
        run_batch(cell(), {"membranes.plasma.mechanisms.channel.start.c": np.array([1.0, 0.5])})


def test_a_scheme_survives_being_written_down(cell):
    scenario = cell()
    again = Scenario.model_validate(scenario.resolved())
    assert again.resolved() == scenario.resolved()
    assert np.array_equal(run(again).states, run(scenario).states)


def test_the_schema_for_editors_knows_schemes(cell, tmp_path):
    cell()
    data = read_plain(tmp_path / "cell.yaml")
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(data)
    data["membranes"]["plasma"]["mechanisms"]["channel"]["transitions"][0]["sideways"] = "1 1/s"
    assert not validator.is_valid(data)


def test_rates_are_changed_by_their_dotted_paths(cell):
    changed = cell(membranes__plasma__mechanisms__channel__transitions__1__forward="10 1/s")
    back = 20.0 * math.exp(-1.0)
    found = run(changed)
    expected = occupancies({(0, 1): 30.0, (1, 0): back, (1, 2): 10.0, (2, 1): 2.0}, found.time, [1.0, 0.0, 0.0])
    assert found.open_fraction == pytest.approx(expected, abs=5e-8)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (("open: [o]", "open: [p]"), "open.0", "unknown state `p`"),
        (("between: [o, i]", "between: [o, j]"), "transitions.1.between.1", "unknown state `j`"),
        (("between: [o, i]", "between: [o, o]"), "transitions.1.between", "not two states"),
        (("states: [c, o, i]", "states: [c, o, i, z]"), "states.3", "`z` is never reached from `c`"),
        (("forward: 5 1/s, backward: 2 1/s", "forward: 5 1/s"), "states.2", "`i` is never left for `c`"),
        (("start: {c: 1}", "start: {c: 0.7, o: 0.2}"), "start", "add up to 0.9"),
        (("start: {c: 1}", "start: {c: 1, q: 0}"), "start.q", "unknown state `q`"),
        (("open: [o]", "open: []"), "states", "no state is open"),
        (("states: [c, o, i]", "states: [c, o, i, c]"), "states.3", "`c` is named twice"),
        (("forward: 5 1/s, backward: 2 1/s", ""), "transitions.1", "no rate"),
        (("width: -20 mV", "width: 0 mV"), "transitions.0.backward.width", "the width is 0"),
        (("forward: 5 1/s", "forward: 5 mV"), "transitions.1.forward", "a voltage"),
        (
            ("forward: 5 1/s", "forward: {form: hill, of: mg_i, rate: 1 1/s, half: 1 mM}"),
            "transitions.1.forward.of",
            "unknown concentration",
        ),
        (("forward: 5 1/s", "forward: {form: boltzmann, rate: 1 1/s}"), "transitions.1.forward.form", "boltzmann"),
        (("states: [c, o, i]\n", ""), "open", "without states"),
    ],
)
def test_a_scheme_that_cannot_be_is_refused_at_its_place(cell, change, place, words):
    if change[0].endswith("\n"):
        change = ("        " + change[0], change[1])
    with pytest.raises(ConfigError) as error:
        cell(change)
    found = [(issue.key, issue.problem) for issue in error.value.issues]
    assert any(key == f"membranes.plasma.mechanisms.channel.{place}" and words in problem for key, problem in found), (
        found
    )
