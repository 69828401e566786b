"""Read a scenario file as text, with a plain message for every kind of unsuitable file."""

from __future__ import annotations

import re
from pathlib import Path

from simulator.errors import similar_file
from simulator.scenario.yaml.issues import ConfigError, Issue

__all__ = ["read_text", "similar_name"]

LARGEST_FILE = 2**20

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file of bounded size.

    Raises
    ------
    ConfigError
        If the file is not one, or cannot be read.
    """
    return _decoded(_bytes_of(path), str(path))


def similar_name(path: Path) -> str:
    """Hint that suggests a file with a name like that of a missing one; empty without one."""
    folder = path.parent if path.parent.is_dir() else Path()
    return similar_file(path.name, [entry.name for entry in folder.iterdir()][:1000])


def _bytes_of(path: Path) -> bytes:
    def refused(problem: str, hint: str = "") -> ConfigError:
        return ConfigError([Issue(str(path).replace("\0", "\\0"), None, None, "", problem, "", hint)])

    try:
        if path.is_dir():
            raise refused("this is a directory, not a scenario file")
        if not path.exists():
            raise refused("there is no such file", similar_name(path))
        if not path.is_file():
            raise refused("this is not a regular file")
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise refused(f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > LARGEST_FILE:
        raise refused(
            f"the file is larger than {LARGEST_FILE // 2**20} MiB, which no scenario needs", "is it a data file?"
        )
    return raw


def _decoded(raw: bytes, file: str) -> str:
    def refused(problem: str, hint: str = "", line: int | None = None, column: int | None = None) -> ConfigError:
        return ConfigError([Issue(file, line, column, "", problem, "", hint)])

    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or (raw and raw[:200].count(0) > len(raw[:200]) // 3):
        raise refused("the file is UTF-16 or binary, not UTF-8", "save it as UTF-8 text")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_and_column(raw[: error.start].decode("utf-8", "replace"))
        raise refused("the file is not UTF-8 text", "save it as UTF-8", line, column) from None
    if match := _UNPRINTABLE.search(text):
        line, column = _line_and_column(text[: match.start()])
        raise refused(f"the file contains a control character (code {ord(match[0])})", "delete it", line, column)
    if not text.strip():
        raise refused("the file is empty")
    return text


def _line_and_column(before: str) -> tuple[int, int]:
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1
