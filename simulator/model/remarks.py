"""What a scenario allows but hardly means: at the start, after each event, in each run of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator.errors import ModelError
from simulator.mechanisms import CLAMP
from simulator.model.admissibility import inadmissible
from simulator.model.conditions import Conditions
from simulator.model.contents import Contents, Values
from simulator.model.extremes import passed
from simulator.model.model import Model
from simulator.model.start import unbalanced_charge
from simulator.model.undefined import undefined
from simulator.physics.constants import AVOGADRO
from simulator.physics.electrochemistry import net_turnover
from simulator.physics.notation import format_quantity, species_text
from simulator.scenario.parts import SetEvent

#: Unbalanced charge [mol/m3] that is worth a remark.
WORTH_A_REMARK = 1.0

#: Relative change of a given volume that is not worth a warning.
UNNOTICED = 1.0e-3

#: Potentials [V] that a cell may pass, at which the currents of an electroneutral compartment are looked at.
POTENTIALS = np.linspace(-0.12, 0.06, 181)


@dataclass(frozen=True)
class Remark:
    """One remark.

    Parameters
    ----------
    key : str
        Dotted path of what it is about.
    text : str
        The remark.
    where : ndarray of bool, shape (runs,)
        The runs that it concerns.
    fatal : bool
        Whether these runs cannot even begin.
    """

    key: str
    text: str
    where: np.ndarray
    fatal: bool = False


def remarks(model: Model, values: Values | None = None) -> list[Remark]:
    """All remarks, each told once: at the start, or at the first event from which on it holds.

    Parameters
    ----------
    model : Model
        The model.
    values : mapping, optional
        Numbers by dotted path, instead of the scenario's own; arrays of shape (runs,) for the runs of a sweep.
    """
    numbers = dict(model.values) | dict(values or {})
    shape = np.broadcast_shapes(*(np.shape(v) for v in numbers.values())) or (1,)
    found: dict[tuple[str, str], Remark] = {}
    for event, contents in _stages(model, numbers):
        try:
            stretch = list(_at(model, contents, start=event is None))
        except ModelError:  # contradictions of the start are errors, and told as such
            continue
        for kind, key, text, where in stretch:
            if not np.any(where) or (kind, key) in found:
                continue
            if event is not None:
                at = np.min(numbers[f"protocol.{event}.at"])
                key_of, told = f"protocol.{event}", f"from {format_quantity(float(at), 's')} on: {text}"
            else:
                key_of, told = key, text
            fatal = kind == "undefined" and event is None and not _changes_at_once(model, numbers)
            found[kind, key] = Remark(key_of, told, np.broadcast_to(where, shape), fatal)
    return list(found.values())


def _changes_at_once(model: Model, values: dict[str, Any]) -> bool:
    """Whether the protocol changes numbers at the very start, so that those given do not matter."""
    sets = (i for i, event in enumerate(model.scenario.protocol) if isinstance(event, SetEvent))
    return any(np.any(values[f"protocol.{i}.at"] == 0.0) for i in sets)


def _stages(model: Model, values: dict[str, Any]) -> Iterator[tuple[int | None, Contents]]:
    """The contents at the start, and with what each event sets; pulses on top of what is set for good."""
    start = model.contents(values)
    yield None, start
    for i, event in enumerate(model.scenario.protocol):
        if isinstance(event, SetEvent):
            set_to: dict[str, Any] = {}
            for set_to in passed(event, i, values, model.scenario.run.duration):
                yield i, start.changed(values | set_to)
            if event.lasting is None:
                values = values | set_to


def _at(model: Model, contents: Contents, start: bool) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Kind, key, text and runs of what can be said of one set of numbers."""
    for c in model.structure.compartments:
        if start or c.volume == "bath":
            yield from _charge(contents, c.name)
        if start and c.volume == "osmotic":
            yield from _volume(contents, c.name)
        if start and c.volume != "bath":
            yield from _particles(contents, c.name)
    for key, text, where in undefined(Conditions(model, contents)):
        yield "undefined", key, text, where
    for key, text, where in inadmissible(Conditions(model, contents)):
        yield "admissible", key, text, where
    if model.structure.formulation == "electroneutral":
        yield from _no_potential(model, contents)


def _charge(contents: Contents, compartment: str) -> Iterator[tuple[str, str, str, np.ndarray]]:
    missing = np.asarray(unbalanced_charge(contents, compartment))
    worst = float(missing.flat[np.argmax(np.abs(missing))])
    text = (
        f"{abs(worst):.4g} mM of {'positive' if worst > 0 else 'negative'} charge is not balanced; "
        "fixed charge without osmotic effect is assumed to balance it (add an impermeant to specify it)"
    )
    yield "charge", f"compartments.{compartment}.concentrations", text, np.abs(missing) > WORTH_A_REMARK


def _volume(contents: Contents, compartment: str) -> Iterator[tuple[str, str, str, np.ndarray]]:
    ratio = np.asarray(contents.balanced_volume(compartment) / contents.starting_volume(compartment))
    worst = float(ratio.flat[np.argmax(np.abs(ratio - 1.0))])
    which = "given" if contents.scenario.start is None else "saved"
    text = (
        f"water equilibrates instantly: the volume starts at {worst:.4g} times the {which} one, and the concentrations "
        f"at {1.0 / worst:.4g} times"
    )
    yield "volume", f"compartments.{compartment}", text, np.abs(ratio - 1.0) > UNNOTICED


def _particles(contents: Contents, compartment: str) -> Iterator[tuple[str, str, str, np.ndarray]]:
    for s in contents.structure.compartment(compartment).species:
        number = np.asarray(contents.amount(compartment, s)) * AVOGADRO
        few = (number > 0.0) & (number < 1.0)
        text = too_few(f"{compartment} starts", s, float(np.min(np.where(few, number, 1.0))))
        yield "particles", f"compartments.{compartment}.concentrations.{s}", text, few


def too_few(when: str, species: str, number: float) -> str:
    """Say that a compartment starts or ends with less than one particle."""
    return (
        f"{when} with {number:.2g} particles of {species_text(species)}: below one, a concentration is an average over "
        "many such compartments"
    )


def _no_potential(model: Model, contents: Contents) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Where the only free compartment of an electroneutral model has no potential that would balance its currents.

    With its slow gates as they start, net current that rises with the potential is a negative slope conductance: there
    the potential runs away from where the currents balance, and only a capacitance can say how.
    """
    free = [c for c in model.structure.compartments if c.potential == "free"]
    if len(free) != 1:
        return
    here, net = Conditions(model, _in_rows(contents)), np.zeros((1, len(POTENTIALS)))
    for m in model.structure.membranes:
        sign = (m.inside == free[0].name) - (m.outside == free[0].name)
        if not sign:
            continue
        v, sides = sign * POTENTIALS, here.sides(m)
        gates = here.gates(m, here.potential[m.name]) | here.gates(m, v, moving=False)
        for mechanism in m.mechanisms:
            charge = model.structure.charge_moved(mechanism)
            if charge and mechanism.law_name != CLAMP:
                rate = here.rate(m, mechanism, v, sides, gates)
                if mechanism.law.reversible:
                    rate = net_turnover(rate, here.affinity(mechanism, v, sides))
                net = net + sign * charge * rate * here.contents.balanced_area(m.name)
    rising = np.diff(net, axis=-1) > 0.0
    where = np.any(rising, axis=-1)
    if np.any(where):
        first = np.flatnonzero(rising[np.argmax(where)])
        low, high = (format_quantity(float(POTENTIALS[i]), "V") for i in (first[0], first[-1] + 1))
        text = (
            f"between {low} and {high} no potential of {free[0].name} balances its currents, gates as at the start "
            "(negative slope conductance); use `formulation: capacitive` if it can get there"
        )
        yield "potential", "formulation", text, where


def _in_rows(contents: Contents) -> Contents:
    """The same with numbers of shape (runs, 1), to be taken together with many potentials."""
    rows = {key: np.reshape(v, (-1, 1)) for key, v in contents.values.items() if np.ndim(v)}
    start = None if contents.start is None else _in_rows(contents.start)
    return replace(contents, values=dict(contents.values) | rows, start=start)
