"""The design of a sweep in a CSV file: a column for each dotted path, its unit in the head, a line for each run.

    membranes.plasma.mechanisms.k_leak.permeability [m/s],compartments.bath.concentrations.k (mM)
    4.0e-9,4.5
    8.0e-9,5.5

The numbers are read by NumPy, a million lines in seconds; only a file with a mistake is looked at line by line.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import one_line, shown
from simulator.scenario.columns import Given
from simulator.scenario.yaml.composer import scalar
from simulator.scenario.yaml.files import similar_name
from simulator.scenario.yaml.issues import Issue
from simulator.scenario.yaml.tree import Node, Place

__all__ = ["columns_of"]

#: Largest file [bytes]; its numbers are kept in memory.
LARGEST_DESIGN = 2**32

#: Most lines whose mistakes are told.
MOST_TOLD = 20

#: Largest head [characters].
LONGEST_HEAD = 2**20

_HEAD = re.compile(r"\s*([^\s\[(]+)\s*(?:[\[(]\s*([^\])]*?)\s*[\])])?\s*")

_HEAD_EXPECTED = "a first line of dotted paths with units, e.g. `membranes.plasma.potential [mV]`, then a line per run"
_CELLS_EXPECTED = "one number for each column"


@dataclass(frozen=True)
class _ColumnNode(Node):
    """A column of the file; its children are its cells."""

    def child(self, name: str) -> Node | None:
        """The cell of a run, with its line."""
        if not name.isdecimal():
            return None
        return Node(None, Place(self.place.file, _line_of(Path(self.place.file), int(name)), None))


def columns_of(file: Path, named: Node, issues: list[Issue], key: str) -> Node | None:
    """The columns of a design, by dotted path; None, with the issues, if the file cannot be used.

    Parameters
    ----------
    file : Path
        The CSV file.
    named : Node
        Where a scenario names it.
    issues : list of Issue
        Receives what is wrong.
    key : str
        Dotted path of the name.
    """
    try:
        heads, numbers = _read(file)
    except _Unusable as error:
        issues += error.issues(file, named, key)
        return None
    place = Place(str(file), 1)
    columns: dict[str, Any] = {}
    for i, head in enumerate(heads):
        path, unit = _read_head(head)
        columns[path] = _ColumnNode(Given(numbers[:, i], unit), place)
    return Node(columns, named.place, dict.fromkeys(columns, place))


class _Unusable(Exception):
    """Why a file cannot be used: as a whole, or by line, each with a problem and a hint."""

    def __init__(self, problem: str, hint: str = "", line: int | None = None) -> None:
        self.found: list[tuple[int | None, str, str]] = [(line, problem, hint)]

    def issues(self, file: Path, named: Node, key: str) -> Iterator[Issue]:
        """Problems of the file at the place that names it, others at their lines."""
        place = named.place
        for line, problem, hint in self.found:
            if line is None:
                problem = f"`{shown(str(named.content))}`: {problem}"
                yield Issue(place.file, place.line, place.column, key, problem, "a CSV file", hint)
            else:
                expected = _HEAD_EXPECTED if line == 1 else _CELLS_EXPECTED
                yield Issue(str(file), line, None, key, problem, expected, hint)


def _read(file: Path) -> tuple[list[str], np.ndarray]:
    """Heads and numbers of a design; :class:`_Unusable` if it is none."""
    try:
        if not file.is_file():
            problem = "this is a directory" if file.is_dir() else "there is no such file"
            raise _Unusable(problem, similar_name(file))
        if file.stat().st_size > LARGEST_DESIGN:
            raise _Unusable(f"the file is larger than {LARGEST_DESIGN >> 30} GiB", "split it, one sweep for each part")
        with file.open(encoding="utf-8-sig") as stream:
            first = stream.readline(LONGEST_HEAD)
        heads = _heads(first)
        numbers = _numbers(file, heads)
    except UnicodeDecodeError:
        raise _Unusable("the file is not UTF-8 text", "save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        raise _Unusable(f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not len(numbers):
        raise _Unusable("there is no line below the head", line=1)
    return heads, numbers


def _heads(line: str) -> list[str]:
    """The heads in the first line."""
    if not line.strip():
        raise _Unusable("the first line is empty" if line else "the file is empty", line=1)
    heads = next(csv.reader([line]))
    if len(heads) == 1 and (";" in line or "\t" in line):
        problem = "the columns are not separated by commas"
        raise _Unusable(problem, "save it with commas, and points in the numbers", line=1)
    if any(isinstance(scalar(head.strip())[0], float | int) for head in heads):
        raise _Unusable("the first line holds numbers, not dotted paths", line=1)
    for i, head in enumerate(heads, start=1):
        if not head.strip():
            problem = f"column {i} has no name"
            raise _Unusable(problem, "R writes row names unless it is told `row.names = FALSE`", line=1)
        if _HEAD.fullmatch(head) is None:
            raise _Unusable(f"`{shown(head)}` is not a dotted path with a unit", line=1)
    paths = [_read_head(head)[0] for head in heads]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise _Unusable(f"`{shown(twice)}` heads two columns", "keep one of them", line=1)
    return heads


def _read_head(head: str) -> tuple[str, str]:
    """Dotted path and unit of a column; no unit for a plain number."""
    match = _HEAD.fullmatch(head)
    assert match is not None
    return match[1], "" if match[2] in (None, "1") else match[2]


def _numbers(file: Path, heads: list[str]) -> np.ndarray:
    """All numbers of the file, shape (runs, columns)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a file without numbers, which is told elsewhere
        try:
            form: dict[str, Any] = {"delimiter": ",", "quotechar": '"', "comments": None, "encoding": "utf-8-sig"}
            found = np.loadtxt(str(file.absolute()), skiprows=1, ndmin=2, **form)
        except UnicodeDecodeError:
            raise
        except ValueError as error:
            raise _mistakes(file, heads, one_line(error)) from None
    if len(found) and found.shape[1] != len(heads):
        raise _mistakes(file, heads, f"there are {found.shape[1]} numbers in a line")
    return found


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line below the head that is not empty."""
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if number > 1 and line.strip("\r\n"):
                yield number, line


def _line_of(file: Path, run: int) -> int | None:
    """Line of a run in the file."""
    return next((number for i, (number, _) in enumerate(_lines(file)) if i == run), None)


def _mistakes(file: Path, heads: list[str], otherwise: str) -> _Unusable:
    """The first lines that cannot be read, and why; `otherwise` tells if none is found."""
    made = _Unusable(f"the numbers cannot be read ({otherwise})")
    found: list[tuple[int | None, str, str]] = []
    for line, text in _lines(file):
        found += [(line, *mistake) for mistake in _mistakes_in(next(csv.reader([text])), heads)]
        if len(found) >= MOST_TOLD:
            break
    made.found = found[:MOST_TOLD] or made.found
    return made


def _mistakes_in(cells: list[str], heads: list[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with a line, and hints."""
    if len(cells) != len(heads):
        hint = "write decimal points, not commas" if len(cells) == 2 * len(heads) else ""
        yield f"this line has {len(cells)} cells, the first line {len(heads)}", hint
        return
    for head, cell in zip(heads, cells, strict=True):
        if isinstance(scalar(cell.strip())[0], str | bool | None):
            problem = f"`{shown(cell)}` is not a number" if cell.strip() else "a cell is empty"
            hint = "the unit stands in the first line" if re.match(r"\s*[-+.0-9]", cell) else ""
            yield f"{problem} in the column `{_read_head(head)[0]}`", hint
