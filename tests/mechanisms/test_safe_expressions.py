"""Expressions of a scenario cost little, have a value where they are used, and say where they have none."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cli.source import read_source
from simulator.kernel.statements import PRINTER, numeric_form
from simulator.mechanisms.custom_law import check_dimensions
from simulator.mechanisms.expressions import Expression, ExpressionError
from simulator.model.assembly import structure_of
from simulator.model.equations import Equations
from simulator.physics.special import bern_slope, bern_value
from simulator.runs.threads import run_batch
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario

CELL = """
name: x
compartments:
  bath: {{fixed: true, concentrations: {{na: 145 mM}}}}
  cell: {{volume: 1 pL, concentrations: {{na: 15 mM}}}}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 100 um^2
    potential: 0 mV
    mechanisms:
      a: {{law: custom, moves: {{na: 1}}, parameters: {{p: 1e-9 mol/m^2/s, q: {q}, one: 1 mM}}, {law}}}
run: {{duration: 1 s}}
"""


@pytest.fixture
def written(tmp_path):
    def write(law: str, q: str = "1 mM", more: str = ""):
        path = tmp_path / "cell.yaml"
        path.write_text(CELL.format(law=law, q=q) + more)
        return path

    return write


#: Constant parts without a value, and where in the expression each is told.
NO_VALUE = {
    "p*9**9**9": (3, "too large"),
    "p/0": (1, "divides by zero"),
    "p*log(-1)": (3, "no real value"),
    "p*exp(1000)": (3, "too large"),
    "p*sqrt(-1)": (3, "no real value"),
    "p*0**-1": (3, "divides by zero"),
    "p*(-8)**0.5": (3, "no real value"),
    "p*1e308*10": (3, "too large"),
    "p*(1e99*100)": (4, "too large"),
    "p*where(1 < 2, 1, log(0))": (19, "too large"),
    "p + min(p, p*log(-1))": (14, "no real value"),
    "p*max(1, 1/(2 - 2))": (10, "divides by zero"),
    "p*(na_i/one)**65": (15, "exponent is too large"),
    "p*((na_i/one)**9)**9": (16, "powers of powers"),
    "p*(1 + (na_i/one)**40)**2": (20, "powers of powers"),
    "p*(1 - 2)**(na_i/one)": (4, "needs a positive base"),
    "p*one/(na_i - na_i)": (1, "no finite value"),
    "p*where(na_i < one, 1, log(na_i/one - na_i/one))": (24, "no finite value"),
    "p*" + "max(" * 12 + "na_i" + ", one)" * 12 + "/one": (1, "too large"),
}


@pytest.mark.parametrize("rate", NO_VALUE)
@pytest.mark.parametrize("place", ["rate", "gate"])
def test_a_part_without_a_value_is_told_where_it_stands(written, rate, place):
    column, problem = NO_VALUE[rate]
    law = f"rate: '{rate}'" if place == "rate" else f"rate: p*g, gates: {{g: {{steady: '({rate})/p'}}}}"
    with pytest.raises(ConfigError) as caught:
        load_scenario(written(law))
    [issue] = caught.value.issues
    assert problem in issue.problem
    if len(rate) < 60:
        assert f"at character {column + (place == 'gate')} " in issue.problem
    assert issue.key.endswith("rate" if place == "rate" else "gates.g.steady")


@pytest.mark.parametrize("text", ["(v/w)**-2 + 2**x", "1e-300*x", "exp(-1000)*x", "((x**4 + 1)**2)**8", "x/(2 - 1)"])
def test_what_has_a_value_is_let_through(text):
    expression = Expression(text)
    expression.require_defined()
    assert np.isfinite(expression(v=3.0, w=2.0, x=0.5))


def test_exponents_of_units_may_be_computed():
    check_dimensions(Expression("a**(1/2)*a**(1 - 2)*sqrt(a)"), "1", {"a": "mol/m^3"})
    check_dimensions(Expression("max(a - b, 0)"), "mol/m^3", {"a": "mol/m^3", "b": "mol/m^3"})


def test_a_rate_without_a_value_at_the_start_is_refused_by_name(written):
    for law, key, part in [
        ("rate: p*(1 + na_i/q)", "rate", "`na_i/q`"),
        ("rate: p*g, gates: {g: {steady: na_i/q}}", "gates.g.steady", "`na_i/q`"),
    ]:
        with pytest.raises(ConfigError) as caught:
            read_source(written(law, q="0 mM"), None)
        [issue] = caught.value.issues
        assert issue.key == f"membranes.plasma.mechanisms.a.{key}"
        assert f"{part} is infinite or undefined for" in issue.problem
        assert "q = 0" in issue.problem


def test_a_rate_that_loses_its_value_at_an_event_is_a_warning(written):
    event = "protocol: [{at: 0.5 s, set: {membranes.plasma.mechanisms.a.parameters.q: 0 mM}}]\n"
    path = written("rate: p*(1 + na_i/q)", more=event)
    assert any("from 500 ms on: `na_i/q` is infinite" in str(w) for w in read_source(path, None).warnings)
    first = event.replace("at: 0.5 s", "at: 0 s").replace("q: 0 mM", "q: 1 mM")
    assert read_source(written("rate: p*(1 + na_i/q)", q="0 mM", more=first), None).warnings


def test_in_a_sweep_the_runs_without_a_rate_fail_and_the_others_do_not(written):
    sweep = "sweep: {mode: grid, over: {membranes.plasma.mechanisms.a.parameters.q: [0 mM, 1 mM, 2 mM]}}\n"
    path = written("rate: p*(1 + na_i/q)", more=sweep)
    assert any("in 1 of 3 runs, `na_i/q` is infinite" in str(w) for w in read_source(path, None).warnings)
    batch = run_batch(load_scenario(path))
    assert [str(word) for word in batch.status] == ["nonfinite", "ok", "ok"]


def test_a_rate_whose_parts_cancel_only_in_symbols_is_a_config_error(written):
    """``3 x - x - 2 x`` is a small number in floating point and zero in SymPy."""
    scenario = load_scenario(written("rate: p*one/(3.3*na_i - na_i - 2.3*na_i + 0*one)"))
    with pytest.raises(Exception, match="no finite real value") as caught:
        _ = Equations(structure_of(scenario)).turnovers
    assert caught.value.kind == "usage"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rate: p", "rate: p*randn()"),
        ("rate: p", "rate: p + noise"),
        ("rate: p", "rate: p, noise: 1 mV"),
        ("potential: 0 mV", "potential: normal(0, 1) mV"),
        ("law: custom", "law: noise"),
    ],
)
def test_noise_is_not_offered_and_the_message_says_why(written, old, new):
    path = written("rate: p")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_scenario(path)
    assert any("noise is not offered, because runs must repeat bit for bit" in str(i) for i in caught.value.issues)


# -- any expression at all ------------------------------------------------------------------------

NUMBERS = st.sampled_from(
    [
        "0",
        "1",
        "2",
        "3",
        "-1",
        "0.5",
        "0.1",
        "7",
        "64",
        "65",
        "1e-300",
        "1e99",
        "1e300",
        "1e308",
        "1e400",
        "123456789012345678901",
        "(-8)",
        "(1/3)",
    ]
)
LEAVES = st.one_of(NUMBERS, st.sampled_from(["x", "y", "z", "x", "y", "z"]))


def larger(part):
    """Expressions one level up."""
    return st.one_of(
        st.tuples(part, st.sampled_from("+-*/"), part).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(part, st.one_of(NUMBERS, part)).map(lambda t: f"({t[0]})**({t[1]})"),
        st.tuples(st.sampled_from(["exp", "log", "sqrt", "tanh", "bern", "-"]), part).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), part, part).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        st.tuples(part, part, part, part).map(lambda t: f"where({t[0]} < {t[1]}, {t[2]}, {t[3]})"),
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=25)
SYMBOLS = {"x": sp.Symbol("x", positive=True), "y": sp.Symbol("y", positive=True), "z": sp.Symbol("z", real=True)}
FUNCTIONS = {
    "bern_value": bern_value,
    "bern_slope": bern_slope,
    "choose": lambda d, above, below: np.where(d > 0.0, above, below),
}

#: More characters than any short expression needs, and fewer than one that grows without bound.
LONGEST_KERNEL = 200_000


@settings(max_examples=250)
@given(EXPRESSIONS)
def test_any_expression_is_refused_or_has_a_value_and_a_kernel(text):
    try:
        expression = Expression(text)
        check_dimensions(expression, "1", dict.fromkeys("xyz", "1"))
        expression.require_defined()
    except ExpressionError:
        return
    numbers = {"x": np.float64(1.3), "y": np.float64(0.4), "z": np.float64(-0.7)}
    used = {name: numbers[name] for name in expression.arguments}
    with np.errstate(all="ignore"):
        float(expression(**used))
    symbolic = sp.sympify(expression(**SYMBOLS))
    if symbolic.has(sp.zoo, sp.oo, sp.nan, sp.I):  # told when the equations are made
        return
    numeric = numeric_form([symbolic, *(sp.diff(symbolic, s) for s in SYMBOLS.values())])
    shared, results = sp.cse(numeric)
    assert sum(len(PRINTER.doprint(e)) for e in [*(e for _, e in shared), *results]) < LONGEST_KERNEL
    with np.errstate(all="ignore"):
        float(sp.lambdify(list(SYMBOLS.values()), numeric[0], [FUNCTIONS, "numpy"])(*numbers.values()))
