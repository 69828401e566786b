"""Which rates hold a given state at rest: the inverse of :mod:`simulator.verdict.steady`.

The state is that at t = 0, with gates at their steady values. How it is solved: :mod:`simulator.verdict.unknowns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.errors import IonfluxError, UsageError, shown, suggestion
from simulator.model.kinetics import rate_numbers
from simulator.model.model import Model
from simulator.model.restated import gate_starts
from simulator.scenario.paths import ending_in, shortest_ending
from simulator.scenario.scenario import Scenario
from simulator.verdict.rest import REST, newton_step, scaled_lengths
from simulator.verdict.slopes import Slopes
from simulator.verdict.unknowns import PART, Unknowns
from simulator.verdict.why_not_held import impossible, left_over

__all__ = ["Balance", "NotBalanced", "balance"]

#: Rate of change, relative to the flows that meet in it, that is zero up to rounding.
NOTHING = 1.0e-9


@dataclass(frozen=True)
class Balance:
    """Rates that hold a state at rest, or come as close to it as they can.

    Parameters
    ----------
    scenario : Scenario
        The scenario with the given values.
    given, values : dict of str to float
        Given and found values by dotted path, SI.
    residual : float
        Largest rate of change that is left, relative to the flows that meet in it.
    distance : float
        Scaled distance of the state to rest, as a verdict measures it.
    directions : tuple of dict
        Changes that leave the state at rest: relative change (absolute for a number that is zero) by key.
    leftovers : dict of str to float
        Rate of change that is left of each state that is not held, SI, the worst first.
    starts : dict of str to float
        By dotted path, where gates rest for which the scenario has start values.
    """

    scenario: Scenario
    given: dict[str, float]
    values: dict[str, float]
    residual: float
    distance: float
    directions: tuple[dict[str, float], ...]
    leftovers: dict[str, float]
    starts: dict[str, float]

    @property
    def held(self) -> Scenario:
        """The scenario with the values found, which rests in its initial state."""
        return self.scenario.with_values(self.values | self.starts)

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Keys that the state does not determine."""
        return tuple(key for key in self.values if any(key in direction for direction in self.directions))


class NotBalanced(IonfluxError):
    """No values of the free keys hold the state.

    Attributes
    ----------
    found : Balance
        The values that come closest, possibly impossible ones.
    """

    kind = "nothing_found"

    def __init__(self, problems: Sequence[str], found: Balance) -> None:
        super().__init__("\n".join(problems))
        self.problems, self.found = tuple(problems), found


def balance(scenario: Scenario, free: Sequence[str]) -> Balance:
    """Find the rates that hold the initial state of a scenario at rest.

    Parameters
    ----------
    scenario : Scenario
        The cell, with the potential and the concentrations that were measured. Events of its protocol do not matter.
    free : sequence of str
        Numbers of mechanisms to be found, by dotted path or by an ending of it that is unique: ``pump.max_rate``.

    Returns
    -------
    Balance
        With more free numbers than the state determines, the ones that change the given values least.

    Raises
    ------
    UsageError
        When a key is not a number of a mechanism.
    NotBalanced
        When no allowed values hold the state.
    """
    model = Model.of(scenario.with_protocol(()))
    keys = _keys(model, free)
    _require_potential(model)
    unknowns = Unknowns(model, keys)
    values = unknowns.solved()
    state, parameters = unknowns.at(values)
    rates, imbalance = unknowns.left(values)
    size = np.maximum(np.abs(state), model.scales())
    step, _ = newton_step(unknowns.equations, state, parameters, size)
    distance = float(scaled_lengths(step[None], size[None])[0])
    worst = [s for s in sorted(imbalance, key=lambda s: -imbalance[s]) if imbalance[s] > NOTHING]
    found = Balance(
        scenario,
        dict(zip(keys, unknowns.given.tolist(), strict=True)),
        dict(zip(keys, values.tolist(), strict=True)),
        max(imbalance.values(), default=0.0),
        distance,
        _directions(unknowns, values),
        {} if distance < REST else {s: rates[s] for s in worst},
        gate_starts(model, dict(zip(model.structure.states, state.tolist(), strict=True))),
    )
    slopes = Slopes(model.structure, state, parameters)
    if found.leftovers:
        names = ", ".join(shortest_ending(key, model.values) for key in keys)
        still = left_over(model, slopes, found.leftovers, imbalance)
        problem = f"{scenario.name}: no values of {names} hold this state; the closest ones still change {still}"
        raise NotBalanced([problem], found)
    wrong = [i for i, key in enumerate(keys) if not unknowns.allowed(key, found.values[key])]
    if wrong:
        told = [impossible(model, slopes, keys[i], found.values[keys[i]], unknowns.growth[i]) for i in wrong]
        raise NotBalanced(told, found)
    return found


def _directions(unknowns: Unknowns, values: np.ndarray) -> tuple[dict[str, float], ...]:
    """Changes of the free numbers that leave the state at rest, each with a number of its own whose part is 1."""
    sizes, _ = unknowns.scales
    rows = unknowns.open(values, np.zeros(len(values), dtype=bool)) * sizes / np.where(values, np.abs(values), 1.0)
    for i in range(len(rows)):
        j = int(np.argmax(np.abs(rows[i])))
        rows[i] /= rows[i, j]
        others = [k for k in range(len(rows)) if k != i]
        rows[others] -= rows[others, j, None] * rows[i]
    return tuple(
        {key: float(part) for key, part in zip(unknowns.keys, row, strict=True) if abs(part) > PART} for row in rows
    )


def _keys(model: Model, free: Sequence[str]) -> tuple[str, ...]:
    """Whole paths of the free numbers."""
    known, found = rate_numbers(model), list[str]()
    for text in free:
        named = ending_in(text, known)
        if len(named) > 1:
            raise UsageError(f"`{text}` names {' and '.join(named)}", "write more of the path")
        if not named:
            taken = ending_in(text, model.values)
            problem = "is no number of a mechanism" if taken else "is no number of this scenario"
            near = suggestion(text, [*known, *(".".join(key.split(".")[-2:]) for key in known)])
            raise UsageError(f"`{shown(text)}` {problem}", near or "for example pump.max_rate; `validate` lists all")
        if named[0] in found:
            raise UsageError(f"{named[0]} is to be found twice", "name it once")
        found += named
    if not found:
        raise UsageError("no number is named that is to be found", "for example pump.max_rate")
    return tuple(found)


def _require_potential(model: Model) -> None:
    """Refuse an electroneutral scenario that does not say at which potential its state was measured."""
    scenario = model.scenario
    if scenario.start is not None or model.structure.formulation != "electroneutral":
        return
    for c in model.structure.compartments:
        around = [name for name, m in scenario.membranes.items() if m.inside == c.name]
        if c.potential == "free" and all(scenario.membranes[name].potential is None for name in around):
            where = f"membranes.{around[0]}.potential" if around else f"a potential of {c.name}"
            raise UsageError(
                f"{where} is missing: the potential at which {c.name} is to be held", "e.g. potential: -70 mV"
            )
