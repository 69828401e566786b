"""Microseconds per trajectory of the benchmark cell beside its error, for ionflux and its peers.

The cell is ``configs/benchmark_cell.yaml``: 1e5 s, 101 saved points. Every program integrates the same
equations with a compiled right-hand side, from arrays that are ready, one trajectory after the other on
one core; each is timed in turn, round after round, and its median is quoted. The error is the largest
over all saved points and states against SciPy's Radau at rtol 1e-11, scaled by 50 mV, 10, 100 and 10 mM.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from simulator.kernel import load_arrays, load_program
from simulator.kernel.inputs import initial_states
from simulator.model.model import Model
from simulator.physics.constants import FARADAY
from simulator.scenario.save_times import save_times
from simulator.scenario.yaml.reader import load_scenario

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "benchmark_cell.yaml"
TEN_STATES = Path(__file__).resolve().parent / "ten_states.yaml"
ROUNDS, BATCH = 7, 4000
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)

#: Multiples of each tolerance at which a batch is measured too, to meet the peers at their own errors.
BETWEEN = (2.0, 4.0)


@dataclass(frozen=True)
class Row:
    """One program at one tolerance."""

    program: str
    rtol: float
    microseconds: float
    error: float


class Cell:
    """A cell as arrays, and as a compiled right-hand side for the peers: ``rates(states, numbers)``."""

    def __init__(self, config: Path = CONFIG) -> None:
        self.config = config
        self.model = Model.of(load_scenario(config))
        self.state = initial_states(self.model)
        self.parameters = self.model.parameters()
        self.scales = self.model.scales()
        self.times = save_times(self.model.scenario.run)
        self.program = load_program(self.model.structure)
        p = dict(zip(self.model.structure.parameters, self.parameters, strict=True))
        self.by_hand = config == CONFIG
        self.numbers = hand_numbers(p) if self.by_hand else self.parameters
        # 10 or 100 mM, 50 mV and the volume are the sizes that errors are relative to.
        self.size = np.maximum(np.abs(self.state), 1e4 * self.scales)
        if self.by_hand:
            w, c = p["w_cell"], p["area_plasma"] * p["capacitance_plasma"]
            self.size = np.array([10 * w, 100 * w, 10 * w, 0.05 * c])
        self.trace = self.scales

    @cached_property
    def rates(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """The right-hand side, compiled: written by hand for the benchmark cell, else the product's own."""
        import numba as nb

        return nb.njit(right_hand_side if self.by_hand else self._derivative())

    def _derivative(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        arrays = load_arrays(self.model.structure)
        names = list(arrays.STATES)
        inputs = [f"y[{i}]" for i in range(len(names))] + [f"p[{i}]" for i in range(len(self.parameters))]
        basis = [names[i] for i in arrays.BASIS]
        lines = [f"def rates(y, p):\n    {', '.join(basis)}, = derivative({', '.join(inputs)})"]
        for name, row in arrays.DEPENDENT.items():
            lines.append(f"    {name} = " + " + ".join(f"{weight!r} * {s}" for s, weight in row.items()))
        space = {"derivative": self.program.module.derivative, "np": np}
        exec("\n".join([*lines, f"    return np.array([{', '.join(names)}])"]), space)
        return space["rates"]

    def error(self, states: np.ndarray) -> float:
        """Largest scaled error of saved states, shape (101, states)."""
        return float(np.max(np.abs(states - self.reference) / self.size))

    @cached_property
    def reference(self) -> np.ndarray:
        """Tight reference solution."""
        from scipy.integrate import solve_ivp

        found = solve_ivp(
            lambda t, y: self.rates(y * self.size, self.numbers) / self.size,
            (0.0, float(self.times[-1])),
            self.state / self.size,
            method="Radau",
            t_eval=self.times,
            rtol=1e-11,
            atol=1e-14,
        )
        return found.y.T * self.size


def hand_numbers(p: dict[str, float]) -> np.ndarray:
    """What :func:`right_hand_side` takes."""
    return np.array(
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
    return ionflux_batch(cell, rtol, 1)


def ionflux_batch(cell: Cell, rtol: float, runs: int = BATCH) -> Callable[[], np.ndarray]:
    """The same run many times in one batch; to be divided by `runs`."""
    state, parameters, scale = (np.repeat(a[None], runs, 0) for a in (cell.state, cell.parameters, cell.scales))
    end = np.full(runs, cell.times[-1])

    def call() -> np.ndarray:
        return cell.program.integrate(state, parameters, scale, end, cell.times, rtol=rtol).saved[0]

    return call


def scipy_lsoda(cell: Cell, rtol: float) -> Callable[[], np.ndarray]:
    """SciPy's LSODA with a numba-compiled right-hand side."""
    from scipy.integrate import solve_ivp

    rates, numbers = cell.rates, cell.numbers
    rates(cell.state, numbers)

    def call() -> np.ndarray:
        return solve_ivp(
            lambda t, y: rates(y, numbers),
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

    # numbalsoda takes one absolute tolerance for all states, so they are scaled to size one.
    n, states, size, rates = len(cell.numbers), len(cell.state), cell.size, cell.rates
    numbers = np.concatenate([cell.numbers, size])

    @nb.cfunc(lsoda_sig)
    def rhs(t, y, dy, p):  # type: ignore[no-untyped-def]
        numbers = nb.carray(p, (n + states,))
        size = numbers[n:]
        found = rates(nb.carray(y, (states,)) * size, numbers)
        for i in range(states):
            dy[i] = found[i] / size[i]

    address, start = rhs.address, cell.state / size

    def call() -> np.ndarray:
        return lsoda(address, start, cell.times, data=numbers, rtol=rtol, atol=rtol * 1e-3)[0] * size

    return call


MYOKIT = """[[model]]
c.na = 15
c.k = 140
c.cl = 10
c.v = -60
[c]
t = 0 bind time
u = v / 1000 / {thermal!r}
e = exp(u)
b = u / (e - 1)
pump = {j!r} * (na / (na + {k_na!r}))^3 * ({k_o!r} / ({k_o!r} + {k_k!r}))^2
f_na = {p_na!r} * b * ({na_o!r} - na * e) - 3 * pump
f_k = {p_k!r} * b * ({k_o!r} - k * e) + 2 * pump
f_cl = {p_cl!r} * b * ({cl_o!r} * e - cl)
dot(na) = {ratio!r} * f_na
dot(k) = {ratio!r} * f_k
dot(cl) = {ratio!r} * f_cl
dot(v) = {per_charge!r} * (f_na + f_k - f_cl)
"""


def myokit(cell: Cell, rtol: float) -> Callable[[], np.ndarray]:
    """Myokit: CVODES with generated C."""
    import myokit as library

    if not cell.by_hand:
        raise ImportError("written down for the benchmark cell only")
    names = ["thermal", "w", "area", "c", "na_o", "k_o", "cl_o", "p_na", "p_k", "p_cl", "j", "k_na", "k_k", "faraday"]
    p = dict(zip(names, map(float, cell.numbers), strict=True))
    text = MYOKIT.format(ratio=p["area"] / p["w"], per_charge=1e3 * p["faraday"] / p["c"], **p)
    simulation = library.Simulation(library.parse(text)[0])
    simulation.set_tolerance(abs_tol=rtol * 1e-2, rel_tol=rtol)
    duration, times = float(cell.times[-1]), cell.times.copy()
    times[-1] *= 1.0 - 1e-12  # the end itself is not logged
    w, capacitance = p["w"], p["area"] * p["c"]

    def call() -> np.ndarray:
        simulation.reset()
        log = simulation.run(duration, log=["c.na", "c.k", "c.cl", "c.v"], log_times=times)
        return np.stack([np.array(log[f"c.{s}"]) for s in ("na", "k", "cl", "v")], axis=1) * [
            w, w, w, 1e-3 * capacitance,
        ]  # fmt: skip

    return call


PROGRAMS: dict[str, Callable[[Cell, float], Callable[[], np.ndarray]]] = {
    "ionflux, alone": ionflux,
    "ionflux, in a batch": ionflux_batch,
    "numbalsoda LSODA": numbalsoda,
    "Myokit (CVODES)": myokit,
    "SciPy LSODA, numba right-hand side": scipy_lsoda,
}


def rows(config: Path = CONFIG, tolerances: tuple[float, ...] = TOLERANCES, rounds: int = ROUNDS) -> Iterator[Row]:
    """Measure every program that is installed at every tolerance."""
    cell = Cell(config)
    for rtol in tolerances:
        calls: dict[tuple[str, float], Callable[[], np.ndarray]] = {}
        for name, make in PROGRAMS.items():
            for multiple in (1.0, *BETWEEN) if make is ionflux_batch else (1.0,):
                try:
                    call = make(cell, multiple * rtol)
                    call()
                except Exception as missing:  # a peer that is not there, or cannot be built here
                    first = (str(missing).splitlines() or [""])[0]
                    print(f"{name}: left out ({type(missing).__name__}: {first})", file=sys.stderr)
                else:
                    calls[name, multiple * rtol] = call
        times: dict[tuple[str, float], list[float]] = {key: [] for key in calls}
        for _ in range(rounds):
            for key, call in calls.items():
                begun = time.perf_counter()
                call()
                times[key].append((time.perf_counter() - begun) / (BATCH if PROGRAMS[key[0]] is ionflux_batch else 1))
        for key, call in calls.items():
            yield Row(*key, 1e6 * statistics.median(times[key]), cell.error(call()))


def speedups(found: Sequence[Row]) -> Iterator[tuple[str, float, float, float]]:
    """Peer, its rtol and error, and how many times faster the fastest batch is that errs no more."""
    ours = [row for row in found if row.program == "ionflux, in a batch"]
    for row in found:
        better = [mine.microseconds for mine in ours if mine.error <= row.error]
        if not row.program.startswith("ionflux") and better:
            yield row.program, row.rtol, row.error, row.microseconds / min(better)
