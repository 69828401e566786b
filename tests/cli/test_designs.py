"""Designs from files on the command line: run, go on without the file, look, and the schema."""

import json
import shutil

import jsonschema
import pytest

from simulator.cli.app import _run
from simulator.scenario.schema import json_schema

BATH_K = "compartments.bath.concentrations.k"


@pytest.fixture
def sweep(tmp_path, configs, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(configs / "benchmark_cell.yaml", tmp_path)
    (tmp_path / "design.csv").write_text(f"{BATH_K} [mM]\n3\n4.5\n6\n")
    (tmp_path / "designed.yaml").write_text(
        "name: designed\nextends: benchmark_cell.yaml\nrun: {save: final}\nsweep: {mode: table, file: design.csv}\n"
    )
    return tmp_path


def ionflux(capsys, *arguments, code=0):
    assert _run(list(arguments), as_json="--json" in arguments, debug=False) == code
    return capsys.readouterr()


def test_a_sweep_goes_on_from_its_directory_alone(sweep, capsys):
    ionflux(capsys, "run", "designed.yaml", "-o", "out")
    part = sweep / "out" / "part-000000.h5"
    before = part.read_bytes()
    (sweep / "design.csv").unlink()
    assert "design.csv" in ionflux(capsys, "run", "designed.yaml", "-o", "out", code=2).err
    assert "already complete" in ionflux(capsys, "run", "out").err
    part.unlink()
    assert json.loads(ionflux(capsys, "run", "out", "--json").out)["runs"][0]["runs"] == 3
    assert part.read_bytes() == before
    ionflux(capsys, "run", "out", "-o", "again")
    assert (sweep / "again" / "part-000000.h5").read_bytes() == before
    assert "cannot change" in ionflux(capsys, "run", "out", "--set", "run.rtol=1e-4", code=2).err
    (sweep / "empty").mkdir()
    assert "without a sweep" in ionflux(capsys, "run", "empty", code=2).err


def test_plans_summaries_and_figures_know_the_table(sweep, capsys):
    plan = json.loads(ionflux(capsys, "run", "designed.yaml", "--dry-run", "--json").out)["planned"][0]
    assert (plan["runs"], plan["counts"]) == (3, {"table": 3})
    ionflux(capsys, "run", "designed.yaml", "-o", "out")
    told = ionflux(capsys, "info", "out").out
    assert f"{BATH_K}: 3.000 mM to 6.000 mM, 3 values" in " ".join(told.split())
    ionflux(capsys, "plot", "out", "-o", "figure.png")
    assert (sweep / "figure.png").stat().st_size > 1000
    resolved = ionflux(capsys, "validate", "designed.yaml", "--show-resolved").out
    assert f"sweep.columns.{BATH_K}" in resolved
    assert "design.csv:1" in resolved


def test_a_table_of_ends_is_a_design_again(sweep, capsys):
    ionflux(capsys, "run", "designed.yaml", "-o", "out")
    ionflux(capsys, "export", "out", "--to", "csv", "-o", "ends.csv")
    rows = [line.split(",") for line in (sweep / "ends.csv").read_text().splitlines()]
    place = rows[0].index(f"{BATH_K} [mol/m^3]")
    (sweep / "design.csv").write_text("\n".join(row[place] for row in rows) + "\n")
    assert "already complete" in ionflux(capsys, "run", "designed.yaml", "-o", "out").err


@pytest.mark.parametrize(
    "sweep_keys",
    [{"mode": "table", "file": "design.csv"}, {"mode": "table", "columns": {BATH_K: ["3 mM", "4 mM"]}}],
)
def test_the_schema_knows_tables(sweep_keys):
    schema = json_schema()
    part = {"$defs": schema["$defs"], "$ref": "#/$defs/Sweep"}
    jsonschema.validate(sweep_keys, part)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(sweep_keys | {"mode": "tabel"}, part)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(sweep_keys | {"file": 3}, part)
