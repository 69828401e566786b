"""Find what follows states: rest, a cycle, growth without end, or a failure.

After the last event of its protocol a model is autonomous, so its last state determines what follows. The kernel
continues from that state with a fixed tolerance, so the result depends neither on the run's save times nor on its
accuracy. All states are followed together, and the result for each is the same as alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.kernel import load_arrays
from simulator.kernel.status import Status
from simulator.model.structure import Structure
from simulator.verdict.cycle import Cycle, find_cycle
from simulator.verdict.ends import Ends
from simulator.verdict.following import Course, Following, Lanes
from simulator.verdict.rest import REST, approach
from simulator.verdict.section import Watching

__all__ = ["PATIENCE", "TOLERANCE", "Future", "Growth", "look_ahead", "time_to_rest"]

#: Longest time [s] that a state is followed, and relative tolerance.
FARTHEST, TOLERANCE = 1.0e12, 1.0e-8

#: First time [s] at which the state is examined, and times per decade.
NEAREST, PER_DECADE = 1.0e-3, 4

#: Times [s] at which the state is examined.
EXAMINED = np.geomspace(NEAREST, FARTHEST, int(PER_DECADE * np.log10(FARTHEST / NEAREST)) + 1)

#: Times between two of these at which the approach to rest is examined.
APPROACHED = 65

#: Attempted steps before a search for a cycle begins; horizons of that search, in the time that these steps took.
PATIENCE, HORIZONS = 20_000, (3.0, 15.0, 75.0)

#: Relative tolerance at which periods are guessed.
ROUGH = 1.0e-5

#: Criteria of growth without end: least exponent d ln x / d ln t,
#: least ratio of the exponents of successive decades,
#: number of decades examined.
EXPONENT, KEPT, DECADES = 0.1, 0.95, 3

#: Growth by this factor before a failure also counts as growth without end.
EXPLOSION = 1.0e6


@dataclass(frozen=True)
class Growth:
    """A quantity that grows without end.

    Parameters
    ----------
    quantity : str
        Name of a volume or an amount in the equations.
    exponent : float
        Final power of time with which it grows; infinite if faster than any power.
    rate : float
        Its relative growth rate at the given state [1/s].
    """

    quantity: str
    exponent: float
    rate: float


@dataclass(frozen=True)
class Future:
    """What follows a state; at most one of `rests`, `cycle`, `growth` and `failure` is set.

    Parameters
    ----------
    times : ndarray, shape (times,)
        Times [s] at which it was examined, 0 first.
    states : ndarray, shape (times, states)
        The states then.
    rests : bool
        Whether it comes to rest.
    cycle : Cycle or None
        The cycle it is on.
    growth : Growth or None
        The growth without end.
    failure : str
        How the kernel fails before any of these, a word of :class:`simulator.kernel.status.Status`.
    time : float
        Time until that failure [s]; NaN if there is none.
    """

    times: np.ndarray
    states: np.ndarray
    rests: bool = False
    cycle: Cycle | None = None
    growth: Growth | None = None
    failure: str = ""
    time: float = np.nan


def look_ahead(ends: Ends, lanes: Lanes) -> list[Future]:
    """Find what follows the last states of runs, after the last events of their protocols."""
    runs, structure = len(ends), ends.model.structure
    found = lanes.integrated(
        ends.states,
        ends.parameters,
        ends.scales,
        np.full(runs, FARTHEST),
        EXAMINED,
        rtol=TOLERANCE,
        max_steps=PATIENCE,
    )
    times, states = np.append(0.0, EXAMINED), np.concatenate([ends.states[:, None], found.saved], axis=1)
    seen = np.sum(np.all(np.isfinite(states), axis=2), axis=1)
    last = states[np.arange(runs), seen - 1]
    distance, _, _ = approach(load_arrays(structure), last, ends.parameters, np.maximum(np.abs(last), ends.scales))
    rests = distance < REST
    moving = np.flatnonzero(~rests)
    failed = ~np.isin(found.status, (Status.OK, Status.MAX_STEPS))
    grown = _growths(ends.part(moving), states[moving], seen[moving], failed[moving])
    growths = dict(zip(moving.tolist(), grown, strict=True))
    going_on = [i for i, growth in growths.items() if growth is None and found.status[i] == Status.MAX_STEPS]
    searches = [_cycling(ends, i, float(found.time[i])) for i in going_on]
    cycles = dict(zip(going_on, lanes.together(searches), strict=True))
    return [
        Future(
            times[: seen[i]],
            states[i, : seen[i]],
            rests=bool(rests[i]),
            cycle=cycles.get(i),
            growth=growths.get(i),
            failure=Status(int(found.status[i])).word if failed[i] and not rests[i] and growths[i] is None else "",
            time=float(found.time[i]) if failed[i] else np.nan,
        )
        for i in range(runs)
    ]


def time_to_rest(ends: Ends, run: int, future: Future) -> float:
    """Time [s] until a run that comes to rest is there; NaN for others.

    Parameters
    ----------
    ends : Ends
        The ends of runs.
    run : int
        Index of the run among them.
    future : Future
        What follows its end.
    """
    if not future.rests:
        return float("nan")
    distance = _distances(ends, run, future.states)
    moving = np.flatnonzero(~(distance < REST))
    if not len(moving):
        return 0.0
    i = int(moving[-1])
    times = np.linspace(0.0, future.times[i + 1] - future.times[i], APPROACHED)
    last = Course(
        future.states[i], ends.scales[run], ends.parameters[run], times, float(times[-1]), TOLERANCE, PATIENCE
    )
    distance = _distances(ends, run, Lanes(ends.model.structure).followed(last))
    j = min(int(np.flatnonzero(~(distance < REST))[-1]), APPROACHED - 2)
    before, after = distance[j : j + 2]
    # Interpolate: the distance shrinks exponentially.
    exponential = np.isfinite(before) and after > 0.0
    share = np.log(before / REST) / np.log(before / after) if exponential else 1.0
    return float(future.times[i] + times[j] + share * (times[j + 1] - times[j]))


def _distances(ends: Ends, run: int, states: np.ndarray) -> np.ndarray:
    """Scaled distances of states of a run to the nearest rest point, shape (times,)."""
    in_force = np.broadcast_to(ends.parameters[run], (len(states), ends.parameters.shape[1]))
    sizes = np.maximum(np.abs(states), ends.scales[run])
    return approach(load_arrays(ends.model.structure), states, in_force, sizes)[0]


def _growths(ends: Ends, states: np.ndarray, seen: np.ndarray, failed: np.ndarray) -> list[Growth | None]:
    """What grows from the first state on without slowing down, for each run; None where nothing does.

    Parameters
    ----------
    ends : Ends
        The runs.
    states : ndarray, shape (runs, times, states)
        Their states at 0 and the times at which they were examined.
    seen : ndarray, shape (runs,)
        Number of states before the run failed or was given up.
    failed : ndarray of bool, shape (runs,)
        Whether it failed.
    """
    found: list[Growth | None] = [None] * len(ends)
    for count in np.unique(seen[seen >= 2 * DECADES * PER_DECADE]):
        rows = np.flatnonzero(seen == count)
        for name, size in _sizes(ends.model.structure, states[rows, :count], ends.parameters[rows]).items():
            rate, exponent, grows = _growth(size, failed[rows])
            for i in np.flatnonzero(grows):
                found[rows[i]] = found[rows[i]] or Growth(name, float(exponent[i]), float(rate[i]))
    return found


def _growth(size: np.ndarray, failed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relative growth rate at the start [1/s], final power of time, and whether a size grows without end.

    Parameters
    ----------
    size : ndarray, shape (runs, times)
        A volume or an amount at 0 and the times at which it was examined.
    failed : ndarray of bool, shape (runs,)
        Whether the run failed at the end.
    """
    times = EXAMINED[: size.shape[1] - 1]
    with np.errstate(all="ignore"):
        rate = np.log(size[:, 1] / size[:, 0]) / times[0]
        exponents = np.diff(np.log(size[:, 1:]), axis=1) / np.diff(np.log(times))
        last = exponents[:, -DECADES * PER_DECADE :].reshape(-1, DECADES, PER_DECADE)
        by_decade = sum(last[:, :, i] for i in range(PER_DECADE)) / PER_DECADE
        grows = np.all(size > 0.0, axis=1) & np.all(np.diff(size, axis=1) >= -1.0e-7 * size[:, 1:], axis=1)
        lasts = np.all(by_decade > EXPONENT, axis=1) & np.all(by_decade[:, 1:] > KEPT * by_decade[:, :-1], axis=1)
        exploded = size[:, -1] > EXPLOSION * size[:, 0]
    return rate, np.where(failed, np.inf, by_decade[:, -1]), grows & np.where(failed, exploded, lasts)


def _sizes(structure: Structure, states: np.ndarray, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """Volumes and amounts by name, shape (runs, times)."""
    derived = load_arrays(structure).quantities(states, parameters[:, None])
    found = {name: np.broadcast_to(derived[name], states.shape[:2]) for name in structure.osmotic_volumes}
    places = {name: i for i, name in enumerate(structure.states)}
    own = (name for kind in ("volume", "amount") for name in structure.states_of[kind])
    return found | {name: states[:, :, places[name]] for name in own}


def _cycling(ends: Ends, run: int, passed: float) -> Following[Cycle | None]:
    """The search for the cycle of a run that needed :data:`PATIENCE` steps for a time `passed` [s]."""
    size = ends.sizes[run].copy()
    if ends.model.structure.clock_of_waves:
        size[ends.model.structure.places("clock")] = np.inf  # it does not return, and nothing depends on it
    search = find_cycle([passed * factor for factor in HORIZONS])
    return _on_orbit(search, ends.states[run], size, ends.scales[run], ends.parameters[run])


def _on_orbit(
    search: Watching[Cycle | None], state: np.ndarray, size: np.ndarray, scale: np.ndarray, parameters: np.ndarray
) -> Following[Cycle | None]:
    """Let a search look at the orbit of a state: from its start, or from a state that an accurate look has passed."""
    beginning = np.zeros(1), state[None]
    look, (kept, states) = next(search), beginning
    while True:
        if look.stage >= 0:
            kept, states = beginning
        start = max(0, int(np.searchsorted(kept, min(look.times[0], look.after), side="right")) - 1)
        most = PATIENCE if look.stage < 0 else int(PATIENCE * HORIZONS[look.stage]) * (2 if look.rough else 4)
        passed = yield Course(
            states[start],
            scale,
            parameters,
            look.times - kept[start] if start else look.times,
            look.end - kept[start],
            ROUGH if look.rough else TOLERANCE,
            most,
        )
        if look.stage >= 0 and not look.rough:
            seen = np.all(np.isfinite(passed), axis=1)
            kept, states = look.times[seen], passed[seen]
        try:
            look = search.send(passed / size)
        except StopIteration as finished:
            return finished.value
        del passed  # of many searches that wait for their turn, none keeps what it has seen
