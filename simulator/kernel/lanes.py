"""Straight-line statements -> loops over the lanes of a kernel, which the compiler turns into vector code.

A statement assigns numbers to names. A name lives in a row of the workspace if a loop needs it that did not compute it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

#: A name in a statement that is neither a function nor part of a number.
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*\b(?!\()")

#: Names that mean the same in all lanes.
COMMON = frozenset({"FARADAY", "COLLAPSED", "LANES", "max_steps"})

#: Most statements of one loop: optimising and vectorising one takes time that grows faster than its length.
LONGEST = 200


class Lanes:
    """Writer of loops over lanes, and of the rows that their names need.

    Parameters
    ----------
    rows : mapping of str to int
        Rows of names that the caller has placed.
    end : int
        First free row.
    """

    def __init__(self, rows: Mapping[str, int], end: int) -> None:
        self.rows, self.end = dict(rows), end
        self._written = 0

    def placed(self, names: Iterable[str]) -> int:
        """Give names consecutive rows; return the first."""
        first = self.end
        for name in names:
            self.rows[name] = self.end
            self.end += 1
        return first

    def loops(self, statements: Sequence[str], kept: Iterable[str], indent: str) -> list[str]:
        """Source lines of loops that execute statements and leave the names `kept` in their rows."""
        parts = [statements[i : i + LONGEST] for i in range(0, len(statements), LONGEST)]
        wanted, found = set(kept), []
        for part in reversed(parts):
            needed, assigned = _names(part)
            stored = [name for name in assigned if name in wanted]
            for name in (*needed, *stored):
                if name not in self.rows:
                    self.placed([name])
            found.append(self._loop(part, needed, stored, indent))
            wanted = (wanted - set(assigned)) | set(needed)
        return [line for loop in reversed(found) for line in loop]

    def _loop(self, statements: Sequence[str], loaded: list[str], stored: list[str], indent: str) -> list[str]:
        inner, lane, places = f"{indent}    ", f"lane{self._written}", {}
        for name in (*loaded, *stored):
            places[name] = f"work[{self.rows[name]} * LANES + {lane}]"
        lines = _assigned_once([
            *(f"{name} = {places[name]}" for name in loaded),
            *statements,
            *(f"{places[name]} = {name}" for name in stored),
        ], f"_{self._written}", {lane})
        self._written += 1
        return [f"{indent}for {lane} in range(LANES):", *(inner + line for line in lines)]


def _names(statements: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names that statements use before they assign them, and names that they assign, in order."""
    needed: dict[str, None] = {}
    assigned: dict[str, None] = {}
    for statement in statements:
        targets, _, value = statement.partition(" = ")
        for name in NAME.findall(value):
            if name not in assigned and name not in COMMON:
                needed.setdefault(name)
        assigned |= dict.fromkeys(NAME.findall(targets))
    return list(needed), list(assigned)


def _assigned_once(statements: Sequence[str], ending: str, kept: set[str]) -> list[str]:
    """The same statements with a new name at each assignment.

    Numba's analysis of names that are assigned several times takes time that grows with the square of their number.
    """
    times: dict[str, int] = {}

    def current(match: re.Match[str]) -> str:
        name = match[0]
        if name in COMMON or name in kept or name == "work":
            return name
        return f"{name}{ending}" + "x" * times.get(name, 0)

    found = []
    for statement in statements:
        targets, _, value = statement.partition(" = ")
        value = NAME.sub(current, value)
        if not targets.startswith("work["):
            for name in NAME.findall(targets):
                times[name] = times[name] + 1 if name in times else 0
        found.append(f"{NAME.sub(current, targets)} = {value}")
    return found


def renamed(statements: Sequence[str], new: Callable[[str], str]) -> list[str]:
    """Statements with other names."""
    return [NAME.sub(lambda match: new(match[0]), statement) for statement in statements]
