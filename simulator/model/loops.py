"""Loops of Markov schemes that channels would go round for nothing.

In a loop of states nothing is different after a turn, so without a source of energy the rates one way round have the
same product as those the other way, at every potential (microscopic reversibility; Onsager 1931, Phys Rev 37:405,
doi:10.1103/PhysRev.37.405). A loop that a ligand acts on from both sides of the membrane may be driven by its gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simulator.mechanisms import Scheme
from simulator.mechanisms.law import Rate, arguments
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.conditions import Conditions
from simulator.model.structure import MembraneStructure
from simulator.physics.notation import plain_number

__all__ = ["unbalanced_loops"]

#: Potentials [V] at which rates are compared, and the logarithm of a ratio that may be due to rounded constants.
POTENTIALS, UNNOTICED = (-0.12, -0.08, -0.04, 0.0, 0.04), np.log(1.01)

#: A step of a loop: from, to, the rate there and the rate back.
Step = tuple[str, str, Rate | None, Rate | None]


def unbalanced_loops(here: Conditions) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield key, description and affected runs of every scheme with such a loop, by the one that is worst."""
    for m, mechanism, scheme in here.structure.schemes.values():
        turns = [
            (loop, _turn(here, m, mechanism, loop)) for loop in _loops(scheme) if not _driven(here, m, mechanism, loop)
        ]
        if not turns:
            continue
        loop, turn = max(turns, key=lambda each: float(np.max(np.abs(each[1]))))
        where = np.abs(turn) > UNNOTICED
        if np.any(where):
            most = float(np.max(np.abs(turn)))
            forth = bool(np.any(turn == most))
            passed = ", ".join(step[0] for step in (loop if forth else _backwards(loop)))
            ways = f"{plain_number(np.exp(most), 3)} times those the other way" if np.isfinite(most) else "one-way"
            text = (
                f"{mechanism.owner}: round {passed} the rates are {ways}, so channels circulate without an energy "
                "source (the products of the rates both ways round should be equal)"
            )
            yield f"membranes.{m.name}.mechanisms.{mechanism.owner}", text, where


def _turn(here: Conditions, m: MembraneStructure, mechanism: Mechanism, loop: Sequence[Step]) -> np.ndarray:
    """Logarithm of the ratio of the rates both ways round that is farthest from 0 at any potential, (runs,) or ()."""
    sides, gates, found = here.sides(m), here.gates(m, here.potential[m.name]), []
    for v in POTENTIALS:
        known = here.named(m, mechanism, v, sides, gates)
        with np.errstate(divide="ignore", invalid="ignore"):  # of rates that are 0
            there, back = (
                sum(-np.inf if rate is None else np.log(here.evaluated(rate, known)) for rate in rates)
                for rates in ([step[2] for step in loop], [step[3] for step in loop])
            )
            found.append(np.nan_to_num(there - back, nan=0.0, posinf=np.inf, neginf=-np.inf))
    every = np.stack(np.broadcast_arrays(*found))
    return np.asarray(np.take_along_axis(every, np.argmax(np.abs(every), axis=0)[None], axis=0)[0])


def _driven(here: Conditions, m: MembraneStructure, mechanism: Mechanism, loop: Sequence[Step]) -> bool:
    """Whether the concentrations of a species on both sides of the membrane act on a loop."""
    names = {name for *_, there, back in loop for rate in (there, back) if rate is not None for name in arguments(rate)}
    ligands = (*here.sides(m), *mechanism.law.partners, "c")
    return any({f"{ligand}_i", f"{ligand}_o"} <= names for ligand in ligands)


def _loops(scheme: Scheme) -> Iterator[list[Step]]:
    """A set of loops of which all others are made: each transition that is not in a tree of all states closes one."""
    ways: dict[str, list[Step]] = {scheme.states[0]: []}
    left = list(scheme.transitions)
    closing: list[Step] = []
    while left:
        step = next(s for s in left if s[0] in ways or s[1] in ways)
        left.remove(step)
        if step[0] in ways and step[1] in ways:
            closing.append(step)
            continue
        step = step if step[0] in ways else _reversed(step)
        ways[step[1]] = [*ways[step[0]], step]
    for step in closing:
        there, back = ways[step[0]], ways[step[1]]
        shared = sum(a is b for a, b in zip(there, back, strict=False))
        yield [*there[shared:], step, *_backwards(back[shared:])]


def _backwards(steps: Sequence[Step]) -> list[Step]:
    return [_reversed(step) for step in reversed(steps)]


def _reversed(step: Step) -> Step:
    a, b, there, back = step
    return b, a, back, there
