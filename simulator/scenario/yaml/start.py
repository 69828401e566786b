"""Fill in the state at which a scenario starts, from the data file that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simulator.errors import UsageError, shown, similar_file
from simulator.physics.notation import duration
from simulator.scenario.complaints import Complaint
from simulator.scenario.quantity import SiNumber
from simulator.scenario.start import MOST_RUNS, STATE_KEYS
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
    if not isinstance(start, dict) or not isinstance(start.get("from"), str) or _has_state(tree):
        return []
    run = start.get("run")
    if run is not None and not _counts(run):
        return []  # told by the validation
    try:
        state = _read(start, tree, read_end)
    except UsageError as error:
        del data["start"]  # the rest is checked as if it were not there
        return [issue_at(tree, Complaint(("start", "from"), error.problem, "", error.hint))]
    others = {key: value for key, value in start.items() if key not in STATE_KEYS}
    data["start"] = others | {key: _si(value) for key, value in state.items()}
    return []


def _read(start: Mapping[str, Any], tree: Node, read_end: ReadEnd) -> Mapping[str, Any]:
    """The state that a file ends with; a UsageError says why it cannot be had."""
    name, run = start["from"], start.get("run")
    place = find_place(tree, ("start", "from"))[0]
    path = (Path() if place.file == OVERRIDE else Path(place.file).parent) / name
    _require_there(path, name)
    try:
        state = read_end(path, None if run is None else int(run))
    except UsageError as error:
        raise UsageError(f"{shown(name)}: {error.problem}", error.hint) from None
    if start.get("sha256", state["sha256"]) != state["sha256"]:
        raise UsageError(f"{shown(name)} is another file: its SHA-256 is {state['sha256']}", "leave out `sha256`")
    written, found = find_place(tree, ("start", "time"))
    if found and written.file == place.file:
        problem = f"{shown(name)} has only the state that it ends with, at {duration(state['time'])}"
        raise UsageError(problem, "leave out `time`; to start earlier, run that scenario for a shorter time")
    return state


def _counts(run: object) -> bool:
    """Whether this can be the number of a run."""
    return isinstance(run, int | float) and not isinstance(run, bool) and abs(run) <= MOST_RUNS and run == int(run)


def _has_state(tree: Node) -> bool:
    """Whether the state is written beside the file's name; one that was written elsewhere belongs to another name."""
    places = [find_place(tree, ("start", key)) for key in ("from", "amounts")]
    return places[1][1] and places[0][0].file == places[1][0].file


def _require_there(path: Path, name: str) -> None:
    """Raise UsageError if there is no such file, with the name that may be meant."""
    try:
        if path.exists():
            return
        near = [entry.name for entry in path.parent.iterdir()][:1000] if path.parent.is_dir() else []
    except (OSError, ValueError) as error:
        problem = f"`{shown(name)}` cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(problem) from None
    where = f" (looked for {path})" if str(path) != name else ""
    raise UsageError(f"there is no file `{shown(name)}`{where}", similar_file(path.name, near))


def _si(value: Any) -> Any:
    """The same with every measured number marked as SI, because numbers in a file need units."""
    if isinstance(value, Mapping):
        return {key: _si(item) for key, item in value.items()}
    return SiNumber(value) if isinstance(value, float) else value
