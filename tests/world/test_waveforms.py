"""What ramps, sines and tables do to a cell, against closed forms and SciPy's integrators."""

import math
from itertools import pairwise

import numpy as np
import pytest
from moving import (
    AREA,
    BATH_K,
    CAPACITANCE,
    CONDUCTANCE,
    CURRENT,
    LEAK,
    PATCH,
    PUMP,
    REVERSAL,
    THERMAL,
    current,
    potential,
)
from places import ROOT
from scipy.integrate import solve_ivp

from simulator.errors import ModelError
from simulator.model.model import Model
from simulator.model.names import parameter_name
from simulator.physics.constants import FARADAY
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.trajectory import parameters_at

CLAMP = "clamp: {plasma: {potential: %s, carrier: k}}"
RAMP = "{at: 0 s, " + CLAMP % "{ramp: [-120 mV, 40 mV], over: 1 s}" + "}"


def relaxed(slope, times, start=-0.08):
    """Potential of the patch [V] by SciPy: C dV/dt = `slope(t, V)`, a sum of currents [A]."""
    found = solve_ivp(
        lambda t, v: slope(t, v[0]) / CAPACITANCE,
        (0.0, times[-1]),
        [start],
        method="DOP853",
        t_eval=times,
        rtol=1e-11,
        atol=1e-14,
        max_step=2e-3,
    )
    return found.y[0]


# -- voltage clamp -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rtol", ["1e-4", "1e-6", "1e-9"])
def test_a_ramp_clamp_shows_the_leak_and_the_capacitance(patch, rtol):
    """I = g (V - E), and C dV/dt = 15 pF times 0.16 V/s = 2.4 pA more through the amplifier."""
    cell = run(patch(RAMP, run__rtol=rtol, membranes__plasma__potential="-120 mV"))
    v = -0.12 + 0.16 * cell.time
    assert potential(cell) == pytest.approx(v, abs=1e-7)
    leak = CONDUCTANCE * (v - REVERSAL) * 1e12
    assert leak[-1] == pytest.approx(187.1, abs=0.05)
    assert current(cell, "k") == pytest.approx(leak, abs=1e-3)
    assert -current(cell, "voltage_clamp")[1:] == pytest.approx(leak[1:] + 2.4, abs=1e-3)


def test_the_amplifier_of_a_ramp_clamp_measures_the_same_at_any_accuracy(patch):
    found = [
        current(run(patch(RAMP, run__rtol=rtol, membranes__plasma__potential="-120 mV")), "voltage_clamp")[-1]
        for rtol in ("1e-4", "1e-5", "1e-7", "1e-9")
    ]
    assert found == pytest.approx([-189.53] * 4, abs=5e-3)


@pytest.mark.parametrize("rtol", ["1e-4", "1e-8"])
@pytest.mark.parametrize(("frequency", "phase"), [(5.0, 0.0), (200.0, 0.25)])
def test_a_sine_clamp_drives_a_capacitive_current_a_quarter_turn_ahead(patch, frequency, phase, rtol):
    wave = f"{{sine: 10 mV, around: -60 mV, frequency: {frequency} Hz, phase: {phase}}}"
    cell = run(
        patch("{at: 0 s, " + CLAMP % wave + "}", run__rtol=rtol, run__save_every="1.3 ms", run__duration="0.65 s")
    )
    turn = 2.0 * math.pi * frequency
    angle = turn * cell.time + 2.0 * math.pi * phase
    v = -0.06 + 0.01 * np.sin(angle)
    assert potential(cell)[1:] == pytest.approx(v[1:], abs=1e-7)
    through = (CONDUCTANCE * (v - REVERSAL) + CAPACITANCE * turn * 0.01 * np.cos(angle)) * 1e12
    assert -current(cell, "voltage_clamp")[1:] == pytest.approx(through[1:], rel=1e-5, abs=1e-6 * np.max(abs(through)))


def test_a_command_with_steps_and_slopes_from_a_table(patch, tmp_path):
    """-80 mV, a jump to -20 mV at 0.2 s, a slope to 20 mV at 0.5 s, held: by hand and from a file, alike to the bit."""
    (tmp_path / "command.csv").write_text("time [ms],command [mV]\n0,-80\n200,-80\n200,-20\n500,20\n")
    listed = "{times: [0 s, 0.2 s, 0.2 s, 0.5 s], values: [-80 mV, -80 mV, -20 mV, 20 mV]}"
    cells = [
        run(patch("{at: 0.1 s, " + CLAMP % wave + "}", run__save_every="15 ms"))
        for wave in (listed, "{table: command.csv}")
    ]
    assert np.array_equal(cells[0].states, cells[1].states)
    t = cells[0].time
    v = np.interp(t, [0.3, 0.6], [-0.02, 0.02])
    v[t <= 0.3] = -0.08
    clamped = t > 0.1
    assert potential(cells[0])[clamped] == pytest.approx(v[clamped], abs=1e-7)
    assert -current(cells[0], "voltage_clamp")[clamped] == pytest.approx(
        (CONDUCTANCE * (v - REVERSAL) + CAPACITANCE * (0.04 / 0.3) * ((t > 0.3) & (t <= 0.6)))[clamped] * 1e12, abs=1e-3
    )


def test_a_moving_clamp_ends_when_it_is_released(patch):
    """At 0.5 s the ramp is at -40 mV; from there V returns to E_K with the time constant C/g = 10 ms."""
    cell = run(patch(RAMP, "{at: 0.5 s, release: [plasma]}", run__rtol="1e-9"))
    later = cell.time > 0.5 + 1e-9
    decay = np.exp(-(cell.time[later] - 0.5) * CONDUCTANCE / CAPACITANCE)
    assert potential(cell)[later] == pytest.approx(REVERSAL + (-0.04 - REVERSAL) * decay, abs=1e-8)
    assert current(cell, "voltage_clamp")[later] == pytest.approx(0.0, abs=1e-12)


def test_pulses_of_a_clamp_let_the_cell_go_between_them(patch):
    train = "{at: 0.1 s, lasting: 0.1 s, every: 0.4 s, times: 2, " + CLAMP % "{ramp: [-60 mV, -20 mV]}" + "}"
    cell = run(patch(train, run__rtol="1e-9", run__save_every="7 ms"))
    for onset in (0.1, 0.5):
        inside = (cell.time > onset) & (cell.time <= onset + 0.1)
        assert potential(cell)[inside] == pytest.approx(-0.06 + 0.4 * (cell.time[inside] - onset), abs=1e-7)
        after = (cell.time > onset + 0.1) & (cell.time <= onset + 0.4)
        decay = np.exp(-(cell.time[after] - onset - 0.1) * 100.0)
        assert potential(cell)[after] == pytest.approx(REVERSAL + (-0.02 - REVERSAL) * decay, abs=1e-8)


# -- what is set --------------------------------------------------------------------------------------


def test_a_sine_current_charges_a_passive_membrane_as_its_impedance_says(patch):
    """V - E = R I0 / sqrt(1 + (w tau)^2) sin(w t - atan(w tau)) plus what dies out with tau = 10 ms."""
    sine = f"{{at: 0 s, set: {{{CURRENT}: {{sine: 20 pA, around: 0 pA, frequency: 20 Hz}}}}}}"
    cell = run(patch(sine, run__rtol="1e-9", run__save_every="1.7 ms", run__duration="0.51 s"))
    turn, tau = 40.0 * math.pi, CAPACITANCE / CONDUCTANCE
    size, late = 20e-12 / CONDUCTANCE / math.hypot(1.0, turn * tau), math.atan(turn * tau)
    sign = math.copysign(
        1.0, potential(cell)[3] - potential(run(patch(run__save_every="1.7 ms", run__duration="51 ms")))[3]
    )
    swing = sign * size * np.sin(turn * cell.time - late)
    decay = (-0.08 - REVERSAL + sign * size * math.sin(late)) * np.exp(-cell.time / tau)
    assert sign > 0, "a positive current depolarises"
    assert potential(cell) == pytest.approx(REVERSAL + swing + decay, abs=2e-9)


def test_a_conductance_that_swings_against_scipy(patch):
    sine = f"{{at: 0 s, set: {{{LEAK}: {{sine: 0.05 mS/cm^2, around: 0.1 mS/cm^2, period: 37 ms, phase: -0.1}}}}}}"
    cell = run(patch(sine, f"{{at: 0 s, set: {{{CURRENT}: 30 pA}}}}", run__rtol="1e-9", run__save_every="3 ms"))
    turn = 2.0 * math.pi / 0.037

    def slope(t, v):
        return 30e-12 - AREA * (1.0 + 0.5 * math.sin(turn * t - 0.2 * math.pi)) * (v - REVERSAL)

    assert potential(cell) == pytest.approx(relaxed(slope, cell.time), abs=1e-8)


def test_potassium_that_rises_in_the_bath_takes_the_potential_along(patch):
    """Steady K entry at 20 mM/s: V follows RT/F ln(K_o/140)."""
    ramp = f"{{at: 0.2 s, set: {{{BATH_K}: {{ramp: [5 mM, 15 mM], over: 0.5 s}}}}}}"
    cell = run(patch(ramp, run__rtol="1e-9"))

    def outside(t):
        return 5.0 + 20.0 * min(max(t - 0.2, 0.0), 0.5)

    def slope(t, v):
        return -CONDUCTANCE * (v - THERMAL * math.log(outside(t) / 140.0))

    assert potential(cell) == pytest.approx(relaxed(slope, cell.time), abs=2e-8)
    nernst = Analysis(cell).nernst.sel(membrane="plasma", species="k")
    assert nernst == pytest.approx([THERMAL * math.log(outside(t) / 140.0) for t in cell.time], abs=1e-9)


def test_warming_moves_the_reversal_potential_with_the_temperature(patch):
    ramp = "{at: 0 s, set: {temperature: {ramp: [10 degC, 40 degC], over: 1 s}}}"
    cell = run(patch(ramp, run__rtol="1e-9"))

    def slope(t, v):
        return -CONDUCTANCE * (v - 8.314462618 * (283.15 + 30.0 * t) / FARADAY * math.log(5.0 / 140.0))

    assert potential(cell) == pytest.approx(relaxed(slope, cell.time), abs=1e-8)


def test_warming_also_where_a_pump_spends_atp(patch):
    """The Hill pump does not depend on the temperature: its outward current shifts V by a constant."""
    ramp = "{at: 0 s, set: {temperature: {ramp: [10 degC, 40 degC], over: 1 s}}}"
    cell = run(patch(ramp, run__rtol="1e-9", **{PUMP.replace(".", "__"): "0.2 umol/m^2/s"}))
    pumped = np.asarray(Analysis(cell).current.sel(mechanism="plasma.pump")) * AREA
    assert pumped == pytest.approx(pumped[0], rel=2e-6), "but for the Na that it takes out of a large volume"

    def slope(t, v):
        reversal = 8.314462618 * (283.15 + 30.0 * t) / FARADAY * math.log(5.0 / 140.0)
        return -CONDUCTANCE * (v - reversal) - pumped[0]

    assert potential(cell) == pytest.approx(relaxed(slope, cell.time), abs=1e-7)
    affinity = Analysis(cell).affinity.sel(mechanism="plasma.pump")
    assert np.all(np.isfinite(affinity))


# -- waves and other events ----------------------------------------------------------------------------


def conductance(trajectory):
    """Conductance of the leak [S/m2] up to each saved time."""
    return Analysis(trajectory).parameter(parameter_name("plasma", "k", "conductance"))


def test_a_ramp_is_held_when_it_is_over_and_replaced_by_what_is_set_later(patch):
    held = f"{{at: 0.1 s, set: {{{LEAK}: {{ramp: [0.1 mS/cm^2, 0.3 mS/cm^2], over: 0.4 s}}}}}}"
    t = np.arange(101) * 0.01
    found = conductance(run(patch(held)))
    assert found == pytest.approx(np.interp(t, [0.1, 0.5], [1.0, 3.0]), rel=1e-12)
    cut = conductance(run(patch(held, f"{{at: 0.3 s, set: {{{LEAK}: 0.05 mS/cm^2}}}}")))
    up_to = t <= 0.3 + 1e-12
    assert cut[up_to] == pytest.approx(np.interp(t, [0.1, 0.5], [1.0, 3.0])[up_to], rel=1e-12)
    assert cut[~up_to] == pytest.approx(0.5, rel=1e-12)


def test_a_pulse_on_top_of_a_wave_leaves_the_wave_where_it_has_come_to(patch):
    slow = f"{{at: 0 s, set: {{{LEAK}: {{ramp: [0.1 mS/cm^2, 0.2 mS/cm^2], over: 1 s}}}}}}"
    sine = "{sine: 0.1 mS/cm^2, around: 0.5 mS/cm^2, frequency: 10 Hz}"
    pulse = f"{{at: 0.405 s, lasting: 0.2 s, set: {{{LEAK}: {sine}}}}}"
    found, t = conductance(run(patch(slow, pulse))), np.arange(101) * 0.01
    during = (t > 0.405) & (t <= 0.605)
    assert found[~during] == pytest.approx((1.0 + t)[~during], rel=1e-12)
    assert found[during] == pytest.approx((5.0 + np.sin(20.0 * np.pi * (t - 0.405)))[during], rel=1e-9)


def test_waves_in_the_pulses_of_a_train_begin_anew_in_each(patch):
    train = f"{{at: 0.1 s, lasting: 0.1 s, every: 0.25 s, set: {{{LEAK}: {{ramp: [0.2 mS/cm^2, 0.4 mS/cm^2]}}}}}}"
    found, t = (
        conductance(run(patch(train, run__save_every="3.7 ms", run__duration="0.999 s"))),
        np.arange(271) * 0.0037,
    )
    into = (t - 0.1) % 0.25
    during = (t > 0.1) & (into > 0.0) & (into <= 0.1)
    assert found[during] == pytest.approx((2.0 + 20.0 * into)[during], rel=1e-9)
    assert found[~during] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    "wave", ["{ramp: [0 pA, 60 pA], over: 60 ms}", "{times: [0 s, 60 ms, 70 ms], values: [0 pA, 60 pA, -100 pA]}"]
)
@pytest.mark.parametrize("every", [0.05, np.array([0.05, 0.05])])
def test_a_ramp_that_its_pulse_cuts_off_does_not_reach_into_the_next_pulse(patch, wave, every):
    """It rises by 1 pA/ms in each pulse of 20 ms, and its end after 60 ms comes in none of them."""
    scenario = patch(f"{{at: 0 s, lasting: 20 ms, every: 50 ms, set: {{{CURRENT}: {wave}}}}}", run__save_every="5 ms")
    cell = run(scenario) if np.ndim(every) == 0 else run_batch(scenario, {"protocol.0.every": every}).trajectory(1)
    phase = np.round(cell.time * 1e3 - 1e-6) % 50  # a state at the time of an event is of before it
    assert -current(cell, "stimulus") == pytest.approx(np.where((phase <= 20) & (phase > 0), phase, 0.0), abs=1e-6)


def test_a_scale_and_a_ratio_to_it_may_move_one_after_the_other_but_not_together(tmp_path):
    """The permeability is their product, which no straight line follows."""
    scale, ratio = "membranes.plasma.permeability_scale", "membranes.plasma.mechanisms.k.permeability"
    text = PATCH.replace("leak_ohmic, ion: k, conductance: 0.1 mS/cm^2", "leak_ghk, ion: k, permeability: 0.5")
    text = text.replace("    area:", "    permeability_scale: 4e-9 m/s\n    area:")
    first = f"  - {{at: 0 s, set: {{{scale}: {{ramp: [4e-9 m/s, 8e-9 m/s], over: 100 ms}}}}}}\n"
    second = f"  - {{at: %s, set: {{{ratio}: {{ramp: [0.5, 1], over: 100 ms}}}}}}\n"
    cell = tmp_path / "cell.yaml"

    def permeability(begins, time):
        cell.write_text(text.replace("PROTOCOL", "protocol:\n" + first + second % begins))
        model = Model.of(load_scenario(cell))
        place = model.structure.parameters.index(parameter_name("plasma", "k", "permeability"))
        return parameters_at(model, np.array(time))[:, place]

    found = permeability("200 ms", [0.05, 0.15, 0.25, 0.4])
    assert found == pytest.approx([6e-9 * 0.5, 8e-9 * 0.5, 8e-9 * 0.75, 8e-9], rel=1e-12)
    with pytest.raises(ModelError, match=r"protocol\.1\.set.*moves while protocol\.0\.set.*their product"):
        permeability("50 ms", [0.0])


def test_a_wave_of_one_parameter_goes_on_while_another_is_changed(patch):
    slow = f"{{at: 0 s, set: {{{LEAK}: {{sine: 0.05 mS/cm^2, around: 0.1 mS/cm^2, period: 0.3 s}}}}}}"
    other = f"{{at: 0.1 s, lasting: 50 ms, every: 0.2 s, set: {{{CURRENT}: 10 pA}}}}"
    cell = run(patch(slow, other, run__rtol="1e-9"))
    t = cell.time
    assert conductance(cell) == pytest.approx(1.0 + 0.5 * np.sin(2.0 * np.pi * t / 0.3), abs=1e-12)

    v = -0.08
    for begin, end in pairwise([0.0, *(0.1 + 0.2 * i + late for i in range(5) for late in (0.0, 0.05))]):
        on = 10e-12 if 0.0 < end - begin < 0.06 else 0.0
        found = solve_ivp(
            lambda t, y, on=on: (
                (on - AREA * (1 + 0.5 * math.sin(2 * math.pi * t / 0.3)) * (y - REVERSAL)) / CAPACITANCE
            ),
            (begin, end),
            [v],
            method="DOP853",
            rtol=1e-11,
            atol=1e-14,
        )
        v = found.y[0, -1]
        assert potential(cell)[round(end * 100)] == pytest.approx(v, abs=1e-8)


def test_a_clamp_without_capacitance_carries_no_capacitive_current(patch):
    """In the electroneutral formulation the amplifier carries what the leak does, and nothing more."""
    cell = run(patch(RAMP, formulation="electroneutral", membranes__plasma__potential="-120 mV"))
    v = -0.12 + 0.16 * cell.time
    assert potential(cell) == pytest.approx(v, abs=1e-7)
    assert -current(cell, "voltage_clamp")[1:] == pytest.approx(CONDUCTANCE * (v - REVERSAL)[1:] * 1e12, abs=1e-3)


def test_a_capacitance_that_grows_under_a_clamp_needs_charge(patch):
    """I = V dC/dt: 15 pF/s at -60 mV is -0.9 pA."""
    grow = "{at: 0 s, set: {membranes.plasma.capacitance: {ramp: [1 uF/cm^2, 2 uF/cm^2], over: 1 s}}}"
    cell = run(patch("{at: 0 s, " + CLAMP % "-60 mV" + "}", grow))
    through = CONDUCTANCE * (-0.06 - REVERSAL) * 1e12 - 0.9
    assert -current(cell, "voltage_clamp")[1:] == pytest.approx(np.full(100, through), abs=1e-3)


def test_a_number_that_acts_on_nothing_may_move(patch):
    fixed = {"compartments__bath__impermeant": "{concentration: 1 mM, charge: -1}"}
    event = "{at: 0 s, set: {compartments.bath.impermeant.charge: {ramp: [-1, -2], over: 1 s}}}"
    assert np.array_equal(run(patch(event, **fixed)).potential.values, run(patch(**fixed)).potential.values)


def test_the_shipped_ramp_shows_what_its_comment_says(configs):
    cell = run(load_scenario(configs / "voltage_clamp.yaml"))
    v, at = potential(cell), {t: round(t / 2e-3) for t in (1.1, 1.102)}
    k, na, amplifier = (current(cell, label) for label in ("k_leak", "na_leak", "voltage_clamp"))
    sodium = THERMAL * math.log(14.0)
    zero = (REVERSAL + 0.1 * sodium) / 1.1
    assert [REVERSAL, sodium, zero] == pytest.approx([-84.8e-3, 67.1e-3, -70.9e-3], abs=6e-5)
    rising = slice(51, 551)
    assert np.interp(0.0, (k + na)[rising], v[rising]) == pytest.approx(zero, abs=1e-5)
    assert np.interp(0.0, -amplifier[rising], v[rising]) == pytest.approx(zero - 2.4 / 1650.0, abs=1e-5)
    assert [k[at[1.1]], na[at[1.1]]] == pytest.approx([187.1, -4.1], abs=0.05)
    assert [amplifier[i] for i in at.values()] == pytest.approx([-185.5, -183.1], abs=0.05)


def test_the_example_of_the_guide_does_what_its_comments_say(tmp_path):
    text = (ROOT / "docs" / "waveforms.md").read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "guide.yaml").write_text(text)
    cell = run(load_scenario(tmp_path / "guide.yaml"))
    assert cell.status == "ok"
    found = dict(zip(cell.structure.parameters, cell.parameters.T, strict=True))
    t, bath = cell.time, found["c_bath_k"]
    assert bath == pytest.approx(np.interp(t, [1.0, 3.0], [4.0, 8.0]), rel=1e-9)
    area = 4.0 * math.pi * 1e-10
    injected = found[parameter_name("plasma", "stimulus", "current")] * area * 1e12
    sine = (t > 4.0) & (t <= 6.0)
    assert injected[sine] == pytest.approx(10.0 + 20.0 * np.sin(20.0 * math.pi * t[sine]), abs=1e-6)
    into = (np.round(1e3 * t).astype(int) - 8000) % 50  # ms
    pulses = (t > 8.0) & (into > 0) & (into < 20)
    assert injected[pulses] == pytest.approx(2.5 * into[pulses], abs=1e-6)
    assert np.all(injected[(t > 8.0) & (into > 20)] == 0.0)
    held = (t > 6.0) & (t <= 7.0)
    command = np.where(t <= 6.2 + 1e-9, -0.08, np.interp(t, [6.2, 6.6], [-0.02, 0.02]))
    assert potential(cell)[held] == pytest.approx(command[held], abs=1e-7)


def test_the_table_of_the_guide_is_the_list_of_the_guide(patch, tmp_path):
    guide = (ROOT / "docs" / "waveforms.md").read_text("utf-8")
    (tmp_path / "command.csv").write_text(guide[guide.index("time [ms],command [mV]") :].partition("```")[0])
    listed = "{times: [0 s, 200 ms, 200 ms, 600 ms], values: [-80 mV, -80 mV, -20 mV, 20 mV]}"
    assert listed in guide
    waves = ("{table: command.csv}", listed)
    cells = [run(patch("{at: 0.1 s, " + CLAMP % wave + "}")) for wave in waves]
    assert np.array_equal(cells[0].states, cells[1].states)
