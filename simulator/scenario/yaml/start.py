"""Fill in the state at which a scenario starts, from the data file that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simulator.errors import UsageError, shown, suggestion
from simulator.scenario.complaints import Complaint
from simulator.scenario.quantity import SiNumber
from simulator.scenario.start import STATE_KEYS
from simulator.scenario.yaml.issues import Issue
from simulator.scenario.yaml.overrides import OVERRIDE
from simulator.scenario.yaml.tree import Node, find_place
from simulator.scenario.yaml.validation import issue_at

__all__ = ["ReadEnd", "started"]

#: Reads the end of the run with this number (None: not given) in a file, as the keys of
#: :class:`~simulator.scenario.start.Start`. What is wrong with the run is a UsageError.
ReadEnd = Callable[[Path, int | None], Mapping[str, Any]]


def started(data: Any, tree: Node, read_end: ReadEnd) -> list[Issue]:
    """Put the saved state into the data of a scenario that names a file without its state; return what is wrong.

    A path in a file is relative to that file, one from the command line to the working directory.
    """
    start = data.get("start") if isinstance(data, dict) else None
    if not isinstance(start, dict) or not isinstance(start.get("from"), str):
        return []
    named = find_place(tree, ("start", "from"))[0]
    if _has_state(tree):
        return []
    run = start.get("run")
    if run is not None and (isinstance(run, bool) or not isinstance(run, int | float) or run != int(run)):
        return []  # told by the validation
    folder = Path() if named.file == OVERRIDE else Path(named.file).parent
    path = folder / start["from"]
    problem, hint = _missing(path, start["from"])
    state: Mapping[str, Any] = {}
    if not problem:
        try:
            state = read_end(path, None if run is None else int(run))
        except UsageError as error:
            problem, hint = f"{start['from']}: {error.problem}", error.hint
    if not problem and start.get("sha256", state["sha256"]) != state["sha256"]:
        problem, hint = f"{start['from']} is another file: its SHA-256 is {state['sha256']}", "leave out `sha256`"
    if problem:
        del data["start"]  # the rest is checked as if it were not there
        return [issue_at(tree, Complaint(("start", "from"), problem, "", hint))]
    unknown = {key: value for key, value in start.items() if key not in STATE_KEYS}
    data["start"] = unknown | {key: _si(value) for key, value in state.items()}
    return []


def _has_state(tree: Node) -> bool:
    """Whether the state is written beside the file's name; one that was written elsewhere belongs to another name."""
    places = [find_place(tree, ("start", key)) for key in ("from", "amounts")]
    return places[1][1] and places[0][0].file == places[1][0].file


def _missing(path: Path, name: str) -> tuple[str, str]:
    """Say that there is no such file, with a hint; both are empty if there is one."""
    if "\0" in name:
        return "this is not a file name", ""
    if path.exists():
        return "", ""
    folder = path.parent
    near = [entry.name for entry in folder.iterdir()][:1000] if folder.is_dir() else []
    return f"there is no file `{shown(name)}` (looked for {path})", suggestion(path.name, near)


def _si(value: Any) -> Any:
    """The same with every measured number marked as SI, because numbers in a file need units."""
    if isinstance(value, Mapping):
        return {key: _si(item) for key, item in value.items()}
    return SiNumber(value) if isinstance(value, float) else value
