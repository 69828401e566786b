"""What of a batch is there, in one directory or scattered over several."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from simulator.storage.datafile import DataFileError
from simulator.storage.folder import Folder
from simulator.storage.identity import how_it_differs
from simulator.storage.lock import writing_since
from simulator.storage.tally import Tally

__all__ = ["Inventory", "in_ranges"]


@dataclass(frozen=True)
class Inventory:
    """Directories with parts of one batch.

    Parameters
    ----------
    folders : sequence of Folder
        At least one; all of the same batch, cut into the same parts.
    """

    folders: Sequence[Folder]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Inventory:
        """Look at some directories.

        Raises
        ------
        DataFileError
            If one of them holds no batch, or another one than the first.
        """
        folders = [_existing(path) for path in dict.fromkeys(paths)]
        first = folders[0]
        for other in folders[1:]:
            if other.run_hash != first.run_hash:
                problem = how_it_differs(first.scenario, first.kernel, other.scenario, other.kernel)
                raise DataFileError(other.path, f"holds parts of another batch than {first.path}; {problem}")
            if other.runs != first.runs:
                raise DataFileError(other.path, f"says that there are {other.runs} runs, but {first.path} {first.runs}")
            if other.part_runs != first.part_runs:
                problem = (
                    f"is cut into parts of {other.part_runs} runs, but {first.path} into parts of {first.part_runs}"
                )
                raise DataFileError(other.path, problem, hint="compute all shards with the same N of --shard I/N")
        return cls(folders)

    @property
    def batch(self) -> Folder:
        """The first directory, which says what there should be."""
        return self.folders[0]

    @cached_property
    def found(self) -> dict[int, list[Folder]]:
        """Directories that have a part, by its number."""
        found: dict[int, list[Folder]] = {number: [] for number in range(self.batch.parts)}
        for folder in self.folders:
            for number in folder.finished():
                found[number].append(folder)
        return found

    @property
    def done(self) -> list[int]:
        """Numbers of the parts that are there."""
        return [number for number, folders in self.found.items() if folders]

    @property
    def missing(self) -> list[int]:
        """Numbers of the parts that are not there."""
        return [number for number, folders in self.found.items() if not folders]

    @cached_property
    def tally(self) -> Tally:
        """Status and verdict of the runs that are there."""
        return sum((self.found[number][0].tally([number]) for number in self.done), Tally.of((), ()))

    def seconds_left(self) -> float | None:
        """Time [s] until all is there at the present pace; None if nobody writes, or has written anything yet."""
        begun = [since for folder in self.folders if (since := writing_since(folder.path)) is not None]
        if not begun:
            return None
        written = [n for n in self.done if _modified(self.found[n][0].part_path(n)) > min(begun)]
        runs = self.batch.runs_in(written)
        return (time.time() - min(begun)) / runs * self.batch.runs_in(self.missing) if runs else None

    def in_words(self, numbers: Sequence[int]) -> str:
        """Runs and numbers of some parts: ``runs 500-749 and 1000-1249 (parts 2, 4)``."""
        spans = [self.batch.span(number) for number in numbers]
        runs = _merged([(start, stop - 1) for start, stop in spans])
        which = "part" if len(numbers) == 1 else "parts"
        return f"runs {_listed(runs)} ({which} {in_ranges(numbers)})"


def in_ranges(numbers: Sequence[int]) -> str:
    """Numbers in increasing order as ranges: ``0-3, 7``."""
    return _listed(_merged([(number, number) for number in numbers]))


def _listed(spans: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans, first and last number included, where one follows on another."""
    found: list[tuple[int, int]] = []
    for first, last in spans:
        if found and found[-1][1] == first - 1:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _existing(path: Path) -> Folder:
    folder = Folder.existing(path)
    if folder is None:
        absent = "is not a directory" if path.exists() else "there is no such directory"
        raise DataFileError(path, "is a directory without a batch in it" if path.is_dir() else absent)
    return folder
