"""A compiled kernel and its results."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from simulator.kernel import cache
from simulator.kernel.status import Status
from simulator.kernel.workspace import Task, workspace

#: Attempted steps of all lanes between two checks whether to stop.
ATTEMPTS_PER_CALL = 20_000


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
    """

    saved: np.ndarray
    final: np.ndarray
    status: np.ndarray
    time: np.ndarray
    culprit: np.ndarray
    attempts: np.ndarray


@dataclass(frozen=True)
class Program:
    """A generated kernel, ready to integrate."""

    module: ModuleType

    @classmethod
    def load(cls, path: Path, announce: Callable[[str], None]) -> Program:
        """Load the compiled kernel, or compile it.

        A damaged cache (numba's index or data truncated) is deleted and rebuilt.
        """
        if not any(path.parent.glob("__pycache__/kernel.advance-*.nbi")):
            announce(f"compiling the kernel of this model (once; cached in {path.parent})")
        try:
            return cls._ready(cache.load_module(path))
        except Exception:
            announce("the cached kernel cannot be loaded; compiling it again")
            cache.forget_module(path)
            cache.forget_module(cache.shared_path("driver"))
            return cls._ready(cache.load_module(path))

    @classmethod
    def _ready(cls, module: ModuleType) -> Program:
        program = cls(module)
        n, parameters = module.COUNTS.states, module.COUNTS.parameters
        nothing = np.empty((0, n))
        with _linear_algebra_put_off(), _garbage_left():
            program.integrate(nothing, np.empty((0, parameters)), nothing, np.empty(0), np.empty(0))
        return program

    def integrate(
        self,
        state: np.ndarray,
        parameters: np.ndarray,
        scale: np.ndarray,
        end: np.ndarray,
        times: np.ndarray,
        *,
        event_time: np.ndarray | None = None,
        event_parameters: np.ndarray | None = None,
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
        event_time : ndarray, shape (runs, events), optional
            Times at which parameters change, increasing in each row.
        event_parameters : ndarray, shape (runs, events, parameters), optional
            Parameter vectors from each event on.
        rtol : float
            Relative tolerance of the error per step.
        max_steps : int
            Attempted steps between two events after which a run is given up.
        stopped : callable
            Called every few milliseconds; if it returns true, unfinished runs are cancelled.
        """
        runs, n = state.shape
        start = np.concatenate([state, scale, parameters, end[:, None]], axis=1)
        if event_time is None or event_parameters is None:
            events = np.empty((runs, 0, 1 + parameters.shape[1]))
        else:
            events = np.concatenate([event_time[:, :, None], event_parameters], axis=2)
        saved = np.empty((runs, len(times), n))
        outcome = np.full((runs, n + 4), float(Status.CANCELLED))
        queue = np.array([0, 0, 1])
        task = Task(start, events, np.ascontiguousarray(times, dtype=float), saved, outcome, queue, rtol, max_steps)
        rows, lanes = self.module.ROWS, self.module.LANES
        work = workspace(self.module.SIZE, lanes)
        work[rows.accepted * lanes : rows.end * lanes] = 0.0
        while self.module.advance(work, task, ATTEMPTS_PER_CALL) and not stopped():
            pass
        status, time, culprit, attempts = outcome[:, n:].T
        saved[status == Status.CANCELLED] = math.nan
        return Integration(
            saved, outcome[:, :n], status.astype(np.int64), time, culprit.astype(np.int64), attempts.astype(np.int64)
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
        return Integration(saved, state.copy(), nothing + Status.OK, end.copy(), nothing - 1, nothing)


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Disable garbage collection while compiling: the millions of objects created are all live."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@contextmanager
def _linear_algebra_put_off() -> Iterator[None]:
    """Keep numba from importing SciPy's linear algebra when it first loads compiled code.

    Numba only tests whether it exists, which takes longer than a run; SciPy is a dependency, so it always does.
    """
    name = "scipy.linalg.cython_blas"
    modules: dict[str, Any] = sys.modules
    if name in modules:
        yield
        return
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]
        asked = modules.get("numba.np.arraymath")
        if asked is not None:
            asked._HAVE_BLAS = True
