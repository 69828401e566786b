"""Which kind of rest: words that neither a flat derivative nor a fast look can fool."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest

from simulator.mechanisms import library
from simulator.runs.integrate import run
from simulator.scenario.scenario import Scenario
from simulator.storage.start import load_scenario
from simulator.storage.store import describe, write
from simulator.trajectory.spikes import spikes
from simulator.verdict.cycle import find_cycle
from simulator.verdict.verdict import classify

PUMP = "membranes.plasma.mechanisms.pump"
#: Case, changes, word.
CASES = [
    ("reference/KONLY-01", {}, "equilibrium"),
    ("reference/DONNAN-01", {}, "equilibrium"),
    ("reference/DUES2018-05", {f"{PUMP}.max_rate": "0 C/dm^2/s"}, "equilibrium"),
    ("reference/KAY2017-01", {}, "steady_state"),
    ("reference/DUES2018-01", {}, "steady_state"),
    ("reference/VER-01", {}, "steady_state"),
    ("reference/HD2014-01", {}, "steady_state"),
    ("reference/HD2014-02", {}, "equilibrium"),
    ("reference/BC2011-01", {}, "steady_state"),
    ("published/kay_2017", {f"{PUMP}.rate": "0 C/dm^2/s"}, "run_away"),
]
#: Case, changes, and a time [s] that is not enough.
EARLY = [
    ("potassium_only", {}, 0.02),
    ("reference/DONNAN-01", {}, 60.0),
    ("reference/DUES2018-05", {f"{PUMP}.max_rate": "0 C/dm^2/s"}, 21600.0),
    ("published/kay_2017", {}, 120.0),
    ("published/duesterwald_2018", {}, 1.0),
    ("published/vereninov_u937", {}, 1200.0),
    ("reference/HD2014-01", {"membranes.plasma.potential": "-50 mV"}, 1.0),
    ("reference/HD2014-02", {}, 60.0),
    ("reference/BC2011-01", {}, 1.0),
    ("published/kay_2017", {f"{PUMP}.rate": "0 C/dm^2/s"}, 60.0),
    ("published/kay_2017", {f"{PUMP}.rate": "0 C/dm^2/s"}, 900.0),
]


def ran(configs, name, changes):
    return run(load_scenario(configs / f"{name}.yaml", changes))


@pytest.mark.parametrize(("name", "changes", "word"), CASES)
def test_the_word_is_right_whatever_the_tolerance_and_the_saving(configs, name, changes, word):
    for more in ({}, {"run.rtol": 1e-4}, {"run.rtol": 1e-10}, {"run.save": "final"}):
        verdict = classify(ran(configs, name, changes | more))
        assert verdict.word == word
        assert verdict.species["plasma"]["k"] == (word if word != "steady_state" else verdict.species["plasma"]["k"])


@pytest.mark.parametrize(("name", "changes", "word"), CASES)
def test_the_word_is_right_whatever_the_units_and_the_labels(configs, name, changes, word):
    """The resolved scenario is in SI units; here all its compartments, membranes and mechanisms are renamed too."""
    scenario = load_scenario(configs / f"{name}.yaml", changes)
    mechanisms = [label for membrane in scenario.membranes.values() for label in membrane.mechanisms]
    labels = {*scenario.compartments, *scenario.membranes, *mechanisms} - set(library())
    text = json.dumps(scenario.resolved())
    for label in labels:
        text = re.sub(rf"(?<!\w){label}(?!\w)", f"{label}_renamed", text)
    renamed = Scenario.model_validate(json.loads(text))
    assert not labels & {*renamed.compartments, *renamed.membranes}
    verdict, usual = classify(run(renamed)), classify(run(scenario))
    assert verdict.word == usual.word == word
    assert verdict.species == {f"{membrane}_renamed": words for membrane, words in usual.species.items()}


@pytest.mark.parametrize(("name", "changes", "duration"), EARLY)
def test_a_run_that_stops_early_is_not_converged_and_knows_how_long_it_had_to_go(configs, name, changes, duration):
    scenario = load_scenario(configs / f"{name}.yaml", changes).resolved()
    for save in ("trajectory", "final"):
        scenario["run"] |= {"duration": duration, "save_every": None, "save_at": None, "save": save}
        verdict = classify(run(Scenario.model_validate(scenario)))
        assert verdict.word == "not_converged"
        assert set(verdict.species["plasma"].values()) <= {"not_converged", "isolated"}
        assert np.isnan(verdict.time_to_rest) == (changes == {f"{PUMP}.rate": "0 C/dm^2/s"})
        assert not verdict.time_to_rest <= 0.0


def test_the_time_still_to_go_is_the_time_it_takes(configs):
    early = classify(ran(configs, "leaky_bucket", {"run.duration": "10 min"})).time_to_rest
    for extra, word in ((0.9, "not_converged"), (1.1, "steady_state")):
        later = ran(configs, "leaky_bucket", {"run.duration": 600.0 + extra * early, "run.save": "final"})
        assert classify(later).word == word


def test_a_cell_that_swells_for_ever_says_what_grows_and_how_fast(configs, tmp_path):
    trajectory = ran(configs, "published/kay_2017", {f"{PUMP}.rate": "0 C/dm^2/s"})
    verdict = classify(trajectory)
    assert verdict.run_away.quantity == "volume of cell"
    # Impermeants draw water in ever more slowly: with the root of time.
    assert verdict.run_away.exponent == pytest.approx(0.5, abs=1e-3)
    volume = trajectory.volume[:, trajectory.labels["compartment"].index("cell")]
    slope = np.log(volume[-1] / volume[-2]) / (trajectory.time[-1] - trajectory.time[-2])
    assert verdict.run_away.rate == pytest.approx(slope, rel=1e-2)
    assert "grows without end" in verdict.sentence
    stored = describe(write(trajectory, tmp_path / "swells.h5")).evidence["run_away"]
    assert stored == asdict(verdict.run_away)


def test_impermeants_outside_turn_the_run_away_into_an_equilibrium(configs):
    changes = {
        f"{PUMP}.rate": "0 C/dm^2/s",
        "compartments.bath.concentrations.cl": "140 mM",
        "compartments.bath.impermeant": "{concentration: 10 mM, charge: -1}",
        "run.duration": "200 d",
        "run.save_every": "1 d",
    }
    assert classify(ran(configs, "published/kay_2017", changes)).word == "equilibrium"


@pytest.mark.parametrize(("rate", "word"), [("0 C/dm^2/s", "run_away"), ("5e-5 C/dm^2/s", "steady_state")])
def test_the_pump_decides(configs, rate, word):
    assert classify(ran(configs, "published/kay_2017", {f"{PUMP}.rate": rate})).word == word


def test_blocking_every_path_is_never_an_equilibrium(configs):
    shut = {f"membranes.plasma.mechanisms.{ion}_leak.permeability": "0 m/s" for ion in ("na", "k", "cl")}
    verdict = classify(ran(configs, "sealed_bucket", shut))
    assert verdict.word == "inert"
    assert set(verdict.species["plasma"].values()) == {"isolated"}


def test_a_run_that_failed_is_never_at_rest(configs):
    trajectory = ran(configs, "leaky_bucket", {"run.max_steps": 20})
    assert trajectory.status == "max_steps"
    assert classify(trajectory).word == "not_converged"


def test_a_neuron_in_much_potassium_goes_round_for_ever_and_stopped_early_does_not(configs, tmp_path):
    raised = {"compartments.bath.concentrations.k": "8 mM", "run.save": "final"}
    bursting = ran(configs, "published/barreto_cressman_2011", raised | {"run.duration": "250 s"})
    stored = describe(write(bursting, tmp_path / "bursts.h5"))
    assert stored.verdict == "oscillation"
    assert stored.evidence["species"]["plasma"]["k"] == "oscillation"
    # Between bursts of an independent integration by the method of Runge and Kutta.
    assert stored.evidence["oscillation"]["period"] == pytest.approx(29.643, abs=2e-3)
    assert stored.evidence["oscillation"]["potential"]["plasma"] > 0.1
    early = classify(ran(configs, "published/barreto_cressman_2011", raised | {"run.duration": "1.2 s"}))
    assert early.word == "not_converged"


# -- cycles -----------------------------------------------------------------------------------------


def orbit(rates, start, horizon):
    """An orbit of a system of equations, long enough for two periods as long as a horizon."""
    from scipy.integrate import solve_ivp

    options = {"method": "LSODA", "rtol": 1e-10, "atol": 1e-12}
    solution = solve_ivp(rates, (0.0, 2.5 * horizon), start, dense_output=True, **options).sol
    return lambda times: solution(times).T


def cycle_of(follow, horizon):
    """The cycle found in an orbit, and its states over one period."""
    search = find_cycle([horizon])
    look = next(search)
    while True:
        try:
            look = search.send(follow(look.times))
        except StopIteration as finished:
            found = finished.value
            break
    return found and (found, follow(found.start + np.linspace(0.0, found.period, 20_001)))


def van_der_pol(t, x):
    return [x[1], 5.0 * (1.0 - x[0] ** 2) * x[1] - x[0]]


#: A point on its limit cycle, to ten digits.
ON_CYCLE = orbit(van_der_pol, [1.0, 0.0], 200.0)(np.array([200.0]))[0].tolist()


def test_a_limit_cycle_is_found_with_its_period():
    found, states = cycle_of(orbit(van_der_pol, ON_CYCLE, 300.0), 300.0)
    assert found.period == pytest.approx(11.6122306, rel=1e-6)  # of the van der Pol oscillator at mu = 5
    assert found.distance < 1e-6
    assert np.ptp(states, axis=0)[0] == pytest.approx(2 * 2.0215, rel=1e-3)


def test_an_orbit_that_still_winds_onto_its_cycle_is_not_on_it():
    assert cycle_of(orbit(van_der_pol, [0.01, 0.0], 300.0), 300.0) is None


@pytest.mark.parametrize("damping", [1e-1, 1e-2, 1e-4])
def test_a_damped_spiral_is_no_cycle_however_slowly_it_winds_in(damping):
    def spiral(t, x):
        return [x[1], -x[0] - damping * x[1]]

    assert cycle_of(orbit(spiral, [1.0, 0.0], 600.0), 600.0) is None


@pytest.mark.parametrize("pace", [1e-3, 1e-5])
def test_fast_spikes_on_a_slow_drift_are_no_cycle_until_the_drift_is_over(pace):
    def drifting(t, x):
        return [*van_der_pol(t, x), pace * (1.0 - x[2])]

    assert cycle_of(orbit(drifting, [*ON_CYCLE, 0.0], 600.0), 600.0) is None
    found, _ = cycle_of(orbit(drifting, [*ON_CYCLE, 1.0], 600.0), 600.0)
    assert found.period == pytest.approx(11.6122306, rel=1e-6)


def test_a_burst_is_one_period_of_several_spikes():
    # Two clocks in the ratio 3 : 1 close after the slow one's turn.
    def follow(times):
        slow = np.sin(times), np.cos(times)
        return np.column_stack([np.sin(3 * times) + 0.2 * slow[0], np.cos(3 * times), *slow])

    found, states = cycle_of(follow, 300.0)
    assert len(spikes(states[:, 0])) == 3
    assert found.period == pytest.approx(2 * np.pi, rel=1e-6)


def test_clocks_without_a_common_measure_never_close():
    def follow(times):
        return np.column_stack([np.sin(3 * times), np.sin(np.sqrt(2.0) * times), np.cos(np.sqrt(2.0) * times)])

    assert cycle_of(follow, 300.0) is None
