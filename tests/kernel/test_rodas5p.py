"""The time-stepping method, through generated kernels of problems with known solutions."""

import importlib.util
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import sympy as sp

from simulator.kernel.compiler import compiled
from simulator.kernel.generate import KernelSource
from simulator.kernel.native import Function
from simulator.kernel.workspace import IDLE, Task, workspace
from simulator.physics.constants import FARADAY

#: Manufactured problem with time as a state: y' = g'(t) - (y^2 - g(t)^2) has the solution y = g(t) = 1 + e^-t.
Y, T = sp.symbols("n_y n_t", positive=True)
G = 1 + sp.exp(-T)


#: No run to hand out: the kernel does its step, and that is all.
NOTHING = Task(
    start=np.empty((0, 6)),
    events=np.empty((0, 0, 5)),
    times=np.empty(0),
    saved=np.empty((0, 0, 2)),
    outcome=np.empty((0, 6)),
    measures=np.empty((0, 6)),
    measured=np.empty((0, 0)),
    queue=np.array([0, 0, 1]),
    rtol=1.0,
    max_steps=1,
)


class Manufactured:
    """Equations of the manufactured problem, as the kernel writer expects them."""

    structure = SimpleNamespace(
        states=("n_y", "n_t"),
        states_of={"amount": ("n_y", "n_t"), "volume": ()},
        parameters=("one",),
        drives=(),
        measures=(),
        faraday=FARADAY,
        membranes=(SimpleNamespace(name="manufactured"),),
    )
    differential = (True, True)
    dependent: ClassVar[dict] = {}
    definitions: ClassVar[dict] = {}

    flows: ClassVar[dict] = {"n_y": {"y": 1}, "n_t": {"t": 1}}
    rates: ClassVar[dict] = {"y": sp.diff(G, T) - (Y**2 - G**2), "t": sp.Symbol("one", positive=True)}

    def flow_size(self, state):
        return sp.Integer(1)

    def in_order(self, symbols):
        return sorted(symbols, key=str)

    membrane_of: ClassVar[dict] = {"y": "", "t": ""}

    def slopes(self, name):
        return {name: sp.Integer(1)} if name in self.structure.states else {}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    path = tmp_path_factory.mktemp("kernel") / "manufactured.py"
    path.write_text(KernelSource(Manufactured()).kernel())
    spec = importlib.util.spec_from_file_location("manufactured_kernel", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["manufactured_kernel"] = module
    spec.loader.exec_module(module)
    module.advance = Function(compiled(module.advance, (np.empty(0), NOTHING, 1)))
    return module


def fixed_steps(kernel, steps: int, end: float) -> tuple[float, float]:
    """Error at the end, and largest error of the dense output in the middle of the steps."""
    rows, lanes = kernel.ROWS, kernel.LANES
    work = workspace(kernel.SIZE, lanes)
    work[rows.accepted * lanes : (rows.accepted + 1) * lanes] = 0.0
    work[(rows.state + 0) * lanes] = 2.0
    work[(rows.state + 1) * lanes] = 0.0
    h = end / steps
    work[rows.step * lanes] = h
    # No lane at work: the step is attempted, and nobody chooses the next one.
    work[rows.phase * lanes : (rows.phase + 1) * lanes] = IDLE
    inside = 0.0
    for step in range(steps):
        kernel.advance(work, NOTHING, 1)
        old, new = work[rows.state * lanes], work[rows.new * lanes]
        b, c, d = (work[(rows.dense + 2 * m) * lanes] for m in range(3))
        middle = 0.5 * old + 0.5 * (new + 0.5 * (b + 0.5 * (c + 0.5 * d)))
        inside = max(inside, abs(middle - (1 + np.exp(-(step + 0.5) * h))))
        work[rows.accepted * lanes] = 1.0
    return abs(work[rows.new * lanes] - (1 + np.exp(-end))), inside


def test_observed_order_on_a_manufactured_problem_is_five(kernel):
    steps = np.array([48, 64, 96, 128])
    errors = np.array([fixed_steps(kernel, n, 2.0)[0] for n in steps])
    orders = -np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert orders[-1] == pytest.approx(5.0, abs=0.1)
    assert orders[-2] == pytest.approx(5.0, abs=0.1)


def test_dense_output_converges_at_least_with_order_four(kernel):
    errors = np.array([fixed_steps(kernel, n, 2.0)[1] for n in (8, 16, 32, 64)])
    assert np.all(np.log2(errors[:-1] / errors[1:]) > 3.9)
