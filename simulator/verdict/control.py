"""How a rest point moves with the numbers of a scenario: sensitivities and control coefficients.

At rest the rates of change f(y, p) of the independent states vanish, so ``dy/dp = -J^-1 df/dp`` at constant totals of
what is conserved. A *control coefficient* is ``d ln Q/d ln p`` of a quantity Q. Where all mechanisms run faster by the
same factor, the rest point stays and every flux grows by that factor: the coefficients of the mechanisms' rates add
up to 0 for potentials, concentrations and volumes, and to 1 for fluxes (summation theorem: Kacser & Burns 1973,
Symp Soc Exp Biol 27:65).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.errors import IonfluxError
from simulator.kernel import load_arrays
from simulator.mechanisms import CLAMP
from simulator.model.kinetics import environment, parameters_by_key, rate_numbers
from simulator.model.model import Model
from simulator.model.names import concentration, voltage, volume
from simulator.scenario.scenario import Scenario
from simulator.verdict.rest import conditions_of, solutions
from simulator.verdict.slopes import Slopes
from simulator.verdict.steady import SteadyState, steady_states

__all__ = ["Control", "NoControl", "control"]

#: Part of a number's size without cancellation below which it counts as zero.
NOTHING = 1.0e-9


class NoControl(IonfluxError):
    """A rest point that does not move with a parameter, but stops existing."""

    kind = "nothing_found"


@dataclass(frozen=True)
class Control:
    """Derivatives of the quantities of a rest point.

    Parameters
    ----------
    rest : SteadyState
        The rest point: the first that was found, a stable one if there is any.
    found : int
        How many rest points were found.
    quantities : mapping of str to float
        Potentials [V], concentrations [mol/m3], volumes [m3], fluxes through mechanisms [mol/s] and ATP used [mol/s].
    units : mapping of str to str
        Their units.
    keys : tuple of str
        Dotted paths of the numbers.
    sensitivity : ndarray, shape (quantities, keys)
        ``dQ/d ln p``, in the unit of the quantity; 0 where a number is 0.
    rate_keys : tuple of str
        Of each mechanism the number that its rate is proportional to.
    unscaled : tuple of str
        Mechanisms whose rate is proportional to no single number, as ``membrane.label``.
    sums : mapping of str to float
        ``dQ/d ln`` of all mechanisms' rates together, in the unit of the quantity.
    theorem : float
        Largest deviation of a sum from the summation theorem, relative to the largest term.
    """

    rest: SteadyState
    found: int
    quantities: Mapping[str, float]
    units: Mapping[str, str]
    keys: tuple[str, ...]
    sensitivity: np.ndarray
    rate_keys: tuple[str, ...]
    unscaled: tuple[str, ...]
    sums: Mapping[str, float]
    theorem: float

    @property
    def coefficients(self) -> dict[str, dict[str, float]]:
        """Control coefficient ``d ln Q/d ln p`` by quantity and key; NaN where a quantity is zero."""
        with np.errstate(all="ignore"):
            scaled = self.sensitivity / np.array(list(self.quantities.values()))[:, None]
        scaled = np.where(np.isfinite(scaled), scaled, np.nan)
        return {
            name: dict(zip(self.keys, row.tolist(), strict=True))
            for name, row in zip(self.quantities, scaled, strict=True)
        }


def control(scenario: Scenario, announce: Callable[[str], None] = lambda _: None) -> Control:
    """Sensitivities and control coefficients of the first rest point of a scenario.

    Parameters
    ----------
    scenario : Scenario
        What to solve: the rest point after its last event, as :func:`simulator.steady_state` finds it.
    announce : callable
        Called with a sentence before something that takes seconds.

    Returns
    -------
    Control
        By every number of the mechanisms, the concentrations in baths, and the temperature, at constant totals.

    Raises
    ------
    NoSteadyState
        When no rest point was found.
    NoControl
        When the rest point is not an isolated one.
    """
    points = steady_states(scenario, announce)
    end = points[0].trajectory
    model, state, parameters = end.model, end.states[-1], end.parameters[-1]
    slopes = Slopes(model.structure, state, parameters)
    keys = (*rate_numbers(model), *environment(model))
    growth = (parameters_by_key(model, keys) != 0.0) * parameters
    mechanisms = [f"{m.name}.{mechanism.label}" for m, mechanism in model.structure.mechanisms]

    # One column for each number, and one for the whole rate of each mechanism.
    whole = [slopes.summed({name: slopes.flows[name]}, slopes.independent) for name in mechanisms]
    pushed = np.column_stack([slopes.by_parameter @ growth.T, *whole])
    moved = slopes.following @ _answer(model, state, parameters, pushed)
    values, units, rows, own, sizes = _quantities(model, slopes)
    k = len(state)
    direct = np.array([[own[name].get(m, 0.0) for m in mechanisms] for name in values]).reshape(len(values), -1)
    by_state, by_parameter = (
        np.array([rows[name][:k] for name in values]),
        np.array([rows[name][k:] for name in values]),
    )
    sensitivity = by_state @ moved + np.column_stack([by_parameter @ growth.T, direct])

    rate_keys = _rate_keys(model, slopes, dict(zip(keys, growth, strict=True)))
    unscaled = tuple(name for name in mechanisms if name not in rate_keys)
    counted = [keys.index(key) for key in dict.fromkeys(rate_keys.values())]
    counted += [len(keys) + mechanisms.index(name) for name in unscaled]
    sums = dict(zip(values, sensitivity[:, counted].sum(axis=1).tolist(), strict=True))
    chosen = tuple(dict.fromkeys(rate_keys.values()))
    largest = np.maximum(np.abs(sensitivity).max(axis=1, initial=0.0), list(sizes.values()))
    wanted = [value if own[name] else 0.0 for name, value in values.items()]
    apart = np.abs(np.array(list(sums.values())) - wanted) / np.where(largest > 0.0, largest, 1.0)
    found = sensitivity[:, : len(keys)]
    return Control(points[0], len(points), values, units, keys, found, chosen, unscaled, sums, max(apart, default=0.0))


def _answer(model: Model, state: np.ndarray, parameters: np.ndarray, pushed: np.ndarray) -> np.ndarray:
    """Changes of the independent states that undo those of their rates; shape (independent states, columns)."""
    equations = load_arrays(model.structure)
    _, conditions, jacobian = conditions_of(equations, state, parameters)
    basis = np.array(equations.BASIS, dtype=int)
    names = [equations.STATES[i] for i in basis]
    pushed = pushed.copy()
    for name in equations.NEUTRAL:  # there the condition is that the charge inside stays
        pushed[names.index(name)] = 0.0
    restored = np.any(jacobian != 0.0, axis=1)
    moving = np.flatnonzero(restored)
    size = np.maximum(np.abs(state), model.scales())[basis][moving]
    matrix = conditions[np.ix_(moving, moving)] * size
    right = -pushed[moving].T
    steps = solutions(np.broadcast_to(matrix, (len(right), *matrix.shape)), right) * size
    if not np.all(np.isfinite(steps)) or np.any(pushed[~restored] != 0.0):
        raise NoControl(
            f"{model.scenario.name}: this rest point is one of many in a row, so no parameter says where it goes "
            "(a state that nothing brings back, or a fold of the branch)"
        )
    found = np.zeros_like(pushed)
    found[moving] = steps.T
    return found


def _quantities(
    model: Model, slopes: Slopes
) -> tuple[dict[str, float], dict[str, str], dict[str, np.ndarray], dict[str, dict[str, float]], dict[str, float]]:
    """Values, units, slopes by states and parameters and by the whole rate of each mechanism, and sizes."""
    structure = model.structure
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    rows: dict[str, np.ndarray] = {}
    own: dict[str, dict[str, float]] = {}
    sizes: dict[str, float] = {}

    def add(name: str, value: float, unit: str, row: np.ndarray, rates: dict[str, float], size: float) -> None:
        values[name], units[name], rows[name] = (value if abs(value) > NOTHING * size else 0.0), unit, row
        own[name], sizes[name] = rates, max(size, abs(value))

    for m in structure.membranes:
        v = voltage(m.name)
        add(
            f"potential.{m.name}",
            slopes.definitions[v],
            "V",
            slopes.of_definitions[v],
            {},
            model.scenario.thermal_voltage,
        )
    known = dict(zip(structure.states, slopes.state.tolist(), strict=True)) | slopes.definitions
    for c in structure.compartments:
        for s in c.states:
            n = concentration(c.name, s)
            add(f"concentration.{c.name}.{s}", known[n], "mol/m^3", slopes.of_definitions[n], {}, 0.0)
        if c.volume in ("state", "osmotic"):
            w = volume(c.name)
            add(f"volume.{c.name}", known[w], "m^3", slopes.of_definitions[w], {}, 0.0)
    used, rates, row = 0.0, dict[str, float](), np.zeros(len(structure.states) + len(structure.parameters))
    for m, mechanism in structure.mechanisms:
        name = f"{m.name}.{mechanism.label}"
        rate = slopes.flows[name]
        add(f"flux.{name}", rate, "mol/s", slopes.of_flows[name], {name: rate}, slopes.gross[name])
        if mechanism.law.atp:
            used, row = used + mechanism.law.atp * rate, row + mechanism.law.atp * slopes.of_flows[name]
            rates[name] = mechanism.law.atp * rate
    if rates:
        add("atp_rate", used, "mol/s", row, rates, 0.0)
    return values, units, rows, own, sizes


def _rate_keys(model: Model, slopes: Slopes, growth: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Of each mechanism the first number that its rate, and that of all others with this number, is proportional to."""
    k, found = len(model.structure.states), dict[str, str]()
    for m in model.structure.membranes:
        for owner in dict.fromkeys(mechanism.owner for mechanism in m.mechanisms if mechanism.label != CLAMP):
            sharing = [mechanism for mechanism in m.mechanisms if mechanism.owner == owner]
            names = [f"{m.name}.{mechanism.label}" for mechanism in sharing]
            for p in sharing[0].law.parameters:
                key = f"membranes.{m.name}.mechanisms.{owner}.{p.key}"
                apart = {n: abs(slopes.of_flows[n][k:] @ growth[key] - slopes.flows[n]) for n in names}
                if all(distance <= NOTHING * slopes.gross[n] for n, distance in apart.items()):
                    found |= dict.fromkeys(names, key)
                    break
    return found
