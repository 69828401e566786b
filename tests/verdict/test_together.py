"""A run gets the same word, from the same numbers, alone and in a batch, whatever else is in it."""

import numpy as np
import pytest

import simulator
from simulator.runs.batch import scenario_of
from simulator.runs.design import design_of
from simulator.verdict import following
from simulator.verdict.ends import Ends
from simulator.verdict.judged import judged
from simulator.verdict.lookahead import look_ahead

PUMP = "membranes.plasma.mechanisms.pump"
ELECTRODE = "membranes.plasma.mechanisms.electrode.current"
K_BATH = "compartments.bath.concentrations.k"


def the_same_alone(scenario, values):
    """Words of a batch, each of which is that of the run alone."""
    batch = simulator.run_batch(scenario, values, save="final")
    for i in range(batch.runs):
        own = {key: float(column[i]) for key, column in values.items()}
        alone = simulator.run(scenario_of(batch.scenario, own))
        assert batch.verdict[i] == simulator.classify(alone).word, own
    return batch.verdict.tolist()


def neurons(configs, *k_bath):
    """Neurons that fire without end, by the K around them."""
    scenario = simulator.load_scenario(
        configs / "published/barreto_cressman_2011.yaml", {"run.duration": 100.0, "run.save_every": 100.0}
    )
    return [simulator.run(scenario_of(scenario, {K_BATH: k})) for k in k_bath]


def joined(ends):
    """The ends of several runs as those of one batch."""
    names = ("states", "parameters", "running", "scales", "since", "finished")
    values = {key: np.concatenate([e.values[key] for e in ends]) for key in ends[0].values}
    return Ends(ends[0].model, values, *(np.concatenate([getattr(e, name) for e in ends]) for name in names))


def shipped_sweeps(configs):
    return sorted((configs / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("rtol", [1e-3, None])
def test_in_every_shipped_sweep(configs, rtol):
    for path in shipped_sweeps(configs):
        scenario = simulator.load_scenario(path, {"run.rtol": rtol} if rtol else {})
        design = design_of(scenario)
        runs = np.random.default_rng(0).choice(design.runs, 10, replace=False)
        the_same_alone(scenario, design.values(runs))


def test_among_neurons_that_rest_change_or_go_round(configs):
    scenario = simulator.load_scenario(
        configs / "published/barreto_cressman_2011.yaml", {"run.duration": 150.0, "run.save_every": 150.0}
    )
    words = the_same_alone(scenario, {K_BATH: np.array([4.0, 6.5, 7.599, 7.613, 7.878, 8.0, 8.9, 9.0, 10.0, 12.0])})
    assert set(words) == {"not_converged", "steady_state", "oscillation"}
    assert words[4:] == ["oscillation"] * 6


def test_among_cells_that_swell_for_ever_or_not(configs):
    scenario = simulator.load_scenario(configs / "published/kay_2017.yaml")
    given = scenario.quantities()[f"{PUMP}.rate"]
    words = the_same_alone(scenario, {f"{PUMP}.rate": given * np.array([0.0, 1e-3, 0.05, 0.3, 1.0])})
    assert {"run_away", "steady_state"} <= set(words)


def test_among_axons_that_follow_their_stimulus_or_do_not(configs):
    data = simulator.load_scenario(configs / "action_potential.yaml").resolved()
    data["protocol"] = [{"at": 0.1, "lasting": 5e-4, "every": 0.05, "times": 20, "set": {ELECTRODE: 0.3}}]
    data["run"] |= {"duration": 1.0, "save_every": None, "save_at": None, "save": "final"}
    scenario = simulator.Scenario.model_validate(data)
    words = the_same_alone(
        scenario,
        {
            f"protocol.0.set.{ELECTRODE}": np.array([0.3, 0.3, 0.1, 0.0, 0.3, 0.6]),
            "protocol.0.every": np.array([0.05, 0.01, 0.05, 0.05, 0.004, 0.047]),
        },
    )
    assert {"entrained", "not_converged"} <= set(words)


def test_every_number_is_the_same_to_the_last_bit(configs):
    """At a loose tolerance many of these cells are close to the limit between rest and change."""
    scenario = simulator.load_scenario(
        configs / "benchmark_cell.yaml", {"run.rtol": 1e-3, "run.duration": 2e4, "run.save_every": 2e4}
    )
    leak, given = "membranes.plasma.mechanisms.k_leak.permeability", scenario.quantities()
    factors = 2.0 ** np.random.default_rng(3).uniform(-1, 1, (2, 60))
    columns = {f"{PUMP}.max_rate": factors[0], leak: factors[1]}
    alone = [
        Ends.of(simulator.run(scenario_of(scenario, {key: given[key] * float(f[i]) for key, f in columns.items()})))
        for i in range(60)
    ]
    together = joined(alone)
    whole = judged(together)
    assert len({float(d) < 1e-6 for d in whole.distance}) == 2, "some cells rest and some do not"
    for i, ends in enumerate(alone):
        own = judged(ends)
        for name in ("words", "distance", "points", "jacobians", "at_rest"):
            assert np.array_equal(getattr(own, name)[0], getattr(whole, name)[i])
        if own.futures:
            assert np.array_equal(own.futures[0].states, whole.futures[i].states)


def test_what_is_followed_together_does_not_depend_on_how_much_fits_into_memory(configs, monkeypatch):
    ends = [Ends.of(run) for run in neurons(configs, 9.6, 10.0, 12.0)]
    together = joined(ends)
    found = []
    for size in (following.TOGETHER_BYTES, 1):
        monkeypatch.setattr(following, "TOGETHER_BYTES", size)
        found.append([f.cycle for f in look_ahead(together, following.Lanes(together.model.structure))])
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert (one.start, one.period, one.distance) == (other.start, other.period, other.distance)
            assert np.array_equal(one.state, other.state)
    assert any(cycle is not None for cycle in found[0])


def test_a_batch_that_is_stopped_stops_its_verdicts(configs):
    [run] = neurons(configs, 10.0)
    with pytest.raises(following.Stopped):
        judged(Ends.of(run), stopped=lambda: True)
