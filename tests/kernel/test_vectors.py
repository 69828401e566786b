"""Translation of straight-line functions to vector code: the same numbers as Python's, lane by lane."""

import importlib.util

import numpy as np
import pytest

from simulator.kernel.workspace import workspace

LANES = 16

HEADER = """
import numba as nb
import numpy as np
from simulator.kernel.vectormath import choose, exp, fma, larger, log, smaller
from simulator.kernel.vectors import over_rows
from simulator.physics.special import bern_slope, bern_value

NUMBERS = (2.0, 3.0)
"""

#: Statements and what Python makes of them; x and y are a row each.
CASES = {
    "sums": ("z = x + y - 2.0 * x / y", lambda x, y: x + y - 2.0 * x / y),
    "signs": ("z = -x * -y", lambda x, y: x * y),
    "constants": ("z = (3.0 - 1.0) * x + 2.0 ** 3.0", lambda x, y: 2.0 * x + 8.0),
    "fused": ("z = fma(x, y, -x)", lambda x, y: x * y - x),
    "chosen": ("z = choose(x - y, x, y)", np.maximum),
    "conditional": ("z = 1.0 if x < y else 0.0", lambda x, y: (x < y) * 1.0),
    "several": ("a, b = NUMBERS\n    z = a * x + b * y", lambda x, y: 2.0 * x + 3.0 * y),
    "larger": ("z = larger(x, y) - smaller(x, y)", lambda x, y: np.abs(x - y)),
    "sizes": ("z = abs(x - y)", lambda x, y: np.abs(x - y)),
    "exponential": ("z = exp(x) * y", lambda x, y: np.exp(x) * y),
    "logarithm": ("z = log(y)", lambda x, y: np.log(y)),
    "logarithm of a constant": ("z = x * log(7.0)", lambda x, y: x * np.log(7.0)),
    "ghk": ("z = bern_value(x, exp(x))", lambda x, y: x / np.expm1(x)),
    "reassigned": ("z = x\n    z = z * z\n    z = z + y", lambda x, y: x * x + y),
}


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    lines = [HEADER]
    for i, (statements, _) in enumerate(CASES.values()):
        lines += [f"@over_rows({LANES}, 8, {LANES})", f"def f{i}(work):", "    x = work[0]", "    y = work[1]"]
        lines += [f"    {statements}", "    work[2] = z", "", "@nb.njit", f"def call{i}(work):", f"    f{i}(work)", ""]
    path = tmp_path_factory.mktemp("vectors") / "translated.py"
    path.write_text("\n".join(lines))
    spec = importlib.util.spec_from_file_location("translated", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("case", CASES)
def test_vector_code_computes_what_python_does(module, case):
    random = np.random.default_rng(3)
    work = workspace(3, LANES)
    rows = work.reshape(3, LANES)
    rows[0], rows[1] = random.uniform(-3.0, 3.0, LANES), random.uniform(0.1, 3.0, LANES)
    number = list(CASES).index(case)
    getattr(module, f"call{number}")(work)
    assert rows[2] == pytest.approx(CASES[case][1](rows[0], rows[1]), rel=1e-14, abs=1e-15)


def test_what_is_not_a_number_spoils_its_own_lane_only(module):
    work = workspace(3, LANES)
    rows = work.reshape(3, LANES)
    rows[0, 5] = np.nan
    module.call0(work)
    assert np.isnan(rows[2, 5])
    assert np.all(np.isfinite(np.delete(rows[2], 5)))
