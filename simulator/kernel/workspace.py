"""Layout of a kernel's data: lanes, rows of the workspace, and the task."""

from collections import namedtuple

import numpy as np

from simulator.kernel.machine import FIRST_CACHE, WIDTH

#: Vectors of lanes of a small and of a large model, and how many of them are worked on side by side. Four side by side
#: hide that each operation of a step waits for the one before; where they do not fit into the processor's first cache
#: and its registers, one at a time is faster.
SMALL, LARGE = (4, 4), (1, 1)

#: Bytes of a line of the processor's cache.
CACHE_LINE = 64

#: Volume below which a compartment counts as collapsed, relative to its initial volume.
COLLAPSED = 1.0e-6

# Floats, like everything else in the workspace: numba would recompile a caller for each integer literal.
IDLE, STEPPING, PROJECTING, STARTING = 0.0, 1.0, 2.0, 3.0

#: Indices of the rows of the workspace, of the first one for a quantity with several. The entry of a lane is at
#: ``row * lanes + lane`` of one array, so a vector of lanes lies side by side. State, new state and scale have
#: a row per state, the dense output three. ``good``: whether the step just attempted is valid;
#: ``accepted``: whether the next attempt starts from the new state. From ``run`` on: index of the lane's run, phase,
#: saves, events, repetitions of a block and attempts so far, whether the last step was rejected, time reached, time of
#: the last event or the start, planned and longest step, time of the next event or end, the next time at which anything
#: is due, most attempts; Newton steps of the potentials that solve an algebraic equation; rows of the measures, and of
#: the values of what they measure.
Rows = namedtuple(
    "Rows",
    "state new dense scale parameters step error good suggested accepted rtol "
    "run phase saves events laps attempts rejected time begun planned longest target due most "
    "newton measures measured end",
)

#: Numbers of states, of amounts (the first states) and volumes (the last ones), which must stay positive, and of
#: parameters, of parameters that follow waveforms, and sines among them; place of the clock among
#: the states, -1 if there is none; first and past-the-end index of the potentials that solve an algebraic equation;
#: number of measures; number of lanes.
Counts = namedtuple(
    "Counts", "states amounts volumes parameters drives sines clock first_algebraic end_algebraic measures lanes"
)

#: Inputs and results of an integration, in few arrays to keep compilation fast:
#: ``start[run]`` is state, scale, parameters, end time; ``events[run, event]`` is a row of a
#: :class:`~simulator.model.protocol.Schedule`; ``times`` are the save times; ``saved[run, time]`` and ``outcome[run]``
#: (final state, then status, time, culprit, attempts) are filled in, and ``measured[run]``, as
#: ``measures`` says (:mod:`simulator.kernel.measuring`). ``queue`` holds the next run to load, the number
#: of busy lanes, and whether parameters of a lane have changed.
Task = namedtuple("Task", "start events times saved outcome measures measured queue rtol max_steps")


def lanes_of(rows: int) -> tuple[int, int]:
    """Number of lanes of a kernel with a workspace of so many rows, and how many of them are worked on together.

    The same for a single run and a batch.
    """
    vectors, together = SMALL if 8 * rows * SMALL[0] * WIDTH <= FIRST_CACHE else LARGE
    return vectors * WIDTH, together * WIDTH


def workspace(rows: int, lanes: int) -> np.ndarray:
    """Rows of ones, flat, in memory that begins with a line of the processor's cache.

    Compiled code relies on that; a vector across two lines would take twice as long to load.
    """
    found = np.ones(rows * lanes + CACHE_LINE // 8)
    start = -found.ctypes.data % CACHE_LINE // 8
    return found[start : start + rows * lanes]
