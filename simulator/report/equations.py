"""Equations and laws as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp

from simulator.mechanisms import library
from simulator.mechanisms.channel import BELL, HOW_OPEN
from simulator.mechanisms.custom_law import NAMES
from simulator.mechanisms.gating import FORMS, bell
from simulator.mechanisms.gating import SOURCE as GATING_SOURCE
from simulator.mechanisms.grammar import FUNCTIONS
from simulator.mechanisms.law import arguments as parameters_of
from simulator.mechanisms.outside import origin_of
from simulator.model.equations import Equations
from simulator.model.structure import Structure
from simulator.physics.special import bern_symbol
from simulator.physics.unit_table import WHOLE_CELL

#: Laws outside the library, whose form the scenario defines.
WRITTEN = {
    "channel": "Gated channel for one or several ions, with gates in standard forms",
    "custom": "Custom law, written as an expression",
}


def equations_text(structure: Structure) -> str:
    """All equations of a model: definitions, turnovers, balances."""
    equations = Equations(structure)
    lines = ["Definitions (w volume, c concentration, v membrane potential, x impermeant solute):"]
    lines += [f"  {name} = {_text(value)}" for name, value in equations.definitions.items()]
    lines += ["", "Turnovers [mol/m2/s], positive in the law's forward direction; B(x) = x/(exp(x) - 1):"]
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


def law_text(name: str) -> str:
    """Everything about one law: rate, stoichiometry, parameters, source, and its file if it is from outside."""
    law, origin = library()[name], origin_of(name)
    arguments = {name: sp.Symbol(name, positive=True) for name in law.arguments}
    kind = "forward rate" if law.reversible else "net rate (irreversible)"
    moves = ", ".join(f"{n:+d} {law.chooses if s == '*' else s.removeprefix('*')}" for s, n in law.moves.items())
    extra = (f"; {law.atp} ATP" if law.atp else "") + ("; electroneutral" if law.electroneutral else "")
    lines = [
        f"{name}: {law.title}",
        f"  {kind} [mol/m2/s] = {_text(law.rate(**arguments))}",
        f"  per turnover, into the inside: {moves}{extra}",
    ]
    if law.outside == {}:
        lines.append("  a reaction in the inside compartment: nothing crosses the membrane")
    if law.equilibrium is not None:
        constants = {name: sp.Symbol(name, positive=True) for name in parameters_of(law.equilibrium)}
        lines.append(f"  products over reactants at equilibrium: {_text(law.equilibrium(**constants))}")
    if law.chooses:
        lines.append(f"  {law.chooses}: the {law.chooses} it moves")
    lines += [f"  {key}: the species used as {key}" for key in law.partners]
    for p in law.parameters:
        bound = f", at least {p.minimum:g}" if p.minimum > float("-inf") else ", positive" if p.positive else ""
        default = f", default {p.default:g}" if p.default is not None else ""
        lines.append(f"  {p.name} [{_units(p.unit)}]: {p.meaning}{bound}{default}")
    lines.append(f"  source: {law.source}")
    return "\n".join([*lines, *([f"  file: {origin.file}, SHA-256 {origin.digest}"] if origin else [])])


def _units(unit: str) -> str:
    return f"{unit}, or {WHOLE_CELL[unit]} for the whole cell" if unit in WHOLE_CELL else unit


def channel_text() -> str:
    """Describe ``law: channel``: openness, ions, gates and their standard forms."""
    lines = [f"channel: {WRITTEN['channel']}"]
    for how, law in HOW_OPEN.items():
        leak = library()[law]
        unit = next(p.unit for p in leak.parameters if p.name == how)
        lines.append(f"  {how} [{_units(unit)}] times the product of gates, used in: {leak.title} ({law})")
    lines += [
        "  ions: {na: 1, k: 0.3}, the share of each ion; each ion becomes a separate mechanism",
        "  gates: by name, each with a power and",
        "    opening and closing: dx/dt = opening (1 - x) - closing x",
        "    or steady and time_constant: dx/dt = (steady - x)/time_constant",
        "    or steady alone, or at_once: true: instantaneous, no state; start: value at t = 0",
        "    time_constant: a time, or {form: bell} = " + _form_text(bell, ("v", *(p.name for p in BELL))),
        "  q10, measured_at: opening, closing and 1/time_constant times q10^((T - measured_at)/(10 K))",
        "  forms; those of opening and closing are multiplied by their rate [1/s]:",
    ]
    for name, form in FORMS.items():
        variable = {"potential": ("v",), "gate": ("of",), "concentration": ("of",)}.get(form.variable, ())
        shown = _form_text(form.value, (*variable, *(p.name for p in form.parameters), *form.whole))
        units = ", ".join(f"{p.name} [{p.unit}]" for p in form.parameters)
        lines.append(f"    {name}: {shown}" + (f"; {units}" if units else ""))
    return "\n".join([*lines, f"  source: {GATING_SOURCE}"])


def custom_text() -> str:
    """Describe ``law: custom`` and the syntax of its expressions."""
    return "\n".join(
        [
            f"custom: {WRITTEN['custom']}",
            "  rate: an expression [mol/m2/s], the forward rate with reversible: true, else the net rate",
            "  moves, moves_outside: molecules that enter the inside and the outside per turnover; charge, atp",
            "  open: true for a law that breaks conservation, as some published models do",
            "  parameters: {rho: 6.8 uA/cm^2}, numbers with any unit, named as in the expressions",
            "  gates: {n: {opening: ..., closing: ...}} or {n: {steady: ..., time_constant: ...}}, expressions too",
            f"  expressions: numbers, names, + - * / **, {', '.join(FUNCTIONS)}, and label.gate of another mechanism",
            "  names: parameters, gates, <species>_i, <species>_o, "
            + ", ".join(f"{name} [{unit}]" for name, unit in NAMES.items()),
        ]
    )


def _form_text(form: Callable[..., Any], names: Iterable[str]) -> str:
    return _text(sp.sympify(form(*(sp.Symbol(name) for name in names))))


def _text(expression: sp.Expr) -> str:
    """An expression on one line, with B(x) for the function of the GHK equation."""
    bern = bern_symbol()
    shown = expression.replace(bern, lambda x, n: sp.Function("B" + "'" * int(n))(x))
    return str(sp.sstr(shown))
