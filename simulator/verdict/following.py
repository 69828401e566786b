"""Follow many runs on together, so that all lanes of the kernel are busy.

What is looked for in one run is written as a generator: it yields a :class:`Course`, that is, where to start and at
which times to look, and is sent the states. :meth:`Lanes.together` takes many such searches and integrates what they
ask for in common batches. The result of a run in a kernel does not depend on the others, so neither does a search's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from simulator.kernel import load_program
from simulator.kernel.program import Integration
from simulator.kernel.status import Status
from simulator.model.protocol import Schedule
from simulator.model.structure import Structure

__all__ = ["Course", "Following", "Lanes", "Stopped"]

T = TypeVar("T")

#: Bytes of saved states in one batch.
TOGETHER_BYTES = 64 << 20


@dataclass(frozen=True)
class Course:
    """One run to follow.

    Parameters
    ----------
    state, scale : ndarray, shape (states,)
        Where to start, and the sizes below which only absolute accuracy counts.
    parameters : ndarray, shape (parameters,)
        Parameters at the start.
    times : ndarray, shape (times,)
        Times [s] at which to look, increasing.
    end : float
        Time [s] at which the run ends.
    rtol : float
        Relative tolerance.
    max_steps : int
        Attempted steps between two events after which it is given up.
    events : Schedule or None
        Parameter changes, of one run.
    """

    state: np.ndarray
    scale: np.ndarray
    parameters: np.ndarray
    times: np.ndarray
    end: float
    rtol: float
    max_steps: int
    events: Schedule | None = None


#: A search in one run: it yields courses and is sent their states, shape (times, states), NaN after the end of a run.
Following = Generator[Course, np.ndarray, T]


class Stopped(Exception):
    """The batch that waits for these results was stopped."""


@dataclass(frozen=True)
class Lanes:
    """The kernel of a model, for what follows the ends of its runs.

    Parameters
    ----------
    structure : Structure
        The structure of the model.
    stopped : callable
        Polled while integrating.
    """

    structure: Structure
    stopped: Callable[[], bool] = lambda: False

    def integrated(self, *arrays: np.ndarray, **options: Any) -> Integration:
        """As :meth:`simulator.kernel.program.Program.integrate`.

        Raises
        ------
        Stopped
            When `stopped` returned true meanwhile.
        """
        found = load_program(self.structure).integrate(*arrays, **options, stopped=self.stopped)
        if np.any(found.status == Status.CANCELLED):
            raise Stopped
        return found

    def followed(self, course: Course) -> np.ndarray:
        """States of a single course, shape (times, states)."""
        return self._followed([course], course.times)[0]

    def together(self, searches: Sequence[Following[T]]) -> list[T]:
        """Run searches to their ends, and return what they found."""
        found: dict[int, T] = {}
        waiting: dict[int, Course] = {}

        def resume(i: int, states: np.ndarray | None) -> None:
            waiting.pop(i, None)
            try:
                waiting[i] = searches[i].send(states)  # type: ignore[arg-type]
            except StopIteration as finished:
                found[i] = finished.value

        for i in range(len(searches)):
            resume(i, None)
        while waiting:
            chosen, times = self._chosen(waiting)
            states = self._followed([waiting[i] for i in chosen], times)
            for i, own in zip(chosen, states, strict=True):
                resume(i, own[np.searchsorted(times, waiting[i].times)])
        return [found[i] for i in range(len(searches))]

    def _chosen(self, waiting: dict[int, Course]) -> tuple[list[int], np.ndarray]:
        """Courses to integrate next, as many as fit into memory, and all times at which to look.

        Short ones come first, so that long ones gather until they fill the lanes.
        """
        least = min((course.max_steps, course.rtol) for course in waiting.values())
        alike = [i for i, course in waiting.items() if (course.max_steps, course.rtol) == least]
        alike.sort(key=lambda i: (waiting[i].times[-1], waiting[i].end))
        times, last = np.empty(0), np.empty(0)
        for number, i in enumerate(alike):
            own = waiting[i].times
            union = times if np.array_equal(own, last) else np.union1d(times, own)
            if number and 8 * (number + 1) * len(union) * len(waiting[i].state) > TOGETHER_BYTES:
                return alike[:number], times
            times, last = union, own
        return alike, times

    def _followed(self, courses: Sequence[Course], times: np.ndarray) -> np.ndarray:
        """States of courses of the same accuracy, shape (courses, times, states)."""
        first, events = courses[0], _side_by_side([course.events for course in courses])
        columns = zip(*((c.state, c.parameters, c.scale) for c in courses), strict=True)
        return self.integrated(
            *map(np.stack, columns),
            np.array([course.end for course in courses]),
            times,
            events=events,
            rtol=first.rtol,
            max_steps=first.max_steps,
        ).saved


def _side_by_side(schedules: Sequence[Schedule | None]) -> Schedule | None:
    """Schedules of single runs as one; None if there are no events."""
    given = [s for s in schedules if s is not None]
    if not given:
        return None
    most = max(s.table.shape[1] for s in given)
    table = np.zeros((len(schedules), most, given[0].table.shape[2]))
    table[:, :, 0] = np.inf
    for i, s in enumerate(schedules):
        if s is not None:
            table[i, : s.table.shape[1]] = s.table[0]
    return Schedule(given[0].structure, table)
