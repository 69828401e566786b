"""Which rates hold a given state at rest: the inverse of :mod:`simulator.verdict.steady`.

The state is that at t = 0, with gates at their steady values. Its rates of change are linear in rate parameters, so one
Newton step by their exact derivatives solves for them, and a second one removes the rounding; other parameters take
more. Gates follow the parameters: their part is eliminated. Unknowns are scaled by the given values and equations by
the flows that meet in them, so a singular value tells what the equations leave open: there the given values change
as little as possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from simulator.errors import IonfluxError, UsageError, suggestion
from simulator.kernel import load_arrays
from simulator.kernel.inputs import initial_states
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.kinetics import parameters_by_key, rate_numbers
from simulator.model.model import Model
from simulator.model.names import concentration, voltage
from simulator.model.restated import gate_starts
from simulator.model.structure import MembraneStructure
from simulator.physics.notation import format_quantity, plain_number, with_unit
from simulator.scenario.paths import ending_in, shortest_ending
from simulator.scenario.quantity import Quantity
from simulator.scenario.scenario import Scenario
from simulator.trajectory.arrangement import named
from simulator.verdict.rest import REST, linearised, newton_step, scaled_lengths
from simulator.verdict.slopes import Slopes

__all__ = ["Balance", "Leftover", "NotBalanced", "balance", "held_starts"]

#: Newton steps, halvings of one, and the scaled step after which nothing is gained.
STEPS, HALVINGS, ARRIVED = 60, 30, 1.0e-14

#: Singular value, relative to the largest, that counts as zero, and least part of a direction that is told.
RANK, PART = 1.0e-11, 1.0e-6

#: Part of a number's given value below which a solution is zero up to rounding.
NOTHING = 1.0e-9


#: Unit of the rate of change of each kind of state.
UNITS = {"amount": "mol/s", "charge": "A", "potential": "mol/s", "volume": "m^3/s"}


@dataclass(frozen=True)
class Leftover:
    """A state whose rate of change does not vanish.

    Parameters
    ----------
    state : str
        Name of the state.
    rate : float
        What is left of its rate of change, in the SI unit of the state per second.
    imbalance : float
        The same relative to the flows that meet in it.
    """

    state: str
    rate: float
    imbalance: float


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
    leftovers : tuple of Leftover
        What is not at rest, the worst first; empty if the state is held.
    state : ndarray
        The state that is held, gates at their steady values.
    parameters : ndarray
        The parameters that hold it.
    """

    scenario: Scenario
    given: dict[str, float]
    values: dict[str, float]
    residual: float
    distance: float
    directions: tuple[dict[str, float], ...]
    leftovers: tuple[Leftover, ...]
    state: np.ndarray
    parameters: np.ndarray

    @property
    def held(self) -> Scenario:
        """The scenario with the values found, which rests in its initial state."""
        return self.scenario.with_values(self.values | held_starts(self))

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
    problem = _Problem(model, keys)
    found = problem.described(problem.solved())
    impossible = [key for key in keys if not problem.allowed(key, found.values[key])]
    if found.leftovers:
        raise NotBalanced([_unheld(found)], found)
    if impossible:
        raise NotBalanced([problem.why_impossible(key, found) for key in impossible], found)
    return found


def _keys(model: Model, free: Sequence[str]) -> tuple[str, ...]:
    """Whole paths of the free numbers."""
    known, found = rate_numbers(model), list[str]()
    for text in free:
        named = ending_in(text, known)
        if len(named) > 1:
            raise UsageError(f"--free {text} names {' and '.join(named)}", "write more of the path")
        if not named:
            taken = ending_in(text, model.values)
            problem = "is no number of a mechanism" if taken else "is no number of this scenario"
            near = suggestion(text, [*known, *(".".join(key.split(".")[-2:]) for key in known)])
            raise UsageError(f"--free {text} {problem}", near or "for example pump.max_rate; `validate` lists all")
        if named[0] in found:
            raise UsageError(f"--free names {named[0]} twice", "name it once")
        found += named
    if not found:
        raise UsageError("--free names no number", "for example --free pump.max_rate,na_leak.permeability")
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


class _Problem:
    """Rates of change of a state as a function of free numbers of the scenario."""

    def __init__(self, model: Model, keys: tuple[str, ...]) -> None:
        self.model, self.keys, self.structure = model, keys, model.structure
        self.equations = load_arrays(model.structure)
        # The amounts and volumes say it all, but for laws that count another charge than their ions carry.
        kinds = ("amount", "volume", "charge", "potential") if model.structure.open else ("amount", "volume")
        self.balanced = [name for kind in kinds for name in self.structure.states_of[kind]]
        names = [self.equations.STATES[i] for i in self.equations.BASIS]
        self.gates = [i for i, name in enumerate(names) if name in self.structure.gate_states]
        self.growth = parameters_by_key(model, keys)

    @cached_property
    def without_starts(self) -> dict[str, float]:
        """Values of the scenario without those at which gates start."""
        given = {
            f"membranes.{m.name}.mechanisms.{mechanism.owner}.{gate.start_key}"
            for m, mechanism, gate in self.structure.gates.values()
        }
        return {k: v for k, v in self.model.values.items() if k not in given and not k.startswith("start.gates.")}

    def at(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The state with gates at rest, and the parameters, at values of the free numbers."""
        changed = self.without_starts | dict(zip(self.keys, values.tolist(), strict=True))
        with np.errstate(all="ignore"):
            return initial_states(self.model, changed), self.model.parameters(changed)

    def linear(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rates of change, their derivatives by the free numbers, and the flows that meet in each."""
        state, parameters = self.at(values)
        slopes = Slopes(self.structure, state, parameters)
        rows = slopes.summed(slopes.of_flows, self.balanced)
        by_key = rows[:, len(state) :] @ self.growth.T
        if self.gates:
            _, jacobian = linearised(self.equations, state, parameters)
            inner = jacobian[np.ix_(self.gates, self.gates)]
            by_gate = rows[:, : len(state)] @ slopes.following[:, self.gates]
            by_key -= by_gate @ np.linalg.solve(inner, (slopes.by_parameter @ self.growth.T)[self.gates])
        gross = [sum(abs(n) * slopes.gross[c] for c, n in slopes.counts(s).items()) for s in self.balanced]
        return slopes.summed(slopes.flows, self.balanced), by_key, np.array(gross, dtype=float)

    def solved(self) -> np.ndarray:
        """Values at which the rates of change vanish, or are least; of several, those next to the given ones."""
        given, (sizes, _) = self.given, self.scales
        found, held = given.copy(), np.zeros(len(given), dtype=bool)
        for _ in given:
            found = self._newton(np.where(held, 0.0, given), held)
            found = np.where(np.abs(found) < NOTHING * sizes, 0.0, found)
            refused = np.array([not self.allowed(key, v) for key, v in zip(self.keys, found.tolist(), strict=True)])
            # With something left open, the least change may need what is impossible, and another one not.
            if not np.any(refused) or not len(self._open(found, held)):
                break
            held[np.argmin(np.where(refused, found / sizes, np.inf))] = True
        return found

    @cached_property
    def given(self) -> np.ndarray:
        """Given values of the free numbers."""
        return np.array([self.model.values[key] for key in self.keys])

    @cached_property
    def scales(self) -> tuple[np.ndarray, np.ndarray]:
        """Size of each free number, and of each rate of change.

        The first is the given value, or what moves as much as is moved already. The second is the flows that meet.
        """
        _, by_key, gross = self.linear(self.given)
        with np.errstate(all="ignore"):
            pull = np.max(np.abs(by_key) / np.where(gross > 0.0, gross, np.inf)[:, None], axis=0, initial=0.0)
            sizes = np.where(self.given != 0.0, np.abs(self.given), np.where(pull > 0.0, 1.0 / pull, 1.0))
        return sizes, gross + np.abs(by_key) @ sizes

    def _newton(self, values: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Newton's method from some values, those of `held` numbers left as they are."""
        (rate, by_key, _), (sizes, meeting) = self.linear(values), self.scales
        weight = 1.0 / np.where(meeting > 0.0, meeting, np.inf)
        length = np.linalg.norm(rate * weight)
        for _ in range(STEPS):
            matrix = by_key * weight[:, None] * np.where(held, 0.0, sizes)
            if not np.all(np.isfinite(matrix)) or not np.isfinite(length):
                return values
            step = np.linalg.lstsq(matrix, -rate * weight, rcond=RANK)[0] * np.where(held, 0.0, sizes)
            part = 1.0
            for _ in range(HALVINGS):
                rate, by_key, _ = self.linear(values + part * step)
                shorter = np.linalg.norm(rate * weight)
                if shorter < length or (part == 1.0 and shorter <= NOTHING):
                    break
                part /= 2.0
            else:
                return values
            values, length = values + part * step, shorter
            if np.max(np.abs(part * step) / sizes) < ARRIVED:
                return values
        return values

    def _open(self, values: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Scaled directions in which the free numbers can change at rest, shape (directions, keys)."""
        (_, by_key, _), (sizes, meeting) = self.linear(values), self.scales
        matrix = by_key / np.where(meeting > 0.0, meeting, np.inf)[:, None] * np.where(held, 0.0, sizes)
        _, singular, directions = np.linalg.svd(matrix)
        rank = int(np.sum(singular > RANK * max(singular, default=0.0))) if len(singular) else 0
        found = directions[rank:]
        return found[np.any(np.abs(found * ~held) > PART, axis=1)]

    def allowed(self, key: str, value: float) -> bool:
        """Whether a number may have this value."""
        quantity = self.model.scenario.leaves()[key].quantity
        return not isinstance(quantity, Quantity) or bool(quantity.allows(value))

    def described(self, values: np.ndarray) -> Balance:
        """The result at values of the free numbers."""
        sizes, meeting = self.scales
        state, parameters = self.at(values)
        rate, _, gross = self.linear(values)
        meeting = np.maximum(gross, meeting)
        imbalance = np.abs(rate) / np.where(meeting > 0.0, meeting, np.inf)
        size = np.maximum(np.abs(state), self.model.scales())
        step, _ = newton_step(self.equations, state, parameters, size)
        distance = float(scaled_lengths(step[None], size[None])[0])
        leftovers: tuple[Leftover, ...] = ()
        if not distance < REST:
            worst = [i for i in np.argsort(-imbalance) if imbalance[i] > NOTHING]
            leftovers = tuple(Leftover(self.balanced[i], float(rate[i]), float(imbalance[i])) for i in worst)
        per_value = sizes / np.where(values != 0.0, np.abs(values), 1.0)
        directions = tuple(
            {key: float(part) for key, part in zip(self.keys, row, strict=True) if abs(part) > PART}
            for row in _simple(self._open(values, np.zeros(len(values), dtype=bool)) * per_value)
        )
        return Balance(
            self.model.scenario,
            dict(zip(self.keys, self.given.tolist(), strict=True)),
            dict(zip(self.keys, values.tolist(), strict=True)),
            float(np.max(imbalance, initial=0.0)),
            distance,
            directions,
            leftovers,
            state,
            parameters,
        )

    def why_impossible(self, key: str, found: Balance) -> str:
        """Why a number cannot have the value that would hold the state."""
        quantity, value = self.model.scenario.leaves()[key].quantity, found.values[key]
        assert quantity is not None
        wanted = f"{shortest_ending(key, found.values)} would have to be {format_quantity(value, quantity.unit)}"
        slopes = Slopes(self.structure, found.state, found.parameters)
        growth = self.growth[self.keys.index(key)]
        for m, mechanism in self.structure.mechanisms:
            by_key = slopes.of_flows[f"{m.name}.{mechanism.label}"][len(found.state) :] @ growth
            if value < 0.0 and key.startswith(f"membranes.{m.name}.mechanisms.{mechanism.owner}.") and by_key:
                ways = {s: n * by_key > 0.0 for s, n in mechanism.moves.items()}
                wrong, right = (_ways(ways, turned) for turned in (True, False))
                numbers = named(self.structure, found.state, found.parameters)
                at = with_unit(float(numbers[voltage(m.name)]), "V") + self._nernst(m, mechanism, numbers)
                return f"{wanted}: {mechanism.label} would have to move {wrong}, but at {at} it can only move {right}"
        return f"{wanted}, which is out of range: expected {quantity.expected}"

    def _nernst(self, m: MembraneStructure, mechanism: Mechanism, numbers: Mapping[str, Any]) -> str:
        """Nernst potential of the only ion that a mechanism moves, for a message; empty if there is none."""
        charges = dict(self.structure.charges)
        if len(mechanism.species) != 1 or not charges[mechanism.species[0]]:
            return ""
        [s] = mechanism.species
        outside, inside = (float(numbers[concentration(c, s)]) for c in (m.outside, m.inside))
        if not outside > 0.0 or not inside > 0.0:
            return ""
        nernst = self.model.scenario.thermal_voltage / charges[s] * np.log(outside / inside)
        return f" (E_{s} is {with_unit(float(nernst), 'V')})"


def _ways(inward: Mapping[str, bool], turned: bool) -> str:
    """Species with the direction in which each moves: ``na out and k in``."""
    return " and ".join(f"{s} {'in' if way != turned else 'out'}" for s, way in inward.items())


def _unheld(found: Balance) -> str:
    """Which states no values hold."""
    structure = Model.of(found.scenario).structure
    units = {name: unit for kind, unit in UNITS.items() for name in structure.states_of[kind]}
    left = "; ".join(
        f"the {structure.in_words(o.state)} by {with_unit(o.rate, units[o.state])}, "
        f"{plain_number(100.0 * o.imbalance, 2)} % of the flows there"
        for o in found.leftovers
    )
    names = ", ".join(shortest_ending(key, found.values) for key in found.values)
    return f"{found.scenario.name}: no values of {names} hold this state; the closest ones still change {left}"


def _simple(directions: np.ndarray) -> np.ndarray:
    """The same space of directions, each with a number of its own whose part is 1."""
    rows = directions.copy()
    for i in range(len(rows)):
        j = int(np.argmax(np.abs(rows[i])))
        rows[i] /= rows[i, j]
        others = [k for k in range(len(rows)) if k != i]
        rows[others] -= rows[others, j, None] * rows[i]
    return rows


def held_starts(found: Balance) -> dict[str, float]:
    """Start values at which the gates of a held state rest, by dotted path, for those that a scenario gives."""
    model = Model.of(found.scenario)
    return gate_starts(model, dict(zip(model.structure.states, found.state.tolist(), strict=True)))
