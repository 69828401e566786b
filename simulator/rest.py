"""Distance to rest: Newton steps and eigenvalues among states with the same conserved totals.

The Jacobian is that of the independent states only (the dependent ones follow along), so a conserved
total cannot make it singular, and no step or eigenvalue speaks of what cannot change.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

#: Largest scaled distance to a rest point at which a state counts as at rest.
REST = 1.0e-6

#: Newton steps that may polish a rest point, and the size of the last that tells it has been found.
POLISHING = 12
POLISHED = 1.0e-11

#: Relative size of what rounding leaves of a rate or a slope that is zero.
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


def newton_step(
    equations: ModuleType, state: np.ndarray, parameters: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton step of all states towards rest at constant totals, and the Jacobian of the independent ones.

    Infinite where nothing restores, NaN where a rate is not a number.
    """
    rate, jacobian = linearised(equations, state, parameters)
    basis = list(equations.BASIS)
    conditions = jacobian.copy()
    # Where no species flows there is no current either, so the condition that gave the potential says nothing
    # new at rest; what it hid is that the charge inside stays as it is.
    for name, row in _neutrality(equations).items():
        rate[name], conditions[name] = 0.0, row
    moving = np.flatnonzero((rate != 0.0) | np.any(jacobian != 0.0, axis=1))
    scale = size[basis][moving]
    scaled = conditions[np.ix_(moving, moving)] * scale
    step = np.zeros(len(basis))
    if not (np.all(np.isfinite(scaled)) and np.all(np.isfinite(rate))):
        step[:] = np.nan
    elif len(moving):
        # Rows differ by the ratio of milliseconds to hours; each is brought to size one before solving.
        rows = np.maximum(np.abs(scaled).max(axis=1), 1e-300)
        scaled, target = scaled / rows[:, None], -rate[moving] / rows
        solution, _, rank, _ = np.linalg.lstsq(scaled, target, rcond=ROUNDING)
        missing = np.abs(scaled @ solution - target)
        # A direction in which nothing restores cannot be repaired by any step: drifting on, not at rest.
        step[moving] = solution * scale if rank == len(moving) or missing.max() < 10.0 * ROUNDING else np.inf
    full = np.zeros(len(state))
    full[basis] = step
    for name, combination in equations.DEPENDENT.items():
        full[equations.STATES.index(name)] = sum(
            weight * full[equations.STATES.index(s)] for s, weight in combination.items()
        )
    return full, jacobian


def linearised(equations: ModuleType, state: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates of change of the independent states, shape (n,), and their Jacobian, shape (n, n)."""
    n = len(equations.BASIS)
    with np.errstate(all="ignore"):
        rate = np.array([float(v) for v in equations.derivative(state, parameters).values()])
        jacobian = np.zeros((n, n))
        for place, value in equations.jacobian(state, parameters).items():
            i, j = map(int, place.split(","))
            jacobian[i, j] = value
    return rate, jacobian


def eigenvalues(equations: ModuleType, jacobian: np.ndarray) -> np.ndarray:
    """Eigenvalues [1/s] among states with the same totals, slowest first; isolated states left out.

    Algebraic potentials are eliminated, and so are the directions that neutrality forbids.
    """
    if not jacobian.size or not np.all(np.isfinite(jacobian)):
        return np.empty(0, dtype=complex)
    moving = np.any(jacobian != 0.0, axis=1)
    differential = np.array(equations.DIFFERENTIAL, dtype=bool)
    slow, fast = np.flatnonzero(differential & moving), np.flatnonzero(~differential & moving)
    reduced = jacobian[np.ix_(slow, slow)]
    if len(fast):
        inner = np.linalg.lstsq(jacobian[np.ix_(fast, fast)], jacobian[np.ix_(fast, slow)], rcond=None)[0]
        reduced = reduced - jacobian[np.ix_(slow, fast)] @ inner
        charge = np.array([row[slow] for place, row in _neutrality(equations).items() if moving[place]])
        allowed = np.linalg.svd(charge)[2][np.linalg.matrix_rank(charge) :].T
        reduced = allowed.T @ reduced @ allowed
    values = np.linalg.eigvals(reduced).astype(complex)
    return np.asarray(values[np.argsort(np.abs(values))])


def _neutrality(equations: ModuleType) -> dict[int, np.ndarray]:
    """For each algebraic potential, by place, the charge that each independent state brings to its compartment."""
    names = [equations.STATES[i] for i in equations.BASIS]
    found = {}
    for name, weights in equations.NEUTRAL.items():
        row = np.zeros(len(names))
        for s, weight in weights.items():
            row[names.index(s)] = weight
        found[names.index(name)] = row
    return found
