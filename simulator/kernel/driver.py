"""Step control, saving and events of each lane: all of the integration except the step itself.

The generated kernel attempts one step in all lanes at once, and plans the next one in lanes that need nothing
else. In the other lanes :func:`settle` accepts or rejects the step, saves the states at the save times it passed
(by dense output, so saving does not affect the step sizes), applies parameter changes exactly at their times, and
loads the next run into a free lane. The result of a run does not depend on the other runs.
Everything is inlined: a call would pass about sixty arguments (each array expands to ten).
"""

import numba as nb
import numpy as np

from simulator.kernel.measuring import begin_measures, measure_step, next_edge, write_measures
from simulator.kernel.status import Status
from simulator.kernel.step_control import aim, plan
from simulator.kernel.vectormath import INNER, OPTIONS, inlined, larger, smaller
from simulator.kernel.workspace import IDLE, PROJECTING, STARTING, STEPPING

#: First attempted step [s] of a run and after each event.
FIRST_STEP = 1.0e-6

#: Smallest step relative to the time reached; below it, rounding dominates.
TIME_RESOLUTION = 4.0e-16

#: Step [s] so short that only algebraic variables change: it makes the potentials consistent.
PROJECTION_STEP = 1.0e-30
PROJECTION_LIMIT = 200
PROJECTION_TOLERANCE = 1.0e-13
#: Largest change of a potential per projection step, in scales, to keep exponentials from overflowing.
PROJECTION_REACH = 4.0

#: Largest part of a sine that passes in one step [rad].
ANGLE = 2.0 * np.pi / 32.0

OK = float(Status.OK)
MAX_STEPS = float(Status.MAX_STEPS)
STEP_TOO_SMALL = float(Status.STEP_TOO_SMALL)
NONFINITE = float(Status.NONFINITE)
NEGATIVE_AMOUNT = float(Status.NEGATIVE_AMOUNT)
VOLUME_COLLAPSED = float(Status.VOLUME_COLLAPSED)
#: Status of an unfinished run; and no culprit.
GOING_ON = -1.0
NOBODY = -1.0


@nb.njit(**OPTIONS, **INNER, forceinline=True, cache=True)
def settle(work, at, counts, task):
    """Process the step just attempted in every lane in which the kernel has not accepted it already.

    Parameters
    ----------
    work : float64 array
        The kernel's workspace, changed in place.
    at : Rows
        Offsets of its rows.
    counts : Counts
        Numbers of states and parameters.
    task : Task
        Inputs and results, changed in place.

    Returns
    -------
    int
        Number of busy lanes.
    """
    for lane in range(counts.lanes):
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
            _begin(cell, at, counts, task)
        if cell[at.phase] != IDLE:
            _look_ahead(cell, at, counts, task)
    return task.queue[1]


@inlined
def _arrive(cell, at, counts, task):
    """Accept a step that reaches a save time, an event, the end or the step limit, and handle each of these."""
    run = int(cell[at.run])
    step = cell[at.step]
    start = cell[at.time]
    landed = step >= cell[at.target] - start
    time = cell[at.target] if landed else start + step
    _save_passed(cell, at, counts, task, step, start, time)
    measure_step(cell, at, counts, task, start, step, time)
    cell[at.time] = time
    exhausted = _step_limit_reached(cell, at)
    if not landed and not exhausted:
        longer = plan(step, cell[at.suggested], cell[at.planned], cell[at.rejected])
        cell[at.planned] = smaller(longer, cell[at.longest])
        cell[at.rejected] = 0.0
        cell[at.accepted] = 1.0
        return GOING_ON
    for i in range(counts.states):
        cell[at.state + i * counts.lanes] = cell[at.new + i * counts.lanes]
    if time >= task.start[run, task.start.shape[1] - 1]:
        return OK
    if exhausted:
        return MAX_STEPS
    _change(cell, at, counts, task)
    cell[at.phase] = STARTING
    return GOING_ON


@inlined
def _change(cell, at, counts, task):
    """Change the parameters as the event that was reached says, and turn to the next one."""
    run = int(cell[at.run])
    event = int(cell[at.events])
    laps = cell[at.laps]
    for j in range(counts.parameters):
        cell[at.parameters + j * counts.lanes] = task.events[run, event, 4 + j]
    for j in range(counts.drives):
        moved = task.events[run, event, 4 + counts.parameters + j] * laps * task.events[run, event, 1]
        cell[at.parameters + (counts.parameters - counts.drives + j) * counts.lanes] += moved
    task.queue[2] = 1
    block = task.events[run, event, 2]
    again = block > 0.0 and laps < task.events[run, event, 3]
    cell[at.events] = event + 1.0 - block if again else event + 1.0
    if block > 0.0:
        cell[at.laps] = laps + 1.0 if again else 0.0


@inlined
def _step_limit_reached(cell, at):
    """Whether the steps attempted since the last event have reached the limit, see :func:`_begin`."""
    return cell[at.attempts] >= cell[at.most]


@inlined
def _save_passed(cell, at, counts, task, step, start, time):
    """Save the states at the save times that a step passed, from its dense output."""
    run = int(cell[at.run])
    first = int(cell[at.saves])
    last = first
    while last < task.times.shape[0] and task.times[last] <= time:
        last += 1
    cell[at.saves] = last
    per_step = 1.0 / step
    for save in range(first, last):
        theta = (task.times[save] - start) * per_step
        theta = 1.0 if task.times[save] == time else theta
        left = 1.0 - theta
        for i in range(counts.states):
            place = at.state + i * counts.lanes
            straight = left * cell[place] + theta * cell[place + at.new - at.state]
            b = cell[at.dense + i * counts.lanes]
            c = cell[at.dense + (counts.states + i) * counts.lanes]
            d = cell[at.dense + (2 * counts.states + i) * counts.lanes]
            value = straight + theta * (left * (b + theta * (c + theta * d)))
            # The interpolant may be negative between two valid states.
            task.saved[run, save, i] = straight if i < counts.amounts and value < 0.0 else value


@inlined
def _reject(cell, at, counts, task):
    """Retry with a shorter step, or end the run."""
    step = cell[at.step]
    fault, culprit = _fault(cell, at, counts)
    shorter = larger(0.1 * step, cell[at.suggested]) if fault == STEP_TOO_SMALL else 0.25 * step
    cell[at.rejected] = 1.0
    cell[at.planned] = shorter
    # Relative to the last event: a clamp late in a long run needs steps below the resolution of the total time.
    if shorter <= TIME_RESOLUTION * (cell[at.time] - cell[at.begun] + FIRST_STEP):
        return fault, culprit
    return MAX_STEPS if _step_limit_reached(cell, at) else GOING_ON, culprit


@inlined
def _fault(cell, at, counts):
    """Return the status for a rejected step and the index of the culprit state."""
    error = cell[at.error]
    if not (error < np.inf):
        # If an amount has run out, report that rather than the NaN it causes.
        for i in range(counts.amounts):
            left = cell[at.state + i * counts.lanes] * cell[at.rtol]
            if 0.0 < left < cell[at.scale + i * counts.lanes]:
                return NEGATIVE_AMOUNT, float(i)
        for i in range(counts.states):
            if not (abs(cell[at.new + i * counts.lanes]) < np.inf):
                return NONFINITE, float(i)
        return NONFINITE, NOBODY
    if error <= 1.0:
        for i in range(counts.amounts):
            if cell[at.new + i * counts.lanes] < 0.0:
                return NEGATIVE_AMOUNT, float(i)
        if counts.volumes > 0:
            return VOLUME_COLLAPSED, float(counts.states - counts.volumes)
    # An algebraic potential may have come to where none near it solves its equation any more.
    culprit, largest = NOBODY, 0.0
    for i in range(counts.first_algebraic, counts.end_algebraic):
        moved = abs(cell[at.newton + (i - counts.first_algebraic) * counts.lanes]) / cell[at.scale + i * counts.lanes]
        if moved > largest:
            culprit, largest = float(i), moved
    return STEP_TOO_SMALL, culprit


@inlined
def _project(cell, at, counts, task):
    """Update the potentials by a step of Newton's method, the first stage; start stepping once they have converged."""
    change = 0.0
    for i in range(counts.first_algebraic, counts.end_algebraic):
        moved = cell[at.newton + (i - counts.first_algebraic) * counts.lanes]
        moved /= cell[at.scale + i * counts.lanes] / task.rtol
        if not (abs(moved) < np.inf):
            return NONFINITE, float(i)
        change = larger(change, abs(moved))
    # Where changes do not become smaller, the potentials go back and forth about those that are sought.
    part = 1.0 if change < cell[at.planned] else 0.5
    cell[at.planned] = change
    for i in range(counts.first_algebraic, counts.end_algebraic):
        size = cell[at.scale + i * counts.lanes] / task.rtol
        moved = cell[at.newton + (i - counts.first_algebraic) * counts.lanes] / size
        moved = larger(-PROJECTION_REACH, smaller(PROJECTION_REACH, moved))
        cell[at.state + i * counts.lanes] += part * moved * size
    tries = cell[at.rejected] + 1.0
    cell[at.rejected] = tries
    if tries > PROJECTION_LIMIT:
        return STEP_TOO_SMALL, float(counts.first_algebraic)
    # The tolerance grows with the tries: rounding in the currents can keep the changes slightly above it.
    if change <= PROJECTION_TOLERANCE * tries:
        cell[at.phase] = STEPPING
        cell[at.rejected] = 0.0
        cell[at.planned] = FIRST_STEP
    return GOING_ON, NOBODY


@inlined
def _finish(cell, at, counts, task, status, culprit):
    """Write the outcome of the run and free the lane."""
    run = int(cell[at.run])
    n = counts.states
    for i in range(n):
        task.outcome[run, i] = cell[at.state + i * counts.lanes]
    for save in range(int(cell[at.saves]), task.times.shape[0]):
        for i in range(n):
            task.saved[run, save, i] = np.nan
    write_measures(cell, at, counts, task, run)
    task.outcome[run, n] = status
    task.outcome[run, n + 1] = cell[at.time]
    task.outcome[run, n + 2] = culprit
    task.outcome[run, n + 3] = cell[at.attempts]
    task.queue[1] -= 1
    cell[at.phase] = IDLE


@inlined
def _load(cell, at, counts, task):
    """Load the next run into a free lane."""
    run = task.queue[0]
    task.queue[0] = run + 1
    task.queue[1] += 1
    task.queue[2] = 1
    n = counts.states
    for i in range(n):
        cell[at.state + i * counts.lanes] = task.start[run, i]
        cell[at.scale + i * counts.lanes] = task.start[run, n + i] * task.rtol
    for j in range(counts.parameters):
        cell[at.parameters + j * counts.lanes] = task.start[run, 2 * n + j]
    for place in range(at.accepted, at.end, counts.lanes):
        cell[place] = 0.0
    begin_measures(cell, at, counts, task)
    cell[at.rtol] = task.rtol
    cell[at.run] = run
    cell[at.phase] = STARTING


@inlined
def _begin(cell, at, counts, task):
    """Start or restart after an event: make the potentials consistent, then use a short first step."""
    cell[at.begun] = cell[at.time]
    if counts.clock >= 0:  # the sum of many steps is not as exact as the time of an event
        run = int(cell[at.run])
        cell[at.state + counts.clock * counts.lanes] = task.start[run, counts.clock] + cell[at.time]
    cell[at.rejected] = 0.0
    cell[at.planned] = FIRST_STEP
    longest = _longest(cell, at, counts)
    cell[at.longest] = longest
    # A limit between events, and for each turn of a sine: a long protocol does not use it up.
    end = task.start[int(cell[at.run]), task.start.shape[1] - 1]
    cell[at.most] = cell[at.attempts] + task.max_steps * (1.0 + (end - cell[at.time]) * ANGLE / (2.0 * np.pi * longest))
    cell[at.step] = PROJECTION_STEP
    cell[at.phase] = STEPPING
    if counts.first_algebraic < counts.end_algebraic:
        cell[at.phase] = PROJECTING
        cell[at.planned] = np.inf  # the change of the potentials so far


@inlined
def _longest(cell, at, counts):
    """Longest step that resolves the sines that go on.

    What follows a stimulus at once is exact at the end of any step, so its error does not show how it moves within.
    """
    longest = np.inf
    for j in range(counts.sines):
        turn = at.parameters + (counts.parameters - counts.drives - counts.sines + j) * counts.lanes
        if cell[turn - counts.sines * counts.lanes] != 0.0:
            longest = smaller(longest, ANGLE / cell[turn])
    return longest


@inlined
def _look_ahead(cell, at, counts, task):
    """Save the start, find the next event or end and the next time of anything due, and set the next step."""
    run = int(cell[at.run])
    event = int(cell[at.events])
    save = int(cell[at.saves])
    time = cell[at.time]
    target = task.start[run, task.start.shape[1] - 1]
    if event < task.events.shape[1]:
        target = smaller(target, task.events[run, event, 0] + cell[at.laps] * task.events[run, event, 1])
    cell[at.target] = target
    if cell[at.phase] == STEPPING:
        cell[at.step] = aim(cell[at.planned], target - time)
        if time == 0.0 and save == 0 and task.times.shape[0] > 0 and task.times[0] <= 0.0:
            for i in range(counts.states):
                task.saved[run, 0, i] = cell[at.state + i * counts.lanes]
            save = 1
            cell[at.saves] = 1.0
    if save < task.times.shape[0]:
        target = smaller(target, task.times[save])
    cell[at.due] = next_edge(task, counts, time, cell[at.begun], target)
