"""Distance to rest: Newton steps and eigenvalues among states with the same conserved totals.

The Jacobian is that of the independent states only (the dependent ones follow from them), so a conserved
total neither makes it singular nor adds a step or an eigenvalue.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from simulator.kernel import load_arrays
from simulator.model.names import area, capacitance
from simulator.model.structure import Structure, capacitance_matrix
from simulator.trajectory.arrangement import named

#: Largest scaled distance to a rest point at which a state counts as at rest.
REST = 1.0e-6

#: Most Newton steps that polish a rest point, and scaled length of a step at convergence.
POLISHING = 12
POLISHED = 1.0e-11

#: Rounding could decide about values within this factor of a limit, either way.
DOUBT = 10.0

#: Pivots below this may indicate a neutral direction.
HARDLY_RESTORING = 1.0e-10

#: Relative rounding error of a rate or a slope that is zero.
ROUNDING = 1.0e-15


def approach(
    equations: ModuleType, state: np.ndarray, parameters: np.ndarray, size: np.ndarray, polish: bool = True
) -> tuple[float, np.ndarray, np.ndarray]:
    """Distance to the nearest rest point, that point, and the Jacobian there (independent states)."""
    point = state.copy()
    distance = np.inf
    jacobian = np.empty((0, 0))
    for attempt in range(POLISHING if polish else 1):
        step, jacobian = newton_step(equations, point, parameters, size)
        length = float(np.max(np.abs(step) / size, initial=0.0))
        if attempt == 0:
            distance = length if np.isfinite(length) else np.inf
        if not distance < REST or not np.isfinite(length):
            return distance, state, jacobian
        point = point + step
        if length < POLISHED:
            break
    return distance, point, jacobian


def at_rest(equations: ModuleType, states: np.ndarray, parameters: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether each of many states is at rest; arrays of shape (n, states), (n, parameters), (n, states)."""
    distance, _ = newton_distances(equations, states, parameters, sizes)
    found = distance < REST
    for i in np.flatnonzero(~clear(distance, REST)):
        found[i] = approach(equations, states[i], parameters[i], sizes[i], polish=False)[0] < REST
    return found


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


def clear(values: np.ndarray, limit: float | np.ndarray) -> np.ndarray:
    """Which values are so far from a limit that rounding cannot decide."""
    return (values < limit / DOUBT) | (values > limit * DOUBT)


def newton_distances(
    equations: ModuleType, states: np.ndarray, parameters: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled Newton distance to rest of many states, shape (n,), and the Newton steps, shape (n, states).

    NaN where elimination is not reliable: a value is not finite, or a direction is nearly neutral.
    """
    rate, conditions, jacobian = _conditions(equations, states, parameters)
    basis = list(equations.BASIS)
    moving = (rate != 0.0) | np.any(jacobian != 0.0, axis=2)
    steps = np.zeros_like(states)
    solvable = np.ones(len(states), dtype=bool)
    # States that cannot change are left out. They differ between the runs of a batch only if a path is closed.
    for pattern in moving[:1] if np.all(moving == moving[:1]) else np.unique(moving, axis=0):
        members = np.flatnonzero(np.all(moving == pattern, axis=1))
        places = np.flatnonzero(pattern)
        scale = sizes[np.ix_(members, np.array(basis)[places])] if len(places) else np.empty((len(members), 0))
        scaled = conditions[np.ix_(members, places, places)] * scale[:, None, :]
        solution, fine = eliminated(scaled, -rate[np.ix_(members, places)])
        steps[np.ix_(members, np.array(basis, dtype=int)[places])] = solution * scale
        solvable[members] = fine
    let_follow(equations, steps)
    with np.errstate(invalid="ignore"):
        distance = np.max(np.abs(steps) / sizes, axis=1, initial=0.0)
    return np.where(solvable, distance, np.nan), steps


def eliminated(matrix: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve many small linear systems; return the solutions and which of them are reliable.

    Parameters
    ----------
    matrix : ndarray, shape (n, k, k)
        The matrices.
    right : ndarray, shape (n, k)
        Their right-hand sides.
    """
    with np.errstate(all="ignore"):
        rows = np.maximum(np.abs(matrix).max(axis=2, initial=0.0), 1e-300)
        work = np.concatenate([matrix, right[:, :, None]], axis=2) / rows[:, :, None]
        everyone, k = np.arange(len(work)), matrix.shape[1]
        smallest = np.ones(len(work))
        for i in range(k):
            best = i + np.argmax(np.abs(work[:, i:, i]), axis=1)
            work[everyone, i], work[everyone, best] = work[everyone, best], work[everyone, i].copy()
            pivot = work[:, i, i]
            smallest = np.minimum(smallest, np.abs(pivot))
            for j in range(i + 1, k):
                work[:, j, i:] -= (work[:, j, i] / pivot)[:, None] * work[:, i, i:]
        for i in reversed(range(k)):
            known = np.sum(work[:, i, i + 1 : k] * work[:, i + 1 :, k], axis=1)
            work[:, i, k] = (work[:, i, k] - known) / work[:, i, i]
        solution = work[:, :, k]
        return solution, (smallest > HARDLY_RESTORING) & np.all(np.isfinite(solution), axis=1)


def newton_step(
    equations: ModuleType, state: np.ndarray, parameters: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton step of all states towards rest at constant totals, and the Jacobian of the independent ones.

    Infinite if there is no step to rest, NaN if a rate or a slope is not finite.
    """
    rate, conditions, jacobian = _conditions(equations, state, parameters)
    basis = list(equations.BASIS)
    moving = (rate != 0.0) | (jacobian != 0.0).any(axis=1)
    scale = size[basis][moving]
    scaled = conditions[moving][:, moving] * scale
    step = np.zeros(len(basis))
    if not (np.isfinite(scaled).all() and np.isfinite(rate).all()):
        step[:] = np.nan
    elif len(scaled):
        # Time scales range from milliseconds to hours, so each row is scaled to size one before solving.
        rows = np.maximum(np.abs(scaled).max(axis=1), 1e-300)
        solution = _solved(scaled / rows[:, None], -rate[moving] / rows)
        step[moving] = np.inf if solution is None else solution * scale
    full = np.zeros(len(state))
    full[basis] = step
    let_follow(equations, full)
    return full, jacobian


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Solution of a linear system whose rows have size one; None if there is none."""
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        pass
    else:
        if np.abs(inverse).max() < 1.0 / HARDLY_RESTORING:
            return np.asarray(inverse @ right)
    solution, _, rank, _ = np.linalg.lstsq(matrix, right, rcond=ROUNDING)
    missing = np.abs(matrix @ solution - right)
    # No Newton step exists along a neutral direction with a nonzero rate: the state drifts.
    return solution if rank == len(matrix) or missing.max() < 10.0 * ROUNDING else None


def _conditions(
    equations: ModuleType, states: np.ndarray, parameters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals that vanish at rest, their derivatives, the Jacobian: shapes (..., k), (..., k, k), (..., k, k)."""
    rate, jacobian = linearised(equations, states, parameters)
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
    for name, combination in equations.DEPENDENT.items():
        steps[..., equations.STATES.index(name)] = sum(
            weight * steps[..., equations.STATES.index(s)] for s, weight in combination.items()
        )


def linearised(equations: ModuleType, state: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates of change of the independent states, shape (..., k), and their Jacobian, shape (..., k, k)."""
    n, axes = len(equations.BASIS), state.shape[:-1]
    rate, jacobian = np.zeros((*axes, n)), np.zeros((*axes, n, n))
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
