"""The verdict on a run: a word, found as in :mod:`simulator.verdict.judged`, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.model import TRACE_CONCENTRATION
from simulator.model.names import THERMAL_VOLTAGE, concentration, voltage
from simulator.model.structure import MembraneStructure, Structure
from simulator.physics.electrochemistry import electrochemical_difference
from simulator.physics.notation import species_text
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.arrangement import named
from simulator.trajectory.flows import EMPTY, Flows
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.balance import EQUILIBRIUM
from simulator.verdict.ends import Ends
from simulator.verdict.judged import judged
from simulator.verdict.rest import eigenvalues
from simulator.verdict.what_follows import Entrainment, Oscillation, RunAway, what_follows
from simulator.verdict.words import AT_REST, HEADLINES, WORDS

#: Part of all powers that is more than rounding.
NOTICED = 1.0e-9


@dataclass(frozen=True)
class Verdict:
    """The word for a run's end, with its evidence.

    Parameters
    ----------
    word : str
        One of :data:`simulator.verdict.words.WORDS`.
    species : mapping
        The same words, and ``isolated``, by membrane and species.
    distance : float
        Scaled Newton distance of the final state to the nearest rest point.
    eigenvalues : ndarray of complex, shape (independent states,)
        Of the Jacobian among states with the same conserved totals [1/s], slowest first.
    affinity : mapping of str to float
        Affinity over RT of each conducting mechanism at the rest point (at the final state, if not at rest).
    dissipation : float
        Free energy dissipated at the final state [W]; NaN where that is undefined (see
        :attr:`~simulator.trajectory.analysis.Analysis.total_dissipation`).
    atp_rate : float
        ATP used at the final state [mol/s].
    isolated : tuple of str
        Species that no open path reaches, as ``membrane.species``.
    left_out : tuple of str
        Parts that are not judged: fixed compartments, clamped membranes.
    time_to_rest : float
        Time until rest [s]: 0 at rest, NaN if no rest follows.
    ahead : str
        What follows a run that is not at rest, as a clause; may be empty.
    oscillation : Oscillation or None
        The cycle, where the word is ``oscillation``.
    run_away : RunAway or None
        What grows, where the word is ``run_away``.
    entrainment : Entrainment or None
        How the run follows its stimulus, where the word is ``entrained``.
    """

    word: str
    species: Mapping[str, Mapping[str, str]]
    distance: float
    eigenvalues: np.ndarray
    affinity: Mapping[str, float]
    dissipation: float
    atp_rate: float
    isolated: tuple[str, ...]
    left_out: tuple[str, ...]
    time_to_rest: float = 0.0
    ahead: str = ""
    oscillation: Oscillation | None = None
    run_away: RunAway | None = None
    entrainment: Entrainment | None = None

    @property
    def stable(self) -> bool:
        """Whether small disturbances die out, by the eigenvalues."""
        return bool(np.all(self.eigenvalues.real < 0.0))

    @property
    def slowest_time(self) -> float:
        """Time constant [s] of the slowest approach to rest; infinite if nothing decays."""
        rates = -self.eigenvalues.real
        return float(1.0 / rates.min()) if len(rates) and rates.min() > 0.0 else float("inf")

    @property
    def headline(self) -> str:
        """The word as used in lectures, e.g. ``Dynamic equilibrium``."""
        return HEADLINES[self.word]

    @property
    def detail(self) -> str:
        """The sentence without the headline; may be empty."""
        sentence = self.sentence
        if sentence.lower().startswith(self.headline.lower()):
            sentence = sentence[len(self.headline) :].lstrip(";, ")
        return sentence

    @property
    def sentence(self) -> str:
        """What a teacher would say, e.g. ``Cl is at equilibrium, K and Na are not``."""
        if self.word == "inert":
            return "nothing can move: every path is shut, which proves nothing about equilibrium"
        groups: dict[str, list[str]] = {}
        for membrane, words in self.species.items():
            for s, word in words.items():
                name = species_text(s) if len(self.species) == 1 else f"{species_text(s)} ({membrane})"
                groups.setdefault(word, []).append(name)
        isolated = groups.pop("isolated", [])
        at = groups.pop("equilibrium", [])
        rest = [name for names in groups.values() for name in names]
        if self.word == "run_away":
            text = self.ahead[:1].upper() + self.ahead[1:]
        elif self.word not in AT_REST:
            openings = {"oscillation": "a cycle", "entrained": "follows its stimulus"}
            text = openings.get(self.word, "still changing") + (f", {self.ahead}" if self.ahead else "")
        elif at and rest:
            text = f"{_listed(at)} at equilibrium, {_listed(rest)} not"
        elif at:
            text = f"{_listed(at)} at equilibrium"
        elif rest:
            balance = "balanced flows, not balanced forces" if len(self.eigenvalues) else "held there from outside"
            text = f"{_listed(rest)} not at equilibrium: {balance}"
        else:
            text = "only water moves"
        return text + (f"; {_listed(isolated)} isolated (no open path)" if isolated else "")


def _listed(names: list[str]) -> str:
    verb = " is" if len(names) == 1 else " are"
    return (names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]) + verb


def classify(trajectory: Trajectory) -> Verdict:
    """Judge the end of a run.

    Parameters
    ----------
    trajectory : Trajectory
        A finished or failed run; its last saved state is judged.
    """
    structure, ends = trajectory.structure, Ends.of(trajectory)
    found = judged(ends)
    word, coming = WORDS[found.words[0]], what_follows(ends, found)
    point, parameters = found.points[0], ends.parameters[0]
    flows = Flows.of(structure, point, parameters, ends.scales[0])
    species = _species_words(structure, flows, point, parameters, word)
    end = Analysis(trajectory.moment())
    return Verdict(
        word=word,
        species=species,
        distance=float(found.distance[0]),
        eigenvalues=eigenvalues(structure, found.jacobians[0], point, parameters),
        affinity={
            label: float(affinity)
            for label, affinity in flows.affinity.items()
            if label not in flows.electrodes and flows.carrying(label)
        },
        dissipation=float(end.total_dissipation[0]),
        atp_rate=float(end.total_atp_rate[0]),
        isolated=tuple(f"{m}.{s}" for m, words in species.items() for s, w in words.items() if w == "isolated"),
        left_out=_left_out(structure, flows),
        time_to_rest=0.0 if word in AT_REST else coming.time_to_rest,
        ahead=coming.ahead,
        oscillation=coming.oscillation,
        run_away=coming.run_away,
        entrainment=coming.entrainment,
    )


def uphill(trajectory: Trajectory) -> dict[str, float]:
    """Mechanisms that gain free energy at the end of a run with nothing to pay for it, and how much [W]."""
    end = Analysis(trajectory.moment())
    counted = end.carrying[0] & ~end.external
    power = np.where(counted, end.dissipation.values[0], 0.0)
    lost = np.sum(np.abs(power[np.isfinite(power)]))
    labels = trajectory.labels["mechanism"]
    return {label: -float(p) for label, p in zip(labels, power, strict=True) if p < -NOTICED * lost}


def beyond_stall(trajectory: Trajectory, verdict: Verdict) -> list[str]:
    """Mechanisms that use ATP beyond their stall potential at the end of a run."""
    users = {f"{m.name}.{mechanism.label}" for m, mechanism in trajectory.structure.mechanisms if mechanism.law.atp}
    return [label for label, affinity in verdict.affinity.items() if label in users and affinity < -EQUILIBRIUM]


def _species_words(
    structure: Structure, flows: Flows, state: np.ndarray, parameters: np.ndarray, word: str
) -> dict[str, dict[str, str]]:
    """Word of each species at each membrane that has it on both sides; at rest its own, otherwise the run's."""
    numbers = named(structure, state, parameters)
    found: dict[str, dict[str, str]] = {}
    for m in structure.membranes:
        words: dict[str, str] = {}
        for s, z in structure.charges:
            if not all(s in structure.compartment(side).species for side in (m.inside, m.outside)):
                continue
            if not _moves(structure, flows, m, s):
                words[s] = "isolated"
            elif word not in AT_REST:
                words[s] = word
            else:
                inside, outside = (numbers[concentration(c, s)] for c in (m.inside, m.outside))
                v = numbers[voltage(m.name)] / numbers[THERMAL_VOLTAGE]
                force = electrochemical_difference(inside, outside, z, v)
                nothing = max(inside, outside) < EMPTY * TRACE_CONCENTRATION
                words[s] = "equilibrium" if nothing or abs(force) < EQUILIBRIUM else "steady_state"
        found[m.name] = words
    return found


def _moves(structure: Structure, flows: Flows, membrane: MembraneStructure, species: str) -> bool:
    """Whether a species can cross a membrane, or be made or used up on either side of it; electrodes do not count."""
    for m, mechanism in structure.mechanisms:
        reaction = not mechanism.moves_outside and m.inside in (membrane.inside, membrane.outside)
        here = m is membrane or reaction
        counts = here and species in mechanism.species and not mechanism.law.external
        if counts and flows.possible[f"{m.name}.{mechanism.label}"] > 0.0:
            return True
    return False


def _left_out(structure: Structure, flows: Flows) -> tuple[str, ...]:
    fixed = [f"{c.name} (fixed)" for c in structure.compartments if c.volume == "bath"]
    clamped = [
        f"{m.name} ({mechanism.law.title.lower()})"
        for m, mechanism in structure.mechanisms
        if mechanism.law.external and flows.traffic[f"{m.name}.{mechanism.label}"]
    ]
    return (*fixed, *clamped)


__all__ = ["Entrainment", "Oscillation", "RunAway", "Verdict", "beyond_stall", "classify", "uphill"]
