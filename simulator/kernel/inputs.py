"""Inputs of a kernel: arrays over the runs of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.kernel import load_arrays
from simulator.kernel.amplifier import follow_commands
from simulator.model.contents import Values
from simulator.model.model import Model
from simulator.model.names import gate_name
from simulator.model.protocol import Schedule, schedule
from simulator.model.structure import Structure, scheme_rate_names
from simulator.scenario.measures import KINDS, Measure
from simulator.scenario.parts import Run

if TYPE_CHECKING:
    from simulator.kernel.program import Integration, NothingMoves, Program


@dataclass(frozen=True)
class Inputs:
    """Inputs for a batch of runs; a single run is a batch of one.

    Parameters
    ----------
    state, scale : ndarray, shape (runs, states)
        Initial states and their absolute error scales.
    parameters : ndarray, shape (runs, parameters)
        Parameter vectors at the start.
    end : ndarray, shape (runs,)
        End times [s].
    events : Schedule
        Parameter changes after the start.
    measures : ndarray, shape (measures, 6)
        What to measure, see :mod:`simulator.kernel.measuring`.
    settings : Run
        Accuracy and limits, shared by all runs.
    """

    state: np.ndarray
    scale: np.ndarray
    parameters: np.ndarray
    end: np.ndarray
    events: Schedule
    measures: np.ndarray
    settings: Run

    @classmethod
    def of(cls, model: Model, swept: Mapping[str, np.ndarray] | None = None) -> Inputs:
        """Return the inputs of runs with these values by dotted path, shape (runs,) each; of one run if none is given.

        Values are arrays even for a single run, because array and scalar functions may differ in the last bit.

        Raises
        ------
        ModelError
            If the values of some run contradict each other.
        """
        swept = swept or {}
        runs = len(next(iter(swept.values()))) if swept else 1
        values = {key: np.array([value]) for key, value in model.values.items()} | dict(swept)

        def rows(array: np.ndarray) -> np.ndarray:
            return np.broadcast_to(array, (runs, array.shape[-1]))

        parameters, events = schedule(model.scenario, model.structure, values, runs).after_start(
            rows(model.parameters(values))
        )
        end = np.full(runs, model.scenario.run.duration)
        state, scale = rows(initial_states(model, values)), rows(model.scales(values))
        return cls(state, scale, parameters, end, events, measure_table(model.scenario.measure), model.scenario.run)

    def part(self, rows: slice) -> Inputs:
        """The inputs of some of the runs."""
        state, scale, parameters, end = (a[rows] for a in (self.state, self.scale, self.parameters, self.end))
        return Inputs(state, scale, parameters, end, self.events.part(rows), self.measures, self.settings)

    def in_force(self, times: np.ndarray) -> np.ndarray:
        """Parameters in force up to each time, see :meth:`simulator.model.protocol.Schedule.at`."""
        return self.events.at(times, self.parameters)

    def running(self, time: np.ndarray) -> np.ndarray:
        """Parameters in force at a time of each run, shape (runs, parameters), still to follow their waveforms."""
        return self.events.at(time[:, None], self.parameters, running=True)[:, 0]

    def integrated(
        self, program: Program | NothingMoves, times: np.ndarray, stopped: Callable[[], bool] = lambda: False
    ) -> Integration:
        """Integrate all runs, saving at `times` [s]; `stopped` is polled, and cancels the unfinished runs if true."""
        found = program.integrate(
            self.state,
            self.parameters,
            self.scale,
            self.end,
            times,
            events=self.events,
            measures=self.measures,
            rtol=self.settings.rtol,
            max_steps=self.settings.max_steps,
            stopped=stopped,
        )
        follow_commands(self.events.structure, self.events, self.parameters, found.saved, times)
        return found


def measure_table(measures: Mapping[str, Measure]) -> np.ndarray:
    """Table of measures for the kernel, shape (measures, 6), see :mod:`simulator.kernel.measuring`."""
    quantities = list(dict.fromkeys(measure.quantity for measure in measures.values()))
    rows = []
    for measure in measures.values():
        begin, end = measure.window or (0.0, np.inf)
        if measure.at is not None:
            begin = end = measure.at
        direction = ("rising", "falling", "either").index(measure.direction)
        place, level = quantities.index(measure.quantity), measure.level or 0.0
        rows.append([list(KINDS).index(measure.kind), direction, begin, end, level, place])
    return np.array(rows, dtype=float).reshape(-1, 6)


def initial_states(model: Model, values: Values | None = None) -> np.ndarray:
    """States at t = 0, gates included: their saved or given start values, otherwise their steady state.

    Parameters
    ----------
    model : Model
        If it has gates, its equations are loaded from the cache, or generated.
    values : mapping, optional
        Values by dotted path; arrays of shape ``(runs,)`` give a result of shape ``(runs, states)``.

    Raises
    ------
    ModelError
        When composition and potential contradict each other.
    """
    state, names = model.initial_state(values), model.structure.gate_states
    if not names:
        return state
    equations, contents = load_arrays(model.structure), model.contents(values)
    parameters = model.parameters(values)
    gates = [model.structure.gates[name] for name in names]
    given = [np.shape(contents.gate(m.name, mechanism.owner, gate, 0.0)) for m, mechanism, gate in gates]
    axes = np.broadcast_shapes(state.shape[:-1], parameters.shape[:-1], *given)
    state = np.broadcast_to(state, (*axes, state.shape[-1])).copy()
    # Gates may depend on each other in a chain, at most as long as their number.
    for _ in names:
        rests = equations.gate_rests(state, parameters) | _occupancies(model.structure, state, parameters)
        for name, (m, mechanism, gate) in zip(names, gates, strict=True):
            start = contents.gate(m.name, mechanism.owner, gate, rests[name])
            state[..., model.structure.states.index(name)] = start
    return state


def _occupancies(structure: Structure, state: np.ndarray, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """Occupancies of Markov schemes that no longer change, everything else held constant, by name."""
    found: dict[str, np.ndarray] = {}
    if structure.schemes:
        rates = load_arrays(structure).scheme_rates(state, parameters)
        for m, mechanism, scheme in structure.schemes.values():
            names = scheme_rate_names(m, mechanism, scheme)
            with np.errstate(all="ignore"):
                rests = scheme.resting(lambda rate, names=names: rates[names[rate]])  # type: ignore[misc]
            found |= {gate_name(m.name, mechanism.owner, s): rest for s, rest in rests.items()}
    return found
