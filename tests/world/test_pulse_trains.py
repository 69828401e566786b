"""Pulse trains that are written down once per common period: the same run as pulse by pulse."""

import numpy as np
import pytest
from moving import BATH_K, CURRENT, LEAK, REVERSAL, potential

from simulator.errors import ModelError
from simulator.model import protocol
from simulator.model.model import Model
from simulator.model.names import parameter_name
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.trajectory.trajectory import parameters_at
from simulator.verdict.verdict import classify

SHORT = f"{{at: 13 ms, lasting: 5 ms, every: 20 ms, set: {{{CURRENT}: 30 pA}}}}"
SLOW = f"{{at: 0.1 s, lasting: 11 ms, every: 50 ms, set: {{{LEAK}: 0.2 mS/cm^2}}}}"
RAMPS = f"{{at: 13 ms, lasting: 5 ms, every: 20 ms, set: {{{LEAK}: {{ramp: [0.1 mS/cm^2, 0.4 mS/cm^2]}}}}}}"
CUT = f"{{at: 13 ms, lasting: 5 ms, every: 20 ms, set: {{{LEAK}: {{ramp: [0.1 mS/cm^2, 0.9 mS/cm^2], over: 22 ms}}}}}}"
STEPS = (
    f"{{at: 13 ms, lasting: 9 ms, every: 20 ms, "
    f"set: {{{CURRENT}: {{times: [1 ms, 3 ms, 3 ms, 7 ms], values: [10 pA, 40 pA, -20 pA, 0 pA]}}}}}}"
)
SINES = (
    f"{{at: 40 ms, lasting: 9 ms, every: 20 ms, "
    f"set: {{{CURRENT}: {{sine: 20 pA, around: 5 pA, frequency: 300 Hz, phase: 0.1}}}}}}"
)
BREATH = f"{{at: 0.07 s, set: {{{BATH_K}: {{sine: 1 mM, around: 5 mM, period: 0.33 s}}}}}}"
RISE = f"{{at: 0.31 s, set: {{{BATH_K}: {{ramp: [5 mM, 9 mM], over: 0.35 s}}}}}}"
ONCE = f"{{at: 0.513 s, set: {{{LEAK}: 0.3 mS/cm^2}}}}"
SINGLE = f"{{at: 0.415 s, lasting: 0.1 s, set: {{{CURRENT}: 5 pA}}}}"
COUNTED = f"{{at: 0.2 s, lasting: 3 ms, every: 15 ms, times: 30, set: {{{BATH_K}: 8 mM}}}}"
CLAMPS = "{at: 30 ms, lasting: 4 ms, every: 50 ms, clamp: {plasma: {potential: {ramp: [-60 mV, -20 mV]}, carrier: k}}}"

PROTOCOLS = {
    "one": [SHORT],
    "two": [SHORT, SLOW],
    "two that begin together": [SHORT, RAMPS],
    "ramps": [RAMPS],
    "ramps longer than their pulses": [CUT],
    "steps": [STEPS],
    "sines": [SINES],
    "a sine beside": [SHORT, BREATH],
    "a ramp beside": [RAMPS, RISE],
    "a change for good": [SHORT, ONCE],
    "a single pulse": [STEPS, SINGLE],
    "one that ends": [SHORT, COUNTED],
    "a few beside": [SHORT, COUNTED.replace("times: 30", "times: 3")],
    "clamps": [CLAMPS],
    "a clamp that is let go": [CLAMPS, SHORT, "{at: 0.332 s, release: [plasma]}"],
    "everything": [RAMPS, STEPS, BREATH, ONCE, SINGLE, COUNTED],
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_trains_in_blocks_do_what_they_do_one_by_one(patch, monkeypatch, name):
    scenario = patch(*PROTOCOLS[name], run__save_every="1.7 ms", run__rtol="1e-8")
    listed, times = run(scenario), np.linspace(0.0, 1.0, 4567)
    whole, force = Model.of(scenario).events().table.shape[1], parameters_at(Model.of(scenario), times)
    monkeypatch.setattr(protocol, "LISTED", 3)
    repeated = Model.of(scenario)
    assert repeated.events().table.shape[1] < whole
    assert parameters_at(repeated, times) == pytest.approx(force, rel=1e-9, abs=1e-12)
    assert potential(run(scenario)) == pytest.approx(potential(listed), abs=2e-8)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_all_moments_are_found_in_either_form(patch, monkeypatch, name):
    scenario = patch(*PROTOCOLS[name])
    listed = Model.of(scenario).events().times_within(1.0, 10_000)
    monkeypatch.setattr(protocol, "LISTED", 3)
    found = Model.of(scenario).events().times_within(1.0, 10_000)
    # Two times that are equal but for rounding are one moment.
    one = [times[np.append(True, np.diff(times) > 1e-9)] for times in (listed, found)]
    assert one[1] == pytest.approx(one[0], rel=1e-12)


@pytest.mark.parametrize("most", [3, 1000])
def test_a_state_at_the_time_of_an_event_belongs_to_what_was_before_it(patch, monkeypatch, most):
    monkeypatch.setattr(protocol, "LISTED", most)
    model = Model.of(
        patch(f"{{at: 0.25 s, lasting: 0.125 s, every: 0.25 s, set: {{{LEAK}: 0.2 mS/cm^2}}}}", run__duration="4 s")
    )
    place = model.structure.parameters.index(parameter_name("plasma", "k", "conductance"))
    found = parameters_at(model, np.arange(0.0, 4.0, 0.125))[:, place]
    assert np.array_equal(found, [1.0, 1.0, 1.0] + [2.0, 1.0] * 14 + [2.0])


def test_trains_without_a_common_period_are_refused_only_if_they_are_long(patch, monkeypatch):
    odd = f"{{at: 0 s, lasting: 5 ms, every: 14.1421356 ms, set: {{{LEAK}: 0.2 mS/cm^2}}}}"
    assert run(patch(SHORT, odd)).status == "ok"
    monkeypatch.setattr(protocol, "LISTED", 3)
    assert Model.of(patch(SHORT, odd)).events().table.shape[1] > 200, "fifty and seventy pulses, one by one"
    monkeypatch.setattr(protocol, "MOST_LISTED", 3)
    with pytest.raises(ModelError, match=r"protocol\.1\.every.*no common period"):
        Model.of(patch(SHORT, odd)).events()


def test_runs_of_a_sweep_have_trains_of_their_own(patch, monkeypatch):
    """Each run of a batch is the lone run to the last bit, in blocks as in lists."""
    every, rises = np.array([0.02, 0.03, 0.02, 0.05]), np.array([3.0, 4.0, 5.0, 3.0])
    for most in (1000, 3):
        monkeypatch.setattr(protocol, "LISTED", most)
        batch = run_batch(
            patch(RAMPS), {"protocol.0.every": every, f"protocol.0.set.{LEAK}.ramp.1": rises}, save="trajectory"
        )
        for i in range(4):
            alone = run(patch(RAMPS, **{"protocol.0.every": every[i], f"protocol.0.set.{LEAK}.ramp.1": rises[i]}))
            assert np.array_equal(batch.trajectory(i).states, alone.states)


# -- verdicts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [0.02, 0.0005])
def test_a_cell_under_endless_pulses_follows_them(patch, every):
    """The second train has 2000 pulses, and is written down once for each period."""
    train = f"{{at: {0.65 * every} s, lasting: {0.25 * every} s, every: {every} s, set: {{{CURRENT}: 30 pA}}}}"
    verdict = classify(run(patch(train)))
    assert verdict.word == "entrained"
    assert verdict.entrainment.period == pytest.approx(every, rel=1e-9)


def test_two_trains_repeat_with_their_common_period(patch):
    verdict = classify(run(patch(SHORT, SLOW)))
    assert (verdict.word, verdict.entrainment.period) == ("entrained", pytest.approx(0.1, rel=1e-9))


def test_a_cell_under_a_sine_follows_it(patch):
    verdict = classify(run(patch(BREATH, run__duration="3 s")))
    assert (verdict.word, verdict.entrainment.period) == ("entrained", pytest.approx(0.33, rel=1e-9))


def test_a_clamped_cell_under_a_sine_follows_it(patch):
    sine = "{at: 0 s, clamp: {plasma: {potential: {sine: 10 mV, around: -60 mV, frequency: 8 Hz}, carrier: k}}}"
    verdict = classify(run(patch(sine)))
    assert (verdict.word, verdict.entrainment.period) == ("entrained", pytest.approx(0.125, rel=1e-9))
    assert verdict.entrainment.potential["plasma"] == pytest.approx(0.02, rel=1e-4)


def test_the_swing_of_a_capacitance_is_judged_at_the_right_time(patch):
    """A charge that stays, on a capacitance that swings by a tenth: V swings from Q/1.1 C to Q/0.9 C."""
    swing = "{at: 0.033 s, set: {membranes.plasma.capacitance: {sine: 0.1 uF/cm^2, around: 1 uF/cm^2, period: 1 ms}}}"
    verdict = classify(run(patch(swing, run__duration="0.2 s", run__save_every="10 ms")))
    assert verdict.word == "entrained"
    mean = abs(REVERSAL) * np.sqrt(1.0 - 0.1**2)
    assert verdict.entrainment.potential["plasma"] == pytest.approx(mean * (1 / 0.9 - 1 / 1.1), rel=1e-2)


def test_a_sine_and_a_train_repeat_together(patch):
    swing = f"{{at: 0.07 s, set: {{{BATH_K}: {{sine: 1 mM, around: 5 mM, period: 30 ms}}}}}}"
    verdict = classify(run(patch(SHORT, swing)))
    assert (verdict.word, verdict.entrainment.period) == ("entrained", pytest.approx(0.06, rel=1e-9))


@pytest.mark.parametrize("duration", ["1 s", "0.994 s", "0.997 s"])
def test_a_cell_follows_ramps_in_pulses_wherever_the_run_ends(patch, duration):
    verdict = classify(run(patch(RAMPS, f"{{at: 0 s, set: {{{CURRENT}: 20 pA}}}}", run__duration=duration)))
    assert (verdict.word, verdict.entrainment.period) == ("entrained", pytest.approx(0.02, rel=1e-9))


def test_what_the_protocol_still_moves_is_not_at_rest_and_is_named(patch):
    slow = f"{{at: 0.3 s, set: {{{BATH_K}: {{ramp: [5 mM, 6 mM], over: 10 h}}}}}}"
    for others in ([], [SHORT]):
        verdict = classify(run(patch(slow, *others)))
        assert verdict.word == "not_converged"
        assert verdict.ahead == f"as the protocol still moves {BATH_K}"
    assert classify(run(patch(slow.replace("10 h", "0.1 s")))).word == "equilibrium"


def test_a_moving_clamp_is_named(patch):
    ramp = "{at: 0 s, clamp: {plasma: {potential: {ramp: [-80 mV, 0 mV], over: 2 s}, carrier: k}}}"
    assert classify(run(patch(ramp))).sentence.startswith(
        "still changing, as the protocol still moves the clamp of plasma"
    )
    assert classify(run(patch(ramp, "{at: 0.5 s, release: [plasma]}"))).word == "equilibrium"


def test_what_never_repeats_is_not_at_rest(patch):
    swing = f"{{at: 0 s, set: {{{BATH_K}: {{sine: 1 mM, around: 5 mM, period: 28.28427 ms}}}}}}"
    verdict = classify(run(patch(SHORT, swing)))
    assert (verdict.word, verdict.ahead) == ("not_converged", "pulses and sines of the protocol have no common period")


def test_a_run_until_it_is_steady_ends_after_its_waves_are_over(patch):
    ramp = f"{{at: 0.1 s, set: {{{BATH_K}: {{ramp: [5 mM, 9 mM], over: 0.3 s}}}}}}"
    ended = run(patch(ramp, run__until="steady"))
    assert 0.4 < ended.time[-1] < 1.0
    assert classify(ended).word == "equilibrium"
    endless = run(patch(BREATH, run__until="steady"))
    assert endless.time[-1] == 1.0


def test_a_sine_goes_on_for_longer_than_the_limit_of_steps(patch):
    """32 steps in each of 3000 periods, with 500 at most between two events."""
    swing = f"{{at: 0 s, set: {{{CURRENT}: {{sine: 10 pA, around: 0 pA, period: 1 ms}}}}}}"
    assert run(patch(swing, run__duration="3 s", run__save="final", run__max_steps=500)).status == "ok"
    assert run(patch(swing, run__duration="3 s", run__save="final", run__max_steps=20)).status == "max_steps"


def test_runs_of_a_batch_get_the_words_that_they_get_alone(patch):
    ramp = f"{{at: 0.1 s, set: {{{BATH_K}: {{ramp: [5 mM, 9 mM], over: 0.3 s}}}}}}"
    over, period = (f"protocol.0.set.{BATH_K}.{name}" for name in ("over", "period"))
    rests, follows, moves = "equilibrium", "entrained", "not_converged"
    for events, key, values, words in (
        ([ramp], over, [0.3, 5.0, 0.1], [rests, moves, rests]),
        ([BREATH, SHORT], period, [0.03, 0.0282842, 0.01], [follows, moves, follows]),
    ):
        batch = run_batch(patch(*events), {key: np.array(values)})
        assert list(batch.verdict) == words
        assert [classify(batch.trajectory(i)).word for i in range(3)] == words
