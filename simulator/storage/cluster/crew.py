"""Hand out parts to workers, see that all come back, and find the runs that end the processes computing them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from simulator.errors import UsageError, one_line
from simulator.storage.atomic import StorageError
from simulator.storage.cluster.orders import Order, make_part, try_runs, workplace
from simulator.storage.cluster.workers import RETRIES, Workers
from simulator.storage.folder import Folder
from simulator.storage.parts import PartRow

__all__ = ["Crew", "gone"]

#: Pieces in which a part is searched: many, because every death costs the start of a process.
PIECES = 16

#: Rounds of search after which a part is given up.
ROUNDS = 2

#: Time [s] between two looks after the workers.
TENDED = 0.2


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


def gone(folder: Folder) -> StorageError:
    """The error of a scheduler that no longer answers."""
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
        return None, gone(self.folder)

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
