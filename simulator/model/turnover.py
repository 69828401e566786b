"""Rates and affinity of a mechanism on a membrane; reversible laws state the forward rate only.

The backward rate is ``forward exp(-affinity/RT)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from simulator.mechanisms.mechanism import Mechanism
from simulator.model.definitions import Definitions
from simulator.model.names import ATP_ENERGY, THERMAL_VOLTAGE, concentration, voltage
from simulator.model.structure import MembraneStructure
from simulator.physics.special import bern_symbol

#: Most operations in an affinity that is compared with the argument of a rate.
LONGEST_AFFINITY = 60


@dataclass(frozen=True)
class Turnover:
    """Rates [mol/m2/s] and affinity of one mechanism on one membrane.

    Parameters
    ----------
    net, forward, backward : Expr
        `backward` is None for an irreversible law, whose `forward` is the net rate.
    affinity : Expr
        Free energy released per turnover, over RT, including that of ATP.
    stoichiometry, outside : dict of str to int
        Molecules entering the inside, and the outside, per turnover.
    charge : int
        Charges that enter the inside per turnover.
    """

    net: sp.Expr
    forward: sp.Expr
    backward: sp.Expr | None
    affinity: sp.Expr
    stoichiometry: dict[str, int]
    outside: dict[str, int]
    charge: int


def turnover_of(known: Definitions, m: MembraneStructure, mechanism: Mechanism) -> Turnover:
    """Rates of a mechanism; the backward one of a reversible law follows from its affinity."""
    law, inside, outside = mechanism.law, mechanism.moves, mechanism.moves_outside
    charge_moved = known.structure.charge_moved(mechanism)
    forward = known.value(law.rate, m, mechanism)
    electric = charge_moved * known.symbol(voltage(m.name)) / known.symbol(THERMAL_VOLTAGE)
    ratios = _concentration_powers(known, m, mechanism)
    uphill = electric + sum(n * sp.log(ratio) for ratio, n in ratios)
    fold = sp.Mul(*(ratio**n for ratio, n in ratios)) * sp.exp(electric)
    if law.equilibrium is not None:
        constant = known.value(law.equilibrium, m, mechanism)
        uphill, fold = uphill - sp.log(constant), fold / constant
    fuel = law.atp * known.symbol(ATP_ENERGY) / known.symbol(THERMAL_VOLTAGE)
    affinity = -uphill - fuel
    if not law.reversible:
        return Turnover(forward, forward, None, affinity, inside, outside, charge_moved)
    if law.atp:
        fold *= sp.exp(fuel)
    backward = forward * fold
    net = _exact_net(forward, -affinity)
    return Turnover(
        forward - backward if net is None else net, forward, backward, affinity, inside, outside, charge_moved
    )


def _concentration_powers(known: Definitions, m: MembraneStructure, mechanism: Mechanism) -> list[tuple[sp.Expr, int]]:
    """Concentrations, or their ratios inside to outside, with their exponents in exp(-affinity/RT)."""
    found: list[tuple[sp.Expr, int]] = []
    for s in mechanism.species:
        inside, outside = (known.symbol(concentration(c, s)) for c in (m.inside, m.outside))
        n, other = mechanism.moves.get(s, 0), mechanism.moves_outside.get(s, 0)
        found += [(inside / outside, n)] if other == -n else [(c, k) for c, k in ((inside, n), (outside, other)) if k]
    return found


def _exact_net(forward: sp.Expr, uphill: sp.Expr) -> sp.Expr | None:
    """Simplify ``forward (1 - e^uphill)`` to ``-coefficient uphill`` if `forward` is ``coefficient bern(uphill)``.

    Return None otherwise. SymPy does not know the identity ``bern(x) (e^x - 1) = x``, which avoids
    cancellation in laws such as the ohmic leak.
    """
    for candidate in forward.atoms(bern_symbol()):
        x = candidate.args[0]
        if not _may_be_affinity(x):
            continue
        coefficient = forward / candidate
        same = sp.expand_log(x, force=True) - sp.expand_log(uphill, force=True)
        if not coefficient.has(bern_symbol()) and sp.expand(same) == 0:
            return -coefficient * x
    return None


def _may_be_affinity(x: sp.Expr) -> bool:
    """Whether an argument is short, without products of sums, which may have any number of terms multiplied out."""
    factors = ([f for f in product.args if f.is_Add] for product in x.atoms(sp.Mul))
    sums = any(p.base.is_Add for p in x.atoms(sp.Pow)) or any(len(found) > 1 for found in factors)
    return not sums and x.count_ops() <= LONGEST_AFFINITY
