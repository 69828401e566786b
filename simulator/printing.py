"""Equations and mechanisms as text for people."""

from __future__ import annotations

import sympy as sp

from simulator.equations import Equations, symbol
from simulator.mechanisms import Mechanism
from simulator.special import bern_symbol
from simulator.structure import Structure


def equations_text(structure: Structure) -> str:
    """All equations of a model: definitions, turnovers, balances."""
    equations = Equations(structure)
    lines = ["Definitions (w volume, c concentration, v membrane potential, x impermeant solute):"]
    lines += [f"  {name} = {_text(value)}" for name, value in equations.definitions.items()]
    lines += ["", "Turnovers [mol/m2/s], positive as the law counts them; B(x) = x/(exp(x) - 1):"]
    for (membrane, label), turnover in equations.turnovers.items():
        lines.append(f"  {membrane}.{label} = {_text(turnover.net)}")
        if turnover.backward is not None:
            lines.append(f"    forward  {_text(turnover.forward)}")
            lines.append(f"    backward {_text(turnover.backward)}")
    if equations.water_flows:
        lines += ["", "Water [m3/s], into the inside:"]
        lines += [f"  {membrane} = {_text(value)}" for membrane, value in equations.water_flows.items()]
    lines += ["", "Balances:"]
    named = {t.net: sp.Symbol(f"{m}.{label}") for (m, label), t in equations.turnovers.items()}
    for state, differential in zip(structure.states, equations.differential, strict=True):
        value = equations.derivative[state]
        left = f"d {state}/dt" if differential else "0"
        lines.append(f"  {left} = {_text(sp.expand(value.subs(named)) if value.has(*named) else value)}")
    return "\n".join(lines)


def mechanism_text(mechanism: Mechanism) -> str:
    """Everything about one mechanism: law, stoichiometry, parameters, source."""
    arguments = {name: symbol(name) for name in mechanism.arguments}
    kind = "forward rate" if mechanism.reversible else "net rate (irreversible)"
    moves = ", ".join(f"{n:+d} {mechanism.chooses if s == '*' else s}" for s, n in mechanism.moves.items())
    extra = (f"; {mechanism.atp} ATP" if mechanism.atp else "") + (
        "; electroneutral" if mechanism.electroneutral else ""
    )
    lines = [
        f"{mechanism.name}: {mechanism.title}",
        f"  {kind} [mol/m2/s] = {_text(mechanism.rate(**arguments))}",
        f"  per turnover, into the inside: {moves}{extra}",
    ]
    if mechanism.chooses:
        lines.append(f"  {mechanism.chooses}: the {mechanism.chooses} it moves")
    for p in mechanism.parameters:
        bound = f", at least {p.minimum:g}" if p.minimum > float("-inf") else ", positive" if p.positive else ""
        default = f", default {p.default:g}" if p.default is not None else ""
        lines.append(f"  {p.name} [{p.unit}]: {p.meaning}{bound}{default}")
    return "\n".join([*lines, f"  source: {mechanism.source}"])


def _text(expression: sp.Expr) -> str:
    """An expression on one line, with B(x) for the function of the GHK equation."""
    bern = bern_symbol()
    shown = expression.replace(bern, lambda x, n: sp.Function("B" + "'" * int(n))(x))
    return str(sp.sstr(shown))
