"""Scenario files laid over the ones they extend."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from simulator.errors import shown
from simulator.scenario.yaml.files import similar_name
from simulator.scenario.yaml.issues import ConfigError, Issue
from simulator.scenario.yaml.parser import read_file
from simulator.scenario.yaml.tree import Node

__all__ = ["read_chain"]

LONGEST_CHAIN = 8


def read_chain(path: Path, issues: list[Issue], chain: tuple[str, ...]) -> tuple[str, Node]:
    """A file laid over the one it extends, and so on."""
    text, tree = read_file(path, issues)
    if not isinstance(tree.content, dict):
        kinds = {list: "the file holds a list", type(None): "the file is empty"}
        problem = kinds.get(type(tree.content), "the file holds a single value")
        raise ConfigError(
            [Issue(str(path), tree.place.line, tree.place.column, "", problem, "a scenario: `key: value` lines")]
        )
    if "extends" not in tree.content:
        return text, tree
    base, place = tree.content["extends"].content, tree.keys["extends"]
    own = Node({k: v for k, v in tree.content.items() if k != "extends"}, tree.place, tree.keys)
    chain = (*chain, os.path.realpath(path))
    problem, hint = _wrong_base(base, path, chain)
    if problem:
        expected = "the path of a scenario file, seen from this one"
        raise ConfigError([*issues, Issue(place.file, place.line, place.column, "extends", problem, expected, hint)])
    try:
        _, below = read_chain(Path(os.path.normpath(path.parent / base)), issues, chain)
    except ConfigError as error:
        raise ConfigError([*issues, *error.issues]) from None
    return text, merged(below, own)


def _wrong_base(base: Any, path: Path, chain: tuple[str, ...]) -> tuple[str, str]:
    """Why a file cannot be extended, and a hint; empty if it can."""
    if not isinstance(base, str) or "\0" in base:
        return "this is not a file name", ""
    if os.path.isabs(base) or base.startswith("~"):
        return f"`{base}` is an absolute path", ""
    if not base.endswith((".yaml", ".yml")):
        return f"`{base}` is not a YAML file", ""
    if os.path.realpath(path.parent / base) in chain:
        return f"`{base}` extends this file in turn", ""
    if len(chain) > LONGEST_CHAIN:
        return f"more than {LONGEST_CHAIN} files extend each other", ""
    file = Path(os.path.normpath(path.parent / base))
    return ("", "") if file.exists() else (f"there is no file `{shown(base)}`", similar_name(file))


def merged(base: Node, over: Node) -> Node:
    """One tree laid over another.

    Mappings merge key by key, anything else replaces; an empty value takes the base's key away, and a
    mechanism of another law replaces the whole mechanism.
    """
    if not isinstance(base.content, dict) or not isinstance(over.content, dict) or _other_law(base, over):
        return over
    content, keys = dict(base.content), dict(base.keys)
    for key, node in over.content.items():
        if node.content is None and key in base.content:
            del content[key], keys[key]
        else:
            content[key] = merged(base.content[key], node) if key in base.content else node
            keys[key] = over.keys[key]
    return Node(content, over.place, keys)


def _other_law(base: Node, over: Node) -> bool:
    laws = [node.child("law") for node in (base, over)]
    return all(law is not None for law in laws) and len({str(law.content) for law in laws if law is not None}) == 2
