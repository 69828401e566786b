"""Measures of a run, taken from the dense output of its steps.

Within a step each measured quantity is the polynomial through its values at the beginning, at three points within and
at the end, which is as accurate as the dense output. A step in which a measure just goes on is dealt with by the kernel
in all lanes at once (:class:`simulator.kernel.step_source.StepSource`); one in which something happens, such as a peak,
a crossing or the edge of a window, is looked at here, lane by lane.
"""

import numpy as np

from simulator.kernel.vectormath import inlined, larger, smaller

#: Kinds of measures, in the order of :data:`simulator.scenario.measures.KINDS`; a crossing has three directions.
PEAK, TROUGH, MEAN, VALUE, CROSSING, SPIKES, PERIOD = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0
RISING, FALLING, EITHER = 0.0, 1.0, 2.0

#: Values of a quantity in a step, and where: the beginning, three points within, the end.
POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)

#: Rows of a measure, from its first one on: whether it counts now (within its window, and not found yet); its level;
#: what it has come to (largest or smallest value, integral, time, number); a second and a third number (time covered or
#: of the first rise, and of the last rise); the value at the end of the last step.
ON, LEVEL, FOUND, SECOND, THIRD, BEFORE = range(6)
ROWS_PER_MEASURE = 6

#: Columns of a task's table of measures: kind, direction, first and last time that count, level, and the number of the
#: quantity.
KIND, DIRECTION, BEGIN, END, AT_LEVEL, QUANTITY = range(6)

#: Equal parts of a step in which crossings and extremes are sought, and halvings of one of them.
PARTS, HALVINGS = 16, 40


@inlined
def quartic(first, row, lanes, theta):
    """The polynomial through five values, in the rows from `row` on, at part `theta` of the step."""
    q0, q1, q2, q3, q4 = (
        first[row],
        first[row + lanes],
        first[row + 2 * lanes],
        first[row + 3 * lanes],
        first[row + 4 * lanes],
    )
    # Newton's form: divided differences for equal distances.
    x = 4.0 * theta
    d1, d2, d3 = q1 - q0, q2 - 2.0 * q1 + q0, q3 - 3.0 * q2 + 3.0 * q1 - q0
    d4 = q4 - 4.0 * q3 + 6.0 * q2 - 4.0 * q1 + q0
    return q0 + x * (d1 + (x - 1.0) * (d2 / 2.0 + (x - 2.0) * (d3 / 6.0 + (x - 3.0) * d4 / 24.0)))


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
        cell[row + SECOND * counts.lanes] = 0.0
        cell[row + THIRD * counts.lanes] = 0.0
        cell[row + BEFORE * counts.lanes] = np.nan


@inlined
def next_edge(task, counts, time, target):
    """The next time after `time` at which a measure begins or ends to count, if it comes before `target`."""
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
            a, b = (first - start) / step, (last - start) / step
            if kind == PEAK:
                found = _extreme(cell, values, lanes, a, b, 1.0)
                cell[row + FOUND * lanes] = larger(cell[row + FOUND * lanes], found)
            elif kind == TROUGH:
                found = _extreme(cell, values, lanes, a, b, -1.0)
                cell[row + FOUND * lanes] = smaller(cell[row + FOUND * lanes], found)
            elif kind == MEAN:
                cell[row + FOUND * lanes] += step * _integral(cell, values, lanes, a, b)
                cell[row + SECOND * lanes] += last - first
            elif kind == VALUE:
                cell[row + FOUND * lanes] = quartic(cell, values, lanes, b)
            else:
                _crossings(cell, row, values, counts, task, i, start, step, a, b)
        cell[row + BEFORE * lanes] = cell[values + 4 * lanes]
        open_now = task.measures[i, BEGIN] <= time and time < task.measures[i, END]
        found_already = kind == CROSSING and cell[row + FOUND * lanes] >= 0.0
        cell[row + ON * lanes] = 1.0 if open_now and not found_already else 0.0


@inlined
def _extreme(cell, values, lanes, a, b, sign):
    """Largest value between two parts of a step, or the smallest if `sign` is -1."""
    best, place = sign * quartic(cell, values, lanes, a), a
    for part in range(1, PARTS + 1):
        theta = a + (b - a) * part / PARTS
        here = sign * quartic(cell, values, lanes, theta)
        if here > best:
            best, place = here, theta
    width = (b - a) / PARTS
    for _ in range(HALVINGS):
        width *= 0.7
        for theta in (larger(a, place - width), smaller(b, place + width)):
            here = sign * quartic(cell, values, lanes, theta)
            if here > best:
                best, place = here, theta
    return sign * best


@inlined
def _integral(cell, values, lanes, a, b):
    """Integral over part of a step, in steps; Boole's rule is exact for the polynomial."""
    total = 0.0
    for point in range(5):
        weight = 7.0 if point == 0 or point == 4 else 12.0 if point == 2 else 32.0
        total += weight * quartic(cell, values, lanes, a + (b - a) * 0.25 * point)
    return (b - a) * total / 90.0


@inlined
def _crossings(cell, row, values, counts, task, i, start, step, a, b):
    """Find where a quantity crosses its level between two parts of a step, and count or time it."""
    lanes, level = counts.lanes, task.measures[i, AT_LEVEL]
    kind, direction = task.measures[i, KIND], task.measures[i, DIRECTION]
    before = quartic(cell, values, lanes, a) - level
    if a <= 0.0 and not np.isnan(cell[row + BEFORE * lanes]):  # an event may have made it jump
        jumped = cell[row + BEFORE * lanes] - level
        if (jumped < 0.0) != (before < 0.0):
            _count(cell, row, lanes, kind, direction, before >= 0.0, start)
    for part in range(1, PARTS + 1):
        low = a + (b - a) * (part - 1) / PARTS
        high = a + (b - a) * part / PARTS
        after = quartic(cell, values, lanes, high) - level
        if (before < 0.0) != (after < 0.0):
            for _ in range(HALVINGS):
                middle = 0.5 * (low + high)
                same = (quartic(cell, values, lanes, middle) - level < 0.0) == (before < 0.0)
                low, high = middle if same else low, high if same else middle
            _count(cell, row, lanes, kind, direction, after >= 0.0, start + high * step)
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
            cell[row + SECOND * lanes] = time
        cell[row + FOUND * lanes] += 1.0
        cell[row + THIRD * lanes] = time


@inlined
def write_measures(cell, at, counts, task, run):
    """Write what the measures of a run have come to; NaN where nothing was found."""
    lanes = counts.lanes
    for i in range(counts.measures):
        row = at.measures + i * ROWS_PER_MEASURE * lanes
        kind, found = task.measures[i, KIND], cell[row + FOUND * lanes]
        second, third = cell[row + SECOND * lanes], cell[row + THIRD * lanes]
        if kind == MEAN:
            found = found / second if second > 0.0 else np.nan
        elif kind == PERIOD:
            found = (third - second) / (found - 1.0) if found >= 2.0 else np.nan
        elif kind in (PEAK, TROUGH) and not abs(found) < np.inf:
            found = np.nan
        task.measured[run, i] = found
