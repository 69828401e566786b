"""Which kind of rest a run has reached: dynamic equilibrium, steady state, a cycle, or none.

A state is *at rest* when its scaled Newton distance to a rest point is below :data:`simulator.verdict.rest.REST`; the
Newton step is taken among states with the same conserved totals, so a conserved total cannot hide a
drift. At rest it is an *equilibrium* when every conducting mechanism has an affinity below
:data:`EQUILIBRIUM` RT at that rest point, and a *steady state* otherwise: something flows, and free
energy is dissipated to keep it flowing. A state that is not at rest is followed on by the kernel
(:mod:`simulator.verdict.lookahead`): it is an *oscillation* when it is on a cycle already, a *run-away* when
something has begun to grow that never stops, and else *not converged*, with the time still to go. The word
concerns the last stretch of the protocol, and needs nothing but the last state and its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.model.model import TRACE_CONCENTRATION
from simulator.model.names import THERMAL_VOLTAGE, concentration, voltage, water_flow, water_permeability
from simulator.physics.electrochemistry import electrochemical_difference
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.prospect import Oscillation, Prospect, RunAway, prospect
from simulator.verdict.rest import REST, approach, at_rest, eigenvalues
from simulator.verdict.words import HEADLINES

#: Largest affinity, over RT, of a mechanism at equilibrium.
EQUILIBRIUM = 1.0e-6

#: A mechanism with less traffic than this, relative to that of a trace of its species, has nothing to carry.
EMPTY = 1.0e-3


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
        Free energy dissipated at the final state [W] by mechanisms that have something to carry, clamps left out.
    atp_rate : float
        ATP used at the final state [mol/s].
    isolated : tuple of str
        Species that no open path reaches, as ``membrane.species``.
    left_out : tuple of str
        What the test cannot judge: fixed compartments, clamped membranes.
    time_to_rest : float
        Time still to go until rest [s]: 0 at rest, NaN where none lies ahead.
    ahead : str
        What lies ahead of a run that is not at rest, as a clause; may be empty.
    oscillation : Oscillation or None
        The cycle, where the word is ``oscillation``.
    run_away : RunAway or None
        What grows, where the word is ``run_away``.
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
        """The word as a lecture says it, e.g. ``Dynamic equilibrium``."""
        return HEADLINES[self.word]

    @property
    def detail(self) -> str:
        """What the sentence adds to the headline; may be empty."""
        sentence = self.sentence
        if sentence.lower().startswith(self.headline.lower()):
            sentence = sentence[len(self.headline) :].lstrip(";, ")
        return sentence

    @property
    def sentence(self) -> str:
        """What a teacher would say, e.g. ``Cl is at equilibrium, K and Na are not``."""
        groups: dict[str, list[str]] = {}
        for membrane, words in self.species.items():
            for s, word in words.items():
                name = s.capitalize() if len(self.species) == 1 else f"{s.capitalize()} ({membrane})"
                groups.setdefault(word, []).append(name)
        isolated = groups.pop("isolated", [])
        at = groups.pop("equilibrium", [])
        rest = [name for names in groups.values() for name in names]
        if self.word == "run_away":
            text = self.ahead[:1].upper() + self.ahead[1:]
        elif self.word not in ("equilibrium", "steady_state"):
            text = "a cycle" if self.word == "oscillation" else "not at rest yet"
            text += f", {self.ahead}" if self.ahead else ""
        elif at and rest:
            text = f"{_listed(at)} at equilibrium, {_listed(rest)} not"
        elif at:
            text = f"{_listed(at)} at equilibrium"
        elif rest:
            text = f"{_listed(rest)} not at equilibrium: balanced flows, not balanced forces"
        else:
            text = "only water moves" if not isolated else "nothing can move"
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
    state, parameters = _last(trajectory)
    equations = trajectory.equations
    size = np.maximum(np.abs(state), trajectory.model.scales())
    distance, rest, jacobian = approach(equations, state, parameters, size)
    at_rest = distance < REST and trajectory.status == "ok"
    judged = rest if at_rest else state
    rates, probed = _rates(trajectory, judged, parameters), _probed_rates(trajectory, judged, parameters)
    electrodes = {f"{m.name}.{use.label}" for m, use in trajectory.structure.uses if use.mechanism.external}
    affinity = {
        label: rates[f"{label}.affinity"]
        for label in trajectory.labels["mechanism"]
        if label not in electrodes and _traffic(rates, label) > EMPTY * _traffic(probed, label)
    }
    water = _water_affinities(trajectory, judged, parameters)
    species = _species_words(trajectory, probed, judged, parameters, at_rest)
    balanced = all(abs(a) < EQUILIBRIUM for a in (*affinity.values(), *water.values()))
    word = "equilibrium" if balanced and not trajectory.structure.open else "steady_state"
    open_paths = any(_traffic(probed, label) for label in trajectory.labels["mechanism"]) or water
    coming = Prospect("not_converged")
    if not at_rest and trajectory.status == "ok":
        coming = prospect(trajectory)
    if not at_rest or not open_paths:  # where nothing can move, rest proves nothing
        word = coming.word
        species = {m: {s: w if w == "isolated" else word for s, w in words.items()} for m, words in species.items()}
    analysis = Analysis(trajectory)
    carrying = [label in affinity for label in trajectory.labels["mechanism"]]
    return Verdict(
        word=word,
        species=species,
        distance=distance,
        eigenvalues=eigenvalues(equations, jacobian),
        affinity=affinity,
        dissipation=float(np.sum(analysis.dissipation.values[-1][carrying])),
        atp_rate=float(np.sum(analysis.atp_rate.values[-1])),
        isolated=tuple(f"{m}.{s}" for m, words in species.items() for s, w in words.items() if w == "isolated"),
        left_out=_left_out(trajectory, probed),
        time_to_rest=0.0 if at_rest else coming.time_to_rest,
        ahead=coming.ahead,
        oscillation=coming.oscillation,
        run_away=coming.run_away,
    )


def beyond_stall(trajectory: Trajectory, verdict: Verdict) -> list[str]:
    """Mechanisms that use ATP at the end of a run against their own free energy."""
    users = {f"{m.name}.{use.label}" for m, use in trajectory.structure.uses if use.mechanism.atp}
    return [label for label, affinity in verdict.affinity.items() if label in users and affinity < -EQUILIBRIUM]


def first_rest(trajectory: Trajectory) -> int | None:
    """Index of the first saved state from which on the run stays at rest, None if it does not end so."""
    duration = trajectory.scenario.run.duration
    last_event = max((e.time for e in trajectory.model.events() if e.time < duration), default=0.0)
    size = np.maximum(np.abs(trajectory.states), trajectory.model.scales())
    resting = at_rest(trajectory.equations, trajectory.states, trajectory.parameters, size)
    found = rest_begins(resting[None], trajectory.time, np.array([last_event]))[0]
    return int(found) if found >= 0 else None


def rest_begins(resting: np.ndarray, time: np.ndarray, last_event: np.ndarray) -> np.ndarray:
    """Index of the saved time from which on each run stays at rest, -1 where it does not end so.

    Parameters
    ----------
    resting : ndarray of bool, shape (runs, times)
        Whether each saved state is at rest.
    time : ndarray, shape (times,)
        Save times [s].
    last_event : ndarray, shape (runs,)
        When the protocol last changed something [s], 0 where it never did; what came before does not count.
    """
    resting = resting & ((time > last_event[:, None]) | (last_event[:, None] <= 0.0))
    # Looking back from the end, the first state that is not at rest.
    moving = ~resting[:, ::-1]
    length = np.where(moving.any(axis=1), moving.argmax(axis=1), resting.shape[1])
    return np.where(length > 0, resting.shape[1] - length, -1)


def _last(trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    return trajectory.states[-1], trajectory.parameters[-1]


def _rates(trajectory: Trajectory, state: np.ndarray, parameters: np.ndarray) -> dict[str, float]:
    with np.errstate(all="ignore"):
        return {name: float(rate) for name, rate in trajectory.equations.rates(state, parameters).items()}


def _probed_rates(trajectory: Trajectory, state: np.ndarray, parameters: np.ndarray) -> dict[str, float]:
    """Rates with a trace of every species on both sides: whether a path is open, not whether something is there."""
    structure = trajectory.structure
    amounts = np.array([name.startswith("n_") for name in structure.states], dtype=bool)
    baths = np.array([name.startswith("c_") for name in structure.parameters], dtype=bool)
    probe, surroundings = state.copy(), parameters.copy()
    probe[amounts] = np.maximum(probe[amounts], trajectory.model.scales()[amounts])
    surroundings[baths] = np.maximum(surroundings[baths], TRACE_CONCENTRATION)
    return _rates(trajectory, probe, surroundings)


def _traffic(rates: Mapping[str, float], label: str) -> float:
    """Size of what passes through a mechanism, in either direction; 0 if it is shut."""
    one_way = (abs(rates.get(f"{label}.{kind}", 0.0)) for kind in ("net", "forward", "backward"))
    return max(value for value in one_way if not np.isnan(value))


def _water_affinities(trajectory: Trajectory, state: np.ndarray, parameters: np.ndarray) -> dict[str, float]:
    """Relative osmotic imbalance across membranes with an open water path."""
    flows = trajectory.equations.water(state, parameters)
    names = trajectory.structure.parameters
    found = {}
    for m in trajectory.structure.membranes:
        if m.water == "finite" and parameters[names.index(water_permeability(m.name))] > 0.0:
            analysis = Analysis(trajectory)
            size = float(analysis.osmolarity.sel(compartment=m.outside)[-1])
            permeability = float(parameters[names.index(water_permeability(m.name))])
            area = float(analysis.area.sel(membrane=m.name)[-1])
            found[f"{m.name}.water"] = float(flows[water_flow(m.name)]) / (permeability * area * size)
    return found


def _species_words(
    trajectory: Trajectory, rates: Mapping[str, float], state: np.ndarray, parameters: np.ndarray, at_rest: bool
) -> dict[str, dict[str, str]]:
    """Word of each species at each membrane that separates some of it from some more."""
    structure = trajectory.structure
    derived = trajectory.equations.quantities(state, parameters)
    numbers = dict(zip(structure.parameters, parameters, strict=True)) | {k: float(v) for k, v in derived.items()}
    found: dict[str, dict[str, str]] = {}
    for m in structure.membranes:
        words: dict[str, str] = {}
        for s, z in structure.charges:
            if not all(s in structure.compartment(side).species for side in (m.inside, m.outside)):
                continue
            movers = [u for u in m.mechanisms if s in u.species and not u.mechanism.external]
            if not any(_traffic(rates, f"{m.name}.{u.label}") for u in movers):
                words[s] = "isolated"
            elif not at_rest:
                words[s] = "not_converged"
            else:
                inside, outside = (numbers[concentration(c, s)] for c in (m.inside, m.outside))
                force = electrochemical_difference(
                    inside, outside, z, numbers[voltage(m.name)] / numbers[THERMAL_VOLTAGE]
                )
                nothing = max(inside, outside) < EMPTY * TRACE_CONCENTRATION
                words[s] = "equilibrium" if nothing or abs(force) < EQUILIBRIUM else "steady_state"
        found[m.name] = words
    return found


def _left_out(trajectory: Trajectory, rates: Mapping[str, float]) -> tuple[str, ...]:
    fixed = [f"{c.name} (fixed)" for c in trajectory.structure.compartments if c.volume == "bath"]
    clamped = [
        f"{m.name} ({use.mechanism.title.lower()})"
        for m, use in trajectory.structure.uses
        if use.mechanism.external and _traffic(rates, f"{m.name}.{use.label}")
    ]
    return (*fixed, *clamped)


__all__ = ["EQUILIBRIUM", "REST", "Oscillation", "RunAway", "Verdict", "classify", "first_rest"]
