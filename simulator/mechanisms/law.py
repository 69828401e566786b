"""What a transport law is: one scalar rate plus one stoichiometry.

A law's file declares one :class:`Law` called ``LAW``. Its rate is a plain Python
function whose *argument names* say what it needs, and which works on SymPy symbols, numbers, arrays
and quantities with units alike:

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
only; :mod:`simulator.model.equations` derives the backward one from the affinity (local detailed balance).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: Placeholder in a stoichiometry for the species a scenario chooses (``ion:`` or ``species:``).
CHOSEN = "*"

#: Law that a protocol's ``clamp`` puts on a membrane, and the label it gets there.
CLAMP = "voltage_clamp"

Rate = Callable[..., Any]


@dataclass(frozen=True)
class Parameter:
    """One number of a rate law that a scenario gives.

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
        Value when the scenario gives none; None means the scenario must give it.
    path : str
        Dotted path below the mechanism at which a scenario gives the value; the name where it is empty.
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
    """A fraction of channels or carriers that is ready, between 0 and 1.

    It follows ``dx/dt = opening (1 - x) - closing x``, or ``dx/dt = (steady - x)/time_constant``; one that
    is there `at_once` stands where these would leave it, and is no state.

    Parameters
    ----------
    name : str
        Argument name in the rate law.
    opening, closing : callable, optional
        Rates [1/s]; their arguments are those of rate laws.
    steady, time_constant : callable, optional
        Value at which the gate stands still, and the time constant [s] with which it gets there.
    at_once : bool
        Whether the gate follows at once.
    """

    name: str
    opening: Rate | None = None
    closing: Rate | None = None
    steady: Rate | None = None
    time_constant: Rate | None = None
    at_once: bool = False

    def resting(self, value_of: Callable[[Rate], Any]) -> Any:
        """Where the gate stands still; `value_of` evaluates one of its rates."""
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
class Law:
    """A transport mechanism across one membrane.

    Parameters
    ----------
    title : str
        One line for lists and legends.
    parameters : tuple of Parameter
        What a scenario must or may give.
    moves : mapping of str to int
        Molecules of each species that enter the *inside* compartment per turnover (negative: leave it).
        :data:`CHOSEN` stands for the chosen species, ``*key`` for the partner named under that key.
    rate : callable
        Forward rate (reversible) or net rate (irreversible), see the module's text.
    reversible : bool
        Whether the backward rate follows from the affinity.
    source : str
        Where the law comes from: author, year, equation, DOI.
    chooses : str or None
        Scenario key under which the species is chosen: ``"ion"`` (charged), ``"species"`` (neutral) or None.
    atp : int
        ATP hydrolysed per turnover.
    takes_logarithm : bool
        Whether the rate contains the logarithm of concentrations, so that none may be zero.
    outside : mapping of str to int, optional
        Molecules that enter the *outside* compartment per turnover, where that is not the opposite of `moves`:
        nothing for a reaction within the inside compartment.
    charge : int, optional
        Charges that enter the inside per turnover, where a published model books others than `moves` carries.
    partners : tuple of str
        Scenario keys under which further species are named.
    equilibrium : callable, optional
        Equilibrium constant of a reaction: the product of concentrations to the power of `moves` at rest.
    gates : tuple of Gate
        Fractions that the rate depends on.
    external : bool
        Whether it is an electrode of the experimenter, who pays for what it does.
    open : bool
        Whether it is declared to break the conservation of charge or mass, as some published models do.
    electroneutral : bool
        The claim that a turnover moves no net charge; ``tests/mechanisms/test_library_of_laws.py`` holds it
        against `moves`.
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
        """The name a scenario uses: that of the file the mechanism lives in."""
        return self.rate.__module__.rpartition(".")[2]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the rate law needs."""
        return arguments(self.rate)

    def stoichiometry(self, chosen: str | None, partners: tuple[str, ...] = ()) -> dict[str, int]:
        """Molecules entering the inside per turnover, with the species a scenario names filled in."""
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
    """Names of what a rate needs: it may list them itself, else they are those of its signature."""
    own = getattr(rate, "arguments", None)
    return tuple(inspect.signature(rate).parameters) if own is None else tuple(own)
