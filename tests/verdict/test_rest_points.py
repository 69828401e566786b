"""Rest points found directly are those that time stepping reaches."""

import numpy as np
import pytest
from scipy.differentiate import jacobian
from scipy.linalg import eig

from simulator.kernel import load_arrays
from simulator.model.model import Model
from simulator.physics.constants import FARADAY
from simulator.runs.integrate import run
from simulator.storage.start import load_scenario
from simulator.verdict.rest import capacitances
from simulator.verdict.steady import NoSteadyState, steady_state, steady_states
from simulator.verdict.verdict import classify

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
    "published/barreto_cressman_2011",
    "reference/DONNAN-02",
]


def by_finite_differences(model: Model, state: np.ndarray) -> np.ndarray:
    """Finite eigenvalues of ``M y' = f(y)``, by SciPy alone from the right-hand side: the pencil's, no elimination.

    An electroneutral potential obeys ``C V' = I`` here, as it would with a capacitance.
    """
    arrays, parameters = load_arrays(model.structure), model.parameters()
    names, basis = arrays.STATES, list(arrays.BASIS)
    size = np.maximum(np.abs(state), model.scales())

    def rates(moved: np.ndarray) -> np.ndarray:
        """Scaled rates of the independent states, the others following along; shape (k, ...) to (k, ...)."""
        full = np.tile(state, (*moved.shape[1:], 1))
        change = np.moveaxis(moved, 0, -1) * size[basis]
        full[..., basis] += change
        for name, combination in arrays.DEPENDENT.items():
            for s, weight in combination.items():
                full[..., names.index(name)] += weight * change[..., basis.index(names.index(s))]
        found = [np.broadcast_to(value, full.shape[:-1]) for value in arrays.derivative(full, parameters).values()]
        return np.moveaxis(np.stack(found, axis=-1) / size[basis], -1, 0)

    slopes = jacobian(rates, np.zeros(len(basis)), initial_step=1e-6, order=6, maxiter=4).df
    mass = np.diag(np.array(arrays.DIFFERENTIAL, dtype=float))
    if algebraic := [i for i, differential in enumerate(arrays.DIFFERENTIAL) if not differential]:
        sizes = size[basis][algebraic]
        farads = capacitances(model.structure, state, parameters)
        mass[np.ix_(algebraic, algebraic)] = farads / FARADAY * sizes / sizes[:, None]
    above, below = eig(slopes, mass, right=False, homogeneous_eigvals=True)
    finite = np.abs(below) > 1e-12 * np.abs(above)
    return above[finite] / below[finite]


@pytest.mark.parametrize("name", WITH_EIGENVALUES)
def test_eigenvalues_are_those_that_scipy_finds_from_finite_differences(configs, name):
    scenario = load_scenario(configs / f"{name}.yaml")
    found = steady_state(scenario)
    others = by_finite_differences(Model.of(scenario), found.trajectory.states[-1])
    assert len(found.verdict.eigenvalues) > 0
    for value in found.verdict.eigenvalues:
        assert np.min(np.abs(others - value)) < 1e-4 * abs(value)


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


def test_both_rests_of_a_bistable_cell_are_found(configs):
    found = steady_states(load_scenario(configs / "published" / "huebel_dahlem_2014.yaml"))
    rest, depression = (one for one in found if one.verdict.stable)
    assert rest.trajectory.potential.values[0, 0] == pytest.approx(-67.19e-3, abs=1e-5)
    depressed = run(load_scenario(configs / "spreading_depression.yaml"))
    assert depression.trajectory.potential.values[0, 0] == pytest.approx(depressed.potential.values[-1, 0], abs=1e-3)
    assert {one.verdict.word for one in (rest, depression)} == {"steady_state"}


@pytest.mark.parametrize("start", ["-93 mV", "-20 mV"])
def test_a_cell_with_two_resting_potentials_has_them_from_either_side(configs, start):
    file = configs / "two_resting_potentials.yaml"
    found = steady_states(load_scenario(file, {"membranes.plasma.potential": start}))
    low, high = sorted(one.trajectory.potential.values[0, 0] for one in found if one.verdict.stable)
    assert low == pytest.approx(-93.28e-3, abs=1e-5)
    assert high == pytest.approx(-16.87e-3, abs=1e-5)


#: A cell between its bath and a pipette whose potential is free: nothing burns ATP, and yet there are two rests.
PIPETTE = """
name: pipette
temperature: 37 degC
compartments:
  bath: {fixed: true, concentrations: {na: 147 mM, k: 3 mM, cl: 150 mM}}
  pipette: {fixed: true, open_circuit: true, concentrations: {na: 19.8 mM, k: 125.8 mM, cl: 145.6 mM}}
  cell: {volume: 38 pL, concentrations: {na: 19.8 mM, k: 125.8 mM, cl: 145.6 mM}}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 6912 um^2
    capacitance: 1 uF/cm^2
    potential: -80 mV
    mechanisms:
      k1_channel:
        law: custom
        moves: {k: 1}
        reversible: true
        rate: g * r * rt_over_f / faraday * bern(v / rt_over_f - log(k_o / k_i))
        parameters: {g: 0.4 mS/cm^2, half: 8 mV, slope: 6 mV}
        gates: {r: {steady: 1 / (1 + exp((v - rt_over_f * log(k_o / k_i) - half) / slope))}}
      k_leak: {law: leak_ohmic, ion: k, conductance: 0.010 mS/cm^2}
      na_leak: {law: leak_ohmic, ion: na, conductance: 0.009 mS/cm^2}
  seal:
    inside: cell
    outside: pipette
    area: 100 um^2
    capacitance: 1 uF/cm^2
    mechanisms:
      k_leak: {law: leak_ghk, ion: k, permeability: 1e-2 cm/s}
      na_leak: {law: leak_ghk, ion: na, permeability: 1e-2 cm/s}
      cl_leak: {law: leak_ghk, ion: cl, permeability: 1e-2 cm/s}
run: {duration: 10000 s, save_every: 10000 s}
"""

#: A vesicle in a cell, with ions that cannot leave it.
VESICLE = """
name: vesicle
compartments:
  bath: {fixed: true, concentrations: {na: 147 mM, k: 3 mM, cl: 150 mM, glucose: 5 mM}}
  cell:
    volume: 4 pL
    concentrations: {na: 19.8 mM, k: 125.8 mM, cl: 4.6 mM, glucose: 1 mM}
    impermeant: {concentration: 130 mM, charge: auto}
  vesicle: {volume: 4 fL, concentrations: {glucose: 1 mM, k: 150 mM, cl: 150 mM}}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1200 um^2
    potential: -80 mV
    mechanisms:
      k_leak: {law: leak_ohmic, ion: k, conductance: 0.10 mS/cm^2}
      na_leak: {law: leak_ohmic, ion: na, conductance: 0.014 mS/cm^2}
      cl_leak: {law: leak_ohmic, ion: cl, conductance: 0.005 mS/cm^2}
      pump: {law: na_k_pump_luo_rudy, max_rate: 3 uA/cm^2}
  wall:
    inside: vesicle
    outside: cell
    area: 12 um^2
    potential: 0 mV
    mechanisms:
      glut: {law: diffusion_neutral, species: glucose, permeability: 1e-6 cm/s}
run: {duration: 10 s, save_every: 1 s}
"""


def scenario_of(text, folder, changes):
    path = folder / "cell.yaml"
    path.write_text(text)
    return load_scenario(path, changes)


@pytest.mark.parametrize("start", ["-93 mV", "-80 mV", "-20 mV"])
def test_two_baths_may_hold_a_passive_cell_at_either_of_two_rests(tmp_path, start):
    found = steady_states(scenario_of(PIPETTE, tmp_path, {"membranes.plasma.potential": start}))
    assert found[0].verdict.stable
    low, high = sorted(one.trajectory.potential.sel(membrane="plasma")[0] for one in found if one.verdict.stable)
    assert low == pytest.approx(-94.6e-3, abs=1e-4)
    assert high == pytest.approx(-27.2e-3, abs=1e-4)


def test_ions_that_cannot_leave_their_compartment_do_not_disturb_the_search(tmp_path):
    found = steady_state(scenario_of(VESICLE, tmp_path, {}))
    assert found.verdict.word == "steady_state"
    assert found.verdict.stable


def test_a_passive_cell_has_one_rest_point(configs):
    assert len(steady_states(load_scenario(configs / "sealed_bucket.yaml"))) == 1


def test_protocol_has_happened_before_the_steady_state(configs):
    stopped = load_scenario(configs / "pump_stopped.yaml")
    leaky = load_scenario(configs / "leaky_bucket.yaml")
    assert steady_state(stopped).trajectory.states == pytest.approx(steady_state(leaky).trajectory.states, rel=1e-9)
