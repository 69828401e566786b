"""A compiled kernel and its results."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.kernel import cache
from simulator.kernel.native import Function, MachineCode, obtained
from simulator.kernel.status import Status
from simulator.kernel.workspace import Rows, Task, workspace
from simulator.model.protocol import Schedule

#: Attempted steps of all lanes between two checks whether to stop, times rows of the workspace: some ten milliseconds.
ROWS_PER_CALL = 2_000_000

#: Nothing to do, in the types of all that a kernel is given: workspace, task, attempts.
NOTHING = Task(
    np.empty((0, 0)),
    np.empty((0, 0, 0)),
    np.empty(0),
    np.empty((0, 0, 0)),
    np.empty((0, 0)),
    np.empty((0, 6)),
    np.empty((0, 0)),
    np.array([0, 0, 1]),
    0.0,
    0,
)
#: A measure that never begins.
NOTHING_MEASURED = np.array([[0.0, 0.0, np.inf, -np.inf, 0.0, 0.0]])
EXAMPLE = (np.empty(0), NOTHING, 0)


@dataclass(frozen=True)
class Integration:
    """Results of a kernel for a batch of runs.

    Parameters
    ----------
    saved : ndarray, shape (runs, times, states)
        States at the save times; NaN after a run's end.
    final : ndarray, shape (runs, states)
        Last valid state.
    status : ndarray of int, shape (runs,)
        Codes of :class:`~simulator.kernel.status.Status`.
    time : ndarray, shape (runs,)
        Time reached [s].
    culprit : ndarray of int, shape (runs,)
        Index of the state that made the run fail, -1 if none did.
    attempts : ndarray of int, shape (runs,)
        Attempted steps.
    measured : ndarray, shape (runs, measures)
        What the measures came to; NaN where nothing was found.
    """

    saved: np.ndarray
    final: np.ndarray
    status: np.ndarray
    time: np.ndarray
    culprit: np.ndarray
    attempts: np.ndarray
    measured: np.ndarray

    @classmethod
    def unstarted(cls, state: np.ndarray, times: np.ndarray, measures: int) -> Integration:
        """What :meth:`Program.integrate` would return if every run were cancelled before its first step."""
        runs, states = state.shape
        nothing = np.zeros(runs, dtype=np.int64)
        saved, measured = np.full((runs, len(times), states), math.nan), np.full((runs, measures), math.nan)
        return cls(saved, state.copy(), nothing + Status.CANCELLED, np.zeros(runs), nothing - 1, nothing, measured)


@dataclass(frozen=True)
class Program:
    """A generated kernel, ready to integrate.

    Parameters
    ----------
    advance : Function
        Attempts steps in all lanes.
    rows : Rows
        Rows of its workspace.
    size, lanes : int
        How many rows and lanes there are.
    measures : int
        How many measures it takes.
    """

    advance: Function
    rows: Rows
    size: int
    lanes: int
    measures: int

    @classmethod
    def load(cls, path: Path, announce: Callable[[str], None]) -> Program:
        """Load the compiled kernel, or compile it if there is none or if its file is damaged."""

        def announced(damaged: bool) -> None:
            found = "the cached kernel cannot be loaded; compiling it again"
            announce(found if damaged else f"compiling the kernel of this model (once; cached in {path.parent})")

        advance = obtained(path.parent, "advance", lambda: _compiled(path), announced)
        facts = advance.facts
        return cls(advance, Rows(*facts["rows"]), facts["size"], facts["lanes"], facts["measures"])

    def integrate(
        self,
        state: np.ndarray,
        parameters: np.ndarray,
        scale: np.ndarray,
        end: np.ndarray,
        times: np.ndarray,
        *,
        events: Schedule | None = None,
        measures: np.ndarray | None = None,
        rtol: float = 1.0e-6,
        max_steps: int = 100_000,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Integration:
        """Integrate a batch of runs from t = 0, each to its own end.

        Parameters
        ----------
        state, scale : ndarray, shape (runs, states)
            Initial states and their absolute error scales.
        parameters : ndarray, shape (runs, parameters)
            Parameter vectors until the first event.
        end : ndarray, shape (runs,)
            End times [s].
        times : ndarray, shape (times,)
            Save times [s], increasing, shared by all runs.
        events : Schedule, optional
            Changes of the parameters after the start.
        measures : ndarray, shape (measures, 6), optional
            What to measure (:mod:`simulator.kernel.measuring`); by default nothing is.
        rtol : float
            Relative tolerance of the error per step.
        max_steps : int
            Attempted steps between two events after which a run is given up.
        stopped : callable
            Called every ten milliseconds or so; if it returns true, unfinished runs are cancelled.
        """
        runs, n = state.shape
        start = np.concatenate([state, scale, parameters, end[:, None]], axis=1)
        changes = np.empty((runs, 0, 4)) if events is None else events.table
        saved = np.empty((runs, len(times), n))
        outcome = np.full((runs, n + 4), float(Status.CANCELLED))
        queue = np.array([0, 0, 1])
        start, changes, times = (np.ascontiguousarray(values, dtype=float) for values in (start, changes, times))
        wanted = NOTHING_MEASURED.repeat(self.measures, axis=0) if measures is None else measures
        measured = np.full((runs, self.measures), math.nan)
        task = Task(start, changes, times, saved, outcome, wanted, measured, queue, float(rtol), int(max_steps))
        work = workspace(self.size, self.lanes)
        work[self.rows.accepted * self.lanes : self.rows.end * self.lanes] = 0.0
        attempts_per_call = max(1, ROWS_PER_CALL // self.size)
        while self.advance(work, task, attempts_per_call) and not stopped():
            pass
        status, time, culprit, attempts = outcome[:, n:].T
        saved[status == Status.CANCELLED] = math.nan
        return Integration(
            saved,
            outcome[:, :n],
            status.astype(np.int64),
            time,
            culprit.astype(np.int64),
            attempts.astype(np.int64),
            measured,
        )


@dataclass(frozen=True)
class NothingMoves:
    """What stands in for a kernel where a model has no states, because all its compartments are fixed."""

    def integrate(
        self, state: np.ndarray, parameters: np.ndarray, scale: np.ndarray, end: np.ndarray, times: np.ndarray, **_: Any
    ) -> Integration:
        """Every run as :meth:`Program.integrate` would return it: finished, with no states."""
        runs = len(state)
        nothing = np.zeros(runs, dtype=np.int64)
        saved = np.empty((runs, len(times), 0))
        measured = np.empty((runs, 0))
        return Integration(saved, state.copy(), nothing + Status.OK, end.copy(), nothing - 1, nothing, measured)


def _compiled(path: Path) -> MachineCode:
    """Compile a generated kernel. The driver in it comes from numba's own cache, which is rebuilt if it is damaged."""
    try:
        return _tried(path)
    except Exception:
        cache.forget_module(path)
        cache.forget_module(cache.shared_path("driver"))
        return _tried(path)


def _tried(path: Path) -> MachineCode:
    # Imported here because a cached kernel starts without numba.
    from simulator.kernel.compiler import compiled

    module = cache.load_module(path)
    facts = {"rows": module.ROWS, "size": module.SIZE, "lanes": module.LANES, "measures": module.COUNTS.measures}
    return compiled(module.advance, EXAMPLE, facts)
