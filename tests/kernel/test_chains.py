"""Models of many compartments: potentials, sparsity, and the numbers against an independent integration."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from simulator.kernel import load_arrays, load_program, source_text
from simulator.kernel.inputs import Inputs
from simulator.kernel.linearisation import Linearisation
from simulator.model.capacitors import capacitance_matrix
from simulator.model.equations import Equations
from simulator.model.model import Model
from simulator.model.names import area, capacitance, charge, voltage
from simulator.runs.integrate import run
from simulator.scenario.scenario import Scenario
from simulator.trajectory.conservation import conservation

CELL = {
    "geometry": {"sphere": {"radius": "10 um"}},
    "impermeant": {"concentration": "131 mM", "charge": "auto"},
}
LEAKS = {
    "na_leak": {"law": "leak_ghk", "ion": "na", "permeability": "3e-10 m/s"},
    "k_leak": {"law": "leak_ghk", "ion": "k", "permeability": "4e-9 m/s"},
    "cl_leak": {"law": "leak_ghk", "ion": "cl", "permeability": "2e-9 m/s"},
    "pump": {"law": "na_k_pump_hill", "max_rate": "0.6 umol/m^2/s", "k_na": "10 mM", "k_k": "1.5 mM"},
}
BATH = {"fixed": True, "concentrations": {"na": "145 mM", "k": "4.5 mM", "cl": "149.5 mM"}}


def cell(number):
    return CELL | {"concentrations": {"na": f"{15 + number} mM", "k": f"{140 - number} mM", "cl": f"{13 + number} mM"}}


def joined(links, potentials=None):
    """A scenario of cells and a bath, with a membrane for each pair (inside, outside)."""
    names = dict.fromkeys(name for link in links for name in link if name != "bath")
    membranes = {
        f"m{i}": {"inside": inside, "outside": outside, "area": "1257 um^2", "mechanisms": LEAKS}
        | ({"potential": potentials[i]} if potentials and potentials[i] else {})
        for i, (inside, outside) in enumerate(links)
    }
    compartments = {"bath": BATH} | {name: cell(i) for i, name in enumerate(names)}
    return Scenario.model_validate(
        {"name": "joined", "compartments": compartments, "membranes": membranes, "run": {"duration": "2 h"}}
    )


def chain(length):
    links = [(f"c{i}", f"c{i - 1}" if i else "bath") for i in range(length)]
    return joined(links, ["0 mV" if i else "-60 mV" for i in range(length)])


TOPOLOGIES = {
    "chain": [("a", "bath"), ("b", "a"), ("c", "b"), ("d", "c")],
    "chain told backwards": [("bath", "a"), ("a", "b"), ("b", "c")],
    "star": [("a", "bath"), ("b", "a"), ("c", "a"), ("d", "a")],
    "epithelium": [("cell", "bath"), ("cell", "lumen"), ("lumen", "bath")],
    "ring": [("a", "bath"), ("b", "a"), ("c", "b"), ("d", "c"), ("d", "a")],
}


@pytest.mark.parametrize("links", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_potentials_are_those_of_the_capacitors_whatever_joins_them(links):
    structure = Model.of(joined(links)).structure
    random = np.random.default_rng(5)
    size = {m.name: random.uniform(0.5, 2.0) for m in structure.membranes}
    free = list(structure.behind)
    held = random.uniform(-1.0, 1.0, len(free))
    potential = dict(
        zip(free, np.linalg.solve(np.array(capacitance_matrix(structure, size), float), held), strict=True)
    )
    numbers = dict(zip(free, held, strict=True))
    state = {charge(c): sum(numbers[other] for other in group) for c, group in structure.behind.items()}
    state |= {capacitance(m.name): size[m.name] for m in structure.membranes}
    state |= {area(m.name): 1.0 for m in structure.membranes}
    arrays = load_arrays(structure)
    given = [np.array([state.get(name, 1.0) for name in names]) for names in (arrays.STATES, arrays.PARAMETERS)]
    found = arrays.quantities(*given)
    for m in structure.membranes:
        expected = potential.get(m.inside, 0.0) - potential.get(m.outside, 0.0)
        assert found[voltage(m.name)] == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_a_potential_in_a_chain_depends_on_one_charge_alone():
    equations = Equations(Model.of(chain(6)).structure)
    for i in range(6):
        names = {s.name for s in equations.definitions[voltage(f"m{i}")].free_symbols}
        assert names & set(equations.structure.states) == {charge(f"c{i}")}


def test_the_work_of_a_step_grows_with_the_length_of_a_chain_and_no_faster():
    entries = [len(Linearisation(Equations(Model.of(chain(n)).structure), set()).entries) for n in (4, 8, 16)]
    assert entries[2] - entries[1] == 2 * (entries[1] - entries[0])
    lines = [len(source_text(Model.of(chain(n)).structure).splitlines()) for n in (4, 8, 16)]
    assert lines[2] < 2.5 * lines[1]


def test_a_chain_agrees_with_an_independent_integration():
    scenario = chain(4)
    found = run(scenario)
    model = Model.of(scenario)
    arrays, inputs = load_arrays(model.structure), Inputs.of(model)
    basis, size = list(arrays.BASIS), np.maximum(np.abs(inputs.state[0]), 1e3 * inputs.scale[0])

    def rates(_, scaled):
        state = scaled * size
        rate = np.zeros_like(state)
        by_name = arrays.derivative(state, inputs.parameters[0])
        rate[basis] = [by_name[arrays.STATES[i]] for i in basis]
        for name, row in arrays.DEPENDENT.items():
            rate[arrays.STATES.index(name)] = sum(w * rate[arrays.STATES.index(s)] for s, w in row.items())
        return rate / size

    exact = solve_ivp(
        rates, (0.0, 7200.0), inputs.state[0] / size, method="Radau", rtol=1e-10, atol=1e-13, t_eval=[7200.0]
    )
    assert found.states[-1] / size == pytest.approx(exact.y[:, -1], abs=3e-6)
    assert conservation(found).worst < 1e-12


def test_a_large_model_says_before_it_is_generated_how_long_that_takes(monkeypatch):
    told = []
    monkeypatch.setattr("simulator.kernel.MANY", 4)
    monkeypatch.setattr("simulator.kernel.cache.is_generated", lambda structure: False)
    monkeypatch.setattr("simulator.kernel.cache.folder", lambda structure: told.append("generated"))
    with pytest.raises(TypeError):  # nothing was generated
        load_program(Model.of(chain(2)).structure, told.append)
    assert told == ["this model has 8 states; its kernel will take about 1 s", "generated"]


def test_a_chain_of_eight_compartments_runs_as_it_stands():
    found = run(chain(8))
    assert found.status == "ok"
    assert conservation(found).worst < 1e-12


def test_the_scale_of_a_charge_is_that_of_its_own_membrane():
    """An organelle behind a small membrane has a large one of its own; each charge is measured by what holds it."""
    scenario = joined([("cell", "bath"), ("organelle", "cell")])
    model = Model.of(scenario)
    values = model.values | {"membranes.m1.capacitance": 10.0 * model.values["membranes.m1.capacitance"]}
    scales = dict(zip(model.structure.states, model.scales(values), strict=True))
    held = {m: values[f"membranes.{m}.capacitance"] * 1257e-12 * 0.0257 for m in ("m0", "m1")}
    assert scales[charge("cell")] == pytest.approx(held["m0"], rel=0.1)
    assert scales[charge("organelle")] == pytest.approx(held["m1"], rel=0.1)


@pytest.mark.parametrize("name", ["n_cell", "sum_a", "c", "w_1", "lane_time", "g_1"])
def test_no_label_is_taken_for_a_name_of_the_kernel(name):
    """Compartments called like what a kernel computes run like others."""
    links = ([("cell", "bath"), (other, "cell")] for other in (name, "other"))
    found, plain = (run(joined(link, ["-60 mV", "0 mV"])) for link in links)
    assert found.status == plain.status == "ok"
    assert found.states[-1] == pytest.approx(plain.states[-1], rel=1e-12)
