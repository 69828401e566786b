"""Step control, saving and events of each lane: everything of the integration that is not the step itself.

The generated kernel attempts one step for all lanes at once, and plans the next one where that is all there
is to do. For the other lanes :func:`settle` decides whether the step stands, writes the saved states that
it passed (dense output, so saving never steers the steps), applies parameter changes exactly at their
times, and hands a finished lane the next run.
What happens to a run depends on that run alone. All of it melts into the kernel: a call would pass some sixty numbers,
for each array counts as ten.
"""

import numba as nb
import numpy as np

from simulator.kernel.status import Status
from simulator.kernel.step_control import aim, plan
from simulator.kernel.vectormath import INNER, OPTIONS, inlined, larger, smaller
from simulator.kernel.workspace import IDLE, LANES, PROJECTING, STARTING, STEPPING

#: First attempted step [s] of a run and after each event.
FIRST_STEP = 1.0e-6

#: Steps below this fraction of the time reached cannot be told from rounding.
TIME_RESOLUTION = 4.0e-16

#: Step [s] so short that only algebraic equations can move: it makes potentials consistent.
PROJECTION_STEP = 1.0e-30
PROJECTION_LIMIT = 200
PROJECTION_TOLERANCE = 1.0e-13
#: A projection moves a potential by at most this many scales at a time, lest exponentials overflow.
PROJECTION_REACH = 4.0

OK = float(Status.OK)
MAX_STEPS = float(Status.MAX_STEPS)
STEP_TOO_SMALL = float(Status.STEP_TOO_SMALL)
NONFINITE = float(Status.NONFINITE)
NEGATIVE_AMOUNT = float(Status.NEGATIVE_AMOUNT)
VOLUME_COLLAPSED = float(Status.VOLUME_COLLAPSED)
#: No status yet.
GOING_ON = -1.0
NOBODY = -1.0


@nb.njit(**OPTIONS, **INNER, forceinline=True, cache=True)
def settle(work, at, counts, task):
    """Settle the step just attempted in every lane for which the kernel has not done it already.

    Parameters
    ----------
    work : float64 array
        The kernel's workspace, changed in place.
    at : Rows
        Where its rows begin.
    counts : Counts
        How many there are of what.
    task : Task
        Arrays, changed in place.

    Returns
    -------
    int
        Lanes still at work.
    """
    for lane in range(LANES):
        cell = work[lane:]
        if cell[at.accepted] > 0.0:
            continue
        status, culprit = GOING_ON, NOBODY
        if cell[at.phase] == PROJECTING:
            status, culprit = _project(cell, at, counts, task)
        elif cell[at.phase] == STEPPING:
            if cell[at.good] > 0.0:
                status = _arrive(cell, at, counts, task)
            else:
                status, culprit = _reject(cell, at, counts, task)
        if status != GOING_ON:
            _finish(cell, at, counts, task, status, culprit)
        if cell[at.phase] == IDLE and task.queue[0] < task.start.shape[0]:
            _load(cell, at, counts, task)
        if cell[at.phase] == STARTING:
            _begin(cell, at, counts)
        if cell[at.phase] != IDLE:
            _look_ahead(cell, at, counts, task)
    return task.queue[1]


@inlined
def _arrive(cell, at, counts, task):
    """Accept a step that passes something: save, then meet the event or the end that was reached."""
    run = int(cell[at.run])
    step = cell[at.step]
    start = cell[at.time]
    landed = step >= cell[at.target] - start
    time = cell[at.target] if landed else start + step
    _save_passed(cell, at, counts, task, step, start, time)
    cell[at.time] = time
    exhausted = cell[at.attempts] >= task.max_steps
    if not landed and not exhausted:
        cell[at.planned] = plan(step, cell[at.suggested], cell[at.planned], cell[at.rejected])
        cell[at.rejected] = 0.0
        cell[at.accepted] = 1.0
        return GOING_ON
    for i in range(counts.states):
        cell[at.state + i * LANES] = cell[at.new + i * LANES]
    if time >= task.start[run, task.start.shape[1] - 1]:
        return OK
    if exhausted:
        return MAX_STEPS
    event = int(cell[at.events])
    for j in range(counts.parameters):
        cell[at.parameters + j * LANES] = task.events[run, event, 1 + j]
    cell[at.events] = event + 1
    cell[at.attempts] = 0.0  # the limit is one between events, so a long protocol does not use it up
    cell[at.phase] = STARTING
    return GOING_ON


@inlined
def _save_passed(cell, at, counts, task, step, start, time):
    """Save the states at the times that a step passed, from its dense output."""
    run = int(cell[at.run])
    first = int(cell[at.saves])
    last = first
    while last < task.times.shape[0] and task.times[last] <= time:
        last += 1
    cell[at.saves] = last
    per_step = 1.0 / step
    for i in range(counts.states if last > first else 0):
        old = cell[at.state + i * LANES]
        new = cell[at.new + i * LANES]
        c = cell[at.dense_c + i * LANES]
        d = cell[at.dense_d + i * LANES]
        floor = 0.0 if i < counts.amounts else -np.inf
        for save in range(first, last):
            theta = (task.times[save] - start) * per_step
            theta = 1.0 if task.times[save] == time else theta
            value = (1.0 - theta) * old + theta * (new + (1.0 - theta) * (c + theta * d))
            # The cubic may dip below nothing between two good states.
            task.saved[run, save, i] = (1.0 - theta) * old + theta * new if value < floor else value


@inlined
def _reject(cell, at, counts, task):
    """Try again with a shorter step, or give the run up."""
    step = cell[at.step]
    fault, culprit = _fault(cell, at, counts)
    shorter = larger(0.1 * step, cell[at.suggested]) if fault == STEP_TOO_SMALL else 0.25 * step
    cell[at.rejected] = 1.0
    cell[at.planned] = shorter
    # Since the last event: a clamp late in a long run needs steps that no longer move the clock.
    if shorter <= TIME_RESOLUTION * (cell[at.time] - cell[at.begun] + FIRST_STEP):
        return fault, culprit
    return MAX_STEPS if cell[at.attempts] >= task.max_steps else GOING_ON, culprit


@inlined
def _fault(cell, at, counts):
    """What was wrong with an attempted step, and with which state."""
    error = cell[at.error]
    if not (error < np.inf):
        # A rate that is no number because something has run out is better told as such.
        for i in range(counts.amounts):
            left = cell[at.state + i * LANES] * cell[at.rtol]
            if 0.0 < left < cell[at.scale + i * LANES]:
                return NEGATIVE_AMOUNT, float(i)
        for i in range(counts.states):
            if not (abs(cell[at.new + i * LANES]) < np.inf):
                return NONFINITE, float(i)
        return NONFINITE, NOBODY
    if error <= 1.0:
        for i in range(counts.amounts):
            if cell[at.new + i * LANES] < 0.0:
                return NEGATIVE_AMOUNT, float(i)
        if counts.volumes > 0:
            return VOLUME_COLLAPSED, float(counts.states - counts.volumes)
    return STEP_TOO_SMALL, NOBODY


@inlined
def _project(cell, at, counts, task):
    """Take over the potentials of a projection step; go on once they stand still."""
    change = 0.0
    for i in range(counts.first_algebraic, counts.end_algebraic):
        old = cell[at.state + i * LANES]
        moved = (cell[at.new + i * LANES] - old) / (cell[at.scale + i * LANES] / task.rtol)
        if not (abs(moved) < np.inf):
            return NONFINITE, float(i)
        change = larger(change, abs(moved))
        cell[at.state + i * LANES] = old + larger(-PROJECTION_REACH, smaller(PROJECTION_REACH, moved)) * (
            cell[at.scale + i * LANES] / task.rtol
        )
    tries = cell[at.rejected] + 1.0
    cell[at.rejected] = tries
    if tries > PROJECTION_LIMIT:
        return STEP_TOO_SMALL, float(counts.first_algebraic)
    # Rounding in the currents may keep a potential trembling a little above the tolerance.
    if change <= PROJECTION_TOLERANCE * tries:
        cell[at.phase] = STEPPING
        cell[at.rejected] = 0.0
        cell[at.planned] = FIRST_STEP
    return GOING_ON, NOBODY


@inlined
def _finish(cell, at, counts, task, status, culprit):
    """Write down how the run ended and free the lane."""
    run = int(cell[at.run])
    n = counts.states
    for i in range(n):
        task.outcome[run, i] = cell[at.state + i * LANES]
    for save in range(int(cell[at.saves]), task.times.shape[0]):
        for i in range(n):
            task.saved[run, save, i] = np.nan
    task.outcome[run, n] = status
    task.outcome[run, n + 1] = cell[at.time]
    task.outcome[run, n + 2] = culprit
    task.outcome[run, n + 3] = cell[at.attempts]
    task.queue[1] -= 1
    cell[at.phase] = IDLE


@inlined
def _load(cell, at, counts, task):
    """Give a free lane the next run."""
    run = task.queue[0]
    task.queue[0] = run + 1
    task.queue[1] += 1
    n = counts.states
    for i in range(n):
        cell[at.state + i * LANES] = task.start[run, i]
        cell[at.scale + i * LANES] = task.start[run, n + i] * task.rtol
    for j in range(counts.parameters):
        cell[at.parameters + j * LANES] = task.start[run, 2 * n + j]
    for place in range(at.accepted, at.end, LANES):
        cell[place] = 0.0
    cell[at.rtol] = task.rtol
    cell[at.run] = run
    cell[at.phase] = STARTING


@inlined
def _begin(cell, at, counts):
    """Start afresh after loading or an event: from consistent potentials, with a careful step."""
    cell[at.begun] = cell[at.time]
    cell[at.rejected] = 0.0
    cell[at.planned] = FIRST_STEP
    cell[at.step] = PROJECTION_STEP
    cell[at.phase] = PROJECTING if counts.first_algebraic < counts.end_algebraic else STEPPING


@inlined
def _look_ahead(cell, at, counts, task):
    """Save the start; find the event or end to land on and the first thing due at all; aim the next step."""
    run = int(cell[at.run])
    event = int(cell[at.events])
    save = int(cell[at.saves])
    time = cell[at.time]
    target = task.start[run, task.start.shape[1] - 1]
    if event < task.events.shape[1]:
        target = smaller(target, task.events[run, event, 0])
    cell[at.target] = target
    if cell[at.phase] == STEPPING:
        cell[at.step] = aim(cell[at.planned], target - time)
        if time == 0.0 and save == 0 and task.times.shape[0] > 0 and task.times[0] <= 0.0:
            for i in range(counts.states):
                task.saved[run, 0, i] = cell[at.state + i * LANES]
            save = 1
            cell[at.saves] = 1.0
    if save < task.times.shape[0]:
        target = smaller(target, task.times[save])
    cell[at.due] = target
