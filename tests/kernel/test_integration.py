"""The generated kernel: accuracy, identical bits, honest statuses."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from simulator.kernel import load_arrays, load_program
from simulator.kernel.inputs import initial_states
from simulator.kernel.status import Status
from simulator.model.model import Model
from simulator.model.protocol import Schedule
from simulator.runs.integrate import run
from simulator.scenario.save_times import save_times
from simulator.storage.start import load_scenario


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
    table = np.concatenate([np.array([[5e4, 0.0, 0.0, 0.0]]), stopped], axis=1)
    whole = cell.integrate(state, parameters, scale, events=Schedule(cell.model.structure, table[:, None]))
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
