"""Read the scenario of a command from YAML or a data file, apply ``--set`` and check its numbers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.model.model import Model
    from simulator.scenario.yaml.reader import Loaded

Configs = Annotated[
    list[Path], typer.Argument(help="Scenario (.yaml), data file (.h5) or directory of a sweep.", metavar="CONFIG...")
]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="Start from the last saved state in this data file or sweep."),
]
FromRun = Annotated[int | None, typer.Option("--from-run", metavar="N", help="Run of the sweep given by --from.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value by its dotted path or its end; repeatable."),
]


#: Runs of a sweep that are checked together.
REMARKED_TOGETHER = 1 << 16


def with_start(overrides: list[str] | None, file: Path | None, run: int | None) -> list[str] | None:
    """The assignments of ``--set`` together with what ``--from`` and ``--from-run`` set."""
    if file is None:
        if run is not None:
            raise UsageError("--from-run needs --from", "for example --from sweep_dir --from-run 17")
        return overrides
    start = {"from": str(file)} | ({} if run is None else {"run": run})
    return [f"start={json.dumps(start, ensure_ascii=False)}", *(overrides or [])]


def read_source(path: Path, overrides: list[str] | None) -> Loaded:
    """Read a scenario from YAML, a data file or the directory of a sweep, apply ``--set`` and check its numbers."""
    from simulator.scenario.yaml.reader import from_resolved
    from simulator.storage.datafile import SUFFIXES
    from simulator.storage.start import load_config

    saved = path.suffix in SUFFIXES or path.is_dir()
    if saved and overrides:
        raise UsageError(
            "--set and --from cannot change a data file, which repeats its own run",
            "give its YAML; --from FILE.h5 continues from its end",
        )
    if path.is_dir():
        loaded = _of_sweep(path)
    elif saved:
        from simulator.storage.store import stored_scenario

        loaded = from_resolved(stored_scenario(path))
    else:
        loaded = load_config(path, assignments(overrides))
    return _with_numbers_checked(loaded)


def _of_sweep(path: Path) -> Loaded:
    """The scenario in the directory of a sweep, with the design that is kept there."""
    from simulator.scenario.yaml.reader import Loaded
    from simulator.storage.folder import Folder

    folder = Folder.existing(path)
    if folder is None:
        raise UsageError(f"{path} is a directory without a sweep in it", "give a scenario (.yaml) or a data file (.h5)")
    return Loaded(folder.scenario, folder.config_text, dict.fromkeys(folder.scenario.leaves(), "data file"))


def _with_numbers_checked(loaded: Loaded) -> Loaded:
    """Add warnings of unusual values; raise if numbers contradict each other, or a rate has no value at the start."""
    from simulator.errors import ModelError
    from simulator.model.model import Model
    from simulator.scenario.yaml.issues import ConfigError

    model = Model.of(loaded.scenario)
    try:
        model.initial_state()
        model.events()
    except ModelError as error:
        raise ConfigError((loaded.issue(error.key, error.problem, error.expected, error.hint),)) from None
    found = _remarks(model)
    fatal = tuple(loaded.issue(key, text, "a finite value at the start") for key, text, fatal in found if fatal)
    if fatal:
        raise ConfigError(fatal)
    more = tuple(loaded.issue(key, text) for key, text, _ in found)
    return replace(loaded, warnings=(*loaded.warnings, *more))


def _remarks(model: Model) -> list[tuple[str, str, bool]]:
    """Key and text of each remark on a scenario, and whether it ends the command; a sweep counts the runs concerned."""
    from simulator.model.remarks import remarks

    if model.scenario.sweep is None:
        return [(remark.key, remark.text, remark.fatal) for remark in remarks(model)]
    from simulator.runs.design import design_of

    design = design_of(model.scenario)
    runs, texts = Counter[str](), dict[str, str]()
    for start in range(0, design.runs, REMARKED_TOGETHER):
        for remark in remarks(model, design.part(start, start + REMARKED_TOGETHER)):
            runs[remark.key] += int(remark.where.sum())
            texts.setdefault(remark.key, remark.text)
    every = design.runs
    # A sweep goes on: a run that cannot begin is one of its failed runs.
    return [
        (k, text if runs[k] == every else f"in {runs[k]:,} of {every:,} runs, {text}", False)
        for k, text in texts.items()
    ]


def assignments(overrides: list[str] | None) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a mapping."""
    found: dict[str, str] = {}
    for text in overrides or []:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {text!r} is not KEY=VALUE", "for example --set run.duration='2 h'")
        found[key.strip()] = value.strip()
    return found
