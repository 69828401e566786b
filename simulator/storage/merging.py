"""Gather the parts of a batch from one or several directories, after a check that every run is there exactly once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from simulator.errors import UsageError
from simulator.runs.batch import Batch
from simulator.scenario.sweep_cost import estimated_bytes
from simulator.storage.atomic import StorageError, refuse_homeless, write_atomically
from simulator.storage.columns import keep_columns, require_whole_columns
from simulator.storage.datafile import SUFFIXES, DataFileError
from simulator.storage.folder import Folder
from simulator.storage.hdf5 import opened, packed
from simulator.storage.inventory import Inventory
from simulator.storage.layout import part_contents, restored_part
from simulator.storage.lock import locked

__all__ = ["checked", "gather"]

#: Memory that a part takes while it is put together, relative to its numbers; share of the machine's that it may take.
COPIES, SHARE = 4, 0.5

#: Most damaged or doubled parts that a message lists.
LISTED = 5


def checked(paths: Sequence[Path], report: Callable[[int, int], None] = lambda done, parts: None) -> Inventory:
    """Verify that every run of a batch is there exactly once, in parts that are whole; each is read.

    Parameters
    ----------
    paths : sequence of Path
        Directories of shards. A part may be in several if it is the same in all.
    report : callable
        Called with the number of verified parts and of all.

    Raises
    ------
    DataFileError
        If runs are missing, damaged, of another batch, or there twice with different numbers; with all such runs.
    """
    inventory = Inventory.of(paths)
    problems = []
    if inventory.missing:
        problems.append(f"{inventory.in_words(inventory.missing)} are missing")
    strangers = [path for folder in inventory.folders for path in _strangers(folder)]
    problems += [f"{path} is beyond the last part, {inventory.batch.parts - 1}" for path in strangers]
    for folder in inventory.folders:
        try:
            require_whole_columns(folder.scenario)
        except DataFileError as error:
            problems.append(str(error))
    for number in inventory.done:
        try:
            _require_one(number, inventory.found[number])
        except DataFileError as error:
            problems.append(f"{inventory.in_words([number])}: {error}")
        report(number + 1, inventory.batch.parts)
    if problems:
        more = len(problems) - LISTED
        text = "; ".join(problems[:LISTED]) + (f"; and {more} more such problems" if more > 0 else "")
        where = ", ".join(str(folder.path) for folder in inventory.folders[:LISTED])
        hint = "run the shards again that should have computed them" if inventory.missing else ""
        raise DataFileError(Path(where), f"not every run is there exactly once: {text}", hint=hint)
    return inventory


def gather(
    inventory: Inventory,
    target: Path,
    *,
    parts: int | None = None,
    overwrite: bool = False,
    report: Callable[[int, int], None] = lambda done, parts: None,
) -> None:
    """Put the parts of a batch together in one directory, or in one file if `target` ends in ``.h5``.

    The directory is that of the same sweep run on one machine, to the last byte if the parts' provenance is the same.
    What an interrupted call has written is kept; the same call continues.

    Parameters
    ----------
    inventory : Inventory
        Result of :func:`checked`.
    target : Path
        The directory or file.
    parts : int, optional
        Number of parts, instead of what a run on one machine would make.
    overwrite : bool
        Whether another result there may be replaced.
    report : callable
        Called with the number of written parts and of all.

    Raises
    ------
    StorageError, UsageError
        If it cannot be stored, or a part would not fit into memory.
    """
    if target.suffix in SUFFIXES:
        if parts not in (None, 1):
            raise UsageError(f"{target} is one file, not {parts} parts", "give -o a directory")
        _gather_in_file(inventory, target, overwrite)
        return
    if overwrite and any(target.resolve() == folder.path.resolve() for folder in inventory.folders):
        raise UsageError(f"{target} is one of the directories to gather", "leave out --overwrite, or choose another -o")
    folder = _planned(inventory.batch, target, parts, overwrite)
    _refuse_large(folder, folder.part_runs)
    folder.refuse_other(overwrite)
    folder.make()
    with locked(folder.path):
        folder.begin(overwrite)
        for source in inventory.folders:
            keep_columns(source.scenario, target)
        done = set(folder.intact())
        for number in range(folder.parts):
            if number not in done:
                _gather_part(inventory, folder, number)
            report(number + 1, folder.parts)


def _planned(batch: Folder, target: Path, parts: int | None, overwrite: bool) -> Folder:
    """The directory to gather in; what is there of the same batch keeps its parts."""
    if parts is not None:
        return replace(batch, path=target, part_runs=-(-batch.runs // min(parts, batch.runs)))
    run_bytes = estimated_bytes(batch.scenario)
    folder = Folder.planned(target, batch.scenario, batch.runs, run_bytes, batch.config_text, batch.kernel)
    return folder if overwrite else folder.as_found()


def _gather_part(inventory: Inventory, folder: Folder, number: int) -> None:
    if folder.part_runs == inventory.batch.part_runs:
        data = _bytes(inventory.found[number][0], number)
        write_atomically(folder.part_path(number), data, overwrite=True)
    else:
        folder.store_part(number, *folder.packed_part(number, _joined(inventory, *folder.span(number))))


def _gather_in_file(inventory: Inventory, target: Path, overwrite: bool) -> None:
    batch = inventory.batch
    refuse_homeless(target)
    if target.exists() and not overwrite:
        with opened(target) as source:
            found, facts = restored_part(source.contents()), source.facts()
        if facts.get("run_hash") == batch.run_hash and found.runs == batch.runs:
            return
        raise StorageError(target, "already exists and holds something else", "choose another name, or --overwrite")
    _refuse_large(batch, batch.runs)
    whole = _joined(inventory, 0, batch.runs)
    write_atomically(target, packed(part_contents(whole, 0, batch.config_text)), overwrite)


def _joined(inventory: Inventory, start: int, stop: int) -> Batch:
    """The runs from `start` to before `stop`, from the parts that have them."""
    pieces = _overlapping(inventory, start, stop)
    first = next(pieces)
    arrays = {name: np.empty((stop - start, *v.shape[1:]), v.dtype) for name, v in first.arrays.items()}
    coordinates = {key: np.empty(stop - start, v.dtype) for key, v in first.coordinates.items()}
    place = 0
    for piece in chain((first,), pieces):
        for into, source in ((arrays, piece.arrays), (coordinates, piece.coordinates)):
            for name, values in source.items():
                into[name][place : place + piece.runs] = values
        place += piece.runs
    return replace(first, arrays=arrays, coordinates=coordinates, first=start, runs=stop - start)


def _overlapping(inventory: Inventory, start: int, stop: int) -> Iterator[Batch]:
    """What the parts hold of the runs from `start` to before `stop`, one part after the other."""
    size = inventory.batch.part_runs
    for number in range(start // size, -(-stop // size)):
        first, _ = inventory.batch.span(number)
        part = inventory.found[number][0].part(number)
        yield part.part(max(start - first, 0), min(stop - first, part.runs))


def _require_one(number: int, folders: Sequence[Folder]) -> None:
    """Raise DataFileError unless a part is whole and the same in all directories."""
    first, *others = folders
    whole = first.part(number)
    for other in others:
        if _bytes(first, number) != _bytes(other, number) and not _same_numbers(whole, other.part(number)):
            problem = f"holds other numbers than {first.part_path(number)}"
            raise DataFileError(other.part_path(number), problem)


def _bytes(folder: Folder, number: int) -> bytes:
    path = folder.part_path(number)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataFileError(path, f"cannot be read ({error.strerror or error})") from error


def _same_numbers(a: Batch, b: Batch) -> bool:
    """Whether two parts agree in every bit of their numbers; they may differ in who computed them."""
    return all(
        x.keys() == y.keys() and all(x[name].tobytes() == y[name].tobytes() for name in x)
        for x, y in ((dict(a.arrays), dict(b.arrays)), (dict(a.coordinates), dict(b.coordinates)))
    )


def _strangers(folder: Folder) -> list[Path]:
    """Files with a part's name that no part of the batch has."""
    own = {folder.part_path(number) for number in range(folder.parts)}
    return [path for path in folder.part_files() if path not in own]


def _refuse_large(folder: Folder, runs: int) -> None:
    """Raise UsageError if so many runs in one file would not fit into memory."""
    each = estimated_bytes(folder.scenario)
    most = int(SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (COPIES * each))
    if runs > most:
        least = -(-folder.runs // max(most, 1))
        problem = (
            f"{runs:,} runs are too many for one file: they would take {runs * each * COPIES / 1e9:.3g} GB of memory"
        )
        raise UsageError(problem, f"give -o a directory, and --parts at least {least}, or leave out --parts")
