"""Scenario files with new values: what ``steady --write`` and ``balance --write`` leave behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario
    from simulator.scenario.yaml.reader import Loaded
    from simulator.verdict.steady import SteadyState


def refuse_target(target: Path, configs: Sequence[Path]) -> None:
    """Raise UsageError if a command cannot write its scenario there."""
    from simulator.storage.atomic import refuse_homeless
    from simulator.storage.datafile import SUFFIXES

    if len(configs) > 1:
        raise UsageError("--write takes one scenario", "call the command once for each")
    if configs[0].suffix in SUFFIXES:
        raise UsageError(f"{configs[0]} is a data file", "--write needs the YAML of the scenario")
    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{target} is not called .yaml", "for example --write at_rest.yaml")
    if target.exists():
        raise UsageError(f"{target} already exists", "choose another name")
    refuse_homeless(target)


def write_scenario(loaded: Loaded, config: Path, target: Path, values: Mapping[str, float]) -> None:
    """Write a scenario file with what ``--set`` changed and with new values, SI, which go before."""
    from simulator.scenario.yaml.rewriting import rewritten
    from simulator.storage.atomic import write_atomically

    given = {key: text for key, text in loaded.changes.items() if key.partition(".")[0] != "start"}
    text, extends = rewritten(config, loaded.text, target, given | dict(values), loaded.scenario)
    write_atomically(target, text.encode())
    print(f"{target} written" + (f"; it extends {config}" if extends else ""), file=sys.stderr)


def own_start(scenario: Scenario) -> dict[str, float]:
    """Initial values that replace the saved state from which a scenario starts; none if it starts from its own."""
    import numpy as np

    from simulator.kernel.inputs import initial_states
    from simulator.model.model import Model
    from simulator.trajectory.restart import initial_values
    from simulator.trajectory.trajectory import Trajectory

    if scenario.start is None:
        return {}
    model = Model.of(scenario.with_protocol(()))
    state = initial_states(model)
    return initial_values(Model.of(scenario), Trajectory.from_states(model, np.zeros(1), state[None]))


def write_at_rest(
    loaded: Loaded,
    config: Path,
    target: Path,
    first: SteadyState,
    announce: Callable[[str], None],
) -> None:
    """Write a scenario file that starts at the first rest point, or at that before the protocol changes anything."""
    from simulator.model.model import Model
    from simulator.trajectory.restart import initial_values
    from simulator.verdict.steady import before_changes, steady_states

    start = before_changes(loaded.scenario)
    if start.protocol != loaded.scenario.protocol:
        first = steady_states(start, announce)[0]
        print("the rest point that is written is that before the events of the protocol", file=sys.stderr)
    write_scenario(loaded, config, target, initial_values(Model.of(loaded.scenario), first.trajectory))
