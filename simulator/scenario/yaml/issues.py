"""Issues: the problems of a scenario file, with their places and what was expected."""

from __future__ import annotations

from simulator.errors import FileError, Issue

__all__ = ["ConfigError", "Issue"]


class ConfigError(FileError):
    """A scenario that cannot be used."""
