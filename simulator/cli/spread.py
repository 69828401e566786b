"""The options of ``run`` that spread a sweep over processes and machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.storage.cluster import Scheduler
    from simulator.storage.folder import Folder
    from simulator.storage.sweeping import Shard

ShardOption = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="Run the I-th of N shares of a sweep's parts only, counted from 1."),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="tcp://HOST:PORT|local:N",
        help="Run a sweep on the workers of a dask.distributed scheduler, or on N processes started here.",
    ),
]
TlsCa = Annotated[
    Path | None, typer.Option("--tls-ca", metavar="FILE", help="Certificate authority of a tls:// scheduler.")
]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate shown to it.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Private key of that certificate.")]


@dataclass(frozen=True)
class Spread:
    """Which parts of a sweep a command computes, and where.

    Parameters
    ----------
    shard : Shard or None
        The share of the parts; None for all.
    scheduler : Scheduler or None
        The cluster that computes them; None for the threads of this process.
    """

    shard: Shard | None = None
    scheduler: Scheduler | None = None

    @property
    def asked(self) -> bool:
        """Whether any of the options was given."""
        return self.shard is not None or self.scheduler is not None

    @property
    def least_parts(self) -> int:
        """Number of parts that are needed to give everybody one."""
        return self.shard.of if self.shard is not None else max(1, self.at_once)

    @property
    def at_once(self) -> int:
        """Number of processes that are known to compute at once; 0 for the threads of this one."""
        return self.scheduler.processes if self.scheduler is not None else 0

    def parts(self, folder: Folder) -> range:
        """Numbers of the parts to compute."""
        return self.shard.parts(folder) if self.shard is not None else range(folder.parts)


#: Everything, on the threads of this process.
HERE = Spread()


def spread(
    shard: str | None, scheduler: str | None, tls: tuple[Path | None, Path | None, Path | None], overwrite: bool
) -> Spread:
    """What the options ask for.

    Raises
    ------
    UsageError
        If they are malformed or contradict each other.
    """
    if shard is not None and scheduler is not None:
        raise UsageError("--shard and --scheduler both divide the sweep", "give one of them")
    if scheduler is None and any(tls):
        raise UsageError("--tls-ca, --tls-cert and --tls-key need --scheduler tls://HOST:PORT")
    if shard is not None:
        if overwrite:
            problem = "--overwrite cannot go with --shard, because other shards may be writing to the directory"
            raise UsageError(problem, "delete the directory, or choose another (-o)")
        return Spread(shard=_shard(shard))
    if scheduler is not None:
        from simulator.storage.cluster import Scheduler

        return Spread(scheduler=Scheduler.of(scheduler, *tls))
    return HERE


def _shard(text: str) -> Shard:
    from simulator.storage.sweeping import Shard

    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if found is None:
        raise UsageError(f"--shard {text!r} is not I/N", "for example --shard 3/100")
    number, of = map(int, found.groups())
    if not 1 <= number <= of:
        raise UsageError(f"there is no shard {text}", f"shards are counted from 1/{of} to {of}/{of}" if of else "")
    return Shard(number, of)
