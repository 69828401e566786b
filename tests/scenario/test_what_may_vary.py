"""A number that may be swept, or set during a run, changes what is integrated; the others are refused."""

import numpy as np
import pytest

from simulator.errors import UsageError
from simulator.kernel.inputs import Inputs
from simulator.model.model import Model
from simulator.model.names import gate_name
from simulator.runs.threads import run_batch
from simulator.scenario.checks.sweep import why_not_swept
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario

CELL = """\
name: everything that has a number
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 4 mM, cl: 149 mM}}
  cell:
    geometry: {sphere: {radius: 10 um}}
    concentrations: {na: 12 mM, k: 140 mM, cl: 10 mM}
    impermeant: {concentration: 130 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    potential: -70 mV
    water: {permeability: 50 um/s}
    permeability_scale: 4e-9 m/s
    mechanisms:
      cl_leak: {law: leak_ghk, ion: cl, permeability: 0.45}
      gated:
        law: channel
        ions: {na: 1, k: 0.1}
        conductance: 50 nS
        q10: 3
        measured_at: 6.3 degC
        gates:
          m:
            power: 3
            start: 0.1
            opening: {form: linear_exponential, rate: 1 1/ms, midpoint: -40 mV, width: 10 mV}
            closing: {form: exponential, rate: 4 1/ms, midpoint: -65 mV, width: -18 mV}
          h: {steady: {form: hill, of: na_i, half: 9 mM, power: 2}, time_constant: 20 ms}
      herg:
        law: channel
        ions: {k: 1}
        conductance: 0.2 mS/cm^2
        states: [c, o]
        open: [o]
        transitions:
          - {between: [c, o], forward: {form: exponential, rate: 9 1/s, midpoint: 0 mV, width: 26 mV}, backward: 2 1/s}
      pump:
        law: custom
        moves: {na: -3, k: 2}
        atp: 1
        parameters: {largest: 0.05 umol/m^2/s, half: 10 mM}
        rate: largest * na_i**3 / (na_i**3 + half**3)
      stimulus: {law: stimulus, ion: k}
measure: {late: {value: potential.plasma, at: 5 ms}}
run: {duration: 10 ms}
"""

GATED = "membranes.plasma.mechanisms.gated.gates"
PUMP = "membranes.plasma.mechanisms.pump"
FIXED = ("faraday", f"{GATED}.m.power", f"{GATED}.h.steady.power", f"{PUMP}.moves.na", f"{PUMP}.atp", "measure.late.at")


@pytest.fixture
def cell(tmp_path):
    def load(more=""):
        (tmp_path / "cell.yaml").write_text(CELL + more)
        return load_scenario(tmp_path / "cell.yaml")

    return load


def numbers(scenario):
    found = {path: leaf for path, leaf in scenario.leaves().items() if leaf.quantity is not None}
    return {path: leaf for path, leaf in found.items() if not isinstance(leaf.value, bool | str)}


def test_every_number_that_may_be_swept_changes_what_is_integrated(cell):
    scenario = cell()
    leaves, idle = scenario.leaves(), []
    for path, leaf in numbers(scenario).items():
        if not why_not_swept(path, leaves):
            values = np.array([leaf.value, leaf.value * 1.001 if leaf.value else 1e-6])
            given = Inputs.of(Model.of(scenario), {path: values})
            if all(np.array_equal(rows[0], rows[-1]) for rows in (given.state, given.parameters)):
                idle.append(path)
    assert idle == []


def test_every_number_that_an_event_may_set_changes_what_is_integrated(cell):
    scenario, idle, unexpected = cell(), [], list[str]()
    for path, leaf in numbers(scenario).items():
        value = leaf.value + 1 if leaf.counts else leaf.value * 1.001 if leaf.value else 1e-6
        text = value if leaf.quantity.unit == "1" else f"{value!r} {leaf.quantity.unit}"
        try:
            events = Model.of(cell(f"protocol: [{{at: 5 ms, set: {{{path}: {text}}}}}]\n")).events()
        except ConfigError as refused:
            unexpected += [] if "cannot change during" in str(refused) else [str(refused)]
            continue
        if np.array_equal(events.parameters[0, 0], Model.of(scenario).parameters()):
            idle.append(path)
    assert idle == []
    assert unexpected == []


def test_the_start_of_a_gate_is_that_of_each_run_of_a_sweep(cell):
    """An internal error before, where nothing else was swept on which the start depends."""
    model = Model.of(cell())
    place = model.structure.states.index(gate_name("plasma", "gated", "m"))
    given = Inputs.of(model, {f"{GATED}.m.start": np.array([0.2, 0.7])})
    assert given.state[:, place].tolist() == [0.2, 0.7]


@pytest.mark.parametrize("key", FIXED)
def test_what_the_equations_contain_is_the_same_in_all_runs(cell, key):
    """Such a sweep ran, and all its runs were the same."""
    with pytest.raises(UsageError, match=r"cannot be swept.*which the runs of a sweep share|all runs of a sweep share"):
        run_batch(cell(), {key: np.array([1.0, 2.0])})


@pytest.mark.parametrize("key", [*FIXED[1:-1], f"{GATED}.m.start"])
def test_what_the_equations_or_the_start_contain_does_not_change_during_a_run(cell, key):
    with pytest.raises(ConfigError, match=f"`{key}` cannot change during a run"):
        cell(f"protocol: [{{at: 5 ms, set: {{{key}: 1}}}}]\n")
