"""Scenario files with new values: what is read back is what was asked for, and the rest of the text stays."""

import random
from pathlib import Path

import pytest
from places import CONFIGS

from simulator.errors import UsageError
from simulator.scenario.yaml.reader import read_config
from simulator.scenario.yaml.rewriting import rewritten, spelled
from simulator.storage.start import load_scenario

CELL = """\
# a cell with comments
name: "a cell"              # its title
temperature: 37 degC
compartments:
  bath: {fixed: true, concentrations: {na: 145 mmol/L, ca: 3.6 mEq/L, k: 4.5 mM, cl: 149.5 mM}}
  cell:
    volume: 4.19 pL         # of a sphere
    concentrations:
      na: "15 mM"           # quoted
      k: 140e0 mM
      cl: 13 mM
      ca: 100 nM
    impermeant: {concentration: 131 mM, charge: auto}

membranes:
  plasma:
    # the membrane
    inside: cell
    outside: bath
    area: 1257 um^2
    capacitance: 12 pF
    potential: -60 mV
    permeability_scale: 4e-9 m/s
    mechanisms:
      k_leak: {law: leak_ghk, ion: k, permeability: 0.5}
      na_leak: {law: leak_ohmic, ion: na, conductance: 200 Mohm}
      pump: {law: na_k_pump_hill, max_rate: 10 uA/cm^2, k_na: 10 mM, k_k: 1.5 mM}
run: {duration: 2 h}
"""
P = "membranes.plasma."
M = P + "mechanisms."


def changed(folder: Path, values, text=CELL, name="new.yaml"):
    """The new text and the scenario read from it."""
    (folder / "given.yaml").write_bytes(text.encode())
    loaded = read_config(folder / "given.yaml")
    new, extends = rewritten(folder / "given.yaml", loaded.text, folder / name, values, loaded.scenario)
    (folder / name).write_bytes(new.encode())
    return new, extends, load_scenario(folder / name)


def lines_apart(a: str, b: str) -> list[tuple[str, str]]:
    assert len(a.splitlines()) == len(b.splitlines())
    return [(x, y) for x, y in zip(a.splitlines(), b.splitlines(), strict=True) if x != y]


def test_a_value_is_replaced_in_its_unit_and_all_else_stays(tmp_path):
    new, extends, scenario = changed(tmp_path, {"compartments.cell.volume": 3.0e-15, P + "potential": -0.0701})
    assert not extends
    assert lines_apart(CELL, new) == [
        ("    volume: 4.19 pL         # of a sphere", "    volume: 3 pL         # of a sphere"),
        ("    potential: -60 mV", "    potential: -70.1 mV"),
    ]
    assert scenario.compartments["cell"].volume == 3.0e-15


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("compartments.cell.volume", " pL"),
        ("compartments.cell.concentrations.na", " mM"),
        ("compartments.cell.concentrations.k", " mM"),
        ("compartments.bath.concentrations.na", " mmol/L"),
        ("compartments.bath.concentrations.ca", " mEq/L"),
        (P + "capacitance", " pF"),
        (P + "potential", " mV"),
        (P + "permeability_scale", " m/s"),
        (M + "pump.max_rate", " uA/cm^2"),
        (M + "pump.k_na", " mM"),
        (M + "k_leak.permeability", ""),
        (M + "na_leak.conductance", " S"),  # a resistance becomes the conductance that it is
        ("temperature", " K"),
    ],
)
def test_every_bit_of_a_number_is_read_back_in_the_unit_that_it_had(tmp_path, path, unit):
    (tmp_path / "given.yaml").write_text(CELL)
    loaded = read_config(tmp_path / "given.yaml")
    old, draw = loaded.scenario.quantities()[path], random.Random(path)
    for _ in range(50):
        value = old * (1.0 + 0.1 * draw.random())
        new, _ = rewritten(tmp_path / "given.yaml", CELL, tmp_path / "new.yaml", {path: value}, loaded.scenario)
        (tmp_path / "new.yaml").write_text(new)
        scenario = load_scenario(tmp_path / "new.yaml")
        assert scenario.quantities()[path] == value
        assert scenario.kind_of(path) == loaded.scenario.kind_of(path)
        [(_, line)] = lines_apart(CELL, new)
        assert f"{unit}" in line


def test_a_missing_key_is_added_to_its_block_or_its_braces(tmp_path):
    text = CELL.replace("    potential: -60 mV\n", "")
    new, extends, scenario = changed(tmp_path, {P + "potential": -0.07, "run.save_every": "5 min"}, text)
    assert not extends
    assert "    potential: -70 mV\n    inside: cell\n" in new
    assert "run: {save_every: 5 min, duration: 2 h}" in new
    assert scenario.membranes["plasma"].potential == -0.07


def test_windows_line_ends_stay(tmp_path):
    text = CELL.replace("\n", "\r\n")
    new, _, scenario = changed(
        tmp_path, {P + "potential": -0.07, "run.save_every": "5 min", P + "area_change": "fixed"}, text
    )
    assert new.count("\r\n") == new.count("\n") == text.count("\n") + 1
    assert scenario.membranes["plasma"].potential == -0.07


def test_a_file_that_extends_another_gets_a_file_that_extends_it(tmp_path):
    (tmp_path / "base.yaml").write_text(CELL)
    over = "extends: base.yaml\nrun: {duration: 3 h}\n"
    (tmp_path / "out").mkdir()
    new, extends, scenario = changed(tmp_path, {P + "potential": -0.07, M + "pump.k_na": 9.0}, over, "out/new.yaml")
    assert extends
    assert new == (
        'extends: "../given.yaml"\nmembranes:\n  plasma:\n    potential: -70 mV\n    mechanisms:\n'
        "      pump:\n        k_na: 9 mM\n"
    )
    assert (scenario.membranes["plasma"].potential, scenario.quantities()[M + "pump.k_na"]) == (-0.07, 9.0)
    assert scenario.run.duration == 10800.0


def test_a_value_that_an_alias_shares_is_changed_where_it_was_meant_alone(tmp_path):
    text = CELL.replace("k_na: 10 mM, k_k: 1.5 mM", "k_na: &half 10 mM, k_k: *half")
    _, extends, scenario = changed(tmp_path, {M + "pump.k_na": 9.0}, text)
    assert extends
    assert (scenario.quantities()[M + "pump.k_na"], scenario.quantities()[M + "pump.k_k"]) == (9.0, 10.0)


def test_texts_of_set_are_written_as_they_are(tmp_path):
    values = {"name": "what: a name #1", "run.duration": "90 min", M + "pump.k_na": "9 mmol/L", "protocol": "[]"}
    new, extends, scenario = changed(tmp_path, values)
    assert (scenario.name, scenario.run.duration) == ("what: a name #1", 5400.0)
    assert not extends
    assert "protocol: []" in new


def test_values_in_lists_are_replaced_in_place_but_not_in_another_file(tmp_path):
    event = "protocol:\n  - {at: 1 h, set: {membranes.plasma.mechanisms.pump.max_rate: 5 uA/cm^2}}\n"
    key = "protocol.0.set.membranes.plasma.mechanisms.pump.max_rate"
    half = read_set(tmp_path, CELL + event)[key] / 2
    new, extends, scenario = changed(tmp_path, {key: half, "protocol.0.at": 1800.0}, CELL + event)
    assert not extends
    assert "{at: 0.5 h, set: {membranes.plasma.mechanisms.pump.max_rate: 2.5 uA/cm^2}}" in new
    assert scenario.quantities()[key] == half

    (tmp_path / "over.yaml").write_text("extends: given.yaml\n")
    over = read_config(tmp_path / "over.yaml")
    with pytest.raises(UsageError, match=r"protocol\.0\.at stands in a list"):
        rewritten(tmp_path / "over.yaml", over.text, tmp_path / "new.yaml", {"protocol.0.at": 60.0}, over.scenario)


def read_set(folder, text):
    (folder / "given.yaml").write_text(text)
    return load_scenario(folder / "given.yaml").quantities()


def test_a_number_without_a_text_is_spelled_in_its_si_unit():
    scenario = load_scenario(CONFIGS / "leaky_bucket.yaml")
    assert spelled(scenario, "membranes.plasma.potential", -0.07) == "-0.07 V"
    assert spelled(scenario, "compartments.cell.concentrations.na", 12.5) == "12.5 mM"
    assert spelled(scenario, "run.max_steps", 12.0) == "12"
