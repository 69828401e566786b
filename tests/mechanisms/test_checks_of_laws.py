"""Checks of a law from outside: what is wrong with it is told with its line, before anything runs."""

from contextlib import suppress

import pytest
from own_law import FORWARD, HEAD, LAST, LAW, MOVES, PARAMETER, RATE, RETURN

from simulator.kernel.laws import add_laws
from simulator.mechanisms import library
from simulator.mechanisms.law_checks import findings
from simulator.mechanisms.outside import LawError
from simulator.mechanisms.rate_checks import in_symbols
from simulator.scenario.entries.base import MechanismEntry


@pytest.mark.parametrize("name", sorted(library()))
def test_every_law_of_the_library_passes_the_checks_of_laws_from_outside(name):
    assert findings(library()[name]) == []
    assert list(in_symbols(library()[name])) == []


#: What is changed, the line that is told, and words of the message.
WRONG = {
    "no Python": ((HEAD, HEAD[:-1]), FORWARD, "not valid Python"),
    "an exception": (("LAW = ", "1 / 0\nLAW = "), LAW, "ZeroDivisionError"),
    "an exit": (("LAW = ", "raise SystemExit(3)\nLAW = "), LAW, "SystemExit"),
    "a missing import": (("import math", "import mathh"), 3, "No module named 'mathh'"),
    "no LAW": (("LAW = ", "LOW = "), None, "declares no LAW"),
    "a LAW of another kind": (("LAW = Law(", "LAW = dict("), None, "LAW is dict"),
    "a wrong keyword": (("moves=", "move="), LAW, "unexpected keyword argument 'move'"),
    "a wrong unit": ((RETURN, "return rate * k_o"), FORWARD, "is a permeability"),
    "a name not given": ((RETURN, RETURN + " * faraday"), RATE, "NameError.*make `faraday` an argument"),
    "a name misspelt": ((RETURN, "return rat * k_o * cl_o"), RATE, "NameError.*did you mean `rate`"),
    "a unit without a name": ((RETURN, RETURN + " * k_o"), FORWARD, r"is a quantity in mol\^2/m\^5/s;"),
    "a sum of units": ((RETURN, RETURN + " + rate"), RATE, "different units"),
    "exp of a concentration": ((RETURN, RETURN + " * exp(k_o)"), RATE, "argument of exp has a unit"),
    "a function of math": ((RETURN, RETURN + " * math.exp(k_o / cl_o)"), RATE, "special"),
    "a function of NumPy": ((RETURN, RETURN + " * np.exp(k_o / cl_o)"), RATE, "simulator.physics.special"),
    "a choice by NumPy": ((RETURN, RETURN + " * np.where(k_o > cl_o, 1, 2)"), RATE, "simulator.physics.special"),
    "the larger by NumPy": ((RETURN, "return rate * k_o * np.maximum(k_o, cl_o)"), RATE, "needs numbers"),
    "an if": ((RETURN, "if k_o > cl_o:\n        return 0\n    " + RETURN), RATE, "write choose"),
    "the larger by Python": ((RETURN, "return rate * k_o * max(k_o, cl_o)"), RATE, "write choose"),
    "rounding": ((RETURN, "return rate * k_o * k_o * (cl_o // k_o)"), RATE, "TypeError"),
    "no return": ((RETURN, RETURN.removeprefix("return ")), FORWARD, "returns nothing"),
    "a text": ((RETURN, "return 'rate'"), FORWARD, "expected one number"),
    "a side left out": (("k_o", "ko"), FORWARD, "argument `ko`.*did you mean `k_o`"),
    "a side written out": (("k_o", "k_out"), FORWARD, "argument `k_out`.*did you mean `k_o`"),
    "a name of nothing": (("k_o", "conc"), FORWARD, "argument `conc` of unknown meaning"),
    "any arguments": ((HEAD, "def forward(*rate):"), FORWARD, "without a name"),
    "an unused parameter": (("minimum=0.0),", 'minimum=0.0), Parameter("n", "1", "x"),'), PARAMETER, "uses.* `n`"),
    "a parameter without effect": ((RETURN, "return 0 * " + RETURN[7:]), PARAMETER, "depends on the parameter `rate`"),
    "an unknown unit": (("m^4/mol/s", "furlong"), PARAMETER, "unknown unit `furlong`"),
    "a unit that is not SI": (("m^4/mol/s", "m^4/fmol/s"), PARAMETER, "SI unit"),
    "a default out of bounds": (("minimum=0.0", "minimum=0.0, default=-1.0"), PARAMETER, "default -1.0"),
    "a lone parameter": (("minimum=0.0),)", "minimum=0.0))"), PARAMETER, "needs a comma"),
    "half a molecule": (('"k": 1', '"k": 0.5'), MOVES, "0.5 molecules of `k`"),
    "no molecules": (('"k": 1', '"k": 0'), MOVES, "0 molecules of `k`"),
    "nothing moved": (('{"k": 1, "cl": 1}', "{}"), MOVES, "moves nothing"),
    "a species nobody chose": (('"k": 1', '"*": 1'), MOVES, "chooses no species"),
    "a species with a sign": (('"k": 1', '"K+": 1'), MOVES, "`K\\+` is no species"),
    "a false claim": ((LAST, LAST + " electroneutral=True, charge=1,"), MOVES + 2, "moves \\+1 charges"),
    "a negative forward rate": ((RETURN, RETURN.replace("rate", "-rate", 1)), FORWARD, "forward rate of 0 or more"),
    "a rate that is not real": ((RETURN, RETURN + " * (-2.0) ** 0.5"), FORWARD, "complex number"),
    "a rate that is not finite": ((RETURN, RETURN + " / np.float64(0)"), FORWARD, "is inf"),
    "a gate with a unit": (
        (LAST, LAST + " gates=(Gate('m', steady=lambda v: sigmoid(v), at_once=True),),"),
        MOVES + 2,
        "argument of exp has a unit",
    ),
    "a time constant that is none": (
        (LAST, LAST + " gates=(Gate('m', steady=lambda: 1.0, time_constant=lambda v: v),),"),
        MOVES + 2,
        "`time_constant` of the gate `m` is a voltage",
    ),
    "half a gate": ((LAST, LAST + " gates=(Gate('m', opening=lambda: 1.0),),"), MOVES + 2, "given by opening"),
    "an equilibrium constant with a unit": ((LAST, LAST + " equilibrium=lambda rate: rate,"), MOVES + 2, "equilibrium"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_law_is_told_with_its_line(own, what):
    change, line, words = WRONG[what]
    with pytest.raises(LawError, match=words) as caught:
        add_laws(own(change))
    assert caught.value.kind == "usage"
    assert caught.value.issues[0].line == line
    assert "kcc" not in library()


@pytest.mark.parametrize("name", ["leak_ghk", "channel", "custom", "Kcc", "k-cl", "2kcc"])
def test_a_name_that_is_taken_or_no_name_is_refused(own, name):
    with pytest.raises(LawError, match=r"already|no name"):
        add_laws(own(name=name))


def test_a_parameter_cannot_have_a_name_that_a_mechanism_has_already(own):
    for name in [*(n for n in dir(MechanismEntry) if n[0] != "_"), "law", "ion", "species", "v", "k_o"]:
        change = (f'Parameter("{name}"', f"def forward({name}, k_o, cl_o)", f"return {name} *")
        old = ('Parameter("rate"', "def forward(rate, k_o, cl_o)", "return rate *")
        with pytest.raises(LawError, match=r"another meaning|not valid Python|no valid name") as caught:
            add_laws(own(*zip(old, change, strict=True)))
        assert caught.value.issues[0].line in (PARAMETER, FORWARD)


def test_fields_of_any_type_are_refused_and_never_crash(own):
    """Whatever stands in a field, the answer is a law or an error of its file."""
    junk = ["None", "3", "-1.5", "'x'", "()", "('a',)", "{}", "{'k': 'x'}", "{3: 1}", "[1]", "object()", "len", "True"]
    fields = {
        "title": '"K-Cl symport"',
        "moves": '{"k": 1, "cl": 1}',
        "rate": "forward",
        "reversible": "True",
        "source": '"law of mass action"',
    }
    new = ["chooses", "atp", "outside", "charge", "partners", "equilibrium", "gates", "electroneutral"]
    for value in junk:
        changes = [(f"{f}={old}", f"{f}={value}") for f, old in fields.items()]
        changes += [(LAST, f"{LAST} {f}={value},") for f in new]
        changes += [("minimum=0.0", f"{f}={value}") for f in ("minimum", "maximum", "default", "positive", "path")]
        changes += [(old, value) for old in ('"rate"', '"m^4/mol/s"', '"rate constant per membrane area"')]
        changes += [(LAST, f"{LAST} gates=(Gate({value}, steady={value}, at_once=True),),")]
        for change in changes:
            with suppress(LawError):
                add_laws(own(change))


def test_what_is_no_file_of_python_is_refused(tmp_path):
    for path, words in [("nowhere.py", "no such file"), ("cell.yaml", "no Python file"), ("folder.py", "not a file")]:
        (tmp_path / "folder.py").mkdir(exist_ok=True)
        with pytest.raises(LawError, match=words):
            add_laws(tmp_path / path)


def test_laws_with_logarithms_gates_and_a_chosen_ion_are_let_through(own):
    path = own(
        (HEAD, "def forward(rate, c_i, c_o, v, rt_over_f, z, m, k_i):"),
        (RETURN, "return rate * choose(k_i - c_i, c_o, 0) * m * bern(z * v / rt_over_f)"),
        ('"m^4/mol/s"', '"m/s"'),
        ('{"k": 1, "cl": 1}', "{CHOSEN: 1}"),
        (LAST, LAST + ' chooses="ion", gates=(Gate("m", steady=lambda v, rt_over_f: sigmoid(v / rt_over_f),'),
        ("source=", "time_constant=lambda rate, area, volume_i: volume_i / area / rate),), source="),
    )
    assert add_laws(path) == ("kcc",)
