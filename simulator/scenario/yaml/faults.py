"""Explain errors of YAML syntax in plain words, at the place to correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Fault", "explain"]


@dataclass(frozen=True)
class Fault:
    """A fault at a line and column (from 1), with a hint."""

    line: int
    column: int
    problem: str
    hint: str = ""


def explain(problem: str | None, context: str | None, at: Any, since: Any, text: str) -> Fault:
    """Turn an error of the YAML parser into a fault.

    Parameters
    ----------
    problem, context : str or None
        The parser's messages.
    at, since : mark or None
        Where the parser stopped, and where the element it was reading began; ``line`` and ``column`` from 0.
    text : str
        The whole text.
    """
    problem, context = problem or "", context or ""
    at = at or since
    line, column = (at.line + 1, at.column + 1) if at is not None else (1, 1)
    start = (since.line + 1, since.column + 1) if since is not None else (line, column)
    if "'\\t'" in problem or _tab_indents(text, line):
        return Fault(line, column, "there is a tab in the indentation", "indent with spaces only")
    if "flow sequence" in context or "flow mapping" in context:
        opened, closing = ("[", "]") if "sequence" in context else ("{", "}")
        noticed = f"`{opened}` is not closed (noticed in line {line})"
        if line == start[0] and "stream end" not in problem:
            return Fault(line, column, f"a comma or `{closing}` is missing here", "")
        return Fault(*start, noticed, f"add `{closing}`")
    if "quoted scalar" in context and "escape" not in problem:
        return Fault(*start, "the quote that opens here is not closed", "add the closing quote")
    if "could not find expected ':'" in problem:
        return Fault(*start, "there is no colon after this key", "write `key: value`")
    if "mapping values are not allowed" in problem:
        return _misplaced_colon(line, column, text)
    if "expected <block end>" in problem:
        if "mapping start" in problem or "'?'" in problem or "'-'" in problem or "sequence start" in problem:
            return Fault(line, column, "this line is not indented like the others of its block", "align it with them")
        return Fault(line, column, "this does not belong here", "quote the text, or put it on a line of its own")
    if "cannot start any token" in problem:
        sign = text.splitlines()[line - 1][column - 1 : column] if line <= len(text.splitlines()) else ""
        return Fault(line, column, f"a value cannot start with `{sign}`", "put it in quotes")
    if "did not find expected" in problem or "expected the node content" in problem:
        return Fault(line, column, "a value is missing here")
    return Fault(line, column, f"this is not valid YAML: {problem or context}")


def _tab_indents(text: str, line: int) -> bool:
    """Whether the indentation of the given line contains a tab."""
    lines = text.split("\n")
    if not 0 < line <= len(lines):
        return False
    shown = lines[line - 1]
    return "\t" in shown[: len(shown) - len(shown.lstrip())]


def _misplaced_colon(line: int, column: int, text: str) -> Fault:
    """Explain an unexpected colon: two in one line, none in the line above, or a wrong indentation."""
    lines = text.split("\n")
    own = lines[line - 1] if line <= len(lines) else ""
    if own.count(": ") + own.rstrip().endswith(":") >= 2 and "{" not in own:
        return Fault(line, column, "there are two colons in this line", "put the text in quotes, or break the line")
    written = [n for n in range(1, line) if lines[n - 1].strip() and not lines[n - 1].lstrip().startswith("#")]
    above = written[-1] if written else line
    before = lines[above - 1].split(" #")[0].rstrip()
    start = _indent(before) + 1
    if ":" not in before:
        return Fault(above, start, "there is no colon after this key", "write `key: value`")
    if ": " not in before and not before.endswith(":"):
        return Fault(above, before.index(":") + 1, "there is no space after this colon", "write `key: value`")
    if len(written) > 1 and _indent(lines[written[-2] - 1]) == _indent(own) != _indent(before):
        return Fault(above, start, "this line is not indented like the others of its block", "align it with them")
    return Fault(line, _indent(own) + 1, "this line is indented too far; the line above already has a value")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
