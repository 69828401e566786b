"""The generated kernel: accuracy, identical bits, honest statuses, no stale code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import CONFIGS, ROOT
from scipy.integrate import solve_ivp

from simulator.kernel import load_arrays, load_program
from simulator.kernel.inputs import initial_states
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.runs.integrate import run
from simulator.scenario.save_times import save_times
from simulator.scenario.yaml.reader import load_scenario


class Cell:
    """The benchmark cell, ready to be integrated."""

    def __init__(self, configs):
        self.model = Model.of(load_scenario(configs / "benchmark_cell.yaml"))
        self.program = load_program(self.model.structure)
        self.times = save_times(self.model.scenario.run)
        self.end = self.times[-1]

    def batch(self, runs: int, spread: float = 2.0, seed: int = 0):
        """State, parameters and scale of a batch whose rates vary by a factor `spread` either way."""
        random = np.random.default_rng(seed)
        parameters = np.repeat(self.model.parameters()[None], runs, 0)
        for j, name in enumerate(self.model.structure.parameters):
            if name.startswith("p_plasma"):
                parameters[:, j] *= spread ** random.uniform(-1, 1, runs)
        state = np.repeat(initial_states(self.model)[None], runs, 0)
        scale = np.repeat(self.model.scales()[None], runs, 0)
        return state, parameters, scale

    def integrate(self, state, parameters, scale, times=None, **options):
        end = np.full(len(state), self.end)
        return self.program.integrate(state, parameters, scale, end, self.times if times is None else times, **options)


@pytest.fixture(scope="module")
def cell(configs):
    return Cell(configs)


@pytest.fixture(scope="module")
def reference(cell):
    """SciPy's Radau at rtol 1e-11, on the array functions that the same equations generate."""
    arrays = load_arrays(cell.model.structure)
    state, parameters, _ = (a[0] for a in cell.batch(1, 1.0))
    basis = list(arrays.BASIS)

    def full(rates):
        out = np.zeros(len(state))
        out[basis] = rates
        for name, combination in arrays.DEPENDENT.items():
            out[arrays.STATES.index(name)] = sum(w * out[arrays.STATES.index(s)] for s, w in combination.items())
        return out

    found = solve_ivp(
        lambda t, y: full([float(v) for v in arrays.derivative(y, parameters).values()]),
        (0.0, cell.end),
        state,
        method="Radau",
        t_eval=cell.times,
        rtol=1e-11,
        atol=1e-12 * np.abs(state),
    )
    return found.y.T


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_benchmark_cell_agrees_with_radau_within_ten_times_the_tolerance(cell, reference, rtol):
    saved = cell.integrate(*cell.batch(1, 1.0), rtol=rtol).saved[0]
    size = np.maximum(np.abs(reference), np.abs(reference).max(axis=0))
    assert np.max(np.abs(saved - reference) / size) < 10 * rtol


def test_a_run_has_the_same_bits_alone_and_in_any_batch(cell):
    state, parameters, scale = cell.batch(40)
    together = cell.integrate(state, parameters, scale)
    for i in (0, 7, 8, 39):
        alone = cell.integrate(state[i : i + 1], parameters[i : i + 1], scale[i : i + 1])
        assert np.array_equal(alone.saved[0], together.saved[i])
        assert alone.attempts[0] == together.attempts[i]


def test_order_of_a_batch_does_not_matter(cell):
    state, parameters, scale = cell.batch(40)
    order = np.random.default_rng(5).permutation(40)
    forward = cell.integrate(state, parameters, scale)
    shuffled = cell.integrate(state[order], parameters[order], scale[order])
    assert np.array_equal(shuffled.saved, forward.saved[order])


def test_saving_does_not_steer_the_steps(cell):
    batch = cell.batch(3)
    dense = cell.integrate(*batch, times=np.linspace(0.0, cell.end, 5000))
    sparse = cell.integrate(*batch, times=np.array([cell.end]))
    assert np.array_equal(dense.final, sparse.final)
    assert np.array_equal(dense.saved[:, -1], sparse.saved[:, -1])
    assert np.array_equal(dense.attempts, sparse.attempts)


def test_too_few_steps_is_a_status_with_the_state_reached(cell):
    result = cell.integrate(*cell.batch(2), max_steps=20)
    assert [Status(s) for s in result.status] == [Status.MAX_STEPS] * 2
    assert np.all((result.time > 0.0) & (result.time < cell.end))
    assert np.all(np.isfinite(result.final))
    assert np.all(np.isnan(result.saved[0, cell.times > result.time[0]]))


def test_a_failing_run_changes_no_bit_of_its_neighbours(cell):
    state, parameters, scale = cell.batch(20)
    healthy = cell.integrate(state, parameters, scale)
    poisoned = parameters.copy()
    # A pump this strong would drag Na below nothing in an instant at constant turnover.
    poisoned[11, cell.model.structure.parameters.index("p_plasma_pump_max_rate")] = np.nan
    result = cell.integrate(state, poisoned, scale)
    others = np.arange(20) != 11
    assert Status(result.status[11]) is Status.NONFINITE
    assert np.all(result.status[others] == 0)
    assert np.array_equal(result.saved[others], healthy.saved[others])


def test_a_pump_that_empties_the_cell_is_reported_with_its_species(configs):
    scenario = load_scenario(
        configs / "published" / "kay_2017.yaml",
        {"membranes.plasma.mechanisms.pump.rate": "1e-2 C/dm^2/s", "membranes.plasma.water": "fixed"},
    )
    trajectory = run(scenario)
    assert trajectory.status == "negative_amount"
    assert trajectory.culprit == "n_cell_na"
    assert 0.0 < trajectory.end_time < scenario.run.duration
    assert trajectory.time[-1] == trajectory.end_time
    assert np.all(trajectory.amount[-1][~np.isnan(trajectory.amount[-1])] >= 0.0)


def test_events_apply_exactly_at_their_time(cell):
    state, parameters, scale = cell.batch(1, 1.0)
    stopped = parameters.copy()
    stopped[:, cell.model.structure.parameters.index("p_plasma_pump_max_rate")] = 0.0
    event = {"event_time": np.array([[5e4]]), "event_parameters": stopped[:, None]}
    whole = cell.integrate(state, parameters, scale, **event)
    plain = cell.integrate(state, parameters, scale)
    before = cell.times <= 5e4
    assert np.max(np.abs(whole.saved[0, before] / plain.saved[0, before] - 1)) < 1e-4
    second = cell.program.integrate(
        whole.saved[:, np.flatnonzero(cell.times == 5e4)[0]],
        stopped,
        scale,
        np.array([5e4]),
        np.array([5e4]),
        rtol=1e-9,
    )
    assert whole.final[0] == pytest.approx(second.final[0], rel=1e-4)


def in_a_copy(tmp_path: Path, code: str, cache: Path) -> str:
    """Run code with a copy of the package, so that its sources can be changed."""
    if not (tmp_path / "simulator").exists():
        shutil.copytree(ROOT / "simulator", tmp_path / "simulator", ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {
        "IONFLUX_CACHE": str(cache),
        "PYTHONPATH": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


FINAL = f"""
from simulator.scenario.yaml.reader import load_scenario
from simulator.runs.integrate import run
t = run(load_scenario({str(CONFIGS / "potassium_only.yaml")!r}))
print(repr(float(t.potential.values[1, 0])))
"""


@pytest.mark.slow
def test_changed_law_or_constant_with_old_file_times_changes_the_next_run(tmp_path):
    cache = tmp_path / "cache"
    before = in_a_copy(tmp_path, FINAL, cache)
    assert in_a_copy(tmp_path, FINAL, cache) == before
    for name, old, new in [
        ("physics/constants.py", "GAS_CONSTANT: Final = 8.314462618", "GAS_CONSTANT: Final = 8.0"),
        ("mechanisms/laws/leak_ghk.py", "return permeability * c_o", "return 2.0 * permeability * c_o"),
    ]:
        path = tmp_path / "simulator" / name
        times = path.stat()
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns - 10**12))
        after = in_a_copy(tmp_path, FINAL, cache)
        assert after != before, name
        before = after


@pytest.mark.slow
def test_a_warm_run_needs_no_linear_algebra_and_leaves_numbas_intact(tmp_path):
    code = (
        FINAL
        + """
import sys
assert not {"sympy", "scipy.linalg", "scipy.integrate", "pint", "matplotlib"} & set(sys.modules)
import numba, numpy
assert numba.njit(lambda a: a @ a)(numpy.eye(2)).trace() == 2.0
"""
    )
    in_a_copy(tmp_path, FINAL, tmp_path / "cache")
    in_a_copy(tmp_path, code, tmp_path / "cache")


@pytest.mark.slow
def test_damaged_cache_is_built_again(tmp_path):
    cache = tmp_path / "cache"
    filters = "from simulator.kernel import load_chunk_filter; load_chunk_filter()\n"
    before = in_a_copy(tmp_path, filters + FINAL, cache)
    damaged = [*cache.glob("*/__pycache__/*.nbi"), *cache.glob("*/__pycache__/*.nbc")]
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:20])
    assert in_a_copy(tmp_path, filters + FINAL, cache) == before
    for path in cache.glob("*/*.py"):  # as a cleaner of old files would
        path.unlink()
    assert in_a_copy(tmp_path, filters + FINAL, cache) == before


@pytest.mark.slow
def test_cache_that_others_can_write_to_is_not_used(tmp_path):
    cache = tmp_path / "cache"
    before = in_a_copy(tmp_path, FINAL, cache)
    cache.chmod(0o777)
    for path in cache.glob("*/kernel.py"):
        path.write_text("raise SystemExit('executed foreign code')")
    assert in_a_copy(tmp_path, FINAL, cache) == before


@pytest.mark.slow
def test_a_broken_sign_in_the_bookkeeping_ends_as_conservation_violated(tmp_path):
    code = f"""
from simulator.scenario.yaml.reader import load_scenario
from simulator.runs.integrate import run
filled = {{"compartments.ecs.concentrations.glucose": "5 mM"}}
print(run(load_scenario({str(CONFIGS / "reference" / "CLOSED2-01.yaml")!r}, filled)).status)
"""
    assert in_a_copy(tmp_path, code, tmp_path / "cache") == "ok"
    path = tmp_path / "simulator" / "model" / "equations.py"
    text = path.read_text()
    assert "((m.inside, 1), (m.outside, -1))" in text
    path.write_text(text.replace("((m.inside, 1), (m.outside, -1))", "((m.inside, 1), (m.outside, 1))"))
    assert in_a_copy(tmp_path, code, tmp_path / "cache") == "conservation_violated"
