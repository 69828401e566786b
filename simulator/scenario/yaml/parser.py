"""YAML files and texts to trees of nodes; the only module that imports the YAML parser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from simulator.scenario.yaml.composer import Composer, Event
from simulator.scenario.yaml.faults import explain
from simulator.scenario.yaml.files import read_text
from simulator.scenario.yaml.issues import ConfigError, Issue
from simulator.scenario.yaml.tree import Node

_KINDS: dict[type, Any] = {
    DocumentStartEvent: "document",
    MappingStartEvent: "mapping",
    SequenceStartEvent: "list",
    ScalarEvent: "scalar",
    AliasEvent: "alias",
    MappingEndEvent: "close",
    SequenceEndEvent: "close",
    StreamEndEvent: "end",
}


def read_file(path: Path, issues: list[Issue]) -> tuple[str, Node]:
    """Text and tree of a YAML file; recoverable problems are added to `issues`."""
    text = read_text(path)
    return text, composed(text, str(path), issues)


def composed(text: str, file: str, issues: list[Issue]) -> Node:
    """Tree of a YAML text; recoverable problems are added to `issues`."""
    return Composer(_events(text, file, issues), file, issues).document()


def _events(text: str, file: str, issues: list[Issue]) -> Iterator[Event]:
    """What the YAML parser meets, its errors in plain words."""
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if (kind := _KINDS.get(type(event))) is not None:
                yield Event(
                    kind,
                    event.start_mark.line + 1,
                    event.start_mark.column + 1,
                    str(getattr(event, "value", "")),
                    getattr(event, "tag", None),
                    getattr(event, "anchor", None),
                    plain=not getattr(event, "style", None),
                    end=(event.end_mark.line + 1, event.end_mark.column + 1),
                )
    except MarkedYAMLError as error:
        fault = explain(error.problem, error.context, error.problem_mark, error.context_mark, text)
        found = Issue(file, fault.line, fault.column, "", fault.problem, "", fault.hint)
        raise ConfigError([*issues, found]) from None
    except ConfigError:
        raise
    except Exception:  # the parser has bugs of its own on odd bytes; no input may show a traceback
        raise ConfigError([*issues, Issue(file, None, None, "", "this is not YAML")]) from None
