"""Straight-line statements -> functions of the rows of a kernel's workspace.

A statement assigns numbers to names. A name lives in a row of the workspace if a function needs it that did not
compute it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

#: A name in a statement that is neither a function nor part of a number.
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*\b(?!\()")

#: Names that mean the same in all lanes.
COMMON = frozenset({"FARADAY", "COLLAPSED"})

#: Most statements of one function: optimising one takes time that grows faster than its length.
LONGEST = 400


class RowFunctions:
    """Writer of functions that all lanes execute, and of the rows that their names need.

    Parameters
    ----------
    rows : mapping of str to int
        Rows of names that the caller has placed.
    end : int
        First free row.
    """

    def __init__(self, rows: Mapping[str, int], end: int) -> None:
        self.rows, self.end = dict(rows), end
        #: Source lines of the functions written so far.
        self.source: list[str] = []

    def placed(self, names: Iterable[str]) -> int:
        """Give names consecutive rows; return the first."""
        first = self.end
        for name in names:
            self.rows[name] = self.end
            self.end += 1
        return first

    def write(
        self,
        name: str,
        statements: Sequence[str],
        kept: Iterable[str],
        doc: str,
        numbers: str = "LANES",
        together: str = "TOGETHER",
    ) -> list[str]:
        """Write functions that execute statements and leave the names `kept` in their rows; return how to call them.

        They do so for the first `numbers` of each row, `together` at once.
        """
        parts = [statements[i : i + LONGEST] for i in range(0, len(statements), LONGEST)]
        wanted, plans = set(kept), []
        for part in reversed(parts):
            needed, assigned = _names(part)
            stored = [name for name in assigned if name in wanted]
            self.placed(name for name in dict.fromkeys((*needed, *stored)) if name not in self.rows)
            plans.append((part, needed, stored))
            wanted = (wanted - set(assigned)) | set(needed)
        calls = []
        for number, (part, needed, stored) in enumerate(reversed(plans)):
            called = name if len(plans) == 1 else f"{name}_{number + 1}"
            lines = [f"{name} = work[{self.rows[name]}]" for name in needed] + list(part)
            self.function(
                called, [*lines, *(f"work[{self.rows[name]}] = {name}" for name in stored)], numbers, doc, together
            )
            calls.append(f"{called}(work)")
        return calls

    def function(self, name: str, lines: Iterable[str], numbers: str, doc: str, together: str = "TOGETHER") -> None:
        """Write a function of rows, each of so many numbers."""
        self.source += ["", "", f"@over_rows({numbers}, {together}, LANES)", f"def {name}(work):", f'    """{doc}"""']
        self.source += [f"    {line}" for line in lines]


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


def just_in_time(supply: Sequence[str], demand: Sequence[str]) -> list[str]:
    """Statements of `demand` in order, each after those of `supply` that it needs and nobody needed before.

    What is computed late waits in a register for a short time and not in memory for a long one. Names in `supply` are
    assigned once; what nobody needs is left out.
    """
    sources = {statement.partition(" = ")[0]: statement for statement in supply}
    found: list[str] = []

    def bring(statement: str) -> None:
        for name in NAME.findall(statement.partition(" = ")[2]):
            if name in sources:
                bring(sources.pop(name))
        found.append(statement)

    for statement in demand:
        bring(statement)
    return found


def renamed(statements: Sequence[str], new: Callable[[str], str]) -> list[str]:
    """Statements with other names."""
    return [NAME.sub(lambda match: new(match[0]), statement) for statement in statements]
