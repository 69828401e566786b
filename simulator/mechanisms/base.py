"""What a transport mechanism is: one scalar rate law plus one stoichiometry.

A mechanism file declares one :class:`Mechanism` called ``MECHANISM``. Its rate law is a plain Python
function whose *argument names* say what it needs, and which works on SymPy symbols, numbers, arrays
and quantities with units alike:

======================  =====================================================================
argument                meaning
======================  =====================================================================
``<species>_i``         concentration inside [mol/m3], e.g. ``na_i``
``<species>_o``         concentration outside [mol/m3], e.g. ``k_o``
``c_i``, ``c_o``, ``z``  concentrations and charge number of the species the scenario chose
``v``                   membrane potential, inside minus outside [V]
``rt_over_f``           thermal voltage RT/F [V]
``faraday``             Faraday constant [C/mol]
a parameter's name      the value the scenario gives it (SI)
======================  =====================================================================

The value is the turnover per membrane area [mol/m2/s]. A *reversible* law states the forward rate
only; :mod:`simulator.equations` derives the backward one from the affinity (local detailed balance).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    """

    name: str
    unit: str
    meaning: str
    minimum: float = -math.inf
    maximum: float = math.inf
    positive: bool = False
    default: float | None = None


@dataclass(frozen=True)
class Mechanism:
    """A transport mechanism across one membrane.

    Parameters
    ----------
    title : str
        One line for lists and legends.
    parameters : tuple of Parameter
        What a scenario must or may give.
    moves : mapping of str to int
        Molecules of each species that enter the *inside* compartment per turnover (negative: leave it);
        the outside compartment receives the opposite. :data:`CHOSEN` stands for the chosen species.
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
    electroneutral : bool
        The claim that a turnover moves no net charge; ``tests/test_mechanisms.py`` holds it against `moves`.
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
    electroneutral: bool = False
    arguments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", tuple(inspect.signature(self.rate).parameters))

    @property
    def name(self) -> str:
        """The name a scenario uses: that of the file the mechanism lives in."""
        return self.rate.__module__.rpartition(".")[2]

    def stoichiometry(self, chosen: str | None) -> dict[str, int]:
        """Molecules entering the inside per turnover, with the chosen species filled in."""
        filled = {chosen if species == CHOSEN else species: n for species, n in self.moves.items()}
        return {str(species): n for species, n in filled.items()}
