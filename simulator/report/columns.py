"""Plain text in columns: ASCII within :data:`WIDTH` columns, the same in a terminal, a pipe and a file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

#: Maximum line length.
WIDTH = 100


def definitions(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of labels and texts, the texts aligned and wrapped."""
    lines = []
    for label, text in rows:
        wrapped = textwrap.wrap(text, WIDTH - 22) or [""]
        lines.append(f"  {label:<19} {wrapped[0]}")
        lines += [f"  {'':<20}{more}" for more in wrapped[1:]]
    return lines


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: columns fit their cells, text is left-aligned, numbers are right-aligned."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    text = [all(not _looks_like_number(cell) for cell in column[2:]) for column in columns]
    lines = []
    for row in rows:
        cells = [cell.ljust(w) if left else cell.rjust(w) for cell, w, left in zip(row, widths, text, strict=True)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def _looks_like_number(cell: str) -> bool:
    return cell[:1].isdigit() or (cell[:1] == "-" and len(cell) > 1)


def beside(label: str, a: str, b: str) -> list[str]:
    """Lines of a label and two texts in three columns, each wrapped."""
    narrow = (WIDTH - 40) // 2 - 1
    indent = label[: len(label) - len(label.lstrip())]
    cells = [indent + part for part in _path_lines(label.strip(), 38 - len(indent))]
    rows = zip_longest(cells, textwrap.wrap(a, narrow), textwrap.wrap(b, narrow), fillvalue="")
    return [f"{left:<40} {middle:<{narrow}} {right}".rstrip() for left, middle, right in rows]


def _path_lines(text: str, width: int) -> list[str]:
    """Break a dotted path into lines at its dots."""
    lines = [""]
    for part in re.findall(r"[^.]*\.?", text):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("  ")
        lines[-1] += part
    return lines
