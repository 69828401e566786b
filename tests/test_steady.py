"""Rest points found directly are those that time stepping reaches."""

import numpy as np
import pytest

from simulator.config import load_scenario
from simulator.integrate import run
from simulator.kernel import load_arrays
from simulator.model import Model
from simulator.rest import eigenvalues, linearised
from simulator.steady import NoSteadyState, steady_state, steady_states
from simulator.verdict import classify

RATE = "membranes.plasma.mechanisms.pump.rate"
CASES = [
    ("leaky_bucket", {}, "steady_state"),
    ("sealed_bucket", {}, "equilibrium"),
    ("potassium_only", {}, "equilibrium"),
    ("glucose", {}, "equilibrium"),
    ("published/kay_2017", {}, "steady_state"),
    ("reference/KAY2017-01", {"formulation": "electroneutral"}, "steady_state"),
    ("reference/DONNAN-01", {}, "equilibrium"),
    ("reference/DONNAN-02", {}, "equilibrium"),
    ("reference/CLOSED2-01", {}, "equilibrium"),
    ("reference/OSMO-01", {}, "equilibrium"),
]


@pytest.mark.parametrize(("name", "change", "word"), CASES)
def test_direct_solution_is_where_the_run_ends(configs, name, change, word):
    scenario = load_scenario(configs / f"{name}.yaml", change)
    found, trajectory = steady_state(scenario), run(scenario)
    assert found.verdict.word == classify(trajectory).word == word
    assert found.residual < 1e-12
    for field in ("potential", "concentration", "volume"):
        direct, stepped = found.trajectory.fields()[field].values[-1], trajectory.fields()[field].values[-1]
        assert direct == pytest.approx(stepped, rel=1e-8, abs=1e-11, nan_ok=True)


WITH_EIGENVALUES = [
    "leaky_bucket",
    "published/kay_2017",
    "published/duesterwald_2018",
    "published/vereninov_u937",
    "published/huebel_dahlem_2014",
    "reference/DONNAN-02",
]


@pytest.mark.parametrize("name", WITH_EIGENVALUES)
def test_eigenvalues_agree_with_finite_differences(configs, name):
    scenario = load_scenario(configs / f"{name}.yaml")
    found = steady_state(scenario)
    model = Model.of(scenario)
    arrays, parameters = load_arrays(model.structure), model.parameters()
    state = found.trajectory.states[-1]
    basis = list(arrays.BASIS)
    exact = linearised(arrays, state, parameters)[1]
    differences = np.zeros_like(exact)
    for j, i in enumerate(basis):
        # Fourth order, for a ten-millionth of the K inside is a large change of the charge.
        h = 1e-7 * max(abs(state[i]), model.scales()[i])
        for steps, weight in ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12)):
            moved = state.copy()
            moved[i] += steps * h
            for dependent, combination in arrays.DEPENDENT.items():
                moved[arrays.STATES.index(dependent)] += steps * h * combination.get(arrays.STATES[i], 0.0)
            differences[:, j] += weight * linearised(arrays, moved, parameters)[0] / h
    assert eigenvalues(arrays, differences) == pytest.approx(found.verdict.eigenvalues, rel=1e-3)


def test_a_cell_that_swells_without_end_has_no_steady_state(configs):
    scenario = load_scenario(configs / "published" / "kay_2017.yaml", {RATE: "0 C/dm^2/s"})
    with pytest.raises(NoSteadyState, match="swells"):
        steady_state(scenario)


def test_an_excitable_cell_has_its_stable_rest_point_first(configs):
    stable, *others = steady_states(load_scenario(configs / "published" / "barreto_cressman_2011.yaml"))
    assert stable.verdict.stable
    assert stable.trajectory.potential.sel(membrane="plasma")[0] == pytest.approx(-68.1107017e-3, rel=1e-8)
    assert stable.verdict.word == "steady_state"
    assert [found.verdict.stable for found in others] == [False]
    assert all(found.residual < 1e-11 for found in (stable, *others))


def test_a_passive_cell_has_one_rest_point(configs):
    assert len(steady_states(load_scenario(configs / "sealed_bucket.yaml"))) == 1


def test_protocol_has_happened_before_the_steady_state(configs):
    stopped = load_scenario(configs / "pump_stopped.yaml")
    leaky = load_scenario(configs / "leaky_bucket.yaml")
    assert steady_state(stopped).trajectory.states == pytest.approx(steady_state(leaky).trajectory.states, rel=1e-9)
