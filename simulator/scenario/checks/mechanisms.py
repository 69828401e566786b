"""Check the mechanisms of a membrane against the scenario: species, gates, units of expressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from simulator.errors import suggestion
from simulator.mechanisms import CHOSEN, Law
from simulator.mechanisms.custom_law import NAMES, ROLES, check_dimensions
from simulator.mechanisms.expressions import Expression, ExpressionError
from simulator.mechanisms.mechanism import Mechanism
from simulator.physics.constants import SPECIES_CHARGE
from simulator.physics.notation import format_quantity
from simulator.physics.units import describe
from simulator.scenario.complaints import Complaint
from simulator.scenario.quantity import Ratio

if TYPE_CHECKING:
    from simulator.scenario.entries.custom import CustomEntry
from simulator.scenario.draft import Draft
from simulator.scenario.entries.channel import GateRate
from simulator.scenario.parts import Membrane

__all__ = ["complaints", "warnings"]

Location = tuple[str | int, ...]


def complaints(draft: Draft, at: Location, membrane: Membrane) -> Iterator[Complaint]:
    """Yield every inconsistency in one membrane's mechanisms."""
    taken: dict[str, str] = {}
    for label, entry in membrane.mechanisms.items():
        where = (*at, "mechanisms", label)
        for mechanism in entry.mechanisms(label):
            other = taken.setdefault(mechanism.label, label)
            if other != label:
                problem = f"`{other}` already makes a mechanism `{mechanism.label}` (a channel has one per ion)"
                yield Complaint(where, problem, "another label")
            yield from _species(draft, where, membrane, entry, mechanism)
        ratio = getattr(entry, "permeability", None)
        if isinstance(ratio, Ratio) and membrane.permeability_scale is None:
            problem = f"`{ratio:.6g}` has no unit, and the membrane has no permeability_scale"
            expected = describe("m/s")
            hint = "give a velocity such as 4e-9 m/s, or permeability_scale on the membrane and plain ratios here"
            yield Complaint((*where, "permeability"), problem, expected, hint)
        if entry.law == "custom":
            yield from _expressions(draft, where, membrane, cast("CustomEntry", entry))
        else:
            yield from _variables(draft, where, membrane, entry)
            yield from _surroundings(draft, where, membrane, entry)
    yield from _circles(at, membrane)


def warnings(draft: Draft, at: Location, membrane: Membrane) -> Iterator[Complaint]:
    """Yield complaints about what is allowed but probably unintended."""
    given = [getattr(entry, "permeability", None) for entry in membrane.mechanisms.values()]
    if membrane.permeability_scale is not None and not any(isinstance(value, Ratio) for value in given):
        problem, hint = (
            "no mechanism of this membrane gives its permeability as a plain ratio",
            "e.g. permeability: 0.04",
        )
        yield Complaint((*at, "permeability_scale"), problem, "a ratio to it somewhere", hint)
    for label, entry in membrane.mechanisms.items():
        for mechanism in entry.mechanisms(label):
            charges = {s: draft.charge_of(s) or 0 for s in mechanism.species}
            inside, outside = (
                sum(n * charges[s] for s, n in m.items()) for m in (mechanism.moves, mechanism.moves_outside)
            )
            moved = inside if mechanism.law.charge is None else mechanism.law.charge
            if (moved != inside or outside != -inside) and not mechanism.law.open:
                problem = (
                    f"a turnover moves {moved:+d} charges, but its molecules carry {inside:+d} in and {outside:+d} out"
                )
                hint = (
                    "write `open: true` if the published model does this, or the run will end as conservation_violated"
                )
                yield Complaint((*at, "mechanisms", label), problem, "", hint)


def _species(draft: Draft, at: Location, membrane: Membrane, entry: Any, mechanism: Mechanism) -> Iterator[Complaint]:
    chosen, law = mechanism.chosen, mechanism.law
    for species in mechanism.species:
        where = _place(at, entry, mechanism, species)
        charge = draft.charge_of(species)
        if charge is None:
            known = list(dict.fromkeys([*draft.charges(), *SPECIES_CHARGE, *draft.species]))
            hint = suggestion(species, known) or f"declare it under species: {{{species}: {{charge: 1}}}}"
            yield Complaint(where, f"unknown species `{species}`", "one of " + ", ".join(known), hint)
            continue
        if species == chosen and law.chooses == "ion" and charge == 0:
            problem = f"`{species}` has charge 0, but {entry.law} moves ions"
            yield Complaint(where, problem, "a charged species", "use `law: diffusion_neutral` with `species:` instead")
            continue
        if species == chosen and _ignores_voltage(law) and charge != 0:
            problem = f"`{species}` is charged, but {entry.law} ignores the voltage"
            yield Complaint(where, problem, "a neutral species", "use `law: leak_ghk` with `ion:` instead")
            continue
        for side, moved in ((membrane.inside, mechanism.moves), (membrane.outside, mechanism.moves_outside)):
            compartment = draft.compartments.get(side)
            if compartment is None or species not in moved:
                continue
            if law.takes_logarithm and compartment.concentrations.get(species) == 0.0:
                problem = f"{entry.law} takes the logarithm of concentrations, but `{species}` is zero in `{side}`"
                hint = "give a small concentration, e.g. 1 nM, or use a law that allows zero, e.g. leak_ghk"
                yield Complaint(where, problem, f"`{species}` above 0 on both sides", hint)
            if species not in compartment.concentrations:
                problem = f"{entry.law} moves `{species}`, which `{side}` does not list"
                hint = f"add `{species}: 0 mM` to compartments.{side}.concentrations"
                yield Complaint(where, problem, "the species on both sides", hint)


def _ignores_voltage(law: Law) -> bool:
    """Whether a law moves its chosen species across the membrane independently of the voltage."""
    return law.chooses == "species" and law.moves.get(CHOSEN) == 1 and "v" not in law.arguments


def _place(at: Location, entry: Any, mechanism: Mechanism, species: str) -> Location:
    """Return the location of the key that names a species."""
    if entry.law == "channel":
        return (*at, "ions", species)
    if entry.law == "custom":
        return (*at, "moves" if species in entry.moves else "moves_outside", species)
    if species in mechanism.partners:
        return (*at, mechanism.law.partners[mechanism.partners.index(species)])
    return (*at, str(mechanism.law.chooses)) if species == mechanism.chosen else (*at, "law")


def _names(draft: Draft, membrane: Membrane) -> dict[str, str]:
    """Return the names that expressions and forms on a membrane may use, with their SI units."""
    found = dict(NAMES)
    for suffix, side in (("i", membrane.inside), ("o", membrane.outside)):
        compartment = draft.compartments.get(side)
        found |= {f"{s}_{suffix}": "mol/m^3" for s in (compartment.concentrations if compartment else ())}
        if compartment is not None and compartment.fixed:
            del found[f"volume_{suffix}"]
    for label, entry in membrane.mechanisms.items():
        found |= {f"{label}.{gate}": "1" for gate in (*getattr(entry, "gates", ()), *getattr(entry, "states", ()))}
    return found


def _expressions(draft: Draft, at: Location, membrane: Membrane, entry: CustomEntry) -> Iterator[Complaint]:
    """Yield complaints about the expressions of a custom law."""
    own = {name: getattr(value, "unit", "1") for name, value in entry.parameters.items()}
    offsets = {n: format_quantity(v, "K") for n, v in entry.parameters.items() if getattr(v, "offset", False)}
    gates = dict.fromkeys(entry.gates, "1")
    names = _names(draft, membrane)
    for name in [*(n for n in own if n in names or n in gates), *(n for n in gates if n in names)]:
        yield Complaint(
            (*at, "parameters" if name in own else "gates", name),
            f"`{name}` already has another meaning",
            "another name",
        )
    written: list[tuple[Location, str, str]] = [((*at, "rate"), entry.rate, "mol/m^2/s")]
    written += [
        ((*at, "gates", name, role), text, unit)
        for name, gate in entry.gates.items()
        for role, unit in ROLES.items()
        if (text := getattr(gate, role)) is not None
    ]
    for where, text, unit in written:
        try:
            expression = Expression(text)
            check_dimensions(expression, unit, {**names, **own, **gates})
            expression.require_defined()
            expression.require_differences(offsets)
        except ExpressionError as error:
            yield Complaint(where, error.problem, error.expected, error.hint)


def _variables(draft: Draft, at: Location, membrane: Membrane, entry: Any) -> Iterator[Complaint]:
    """Yield complaints about the variables that a channel's gates depend on."""
    names = _names(draft, membrane)
    owners: list[tuple[Location, Any]] = [(("gates", n), gate) for n, gate in getattr(entry, "gates", {}).items()]
    owners += [(("transitions", i), transition) for i, transition in enumerate(getattr(entry, "transitions", ()))]
    for place, role in ((place, (name, getattr(owner, name))) for place, owner in owners for name in owner.branches):
        of = getattr(role[1], "of", None)
        if of is None:
            continue
        unit = "1" if "midpoint" in type(role[1]).model_fields else "mol/m^3"
        known = [n for n, u in names.items() if u == unit]
        if of not in known:
            what = "gate" if unit == "1" else "concentration"
            expected = "one of " + ", ".join(known)
            yield Complaint((*at, *place, role[0], "of"), f"unknown {what} `{of}`", expected, suggestion(of, known))


def _surroundings(draft: Draft, at: Location, membrane: Membrane, entry: Any) -> Iterator[Complaint]:
    """Yield complaints about what a law depends on without moving it, and what the compartments do not have."""
    available = _names(draft, membrane)
    for mechanism in entry.mechanisms(at[-1]):
        law = mechanism.law
        moved = {f"{s}_{side}" for s in (*mechanism.species, *law.partners, "c") for side in "io"}
        own = {"z", *moved, *(p.name for p in law.parameters), *(g.name for g in law.gates)}
        for name in law.needs:
            if name not in own and name not in available:
                what, _, side = name.rpartition("_")
                place = membrane.inside if side == "i" else membrane.outside
                if what == "volume":
                    problem = f"{entry.law} depends on the volume of `{place}`, which is fixed and has none"
                    yield Complaint((*at, "law"), problem, "a compartment with a volume")
                elif "." not in name:
                    problem = f"{entry.law} depends on `{what}`, which `{place}` does not list"
                    hint = f"add `{what}: 0 mM` to compartments.{place}.concentrations"
                    yield Complaint((*at, "law"), problem, "", hint)


def _circles(at: Location, membrane: Membrane) -> Iterator[Complaint]:
    """Yield complaints about instantaneous gates that depend on each other in a cycle: they have no value."""
    waiting: dict[str, set[str]] = {}
    for label, entry in membrane.mechanisms.items():
        own = set(getattr(entry, "gates", ()))
        for name in own:
            needed = _follows_at_once(entry, name)
            waiting[f"{label}.{name}"] = {f"{label}.{n}" if n in own else n for n in needed}
    while waiting:
        ready = [name for name, needed in waiting.items() if not needed & waiting.keys()]
        if not ready:
            for name in waiting:
                label, circular = name.split(".")
                where = (*at, "mechanisms", label, "gates", circular)
                yield Complaint(where, "this gate depends on itself through a cycle of instantaneous gates")
            return
        for name in ready:
            del waiting[name]


def _follows_at_once(entry: Any, name: str) -> set[str]:
    """Return the names an instantaneous gate depends on; none for a gate that takes time or cannot be read."""
    gate = entry.gates[name]
    if entry.law != "custom":
        rates = (gate.opening, gate.closing, gate.steady) if gate.no_state else ()
        return {rate.variable for rate in rates if isinstance(rate, GateRate)}
    if gate.steady is None or gate.time_constant is not None:
        return set()
    try:
        return set(Expression(gate.steady).arguments)
    except ExpressionError:
        return set()
