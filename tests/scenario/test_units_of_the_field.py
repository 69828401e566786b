"""Units that people of the field write: read, or refused with the right thing to write."""

import json

import jsonschema
import pytest
from cell_file import TEXT, replaced

from simulator.physics.dissolved import Solute, parse_dissolved
from simulator.physics.unit_table import DIMENSION_WORDS
from simulator.physics.units import QuantityError, parse_quantity
from simulator.scenario.scenario import Scenario
from simulator.scenario.schema import json_schema
from simulator.scenario.yaml.reader import read_plain
from simulator.storage.start import load_scenario

K, CALCIUM, CHLORIDE = Solute("k", 1), Solute("ca", 2), Solute("cl", -1)
GLUCOSE, HYDROGEN, IMPERMEANT = Solute("glucose", 0), Solute("h", 1), Solute()

DIALYSATE = "concentrations: {na: 140 mEq/L, k: 3 mEq/L, ca: 2.5 mEq/L, cl: 110 meq/l, h: pH 7.4, glucose: 6 mOsm}"


@pytest.fixture
def read(tmp_path):
    def load(text, overrides=None):
        (tmp_path / "cell.yaml").write_text(text)
        return load_scenario(tmp_path / "cell.yaml", overrides)

    return load


def dialysed(protocol=""):
    """The cell in a dialysate written as on its bag."""
    inside = "concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM, ca: 100 nM, h: 7.2 pH, glucose: 1 mM}"
    text = replaced("concentrations: {na: 145 mM, k: 4.5 mM, cl: 149.5 mM}", DIALYSATE)
    return text.replace("concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM}", inside) + protocol


@pytest.mark.parametrize(
    ("text", "solute", "expected"),
    [
        ("4.5 mEq/L", K, 4.5),
        ("2.4 mEq/L", CALCIUM, 1.2),
        ("105 meq/l", CHLORIDE, 105.0),
        ("300 uEq/L", K, 0.3),
        ("0.1 Eq/L", K, 100.0),
        ("290 mOsm", GLUCOSE, 290.0),
        ("290 mOsm/L", IMPERMEANT, 290.0),
        ("0.29 Osm", IMPERMEANT, 290.0),
        ("290 mosmol/L", IMPERMEANT, 290.0),
        ("140 mmol/L", K, 140.0),
        ("0.14 molar", K, 140.0),
        ("pH 7", HYDROGEN, 1e-4),
        ("7.0 pH", HYDROGEN, 1e-4),
        ("pH 7.4", HYDROGEN, 3.9810717e-5),
    ],
)
def test_concentrations_of_the_clinic_are_read(text, solute, expected):
    assert parse_dissolved(text, "mol/m^3", solute) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("text", "solute", "words"),
    [
        ("5 mEq/L", GLUCOSE, ["glucose has charge 0", "write `5 mM`"]),
        ("5 mEq/L", IMPERMEANT, ["not known here", "divide by the charge number: `5 mM`"]),
        ("5 mEq/L", None, ["not known here", "`5 mM`"]),
        ("5 mEq", K, ["not per volume", "per litre"]),
        ("pH 7.4", K, ["is a pH", "`39.8107 nM`"]),
        ("pH 7.4", None, ["is a pH", "`39.8107 nM`"]),
        ("290 mOsm", None, ["osmolarity", "write `290 mM`"]),
        ("290 mOsm/kg", IMPERMEANT, ["per mass of water", "`290 mM`"]),
        ("150 mmol/kg", K, ["per mass of water", "`150 mM`"]),
        ("2 mEq/kg", CALCIUM, ["per mass of water", "`1 mM`"]),
        ("90 mg/dL", GLUCOSE, ["a mass per volume", "write `4.996 mM`", "180.16 g/mol"]),
        ("10 mg/dL", CALCIUM, ["write `2.495 mM`", "40.078 g/mol"]),
        ("1 g/L", Solute("anion", -1), ["divide by the molar mass and write mM"]),
    ],
)
def test_what_the_species_does_not_decide_is_refused_with_the_number_to_write(text, solute, words):
    with pytest.raises(QuantityError) as error:
        parse_dissolved(text, "mol/m^3", solute)
    assert error.value.problem.startswith(f"`{text}`")
    assert [word for word in words if word not in str(error.value)] == []


def test_an_amount_is_not_given_per_litre():
    assert parse_dissolved("1.5 pmol", "mol", IMPERMEANT) == 1.5e-12
    assert parse_dissolved("2 nOsm", "mol", IMPERMEANT) == pytest.approx(2e-9, rel=1e-15)
    with pytest.raises(QuantityError, match="is no amount"):
        parse_dissolved("290 mOsm/L", "mol", IMPERMEANT)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2 sec", "s", 2.0),
        ("2 seconds", "s", 2.0),
        ("3 msec", "s", 3e-3),
        ("3 usec", "s", 3e-6),
        ("5 minutes", "s", 300.0),
        ("2 hrs", "s", 7200.0),
        ("1 hour", "s", 3600.0),
        ("2 days", "s", 172800.0),
        ("1 wk", "s", 604800.0),
        ("2 weeks", "s", 1209600.0),
        ("4 years", "s", 1461 * 86400.0),
        ("5e-5 cm/s", "m/s", 5e-7),
        ("2 cc", "m^3", 2e-6),
        ("2 mL", "m^3", 2e-6),
        ("5 mmho/cm^2", "S/m^2", 50.0),
        ("200 Mohm", "S", 5e-9),
        ("200 M\u03a9", "S", 5e-9),
        ("1 Gohm", "S", 1e-9),
        ("10 kohm*cm^2", "S/m^2", 1.0),
        ("2 kHz", "1/s", 2000.0),
        ("10 pA", "mol/s", 10e-12 / 96485.33212),
    ],
)
def test_common_words_and_resistances_are_read(text, unit, expected):
    assert parse_quantity(text, unit) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit"), [("2 sex", "s"), ("2 mmHg", "mol/m^3"), ("2 mns", "s"), ("5 %", "mol/m^3"), ("3 furlongs", "m")]
)
def test_no_unit_is_suggested_for_one_that_only_looks_like_it(text, unit):
    with pytest.raises(QuantityError) as error:
        parse_quantity(text, unit)
    assert error.value.hint == ""


@pytest.mark.parametrize("unit", [unit for unit, (_, example) in DIMENSION_WORDS.items() if example])
def test_the_example_of_each_dimension_is_a_value_of_it_and_of_a_usual_size(unit):
    example = DIMENSION_WORDS[unit][1]
    assert parse_quantity(example, unit)
    with pytest.raises(QuantityError) as error:
        parse_quantity("10", unit)
    assert error.value.hint in (f"write it like `10 {example.split()[1]}`", f"write it like `{example}`")


def test_a_permeability_without_unit_is_not_told_to_be_metres_per_second():
    with pytest.raises(QuantityError, match="`4e-9 m/s`"):
        parse_quantity("10", "m/s")


def test_units_of_the_clinic_work_in_files_protocols_sweeps_and_overrides(read):
    protocol = (
        "protocol: [{at: 1 h, set: {compartments.bath.concentrations.ca: 3 mEq/L}}]\n"
        "sweep: {mode: grid, over: {compartments.bath.concentrations.h: [pH 7.0, 7.4 pH],\n"
        "  protocol.0.set.compartments.bath.concentrations.ca: [2 mEq/L, 3 mEq/L]}}\n"
    )
    scenario = read(dialysed(protocol), {"compartments.bath.concentrations.k": "5 mEq/L"})
    numbers = scenario.quantities()
    bath = "compartments.bath.concentrations"
    assert [numbers[f"{bath}.{s}"] for s in ("na", "k", "ca", "cl", "glucose")] == [140.0, 5.0, 1.25, 110.0, 6.0]
    assert numbers[f"protocol.0.set.{bath}.ca"] == 1.5
    assert scenario.sweep.over[f"{bath}.h"].numbers == pytest.approx([1e-4, 10**-4.4])
    assert scenario.sweep.over[f"protocol.0.set.{bath}.ca"].numbers == (1.0, 1.5)
    assert Scenario.model_validate(json.loads(json.dumps(scenario.resolved()))) == scenario


def test_equivalents_follow_the_charge_that_the_scenario_declares(read):
    text = replaced("name: cell", "name: cell\nspecies: {anion: {charge: -3}}").replace(
        "cl: 149.5 mM", "anion: 3 mEq/L"
    )
    assert read(text.replace("cl: 13 mM", "anion: 6 mM")).quantities()["compartments.bath.concentrations.anion"] == 1.0


def test_a_shape_has_a_radius_or_a_diameter(read, refused):
    sphere = replaced("volume: 4.19 pL", "geometry: {sphere: {diameter: 20 um}}")
    given = read(sphere, {"compartments.cell.geometry.sphere.diameter": "30 um"})
    assert given.quantities()["compartments.cell.geometry.sphere.diameter"] == 30e-6
    assert "compartments.cell.geometry.sphere.radius" not in given.quantities()
    for wrong, words in (
        ("{}", "`radius` is missing, and so is `diameter`"),
        ("{diameter: 2 um, radius: 1 um}", "both"),
    ):
        [issue] = refused(sphere.replace("{diameter: 20 um}", wrong))
        assert words in issue.problem


def test_an_impermeant_has_a_concentration_or_an_amount(read, refused):
    assert read(replaced("concentration: 131 mM", "amount: 0.5 pmol")).compartments["cell"].impermeant.amount == 5e-13
    [issue] = refused(replaced("concentration: 131 mM", "amount: 0.5 pmol, concentration: 1 mM"))
    assert "both given" in issue.problem
    [issue] = refused(replaced("cl: 149.5 mM}", "cl: 149.5 mM}\n    impermeant: {amount: 1 mol, charge: -1}"))
    assert issue.key == "compartments.bath.impermeant.amount"


def test_a_bare_ratio_needs_a_scale(refused):
    [issue] = refused(replaced("permeability: 4.0e-9 m/s", "permeability: 10"))
    assert issue.hint == "give a velocity such as 4e-9 m/s, or permeability_scale on the membrane and plain ratios here"


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "..", '"a\\tb"', "a/b", "''"])
def test_names_of_twins_are_no_paths(refused, name):
    [issue] = refused(f"{TEXT}twins: {{{name}: {{run.duration: 1 h}}}}\n")
    assert issue.key.startswith("twins.")
    assert (issue.line, "not a valid name" in issue.problem) == (TEXT.count("\n") + 1, True)


def test_a_title_may_have_slashes(read):
    assert read(replaced("name: cell", "name: Na/K pump with saturation")).name == "Na/K pump with saturation"


def test_a_missing_choice_names_the_words_to_type(refused):
    [issue] = refused(f"{TEXT}sweep: {{over: {{run.duration: [1 h]}}}}\n")
    assert issue.expected.startswith("one of grid, zip, list, random, lhs, sobol, product, table (how values combine")
    channel = "k_leak: {law: channel, ions: {k: 1}, conductance: 1 nS, gates: {n: {steady: {midpoint: 1 mV}}}}"
    [issue] = refused(replaced("k_leak: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s}", channel))
    assert issue.key.endswith("gates.n.steady")
    assert issue.expected.startswith("one of ")
    assert "sigmoid" in issue.expected
    [issue] = refused(replaced("{law: leak_ghk, ion: k, ", "{ion: k, "))
    assert "leak_ghk, leak_ohmic" in issue.expected


def test_a_missing_base_is_an_error_at_the_extends_that_names_it(tmp_path, refused):
    (tmp_path / "base.yaml").write_text(TEXT)
    [issue] = refused("# a cell\nextends: bose.yaml\n")
    assert (issue.line, issue.column, issue.key) == (2, 1, "extends")
    assert issue.file.endswith("cell.yaml")
    assert "`bose.yaml`" in issue.problem
    assert issue.hint == "did you mean `base.yaml`?"


def test_a_merge_key_is_one_error(refused):
    text = replaced("  bath:\n", "  bath: &bath\n").replace("  cell:\n", "  other: {<<: *bath}\n  cell:\n", 1)
    [issue] = refused(text)
    assert "merge keys" in issue.problem


def test_the_schema_knows_the_new_forms(tmp_path):
    path = tmp_path / "cell.yaml"
    text = dialysed().replace("volume: 4.19 pL", "geometry: {cylinder: {diameter: 20 um, length: 30 um}}")
    text = text.replace("concentration: 131 mM", "amount: 0.5 pmol").replace("1 uF/cm^2", "12 pF")
    text = text.replace("permeability: 4.0e-9 m/s", "permeability: 0.04").replace("0.6 umol/m^2/s", "10 pA")
    text = text.replace("potential:", "permeability_scale: 4e-9 m/s\n    potential:").replace("area: 1257 um^2\n", "\n")
    path.write_text(f"{text}twins: {{pump_off: {{membranes.plasma.mechanisms.pump.max_rate: 0 pA}}}}\n")
    assert load_scenario(path).unit_of("membranes.plasma.capacitance") == "F"
    validator = jsonschema.Draft202012Validator(json_schema())
    data = read_plain(path)
    assert [e.message for e in validator.iter_errors(data)] == []
    data["twins"] = {"../evil": {"run.duration": "1 h"}}
    assert not validator.is_valid(data)
    data.pop("twins")
    data["compartments"]["cell"]["geometry"]["cylinder"]["radius"] = "10 um"
    assert not validator.is_valid(data)
