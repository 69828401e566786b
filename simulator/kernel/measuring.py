"""Measures of a run, taken from the dense output of its steps.

Within a step each measured quantity is the polynomial through its values at the beginning, at three points within and
at the end, which is as accurate as the dense output. A step in which a measure just goes on is dealt with by the kernel
in all lanes at once (:class:`simulator.kernel.step_source.StepSource`); one in which something happens, such as a peak,
a crossing or the edge of a window, is looked at here, lane by lane.
"""

import numpy as np

from simulator.kernel.machine import WIDTH
from simulator.kernel.vectormath import inlined, larger, smaller
from simulator.kernel.workspace import STEPPING

#: Kinds of measures, in the order of :data:`simulator.scenario.measures.KINDS`; a crossing has three directions.
PEAK, TROUGH, MEAN, VALUE, CROSSING, SPIKES, PERIOD = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0
RISING, FALLING, EITHER = 0.0, 1.0, 2.0

#: Values of a quantity in a step, and where: the beginning, three points within, the end.
POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)

#: Rows of a measure, from its first one on: whether it counts now (within its window, and not found yet); its level;
#: what it has come to (largest or smallest value, integral, time, number); the times of the first and the last rise;
#: the value at the end of the last step that was looked at here.
ON, LEVEL, FOUND, FIRST_RISE, LAST_RISE, BEFORE = range(6)
ROWS_PER_MEASURE = 6

#: Columns of a task's table of measures: kind, direction, first and last time that count, level, and the number of the
#: quantity.
KIND, DIRECTION, BEGIN, END, AT_LEVEL, QUANTITY = range(6)

#: Equal parts of a step in which crossings and extremes are sought; halvings of one of them for a crossing, and
#: iterations of Newton's method for an extreme.
PARTS, HALVINGS, ITERATIONS = 8, 48, 6


@inlined
def quartic(cell, row, lanes):
    """Coefficients of the polynomial in ``x``, 4 times the part of the step, through the five values from `row` on."""
    q0, q1, q2 = cell[row], cell[row + lanes], cell[row + 2 * lanes]
    q3, q4 = cell[row + 3 * lanes], cell[row + 4 * lanes]
    # Differences of Newton's form, which is then expanded.
    d1, d2, d3 = q1 - q0, q2 - 2.0 * q1 + q0, q3 - 3.0 * q2 + 3.0 * q1 - q0
    d4 = q4 - 4.0 * q3 + 6.0 * q2 - 4.0 * q1 + q0
    c1 = d1 - d2 / 2.0 + d3 / 3.0 - d4 / 4.0
    c2 = d2 / 2.0 - d3 / 2.0 + 11.0 * d4 / 24.0
    return q0, c1, c2, d3 / 6.0 - d4 / 4.0, d4 / 24.0


@inlined
def value_at(c, x):
    """The polynomial."""
    return c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * c[4])))


@inlined
def begin_measures(cell, at, counts, task):
    """Begin the measures of a run."""
    for i in range(counts.measures):
        row = at.measures + i * ROWS_PER_MEASURE * counts.lanes
        kind = task.measures[i, KIND]
        cell[row + ON * counts.lanes] = 1.0 if task.measures[i, BEGIN] <= 0.0 else 0.0
        cell[row + LEVEL * counts.lanes] = task.measures[i, AT_LEVEL]
        start = np.nan
        if kind == PEAK:
            start = -np.inf
        elif kind == TROUGH:
            start = np.inf
        elif kind in (MEAN, SPIKES, PERIOD):
            start = 0.0
        cell[row + FOUND * counts.lanes] = start
        cell[row + FIRST_RISE * counts.lanes] = 0.0
        cell[row + LAST_RISE * counts.lanes] = 0.0
        cell[row + BEFORE * counts.lanes] = np.nan


@inlined
def awaited(lanes, at):
    """Whether the driver will look at the step of one of the lanes of a vector."""
    for lane in range(WIDTH):
        if lanes[at.good + lane] > 0.0 and lanes[at.accepted + lane] <= 0.0 and lanes[at.phase + lane] == STEPPING:
            return True
    return False


@inlined
def next_edge(task, counts, time, begun, target):
    """The next time at which a measure begins or ends to count, if it comes before `target`.

    It is `time` itself at the beginning and after an event, which may make a quantity jump.
    """
    if counts.measures > 0 and time == begun:
        return time
    for i in range(counts.measures):
        for edge in (BEGIN, END):
            if task.measures[i, edge] > time:
                target = smaller(target, task.measures[i, edge])
    return target


@inlined
def measure_step(cell, at, counts, task, start, step, time):
    """Take all measures in a step from `start` to `time` that is accepted outside the vector code."""
    lanes = counts.lanes
    for i in range(counts.measures):
        row = at.measures + i * ROWS_PER_MEASURE * lanes
        values = at.measured + int(task.measures[i, QUANTITY]) * len(POINTS) * lanes
        kind = task.measures[i, KIND]
        first = larger(start, task.measures[i, BEGIN])
        last = smaller(time, task.measures[i, END])
        done = kind == CROSSING and cell[row + FOUND * lanes] >= 0.0
        if last >= first and not done:
            c, a, b = quartic(cell, values, lanes), 4.0 * (first - start) / step, 4.0 * (last - start) / step
            if kind == PEAK:
                cell[row + FOUND * lanes] = larger(cell[row + FOUND * lanes], _extreme(c, a, b, 1.0))
            elif kind == TROUGH:
                cell[row + FOUND * lanes] = smaller(cell[row + FOUND * lanes], _extreme(c, a, b, -1.0))
            elif kind == MEAN:
                cell[row + FOUND * lanes] += 0.25 * step * (_integral(c, b) - _integral(c, a))
            elif kind == VALUE:
                cell[row + FOUND * lanes] = value_at(c, b)
            else:
                _crossings(cell, row, c, lanes, task, i, start, 0.25 * step, a, b)
        cell[row + BEFORE * lanes] = cell[values + 4 * lanes]
        open_now = task.measures[i, BEGIN] <= time and time < task.measures[i, END]
        found_already = kind == CROSSING and cell[row + FOUND * lanes] >= 0.0
        cell[row + ON * lanes] = 1.0 if open_now and not found_already else 0.0


@inlined
def _extreme(c, a, b, sign):
    """Largest value between two places of a step, or the smallest if `sign` is -1."""
    best, place = sign * value_at(c, a), a
    for part in range(1, PARTS + 1):
        x = a + (b - a) * part / PARTS
        here = sign * value_at(c, x)
        if here > best:
            best, place = here, x
    for _ in range(ITERATIONS):  # of Newton's method, for the place where the slope is 0
        slope = c[1] + place * (2.0 * c[2] + place * (3.0 * c[3] + place * 4.0 * c[4]))
        bend = 2.0 * c[2] + place * (6.0 * c[3] + place * 12.0 * c[4])
        if not sign * bend < 0.0:
            break
        place = larger(a, smaller(b, place - slope / bend))
        best = larger(best, sign * value_at(c, place))
    return sign * best


@inlined
def _integral(c, x):
    """Integral of the polynomial from 0 on."""
    return x * (c[0] + x * (c[1] / 2.0 + x * (c[2] / 3.0 + x * (c[3] / 4.0 + x * c[4] / 5.0))))


@inlined
def _crossings(cell, row, c, lanes, task, i, start, quarter, a, b):
    """Find where a quantity crosses its level between two places of a step, and count or time it."""
    level, kind, direction = task.measures[i, AT_LEVEL], task.measures[i, KIND], task.measures[i, DIRECTION]
    before = value_at(c, a) - level
    if a <= 0.0 and not np.isnan(cell[row + BEFORE * lanes]):  # an event may have made it jump
        jumped = cell[row + BEFORE * lanes] - level
        if (jumped < 0.0) != (before < 0.0):
            _count(cell, row, lanes, kind, direction, before >= 0.0, start)
    for part in range(1, PARTS + 1):
        low = a + (b - a) * (part - 1) / PARTS
        high = a + (b - a) * part / PARTS
        after = value_at(c, high) - level
        if (before < 0.0) != (after < 0.0):
            for _ in range(HALVINGS):
                middle = 0.5 * (low + high)
                same = (value_at(c, middle) - level < 0.0) == (before < 0.0)
                low, high = middle if same else low, high if same else middle
            _count(cell, row, lanes, kind, direction, after >= 0.0, start + high * quarter)
        before = after


@inlined
def _count(cell, row, lanes, kind, direction, rises, time):
    """Count a crossing at a time, or keep that time if it is the first."""
    if kind == CROSSING:
        wanted = direction == EITHER or (direction == RISING) == rises
        if wanted and not cell[row + FOUND * lanes] >= 0.0:
            cell[row + FOUND * lanes] = time
    elif rises:
        if cell[row + FOUND * lanes] == 0.0:
            cell[row + FIRST_RISE * lanes] = time
        cell[row + FOUND * lanes] += 1.0
        cell[row + LAST_RISE * lanes] = time


@inlined
def write_measures(cell, at, counts, task, run):
    """Write what the measures of a run have come to; NaN where nothing was found."""
    lanes = counts.lanes
    for i in range(counts.measures):
        row = at.measures + i * ROWS_PER_MEASURE * lanes
        kind, found = task.measures[i, KIND], cell[row + FOUND * lanes]
        if kind == MEAN:
            covered = smaller(cell[at.time], task.measures[i, END]) - larger(0.0, task.measures[i, BEGIN])
            found = found / covered if covered > 0.0 else np.nan
        elif kind == PERIOD:
            between = cell[row + LAST_RISE * lanes] - cell[row + FIRST_RISE * lanes]
            found = between / (found - 1.0) if found >= 2.0 else np.nan
        elif kind in (PEAK, TROUGH) and not abs(found) < np.inf:
            found = np.nan
        task.measured[run, i] = found
