"""Laws written in the scenario: the language, its units and refusals, and that they are laws like any other."""

import math

import numpy as np
import pytest
import sympy as sp
from places import ROOT

from simulator.kernel import load_arrays, load_program
from simulator.kernel.inputs import Inputs
from simulator.mechanisms.custom_law import NAMES, check_dimensions
from simulator.mechanisms.expressions import Expression, ExpressionError
from simulator.model.model import Model
from simulator.physics.constants import FARADAY
from simulator.runs.integrate import run
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.conservation import conservation
from simulator.trajectory.ledger import ledger
from simulator.verdict.rest import linearised
from simulator.verdict.verdict import classify

CELL = """
name: one law
compartments:
  bath: {{fixed: true, concentrations: {{na: 145 mM, k: 5 mM, cl: 150 mM}}}}
  cell:
    geometry: {{sphere: {{radius: 5 um}}}}
    concentrations: {{na: 15 mM, k: 135 mM, cl: 10 mM}}
    impermeant: {{concentration: 100 mM, charge: auto}}
membranes:
  plasma:
    inside: cell
    outside: bath
    potential: -40 mV
    mechanisms:
      na_leak: {{law: leak_ghk, ion: na, permeability: 1e-9 m/s}}
      {laws}
run: {{duration: 100 s, save_every: 50 s, rtol: 1.0e-8}}
"""

GHK = "law: custom, moves: {k: 1}, reversible: true, parameters: {p: 4e-9 m/s}, rate: 'p * k_o * bern(v / rt_over_f)'"


@pytest.fixture
def loaded(tmp_path):
    def load(*laws: str):
        path = tmp_path / "cell.yaml"
        path.write_text(CELL.format(laws="\n      ".join(f"law_{i}: {{{law}}}" for i, law in enumerate(laws))))
        return load_scenario(path)

    return load


def complaints(loaded, *laws: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(*laws)
    return [str(issue) for issue in caught.value.issues]


def test_a_written_leak_is_the_library_leak(loaded):
    written, library = run(loaded(GHK)), run(loaded("law: leak_ghk, ion: k, permeability: 4e-9 m/s"))
    assert written.states[-1] == pytest.approx(library.states[-1], rel=1e-9)
    for name in ("influx", "efflux"):
        ours, theirs = (getattr(Analysis(t), name).values[-1, 1, 1] for t in (written, library))
        assert ours == pytest.approx(theirs, rel=1e-9)
        assert ours > 0.0


def test_one_way_fluxes_of_a_reversible_written_law_keep_the_ussing_ratio(loaded):
    trajectory = run(loaded(GHK))
    analysis = Analysis(trajectory)
    influx, efflux = analysis.influx.values[-1, 1, 1], analysis.efflux.values[-1, 1, 1]
    inside, outside = (trajectory.concentration.sel(compartment=c, species="k")[-1] for c in ("cell", "bath"))
    v = trajectory.potential.values[-1, 0] / trajectory.scenario.thermal_voltage
    assert influx / efflux == pytest.approx(outside / inside * math.exp(-v), rel=1e-9)


def test_a_law_that_charges_otherwise_than_it_moves_violates_conservation(loaded):
    wrong = GHK.replace("moves: {k: 1}", "moves: {k: 1}, charge: 2").replace("reversible: true", "reversible: false")
    trajectory = run(loaded(wrong))
    assert trajectory.status == "conservation_violated"
    assert conservation(trajectory).charge > 1e-6
    assert classify(trajectory).word != "equilibrium"


def test_a_law_declared_open_runs_but_has_no_ledger_and_no_equilibrium(loaded):
    law = GHK.replace("moves: {k: 1}", "moves: {k: 1}, charge: 2, open: true").replace("true, par", "false, par")
    trajectory = run(loaded(law))
    assert trajectory.structure.open
    assert trajectory.status == "ok"
    assert conservation(trajectory).charge is None
    assert ledger(trajectory) is None


def test_warning_tells_of_a_charge_that_does_not_fit_the_molecules(loaded):
    scenario = loaded(GHK.replace("moves: {k: 1}", "moves: {k: 1}, charge: 2"))
    assert any("moves +2 charges" in str(w) for w in scenario.warnings)


def test_what_depends_on_time_follows_the_clock(loaded):
    law = (
        "law: custom, moves: {k: 1, cl: 1}, parameters: {size: 1 nmol/m^2/s, omega: 0.1 1/s}, "
        "rate: 'size * (1 - (1 - (omega * time) ** 2 / 2))'"
    )
    trajectory = run(loaded(law))
    area = Analysis(trajectory).area.values[-1, 0]
    start, end = (trajectory.amount[i, 1, 2] for i in (0, -1))
    # Cl moves by this law alone: the integral of a (omega t)^2/2 over 100 s.
    assert end - start == pytest.approx(area * 1e-9 * 0.01 * 100.0**3 / 6.0, rel=1e-7)
    assert classify(trajectory).word == "not_converged"


def test_the_clock_of_a_law_goes_on_from_where_a_run_starts(loaded):
    """It is a state: a run that starts at 1000 s counts from there, and its clock is saved like any other state."""
    law = (
        "law: custom, moves: {k: 1, cl: 1}, parameters: {size: 1 nmol/m^2/s, omega: 0.1 1/s}, "
        "rate: 'size * (omega * time) ** 2 / 2'"
    )
    model = Model.of(loaded(law))
    inputs, program = Inputs.of(model), load_program(model.structure)
    clock, cl = (model.structure.states.index(name) for name in ("time", "n_cell_cl"))
    area = inputs.parameters[0, model.structure.parameters.index("area_plasma")]
    for begun in (0.0, 1000.0):
        state = inputs.state.copy()
        state[0, clock] = begun
        times = np.array([0.0, 50.0, 100.0])
        found = program.integrate(state, inputs.parameters, inputs.scale, times[-1:], times, rtol=1e-8).saved[0]
        assert found[:, clock] == pytest.approx(begun + times, rel=1e-12)
        moved = area * 1e-9 * 0.01 * ((begun + 100.0) ** 3 - begun**3) / 6.0
        assert found[-1, cl] - found[0, cl] == pytest.approx(moved, rel=1e-6)


def test_a_gate_may_follow_a_gate_of_another_mechanism(loaded):
    first = (
        "law: custom, moves: {k: 1}, reversible: true, parameters: {p: 4e-9 m/s, tau: 5 s}, "
        "rate: 'p * x * k_o * bern(v / rt_over_f)', gates: {x: {steady: '0.25', time_constant: tau, start: 1}}"
    )
    second = (
        "law: custom, moves: {cl: 1}, parameters: {j: 1 nmol/m^2/s}, rate: j * y, gates: {y: {steady: 1 - law_0.x}}"
    )
    trajectory = run(loaded(first, second))
    t = trajectory.time
    assert trajectory.open_fraction[:, 0] == pytest.approx(0.25 + 0.75 * np.exp(-t / 5.0), rel=1e-6)
    turnover = Analysis(trajectory).turnover.sel(mechanism="plasma.law_1")
    assert turnover == pytest.approx(1e-9 * (0.75 - 0.75 * np.exp(-t / 5.0)), rel=1e-6, abs=1e-18)


@pytest.mark.parametrize(
    ("rate", "step"),
    [
        ("j * tanh(v / c) * sqrt(na_i / h) * where(na_i < k_i, na_i / h, k_i / h) * max(cl_i, h) / h", 1e-8),
        ("j * (2 + sin(v / c)) * (3 + cos(na_i / h + v / c)) * abs(v / c) * log10(1 + k_i / h)", 1e-6),
    ],
)
def test_jacobian_of_written_laws_agrees_with_differences(loaded, rate, step):
    numbers = "parameters: {j: 1 umol/m^2/s, h: 20 mM, c: 3 mV}"
    law = f"law: custom, moves: {{k: 1, cl: 1}}, {numbers}, rate: '{rate}'"
    scenario = loaded(GHK, law)
    trajectory = run(scenario)
    arrays, parameters = load_arrays(trajectory.structure), trajectory.parameters[-1]
    state = trajectory.states[-1]

    def derivative(x):
        return np.array([float(v) for v in arrays.derivative(x, parameters).values()])

    for (i, j), value in np.ndenumerate(linearised(arrays, state, parameters)[1]):
        direction = np.zeros(len(state))
        basis = arrays.STATES[arrays.BASIS[j]]
        direction[arrays.BASIS[j]] = 1.0
        for name, row in arrays.DEPENDENT.items():
            direction[arrays.STATES.index(name)] = row.get(basis, 0.0)
        h = step * abs(state[arrays.BASIS[j]])  # 1e-8: some 20 uV, because a few ions charge a membrane
        far, near = (derivative(state + s * h * direction) - derivative(state - s * h * direction) for s in (2.0, 1.0))
        slope = (8.0 * near - far)[i] / (12.0 * h)
        assert float(value) == pytest.approx(slope, rel=1e-5, abs=1e-14 * np.abs(derivative(state)).max() / h)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * x ** 2 - -y", 2 * 9.0 + 2.0),
        ("where(x < y, 1, 2)", 2.0),
        ("where(x >= y, 1, 2)", 1.0),
        ("min(x, y) + 10 * max(x, y)", 32.0),
        ("bern(0 * x)", 1.0),
        ("tanh(x) - (exp(2*x) - 1) / (exp(2*x) + 1)", 0.0),
        ("sqrt(x ** 2) + log(exp(y))", 5.0),
        ("sin(x) ** 2 + cos(x) ** 2 + sin(x - 3) + cos(y - 2)", 2.0),
        ("log10(10 * x * x) - 2 * log10(x)", 1.0),
        ("abs(y - x) + abs(x - y) + abs(0 * x)", 2.0),
    ],
)
def test_expressions_mean_what_they_say_for_numbers_arrays_and_symbols(text, value):
    expression = Expression(text)
    assert float(expression(x=3.0, y=2.0)) == pytest.approx(value, abs=1e-12)
    assert np.asarray(expression(x=np.full(2, 3.0), y=2.0)) == pytest.approx(np.full(2, value), abs=1e-12)
    symbolic = sp.sympify(expression(x=sp.Symbol("x"), y=sp.Symbol("y"))).subs({"x": 3.0, "y": 2.0})
    shown = symbolic.replace(lambda e: e.func.__name__ == "choose", lambda e: e.args[1] if e.args[0] > 0 else e.args[2])
    shown = shown.replace(lambda e: e.func.__name__ == "bern", lambda e: sp.Integer(1))
    assert float(shown) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("__import__('os').system('touch pwned')", "unknown function|not allowed"),
        ("(1).__class__", "cannot be read|not allowed"),
        ("[x for x in (1, 2)]", "not allowed"),
        ("lambda: 1", "not allowed"),
        ("'text'", "not allowed"),
        ("x if y else 1", "not allowed"),
        ("x ^ 2", "not mean a power"),
        ("exp(x, y)", "takes 1"),
        ("where(x, 1, 2)", "wrong kind of first argument"),
        ("exp(x < y)", "wrong kind of first argument"),
        ("x +", "cannot be read"),
        ("25 mM", "cannot be read"),
        ("x * |v|", "cannot be read"),
        ("x" + " + x" * 600, "too large|too long"),
        ("x" * 3000, "too long"),
        ("9e999 * x", "too large"),
    ],
)
def test_what_is_no_expression_is_refused_with_a_reason(text, problem):
    with pytest.raises(ExpressionError, match=problem):
        _ = Expression(text).arguments


def test_bars_are_told_how_an_absolute_value_is_written():
    with pytest.raises(ExpressionError) as refused:
        _ = Expression("x * |v|").arguments
    assert "abs(x)" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "unit", "problem"),
    [
        ("g * v", "mol/m^2/s", "current density"),
        ("na_i * v", "mol/m^2/s", r"a quantity in J\*mol/m\^3/s/A"),
        ("na_i**0.5", "1", "a quantity of another dimension"),
        ("v + na_i", "V", "different units"),
        ("exp(v)", "1", "argument of exp has a unit"),
        ("v ** na_i", "V", "exponent has a unit"),
        ("v ** p", "V", "not a number"),
        ("nope * v", "V", "unknown name `nope`"),
        ("sqrt(v * v) + v ** 1", "V", ""),
        ("g * (v - rt_over_f * log(na_o / na_i)) / faraday", "mol/m^2/s", ""),
    ],
)
def test_units_of_expressions_are_checked(text, unit, problem):
    names = {**NAMES, "na_i": "mol/m^3", "na_o": "mol/m^3", "g": "S/m^2", "p": "1"}
    if problem:
        with pytest.raises(ExpressionError, match=problem):
            check_dimensions(Expression(text), unit, names)
    else:
        check_dimensions(Expression(text), unit, names)


def test_errors_point_to_the_key_and_into_the_expression(loaded):
    [found] = complaints(loaded, GHK.replace("k_o * bern", "k_out * bern"))
    assert "law_0.rate" in found
    assert "unknown name `k_out`" in found
    assert "character 5" in found
    assert "did you mean `k_o`?" in found


def test_a_circle_of_gates_that_are_there_at_once_is_refused(loaded):
    law = (
        "law: custom, moves: {k: 1}, parameters: {j: 1 nmol/m^2/s}, rate: j * x, "
        "gates: {x: {steady: 1 - y}, y: {steady: 1 - x}}"
    )
    found = complaints(loaded, law)
    assert len(found) == 2
    assert all("through a cycle" in text for text in found)


def test_a_name_with_a_meaning_of_its_own_cannot_be_a_parameter(loaded):
    found = complaints(loaded, GHK.replace("p:", "v:").replace("p *", "v *"))
    assert any("`v` already has another meaning" in text for text in found)


def test_resolved_scenarios_keep_the_units_of_written_parameters(loaded):
    scenario = loaded(GHK)
    assert type(scenario).model_validate(scenario.resolved()) == scenario
    assert scenario.unit_of("membranes.plasma.mechanisms.law_0.parameters.p") == "m/s"


def test_the_current_of_a_written_law_follows_from_what_it_moves(loaded):
    """Net current of a written law is its turnover times F and the charge of what it moves."""
    trajectory = run(loaded(GHK))
    analysis = Analysis(trajectory)
    current, turnover = (getattr(analysis, n).sel(mechanism="plasma.law_0") for n in ("current", "turnover"))
    assert current == pytest.approx(-FARADAY * turnover)


def test_the_example_of_the_guide_runs_and_spikes(tmp_path):
    guide = ROOT / "docs" / "gates_and_own_laws.md"
    text = guide.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "guide.yaml").write_text(text)
    trajectory = run(load_scenario(tmp_path / "guide.yaml"))
    v = trajectory.potential.values[:, 0]
    assert trajectory.status == "ok"
    assert np.sum((v[1:] > 0.0) & (v[:-1] <= 0.0)) == 10
    assert trajectory.labels["mechanism"].count("plasma.k_channel_na") == 1
