"""The option ``--scheduler``: who hands out the parts, and the connection to it."""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simulator.errors import UsageError
from simulator.kernel import load_program
from simulator.model.assembly import structure_of
from simulator.storage.cluster.crew import Crew, gone
from simulator.storage.cluster.orders import Order
from simulator.storage.cluster.workers import Workers, local_workers
from simulator.storage.folder import Folder
from simulator.storage.parts import PartRow
from simulator.storage.sweeping import Elsewhere

__all__ = ["Scheduler"]

#: Time [s] to wait for a scheduler to answer.
ANSWER = 10.0


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
                raise gone(folder) from None

        return rows

    @contextmanager
    def workers(self) -> Iterator[Workers]:
        """The workers of the scheduler."""
        import distributed

        for name in logging.root.manager.loggerDict:  # what happens to workers is told in our words
            if name.partition(".")[0] in (distributed.__name__, "tornado", "asyncio"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        if self.processes:
            with local_workers(self.processes) as workers:
                yield workers
        else:
            with self._remote() as client:
                yield Workers(client, self.address)

    def _remote(self) -> Any:
        from distributed import Client, Security

        ca, cert, key = (None if file is None else str(file) for file in self.tls)
        encrypted = {"tls_ca_file": ca, "tls_client_cert": cert, "tls_client_key": key, "require_encryption": True}
        security = Security(**(encrypted if ca else {}))
        try:
            asyncio.run(_answered(self.address, security))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of versions that differ: we look ourselves, at those that matter
                return Client(self.address, timeout=ANSWER, security=security, set_as_default=False)
        except (OSError, ValueError) as error:
            hint = "start one with: dask scheduler --host HOST; then: dask worker tcp://HOST:8786 --nthreads 1"
            raise UsageError(f"no scheduler answers at {self.address} ({error})", hint) from None


async def _answered(address: str, security: Any) -> None:
    """Raise OSError unless a scheduler answers; a client would wait without end for a server of another kind."""
    from distributed.comm.core import connect

    try:
        async with asyncio.timeout(ANSWER):
            comm = await connect(address, timeout=0.8 * ANSWER, **security.get_connection_args("client"))
    except TimeoutError:
        raise OSError(f"nothing that Dask understands within {ANSWER:g} s") from None
    comm.abort()
