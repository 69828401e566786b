"""Microseconds per trajectory of the benchmark cell beside its error, for ionflux and its peers.

The cell is ``configs/benchmark_cell.yaml``: 1e5 s, 101 saved points. Every program integrates the same
equations with a compiled right-hand side, from arrays that are ready, one trajectory after the other on
one core; each is timed in turn, round after round, and its median is quoted. The error is the largest
over all saved points and states against SciPy's Radau at rtol 1e-11, scaled by 50 mV, 10, 100 and 10 mM.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.config import load_scenario
from simulator.constants import FARADAY
from simulator.save_times import save_times
from simulator.kernel import load_program
from simulator.model import Model

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "benchmark_cell.yaml"
ROUNDS = 15
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)


@dataclass(frozen=True)
class Row:
    """One program at one tolerance."""

    program: str
    rtol: float
    microseconds: float
    error: float


class Cell:
    """The benchmark cell as arrays, and as a plain right-hand side for the peers."""

    def __init__(self) -> None:
        self.model = Model.of(load_scenario(CONFIG))
        self.state = self.model.initial_state()
        self.parameters = self.model.parameters()
        self.scales = self.model.scales()
        self.times = save_times(self.model.scenario.run)
        p = dict(zip(self.model.structure.parameters, self.parameters, strict=True))
        # Peers integrate the same states: amounts of Na, K, Cl and the charge. Order of the vector below.
        self.numbers = np.array(
            [
                p["rt_over_f"],
                p["w_cell"],
                p["area_plasma"],
                p["capacitance_plasma"],
                *(p[f"c_bath_{s}"] for s in ("na", "k", "cl")),
                *(p[f"p_plasma_{s}_leak_permeability"] for s in ("na", "k", "cl")),
                *(p[f"p_plasma_pump_{name}"] for name in ("max_rate", "k_na", "k_k")),
                FARADAY,
            ]
        )
        w, c = p["w_cell"], p["area_plasma"] * p["capacitance_plasma"]
        self.size = np.array([10 * w, 100 * w, 10 * w, 0.05 * c])
        self.trace = np.array([1e-4 * w, 1e-4 * w, 1e-4 * w, c * p["rt_over_f"]])

    def error(self, states: np.ndarray) -> float:
        """Largest scaled error of saved states, shape (101, 4)."""
        return float(np.max(np.abs(states - self.reference) / self.size))

    @property
    def reference(self) -> np.ndarray:
        """Tight reference solution, computed once."""
        if not hasattr(self, "_reference"):
            from scipy.integrate import solve_ivp

            found = solve_ivp(
                lambda t, y: right_hand_side(y, self.numbers),
                (0.0, float(self.times[-1])),
                self.state,
                method="Radau",
                t_eval=self.times,
                rtol=1e-11,
                atol=1e-11 * self.trace,
            )
            self._reference = found.y.T
        return self._reference


def right_hand_side(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The benchmark cell written out by hand, independently of the product."""
    thermal, w, area, capacitance = p[0], p[1], p[2], p[3]
    na, k, cl = y[0] / w, y[1] / w, y[2] / w
    u = y[3] / (capacitance * area) / thermal
    e = np.exp(u)
    b = u / (e - 1.0) if abs(u) > 1e-6 else 1.0 - 0.5 * u
    pump = p[10] * (na / (na + p[11])) ** 3 * (p[5] / (p[5] + p[12])) ** 2
    d_na = area * (p[7] * b * (p[4] - na * e) - 3.0 * pump)
    d_k = area * (p[8] * b * (p[5] - k * e) + 2.0 * pump)
    d_cl = area * (p[9] * b * (p[6] * e - cl))
    return np.array([d_na, d_k, d_cl, p[13] * (d_na + d_k - d_cl)])


def ionflux(cell: Cell, rtol: float) -> Callable[[], np.ndarray]:
    """One run alone in a warm process."""
    program = load_program(cell.model.structure)
    state, parameters, scale = cell.state[None], cell.parameters[None], cell.scales[None]
    end = np.array([cell.times[-1]])

    def call() -> np.ndarray:
        return program.integrate(state, parameters, scale, end, cell.times, rtol=rtol).saved[0]

    return call


def ionflux_batch(cell: Cell, rtol: float, runs: int = 4000) -> Callable[[], np.ndarray]:
    """The same run many times in one batch; to be divided by `runs`."""
    program = load_program(cell.model.structure)
    state, parameters, scale = (np.repeat(a[None], runs, 0) for a in (cell.state, cell.parameters, cell.scales))
    end = np.full(runs, cell.times[-1])

    def call() -> np.ndarray:
        return program.integrate(state, parameters, scale, end, cell.times, rtol=rtol).saved[0]

    return call


def scipy_lsoda(cell: Cell, rtol: float) -> Callable[[], np.ndarray]:
    """SciPy's LSODA with a numba-compiled right-hand side."""
    import numba as nb
    from scipy.integrate import solve_ivp

    compiled = nb.njit(right_hand_side)
    compiled(cell.state, cell.numbers)
    numbers = cell.numbers

    def call() -> np.ndarray:
        return solve_ivp(
            lambda t, y: compiled(y, numbers),
            (0.0, float(cell.times[-1])),
            cell.state,
            method="LSODA",
            t_eval=cell.times,
            rtol=rtol,
            atol=rtol * cell.trace,
        ).y.T

    return call


def numbalsoda(cell: Cell, rtol: float) -> Callable[[], np.ndarray]:
    """numbalsoda's LSODA: everything compiled."""
    import numba as nb
    from numbalsoda import lsoda, lsoda_sig

    n = len(cell.numbers)

    # numbalsoda takes one absolute tolerance for all states, so they are scaled to size one.
    size = cell.size
    numbers = np.concatenate([cell.numbers, size])
    hand = nb.njit(right_hand_side)

    @nb.cfunc(lsoda_sig)
    def rhs(t, y, dy, p):  # type: ignore[no-untyped-def]
        scaled = nb.carray(y, (4,))
        numbers = nb.carray(p, (n + 4,))
        size = numbers[n:]
        found = hand(scaled * size, numbers)
        for i in range(4):
            dy[i] = found[i] / size[i]

    address = rhs.address
    start = cell.state / size

    def call() -> np.ndarray:
        return lsoda(address, start, cell.times, data=numbers, rtol=rtol, atol=rtol * 1e-3)[0] * size

    return call


PROGRAMS: dict[str, Callable[[Cell, float], Callable[[], np.ndarray]]] = {
    "ionflux, alone": ionflux,
    "ionflux, in a batch of 4000": ionflux_batch,
    "numbalsoda LSODA": numbalsoda,
    "SciPy LSODA, numba right-hand side": scipy_lsoda,
}


def rows(tolerances: tuple[float, ...] = TOLERANCES) -> Iterator[Row]:
    """Measure every program that is installed at every tolerance."""
    cell = Cell()
    for rtol in tolerances:
        calls: dict[str, Callable[[], np.ndarray]] = {}
        for name, make in PROGRAMS.items():
            try:
                calls[name] = make(cell, rtol)
            except ImportError as missing:
                print(f"{name}: not installed ({missing})")
        times: dict[str, list[float]] = {name: [] for name in calls}
        errors = {name: cell.error(call()) for name, call in calls.items()}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                begun = time.perf_counter()
                call()
                elapsed = time.perf_counter() - begun
                times[name].append(elapsed / (4000 if "batch" in name else 1))
        for name in calls:
            yield Row(name, rtol, 1e6 * statistics.median(times[name]), errors[name])
