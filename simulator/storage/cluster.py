"""Compute the parts of a sweep on the workers of dask.distributed; the only module that imports it.

A worker gets the number of a part and an order of some hundred bytes. It reads the scenario from the manifest on the
shared disk, computes the part, writes its file, and returns a row. A worker whose numbers could differ is refused.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from simulator.errors import UsageError, one_line
from simulator.kernel import load_program
from simulator.kernel.cache import numbers_hash
from simulator.kernel.laws import add_laws
from simulator.mechanisms.outside import digest_of, known
from simulator.model.structure import structure_of
from simulator.runs.design import design_of
from simulator.runs.piece import Job
from simulator.storage.atomic import StorageError
from simulator.storage.folder import Folder
from simulator.storage.parts import PartRow, stored_parts
from simulator.storage.sweeping import Elsewhere
from simulator.trajectory.provenance import outside_laws, surroundings

__all__ = ["Crew", "Order", "Scheduler"]

#: Deaths of workers after which a part is searched for the run that causes them; the scheduler's own limit elsewhere.
RETRIES = 2

#: Pieces in which a part is searched: many, because every death costs the start of a process.
PIECES = 16

#: Rounds of search after which a part is given up.
ROUNDS = 2

#: Time [s] to wait for a scheduler to answer, and between two looks after the workers.
ANSWER, TENDED = 10.0, 0.2

#: Frames of a worker's traceback that are passed on.
FRAMES = 20

LOOPBACK = "127.0.0.1"

#: What may differ between machines without changing a number.
MAY_DIFFER = ("git_commit",)


@dataclass(frozen=True)
class Scheduler:
    """Who hands out the parts.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT`` or ``tls://HOST:PORT``; empty if it is to be started here.
    processes : int
        Number of worker processes to start here; 0 if there is an address.
    tls : tuple of (Path or None)
        Files of the certificate authority, of the certificate and of its key.
    """

    address: str
    processes: int = 0
    tls: tuple[Path | None, Path | None, Path | None] = (None, None, None)

    @classmethod
    def of(cls, text: str, *tls: Path | None) -> Scheduler:
        """Read the option ``--scheduler``.

        Raises
        ------
        UsageError
            If it is malformed, does not fit the certificates, or dask.distributed is not installed.
        """
        ca, cert, key = tls
        local = re.fullmatch(r"local:(\d{1,4})", text)
        if local is None and not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d{1,5}", text):
            raise UsageError(f"--scheduler {text!r} is no scheduler", "for example tcp://HOST:8786, or local:4")
        if local is not None and int(local[1]) < 1:
            raise UsageError("--scheduler local:0 has no process", "for example local:4")
        if text.startswith("tls://") and None in tls:
            raise UsageError(f"{text} needs certificates", "give --tls-ca, --tls-cert and --tls-key")
        if not text.startswith("tls://") and any(tls):
            raise UsageError("--tls-ca, --tls-cert and --tls-key need --scheduler tls://HOST:PORT")
        for file in tls:
            if file is not None and not file.is_file():
                raise UsageError(f"there is no file {file}", "it was named as a certificate")
        if find_spec("distributed") is None:
            hint = "install it with: pip install 'ionflux[cluster]'; --shard needs nothing more"
            raise UsageError("--scheduler needs dask.distributed, which is not installed", hint)
        return cls("" if local else text, int(local[1]) if local else 0, (ca, cert, key))

    def parts(self, announce: Callable[[str], None]) -> Elsewhere:
        """What computes parts of a sweep on this scheduler's workers; `announce` is called before a wait."""

        def rows(folder: Folder, numbers: Sequence[int]) -> Generator[PartRow, None, None]:
            from distributed.client import ClosedClientError
            from distributed.comm.core import CommClosedError

            order = Order.of(folder)
            load_program(structure_of(folder.scenario), announce)  # compiled once here, where workers share the cache
            try:
                with self.workers() as workers:
                    workers.wait(announce)
                    yield from Crew.of(workers, order, folder, announce).rows(numbers)
            except (ClosedClientError, CommClosedError):
                raise _gone(folder) from None

        return rows

    @contextmanager
    def workers(self) -> Iterator[Workers]:
        """The workers of the scheduler."""
        import distributed

        for name in logging.root.manager.loggerDict:  # what happens to workers is told in our words
            if name.partition(".")[0] in (distributed.__name__, "tornado", "asyncio"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        if self.processes:
            with _local(self.processes) as workers:
                yield workers
        else:
            with self._remote() as client:
                yield Workers(client, self.address)

    def _remote(self) -> Any:
        from distributed import Client, Security

        ca, cert, key = (None if file is None else str(file) for file in self.tls)
        security = Security(tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of versions that differ: we look ourselves, at those that matter
                return Client(self.address, timeout=ANSWER, security=security if ca else None, set_as_default=False)
        except (OSError, ValueError) as error:
            hint = "start one with: dask scheduler --host HOST; then: dask worker tcp://HOST:8786 --nthreads 1"
            raise UsageError(f"no scheduler answers at {self.address} ({error})", hint) from None


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
def _local(processes: int) -> Iterator[Workers]:
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


@dataclass(frozen=True)
class Order:
    """What a worker must know to compute parts of a sweep.

    Parameters
    ----------
    path : str
        Directory of the parts, with the manifest in it.
    run_hash : str
        Hash of the batch that must be there.
    part_runs : int
        Number of runs in each of its parts.
    surroundings : tuple of (str, str)
        Versions of the libraries, and the platform, which must be the same.
    laws : tuple of (str, str, str)
        Name, file and digest of each law from outside the package.
    """

    path: str
    run_hash: str
    part_runs: int
    surroundings: tuple[tuple[str, str], ...]
    laws: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, folder: Folder) -> Order:
        """The order for a directory whose manifest has been written."""
        laws = ((name, str(origin.path), origin.digest) for name, origin in outside_laws(structure_of(folder.scenario)))
        return cls(str(folder.path.resolve()), folder.run_hash, folder.part_runs, _surroundings(), tuple(laws))


# -- on a worker ----------------------------------------------------------------------------------

_LOADING = threading.RLock()


def make_part(order: Order, number: int, given_up: Sequence[int] = ()) -> PartRow | Exception:
    """Compute one part and write its file; return a row on it, or what went wrong."""
    try:
        folder, job = workplace(order), _job(order)
        [row] = stored_parts(folder, job, [number], threads=1, given_up={number: given_up})
        return row
    except Exception as error:
        return _told(error)


def try_runs(order: Order, start: int, stop: int) -> Exception | None:
    """Compute some runs and forget them: the question is whether the process survives it."""
    try:
        _job(order).piece(start, stop)
    except Exception as error:
        return _told(error)
    return None


def _told(error: Exception) -> Exception:
    """An error with the end of its traceback as text: whole tracebacks may be too long for the way to the client."""
    error.add_note("".join(traceback.format_tb(error.__traceback__, limit=-FRAMES)))
    return error.with_traceback(None)


def workplace(order: Order) -> Folder:
    """The directory of the parts as this process sees it.

    Raises
    ------
    UsageError
        If it does not see it, or could compute other numbers.
    """
    with _LOADING:
        return _workplace(order)


@lru_cache(maxsize=1)
def _workplace(order: Order) -> Folder:
    here = dict(_surroundings())
    unlike = [
        f"{name.replace('_', ' ')} {here.get(name)} instead of {wanted}"
        for name, wanted in order.surroundings
        if here.get(name) != wanted
    ]
    if unlike:
        raise UsageError(f"it has {', '.join(unlike)}", "install the same versions everywhere")
    for name, file, digest in order.laws:
        if digest_of(name) != digest and Path(file).is_file():
            add_laws(file)
        if not known(name) or digest_of(name) != digest:
            raise UsageError(f"it does not have the law `{name}` of {file} as it is here", "put it on a shared disk")
    folder = Folder.existing(Path(order.path))
    if folder is None or (folder.run_hash, folder.part_runs) != (order.run_hash, order.part_runs):
        problem = f"it does not see this sweep in {order.path}"
        raise UsageError(problem, "choose a directory on a disk that all machines share (-o)")
    own = numbers_hash(structure_of(folder.scenario))
    if own != folder.kernel:
        problem = f"its ionflux computes by other equations (kernel hash {own} instead of {folder.kernel})"
        raise UsageError(problem, "install the same version of ionflux everywhere")
    return folder


def _job(order: Order) -> Job:
    with _LOADING:
        return _cached_job(order)


@lru_cache(maxsize=1)
def _cached_job(order: Order) -> Job:
    scenario = _workplace(order).scenario
    return Job(scenario, design_of(scenario), load_program(structure_of(scenario)))


def _surroundings() -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in surroundings().items() if name not in MAY_DIFFER)


# -- on the client --------------------------------------------------------------------------------


def _require_alike(client: Any, order: Order) -> None:
    """Raise UsageError unless every worker sees the directory and would compute the same numbers."""
    refused = {
        worker: answer
        for worker, answer in client.run(workplace, order, on_error="return").items()
        if isinstance(answer, BaseException)
    }
    if not refused:
        return
    worker, error = next(iter(refused.items()))
    more = f"; nor can {len(refused) - 1} more workers" if len(refused) > 1 else ""
    # Anything else that is raised there comes of another version, or of none.
    reason, hint = one_line(error), "install the same version of ionflux there"
    if isinstance(error, UsageError):
        reason, hint = error.problem, error.hint
    raise UsageError(f"worker {worker} cannot take part: {reason}", hint + more)


def _gone(folder: Folder) -> StorageError:
    problem = "the scheduler is gone; what the workers had finished is stored"
    return StorageError(folder.path, problem, "start it again, and give the same command to continue")


@dataclass
class _Suspect:
    """A part that keeps ending its workers: runs found guilty, tries that have not ended, rounds of search."""

    guilty: list[int] = field(default_factory=list)
    trying: int = 0
    rounds: int = 0


@dataclass
class Crew:
    """The parts that are in the hands of the workers."""

    workers: Workers
    order: Order
    folder: Folder
    announce: Callable[[str], None]
    ended: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    spans: dict[Any, tuple[int, tuple[int, int] | None]] = field(default_factory=dict)
    suspects: dict[int, _Suspect] = field(default_factory=dict)

    @classmethod
    def of(cls, workers: Workers, order: Order, folder: Folder, announce: Callable[[str], None]) -> Crew:
        """Workers that all see the directory and would all compute the same numbers.

        Raises
        ------
        UsageError
            If one does not, with its address and the reason.
        """
        _require_alike(workers.client, order)
        return cls(workers, order, folder, announce)

    def rows(self, numbers: Sequence[int]) -> Generator[PartRow, None, None]:
        """Hand out parts, and yield a row on each when it is written."""
        from distributed.scheduler import KilledWorker

        for number in numbers:
            self._hand_out(number)
        while self.spans:
            self.workers.tended(self.announce)
            try:
                future = self.ended.get(timeout=TENDED)
            except Empty:
                continue
            row, error = self._outcome(future)
            number, span = self.spans.pop(future)
            if isinstance(error, KilledWorker):
                self._divide(number, span)
            elif error is not None:
                raise error
            elif row is not None:
                yield row
            else:
                self._acquitted(number)

    def _hand_out(self, number: int) -> None:
        guilty = tuple(sorted(self.suspects[number].guilty)) if number in self.suspects else ()
        self._submit(number, None, make_part, self.order, number, guilty)

    def _submit(self, number: int, span: tuple[int, int] | None, work: Callable[..., Any], *arguments: Any) -> None:
        future = self.workers.client.submit(work, *arguments, pure=False)
        self.spans[future] = number, span
        future.add_done_callback(self.ended.put)

    def _outcome(self, future: Any) -> tuple[PartRow | None, BaseException | None]:
        """What a task returned or raised."""
        while future.status not in ("error", "cancelled"):  # "lost" comes back
            try:
                found = future.result(timeout=5.0 * TENDED)
            except TimeoutError:  # its worker died since, and the task is done again, perhaps by one to be started
                self.workers.tended(self.announce)
            except Exception:
                break
            else:
                return (None, found) if isinstance(found, Exception) else (found, None)
        if future.status == "error":
            return None, future.exception()
        return None, _gone(self.folder)

    def _divide(self, number: int, span: tuple[int, int] | None) -> None:
        """Go on looking for the run that ends workers, in smaller spans; a span of one run is found guilty."""
        suspect = self.suspects.setdefault(number, _Suspect())
        if span is None:
            suspect.rounds += 1
            if suspect.rounds > ROUNDS:
                problem = f"part {number} ends every worker that computes it, although none of its runs does so alone"
                raise StorageError(self.folder.path, problem, "give the workers more memory")
            self.announce(f"part {number} has ended {RETRIES + 1} workers; looking for the run that does so")
            spans = _pieces(*self.folder.span(number), suspect.guilty)
        else:
            suspect.trying -= 1
            if span[1] - span[0] == 1:
                suspect.guilty.append(span[0])
            spans = _pieces(*span, suspect.guilty)
        suspect.trying += len(spans)
        for piece in spans:
            self._submit(number, piece, try_runs, self.order, *piece)
        if not suspect.trying:
            self._hand_out(number)

    def _acquitted(self, number: int) -> None:
        """A span of a suspected part has been computed: once all have, the part is made without the guilty runs."""
        self.suspects[number].trying -= 1
        if not self.suspects[number].trying:
            self._hand_out(number)


def _pieces(start: int, stop: int, without: Sequence[int]) -> list[tuple[int, int]]:
    """Cut runs into some pieces that have none of those in `without`."""
    size = -(-(stop - start) // PIECES)
    found = []
    for first in range(start, stop, size):
        last = min(first + size, stop)
        inside = sorted(run for run in without if first <= run < last)
        edges = [first, *(edge for run in inside for edge in (run, run + 1)), last]
        found += [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
    return found
