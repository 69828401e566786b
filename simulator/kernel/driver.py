"""Step control, saving and events of each lane: everything of the integration that is not the step itself.

The generated kernel attempts one step for all lanes at once, and plans the next one where that is all there
is to do. For the other lanes :func:`settle` decides whether the step stands, writes the saved states that
it passed (dense output, so saving never steers the steps), applies parameter changes exactly at their
times, and hands a finished lane the next run.
What happens to a run depends on that run alone.
"""

from collections import namedtuple

import numba as nb
import numpy as np

from simulator.kernel.status import Status
from simulator.kernel.vectormath import INTERLEAVED, OPTIONS, WIDTH

#: Lanes of a kernel, for a lone run and for a batch: what is worked on side by side.
LANES = INTERLEAVED * WIDTH

#: First attempted step [s] of a run and after each event.
FIRST_STEP = 1.0e-6

#: Steps below this fraction of the time reached cannot be told from rounding.
TIME_RESOLUTION = 4.0e-16

#: Volume below which a compartment counts as collapsed, relative to the size it started with.
COLLAPSED = 1.0e-6

#: Step [s] so short that only algebraic equations can move: it makes potentials consistent.
PROJECTION_STEP = 1.0e-30
PROJECTION_LIMIT = 200
PROJECTION_TOLERANCE = 1.0e-13
#: A projection moves a potential by at most this many scales at a time, lest exponentials overflow.
PROJECTION_REACH = 4.0

#: Factor by which a step may grow at once.
LARGEST_GROWTH = 8.0

# Floats, like everything else in the workspace: numba would compile a caller anew for each integer literal.
IDLE, STEPPING, PROJECTING = 0.0, 1.0, 2.0

OK = float(Status.OK)
MAX_STEPS = float(Status.MAX_STEPS)
STEP_TOO_SMALL = float(Status.STEP_TOO_SMALL)
NONFINITE = float(Status.NONFINITE)
NEGATIVE_AMOUNT = float(Status.NEGATIVE_AMOUNT)
VOLUME_COLLAPSED = float(Status.VOLUME_COLLAPSED)
NOBODY = -1.0

#: First rows of what the workspace holds, ``row * LANES + lane``; one array, because that is what lets the
#: compiler turn the step into vector code. State, new state, the two arrays of dense output and the scale
#: have a row per state. ``good`` tells whether the step just attempted may stand, ``accepted`` whether the
#: next attempt starts from the new state. From ``run`` on: which run a lane has, what it is doing, how many
#: saves, events and attempts are behind it, whether the last step was rejected, the time reached and that
#: of the last event or the start, the step
#: planned, the time of the next event or end, and the next time at which anything at all is due. The last
#: two are not rows: they count the amounts (first states) and volumes (last states) that must stay positive.
Rows = namedtuple(
    "Rows",
    "state new dense_c dense_d scale parameters step error good suggested accepted rtol "
    "run phase saves events attempts rejected time begun planned target due end_of_rows amounts volumes",
)

#: What is to be computed and where the results go. Few arrays, for the compiler's sake:
#: ``start[run]`` is state, scale, parameters, end time; ``events[run, event]`` is a time and the parameters from then
#: on; ``times`` are the save times; ``saved[run, time]`` and ``outcome[run]`` (final state, then status,
#: time, culprit, attempts) are filled in. ``queue`` holds the next run to hand out and the lanes at work.
Task = namedtuple("Task", "start events times saved outcome queue rtol max_steps")

compiled = nb.njit(**OPTIONS)


@compiled
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
        phase = work[rows.phase * LANES + lane]
        if phase == STEPPING:
            step = work[rows.step * LANES + lane]
            if work[rows.good * LANES + lane] > 0.0:
                _arrive(work, rows, algebraic, task, lane, step)
            else:
                _reject(work, rows, task, lane, step)
        elif phase == PROJECTING:
            _project(work, rows, algebraic, task, lane)
        if work[rows.phase * LANES + lane] == IDLE and task.queue[0] < task.start.shape[0]:
            _load(work, rows, algebraic, task, lane)
    return task.queue[1]


@compiled
def _plan(work, rows, lane, step):
    """Choose the next step after an accepted one."""
    suggested = work[rows.suggested * LANES + lane]
    planned = work[rows.planned * LANES + lane]
    if work[rows.rejected * LANES + lane] > 0.0:
        suggested = step if suggested > step else suggested
        work[rows.rejected * LANES + lane] = 0.0
    elif step < planned:
        # A step cut short to land somewhere says nothing against the longer one that was planned.
        suggested = planned if suggested < planned else suggested
    work[rows.planned * LANES + lane] = suggested
    work[rows.accepted * LANES + lane] = 1.0
    _aim(work, rows, lane)


@compiled
def _aim(work, rows, lane):
    """Shorten the next step so that it lands on the next event or on the end."""
    left = work[rows.target * LANES + lane] - work[rows.time * LANES + lane]
    step = work[rows.planned * LANES + lane]
    if step >= left:
        step = left
    elif step > 0.5 * left:
        step = 0.5 * left
    work[rows.step * LANES + lane] = step


@compiled
def _look_ahead(work, rows, task, lane):
    """Find out what comes next: the event or end to land on, and the first thing due at all."""
    run = int(work[rows.run * LANES + lane])
    event = int(work[rows.events * LANES + lane])
    save = int(work[rows.saves * LANES + lane])
    target = task.start[run, task.start.shape[1] - 1]
    if event < task.events.shape[1]:
        when = task.events[run, event, 0]
        target = when if when < target else target
    work[rows.target * LANES + lane] = target
    if save < task.times.shape[0]:
        when = task.times[save]
        target = when if when < target else target
    work[rows.due * LANES + lane] = target


@compiled
def _arrive(work, rows, algebraic, task, lane, step):
    """Accept a step that passes something: save, then meet the event or the end that was reached."""
    run = int(work[rows.run * LANES + lane])
    start = work[rows.time * LANES + lane]
    target = work[rows.target * LANES + lane]
    landed = step >= target - start
    time = target if landed else start + step
    first = int(work[rows.saves * LANES + lane])
    last = first
    while last < task.times.shape[0] and task.times[last] <= time:
        last += 1
    per_step = 1.0 / step
    for i in range(rows.new if last > first else 0):
        old = work[(rows.state + i) * LANES + lane]
        new = work[(rows.new + i) * LANES + lane]
        c = work[(rows.dense_c + i) * LANES + lane]
        d = work[(rows.dense_d + i) * LANES + lane]
        floor = 0.0 if i < rows.amounts else -np.inf
        for save in range(first, last):
            theta = (task.times[save] - start) * per_step
            theta = 1.0 if task.times[save] == time else theta
            value = (1.0 - theta) * old + theta * (new + (1.0 - theta) * (c + theta * d))
            # The cubic may dip below nothing between two good states.
            task.saved[run, save, i] = (1.0 - theta) * old + theta * new if value < floor else value
    work[rows.saves * LANES + lane] = last
    work[rows.time * LANES + lane] = time
    exhausted = work[rows.attempts * LANES + lane] >= task.max_steps
    if not landed and not exhausted:
        _look_ahead(work, rows, task, lane)
        _plan(work, rows, lane, step)
        return
    for i in range(rows.new):
        work[(rows.state + i) * LANES + lane] = work[(rows.new + i) * LANES + lane]
    work[rows.accepted * LANES + lane] = 0.0
    if time >= task.start[run, task.start.shape[1] - 1]:
        _finish(work, rows, task, lane, OK, NOBODY)
    elif exhausted:
        _finish(work, rows, task, lane, MAX_STEPS, NOBODY)
    else:
        event = int(work[rows.events * LANES + lane])
        for j in range(rows.step - rows.parameters):
            work[(rows.parameters + j) * LANES + lane] = task.events[run, event, 1 + j]
        work[rows.events * LANES + lane] = event + 1
        _begin(work, rows, algebraic, task, lane)


@compiled
def _reject(work, rows, task, lane, step):
    """Try again with a shorter step, or give the run up."""
    work[rows.accepted * LANES + lane] = 0.0
    fault, culprit = _fault(work, rows, lane)
    shorter = 0.25 * step
    if fault == STEP_TOO_SMALL:
        shorter = work[rows.suggested * LANES + lane]
        shorter = 0.1 * step if shorter < 0.1 * step else shorter
    work[rows.rejected * LANES + lane] = 1.0
    work[rows.planned * LANES + lane] = shorter
    time = work[rows.time * LANES + lane]
    # Since the last event: a clamp late in a long run needs steps that no longer move the clock.
    if shorter <= TIME_RESOLUTION * (time - work[rows.begun * LANES + lane] + FIRST_STEP):
        _finish(work, rows, task, lane, fault, culprit)
    elif work[rows.attempts * LANES + lane] >= task.max_steps:
        _finish(work, rows, task, lane, MAX_STEPS, culprit)
    else:
        _aim(work, rows, lane)


@compiled
def _fault(work, rows, lane):
    """What was wrong with an attempted step, and with which state."""
    error = work[rows.error * LANES + lane]
    if not (error < np.inf):
        # A rate that is no number because something has run out is better told as such.
        for i in range(rows.amounts):
            left = work[(rows.state + i) * LANES + lane] * work[rows.rtol * LANES + lane]
            if 0.0 < left < work[(rows.scale + i) * LANES + lane]:
                return NEGATIVE_AMOUNT, float(i)
        for i in range(rows.new):
            if not (abs(work[(rows.new + i) * LANES + lane]) < np.inf):
                return NONFINITE, float(i)
        return NONFINITE, NOBODY
    if error <= 1.0:
        for i in range(rows.amounts):
            if work[(rows.new + i) * LANES + lane] < 0.0:
                return NEGATIVE_AMOUNT, float(i)
        if rows.volumes > 0:
            return VOLUME_COLLAPSED, float(rows.new - rows.volumes)
    return STEP_TOO_SMALL, NOBODY


@compiled
def _load(work, rows, algebraic, task, lane):
    """Give a free lane the next run."""
    run = task.queue[0]
    task.queue[0] = run + 1
    task.queue[1] += 1
    n = rows.new
    for i in range(n):
        work[(rows.state + i) * LANES + lane] = task.start[run, i]
        work[(rows.scale + i) * LANES + lane] = task.start[run, n + i] * task.rtol
    for j in range(rows.step - rows.parameters):
        work[(rows.parameters + j) * LANES + lane] = task.start[run, 2 * n + j]
    for row in range(rows.accepted, rows.end_of_rows):
        work[row * LANES + lane] = 0.0
    work[rows.rtol * LANES + lane] = task.rtol
    work[rows.run * LANES + lane] = run
    if algebraic[0] == algebraic[1]:
        _save_start(work, rows, task, lane)
    _begin(work, rows, algebraic, task, lane)


@compiled
def _begin(work, rows, algebraic, task, lane):
    """Start afresh after loading or an event."""
    _look_ahead(work, rows, task, lane)
    work[rows.begun * LANES + lane] = work[rows.time * LANES + lane]
    work[rows.rejected * LANES + lane] = 0.0
    if algebraic[0] < algebraic[1]:
        work[rows.phase * LANES + lane] = PROJECTING
        work[rows.step * LANES + lane] = PROJECTION_STEP
    else:
        work[rows.phase * LANES + lane] = STEPPING
        work[rows.planned * LANES + lane] = FIRST_STEP
        _aim(work, rows, lane)


@compiled
def _save_start(work, rows, task, lane):
    """Save the state at t = 0."""
    run = int(work[rows.run * LANES + lane])
    if task.times.shape[0] > 0 and task.times[0] <= 0.0:
        for i in range(rows.new):
            task.saved[run, 0, i] = work[(rows.state + i) * LANES + lane]
        work[rows.saves * LANES + lane] = 1.0


@compiled
def _project(work, rows, algebraic, task, lane):
    """Take over the potentials of a projection step; go on once they stand still."""
    change = 0.0
    for i in range(algebraic[0], algebraic[1]):
        old = work[(rows.state + i) * LANES + lane]
        new = work[(rows.new + i) * LANES + lane]
        size = work[(rows.scale + i) * LANES + lane] / task.rtol
        moved = abs(new - old) / size
        if moved > PROJECTION_REACH:
            new = old + PROJECTION_REACH / moved * (new - old)
        if not (moved < np.inf):
            moved = np.inf
        change = moved if moved > change else change
        work[(rows.state + i) * LANES + lane] = new
    tries = work[rows.rejected * LANES + lane] + 1.0
    work[rows.rejected * LANES + lane] = tries
    if change == np.inf:
        _finish(work, rows, task, lane, NONFINITE, float(algebraic[0]))
    elif tries > PROJECTION_LIMIT:
        _finish(work, rows, task, lane, STEP_TOO_SMALL, float(algebraic[0]))
    # Rounding in the currents may keep a potential trembling a little above the tolerance.
    elif change <= PROJECTION_TOLERANCE * tries:
        work[rows.phase * LANES + lane] = STEPPING
        work[rows.rejected * LANES + lane] = 0.0
        work[rows.planned * LANES + lane] = FIRST_STEP
        if work[rows.saves * LANES + lane] == 0.0:
            _save_start(work, rows, task, lane)
            _look_ahead(work, rows, task, lane)
        _aim(work, rows, lane)


@compiled
def _finish(work, rows, task, lane, status, culprit):
    """Write down how the run ended and free the lane."""
    run = int(work[rows.run * LANES + lane])
    n = rows.new
    for i in range(n):
        task.outcome[run, i] = work[(rows.state + i) * LANES + lane]
    for save in range(int(work[rows.saves * LANES + lane]), task.times.shape[0]):
        for i in range(n):
            task.saved[run, save, i] = np.nan
    task.outcome[run, n] = status
    task.outcome[run, n + 1] = work[rows.time * LANES + lane]
    task.outcome[run, n + 2] = culprit
    task.outcome[run, n + 3] = work[rows.attempts * LANES + lane]
    task.queue[1] -= 1
    work[rows.phase * LANES + lane] = IDLE
    work[rows.accepted * LANES + lane] = 0.0
