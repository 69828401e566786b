"""The command line as a user meets it: verbs, exit codes, where output goes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import CONFIGS, ROOT

import simulator
from simulator.cli.app import main
from simulator.errors import Stopped
from simulator.storage.store import read

KAY = CONFIGS / "published" / "kay_2017.yaml"
LEAKY = CONFIGS / "leaky_bucket.yaml"


def ionflux(*arguments, folder, **environment) -> subprocess.CompletedProcess:
    """Run the command in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "simulator", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        timeout=300,
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with saved runs of the sealed and the leaky bucket."""
    folder = tmp_path_factory.mktemp("saved")
    for name in ("sealed_bucket", "leaky_bucket"):
        done = ionflux("run", CONFIGS / f"{name}.yaml", folder=folder)
        assert done.returncode == 0, done.stderr
        assert name.split("_")[0] in done.stdout
    return folder


def test_run_says_verdict_on_stdout_and_nothing_on_stderr_in_a_pipe(tmp_path, saved):
    done = ionflux("run", LEAKY, "-o", "again.h5", folder=tmp_path)
    assert done.returncode == 0
    assert "steady_state" in done.stdout
    assert done.stderr == ""


def test_run_json_has_the_shape_of_the_contract(tmp_path, saved):
    done = ionflux("run", LEAKY, "--json", folder=tmp_path)
    document = json.loads(done.stdout)
    assert set(document) == {"units", "compiled", "elapsed", "runs"}
    (record,) = document["runs"]
    assert record["status"] == "ok"
    assert record["verdict"] == "steady_state"
    assert record["species_verdict"]["plasma"] == {"na": "steady_state", "k": "steady_state", "cl": "equilibrium"}
    assert -0.1 < record["potential"]["plasma"] < -0.05
    assert record["concentration"]["cell"]["k"] > 100.0
    assert record["conservation"]["charge"] < 1e-12
    assert record["atp_rate"] > 0.0
    assert Path(tmp_path / record["file"]).is_file()


def test_set_changes_a_value_and_the_word_as_physics_says(tmp_path):
    done = ionflux(
        "run", LEAKY, "--set", "membranes.plasma.mechanisms.pump.max_rate=0 umol/m^2/s", "--json", folder=tmp_path
    )
    assert json.loads(done.stdout)["runs"][0]["verdict"] == "equilibrium"


def test_existing_result_of_the_same_run_is_reported_complete(tmp_path):
    assert ionflux("run", LEAKY, folder=tmp_path).returncode == 0
    before = (tmp_path / "leaky_bucket.h5").read_bytes()
    again = ionflux("run", LEAKY, folder=tmp_path)
    assert again.returncode == 0
    assert "complete" in again.stderr
    assert (tmp_path / "leaky_bucket.h5").read_bytes() == before


def test_existing_result_of_another_run_is_not_touched(tmp_path):
    assert ionflux("run", LEAKY, folder=tmp_path).returncode == 0
    before = (tmp_path / "leaky_bucket.h5").read_bytes()
    other = ionflux("run", LEAKY, "--set", "run.duration=2 h", folder=tmp_path)
    assert other.returncode == 2
    assert "run.duration" in other.stderr
    assert (tmp_path / "leaky_bucket.h5").read_bytes() == before
    assert ionflux("run", LEAKY, "--set", "run.duration=2 h", "--overwrite", folder=tmp_path).returncode == 0


def test_data_file_repeats_its_own_run_bit_for_bit(saved):
    done = ionflux("run", "leaky_bucket.h5", "-o", "repeated.h5", folder=saved)
    assert done.returncode == 0, done.stderr
    first, second = read(saved / "leaky_bucket.h5"), read(saved / "repeated.h5")
    for name, field in first.fields().items():
        assert np.array_equal(field.values, second.fields()[name].values, equal_nan=True), name


def test_failed_run_is_kept_and_leaves_with_exit_code_3(tmp_path):
    done = ionflux("run", LEAKY, "--set", "run.max_steps=20", "-o", "short.h5", folder=tmp_path)
    assert done.returncode == 3
    assert "step" in done.stdout + done.stderr
    trajectory = read(tmp_path / "short.h5")
    assert trajectory.status == "max_steps"
    assert trajectory.time[-1] == trajectory.end_time


def test_compare_prints_a_table_and_draws_the_figure(saved):
    done = ionflux("compare", "sealed_bucket.h5", "leaky_bucket.h5", "-o", "both.png", folder=saved)
    assert done.returncode == 0, done.stderr
    assert "equilibrium" in done.stdout
    assert "steady_state" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert (saved / "both.png").read_bytes().startswith(b"\x89PNG")


def test_info_shows_nernst_reversal_and_stall_potentials(saved):
    done = ionflux("info", "leaky_bucket.h5", folder=saved)
    assert done.returncode == 0, done.stderr
    for word in ("Nernst", "steady_state", "plasma", "pump"):
        assert word in done.stdout


@pytest.mark.parametrize("kind", ["overview", "potentials", "concentrations", "fluxes", "currents", "energy"])
def test_every_kind_of_figure_is_drawn(saved, kind):
    done = ionflux("plot", "leaky_bucket.h5", "--kind", kind, "-o", f"{kind}.png", folder=saved)
    assert done.returncode == 0, done.stderr
    assert (saved / f"{kind}.png").stat().st_size > 10_000


def test_export_writes_a_table_with_units(saved):
    done = ionflux("export", "leaky_bucket.h5", "--to", "csv", folder=saved)
    assert done.returncode == 0, done.stderr
    header = (saved / "leaky_bucket.csv").read_text().splitlines()[0]
    assert "time [s]" in header
    assert "potential.plasma [V]" in header


@pytest.mark.parametrize(
    "arguments",
    [
        ("equations", KAY),
        ("kernel", KAY),
        ("mechanisms",),
        ("mechanisms", "leak_ghk"),
        ("mechanisms", "--full"),
        ("examples",),
        ("schema",),
        ("doctor",),
        (),
    ],
)
def test_verbs_that_show_what_is_inside_print_to_stdout(arguments, tmp_path):
    done = ionflux(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 100


def test_example_is_copied_and_runs(tmp_path):
    assert ionflux("examples", "sealed_bucket", folder=tmp_path).returncode == 0
    done = ionflux("validate", "sealed_bucket.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("example", ["seizure", "spreading_depression", "reference/BC2011-01"])
def test_an_example_is_copied_with_what_it_extends(tmp_path, example):
    assert ionflux("examples", example, folder=tmp_path).returncode == 0
    done = ionflux("validate", f"{example.rpartition('/')[2]}.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_version_is_that_of_the_package(tmp_path):
    assert ionflux("--version", folder=tmp_path).stdout == f"ionflux {simulator.__version__}\n"


def test_verify_exits_0_when_the_numbers_agree(tmp_path):
    done = ionflux("verify", "GHK-FLUX-01", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("runn", "x"), 2, ["runn"]),
        (("run", "missing.yaml"), 2, ["missing.yaml"]),
        (("run", LEAKY, "--set", "run.duration"), 2, ["KEY=VALUE"]),
        (("run", LEAKY, "--set", "run.durration=2 h"), 2, ["durration", "duration"]),
        (("plot", LEAKY), 5, ["leaky_bucket.yaml"]),
        (("info", "missing.h5"), 5, ["missing.h5"]),
        (("examples", "leeky_bucket"), 2, ["leeky_bucket", "did you mean `leaky_bucket`?"]),
        (("mechanisms", "leak_ghkk"), 2, ["leak_ghkk", "did you mean `leak_ghk`?"]),
        (("verify", "NOPE-01"), 2, ["NOPE-01", "the cases are"]),
        (("plot", "missing.h5", "--kind", "fluxs"), 2, ["fluxs", "did you mean `fluxes`?"]),
    ],
)
def test_refusals_have_the_right_code_and_say_what_is_wrong(arguments, code, words, tmp_path):
    done = ionflux(*arguments, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_errors_of_a_config_come_as_json_too(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: bad\nruns: {}\n")
    done = ionflux("validate", "bad.yaml", "--json", folder=tmp_path)
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert document["errors"]
    assert {"file", "line", "column", "key", "problem", "expected", "hint"} <= set(document["errors"][0])


def test_contradicting_potential_and_composition_is_refused_with_both_values(tmp_path):
    done = ionflux("validate", KAY, "--set", "membranes.plasma.potential=-40 mV", folder=tmp_path)
    assert done.returncode == 2
    assert "-40" in done.stderr
    assert "0 mV" in done.stderr


@pytest.mark.parametrize(
    ("raised", "code"),
    [(KeyboardInterrupt, 130), (Stopped(143, "terminated", "it goes on"), 143), (ZeroDivisionError, 1)],
)
def test_being_stopped_and_bugs_have_codes_of_their_own(monkeypatch, capsys, raised, code):
    def fail():
        raise raised

    monkeypatch.setattr("simulator.cli.doctor.facts", fail)
    with pytest.raises(SystemExit) as left:
        main(["doctor"])
    assert left.value.code == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert ("report" in said) == (code == 1)
