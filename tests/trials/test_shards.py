"""One sweep on many machines: shards, what is there of them, and their merging into what one machine computes."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from places import CONFIGS, ROOT

import simulator
from simulator.errors import UsageError
from simulator.storage.folder import Folder
from simulator.storage.inventory import in_ranges
from simulator.storage.lock import SHARED, locked, shared
from simulator.storage.sweeping import Shard, planned

RUNS = 1200

SWEEP = """
name: shared out
extends: benchmark_cell.yaml
run: {{save: final}}
sweep:
  mode: random
  n: {runs}
  seed: 5
  over:
    membranes.plasma.mechanisms.k_leak.permeability: {{loguniform: [2.0e-9 m/s, 8.0e-9 m/s]}}
    membranes.plasma.mechanisms.pump.max_rate: {{uniform: [0.4 umol/m^2/s, 1.6 umol/m^2/s]}}
"""


def write_sweep(folder: Path, runs: int) -> None:
    shutil.copy(CONFIGS / "benchmark_cell.yaml", folder)
    (folder / "sweep.yaml").write_text(SWEEP.format(runs=runs))


def start(*arguments, **options):
    command = [sys.executable, "-m", "simulator", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **streams, **options)


def ended(*arguments, **options):
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def well_ended(*arguments) -> str:
    code, out, err = ended(*arguments)
    assert code == 0, err
    return out


def assert_same_bits(one: Path, other: Path) -> None:
    a, b = simulator.read(one), simulator.read(other)
    assert a.runs == b.runs
    assert set(a.arrays) == set(b.arrays)
    for name in a.arrays:
        assert a.arrays[name].tobytes() == b.arrays[name].tobytes(), name
    for key, values in a.coordinates.items():
        assert values.tobytes() == b.coordinates[key].tobytes(), key


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a sweep, run whole in ``whole`` and in four shards with directories of their own."""
    place = tmp_path_factory.mktemp("shards")
    write_sweep(place, RUNS)
    well_ended("run", place / "sweep.yaml", "-o", place / "whole")
    for number in (3, 1, 4, 2):
        well_ended("run", place / "sweep.yaml", "-o", place / f"shard{number}", "--shard", f"{number}/4")
    return place


@pytest.fixture
def shards(place):
    return [place / f"shard{number}" for number in (1, 2, 3, 4)]


def test_shards_share_all_parts_and_none_twice():
    scenario = simulator.load_scenario(CONFIGS / "sweeps" / "million_cells.yaml")
    for of in (1, 3, 31, 100, 1000):
        folder = planned(scenario, Path("nowhere"), least_parts=of)
        parts = [number for i in range(1, of + 1) for number in Shard(i, of).parts(folder)]
        assert parts == list(range(folder.parts))
        assert folder.parts >= of
        assert all(len(Shard(i, of).parts(folder)) for i in range(1, of + 1))


def test_merged_shards_are_what_one_machine_computes(place, shards, tmp_path):
    well_ended("merge", shards[2], shards[0], shards[3], shards[1], "-o", tmp_path / "merged")
    assert_same_bits(place / "whole", tmp_path / "merged")
    assert names_in(tmp_path / "merged") == names_in(place / "whole")
    _, _, err = ended("run", place / "sweep.yaml", "-o", tmp_path / "merged")
    assert "already complete" in err


@pytest.mark.parametrize("name", ["one.h5", "three"])
def test_shards_are_gathered_in_one_file_or_in_so_many_parts(place, shards, tmp_path, name):
    more = ["--parts", 3] if name == "three" else []
    for _ in range(2):  # again, and nothing happens
        well_ended("merge", *shards, "-o", tmp_path / name, *more)
    if name == "three":
        assert len(list((tmp_path / name).glob("part-*.h5"))) == 3
        assert_same_bits(place / "whole", tmp_path / name)
        assert "already complete" in ended("run", place / "sweep.yaml", "-o", tmp_path / name)[2]
    else:
        whole = simulator.read(place / "whole")
        one = simulator.read(tmp_path / name)
        assert one.runs == RUNS
        assert one.arrays["amount"].tobytes() == whole.arrays["amount"].tobytes()


@pytest.fixture
def design(tmp_path):
    """A sweep over numbers of a CSV file, run whole in ``whole`` and in two shards; returns these."""
    shutil.copy(CONFIGS / "benchmark_cell.yaml", tmp_path)
    leaks = np.random.default_rng(3).uniform(2e-9, 8e-9, 400)
    lines = ["membranes.plasma.mechanisms.k_leak.permeability [m/s]", *map(repr, leaks.tolist())]
    (tmp_path / "design.csv").write_text("\n".join(lines) + "\n")
    text = SWEEP.format(runs=400).partition("sweep:")[0] + "sweep: {mode: table, file: design.csv}\n"
    (tmp_path / "sweep.yaml").write_text(text)
    well_ended("run", tmp_path / "sweep.yaml", "-o", tmp_path / "whole")
    for number in ("1/2", "2/2"):
        well_ended("run", tmp_path / "sweep.yaml", "-o", tmp_path / f"shard{number[0]}", "--shard", number)
    return tmp_path / "shard1", tmp_path / "shard2"


def test_a_design_from_a_file_is_merged_with_its_numbers(design, tmp_path):
    [column] = design[0].glob("column-*.npy")
    column.unlink()  # one directory that has it is enough
    well_ended("merge", *design, "-o", tmp_path / "merged", "--parts", 4)
    (tmp_path / "design.csv").unlink()
    (tmp_path / "merged" / "part-000002.h5").unlink()
    well_ended("run", tmp_path / "merged")  # which needs the numbers, and has them
    assert_same_bits(tmp_path / "whole", tmp_path / "merged")


def test_a_damaged_design_is_named_and_mended_by_who_has_the_numbers(design, tmp_path):
    [column] = design[0].glob("column-*.npy")
    whole = column.read_bytes()
    for damaged in (b"", whole[:-8] + bytes(8)):
        column.write_bytes(damaged)
        code, _, err = ended("merge", *design, "-o", tmp_path / "merged")
        assert code == 5
        assert column.name in err
        assert not (tmp_path / "merged").exists()
    well_ended("run", tmp_path / "sweep.yaml", "-o", design[0], "--shard", "1/2")
    assert column.read_bytes() == whole


def test_a_part_that_is_damaged_in_the_target_of_a_merge_is_written_again(shards, tmp_path):
    merged = tmp_path / "merged"
    well_ended("merge", *shards, "-o", merged, "--parts", 3)
    part = merged / "part-000001.h5"
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2] + b"?" + whole[len(whole) // 2 + 1 :])
    well_ended("merge", *shards, "-o", merged, "--parts", 3)
    well_ended("merge", merged)


def test_a_manifest_with_another_number_of_runs_is_refused(shards, tmp_path):
    shutil.copytree(shards[0], tmp_path / "fewer")
    manifest = tmp_path / "fewer" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace(f'"runs": {RUNS}', f'"runs": {RUNS - 1}'))
    code, _, err = ended("merge", tmp_path / "fewer", *shards[1:])
    assert code == 5
    assert f"there are {RUNS} runs" in err
    manifest.write_text(text.replace('"part_runs": ', '"part_runs": 0.5'))
    assert ended("status", tmp_path / "fewer")[0] == 5


@pytest.mark.parametrize(("name", "code"), [("x.h5", 2), ("nowhere/x", 4), ("sweep.yaml", 2), ("whole", 2)])
def test_a_job_array_is_not_made_for_an_output_that_its_tasks_would_refuse(place, name, code):
    other = ("--set", "sweep.seed=6")
    found, out, _ = ended("submit", place / "sweep.yaml", "-n", 2, "--print", "-o", place / name, *other)
    assert (found, out) == (code, "")


def test_shards_in_one_directory_at_the_same_time(place, tmp_path):
    together = [start("run", place / "sweep.yaml", "-o", tmp_path / "out", "--shard", f"{i}/4") for i in (2, 1, 4, 3)]
    for process in together:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert_same_bits(place / "whole", tmp_path / "out")
    assert not list((tmp_path / "out").glob(".ionflux-*"))
    assert "already complete" in ended("run", place / "sweep.yaml", "-o", tmp_path / "out")[2]


def test_a_shard_repeated_does_nothing_and_counts_its_own_runs(place, shards):
    before = (shards[1] / "part-000001.h5").stat().st_mtime_ns
    code, out, err = ended("run", place / "sweep.yaml", "-o", shards[1], "--shard", "2/4", "--json")
    assert code == 0
    assert "already complete" in err
    [record] = json.loads(out)["runs"]
    assert record["runs"] == RUNS // 4
    assert record["status"] == {"ok": RUNS // 4}
    assert (shards[1] / "part-000001.h5").stat().st_mtime_ns == before


def test_status_tells_what_is_there(place, shards, tmp_path):
    found = json.loads(well_ended("status", shards[1], "--json"))
    assert found["runs"] == {"total": 1200, "done": 300, "failed": 0, "missing": 900}
    assert found["parts"] == {"total": 4, "done": 1, "missing": [0, 2, 3]}
    assert found["verdict"] == {"steady_state": 300}
    text = well_ended("status", shards[1])
    assert "runs 0-299, 600-1199 (parts 0, 2-3)" in " ".join(text.split())
    together = json.loads(well_ended("status", *shards, "--json"))
    assert together["runs"]["done"] == 1200
    assert together["parts"]["missing"] == []
    code, _, err = ended("status", tmp_path)
    assert code == 5
    assert "without a batch" in err


def test_a_missing_shard_is_named_by_its_runs(shards, tmp_path):
    code, _, err = ended("merge", shards[0], shards[1], shards[3], "-o", tmp_path / "merged")
    assert code == 5
    assert "runs 600-899 (part 2) are missing" in err
    assert not (tmp_path / "merged").exists()


def test_a_part_twice_is_fine_if_it_is_the_same(place, shards, tmp_path):
    well_ended("run", place / "sweep.yaml", "-o", tmp_path / "again", "--shard", "2/4")
    well_ended("merge", *shards, tmp_path / "again", "-o", tmp_path / "merged")
    assert_same_bits(place / "whole", tmp_path / "merged")


def test_a_part_twice_with_other_numbers_is_refused(place, shards, tmp_path):
    shutil.copytree(shards[1], tmp_path / "other")
    folder = Folder.existing(tmp_path / "other")
    part = folder.part(1)
    part.arrays["end_time"][17] += 1.0
    folder.store_part(1, *folder.packed_part(1, part))
    code, _, err = ended("merge", *shards, tmp_path / "other")
    assert code == 5
    assert "runs 300-599 (part 1)" in err
    assert "other numbers" in err


def test_damaged_and_foreign_parts_are_named(place, shards, tmp_path):
    shutil.copytree(shards[1], tmp_path / "damaged")
    part = tmp_path / "damaged" / "part-000001.h5"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 0x10
    part.write_bytes(data)
    code, _, err = ended("merge", shards[0], tmp_path / "damaged", *shards[2:])
    assert code == 5
    assert "runs 300-599 (part 1)" in err
    shutil.copy(shards[2] / "part-000002.h5", part)
    code, _, err = ended("merge", shards[0], tmp_path / "damaged", *shards[2:])
    assert code == 5
    assert "not a part of this batch" in err
    well_ended("run", place / "sweep.yaml", "--set", "sweep.seed=6", "-o", tmp_path / "foreign", "--shard", "2/4")
    code, _, err = ended("merge", shards[0], tmp_path / "foreign", *shards[2:])
    assert code == 5
    assert "sweep.seed (5 -> 6)" in err


def test_a_merge_killed_goes_on(place, shards, tmp_path):
    chance = random.Random(1)
    for _ in range(3):
        process = start("merge", *shards, "-o", tmp_path / "merged", "--parts", 60)
        deadline = time.monotonic() + 60
        count = len(list((tmp_path / "merged").glob("part-*.h5"))) + chance.randint(1, 10)
        while len(list((tmp_path / "merged").glob("part-*.h5"))) < count and time.monotonic() < deadline:
            time.sleep(0.001)
        process.kill()
        process.communicate()
    assert 0 < len(list((tmp_path / "merged").glob("part-*.h5"))) < 60
    well_ended("merge", *shards, "-o", tmp_path / "merged", "--parts", 60)
    assert_same_bits(place / "whole", tmp_path / "merged")
    assert not list((tmp_path / "merged").glob(".ionflux-*"))


def test_a_shard_with_a_failing_run_leaves_3_and_another_does_not(tmp_path):
    shutil.copy(CONFIGS / "published" / "kay_2017.yaml", tmp_path / "kay.yaml")
    (tmp_path / "poison.yaml").write_text(
        "name: poison\nextends: kay.yaml\nmembranes: {plasma: {water: fixed}}\nrun: {save: final}\n"
        "sweep:\n  mode: grid\n"
        "  over: {membranes.plasma.mechanisms.pump.rate: [5.0e-5 C/dm^2/s, 1.0e-2 C/dm^2/s, 6.0e-5 C/dm^2/s]}\n"
    )
    codes = [ended("run", tmp_path / "poison.yaml", "-o", tmp_path / "out", "--shard", f"{i}/3")[0] for i in (1, 2, 3)]
    assert codes == [0, 3, 0]
    found = json.loads(well_ended("status", tmp_path / "out", "--json"))
    assert found["runs"] == {"total": 3, "done": 3, "failed": 1, "missing": 0}


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1/0", "half", "1/4/2", "-1/4"])
def test_a_shard_that_is_none_is_refused(place, tmp_path, shard):
    code, _, err = ended("run", place / "sweep.yaml", "-o", tmp_path / "out", f"--shard={shard}")
    assert code == 2
    assert "shard" in err
    assert not (tmp_path / "out").exists()


def test_more_shards_than_runs_leave_some_without_work(tmp_path):
    write_sweep(tmp_path, 3)
    outcomes = [ended("run", tmp_path / "sweep.yaml", "-o", tmp_path / "o", "--shard", f"{i}/5") for i in range(1, 6)]
    assert [code for code, _, _ in outcomes] == [0] * 5
    assert sum("nothing to do" in err for _, _, err in outcomes) == 2
    well_ended("merge", tmp_path / "o")


def test_a_directory_is_shared_by_shards_or_held_alone(tmp_path):
    with shared(tmp_path), shared(tmp_path):
        assert len(list(tmp_path.glob(f"{SHARED}*"))) == 2
        with pytest.raises(simulator.storage.atomic.StorageError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
    with locked(tmp_path), pytest.raises(simulator.storage.atomic.StorageError), shared(tmp_path):
        pass
    process = subprocess.Popen(["sleep", "0"])
    process.wait()
    (tmp_path / f"{SHARED}dead").write_text(json.dumps({"host": os.uname().nodename, "pid": process.pid}))
    with locked(tmp_path):
        assert not list(tmp_path.glob(f"{SHARED}*"))


def test_a_shard_stops_when_told_and_goes_on(tmp_path):
    write_sweep(tmp_path, 2_000_000)
    arguments = ("run", tmp_path / "sweep.yaml", "-o", tmp_path / "out", "--shard", "1/2")
    process = start(*arguments)
    while not list((tmp_path / "out").glob("part-*.h5")) and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert re.search(r"of 1,000,\d\d\d runs are stored", err)
    assert not list((tmp_path / "out").glob(f"{SHARED}*"))


def test_ranges_are_written_short():
    assert in_ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert in_ranges([]) == ""


def test_too_much_for_one_file_is_refused(shards, tmp_path, monkeypatch):
    from simulator.storage import merging

    monkeypatch.setattr(merging, "SHARE", 1e-6)
    inventory = merging.checked(shards)
    with pytest.raises(UsageError, match=r"too many for one file.*--parts at least"):
        merging.gather(inventory, tmp_path / "one.h5")


def test_a_job_array_computes_all_shards(place, tmp_path):
    text = well_ended(
        "submit", place / "sweep.yaml", "--slurm", "-n", 3, "--print", "-o", tmp_path / "my out",
        "--sbatch", "--partition=long", "--set", "sweep.seed=9", "--time", "7:00",
    )  # fmt: skip
    script = tmp_path / "job.sh"
    script.write_text(text)
    directives = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert {"#SBATCH --array=1-3", "#SBATCH --partition=long", "#SBATCH --time=7:00"} <= set(directives)
    for task in "213":
        done = subprocess.run(
            ["bash", script], cwd=tmp_path, env=os.environ | {"SLURM_ARRAY_TASK_ID": task, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert simulator.read(tmp_path / "my out").scenario.sweep.seed == 9
    assert np.all(simulator.read(tmp_path / "my out").status == "ok")


def test_without_sbatch_the_way_out_is_named(place):
    code, _, err = ended("submit", place / "sweep.yaml", "--slurm", "-n", 3, env=os.environ | {"PATH": "/nowhere"})
    assert code == 2
    assert "--print" in err
