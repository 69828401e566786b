"""Branches of rest points as one number of a scenario changes, with their folds and Hopf points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from simulator.errors import IonfluxError, UsageError, shown, suggestion
from simulator.kernel.inputs import initial_states
from simulator.model.kinetics import environment, parameters_by_key, rate_numbers
from simulator.model.model import Model
from simulator.model.names import concentration, voltage, volume
from simulator.physics.units import QuantityError
from simulator.scenario.parts import SetEvent
from simulator.scenario.paths import ending_in
from simulator.scenario.quantity import Quantity
from simulator.scenario.scenario import Scenario
from simulator.verdict.curve import Family, Place, Range
from simulator.verdict.steady import rest_points, settled
from simulator.verdict.tracing import Special, Way, limit, trace

__all__ = ["Branch", "Continuation", "NoBranch", "continuation"]

#: Ratio of the ends of a range from which on it is divided by equal ratios.
WIDE = 30.0

#: Scaled distance of two rest points that are the same one, and parts of the range where rest points are sought.
SAME, LOOKED_AT = 1.0e-5, (0.0, 1.0, 0.5)


#: Keys of the temperature: a scenario has one of them.
THERMAL = ("temperature", "rt_over_f")


class NoBranch(IonfluxError):
    """No rest point was found from which a branch could be followed."""

    kind = "nothing_found"


@dataclass(frozen=True)
class Branch:
    """A branch of rest points: `specials` stand beside the number of places before each of them."""

    places: Sequence[Place]
    specials: Sequence[tuple[int, Special]]
    closed: bool

    @property
    def values(self) -> np.ndarray:
        """Values of the number, shape (places,)."""
        return np.array([place.value for place in self.places])

    @property
    def stable(self) -> np.ndarray:
        """Whether the cell comes back to each place, shape (places,)."""
        return np.array([place.unstable == 0 for place in self.places])

    def at(self, q: float) -> list[Place]:
        """Places of the branch at a part of the range."""
        found: list[Place] = []
        for one, other in pairwise(self.places):
            if (one.q - q) * (other.q - q) <= 0.0:
                near = min((one, other), key=lambda place: abs(place.q - q))
                place = near.at_value(q)
                if place is not None and all(place.apart(known.state) > SAME for known in found):
                    found.append(place)
        return found


@dataclass(frozen=True)
class Continuation:
    """Rest points of a scenario as one of its numbers changes.

    Parameters
    ----------
    model : Model
        The scenario's model, after its last event.
    key : str
        Dotted path of the number.
    unit : str
        Its SI unit.
    start, stop : float
        Ends of its range, SI.
    logarithmic : bool
        Whether the range was divided by equal ratios.
    branches : tuple of Branch
        What was found; the search is bounded, and there may be more.
    """

    model: Model
    key: str
    unit: str
    start: float
    stop: float
    logarithmic: bool
    branches: tuple[Branch, ...]

    def potentials(self, place: Place) -> dict[str, float]:
        """Potential [V] of each membrane."""
        known = place.known
        return {m.name: known[voltage(m.name)] for m in self.model.structure.membranes}

    def concentrations(self, place: Place) -> dict[str, dict[str, float]]:
        """Concentrations [mol/m3] by compartment and species; those in baths with the value in force."""
        known = place.known
        return {
            c.name: {s: known[concentration(c.name, s)] for s in c.species} for c in self.model.structure.compartments
        }

    def volumes(self, place: Place) -> dict[str, float]:
        """Volume [m3] of each compartment that is no bath."""
        known = place.known
        return {c.name: known[volume(c.name)] for c in self.model.structure.compartments if c.volume != "bath"}

    def at(self, value: float) -> list[Place]:
        """Rest points at a value of the number, in the order of the branches."""
        q = Range(self.start, self.stop, self.logarithmic).part(value)
        return [place for branch in self.branches for place in branch.at(q)]

    def points(self, *kinds: str) -> list[tuple[int, Special]]:
        """Special points of some kinds, or all, with the number of their branch."""
        return [
            (i, special)
            for i, branch in enumerate(self.branches)
            for _, special in branch.specials
            if not kinds or special.kind in kinds
        ]


def continuation(
    scenario: Scenario,
    over: str,
    start: float | str,
    stop: float | str,
    announce: Callable[[str], None] = lambda _: None,
) -> Continuation:
    """Follow the rest points of a scenario as one of its numbers changes.

    Parameters
    ----------
    scenario : Scenario
        What to solve: rest points after its last event, with the conserved totals of its initial state.
    over : str
        The number: of a mechanism, a concentration in a bath, or the temperature, by dotted path or a unique ending.
    start, stop : float or str
        Its range: SI numbers, or text with units.
    announce : callable
        Called with a sentence before something that takes seconds.

    Returns
    -------
    Continuation
        Branches found from the rest points at both ends, in the middle, and at the given value.

    Raises
    ------
    UsageError
        When the number or its range cannot be used.
    NoBranch
        When no rest point was found.
    """
    model = Model.of(settled(scenario))
    key = _key(model, over)
    span = _range(model, key, start, stop)
    parameters, growth, given = _in_force(model, key)
    state = initial_states(model)
    family = Family(model.structure, parameters, growth, model.scales(), span, state)
    searched = [*LOOKED_AT, *([span.part(given)] if 0.0 < span.part(given) < 1.0 else [])]
    found: list[Branch] = []
    changing = [volume(c.name) for c in model.structure.compartments if c.volume in ("state", "osmotic")]
    at_start = {name: family.known(state, 0.0)[name] for name in changing}
    for q in dict.fromkeys(searched):
        for point, _ in rest_points(model, family.parameters(q), state, announce):
            if any(place.apart(point) < SAME for branch in found for place in branch.at(q)):
                continue
            place = family.place(point, q)
            if place is not None and limit(place, at_start)[0] > 0.0:
                found.append(_branch(place, at_start))
    if not found:
        raise NoBranch(
            f"{scenario.name}: no rest point found at {start}, at {stop} or between them: there is no branch to follow"
        )
    return Continuation(model, key, scenario.unit_of(key), span.start, span.stop, span.logarithmic, tuple(found))


def _branch(place: Place, at_start: dict[str, float]) -> Branch:
    """The whole branch through a place."""
    forward = place if place.turning > 0.0 else place.reversed()
    here = Special("end", forward, forward.unstable, forward.unstable, "the end of the range")
    ways = [Way([forward], [(1, here)])] * 2
    if place.q < 1.0:
        ways[1] = trace(forward, at_start)
        if ways[1].closed:
            return Branch(ways[1].places, ways[1].specials, closed=True)
    if place.q > 0.0:
        ways[0] = trace(forward.reversed(), at_start)
    back, on = ways
    count = len(back.places)
    specials = [(count - i, special.reversed()) for i, special in reversed(back.specials)]
    specials += [(count - 1 + i, special) for i, special in on.specials]
    places = [*(place.reversed() for place in reversed(back.places)), *on.places[1:]]
    return Branch(places, specials, closed=False)


def _key(model: Model, over: str) -> str:
    """Whole path of the number."""
    known = [*rate_numbers(model), *environment(model)]
    named = ending_in(over, known)
    if len(named) > 1:
        raise UsageError(f"`{over}` names {' and '.join(named)}", "write more of the path")
    if not named:
        problem = "cannot be continued over" if ending_in(over, model.values) else "is no number of this scenario"
        near = suggestion(over, [*known, *(".".join(key.split(".")[-2:]) for key in known)])
        warmth = next((key for key in THERMAL if key in known and over in THERMAL), "")
        hint = near or "numbers of mechanisms, concentrations in baths and the temperature can: pump.max_rate"
        hint = f"the scenario has `{warmth}`" if warmth else hint
        raise UsageError(f"`{shown(over)}` {problem}", hint)
    return named[0]


def _range(model: Model, key: str, start: float | str, stop: float | str) -> Range:
    """Range of the number, in the unit in which the scenario gives it."""
    quantity = model.scenario.leaves()[key].quantity
    assert isinstance(quantity, Quantity)
    ends = []
    for option, text in (("from", start), ("to", stop)):
        try:
            ends.append(float(model.scenario.read_at(key, quantity, text, text=isinstance(text, str))))
        except QuantityError as error:
            problem = f"--{option}: {error.problem}; expected {error.expected}"
            raise UsageError(problem, error.hint or f"the scenario has {model.scenario.leaves()[key].text()}") from None
    low, high = sorted(ends)
    if low == high:
        raise UsageError("the range has no length", "give two different values with --from and --to")
    return Range(ends[0], ends[1], low > 0.0 and high >= WIDE * low)


def _in_force(model: Model, key: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Parameters after the last event where the number is 0, how they grow with it, and its value then."""
    growth, value = parameters_by_key(model, [key])[0], model.values[key]
    for event in sorted(model.scenario.protocol, key=lambda event: event.at):
        if isinstance(event, SetEvent) and key in event.set:
            value = float(event.set[key])
    events = model.events().parameters[0]
    parameters = events[-1] if len(events) else model.parameters()
    grows = growth != 0.0
    if value != 0.0:  # every parameter that grows is proportional to the number, whatever else the protocol changed
        growth = np.where(grows, parameters / value, 0.0)
    return np.where(grows, 0.0, parameters), growth, value
