"""One sweep on the workers of dask.distributed: lost workers, runs that kill them, a client that is killed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from places import ROOT
from test_shards import assert_same_bits, ended, start, well_ended, write_sweep

import simulator
from simulator.errors import ModelError, UsageError
from simulator.storage.atomic import StorageError
from simulator.storage.cluster import Scheduler
from simulator.storage.cluster.crew import _pieces
from simulator.storage.datafile import DataFileError

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

RUNS = 4000

#: Loaded by a worker before it begins, maybe twice: a run that ends its process, as a fault in compiled code would.
DEADLY = """
import os
from simulator.runs.piece import Job


def deadly(computed):
    def piece(self, start, stop, *more):
        if start <= 1234 < stop:
            os._exit(1)
        return computed(self, start, stop, *more)

    return piece


Job.piece = deadly(Job.piece)
"""

#: The same, with a fault in Python.
FAULTY = """
from simulator.runs.piece import Job


def piece(self, start, stop, *more):
    return piece(self, start, stop, *more)


Job.piece = piece
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a sweep, run whole in ``whole``."""
    place = tmp_path_factory.mktemp("cluster")
    write_sweep(place, RUNS)
    well_ended("run", place / "sweep.yaml", "-o", place / "whole")
    return place


def worker(address: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    return subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL, cwd=ROOT, **options)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def a_scheduler():
    """Address and process of a scheduler with two workers, processes of their own."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    silent = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    processes = [subprocess.Popen([*command, "--no-dashboard"], **silent), worker(address), worker(address)]
    try:
        with_retries(lambda: socket.create_connection(("127.0.0.1", port)).close())
        yield address, processes[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def scheduler():
    with a_scheduler() as (address, _):
        yield address


def with_retries(act) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            act()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def test_workers_compute_the_bits_of_one_machine(place, scheduler, tmp_path):
    well_ended("run", place / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", scheduler)
    assert_same_bits(place / "whole", tmp_path / "out")
    code, _, err = ended("run", place / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", scheduler)
    assert code == 0
    assert "already complete" in err


def test_own_worker_processes_compute_the_bits_of_one_machine(place, tmp_path):
    well_ended("run", place / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", "local:2")
    assert len(list((tmp_path / "out").glob("part-*.h5"))) == 2
    assert_same_bits(place / "whole", tmp_path / "out")


def test_a_killed_client_goes_on_where_it_stopped(place, scheduler, tmp_path):
    write_sweep(tmp_path, 200_000)
    arguments = ("run", tmp_path / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", scheduler)
    process = start(*arguments)
    while not list((tmp_path / "out").glob("part-*.h5")) and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*.h5")}
    assert first
    well_ended(*arguments)
    well_ended("run", tmp_path / "sweep.yaml", "-o", tmp_path / "whole")
    assert_same_bits(tmp_path / "whole", tmp_path / "out")
    assert not list((tmp_path / "out").glob(".ionflux-*"))


def test_a_scheduler_that_vanishes_leaves_what_was_finished(tmp_path):
    write_sweep(tmp_path, 2_000_000)
    with a_scheduler() as (address, scheduling):
        process = start("run", tmp_path / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", address)
        while not list((tmp_path / "out").glob("part-*.h5")) and process.poll() is None:
            time.sleep(0.002)
        scheduling.kill()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "the scheduler is gone" in err
    assert "Traceback" not in err


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "dask_worker" in line]


def test_workers_killed_three_times_cost_no_run(tmp_path):
    write_sweep(tmp_path, 300_000)
    process = start("run", tmp_path / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", "local:2")
    for parts in (1, 2, 3):
        while len(list((tmp_path / "out").glob("part-*.h5"))) < parts and process.poll() is None:
            time.sleep(0.002)
        with_retries(lambda: os.kill((children_of(process.pid) or [0])[0] or impossible(), signal.SIGKILL))
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    well_ended("run", tmp_path / "sweep.yaml", "-o", tmp_path / "whole")
    assert_same_bits(tmp_path / "whole", tmp_path / "out")


def impossible() -> int:
    raise OSError("there is no worker yet")


def test_a_run_that_ends_every_worker_is_given_up_and_named(place, tmp_path):
    (tmp_path / "deadly.py").write_text(DEADLY)
    preloaded = {"DASK_DISTRIBUTED__WORKER__PRELOAD": f'["{tmp_path / "deadly.py"}"]'}
    out = tmp_path / "out"
    arguments = ("run", place / "sweep.yaml", "-o", out, "--scheduler", "local:2")
    code, text, err = ended(*arguments, env=os.environ | preloaded)
    assert code == 3, err
    assert "failed run 1234" in text
    assert "cancelled" in text
    found, whole = simulator.read(out), simulator.read(place / "whole")
    assert np.flatnonzero(found.status != "ok").tolist() == [1234]
    others = np.arange(RUNS) != 1234
    for name, values in whole.arrays.items():
        assert found.arrays[name][others].tobytes() == values[others].tobytes(), name
    assert np.all(np.isnan(found.arrays["potential"][1234]))


def test_an_error_on_a_worker_ends_the_command(place, tmp_path):
    (tmp_path / "faulty.py").write_text(FAULTY)
    preloaded = {"DASK_DISTRIBUTED__WORKER__PRELOAD": f'["{tmp_path / "faulty.py"}"]'}
    arguments = ("run", place / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", "local:1")
    code, _, err = ended(*arguments, env=os.environ | preloaded)
    assert code == 1
    assert "RecursionError" in err


def test_ctrl_c_ends_a_cluster_of_our_own_at_once(tmp_path):
    write_sweep(tmp_path, 2_000_000)
    process = start(
        "run", tmp_path / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", "local:2", start_new_session=True
    )
    while not list((tmp_path / "out").glob("part-*.h5")) and process.poll() is None:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "run the same command to continue" in err
    assert "Traceback" not in err


def test_a_worker_that_could_compute_other_numbers_is_refused(place, tmp_path):
    (tmp_path / "other.py").write_text(
        "import simulator.trajectory.provenance as where\nwhere.surroundings().update(numpy_version='1.0.0')\n"
    )
    preloaded = {"DASK_DISTRIBUTED__WORKER__PRELOAD": f'["{tmp_path / "other.py"}"]'}
    arguments = ("run", place / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", "local:1")
    code, _, err = ended(*arguments, env=os.environ | preloaded)
    assert code == 2
    assert re.search(r"worker tcp://127.0.0.1:\d+ cannot take part: it has numpy version 1.0.0 instead of", err)


def test_a_scheduler_that_is_not_there_is_named(place, tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    code, _, err = ended("run", place / "sweep.yaml", "-o", tmp_path / "out", "--scheduler", address)
    assert code == 2
    assert f"no scheduler answers at {address}" in err


def test_a_server_that_is_no_scheduler_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("simulator.storage.cluster.scheduler.ANSWER", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        scheduler = Scheduler.of(address, None, None, None)
        with pytest.raises(UsageError, match=f"no scheduler answers at {address}"), scheduler.workers():
            pytest.fail("there are no workers")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense", "is no scheduler"),
        ("local:0", "no process"),
        ("tls://h:1", "certificates"),
        ("local:x", "no scheduler"),
    ],
)
def test_a_scheduler_that_is_none_is_refused(text, problem):
    with pytest.raises(UsageError, match=problem):
        Scheduler.of(text, None, None, None)


def test_without_dask_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr("simulator.storage.cluster.scheduler.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'ionflux\[cluster\]'"):
        Scheduler.of("local:2", None, None, None)


def test_a_suspected_span_is_cut_around_the_guilty():
    pieces = _pieces(100, 260, [117, 130])
    runs = [run for a, b in pieces for run in range(a, b)]
    assert runs == [run for run in range(100, 260) if run not in (117, 130)]
    assert _pieces(5, 6, [5]) == []


@pytest.mark.parametrize(
    "error",
    [
        UsageError("wrong", "do this"),
        ModelError("a.b", "wrong", "right"),
        StorageError(ROOT, "full", "free some"),
        DataFileError(ROOT, "is damaged", "potential"),
    ],
)
def test_errors_pass_between_processes(error):
    import pickle

    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.records() == error.records()
