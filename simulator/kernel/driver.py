"""Step control, saving and events of each lane: everything of the integration that is not the step itself.

The generated kernel attempts one step for all lanes at once, and plans the next one where that is all there
is to do. For the other lanes :func:`settle` decides whether the step stands, writes the saved states that
it passed (dense output, so saving never steers the steps), applies parameter changes exactly at their
times, and hands a finished lane the next run.
What happens to a run depends on that run alone.
"""

import numba as nb
import numpy as np

from simulator.kernel.status import Status
from simulator.kernel.step_control import aim, plan
from simulator.kernel.vectormath import INNER, OPTIONS, larger, smaller
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

compiled = nb.njit(**OPTIONS, **INNER)


@nb.njit(**OPTIONS, **INNER, cache=True)
def settle(work, rows, algebraic, task):
    """Settle the step just attempted in every lane for which the kernel has not done it already.

    Parameters
    ----------
    work : float64 array
        The kernel's workspace, changed in place.
    rows : Rows
        Its layout.
    algebraic : tuple of int
        First and past-the-end state index of the potentials that solve an equation.
    task : Task
        Arrays, changed in place.

    Returns
    -------
    int
        Lanes still at work.
    """
    for lane in range(LANES):
        if work[rows.accepted * LANES + lane] > 0.0:
            continue
        cell = work[lane::LANES]
        status, culprit = GOING_ON, NOBODY
        if cell[rows.phase] == PROJECTING:
            status, culprit = _project(cell, rows, algebraic, task)
        elif cell[rows.phase] == STEPPING:
            if cell[rows.good] > 0.0:
                status = _arrive(cell, rows, task)
            else:
                status, culprit = _reject(cell, rows, task)
        if status != GOING_ON:
            _finish(cell, rows, task, status, culprit)
        if cell[rows.phase] == IDLE and task.queue[0] < task.start.shape[0]:
            _load(cell, rows, task)
        if cell[rows.phase] == STARTING:
            _begin(cell, rows, algebraic)
        if cell[rows.phase] != IDLE:
            _look_ahead(cell, rows, task)
    return task.queue[1]


@compiled
def _arrive(cell, rows, task):
    """Accept a step that passes something: save, then meet the event or the end that was reached."""
    run = int(cell[rows.run])
    step = cell[rows.step]
    start = cell[rows.time]
    landed = step >= cell[rows.target] - start
    time = cell[rows.target] if landed else start + step
    _save_passed(cell, rows, task, step, start, time)
    cell[rows.time] = time
    exhausted = cell[rows.attempts] >= task.max_steps
    if not landed and not exhausted:
        cell[rows.planned] = plan(step, cell[rows.suggested], cell[rows.planned], cell[rows.rejected])
        cell[rows.rejected] = 0.0
        cell[rows.accepted] = 1.0
        return GOING_ON
    for i in range(rows.new):
        cell[rows.state + i] = cell[rows.new + i]
    if time >= task.start[run, task.start.shape[1] - 1]:
        return OK
    if exhausted:
        return MAX_STEPS
    event = int(cell[rows.events])
    for j in range(rows.step - rows.parameters):
        cell[rows.parameters + j] = task.events[run, event, 1 + j]
    cell[rows.events] = event + 1
    cell[rows.phase] = STARTING
    return GOING_ON


@compiled
def _save_passed(cell, rows, task, step, start, time):
    """Save the states at the times that a step passed, from its dense output."""
    run = int(cell[rows.run])
    first = int(cell[rows.saves])
    last = first
    while last < task.times.shape[0] and task.times[last] <= time:
        last += 1
    cell[rows.saves] = last
    per_step = 1.0 / step
    for save in range(first, last):
        theta = 1.0 if task.times[save] == time else (task.times[save] - start) * per_step
        for i in range(rows.new):
            chord = (1.0 - theta) * cell[rows.state + i] + theta * cell[rows.new + i]
            bow = theta * (1.0 - theta) * (cell[rows.dense_c + i] + theta * cell[rows.dense_d + i])
            value = chord + bow
            # The cubic may dip below nothing between two good states.
            task.saved[run, save, i] = chord if i < rows.amounts and value < 0.0 else value


@compiled
def _reject(cell, rows, task):
    """Try again with a shorter step, or give the run up."""
    step = cell[rows.step]
    fault, culprit = _fault(cell, rows)
    shorter = larger(0.1 * step, cell[rows.suggested]) if fault == STEP_TOO_SMALL else 0.25 * step
    cell[rows.rejected] = 1.0
    cell[rows.planned] = shorter
    # Since the last event: a clamp late in a long run needs steps that no longer move the clock.
    if shorter <= TIME_RESOLUTION * (cell[rows.time] - cell[rows.begun] + FIRST_STEP):
        return fault, culprit
    return MAX_STEPS if cell[rows.attempts] >= task.max_steps else GOING_ON, culprit


@compiled
def _fault(cell, rows):
    """What was wrong with an attempted step, and with which state."""
    error = cell[rows.error]
    if not (error < np.inf):
        # A rate that is no number because something has run out is better told as such.
        for i in range(rows.amounts):
            left = cell[rows.state + i] * cell[rows.rtol]
            if 0.0 < left < cell[rows.scale + i]:
                return NEGATIVE_AMOUNT, float(i)
        for i in range(rows.new):
            if not (abs(cell[rows.new + i]) < np.inf):
                return NONFINITE, float(i)
        return NONFINITE, NOBODY
    if error <= 1.0:
        for i in range(rows.amounts):
            if cell[rows.new + i] < 0.0:
                return NEGATIVE_AMOUNT, float(i)
        if rows.volumes > 0:
            return VOLUME_COLLAPSED, float(rows.new - rows.volumes)
    return STEP_TOO_SMALL, NOBODY


@compiled
def _project(cell, rows, algebraic, task):
    """Take over the potentials of a projection step; go on once they stand still."""
    change = 0.0
    for i in range(algebraic[0], algebraic[1]):
        old = cell[rows.state + i]
        moved = (cell[rows.new + i] - old) / (cell[rows.scale + i] / task.rtol)
        if not (abs(moved) < np.inf):
            return NONFINITE, float(i)
        change = larger(change, abs(moved))
        cell[rows.state + i] = old + larger(-PROJECTION_REACH, smaller(PROJECTION_REACH, moved)) * (
            cell[rows.scale + i] / task.rtol
        )
    tries = cell[rows.rejected] + 1.0
    cell[rows.rejected] = tries
    if tries > PROJECTION_LIMIT:
        return STEP_TOO_SMALL, float(algebraic[0])
    # Rounding in the currents may keep a potential trembling a little above the tolerance.
    if change <= PROJECTION_TOLERANCE * tries:
        cell[rows.phase] = STEPPING
        cell[rows.rejected] = 0.0
        cell[rows.planned] = FIRST_STEP
    return GOING_ON, NOBODY


@compiled
def _finish(cell, rows, task, status, culprit):
    """Write down how the run ended and free the lane."""
    run = int(cell[rows.run])
    n = rows.new
    for i in range(n):
        task.outcome[run, i] = cell[rows.state + i]
    for save in range(int(cell[rows.saves]), task.times.shape[0]):
        for i in range(n):
            task.saved[run, save, i] = np.nan
    task.outcome[run, n] = status
    task.outcome[run, n + 1] = cell[rows.time]
    task.outcome[run, n + 2] = culprit
    task.outcome[run, n + 3] = cell[rows.attempts]
    task.queue[1] -= 1
    cell[rows.phase] = IDLE


@compiled
def _load(cell, rows, task):
    """Give a free lane the next run."""
    run = task.queue[0]
    task.queue[0] = run + 1
    task.queue[1] += 1
    n = rows.new
    for i in range(n):
        cell[rows.state + i] = task.start[run, i]
        cell[rows.scale + i] = task.start[run, n + i] * task.rtol
    for j in range(rows.step - rows.parameters):
        cell[rows.parameters + j] = task.start[run, 2 * n + j]
    for row in range(rows.accepted, rows.end_of_rows):
        cell[row] = 0.0
    cell[rows.rtol] = task.rtol
    cell[rows.run] = run
    cell[rows.phase] = STARTING


@compiled
def _begin(cell, rows, algebraic):
    """Start afresh after loading or an event: from consistent potentials, with a careful step."""
    cell[rows.begun] = cell[rows.time]
    cell[rows.rejected] = 0.0
    cell[rows.planned] = FIRST_STEP
    cell[rows.step] = PROJECTION_STEP
    cell[rows.phase] = PROJECTING if algebraic[0] < algebraic[1] else STEPPING


@compiled
def _look_ahead(cell, rows, task):
    """Save the start; find the event or end to land on and the first thing due at all; aim the next step."""
    run = int(cell[rows.run])
    event = int(cell[rows.events])
    save = int(cell[rows.saves])
    time = cell[rows.time]
    target = task.start[run, task.start.shape[1] - 1]
    if event < task.events.shape[1]:
        target = smaller(target, task.events[run, event, 0])
    cell[rows.target] = target
    if cell[rows.phase] == STEPPING:
        cell[rows.step] = aim(cell[rows.planned], target - time)
        if time == 0.0 and save == 0 and task.times.shape[0] > 0 and task.times[0] <= 0.0:
            for i in range(rows.new):
                task.saved[run, 0, i] = cell[rows.state + i]
            save = 1
            cell[rows.saves] = 1.0
    if save < task.times.shape[0]:
        target = smaller(target, task.times[save])
    cell[rows.due] = target
