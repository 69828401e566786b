"""The time-stepping method, through generated kernels of problems with known solutions."""

import importlib.util
import sys
from functools import cached_property
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import sympy as sp

from simulator.kernel.generate import KernelSource
from simulator.kernel.workspace import IDLE, LANES, Task
from simulator.physics.constants import FARADAY

#: Manufactured problem with time as a state: y' = g'(t) - (y^2 - g(t)^2) has the solution y = g(t) = 1 + e^-t.
Y, T = sp.symbols("n_y n_t", positive=True)
G = 1 + sp.exp(-T)


#: No run to hand out: the kernel does its step, and that is all.
NOTHING = Task(
    start=np.empty((0, 6)),
    events=np.empty((0, 0, 2)),
    times=np.empty(0),
    saved=np.empty((0, 0, 2)),
    outcome=np.empty((0, 6)),
    queue=np.zeros(2, dtype=np.int64),
    rtol=1.0,
    max_steps=1,
)


class Manufactured:
    """Equations of the manufactured problem, as the kernel writer expects them."""

    structure = SimpleNamespace(
        states=("n_y", "n_t"),
        states_of={"amount": ("n_y", "n_t"), "volume": ()},
        parameters=("one",),
        faraday=FARADAY,
        membranes=(SimpleNamespace(name="manufactured"),),
    )
    differential = (True, True)
    dependent: ClassVar[dict] = {}
    definitions: ClassVar[dict] = {}

    @cached_property
    def derivative(self):
        return {"n_y": sp.diff(G, T) - (Y**2 - G**2), "n_t": sp.Symbol("one", positive=True)}

    def slope(self, expression, state):
        return sp.diff(expression, sp.Symbol(state, positive=True))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    path = tmp_path_factory.mktemp("kernel") / "manufactured.py"
    path.write_text(KernelSource(Manufactured()).kernel())
    spec = importlib.util.spec_from_file_location("manufactured_kernel", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["manufactured_kernel"] = module
    spec.loader.exec_module(module)
    return module


def fixed_steps(kernel, steps: int, end: float) -> tuple[float, float]:
    """Error at the end, and largest error of the dense output in the middle of the steps."""
    rows = kernel.ROWS
    work = np.ones(rows.end * LANES)
    work[rows.accepted * LANES : (rows.accepted + 1) * LANES] = 0.0
    work[(rows.state + 0) * LANES] = 2.0
    work[(rows.state + 1) * LANES] = 0.0
    h = end / steps
    work[rows.step * LANES] = h
    # No lane at work: the step is attempted, and nobody chooses the next one.
    work[rows.phase * LANES : (rows.phase + 1) * LANES] = IDLE
    inside = 0.0
    for step in range(steps):
        kernel.advance(work, NOTHING, 1)
        old, new = work[rows.state * LANES], work[rows.new * LANES]
        c, d = work[rows.dense_c * LANES], work[rows.dense_d * LANES]
        middle = 0.5 * old + 0.5 * (new + 0.5 * (c + 0.5 * d))
        inside = max(inside, abs(middle - (1 + np.exp(-(step + 0.5) * h))))
        work[rows.accepted * LANES] = 1.0
    return abs(work[rows.new * LANES] - (1 + np.exp(-end))), inside


def test_observed_order_on_a_manufactured_problem_is_four(kernel):
    errors = np.array([fixed_steps(kernel, n, 2.0)[0] for n in (16, 32, 64, 128, 256)])
    orders = np.log2(errors[:-1] / errors[1:])
    assert orders[-1] == pytest.approx(4.0, abs=0.1)
    assert orders[-2] == pytest.approx(4.0, abs=0.1)


def test_dense_output_converges_at_least_with_order_three(kernel):
    errors = np.array([fixed_steps(kernel, n, 2.0)[1] for n in (16, 32, 64, 128)])
    assert np.all(np.log2(errors[:-1] / errors[1:]) > 2.9)
