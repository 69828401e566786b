"""Distance to rest: Newton steps and eigenvalues among states with the same conserved totals.

The Jacobian is that of the independent states only (the dependent ones follow from them), so a conserved
total neither makes it singular nor adds a step or an eigenvalue.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.capacitors import capacitance_matrix
from simulator.model.names import area, capacitance
from simulator.model.structure import Structure
from simulator.trajectory.arrangement import named

#: Largest scaled distance to a rest point at which a state counts as at rest.
REST = 1.0e-6

#: Most Newton steps that polish a rest point, and scaled length of the last one: what it leaves is of second order.
POLISHING = 12
POLISHED = 1.0e-8

#: Pivots below this may indicate a neutral direction.
HARDLY_RESTORING = 1.0e-10

#: Relative rounding error of a rate or a slope that is zero.
ROUNDING = 1.0e-15


def approach(
    equations: ModuleType, states: np.ndarray, parameters: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance of many states to the nearest rest point, that point, and the Jacobian there (independent states).

    A state farther than :data:`REST` from rest is returned as it is.

    Parameters
    ----------
    equations : module
        The model's equations as array functions.
    states, sizes : ndarray, shape (n, states)
        States, and the sizes that distances are relative to.
    parameters : ndarray, shape (n, parameters)
        Parameters in force.

    Returns
    -------
    tuple of ndarray
        Shapes (n,), (n, states), (n, independent states, independent states); a distance is infinite where there
        is no step to rest.
    """
    steps, jacobians = newton_steps(equations, states, parameters, sizes)
    distance, points = scaled_lengths(steps, sizes), states.copy()
    rows = np.flatnonzero(distance < REST)
    points[rows] += steps[rows]
    rows = rows[distance[rows] >= POLISHED]
    for _ in range(POLISHING - 1):
        if not len(rows):
            break
        steps, jacobians[rows] = newton_steps(equations, points[rows], parameters[rows], sizes[rows])
        length = scaled_lengths(steps, sizes[rows])
        lost = ~np.isfinite(length)[:, None]
        points[rows] = np.where(lost, states[rows], points[rows] + steps)
        rows = rows[(length >= POLISHED) & ~lost[:, 0]]
    return distance, points, jacobians


def at_rest(equations: ModuleType, states: np.ndarray, parameters: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether each of many states is at rest; arrays of shape (n, states), (n, parameters), (n, states)."""
    steps, _ = newton_steps(equations, states, parameters, sizes)
    return scaled_lengths(steps, sizes) < REST


def scaled_lengths(steps: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Largest step of any state relative to its size, shape (n,); infinite where one is not finite."""
    with np.errstate(invalid="ignore"):
        length = np.max(np.abs(steps) / sizes, axis=1, initial=0.0)
    return np.where(np.isfinite(length), length, np.inf)


def rest_begins(resting: np.ndarray, time: np.ndarray, last_event: np.ndarray) -> np.ndarray:
    """Index of the saved time from which on each run stays at rest, -1 if it does not end at rest.

    Parameters
    ----------
    resting : ndarray of bool, shape (runs, times)
        Whether each saved state is at rest.
    time : ndarray, shape (times,)
        Save times [s].
    last_event : ndarray, shape (runs,)
        Time of the protocol's last event [s], 0 if there is none; rest before it does not count.
    """
    resting = resting & ((time > last_event[:, None]) | (last_event[:, None] <= 0.0))
    # Find the last state that is not at rest.
    moving = ~resting[:, ::-1]
    length = np.where(moving.any(axis=1), moving.argmax(axis=1), resting.shape[1])
    return np.where(length > 0, resting.shape[1] - length, -1)


def newton_steps(
    equations: ModuleType, states: np.ndarray, parameters: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps of all states towards rest at constant totals, and the Jacobians of the independent ones.

    Every number is found by operations on arrays over the states, so it is the same to the last bit for one state
    and among many.

    Parameters
    ----------
    equations : module
        The model's equations as array functions.
    states, sizes : ndarray, shape (n, states)
        States, and the sizes by which the unknowns are scaled.
    parameters : ndarray, shape (n, parameters)
        Parameters in force.

    Returns
    -------
    tuple of ndarray
        Shapes (n, states) and (n, independent states, independent states). A step is infinite if there is none to
        rest, and NaN if a rate or a slope is not finite.
    """
    rate, conditions, jacobian = conditions_of(equations, states, parameters)
    basis, steps = np.array(equations.BASIS, dtype=int), np.zeros_like(states)
    moving, rows, everything = (rate != 0.0) | np.any(jacobian != 0.0, axis=2), np.arange(len(states)), slice(None)
    # States that cannot change are left out. They differ between the runs of a batch only if a path is closed.
    alike = bool(np.all(moving == moving[:1]))
    for pattern in moving[:1] if alike else np.unique(moving, axis=0):
        members = everything if alike else np.flatnonzero(np.all(moving == pattern, axis=1))
        places = everything if np.all(pattern) else np.flatnonzero(pattern)
        scale = sizes[members][:, basis[places]]
        scaled = conditions[members][:, places][:, :, places] * scale[:, None, :]
        steps[rows[members][:, None], basis[places]] = solutions(scaled, -rate[members][:, places]) * scale
    let_follow(equations, steps)
    return steps, jacobian


def newton_step(
    equations: ModuleType, state: np.ndarray, parameters: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`newton_steps` of one state: shapes (states,) and (independent states, independent states)."""
    steps, jacobians = newton_steps(equations, state[None], parameters[None], size[None])
    return steps[0], jacobians[0]


def solutions(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions of many small linear systems, shape (n, k): infinite if there is none, NaN if a number is not finite.

    Parameters
    ----------
    matrices : ndarray, shape (n, k, k)
        The matrices.
    right : ndarray, shape (n, k)
        Their right-hand sides.
    """
    with np.errstate(all="ignore"):
        # Time scales range from milliseconds to hours, so each row is scaled to size one before solving.
        rows = np.maximum(np.abs(matrices).max(axis=2, initial=0.0), 1e-300)
        matrices, right = matrices / rows[:, :, None], right / rows
        found, reliable = _eliminated(matrices, right)
    finite = np.all(np.isfinite(matrices), axis=(1, 2)) & np.all(np.isfinite(right), axis=1)
    found[~finite] = np.nan
    for i in np.flatnonzero(finite & ~reliable):
        solution = _solved(matrices[i], right[i])
        found[i] = np.inf if solution is None else solution
    return found


def _eliminated(matrices: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian elimination of systems whose rows have size one: solutions, and which of them are reliable."""
    n, k = right.shape
    # The runs come last: every operation then goes along contiguous numbers.
    work = np.concatenate([matrices.transpose(1, 2, 0), right.T[:, None]], axis=1)
    everyone, smallest = np.arange(n), np.ones(n)
    for i in range(k):
        best = i + np.argmax(np.abs(work[i:, i]), axis=0)
        if np.any(best != i):
            chosen = work[best, :, everyone]
            work[best, :, everyone] = work[i].T
            work[i] = chosen.T
        smallest = np.minimum(smallest, np.abs(work[i, i]))
        work[i + 1 :, i:] -= (work[i + 1 :, i] / work[i, i])[:, None] * work[i, None, i:]
    for i in reversed(range(k)):
        for j in range(i + 1, k):
            work[i, k] -= work[i, j] * work[j, k]
        work[i, k] /= work[i, i]
    solution = work[:, k].T.copy()
    return solution, (smallest > HARDLY_RESTORING) & np.all(np.isfinite(solution), axis=1)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Solution of a linear system whose rows have size one and whose pivots are small; None if there is none."""
    solution, _, rank, _ = np.linalg.lstsq(matrix, right, rcond=ROUNDING)
    missing = np.abs(matrix @ solution - right)
    # No Newton step exists along a neutral direction with a nonzero rate: the state drifts.
    return solution if rank == len(matrix) or missing.max() < 10.0 * ROUNDING else None


def conditions_of(
    equations: ModuleType, states: np.ndarray, parameters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals that vanish at rest, their derivatives, the Jacobian: shapes (..., k), (..., k, k), (..., k, k)."""
    rate, jacobian = linearised(equations, states, parameters)
    clock = equations.WAVE_CLOCK
    if clock is not None:  # it goes on at rest, too, unless a waveform follows it
        rate[..., clock] = np.where(np.any(jacobian[..., clock] != 0.0, axis=-1), rate[..., clock], 0.0)
    if not equations.NEUTRAL:
        return rate, jacobian, jacobian
    # If no species flows there is no current, so the equation for the potential is redundant at rest. It is
    # replaced by the condition that the charge inside stays constant.
    conditions = jacobian.copy()
    for name, row in _neutrality(equations).items():
        rate[..., name], conditions[..., name, :] = 0.0, row
    return rate, conditions, jacobian


def let_follow(equations: ModuleType, steps: np.ndarray) -> None:
    """Set the steps of the dependent states from those of the independent ones, in place; shape (..., states)."""
    with np.errstate(invalid="ignore"):  # a step without end in two directions may have none in their difference
        for name, combination in equations.DEPENDENT.items():
            steps[..., equations.STATES.index(name)] = sum(
                weight * steps[..., equations.STATES.index(s)] for s, weight in combination.items()
            )


def linearised(equations: ModuleType, state: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates of change of the independent states, shape (..., k), and their Jacobian, shape (..., k, k)."""
    n, axes = len(equations.BASIS), state.shape[:-1]
    # In memory the runs come last: operations on many of them then go along contiguous numbers.
    rate = np.moveaxis(np.zeros((n, *axes)), 0, -1)
    jacobian = np.moveaxis(np.zeros((n, n, *axes)), (0, 1), (-2, -1))
    with np.errstate(all="ignore"):
        found = equations.linearisation(state, parameters)
        for i in range(n):
            rate[..., i] = found.pop(i)
        for (i, j), value in found.items():
            jacobian[..., i, j] = value
    return rate, jacobian


def eigenvalues(structure: Structure, jacobian: np.ndarray, state: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Eigenvalues [1/s] among states with the same totals, slowest first; isolated states left out.

    An electroneutral model is judged as the limit of the capacitive one that it is: its potentials follow the charge
    that the ions bring to the membranes' capacitance. Where a potential merely had to solve its equation, a rest point
    with a negative slope conductance would pass for stable.

    Parameters
    ----------
    structure : Structure
        What decides the equations.
    jacobian : ndarray, shape (independent states, independent states)
        As :func:`linearised` gives it.
    state, parameters : ndarray
        Where it was taken.
    """
    if not jacobian.size or not np.all(np.isfinite(jacobian)):
        return np.empty(0, dtype=complex)
    equations = load_arrays(structure)
    moving = np.any(jacobian != 0.0, axis=1)
    differential = np.array(equations.DIFFERENTIAL, dtype=bool)
    slow, fast = np.flatnonzero(differential & moving), np.flatnonzero(~differential)
    reduced = jacobian[np.ix_(slow, slow)]
    if len(fast):
        per_charge = jacobian[:, fast] @ np.linalg.inv(capacitances(structure, state, parameters))
        if structure.open:  # its currents are not those of its ions: the charge is a state of its own
            currents = structure.faraday * jacobian[np.ix_(fast, slow)]
            reduced = np.block([[reduced, per_charge[slow]], [currents, structure.faraday * per_charge[fast]]])
        else:
            charges = structure.faraday * np.array([row[slow] for row in _neutrality(equations).values()])
            reduced = reduced + per_charge[slow] @ charges
    values = np.linalg.eigvals(reduced).astype(complex)
    return np.asarray(values[np.argsort(np.abs(values))])


def capacitances(structure: Structure, state: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Matrix [F] that turns the potentials of the free compartments into their charges, in a state."""
    numbers = named(structure, state, parameters)
    size = {m.name: float(numbers[capacitance(m.name)] * numbers[area(m.name)]) for m in structure.membranes}
    return np.array(capacitance_matrix(structure, size), dtype=float)


def _neutrality(equations: ModuleType) -> dict[int, np.ndarray]:
    """Charge of each independent state in the compartment of each algebraic potential, by the potential's index."""
    names = [equations.STATES[i] for i in equations.BASIS]
    found = {}
    for name, weights in equations.NEUTRAL.items():
        row = np.zeros(len(names))
        for s, weight in weights.items():
            row[names.index(s)] = weight
        found[names.index(name)] = row
    return found
