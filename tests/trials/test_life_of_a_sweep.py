"""Sweeps on disk: killed, interrupted, out of space, repeated, replaced; nothing that was finished is lost."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from places import CONFIGS, ROOT

import simulator
from simulator.storage.datafile import DataFileError
from simulator.storage.folder import Folder

CELL = CONFIGS / "benchmark_cell.yaml"
PUMP = "membranes.plasma.mechanisms.pump.max_rate"

SWEEP = """
name: swept
extends: benchmark_cell.yaml
run: {{save_every: {every} s}}
sweep:
  mode: random
  n: {runs}
  seed: 7
  over:
    membranes.plasma.mechanisms.k_leak.permeability: {{loguniform: [2.0e-9 m/s, 8.0e-9 m/s]}}
    membranes.plasma.mechanisms.pump.max_rate: {{uniform: [0.4 umol/m^2/s, 1.6 umol/m^2/s]}}
"""


@pytest.fixture
def sweep(tmp_path):
    """Writes a sweep and gives the arguments of the command that runs it into ``out``."""
    (tmp_path / "benchmark_cell.yaml").write_text(CELL.read_text())

    def write(runs: int, every: float = 1000.0) -> list[str]:
        (tmp_path / "sweep.yaml").write_text(SWEEP.format(runs=runs, every=every))
        return ["run", str(tmp_path / "sweep.yaml"), "-o", str(tmp_path / "out")]

    return write


def start(arguments, **options):
    command = [sys.executable, "-m", "simulator", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **streams, **options)


def ended(arguments, **options):
    process = start(arguments, **options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.h5"))


def wait_for_parts(process, folder: Path, count: int) -> None:
    while len(parts(folder)) < count and process.poll() is None:
        time.sleep(0.002)


def bits(folder: Path) -> dict[str, bytes]:
    """All numbers of every part as bytes."""
    found = {}
    for path in parts(folder):
        with h5py.File(path) as file:
            numbers = {n: d for n, d in file.items() if isinstance(d, h5py.Dataset) and d.dtype.kind in "fi"}
            found |= {f"{path.name}/{name}": dataset[()].tobytes() for name, dataset in numbers.items()}
    return found


def test_a_sweep_killed_again_and_again_ends_with_the_bits_of_an_undisturbed_one(sweep, tmp_path):
    arguments = sweep(20_000)
    code, out, err = ended([*arguments[:-1], str(tmp_path / "undisturbed"), "--json"])
    assert code == 0, err
    [record] = json.loads(out)["runs"]
    assert record["runs"] == 20_000
    assert record["status"] == {"ok": 20_000}
    assert record["verdict"] == {"steady_state": 20_000}
    chance = random.Random(1)
    for _ in range(4):
        process = start(arguments)
        wait_for_parts(process, tmp_path / "out", len(parts(tmp_path / "out")) + chance.randrange(2))
        time.sleep(chance.uniform(0.0, 0.05))
        process.kill()
        process.communicate()
        if (tmp_path / "out" / "manifest.json").exists():
            folder = Folder.existing(tmp_path / "out")
            for number in folder.finished():
                folder.part(number)  # opens and verifies
            if len(folder.finished()) < folder.parts:
                with pytest.raises(DataFileError, match="incomplete"):
                    simulator.read(tmp_path / "out")
    code, _, err = ended([*arguments, "--threads", "1"])
    assert code == 0, err
    assert bits(tmp_path / "out") == bits(tmp_path / "undisturbed")
    assert not list((tmp_path / "out").glob("*.tmp"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sweep_stops_when_told_and_says_how_to_go_on(sweep, tmp_path, number, code):
    arguments = sweep(100_000)
    process = start(arguments)
    wait_for_parts(process, tmp_path / "out", 1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "of 100,000 runs are stored" in err
    assert "run the same command to continue" in err
    assert "Traceback" not in err
    assert 1 <= len(parts(tmp_path / "out")) < 40  # of some fifty: it did not just run to its end
    assert not (tmp_path / "out" / ".ionflux-lock").exists()


def test_a_full_disk_keeps_what_is_finished_and_goes_on_after(sweep, tmp_path):
    arguments = sweep(4_000, every=500.0)
    code, _, err = ended([*arguments[:-1], str(tmp_path / "undisturbed")])
    assert code == 0, err

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (25_000_000, 25_000_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    code, _, err = ended(arguments, preexec_fn=small)
    assert code == 4
    assert "out/part-00000" in err
    assert "bytes needed" in err
    assert "free" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "out").glob("*.tmp"))
    for path in parts(tmp_path / "out"):
        simulator.read(path)
    code, _, err = ended(arguments)
    assert code == 0, err
    assert bits(tmp_path / "out") == bits(tmp_path / "undisturbed")


def test_what_is_there_is_kept_refused_or_replaced(sweep, tmp_path):
    arguments = sweep(50)
    assert ended(arguments)[0] == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    code, _, err = ended(arguments)
    assert code == 0
    assert "already complete" in err
    code, _, err = ended([*arguments, "--set", "sweep.seed=8"])
    assert code == 2
    assert "sweep.seed (7 -> 8)" in err
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert ended([*arguments, "--set", "sweep.seed=8", "--overwrite"])[0] == 0
    assert simulator.read(tmp_path / "out").scenario.sweep.seed == 8
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    code, _, err = ended([*arguments[:-1], str(tmp_path / "mine"), "--overwrite"])
    assert code == 2
    assert "notes.txt" in err
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    code, _, err = ended([*arguments[:-1], str(tmp_path / "link")])
    assert code == 2
    assert "symbolic link" in err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_two_cannot_write_into_one_directory_and_a_dead_lock_does_not_count(sweep, tmp_path):
    arguments = sweep(100_000)
    process = start(arguments)
    wait_for_parts(process, tmp_path / "out", 1)
    code, _, err = ended(arguments)
    assert code == 4
    assert f"process {process.pid}" in err
    process.kill()
    process.communicate()
    assert (tmp_path / "out" / ".ionflux-lock").exists()
    again = start(arguments)
    wait_for_parts(again, tmp_path / "out", len(parts(tmp_path / "out")) + 1)
    assert again.poll() is None or again.returncode == 0
    again.kill()
    again.communicate()


def test_a_law_changed_in_between_is_noticed(sweep, tmp_path):
    arguments = sweep(50)
    assert ended(arguments)[0] == 0
    manifest = tmp_path / "out" / "manifest.json"
    found = json.loads(manifest.read_text())
    folder = Folder.existing(tmp_path / "out")
    other = Folder(folder.path, folder.scenario, folder.resolved, folder.config_text, 50, folder.part_runs, "0" * 32)
    manifest.write_text(json.dumps(found | {"kernel_hash": "0" * 32, "run_hash": other.run_hash}))
    code, _, err = ended(arguments)
    assert code == 2
    assert "another version of the equations" in err
    with pytest.raises(DataFileError):
        simulator.read(tmp_path / "out")


def test_damage_is_seen_in_parts_as_in_files(sweep, tmp_path):
    arguments = sweep(500)
    assert ended(arguments)[0] == 0
    part = tmp_path / "out" / "part-000000.h5"
    whole = part.read_bytes()
    chance = np.random.default_rng(0)
    seen = 0
    for place in chance.integers(0, len(whole), 30).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        part.write_bytes(damaged)
        try:
            simulator.read(part)
        except DataFileError:
            seen += 1
        else:  # a byte that nothing depends on
            part.write_bytes(whole)
            same = simulator.read(part)
            part.write_bytes(damaged)
            assert np.array_equal(simulator.read(part).arrays["amount"], same.arrays["amount"], equal_nan=True)
    assert seen > 20
    os.unlink(part)
    with pytest.raises(DataFileError, match="incomplete"):
        simulator.read(tmp_path / "out")


def test_a_plan_says_runs_bytes_and_time_and_makes_nothing(sweep, tmp_path):
    code, out, _ = ended([*sweep(1000), "--dry-run", "--json"])
    assert code == 0
    [plan] = json.loads(out)["planned"]
    assert plan["runs"] == 1000
    assert plan["bytes"] > 1000 * 101 * 8 * 19
    assert plan["seconds"] > 0.0
    assert not (tmp_path / "out").exists()
    code, _, err = ended(sweep(1_000_000_000))
    assert code == 2
    assert "sweep.limit" in err
    assert not (tmp_path / "out").exists()


def test_a_failing_run_is_named_with_its_values_and_leaves_3(tmp_path):
    (tmp_path / "kay.yaml").write_text((CONFIGS / "published" / "kay_2017.yaml").read_text())
    (tmp_path / "poison.yaml").write_text(
        "name: poison\nextends: kay.yaml\nmembranes: {plasma: {water: fixed}}\nrun: {save: final}\n"
        "sweep:\n  mode: grid\n"
        "  over: {membranes.plasma.mechanisms.pump.rate: [5.0e-5 C/dm^2/s, 1.0e-2 C/dm^2/s, 6.0e-5 C/dm^2/s]}\n"
    )
    code, out, err = ended(["run", str(tmp_path / "poison.yaml"), "-o", str(tmp_path / "out"), "--json"])
    assert code == 3, err
    [record] = json.loads(out)["runs"]
    assert record["status"] == {"ok": 2, "negative_amount": 1}
    [failure] = record["failures"]
    assert (failure["run"], failure["culprit"]) == (1, "amount of Na in cell")
    assert failure["time"] > 0.0
    assert list(failure["values"]) == ["membranes.plasma.mechanisms.pump.rate"]
    for verb in (["info"], ["plot", "--kind", "failures", "-o", str(tmp_path / "f.png")], ["export", "--to", "csv"]):
        code, _, err = ended([verb[0], str(tmp_path / "out"), *verb[1:]])
        assert code == 0, err
