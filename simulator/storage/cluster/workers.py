"""The workers of a scheduler: those that others start, and processes of our own."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import UsageError

__all__ = ["RETRIES", "OwnWorkers", "Workers", "local_workers"]

#: Deaths of workers after which a part is searched for the run that causes them; the scheduler's own limit elsewhere.
RETRIES = 2

LOOPBACK = "127.0.0.1"


@dataclass
class Workers:
    """The workers of a scheduler that is not ours.

    Parameters
    ----------
    client : distributed.Client
        The connection to the scheduler.
    address : str
        Its address.
    """

    client: Any
    address: str
    missed: bool = False

    def wait(self, announce: Callable[[str], None]) -> None:
        """Return once there is a worker, however long that takes."""
        while not self.tended(announce):
            time.sleep(0.1)

    def tended(self, announce: Callable[[str], None]) -> bool:
        """Whether there is a worker; when the last is lost, say so once."""
        there = bool(self.client.nthreads())
        if not there and not self.missed:
            announce(f"waiting for workers; start them with: dask worker {self.address} --nthreads 1")
        self.missed = not there
        return there


@dataclass
class OwnWorkers(Workers):
    """Worker processes that we start, and start again when they die.

    The nannies of dask.distributed do not, if a worker dies before its nanny has noticed that it lives.
    """

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    joined: bool = False

    def start(self) -> subprocess.Popen[bytes]:
        """Start a worker of one thread, out of reach of the terminal's Ctrl-C; it ends when the scheduler does."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0", "--host", LOOPBACK]
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, *options]
        silent = subprocess.DEVNULL
        return subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent, start_new_session=True)

    def tended(self, announce: Callable[[str], None]) -> bool:
        """Replace the dead; whether there is a worker."""
        dead = [process for process in self.processes if process.poll() is not None]
        self.joined = self.joined or bool(self.client.nthreads())
        if dead and not self.joined:
            command = " ".join(map(str, list(dead[0].args)[:3]))  # type: ignore[arg-type]
            raise UsageError(f"worker processes do not start here (exit code {dead[0].returncode})", f"try: {command}")
        self.processes = [self.start() if process in dead else process for process in self.processes]
        return self.joined

    def end(self) -> None:
        """End the processes at once: they hold nothing that is not on the disk."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@contextmanager
def local_workers(processes: int) -> Iterator[Workers]:
    """Workers of a scheduler in this process, on the loopback interface."""
    import dask
    from distributed import Client, LocalCluster

    settings = {"distributed.scheduler.allowed-failures": RETRIES, "distributed.scheduler.worker-saturation": 1.0}
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=0, host=LOOPBACK, dashboard_address=f"{LOOPBACK}:0", silence_logs=logging.CRITICAL
        )
    with cluster, Client(cluster, set_as_default=False) as client:
        workers = OwnWorkers(client, cluster.scheduler_address)
        try:
            for _ in range(processes):
                workers.processes.append(workers.start())
            yield workers
        finally:
            workers.end()
