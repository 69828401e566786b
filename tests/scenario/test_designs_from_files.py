"""Designs made elsewhere: `mode: table`, from a CSV file or from arrays."""

import hashlib
import json
import pickle
import shutil

import numpy as np
import pytest

from simulator.runs.design import design_of
from simulator.runs.threads import run_batch
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.datafile import DataFileError
from simulator.storage.folder import Folder
from simulator.storage.identity import resolved_text
from simulator.storage.start import load_scenario
from simulator.storage.store import read
from simulator.storage.sweeping import planned, run_sweep

K_LEAK = "membranes.plasma.mechanisms.k_leak.permeability"
BATH_K = "compartments.bath.concentrations.k"
POTENTIAL = "membranes.plasma.potential"


@pytest.fixture
def written(tmp_path, configs):
    """Write a design beside a scenario that names it; return the scenario's path."""
    shutil.copy(configs / "benchmark_cell.yaml", tmp_path)

    def write(design: str | bytes, sweep: str = "{mode: table, file: design.csv}"):
        (tmp_path / "design.csv").write_bytes(design if isinstance(design, bytes) else design.encode())
        path = tmp_path / "designed.yaml"
        path.write_text(f"name: designed\nextends: benchmark_cell.yaml\nrun: {{save: final}}\nsweep: {sweep}\n")
        return path

    return write


def values(scenario):
    design = design_of(scenario)
    return design.part(0, design.runs)


def complaint(path, overrides=None) -> str:
    with pytest.raises(ConfigError) as error:
        load_scenario(path, overrides)
    return str(error.value)


def test_each_line_is_a_run_and_each_column_has_its_unit(written):
    scenario = load_scenario(written(f'{K_LEAK} [cm/s],"{BATH_K} (mM)",{POTENTIAL} [mV]\n4e-7,4.5,-70\n\n8e-7,6,-65\n'))
    found = values(scenario)
    assert found[K_LEAK] == pytest.approx([4e-9, 8e-9], rel=3e-16)
    assert found[BATH_K].tolist() == [4.5, 6.0]
    assert found[POTENTIAL].tolist() == [-0.07, -0.065]
    assert scenario.sweep.swept() == (K_LEAK, BATH_K, POTENTIAL)
    assert dict(scenario.sweep.counts()) == {"table": 2}


@pytest.mark.parametrize(
    ("key", "unit", "cells"),
    [
        ("temperature", "degC", ["37", "38.5", "20"]),
        ("compartments.bath.concentrations.na", "mEq/L", ["140.1", "145"]),
        (BATH_K, "mol/m^3", ["4.7", "5.123456789"]),
        (POTENTIAL, "uV", ["-70123.4", "-1"]),
        ("membranes.plasma.mechanisms.pump.max_rate", "uA/cm^2", ["3.3", "4.7"]),
        ("membranes.plasma.capacitance", "uF/cm^2", ["1", "1.3"]),
    ],
)
def test_a_cell_is_read_like_the_same_value_in_a_scenario(written, key, unit, cells):
    path = written(f"{key} [{unit}]\n" + "\n".join(cells) + "\n")
    listed = load_scenario(path, {"sweep": {"mode": "list", "runs": [{key: f"{cell} {unit}"} for cell in cells]}})
    # The cell is rounded before it is multiplied, so the last bit may differ.
    assert values(load_scenario(path))[key] == pytest.approx(values(listed)[key], rel=3e-16)


def test_resistances_and_ph_are_no_factors_and_are_read_all_the_same(written, tmp_path):
    path = written("membranes.plasma.mechanisms.cl_leak.conductance [Mohm]\n100\n250\n")
    leak = {"law": "leak_ohmic", "ion": "cl", "conductance": "5 nS"}
    change = {"membranes.plasma.mechanisms.cl_leak": leak}
    found = load_scenario(path, change)
    key = "membranes.plasma.mechanisms.cl_leak.conductance"
    assert values(found)[key] == pytest.approx([1e-8, 4e-9], rel=1e-15)
    assert found.unit_of(key) == "S"
    acid = {"compartments.bath.concentrations.h": "pH 7.4", "compartments.cell.concentrations.h": "pH 7.2"}
    path = written("compartments.bath.concentrations.h [pH]\n7.4\n7\n7.4\n")
    found = values(load_scenario(path, acid))["compartments.bath.concentrations.h"]
    assert found == pytest.approx([10**-4.4, 1e-4, 10**-4.4], rel=1e-12)


def test_a_value_is_of_the_same_kind_as_in_the_scenario(written):
    path = written(f"{K_LEAK} [um^3/s]\n5\n")
    assert f"design.csv:1: sweep.columns.{K_LEAK}" in complaint(path)
    assert "a number for the whole cell, but the scenario gives a velocity here" in complaint(path)
    assert values(load_scenario(path, {K_LEAK: "4 um^3/s"}))[K_LEAK] == pytest.approx([5e-18])
    path = written(f"{K_LEAK}\n0.04\n")
    scaled = {"membranes.plasma.permeability_scale": "4e-9 m/s", K_LEAK: "1"}
    assert values(load_scenario(path, scaled))[K_LEAK].tolist() == [0.04]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{K_LEAK.replace('k_leak', 'kleak')} [m/s]\n1e-9\n", ["design.csv:1", "there is no number", K_LEAK]),
        (f"{K_LEAK} [mV]\n1e-9\n", ["design.csv:1", "`1 mV` is a voltage", "permeability"]),
        (f"{BATH_K}\n4.5\n", ["design.csv:1", "has no unit"]),
        ("run.rtol\n1e-5\n", ["design.csv:1", "cannot be swept"]),
        (f"{BATH_K} [mM]\n4.5\nabc\n\n5 mM\n", ["design.csv:3", "`abc`", "design.csv:5", "`5 mM`", "first line"]),
        (f"{BATH_K} [mM],{K_LEAK} [m/s]\n1,\n", ["design.csv:2", "a cell is empty in the column", K_LEAK]),
        (f"{BATH_K} [mM]\n4.5\n\n-1\n", ["design.csv:4", "`-1 mM` is out of range"]),
        (f"{BATH_K} [mM]\n4.5\nnan\ninf\n", ["design.csv:3", "`nan` is not a finite number", "design.csv:4"]),
        (f"{BATH_K} [mM],{K_LEAK} [m/s]\n1,1e-9\n2\n", ["design.csv:3", "has 1 cells, the first line 2"]),
        (f"{BATH_K} [mM]\n1,5\n", ["design.csv:2", "has 2 cells, the first line 1", "decimal points"]),
        (f"{BATH_K} [mM],{BATH_K} [mM]\n1,2\n", ["design.csv:1", "heads two columns"]),
        (f"{BATH_K} [mM]\n", ["design.csv:1", "no line below"]),
        ("", ["design.csv:1", "the file is empty"]),
        ("\n1\n", ["design.csv:1", "the first line is empty"]),
        ("1,2\n3,4\n", ["design.csv:1", "numbers, not dotted paths"]),
        (f'"",{BATH_K} [mM]\n1,2\n', ["design.csv:1", "column 1 has no name", "row.names = FALSE"]),
        (f"{BATH_K} [mM];{K_LEAK} [m/s]\n1;2\n", ["design.csv:1", "not separated by commas"]),
        (b"\xff\xfeab", ["designed.yaml:4", "not UTF-8"]),
    ],
)
def test_a_mistake_is_told_with_file_and_line_and_once(written, text, words):
    told = complaint(written(text))
    assert all(word in told for word in words), told
    assert len(told.splitlines()) == len([word for word in words if "design.csv:" in word]) or "yaml" in told, told


def test_a_missing_file_is_told_where_it_is_named(written, tmp_path):
    path = written(f"{BATH_K} [mM]\n4\n", "{mode: table, file: desing.csv}")
    assert complaint(path).startswith(f"{path}:4:")
    assert "did you mean `design.csv`?" in complaint(path)
    assert "a grid sweep has no `file`" in complaint(written("x", "{mode: grid, file: design.csv}"))
    assert "no `over`" in complaint(written(f"{BATH_K} [mM]\n4\n", "{mode: table, file: design.csv, over: {a: [1]}}"))
    assert "needs `columns`" in complaint(written("x", "{mode: table}"))


def test_a_file_is_looked_for_beside_the_scenario_that_names_it(written, tmp_path):
    base = written(f"{BATH_K} [mM]\n4\n5\n")
    (tmp_path / "below").mkdir()
    over = tmp_path / "below" / "over.yaml"
    over.write_text("name: over\nextends: ../designed.yaml\n")
    assert values(load_scenario(over))[BATH_K].tolist() == [4.0, 5.0]
    assert load_scenario(over).sweep.file == load_scenario(base).sweep.file == "design.csv"


def test_a_table_has_a_limit_and_is_a_part_of_a_product(written):
    path = written(f"{BATH_K} [mM]\n4\n5\n6\n")
    assert "this makes 3 runs" in complaint(path, {"sweep.limit": 2.0})
    grid = f"{{mode: grid, over: {{{K_LEAK}: [1e-9 m/s, 2e-9 m/s]}}}}"
    product = f"{{mode: product, parts: [{{mode: table, file: design.csv}}, {grid}]}}"
    scenario = load_scenario(written(f"{BATH_K} [mM]\n4\n5\n6\n", product))
    found = values(scenario)
    assert found[BATH_K].tolist() == [4.0, 4.0, 5.0, 5.0, 6.0, 6.0]
    assert found[K_LEAK].tolist() == [1e-9, 2e-9] * 3
    assert dict(scenario.sweep.counts()) == {"parts.0 (table)": 3, K_LEAK: 2}
    twice = product.replace(K_LEAK, BATH_K).replace("m/s", "mM")
    assert "already varies" in complaint(written(f"{BATH_K} [mM]\n4\n5\n", twice))


def test_arrays_in_python_and_lists_in_a_file_are_tables_too(written):
    path = written("x", f"{{mode: table, columns: {{{BATH_K}: [4 mM, 5 mmol/L], {POTENTIAL}: [-70 mV, -0.06 V]}}}}")
    listed = load_scenario(path)
    arrays = {BATH_K: np.array([4.0, 5.0]), POTENTIAL: [-0.07, -0.06]}
    data = listed.resolved() | {"sweep": {"mode": "table", "columns": arrays}}
    assert Scenario.model_validate(data) == listed
    assert load_scenario(path, {"sweep": {"mode": "table", "columns": arrays}}) == listed
    assert "3 mV" in complaint(path, {"sweep": {"mode": "table", "columns": {BATH_K: ["3 mV"]}}})
    told = complaint(path, {"sweep": {"mode": "table", "columns": arrays | {BATH_K: np.array([4.0])}}})
    assert "there are 1 values here, but 2" in told
    assert "shape (2, 2)" in complaint(path, {"sweep": {"mode": "table", "columns": {BATH_K: np.zeros((2, 2))}}})


def test_a_scenario_survives_its_resolved_form_bit_for_bit_and_is_known_by_a_digest(written):
    rng = np.random.default_rng(1)
    numbers = np.exp(rng.normal(size=1000))
    path = written(f"{BATH_K} [mM]\n" + "\n".join(map(repr, numbers.tolist())) + "\n")
    scenario = load_scenario(path)
    again = Scenario.model_validate(json.loads(json.dumps(scenario.resolved())))
    assert again == scenario == pickle.loads(pickle.dumps(scenario))
    assert values(again)[BATH_K].tobytes() == numbers.tobytes()
    # What files hold has the digest instead of the numbers, whose bits it is of.
    stored = json.loads(resolved_text(scenario))["sweep"]["columns"][BATH_K]
    assert stored == {"n": 1000, "sha256": hashlib.sha256(numbers.tobytes()).hexdigest()}
    numbers[500] = np.nextafter(numbers[500], 10.0)
    other = load_scenario(written(f"{BATH_K} [mM]\n" + "\n".join(map(repr, numbers.tolist())) + "\n"))
    assert other != scenario
    assert resolved_text(other) != resolved_text(scenario)


def test_numbers_that_do_not_have_their_digest_are_refused(written):
    data = load_scenario(written(f"{BATH_K} [mM]\n4\n5\n")).resolved()
    column = data["sweep"]["columns"][BATH_K]
    column["base64"] = column["base64"].replace("A", "B", 1)
    with pytest.raises(ValueError, match="do not have its digest"):
        Scenario.model_validate(data)


def test_a_sweep_on_disk_goes_on_without_its_file(written, tmp_path):
    path = written(f"{BATH_K} [mM]\n3\n4.5\n6\n12\n")
    target = tmp_path / "sweep"
    run_sweep(planned(load_scenario(path), target))
    whole = read(target)
    expected = whole.final("potential.plasma")
    alone = run_batch(load_scenario(path), {BATH_K: [3.0, 4.5, 6.0, 12.0]})
    assert expected.tobytes() == alone.final("potential.plasma").tobytes()
    assert whole.coordinates[BATH_K].tolist() == [3.0, 4.5, 6.0, 12.0]
    assert whole.trajectory(3).scenario.compartments["bath"].concentrations["k"] == 12.0
    part = (target / "part-000000.h5").read_bytes()
    (tmp_path / "design.csv").unlink()
    (target / "part-000000.h5").unlink()
    folder = Folder.existing(target)
    run_sweep(folder)
    assert (target / "part-000000.h5").read_bytes() == part
    # A design whose numbers are gone, or others, is told.
    for column in target.glob("column-*.npy"):
        np.save(column, np.array([3.0, 4.5, 6.0, 13.0]))
    with pytest.raises(DataFileError, match=r"column-.*\.npy: is damaged"):
        design_of(Folder.existing(target).scenario)
    for column in target.glob("column-*.npy"):
        column.unlink()
    with pytest.raises(Exception, match="known by its digest alone"):
        design_of(Folder.existing(target).scenario)
    assert read(target).final("potential.plasma").tobytes() == expected.tobytes()


def test_a_changed_file_is_another_sweep(written, tmp_path):
    target = tmp_path / "sweep"
    run_sweep(planned(load_scenario(written(f"{BATH_K} [mM]\n3\n4\n")), target))
    other = planned(load_scenario(written(f"{BATH_K} [mM]\n3\n5\n")), target)
    with pytest.raises(Exception, match=f"another batch; it differs in sweep.columns.{BATH_K}"):
        run_sweep(other)
    run_sweep(other, overwrite=True)
    assert len(list(target.glob("column-*.npy"))) == 1
    assert read(target).coordinates[BATH_K].tolist() == [3.0, 5.0]


def test_what_is_stored_of_a_large_design_is_small(written, tmp_path):
    data = load_scenario(written(f"{BATH_K} [mM]\n3\n4\n")).resolved()
    data["sweep"] = {"mode": "table", "columns": {BATH_K: np.linspace(3.0, 12.0, 100_000)}}
    scenario = Scenario.model_validate(data)
    assert len(resolved_text(scenario)) < 5000
    assert len(json.dumps(scenario.resolved())) < 100_000 * 8 * 4 / 3 + 5000
