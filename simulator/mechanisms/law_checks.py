"""Check what a law says of itself: its fields, what it moves, its parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from simulator.errors import LABEL, LABEL_IN_WORDS, shown, suggestion
from simulator.mechanisms import CHOSEN, Gate, Law, Parameter
from simulator.mechanisms.custom_law import NAMES, ROLES
from simulator.mechanisms.dimension import of_unit
from simulator.mechanisms.rate_checks import Finding, functions_of, in_functions, inputs_of
from simulator.physics.constants import SPECIES_CHARGE
from simulator.physics.units import QuantityError, si_unit, unit_dimension, unit_size

__all__ = ["findings"]

#: Names with a meaning of their own among the keys of a mechanism, and those of pydantic's own.
RESERVED = frozenset({"law", "ion", "species", "values", "mechanisms", "chosen", "library_law", "source_digest"})
RESERVED |= {"branches", "construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw"}
RESERVED |= {"schema", "schema_json", "update_forward_refs", "validate"}


def findings(law: Law) -> list[Finding]:
    """Return every problem of a law; those of its rates only if nothing is wrong with what they depend on."""
    return list(_types(law)) or [*_declared(law), *_parameters(law)] or list(in_functions(law))


def _types(law: Law) -> Iterator[Finding]:
    wanted: dict[str, tuple[Any, str]] = {
        "title": (str, "a text"),
        "source": (str, "a text"),
        "parameters": (tuple, "a tuple of Parameter; a single one needs a comma: (Parameter(...),)"),
        "moves": (Mapping, "a dictionary, e.g. {'k': 1, 'cl': 1}"),
        "outside": (Mapping | None, "a dictionary, or None"),
        "partners": (tuple, "a tuple of texts"),
        "gates": (tuple, "a tuple of Gate"),
        "charge": (int | None, "a whole number, or None"),
        "atp": (int, "a whole number"),
    }
    for name, (kind, words) in wanted.items():
        if not isinstance(getattr(law, name), kind):
            yield Finding(f"`{name}` is {type(getattr(law, name)).__name__}", words, about=name)
    for name, kind in (("parameters", Parameter), ("gates", Gate), ("partners", str)):
        part = getattr(law, name)
        if isinstance(part, tuple) and not all(isinstance(p, kind) for p in part):
            yield Finding(f"something in `{name}` is no {kind.__name__}", f"a tuple of {kind.__name__}", about=name)
    for p in law.parameters if isinstance(law.parameters, tuple) else ():
        if isinstance(p, Parameter):
            yield from _types_of_parameter(p)
    for gate in law.gates if isinstance(law.gates, tuple) else ():
        functions = [getattr(gate, role, None) for role in ROLES]
        if isinstance(gate, Gate) and not (
            isinstance(gate.name, str)
            and LABEL.fullmatch(gate.name)
            and all(f is None or callable(f) for f in functions)
        ):
            yield Finding(f"the gate {shown(gate.name)} has no valid name, or no functions", "", "", "gates")
    for name in ("moves", "outside"):
        if isinstance(getattr(law, name), Mapping) and not all(isinstance(s, str) for s in getattr(law, name)):
            yield Finding(f"`{name}` has something that is no species", "names in quotes", "", name)
    for name in ("rate", "equilibrium"):
        if not callable(getattr(law, name)) and (name == "rate" or getattr(law, name) is not None):
            yield Finding(f"`{name}` is no function", "a function whose arguments name what it needs", about=name)
    if law.chooses not in ("ion", "species", None):
        yield Finding(f"`chooses` is {shown(law.chooses)}", "'ion', 'species' or None", about="chooses")


def _types_of_parameter(p: Parameter) -> Iterator[Finding]:
    for field in ("name", "unit", "meaning", "path"):
        if not isinstance(getattr(p, field), str):
            yield Finding(
                f"the {field} of the parameter {shown(p.name)} is {shown(getattr(p, field))}", "a text", "", p
            )
    for field in ("minimum", "maximum", "default"):
        value = getattr(p, field)
        if not (isinstance(value, int | float) or (field == "default" and value is None)):
            yield Finding(f"the {field} of the parameter {shown(p.name)} is {shown(value)}", "a number in SI", "", p)
    if p.path:
        yield Finding(f"the parameter {shown(p.name)} has a path, as only laws written in scenarios do", "", "", p)


def _declared(law: Law) -> Iterator[Finding]:
    for key in law.partners:
        if key in RESERVED or not LABEL.fullmatch(key):
            yield Finding(f"`{shown(key)}` is no valid name of a partner", LABEL_IN_WORDS, "", "partners")
    if not law.moves:
        yield Finding("the law moves nothing", "e.g. moves={'k': 1, 'cl': 1}", about="moves")
    for field in ("moves", "outside"):
        for species, number in (getattr(law, field) or {}).items():
            if isinstance(number, bool) or not isinstance(number, int) or number == 0:
                problem = f"`{field}` has {shown(number)} molecules of `{shown(species)}`"
                yield Finding(problem, "a whole number other than 0", about=field)
            if species == CHOSEN and law.chooses is None:
                yield Finding(f"`{field}` has `*`, but the law chooses no species", "", "set chooses='ion'", field)
            elif species.startswith("*") and species != CHOSEN and species[1:] not in law.partners:
                yield Finding(
                    f"`{field}` has `{shown(species)}`, which is no partner", "a name in partners", about=field
                )
            elif not species.startswith("*") and not LABEL.fullmatch(species):
                known = list(SPECIES_CHARGE)
                yield Finding(f"`{shown(species)}` is no species", "a species", suggestion(species, known), field)
    if law.electroneutral and (net := _net_charge(law)):
        problem = f"the law is declared electroneutral, but a turnover moves {net:+d} charges"
        yield Finding(problem, "", "leave out electroneutral=True, or correct moves", about="electroneutral")


def _net_charge(law: Law) -> int:
    """Charges that a turnover moves in; 0 where the scenario decides."""
    if law.charge is not None:
        return law.charge
    known = {**SPECIES_CHARGE, **({CHOSEN: 0} if law.chooses == "species" else {})}
    return sum(n * known[s] for s, n in law.moves.items()) if all(s in known for s in law.moves) else 0


def _parameters(law: Law) -> Iterator[Finding]:
    reserved = {*NAMES, *RESERVED, "z", "c_i", "c_o", *law.partners, *(g.name for g in law.gates)}
    used = {name for rate, _, _ in functions_of(law) for name in inputs_of(rate)}
    seen: set[str] = set()
    for p in law.parameters:
        if p.name in seen or not LABEL.fullmatch(p.name):
            what = "is there twice" if p.name in seen else "has no valid name"
            yield Finding(f"the parameter `{shown(p.name)}` {what}", LABEL_IN_WORDS, about=p)
        seen.add(p.name)
        if (
            p.name in reserved
            or p.name.startswith("model_")
            or (p.name.endswith(("_i", "_o")) and p.name[:-2] in SPECIES_CHARGE)
        ):
            yield Finding(f"the parameter `{p.name}` has another meaning already", "another name", about=p)
        try:
            of_unit(p.unit)
        except QuantityError as error:
            yield Finding(f"the unit of `{p.name}`: {error.problem}", "an SI unit", error.hint, about=p)
            continue
        if p.unit != "1" and p.unit != (si := si_unit(unit_dimension(p.unit))) and unit_size(p.unit, si) != 1.0:
            yield Finding(
                f"the unit of `{p.name}` is {p.unit}", f"the SI unit {si}, in which rates are computed", about=p
            )
        if p.minimum > p.maximum:
            yield Finding(f"the smallest value of `{p.name}` is above its largest", about=p)
        elif p.default is not None and not _allowed(p, p.default):
            yield Finding(f"the default {p.default!r} of `{p.name}` is outside its bounds", _bounds(p), about=p)
        if p.name not in used:
            hint = suggestion(p.name, used)
            yield Finding(f"nothing uses the parameter `{p.name}`", "an argument of the rate with its name", hint, p)


def _allowed(p: Parameter, value: float) -> bool:
    return math.isfinite(value) and p.minimum <= value <= p.maximum and not (p.positive and value <= 0.0)


def _bounds(p: Parameter) -> str:
    return "a value above 0" if p.positive else f"a value from {p.minimum:g} to {p.maximum:g}"
