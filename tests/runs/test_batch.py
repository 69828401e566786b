"""Batches: the same bits and the same word as alone, whatever is around a run; honest about what failed."""

import numpy as np
import pytest

import simulator
from simulator.errors import UsageError
from simulator.runs import threads as batching
from simulator.runs.batch import scenario_of
from simulator.runs.results import Results
from simulator.verdict.words import WORDS

PUMP = "membranes.plasma.mechanisms.pump.max_rate"
K_LEAK = "membranes.plasma.mechanisms.k_leak.permeability"
CL_LEAK = "membranes.plasma.mechanisms.cl_leak.permeability"
QUANTITIES = ("amount", "charge", "potential", "concentration", "end_time", "status", "verdict")


@pytest.fixture(scope="module")
def cell(configs):
    return simulator.load_scenario(configs / "benchmark_cell.yaml", {"run.save_every": 5000.0})


def drawn(cell, runs, seed=0):
    random, given = np.random.default_rng(seed), cell.quantities()
    return {key: given[key] * 2.0 ** random.uniform(-1, 1, runs) for key in (PUMP, K_LEAK, CL_LEAK)}


def same(a, b) -> bool:
    return all(np.array_equal(a.arrays[name], b.arrays[name], equal_nan=True) for name in QUANTITIES)


def test_bits_do_not_depend_on_threads_pieces_or_order(cell, monkeypatch):
    values = drawn(cell, 1000)
    whole = simulator.run_batch(cell, values, threads=1)
    assert same(simulator.run_batch(cell, values, threads=2), whole)
    for size in (1, 7, 1000):
        monkeypatch.setattr(
            batching,
            "spans_of",
            lambda job, a, b, threads, size=size: ((i, min(i + size, b)) for i in range(a, b, size)),
        )
        few = {key: column[:70] for key, column in values.items()}
        assert same(simulator.run_batch(cell, few, threads=2), whole.part(0, 70))
    monkeypatch.undo()
    order = np.random.default_rng(1).permutation(1000)
    shuffled = simulator.run_batch(cell, {key: column[order] for key, column in values.items()})
    for name in QUANTITIES:
        assert np.array_equal(shuffled.arrays[name], whole.arrays[name][order], equal_nan=True)


def mixed(configs):
    """A cell whose pump stops and restarts at swept times, with runs that rest, drift, balance, and fail."""
    scenario = simulator.load_scenario(
        configs / "benchmark_cell.yaml", {"run.save_every": 5000.0, "compartments.cell.concentrations.na": 15.0}
    )
    data = scenario.resolved()
    data["protocol"] = [{"at": 1e3, "set": {PUMP: 0.0}}, {"at": 2e3, "set": {PUMP: 8e-7}}]
    scenario = simulator.Scenario.model_validate(data)
    return scenario, {
        "protocol.0.at": np.array([1e3, 5e3, 2e3, 0.0, 1e3, 9e4, 1e3, 1e3]),
        "protocol.1.at": np.array([2e3, 3e3, 2e3, 2e3, 1e5, 9.5e4, 2e3, 2e3]),
        f"protocol.1.set.{PUMP}": np.array([8e-7, 8e-7, 4e-7, 8e-7, 8e-7, 8e-7, 8e-7, 0.0]),
        K_LEAK: np.array([4e-9, 4e-9, 4e-9, 4e-9, 4e-9, 4e-9, 0.0, 4e-9]),
        "membranes.plasma.potential": np.full(8, -0.06),
        "compartments.cell.geometry.sphere.radius": np.array([1e-5, 8e-6, 1e-5, 1e-5, 1e-5, 1e-5, 1.2e-5, 1e-5]),
    }


@pytest.mark.parametrize("until", ["end", "steady"])
@pytest.mark.parametrize("save", ["trajectory", "final"])
def test_a_run_has_the_same_bits_and_word_alone(configs, save, until):
    scenario, values = mixed(configs)
    settings = scenario.run.model_copy(update={"until": until, "save": save})
    scenario = scenario.model_copy(update={"run": settings})
    batch = simulator.run_batch(scenario, values)
    for i in range(batch.runs):
        own = {key: float(column[i]) for key, column in values.items()}
        alone = simulator.run(scenario_of(scenario, own))
        assert batch.status[i] == alone.status
        assert batch.end_time[i] == alone.end_time
        kept = slice(0, len(alone.time))
        assert np.array_equal(batch.arrays["amount"][i, kept], alone.amount, equal_nan=True)
        assert np.array_equal(batch.potential.values[i, kept], alone.potential.values)
        assert np.all(np.isnan(batch.potential.values[i, len(alone.time) :]))
        assert batch.verdict[i] == simulator.classify(alone).word, f"run {i}"
        again = batch.trajectory(i)
        assert np.array_equal(again.time, alone.time)
        assert np.array_equal(again.states, alone.states)


def test_sealed_cells_are_at_equilibrium_and_leaky_ones_are_not(configs):
    scenario = simulator.load_scenario(configs / "sealed_bucket.yaml", {"run.save": "final"})
    key = next(k for k in scenario.quantities() if k.endswith("k_leak.permeability"))
    given = scenario.quantities()[key]
    batch = simulator.run_batch(scenario, {key: given * np.linspace(0.5, 2.0, 20)})
    alone = [simulator.classify(batch.trajectory(i)).word for i in range(20)]
    assert batch.verdict.tolist() == alone
    assert set(alone) == {"equilibrium"}


def test_one_failing_run_changes_no_bit_of_the_others(configs):
    cell = simulator.load_scenario(configs / "published" / "kay_2017.yaml", {"membranes.plasma.water": "fixed"})
    rate, given = "membranes.plasma.mechanisms.pump.rate", cell.quantities()
    values = {rate: given[rate] * np.linspace(0.9, 1.1, 300)}
    healthy = simulator.run_batch(cell, values, save="final")
    poisoned = {rate: values[rate].copy()}
    poisoned[rate][123] *= 200.0  # a pump at constant turnover empties the cell of Na and would go on
    batch = simulator.run_batch(cell, poisoned, save="final")
    others = np.arange(300) != 123
    assert np.all(healthy.status == "ok")
    for name in QUANTITIES:
        assert np.array_equal(batch.arrays[name][others], healthy.arrays[name][others], equal_nan=True)
    [failure] = batch.failures()
    assert failure.run == 123
    assert failure.values[rate] == poisoned[rate][123]
    assert (failure.status, failure.culprit) == ("negative_amount", "amount of Na in cell")
    assert np.all(np.isnan(batch.potential.values[123])), "nothing of a failed run passes for its final state"


def test_values_that_do_not_fit_are_refused(cell):
    for wrong in (
        {PUMP: [1e-7, 2e-7], K_LEAK: [1e-9] * 3},
        {"nothing.of.the.kind": [1.0]},
        {K_LEAK: [-1.0]},
        {K_LEAK: []},
    ):
        with pytest.raises(UsageError):
            simulator.run_batch(cell, wrong)


def test_arrays_are_labelled_and_xarray_takes_them(cell):
    batch = simulator.run_batch(cell, drawn(cell, 5))
    table = batch.to_xarray()
    assert table.potential.dims == ("run", "time", "membrane")
    assert set(table[K_LEAK].dims) == {"run"}
    assert batch.concentration.sel(compartment="cell", species="k").shape == (5, len(batch.time))
    assert set(batch.counts()["verdict"]) <= set(WORDS)


def test_quantities_are_computed_on_access_in_the_place_of_others_of_the_same_shape(cell):
    pieces = simulator.run_batch(cell, drawn(cell, 30)).arrays.pieces
    few = simulator.run_batch(cell, drawn(cell, 10, seed=1)).arrays
    fresh = Results(pieces)
    assert not fresh.known
    for room in (dict(Results(pieces)), dict(few)):
        found = Results(pieces, room)
        assert all(np.array_equal(found[name], fresh[name], equal_nan=True) for name in fresh)
        assert (found["amount"] is room["amount"]) == (len(room["status"]) == 30)
    with pytest.raises(KeyError):
        fresh["nothing of the kind"]
    two = Results([*pieces, *few.pieces])
    for name in fresh:
        assert np.array_equal(two[name], np.concatenate([fresh[name], few[name]]), equal_nan=True)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_small_batch_keeps_every_thread_busy_and_computes_each_run_once(cell, threads):
    from simulator.kernel import load_program
    from simulator.model.model import Model
    from simulator.runs.design import design_of_arrays
    from simulator.runs.piece import Job
    from simulator.runs.threads import LEAST_RUNS, spans_of

    job = Job(cell, design_of_arrays(cell, drawn(cell, 4)), load_program(Model.of(cell).structure))
    for runs in (1, 63, 1000, 4096):
        spans = list(spans_of(job, 10, 10 + runs, threads))
        assert [i for first, stop in spans for i in range(first, stop)] == list(range(10, 10 + runs))
        assert len(spans) >= min(threads, runs // LEAST_RUNS)
