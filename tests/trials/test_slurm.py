"""A job array on a real SLURM: a controller and a node of our own on loopback, where the programs are installed."""

import os
import secrets
import shutil
import socket
import subprocess
import time

import pytest
from places import ROOT
from test_shards import assert_same_bits, ended, start, well_ended, write_sweep

PROGRAMS = ("sbatch", "squeue", "sinfo", "slurmctld", "slurmd", "munged")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in PROGRAMS) or os.geteuid() != 0,
        reason="needs SLURM, munge and root",
    ),
]

CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
SlurmUser=root
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory=2000
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(true, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Environment in which sbatch reaches a cluster of one node."""
    place = tmp_path_factory.mktemp("slurm")
    place.chmod(0o755)
    for name in ("state", "spool"):
        (place / name).mkdir()
    (place / "key").write_bytes(secrets.token_bytes(64))
    (place / "key").chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    ports = {"controller": free_port(), "node": free_port()}
    text = CONF.format(host=host, place=place, processors=len(os.sched_getaffinity(0)), **ports)
    (place / "slurm.conf").write_text(text)
    path = f"{os.environ['PATH']}:/usr/sbin"
    environment = os.environ | {"SLURM_CONF": str(place / "slurm.conf"), "PATH": path, "PYTHONPATH": str(ROOT)}
    munge = ["munged", "--foreground", "--force", f"--socket={place}/munge.socket", f"--key-file={place}/key"]
    munge += [f"--pid-file={place}/munge.pid", f"--seed-file={place}/munge.seed", f"--log-file={place}/munge.log"]
    daemons = []
    try:
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            with (place / f"{command[0]}.log").open("w") as log:
                daemons.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if command is munge:
                until((place / "munge.socket").exists)
        until(lambda: "idle" in said(environment, "sinfo", "-h", "-o", "%T"))
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(timeout=60)


def said(environment, *command: str, **options) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)
    return done.stdout + done.stderr


def test_the_printed_script_is_a_job_that_slurm_takes(slurm, tmp_path):
    write_sweep(tmp_path, 400)
    text = well_ended("submit", tmp_path / "sweep.yaml", "--slurm", "-n", 4, "--print", "--mem", "500M")
    answer = said(slurm, "sbatch", "--test-only", input=text)
    assert "to start at" in answer


def test_a_submitted_array_computes_the_sweep(slurm, tmp_path):
    write_sweep(tmp_path, 400)
    sweep, out = tmp_path / "sweep.yaml", tmp_path / "out"
    logs = f"--output={tmp_path}/%a.log"
    process = start("submit", sweep, "--slurm", "-n", 4, "-o", out, "--mem", "500M", "--sbatch", logs, env=slurm)
    answer, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Submitted batch job" in answer
    until(lambda: not said(slurm, "squeue", "-h").strip(), 200.0)
    well_ended("merge", out, "-o", tmp_path / "merged")
    well_ended("run", sweep, "-o", tmp_path / "whole")
    assert_same_bits(tmp_path / "whole", tmp_path / "merged")


def test_what_sbatch_refuses_is_shown(slurm, tmp_path):
    write_sweep(tmp_path, 400)
    code, _, err = ended("submit", tmp_path / "sweep.yaml", "-n", 4, "--sbatch", "--partition=none", env=slurm)
    assert code == 2
    assert "invalid partition" in err
