"""A batch on disk: a directory with a manifest and parts, each a data file of consecutive runs.

A part appears under its name only once it is complete and on disk; the manifest says how many parts there must be.
After any interruption the finished parts remain valid, and the same command computes the missing ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import UsageError
from simulator.kernel.cache import numbers_hash
from simulator.model.assembly import structure_of
from simulator.runs.batch import Batch, Failure
from simulator.scenario.scenario import Scenario
from simulator.storage.atomic import storage_error, write_atomically, write_once
from simulator.storage.columns import is_column, keep_columns, remove_columns, with_kept_columns
from simulator.storage.contents import Contents
from simulator.storage.datafile import DataFileError
from simulator.storage.hdf5 import opened, sealed, unsealed
from simulator.storage.identity import how_it_differs, resolved_text, run_hash
from simulator.storage.image import Image
from simulator.storage.layout import PART, part_contents, restored_part, scenario_in
from simulator.storage.tally import Tally
from simulator.trajectory.provenance import laws_from_outside

__all__ = ["Folder"]

MANIFEST = "manifest.json"
FORMAT, FORMAT_VERSION = "ionflux batch", 1
PART_NAME = re.compile(r"part-(\d{6,})\.h5")

#: Largest part [bytes] and most runs in one; they limit what is lost when the process is killed.
PART_BYTES, PART_RUNS = 32 << 20, 1 << 15


@dataclass(frozen=True)
class Folder:
    """The directory of a batch.

    Parameters
    ----------
    path : Path
        The directory.
    scenario : Scenario
        The scenario that is run, including its sweep.
    resolved : str
        The same scenario as stored in files, see :func:`~simulator.storage.identity.resolved_text`.
    config_text : str
        The YAML as given.
    runs, part_runs : int
        Number of runs in total, and in each part but the last.
    kernel : str
        Hash of the equations.
    """

    path: Path
    scenario: Scenario
    resolved: str
    config_text: str
    runs: int
    part_runs: int
    kernel: str

    @classmethod
    def planned(
        cls,
        path: Path,
        scenario: Scenario,
        runs: int,
        run_bytes: int,
        config_text: str = "",
        kernel: str = "",
        least_parts: int = 1,
    ) -> Folder:
        """Plan the directory of a batch.

        `kernel` is the hash of the kernel that ran it, if it has been run. There are at least `least_parts` parts, but
        no more than runs.
        """
        most = max(1, min(PART_RUNS, PART_BYTES // run_bytes, runs // least_parts))
        part_runs = -(-runs // -(-runs // most))  # parts of equal size can use each other's memory
        kernel = kernel or numbers_hash(structure_of(scenario))
        return cls(path, scenario, resolved_text(scenario), config_text, runs, part_runs, kernel)

    @classmethod
    def existing(cls, path: Path) -> Folder | None:
        """Return the batch that the manifest in a directory describes, or None without a manifest.

        Raises
        ------
        DataFileError
            If the manifest cannot be read, is damaged, or is of another version.
        """
        manifest = path / MANIFEST
        try:
            text = manifest.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise DataFileError(manifest, f"cannot be read ({error})") from error
        try:
            found = json.loads(text)
            if found["format"] != FORMAT or found["format_version"] != FORMAT_VERSION:
                raise DataFileError(manifest, "is not the manifest of a batch that this version can read")
            resolved, kernel = str(found["scenario"]), str(found["kernel_hash"])
            folder = cls(
                path,
                with_kept_columns(scenario_in(resolved, dict(found.get("laws", {}))), path),
                resolved,
                str(found["config"]),
                found["runs"],
                found["part_runs"],
                kernel,
            )
            own = (found["run_hash"], found["parts"]) == (folder.run_hash, folder.parts)
        except (ArithmeticError, ValueError, KeyError, TypeError) as error:
            raise DataFileError(manifest, "is damaged") from error
        if not own or not all(isinstance(n, int) and n > 0 for n in (folder.runs, folder.part_runs)):
            raise DataFileError(manifest, "is damaged")
        return folder

    @property
    def run_hash(self) -> str:
        """Hash that identifies the batch."""
        return run_hash(self.resolved, self.kernel)

    @property
    def parts(self) -> int:
        """Number of parts."""
        return -(-self.runs // self.part_runs)

    def part_path(self, number: int) -> Path:
        """Path of a part."""
        return self.path / f"part-{number:06d}.h5"

    def span(self, number: int) -> tuple[int, int]:
        """Return the first run of a part and the one after its last."""
        return number * self.part_runs, min((number + 1) * self.part_runs, self.runs)

    def runs_in(self, numbers: Iterable[int]) -> int:
        """Number of runs in some parts."""
        return sum(stop - start for start, stop in map(self.span, numbers))

    def finished(self) -> list[int]:
        """Return the numbers of the parts on disk."""
        return [number for number in range(self.parts) if self.part_path(number).is_file()]

    def intact(self) -> list[int]:
        """Return the numbers of the parts on disk that are whole; all of each is read."""
        return [number for number in self.finished() if self._is_intact(number)]

    def _is_intact(self, number: int) -> bool:
        try:
            self.part(number)
        except DataFileError:
            return False
        return True

    def stored(self) -> int:
        """Return the number of runs in the parts on disk."""
        return self.runs_in(self.finished())

    def as_found(self) -> Folder:
        """The same batch, cut into parts as it is already in the directory, if it is there."""
        found = None if self.path.is_symlink() else Folder.existing(self.path)
        if found is None or found.run_hash != self.run_hash:
            return self
        return replace(self, part_runs=found.part_runs)

    # -- writing ----------------------------------------------------------------------------------

    def refuse_other(self, overwrite: bool) -> None:
        """Raise UsageError if the path holds anything else than this batch.

        Another batch is accepted only if it may be overwritten.
        """
        if self.path.is_symlink():
            raise UsageError(f"{self.path} is a symbolic link", "give the directory itself")
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise UsageError(f"{self.path} is a file; a sweep is saved in a directory", "choose another name (-o)")
        if overwrite and (self.path / MANIFEST).exists():
            return
        found = Folder.existing(self.path)
        others = sorted(p.name for p in self.path.iterdir() if not _ours(p.name))
        if found is not None:
            self._refuse_changed(found)
        elif others:
            problem = f"{self.path} contains other files ({', '.join(others[:3])})"
            raise UsageError(problem, "choose an empty or a new directory (-o)")

    def make(self) -> None:
        """Create the directory.

        Raises
        ------
        StorageError
            If it cannot be created.
        """
        try:
            self.path.mkdir(exist_ok=True)
        except (OSError, ValueError) as error:
            raise storage_error(self.path, 0, error) from error

    def begin(self, overwrite: bool) -> None:
        """Write the manifest unless this batch already has one; call with the lock held alone."""
        self.refuse_other(overwrite)
        manifest = self.path / MANIFEST
        for path in self.path.glob(".ionflux-*.tmp"):  # left half-written by an interrupted process
            path.unlink(missing_ok=True)
        found = None if overwrite else Folder.existing(self.path)
        if found is not None:
            keep_columns(self.scenario, self.path)
            return
        # The old manifest is removed first and the new one written last: no part ever has another batch's manifest.
        manifest.unlink(missing_ok=True)
        for path in self.part_files():
            path.unlink()
        remove_columns(self.path)
        keep_columns(self.scenario, self.path)
        write_atomically(manifest, self._manifest().encode(), overwrite=True)

    def join(self) -> None:
        """Write the manifest unless another shard of this batch has done so; call with the lock shared.

        Raises
        ------
        UsageError
            If there is another batch, or the same one cut into other parts, or there are parts of a lost one.
        """
        manifest = self.path / MANIFEST
        if not manifest.exists() and any(self.part_files()) and not manifest.exists():
            problem = f"{self.path} contains parts without a manifest"
            raise UsageError(problem, "choose an empty or a new directory (-o)")
        keep_columns(self.scenario, self.path)
        if not write_once(manifest, self._manifest().encode()):
            self.refuse_other(overwrite=False)

    def part_files(self) -> Iterator[Path]:
        """Files in the directory that have a part's name."""
        return (path for path in sorted(self.path.glob("part-*.h5")) if PART_NAME.fullmatch(path.name))

    def _manifest(self) -> str:
        facts: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.scenario.name,
            "run_hash": self.run_hash,
            "kernel_hash": self.kernel,
            "laws": laws_from_outside(structure_of(self.scenario)),
            "runs": self.runs,
            "part_runs": self.part_runs,
            "parts": self.parts,
            "scenario": self.resolved,
            "config": self.config_text,
        }
        return json.dumps(facts, indent=1) + "\n"

    def _refuse_changed(self, found: Folder) -> None:
        hint = "choose another directory (-o), or --overwrite to replace it"
        difference = how_it_differs(found.scenario, found.kernel, self.scenario, self.kernel)
        if difference:
            raise UsageError(f"{self.path} holds another batch; {difference}", hint)
        if (found.runs, found.part_runs) != (self.runs, self.part_runs):
            raise UsageError(f"{self.path} holds another batch; its parts have another number of runs", hint)

    def packed_part(self, number: int, batch: Batch, image: Image | None = None) -> tuple[Image, Contents]:
        """Return one part as a file in memory, reusing `image` if given, and its contents."""
        what = part_contents(batch, number, self.config_text)
        return unsealed(what, image), what

    def try_part(self, batch: Batch) -> None:
        """Do all that storing a batch as a part takes, but for the writing; to see how long it takes."""
        image, what = self.packed_part(0, batch)
        sealed(image, what)

    def store_part(self, number: int, image: Image, what: Contents) -> int:
        """Write one part to disk and return its size in bytes."""
        data = sealed(image, what)
        write_atomically(self.part_path(number), data, overwrite=True)
        return data.nbytes

    # -- reading ----------------------------------------------------------------------------------

    def require_complete(self) -> None:
        """Raise DataFileError if a part is missing."""
        missing = self.parts - len(self.finished())
        if missing:
            problem = f"is incomplete: {missing} of {self.parts} parts are missing"
            raise DataFileError(self.path, problem, hint="run the same command again to compute them")

    def part(self, number: int) -> Batch:
        """Read one part and verify all of it."""
        with opened(self.part_path(number)) as source:
            found = source.contents()
            batch = restored_part(found)
            self._require_own(source.facts(), number, batch.first, batch.runs)
            source.check_digest(found)
            return batch

    def variable(self, number: int, name: str) -> np.ndarray:
        """Read one variable of one part."""
        start, stop = self.span(number)
        with opened(self.part_path(number)) as source:
            found = np.asarray(source.variable(name).values)
            self._require_own(source.facts(), number, start, len(found) if name != "time" else stop - start)
        return found

    def _require_own(self, facts: Mapping[str, str], number: int, first: int, runs: int) -> None:
        start, stop = self.span(number)
        same = facts.get(PART) == str(number) and facts.get("run_hash") == self.run_hash
        if not same or (first, runs) != (start, stop - start):
            raise DataFileError(self.part_path(number), "is not a part of this batch")

    def tally(self, numbers: Iterable[int] | None = None) -> Tally:
        """Count the runs by status and by verdict in some of the parts on disk, by default all; little is read."""
        return sum(map(self._tally, self.finished() if numbers is None else numbers), Tally.of((), ()))

    def _tally(self, number: int) -> Tally:
        with opened(self.part_path(number), whole=False) as source:
            status, verdict = source.numbers("status"), source.numbers("verdict")
            self._require_own(source.facts(), number, self.span(number)[0], len(status))
        return Tally.of(status, verdict)

    def failures(self, numbers: Iterable[int] | None = None) -> Iterator[Failure]:
        """Yield each failed run in some of the parts on disk, by default all."""
        for number in self.finished() if numbers is None else numbers:
            if self._tally(number).failed:
                yield from self.part(number).failures()


def _ours(name: str) -> bool:
    return name == MANIFEST or name.startswith(".ionflux-") or is_column(name) or PART_NAME.fullmatch(name) is not None
