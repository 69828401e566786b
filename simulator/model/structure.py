"""The structure of a model (connections and laws), which determines its equations.

Scenarios with equal structure share one kernel, whatever their values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from simulator.mechanisms import Gate, Occupancy, Scheme
from simulator.mechanisms.law import Rate, arguments
from simulator.mechanisms.mechanism import Mechanism
from simulator.model.names import (
    ATP_ENERGY,
    CLOCK,
    THERMAL_VOLTAGE,
    amount,
    area,
    capacitance,
    charge,
    concentration,
    drive,
    gate_name,
    impermeant,
    length,
    parameter_name,
    potential,
    voltage,
    volume,
    water_permeability,
    water_total,
)
from simulator.physics.constants import FARADAY
from simulator.physics.notation import species_text


@dataclass(frozen=True)
class CompartmentStructure:
    """Structure of a compartment.

    `volume` is ``"bath"`` (no volume), ``"given"`` (a parameter), ``"state"`` or ``"osmotic"``
    (follows from the amounts at once); `potential` is ``"ground"``, ``"held"`` (a parameter) or
    ``"free"``.
    """

    name: str
    volume: str
    potential: str
    species: tuple[str, ...]
    states: tuple[str, ...]


@dataclass(frozen=True)
class MembraneStructure:
    """Structure of a membrane; `area` is ``"given"``, or ``"sphere"`` or ``"cylinder"`` if it follows the volume."""

    name: str
    inside: str
    outside: str
    area: str
    water: str
    mechanisms: tuple[Mechanism, ...]


#: What a parameter may need to follow waveforms, in the order of :attr:`Structure.parameters`.
WAVE_PARTS = ("slope", "phase", "swing", "turn", "since")


@dataclass(frozen=True)
class Drive:
    """A parameter that a waveform of the protocol changes, and by which kinds of waveforms.

    Its present value is ``p + slope (time - since) + swing sin(turn (time - since) + phase)``.
    """

    parameter: str
    ramp: bool
    sine: bool

    @property
    def names(self) -> dict[str, str]:
        """Names of the parameters of its waveform, by the part they play."""
        absent = {*(() if self.ramp else ("slope",)), *(() if self.sine else ("swing", "turn", "phase"))}
        return {part: drive(part, self.parameter) for part in WAVE_PARTS if part not in absent}


@dataclass(frozen=True)
class Structure:
    """All that decides the equations; equal structures share one kernel.

    `faraday` is the value of Faraday's constant [C/mol], which the equations contain as a number; `measures` are the
    kinds and quantities of what is measured while a run is integrated.
    """

    formulation: str
    charges: tuple[tuple[str, int], ...]
    compartments: tuple[CompartmentStructure, ...]
    membranes: tuple[MembraneStructure, ...]
    faraday: float = FARADAY
    drives: tuple[Drive, ...] = ()
    measures: tuple[tuple[str, str], ...] = ()

    def compartment(self, name: str) -> CompartmentStructure:
        """The compartment of that name."""
        return next(c for c in self.compartments if c.name == name)

    @cached_property
    def mechanisms(self) -> tuple[tuple[MembraneStructure, Mechanism], ...]:
        """Every mechanism with its membrane, in order."""
        return tuple((m, mechanism) for m in self.membranes for mechanism in m.mechanisms)

    @cached_property
    def gates(self) -> dict[str, tuple[MembraneStructure, Mechanism, Gate]]:
        """Every gate by name, with its membrane and mechanism; mechanisms of one channel share gates."""
        return {
            gate_name(m.name, mechanism.owner, g.name): (m, mechanism, g)
            for m, mechanism in self.mechanisms
            for g in mechanism.law.gates
        }

    @cached_property
    def schemes(self) -> dict[str, tuple[MembraneStructure, Mechanism, Scheme]]:
        """Every Markov scheme by membrane and label, with its membrane and mechanism; those of one channel share it."""
        return {
            f"{m.name}.{mechanism.owner}": (m, mechanism, gate.scheme)
            for m, mechanism, gate in self.gates.values()
            if isinstance(gate, Occupancy) and gate.scheme is not None
        }

    @cached_property
    def gate_states(self) -> tuple[str, ...]:
        """Names of the gates that are states."""
        return tuple(name for name, (_, _, gate) in self.gates.items() if not gate.at_once)

    @cached_property
    def open(self) -> bool:
        """Whether some law is declared not to conserve charge or mass."""
        return any(
            mechanism.law.open or self.charge_moved(mechanism) != self.charge_carried(mechanism)
            for _, mechanism in self.mechanisms
        )

    def charge_carried(self, mechanism: Mechanism) -> int:
        """Total charge number of the molecules that enter the inside per turnover."""
        charges = dict(self.charges)
        return sum(n * charges[s] for s, n in mechanism.moves.items())

    def charge_moved(self, mechanism: Mechanism) -> int:
        """Charge number counted as entering the inside per turnover: the declared one, if any."""
        declared = mechanism.law.charge
        return self.charge_carried(mechanism) if declared is None else declared

    @cached_property
    def states_of(self) -> dict[str, tuple[str, ...]]:
        """Names of the states by kind: ``amount``, ``charge`` or ``potential``, ``gate``, ``clock``, ``volume``."""
        free = [c.name for c in self.compartments if c.potential == "free"]
        electroneutral = self.formulation == "electroneutral"
        return {
            "amount": tuple(amount(c.name, s) for c in self.compartments for s in c.states),
            "charge": () if electroneutral else tuple(map(charge, free)),
            "potential": tuple(map(potential, free)) if electroneutral else (),
            "gate": self.gate_states,
            "clock": (CLOCK,) if self.drives or self._timed else (),
            "volume": tuple(volume(c.name) for c in self.compartments if c.volume == "state"),
        }

    @property
    def _timed(self) -> bool:
        """Whether a law depends on the time itself."""
        return any("time" in needs(m) for _, m in self.mechanisms)

    @property
    def clock_of_waves(self) -> bool:
        """Whether there is a clock on which nothing depends while no waveform of the protocol runs."""
        return bool(self.drives) and not self._timed

    @cached_property
    def behind(self) -> dict[str, tuple[str, ...]]:
        """Free compartments whose charge each free compartment's way to a ground carries, itself first.

        The way leads through as few membranes as possible. A state is the charge of such a group and not that of one
        compartment: in a chain of compartments it is the charge of a membrane, on which that membrane's potential alone
        depends.
        """
        free = {c.name for c in self.compartments if c.potential == "free"}
        reached = {c.name for c in self.compartments} - free
        ways: dict[str, str] = {}
        links = [link for m in self.membranes for link in ((m.inside, m.outside), (m.outside, m.inside))]
        while found := {a: b for a, b in reversed(links) if a not in reached and b in reached}:
            ways |= found
            reached |= found.keys()
        groups: dict[str, tuple[str, ...]] = {c.name: () for c in self.compartments if c.name in free}
        for c in groups:
            step: str | None = c
            while step in free:
                groups[step] += (c,)
                step = ways.get(step)
        return {c: (c, *(other for other in group if other != c)) for c, group in groups.items()}

    def next_behind(self, compartment: str) -> tuple[str, ...]:
        """Free compartments whose way to a ground begins with a free compartment."""
        group = self.behind[compartment][1:]
        return tuple(c for c in group if not any(c in self.behind[other] for other in group if other != c))

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names of the states in order: amounts, charges or potentials, gates, the clock, volumes."""
        return tuple(chain.from_iterable(self.states_of.values()))

    def places(self, *kinds: str) -> np.ndarray:
        """Mask of the states of these kinds (see :attr:`states_of`), shape (states,)."""
        return np.repeat([kind in kinds for kind in self.states_of], [*map(len, self.states_of.values())])

    def in_words(self, state: str) -> str:
        """A state for people, e.g. ``amount of Na in cell``, ``potential of cell``, ``gate k_channel.n of plasma``."""
        for c in self.compartments:
            words = {charge(c.name): "charge", potential(c.name): "potential", volume(c.name): "volume"}
            if state == charge(c.name) and len(self.behind.get(c.name, ())) > 1:
                return f"charge of {c.name} and what is behind it"
            if state in words:
                return f"{words[state]} of {c.name}"
            for s in c.states:
                if state == amount(c.name, s):
                    return f"amount of {species_text(s)} in {c.name}"
        if state in self.gates:
            m, mechanism, gate = self.gates[state]
            return f"gate {mechanism.owner}.{gate.name} of {m.name}"
        return state

    @cached_property
    def osmotic_volumes(self) -> tuple[str, ...]:
        """Names of the volumes that are functions of the amounts."""
        return tuple(volume(c) for g in self.osmotic_groups for c in g if self.compartment(c).volume == "osmotic")

    @cached_property
    def bath_concentrations(self) -> tuple[str, ...]:
        """Names of the parameters that are concentrations."""
        return tuple(concentration(c.name, s) for c in self.compartments if c.volume == "bath" for s in c.species)

    @cached_property
    def signed(self) -> frozenset[str]:
        """Names of the quantities that may be negative; amounts, concentrations, volumes and areas may not."""
        electric = [*self.states_of["charge"], *self.states_of["potential"], *(voltage(m.name) for m in self.membranes)]
        own = [
            parameter_name(m.name, mechanism.owner, p.name)
            for m, mechanism in self.mechanisms
            for p in mechanism.law.parameters
        ]
        held = [potential(c.name) for c in self.compartments if c.potential == "held"]
        return frozenset((*electric, *held, *own, *self.gates, ATP_ENERGY))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters in order; last come, for each sine, swing and turn, then where each waveform begins.

        The driver of the kernel relies on these places.
        """
        waves = [d.names[part] for part in WAVE_PARTS for d in self.drives if part in d.names]
        return tuple(dict.fromkeys((*self._parameters(), *waves)))

    def _parameters(self) -> Iterator[str]:
        yield THERMAL_VOLTAGE
        if any(mechanism.law.atp for _, mechanism in self.mechanisms):
            yield ATP_ENERGY
        for c in self.compartments:
            if c.volume == "bath":
                yield from (concentration(c.name, s) for s in c.species)
            else:
                yield from (amount(c.name, s) for s in c.species if s not in c.states)
            yield impermeant(c.name)
            if c.potential == "held":
                yield potential(c.name)
            if c.volume == "given":
                yield volume(c.name)
        for group in self.closed_water:
            yield water_total(group)
        for m in self.membranes:
            if m.area == "given":
                yield area(m.name)
            elif m.area == "cylinder":
                yield length(m.inside)
            yield capacitance(m.name)
            if m.water == "finite":
                yield water_permeability(m.name)
            for mechanism in m.mechanisms:
                for parameter in mechanism.law.parameters:
                    yield parameter_name(m.name, mechanism.owner, parameter.name)

    @cached_property
    def osmotic_groups(self) -> tuple[tuple[str, ...], ...]:
        """Groups of compartments with equal osmolarity, because water between them equilibrates instantly."""
        return connected(
            [c.name for c in self.compartments],
            [(m.inside, m.outside) for m in self.membranes if m.water == "instant"],
        )

    @cached_property
    def closed_water(self) -> tuple[tuple[str, ...], ...]:
        """Osmotic groups of several compartments without a bath: their total volume is constant."""
        return tuple(
            g for g in self.osmotic_groups if len(g) > 1 and all(self.compartment(c).volume != "bath" for c in g)
        )


def scheme_rate_names(m: MembraneStructure, mechanism: Mechanism, scheme: Scheme) -> dict[Rate, str]:
    """Name of each rate of a scheme."""
    return {
        rate: f"{m.name}.{mechanism.owner}.{i}.{way}"
        for i, (_, _, forward, backward) in enumerate(scheme.transitions)
        for way, rate in (("forward", forward), ("backward", backward))
        if rate is not None
    }


def needs(mechanism: Mechanism) -> set[str]:
    """Arguments of a mechanism's rate and of its gates' rates."""
    found = set(mechanism.law.arguments)
    for gate in mechanism.law.gates:
        found |= {name for rate in gate.rates for name in arguments(rate)}
    return found


def connected(names: list[str], links: list[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Connected sets of names, in order of first appearance."""
    group = {name: {name} for name in names}
    for a, b in links:
        if group[a] is not group[b]:
            group[a] |= group[b]
            for name in group[a]:
                group[name] = group[a]
    seen: list[set[str]] = []
    for name in names:
        if not any(group[name] is other for other in seen):
            seen.append(group[name])
    return tuple(tuple(n for n in names if n in members) for members in seen)
