"""Scenario files laid over others, values set from outside, and where each value comes from."""

import json
import time
from pathlib import Path

import pytest
from cell_file import TEXT, replaced
from places import CONFIGS

from simulator.scenario.yaml.reader import ConfigError, from_resolved, read_config, read_plain
from simulator.storage.start import load_scenario


def family(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_a_file_is_laid_over_the_one_it_extends(tmp_path):
    over = "extends: base.yaml\nname: over\nmembranes: {plasma: {potential: -70 mV, mechanisms: {pump: {k_k: 2 mM}}}}\n"
    loaded = read_config(family(tmp_path, base=TEXT, over=over) / "over.yaml")
    plasma = loaded.scenario.membranes["plasma"]
    assert (loaded.scenario.name, plasma.potential) == ("over", -0.07)
    assert plasma.mechanisms["pump"].values() == {"max_rate": 6e-7, "k_na": 10.0, "k_k": 2.0}
    assert loaded.origins["membranes.plasma.potential"] == f"{tmp_path / 'over.yaml'}:3"
    assert loaded.origins["membranes.plasma.area"] == f"{tmp_path / 'base.yaml'}:15"
    assert loaded.origins["membranes.plasma.water"] == "default"


def test_an_extending_file_can_take_away_and_replace(tmp_path):
    over = (
        "extends: base.yaml\nmembranes:\n  plasma:\n    mechanisms:\n      k_leak:\n"
        "      pump: {law: na_k_pump_constant, rate: 1 umol/m^2/s}\n"
    )
    scenario = load_scenario(family(tmp_path, base=TEXT, over=over) / "over.yaml")
    assert list(scenario.membranes["plasma"].mechanisms) == ["pump"]
    assert scenario.membranes["plasma"].mechanisms["pump"].values() == {"rate": 1e-6}


def test_errors_of_a_base_are_placed_in_the_base(tmp_path):
    base = replaced("-60 mV", "-60 mM")
    with pytest.raises(ConfigError) as error:
        read_config(family(tmp_path, base=base, over="extends: base.yaml\nnam: x\n") / "over.yaml")
    places = [(Path(i.file).name, i.line, i.key) for i in error.value.issues]
    assert sorted(places) == [("base.yaml", 17, "membranes.plasma.potential"), ("over.yaml", 2, "nam")]


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("/etc/passwd.yaml", "absolute"),
        ("~/x.yaml", "absolute"),
        ("cell.txt", "not a YAML file"),
        ("over.yaml", "in turn"),
        ("ring.yaml", "in turn"),
        ("[a]", "not a file name"),
        ("absent.yaml", "there is no file `absent.yaml`"),
        ("c0.yaml", "more than 8 files"),
    ],
)
def test_bases_that_cannot_be_are_refused(tmp_path, base, words):
    chain = {f"c{i}": f"extends: c{i + 1}.yaml\n" for i in range(12)}
    folder = family(tmp_path, over=f"extends: {base}\n", ring="extends: over.yaml\n", **chain)
    with pytest.raises(ConfigError, match=words):
        read_config(folder / "over.yaml")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("membranes.plasma.mechanisms.pump.max_rate", "1 umol/m^2/s", 1e-6),
        ("membranes.plasma.mechanisms.pump.max_rate", 1e-6, 1e-6),
        ("membranes.plasma.mechanisms.pump.max_rate", 0, 0.0),
        ("run.rtol", "1e-7", 1e-7),
        ("run.max_steps", 50, 50),
        ("atp_free_energy", "-50 kJ/mol", -50e3),
        ("membranes.plasma.area", 1e-9, 1e-9),
    ],
)
def test_values_are_set_by_dotted_path_in_text_or_si(tmp_path, key, value, expected):
    loaded = read_config(family(tmp_path, cell=TEXT) / "cell.yaml", {key: value})
    assert loaded.scenario.quantities()[key] == expected
    assert loaded.origins[key] == "--set"


def test_list_items_and_keys_with_dots_can_be_set(tmp_path):
    protocol = "protocol:\n  - {at: 2 h, set: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}}\n"
    changes = {
        "protocol.0.at": "3 h",
        "protocol.0.set.membranes.plasma.mechanisms.pump.max_rate": "2 umol/m^2/s",
        "run.save_every": "1 h",
        "description": "a: b",
    }
    scenario = load_scenario(family(tmp_path, cell=TEXT + protocol) / "cell.yaml", changes)
    assert scenario.protocol[0].at == 10800.0
    assert scenario.protocol[0].set == {"membranes.plasma.mechanisms.pump.max_rate": 2e-6}
    assert scenario.description == "a: b"


@pytest.mark.parametrize("key", ["pump.max_rate", "mechanisms.pump.max_rate"])
def test_the_end_of_a_path_names_a_value_if_no_other_path_ends_so(tmp_path, key):
    off = "twins: {off: {pump.max_rate: 0 umol/m^2/s}}\n"
    loaded = read_config(
        family(tmp_path, cell=TEXT + off) / "cell.yaml", {key: "2 umol/m^2/s", "plasma.water": "instant"}
    )
    assert loaded.scenario.membranes["plasma"].mechanisms["pump"].values()["max_rate"] == 2e-6
    assert loaded.scenario.membranes["plasma"].water == "instant", "which the file leaves out"
    assert loaded.origins["membranes.plasma.mechanisms.pump.max_rate"] == "--set"
    twin = read_config(tmp_path / "cell.yaml", loaded.twins["off"])
    assert twin.scenario.membranes["plasma"].mechanisms["pump"].values()["max_rate"] == 0.0


def test_a_wrong_name_in_a_block_named_by_the_end_of_its_path_is_told_with_the_whole_path(refused):
    [issue] = refused(TEXT, {"pump.max_rat": "1 mM"})
    assert (issue.file, issue.line, issue.key) == ("--set", None, "membranes.plasma.mechanisms.pump.max_rat")
    assert issue.hint == "did you mean `max_rate`?"


def test_a_wrong_value_of_a_twin_named_by_the_end_of_its_path_is_told_at_its_place(refused):
    [issue] = refused(f"{TEXT}twins:\n  off:\n    pump.max_rate: 0 mV\n")
    assert issue.line == TEXT.count("\n") + 3


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("concentrations.k", "1 mM", "names compartments.bath.concentrations.k and compartments.cell.concentrations.k"),
        ("pmp.max_rate", "1 mM", "did you mean `membranes.plasma.mechanisms.pump.max_rate`?"),
        ("membranes.plasma.mechanisms.pmp.max_rate", "1 mM", "`membranes.plasma.mechanisms.pump.max_rate`"),
        ("membranes.plasma.mechanisms.pump.max_rat", "1 mM", "did you mean `max_rate`?"),
        ("membranes.plasma.potential", "-70", "has no unit"),
        ("membranes.plasma.potential", "", "there is no value"),
        ("membranes.plasma.potential", ".nan", "not a finite number"),
        ("membranes.plasma.potential", float("nan"), "not a finite number"),
        ("membranes.plasma.potential", "[", "missing"),
        ("run.max_steps", True, "this is `true`"),
        ("run", "5", "key: value"),
        ("", "5", "unknown key"),
        ("a..b", "5", "nothing of this name"),
        ("protocol.0.at", "5 s", "nothing of this name"),
    ],
)
def test_values_that_cannot_be_set_are_refused_with_their_key(refused, key, value, words):
    [issue] = refused(TEXT, {key: value})
    assert (issue.file, issue.line, issue.key) == ("--set", None, key)
    assert words in str(issue)
    assert str(issue).startswith("--set: ")


def test_an_issue_reads_as_one_line_and_as_a_record(refused):
    [issue] = refused(replaced("-60 mV", "-70 MV"))
    assert str(issue).endswith(
        "cell.yaml:17:5: membranes.plasma.potential: `-70 MV` is out of range; expected a voltage from -1 V to 1 V; "
        "did you mean `-70 mV`?"
    )
    keys = ["file", "line", "column", "key", "problem", "expected", "hint", "text"]
    assert list(issue.record()) == keys


def test_every_value_is_listed_with_its_origin():
    loaded = read_config(CONFIGS / "pump_stopped.yaml", {"run.rtol": 1e-7})
    rows = {path: (text, Path(origin).name) for path, text, origin in loaded.rows()}
    assert rows["run.rtol"] == ("1e-07", "--set")
    assert rows["run.max_steps"] == ("100000", "default")
    assert rows["compartments.bath.fixed"][0] == "true"
    assert rows["membranes.plasma.potential"][0] == "-60 mV"
    assert rows["membranes.plasma.potential"][1].startswith("leaky_bucket.yaml:")
    assert rows["protocol.0.at"][1].startswith("pump_stopped.yaml:")
    assert list(rows) == list(loaded.scenario.leaves())


def test_warnings_have_places(tmp_path):
    path = family(tmp_path, cell=f"{TEXT}species: {{anion: {{charge: -1}}}}\n") / "cell.yaml"
    [warning] = read_config(path).warnings
    assert (warning.key, warning.line) == ("species.anion", 22)


def test_a_stored_scenario_reads_back_and_a_damaged_one_is_refused():
    scenario = load_scenario(CONFIGS / "pump_stopped.yaml")
    text = json.dumps(scenario.resolved())
    assert from_resolved(text).scenario == scenario
    for damaged in ("", "{", "[]", "5", text.replace("48", '"x"'), text.replace("duration", "d"), "[" * 100_000, "NaN"):
        if damaged != text:
            with pytest.raises(ConfigError):
                from_resolved(damaged)


def test_plain_files_have_the_same_limits(tmp_path):
    path = family(tmp_path, plain="a: [1, 2.5, x, true, null, 0x10, 1e3, '5', 007]\n") / "plain.yaml"
    assert read_plain(path) == {"a": [1, 2.5, "x", True, None, 16, 1000.0, "5", 7]}
    path.write_text("a: !!python/none x")
    with pytest.raises(ConfigError):
        read_plain(path)


def test_a_small_scenario_loads_fast(configs):
    load_scenario(configs / "leaky_bucket.yaml")
    begun = time.perf_counter()
    load_scenario(configs / "leaky_bucket.yaml")
    assert time.perf_counter() - begun < 0.06
