"""Transport laws: one scalar rate plus one stoichiometry.

A law's file declares one :class:`Law` named ``LAW``. Its rate is a plain Python function of SymPy symbols,
numbers, arrays or quantities with units; its *argument names* select its inputs:

======================  =====================================================================
argument                meaning
======================  =====================================================================
``<species>_i``         concentration inside [mol/m3], e.g. ``na_i``
``<species>_o``         concentration outside [mol/m3], e.g. ``k_o``
``c_i``, ``c_o``, ``z``  concentrations and charge number of the species the scenario chose
``<partner>_i``         concentration inside of a further species the scenario names (also ``_o``)
``v``                   membrane potential, inside minus outside [V]
``rt_over_f``           thermal voltage RT/F [V]
``faraday``             Faraday constant [C/mol]
``temperature``         temperature [K]
``volume_i``            volume of the inside compartment [m3] (also ``_o``)
``area``                membrane area [m2]
``time``                time since the start [s]
a gate's name           that gate of the mechanism, between 0 and 1
``<label>.<gate>``      a gate of another mechanism on the same membrane
a parameter's name      the value the scenario gives it (SI)
======================  =====================================================================

The value is the turnover per membrane area [mol/m2/s]. A *reversible* law states the forward rate
only; :mod:`simulator.model.turnover` derives the backward one from the affinity (local detailed balance).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: Placeholder in a stoichiometry for the species a scenario chooses (``ion:`` or ``species:``).
CHOSEN = "*"

#: Law that a protocol's ``clamp`` adds to a membrane, and its label there.
CLAMP = "voltage_clamp"

Rate = Callable[..., Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a rate law, given by the scenario.

    Parameters
    ----------
    name : str
        Key in the scenario and argument name in the rate law.
    unit : str
        SI unit, e.g. ``"m/s"``; it fixes the dimension a scenario must use.
    meaning : str
        A phrase for help texts and error messages.
    minimum, maximum : float
        Closed bounds in SI; ``positive`` excludes the lower bound 0.
    default : float or None
        Default value; None if the scenario must give one.
    path : str
        Dotted path of the value below the mechanism; `name` if empty.
    """

    name: str
    unit: str
    meaning: str
    minimum: float = -math.inf
    maximum: float = math.inf
    positive: bool = False
    default: float | None = None
    path: str = ""

    @property
    def key(self) -> str:
        """Dotted path of the value below its mechanism."""
        return self.path or self.name


@dataclass(frozen=True)
class Gate:
    """A fraction of channels or carriers that are active, between 0 and 1.

    It follows ``dx/dt = opening (1 - x) - closing x``, or ``dx/dt = (steady - x)/time_constant``. An
    instantaneous gate (`at_once`) is always at its steady value and is not a state.

    Parameters
    ----------
    name : str
        Argument name in the rate law.
    opening, closing : callable, optional
        Rates [1/s]; their arguments are those of rate laws.
    steady, time_constant : callable, optional
        Steady value of the gate, and the time constant [s] of its approach.
    at_once : bool
        Whether the gate is instantaneous.
    """

    name: str
    opening: Rate | None = None
    closing: Rate | None = None
    steady: Rate | None = None
    time_constant: Rate | None = None
    at_once: bool = False

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The functions that are given."""
        given = (self.opening, self.closing, self.steady, self.time_constant)
        return tuple(rate for rate in given if rate is not None)

    @property
    def start_key(self) -> str:
        """Dotted path below the mechanism of its value at t = 0."""
        return f"gates.{self.name}.start"

    def resting(self, value_of: Callable[[Rate], Any]) -> Any:
        """Steady value of the gate; `value_of` evaluates one of its rates."""
        if self.steady is not None:
            return value_of(self.steady)
        assert self.opening is not None
        assert self.closing is not None
        opening = value_of(self.opening)
        return opening / (opening + value_of(self.closing))

    def change(self, value: Any, value_of: Callable[[Rate], Any]) -> Any:
        """Rate of change [1/s] of a gate at `value`."""
        if self.steady is not None:
            assert self.time_constant is not None
            return (value_of(self.steady) - value) / value_of(self.time_constant)
        assert self.opening is not None
        assert self.closing is not None
        return value_of(self.opening) * (1 - value) - value_of(self.closing) * value


@dataclass(frozen=True)
class Scheme:
    """States between which the channels of a mechanism move at random (a Markov scheme).

    Occupancies follow ``dx/dt = sum of what enters - what leaves``, so they keep their sum, which is 1.

    Parameters
    ----------
    states : tuple of str
        Names of the states.
    transitions : tuple of (from, to, forward, backward)
        Two states and the rates [1/s] there and back; either rate may be None.
    """

    states: tuple[str, ...]
    transitions: tuple[tuple[str, str, Rate | None, Rate | None], ...]

    def resting(self, value_of: Callable[[Rate], Any]) -> dict[str, Any]:
        """Occupancies that no longer change, by state; `value_of` evaluates a rate.

        States are taken out one by one, and what would pass through each is added to the rates between the others
        (Grassmann, Taksar & Heyman 1985, Oper Res 33:1107, doi:10.1287/opre.33.5.1107). Nothing is subtracted, so no
        digits are lost.
        """
        rate: dict[tuple[str, str], Any] = {}
        for a, b, forward, backward in self.transitions:
            for pair, one_way in (((a, b), forward), ((b, a), backward)):
                if one_way is not None:
                    rate[pair] = rate.get(pair, 0) + value_of(one_way)
        left, leaving = list(self.states), {}
        while len(left) > 1:
            out = left.pop()
            leaving[out] = sum(rate[out, b] for b in left if (out, b) in rate)
            for a in left:
                for b in left:
                    if a != b and (a, out) in rate and (out, b) in rate:
                        rate[a, b] = rate.get((a, b), 0) + rate[a, out] * (rate[out, b] / leaving[out])
        found: dict[str, Any] = {self.states[0]: 1}
        for state in self.states[1:]:
            entering = sum(found[a] * rate[a, state] for a in found if (a, state) in rate)
            found[state] = entering / leaving[state]
        total = sum(found.values())
        return {state: value / total for state, value in found.items()}


@dataclass(frozen=True)
class Occupancy(Gate):
    """The part of channels that is in one state of a scheme."""

    scheme: Scheme | None = None

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rates of all transitions."""
        assert self.scheme is not None
        return tuple(rate for *_, a, b in self.scheme.transitions for rate in (a, b) if rate is not None)

    @property
    def start_key(self) -> str:
        """Dotted path below the mechanism of its value at t = 0."""
        return f"start.{self.name}"

    def resting(self, value_of: Callable[[Rate], Any]) -> Any:
        """Occupancy when none changes any more; `value_of` evaluates one of the rates."""
        assert self.scheme is not None
        return self.scheme.resting(value_of)[self.name]


@dataclass(frozen=True)
class Law:
    """A transport law across one membrane.

    Parameters
    ----------
    title : str
        One line for lists and legends.
    parameters : tuple of Parameter
        Parameters that a scenario must or may give.
    moves : mapping of str to int
        Molecules of each species that enter the *inside* compartment per turnover (negative: leave it).
        :data:`CHOSEN` stands for the chosen species, ``*key`` for the partner named under that key.
    rate : callable
        Forward rate (reversible) or net rate (irreversible), see the module docstring.
    reversible : bool
        Whether the backward rate follows from the affinity.
    source : str
        Source of the law: author, year, equation, DOI.
    chooses : str or None
        Scenario key under which the species is chosen: ``"ion"`` (charged), ``"species"`` (neutral) or None.
    atp : int
        ATP hydrolysed per turnover.
    takes_logarithm : bool
        Whether the rate contains the logarithm of concentrations, which must then be nonzero.
    outside : mapping of str to int, optional
        Molecules that enter the *outside* compartment per turnover, if not the opposite of `moves`;
        empty for a reaction within the inside compartment.
    charge : int, optional
        Charges that enter the inside per turnover, if a published model counts others than `moves` carries.
    partners : tuple of str
        Scenario keys under which further species are named.
    equilibrium : callable, optional
        Equilibrium constant of a reaction: product of the concentrations to the power of `moves` at equilibrium.
    gates : tuple of Gate
        Gates that the rate depends on.
    external : bool
        Whether it is an electrode, whose energy comes from outside the cell.
    open : bool
        Whether it is declared to break the conservation of charge or mass, as some published models do.
    electroneutral : bool
        The claim that a turnover moves no net charge; a law's file is refused if it does not fit `moves`.
    """

    title: str
    parameters: tuple[Parameter, ...]
    moves: Mapping[str, int]
    rate: Rate
    reversible: bool
    source: str
    chooses: str | None = None
    atp: int = 0
    takes_logarithm: bool = False
    outside: Mapping[str, int] | None = None
    charge: int | None = None
    partners: tuple[str, ...] = ()
    equilibrium: Rate | None = None
    gates: tuple[Gate, ...] = ()
    external: bool = False
    open: bool = False
    electroneutral: bool = False

    @property
    def name(self) -> str:
        """Name used in scenarios: that of the law's file."""
        return self.rate.__module__.rpartition(".")[2]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the inputs of the rate."""
        return arguments(self.rate)

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the inputs of all its functions: rate, equilibrium constant, gates."""
        gated = (function for gate in self.gates for function in gate.rates)
        functions = [f for f in (self.rate, self.equilibrium, *gated) if f is not None]
        return tuple(dict.fromkeys(name for function in functions for name in arguments(function)))

    def stoichiometry(self, chosen: str | None, partners: tuple[str, ...] = ()) -> dict[str, int]:
        """Molecules entering the inside per turnover, with the scenario's species filled in."""
        return self._named(self.moves, chosen, partners)

    def outside_stoichiometry(self, chosen: str | None, partners: tuple[str, ...] = ()) -> dict[str, int]:
        """Molecules entering the outside per turnover."""
        if self.outside is None:
            return {s: -n for s, n in self.stoichiometry(chosen, partners).items()}
        return self._named(self.outside, chosen, partners)

    def _named(self, moves: Mapping[str, int], chosen: str | None, partners: tuple[str, ...]) -> dict[str, int]:
        names = dict(zip((f"*{key}" for key in self.partners), partners, strict=False)) | {CHOSEN: str(chosen)}
        return {names.get(species, species): n for species, n in moves.items()}


def arguments(rate: Rate) -> tuple[str, ...]:
    """Names of the inputs of a rate: its own ``arguments`` if it lists them, else those of its signature."""
    own = getattr(rate, "arguments", None)
    return tuple(inspect.signature(rate).parameters) if own is None else tuple(own)
