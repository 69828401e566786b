"""Layout of a kernel's data: lanes, rows of the workspace, and the task."""

from collections import namedtuple

from simulator.kernel.vectormath import INTERLEAVED, WIDTH

#: Number of lanes of a kernel, each with one run at a time; the same for a single run and a batch.
LANES = INTERLEAVED * WIDTH

#: Volume below which a compartment counts as collapsed, relative to its initial volume.
COLLAPSED = 1.0e-6

# Floats, like everything else in the workspace: numba would recompile a caller for each integer literal.
IDLE, STEPPING, PROJECTING, STARTING = 0.0, 1.0, 2.0, 3.0

#: Indices of the rows of the workspace, of the first one for a quantity with several. The entry of a lane is at
#: ``row * LANES + lane`` of one array, which lets the compiler vectorise the step. State, new state, the two arrays of
#: dense output, and the scale have a row per state. ``good``: whether the step just attempted is valid;
#: ``accepted``: whether the next attempt starts from the new state. From ``run`` on: index of the lane's run, phase,
#: saves, events and attempts so far, whether the last step was rejected, time reached, time of the last event or the
#: start, planned step, time of the next event or end, and the next time at which anything is due.
Rows = namedtuple(
    "Rows",
    "state new dense_c dense_d scale parameters step error good suggested accepted rtol "
    "run phase saves events attempts rejected time begun planned target due end",
)

#: Numbers of states, of amounts (the first states) and volumes (the last ones), which must stay positive, and of
#: parameters; first and past-the-end index of the potentials that solve an algebraic equation.
Counts = namedtuple("Counts", "states amounts volumes parameters first_algebraic end_algebraic")

#: Inputs and results of an integration, in few arrays to keep compilation fast:
#: ``start[run]`` is state, scale, parameters, end time; ``events[run, event]`` is a time and the parameters from then
#: on; ``times`` are the save times; ``saved[run, time]`` and ``outcome[run]`` (final state, then status,
#: time, culprit, attempts) are filled in. ``queue`` holds the next run to load and the number of busy lanes.
Task = namedtuple("Task", "start events times saved outcome queue rtol max_steps")
