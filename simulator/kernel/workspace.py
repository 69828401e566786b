"""What kernels work on: the lanes, the rows of the workspace, and the task handed in."""

from collections import namedtuple

from simulator.kernel.vectormath import INTERLEAVED, WIDTH

#: Lanes of a kernel, for a lone run and for a batch: what is worked on side by side.
LANES = INTERLEAVED * WIDTH

#: Volume below which a compartment counts as collapsed, relative to the size it started with.
COLLAPSED = 1.0e-6

# Floats, like everything else in the workspace: numba would compile a caller anew for each integer literal.
IDLE, STEPPING, PROJECTING, STARTING = 0.0, 1.0, 2.0, 3.0

#: Rows of the workspace, the first where there are several; a row has a place per lane, ``row * LANES + lane`` in
#: one array, because that is what lets the compiler turn the step into vector code. State, new state, the two
#: arrays of dense output and the scale have a row per state. ``good`` tells whether the step just attempted may
#: stand, ``accepted`` whether the next attempt starts from the new state. From ``run`` on: which run a lane has,
#: what it is doing, how many saves, events and attempts are behind it, whether the last step was rejected, the
#: time reached and that of the last event or the start, the step planned, the time of the next event or end, and
#: the next time at which anything at all is due.
Rows = namedtuple(
    "Rows",
    "state new dense_c dense_d scale parameters step error good suggested accepted rtol "
    "run phase saves events attempts rejected time begun planned target due end",
)

#: How many there are: of states, first those amounts and last those volumes that must stay positive, of parameters;
#: and the first and past-the-end state of the potentials that solve an equation.
Counts = namedtuple("Counts", "states amounts volumes parameters first_algebraic end_algebraic")

#: What is to be computed and where the results go. Few arrays, for the compiler's sake:
#: ``start[run]`` is state, scale, parameters, end time; ``events[run, event]`` is a time and the parameters from then
#: on; ``times`` are the save times; ``saved[run, time]`` and ``outcome[run]`` (final state, then status,
#: time, culprit, attempts) are filled in. ``queue`` holds the next run to hand out and the lanes at work.
Task = namedtuple("Task", "start events times saved outcome queue rtol max_steps")
