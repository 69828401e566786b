"""Branches of rest points against the authors' equations written out here, and against rest points found one by one."""

from itertools import pairwise

import numpy as np
import pytest
from places import CONFIGS
from scipy.optimize import brentq, fsolve

from simulator import continuation, load_scenario
from simulator.errors import UsageError
from simulator.physics.constants import FARADAY, GAS_CONSTANT
from simulator.verdict.steady import steady_states

PUMP = "membranes.plasma.mechanisms.pump.max_rate"
THERMAL = 26.64  # mV
PER_CURRENT = 1.0e-6 / FARADAY  # uA/cm2 in mol/cm2/s


class HuebelAndDahlem:
    """The neuron of Huebel & Dahlem 2014 in mM, mV, ms, uA/cm2: states Na and K inside, V and n."""

    INSIDE, OUTSIDE, AREA = 2160.0, 720.0, 922.00322  # um3, um3, um2
    START = (25.2290967826, 129.256345, 9.89655581, -67.1938824408)
    AROUND = (125.312714652, 4.00388491716, 123.282649569)

    def outside(self, start, around, now):
        return around + (start - now) * self.INSIDE / self.OUTSIDE

    def rates(self, state, rho):
        """Rates of change [mM/ms, mV/ms, 1/ms], of complex numbers as well."""
        na, k, v, n = state
        na0, k0, cl0, v0 = self.START
        # 1 uF/cm2: the charge that came to the membrane since the start, in mM of the inside (um2/um3 -> 1/cm: 1e4).
        charge = (v - v0) * 1e-3 * PER_CURRENT * self.AREA / self.INSIDE * 1e4 * 1e6
        cl = cl0 + (na - na0) + (k - k0) - charge
        na_o, k_o, cl_o = (self.outside(*pair) for pair in zip((na0, k0, cl0), self.AROUND, (na, k, cl), strict=True))
        e_na, e_k, e_cl = (THERMAL * np.log(r) for r in (na_o / na, k_o / k, cl / cl_o))
        a_m, b_m = 0.1 * (v + 30) / (1 - np.exp(-(v + 30) / 10)), 4 * np.exp(-(v + 55) / 18)
        a_n, b_n = 0.01 * (v + 34) / (1 - np.exp(-(v + 34) / 10)), 0.125 * np.exp(-(v + 44) / 80)
        h = 1 - 1 / (1 + np.exp(-6.5 * (n - 0.35)))
        i_na = (0.0175 + 100 * (a_m / (a_m + b_m)) ** 3 * h) * (v - e_na)
        i_k = (0.05 + 40 * n**4) * (v - e_k)
        i_cl = 0.02 * (v - e_cl)
        pump = rho / (1 + np.exp((25 - na) / 3)) / (1 + np.exp(5.5 - k_o))
        to_mm = PER_CURRENT * self.AREA / self.INSIDE * 1e4 * 1e6 * 1e-3
        return np.array(
            [
                -to_mm * (i_na + 3 * pump),
                -to_mm * (i_k - 2 * pump),
                -(i_na + i_k + i_cl + pump),
                3 * (a_n * (1 - n) - b_n * n),
            ]
        )

    def jacobian(self, state, rho):
        """By complex steps, exact to the last digits."""
        steps = 1e-30j * np.eye(4)
        return np.column_stack([self.rates(state + step, rho).imag / 1e-30 for step in steps])

    def resting(self, v, guess):
        """State and pump rate at rest at a potential: Na and K inside and the rate are the unknowns."""
        a_n, b_n = 0.01 * (v + 34) / (1 - np.exp(-(v + 34) / 10)), 0.125 * np.exp(-(v + 44) / 80)
        n = a_n / (a_n + b_n)
        size = np.array([1e-3, 1e-3, 1.0]) * self.rates(guess[:4] * 1.01, guess[4])[:3]

        def of(parts):
            na, k, rho = parts * guess[[0, 1, 4]]
            return self.rates(np.array([na, k, v, n]), rho)[:3] / size

        parts, *_ = fsolve(of, np.ones(3), xtol=1e-14, full_output=True)
        na, k, rho = parts * guess[[0, 1, 4]]
        assert np.max(np.abs(of(parts) * size)) < 1e-11
        return np.array([na, k, v, n]), rho

    def special(self, kind, guess, within=0.1):
        """State and pump rate where the Jacobian is singular, or a Hurwitz determinant is zero, within so many mV."""

        def of(v):
            a1, a2, a3, a4 = np.poly(self.jacobian(*self.resting(v, guess)))[1:]
            return a4 if kind == "fold" else a1 * a2 * a3 - a3 * a3 - a1 * a1 * a4

        return self.resting(brentq(of, guess[2] - within, guess[2] + 0.7 * within, xtol=1e-12), guess)


class BarretoAndCressman:
    """The neuron of Barreto & Cressman 2011 in mM, mV, s: states V, n, h, Na inside and K in the cleft."""

    RATIO, PER_CURRENT = 7.0, 0.044494542  # of volumes; mM/s per uA/cm2

    def gates(self, v):
        """Opening and closing rates [1/ms] of n and h."""
        a_n, b_n = 0.03 * (v + 34) / (1 - np.exp(-(v + 34) / 10)), 0.375 * np.exp(-(v + 44) / 80)
        return (a_n, b_n), (0.21 * np.exp(-(v + 44) / 20), 3 / (1 + np.exp(-(v + 14) / 10)))

    def rates(self, state, bath):
        v, n, h, na, k_out = state
        a_m, b_m = 0.1 * (v + 30) / (1 - np.exp(-(v + 30) / 10)), 4 * np.exp(-(v + 55) / 18)
        i_na = (100 * (a_m / (a_m + b_m)) ** 3 * h + 0.0175) * (
            v - THERMAL * np.log((161.5 - self.RATIO * (na - 15.5)) / na)
        )
        i_k = (40 * n**4 + 0.05) * (v - THERMAL * np.log(k_out / (158 - na)))
        i_cl = 0.05 * (v + 81.93864549)
        pump = 1.25 / (1 + np.exp((25 - na) / 3)) / (1 + np.exp(5.5 - k_out))
        glia = 66.666666666 / (1 + np.exp((18 - k_out) / 2.5))
        (a_n, b_n), (a_h, b_h) = self.gates(v)
        return np.array(
            [
                -1e3 * (i_na + i_k + i_cl),
                1e3 * (a_n * (1 - n) - b_n * n),
                1e3 * (a_h * (1 - h) - b_h * h),
                -self.PER_CURRENT * i_na - 3 * pump,
                self.RATIO * (self.PER_CURRENT * i_k - 2 * pump) - glia - 1.333333333 * (k_out - bath),
            ]
        )

    def resting(self, v):
        """State at rest at a potential, and K in the bath [mM]."""
        n, h = (a / (a + b) for a, b in self.gates(v))
        (na, k_out), *_ = fsolve(
            lambda u: self.rates(np.array([v, n, h, *u]), 0.0)[[0, 3]], [20.0, 7.0], xtol=1e-14, full_output=True
        )
        state = np.array([v, n, h, na, k_out])
        return state, -self.rates(state, 0.0)[4] / 1.333333333

    def growth(self, v):
        """Real part [1/s] of the complex pair at rest at a potential."""
        state, bath = self.resting(v)
        columns = [self.rates(state + step, bath).imag / 1e-30 for step in 1e-30j * np.eye(5)]
        values = np.linalg.eigvals(np.column_stack(columns))
        [pair] = values[values.imag > 0.0]
        return pair.real


@pytest.fixture(scope="module")
def huebel_dahlem():
    scenario = load_scenario(CONFIGS / "published/huebel_dahlem_2014.yaml")
    return continuation(scenario, "pump.max_rate", "0.1 uA/cm^2", "100 uA/cm^2")


def unknowns(special):
    """State in the terms of :class:`HuebelAndDahlem`, pump rate [uA/cm2] last."""
    place, names = special.place, special.place.family.structure.states
    state = dict(zip(names, place.state.tolist(), strict=True))
    volume = HuebelAndDahlem.INSIDE * 1e-18
    area_capacitance = HuebelAndDahlem.AREA * 1e-12 * 1e-2
    v = state["q_cell"] / area_capacitance * 1e3
    rho = place.value * FARADAY * 100.0
    na, k, n = state["n_cell_na"] / volume, state["n_cell_k"] / volume, state["g_plasma_k_channel_n"]
    return np.array([na, k, v, n, rho])


def test_folds_and_hopf_points_solve_the_equations_of_huebel_and_dahlem(huebel_dahlem):
    own, found = HuebelAndDahlem(), huebel_dahlem.points("fold", "hopf")
    assert [special.kind for _, special in found] == ["hopf", "hopf", "fold", "hopf", "fold", "hopf"]
    for _, special in found:
        here = unknowns(special)
        state, rho = own.special(special.kind, here)
        assert rho == pytest.approx(here[4], rel=1e-7)
        assert state == pytest.approx(here[:4], rel=1e-6)


def test_hopf_points_have_the_frequency_of_the_pair_that_crosses(huebel_dahlem):
    own = HuebelAndDahlem()
    for _, special in huebel_dahlem.points("hopf"):
        here = unknowns(special)
        values = np.linalg.eigvals(own.jacobian(here[:4], here[4])) * 1e3
        crossing = min(values[values.imag > 0.0], key=lambda value: abs(value.real) / abs(value))
        assert special.crossing.imag == pytest.approx(crossing.imag, rel=1e-4)
        assert abs(special.crossing.real) < 1e-8 * abs(special.crossing)


def test_a_pump_that_is_too_weak_leaves_only_the_depolarised_rest(huebel_dahlem):
    weakest = huebel_dahlem.points("fold")[-1][1].place.value
    assert len(huebel_dahlem.at(0.99 * weakest)) == 1
    assert len(huebel_dahlem.at(1.01 * weakest)) == 3
    [only] = huebel_dahlem.at(0.99 * weakest)
    assert huebel_dahlem.potentials(only)["plasma"] > -0.03
    assert only.unstable == 0


def test_between_special_points_rest_points_are_those_found_one_by_one(huebel_dahlem):
    scenario = huebel_dahlem.model.scenario
    for rate in (3e-7, 1e-6):
        single = steady_states(scenario.with_values({PUMP: rate}))
        expected = sorted((float(s.trajectory.fields()["potential"].values[-1, 0]), s.verdict.stable) for s in single)
        found = sorted((huebel_dahlem.potentials(p)["plasma"], p.unstable == 0) for p in huebel_dahlem.at(rate))
        assert [stable for _, stable in found] == [stable for _, stable in expected]
        assert [v for v, _ in found] == pytest.approx([v for v, _ in expected], rel=1e-9)


def test_the_way_back_has_the_same_special_points(huebel_dahlem):
    back = continuation(huebel_dahlem.model.scenario, PUMP, huebel_dahlem.stop, huebel_dahlem.start)

    def values(found):
        return sorted(special.place.value for _, special in found.points("fold", "hopf"))

    assert values(back) == pytest.approx(values(huebel_dahlem), rel=1e-8)


def test_the_neuron_of_barreto_and_cressman_seizes_beyond_a_hopf_point_of_k_in_the_bath():
    scenario = load_scenario(CONFIGS / "published/barreto_cressman_2011.yaml")
    found = continuation(scenario, "bath.concentrations.k", "2 mM", "20 mM")
    first = found.points("hopf")[0][1].place.value
    assert first == pytest.approx(7.615, abs=1e-3)
    own = BarretoAndCressman()
    _, bath = own.resting(brentq(own.growth, -57.4, -57.3, xtol=1e-12))
    assert first == pytest.approx(bath, rel=1e-6)
    for k, stable in ((first - 1e-4, True), (first + 1e-4, False)):
        points = steady_states(scenario.with_values({"compartments.bath.concentrations.k": k}))
        assert points[0].verdict.stable is stable


def test_the_swelling_neuron_has_three_rest_points_and_is_judged_with_its_capacitance():
    scenario = load_scenario(CONFIGS / "reference/HU2016-04.yaml")
    found = continuation(scenario, PUMP, "1 uA/cm^2", "20 uA/cm^2")
    places = sorted(found.at(found.model.values[PUMP]), key=lambda place: found.potentials(place)["plasma"])
    potentials = [1e3 * found.potentials(place)["plasma"] for place in places]
    assert potentials == pytest.approx([-67.0890661028, -47.33819, -18.1144479176], abs=1e-4)
    assert [place.unstable for place in places] == [0, 1, 0]
    assert found.volumes(places[2])["cell"] == pytest.approx(2620.29751145e-18, rel=1e-6)


def test_events_are_in_force_in_the_order_of_their_times():
    weak, strong = (
        {"at": t, "set": {"membranes.plasma.mechanisms.pump.max_rate": r}} for t, r in ((10.0, 1e-7), (20.0, 1.2e-6))
    )
    cell = load_scenario(CONFIGS / "leaky_bucket.yaml")
    orders = (
        cell.model_validate(cell.resolved() | {"protocol": events}) for events in ([weak, strong], [strong, weak])
    )
    one, other = (continuation(each, "pump.max_rate", 3e-7, 2e-6) for each in orders)
    assert [s.place.state.tolist() for _, s in one.points()] == [s.place.state.tolist() for _, s in other.points()]
    alone = load_scenario(CONFIGS / "leaky_bucket.yaml", {"pump.max_rate": 2e-6})
    assert one.points("end")[-1][1].place.state == pytest.approx(
        steady_states(alone)[0].trajectory.states[-1], rel=1e-6
    )


def test_a_branch_says_why_it_ends():
    swelling = load_scenario(CONFIGS / "swelling.yaml")
    found = continuation(swelling, "pump.max_rate", "0.6 umol/m^2/s", "0 umol/m^2/s")
    assert [special.reason for _, special in found.points("end")] == [
        "the end of the range",
        "the volume of cell runs away (100 times the initial one)",
    ]
    kay = load_scenario(CONFIGS / "published/kay_2017.yaml")
    found = continuation(kay, "pump.rate", "1e-7 A/cm^2", "1e-5 A/cm^2")
    last = found.points("end")[-1][1]
    assert last.reason.startswith("the concentration of Na in cell reaches zero")
    assert found.concentrations(last.place)["cell"]["na"] == pytest.approx(1e-9, rel=1e-6)
    # At rest the ohmic leak lets in what the constant pump takes out: 3 p F = g (E_Na - V), K and Cl likewise.
    leaks, pump, v = (0.1, 3.0, 2.0), last.place.value * FARADAY, found.potentials(last.place)["plasma"]
    inside, outside = (found.concentrations(last.place)[name] for name in ("cell", "bath"))
    reversal = [z * 25.69e-3 * np.log(outside[s] / inside[s]) for s, z in (("na", 1), ("k", 1), ("cl", -1))]
    currents = [g * (v - e) for g, e in zip(leaks, reversal, strict=True)]
    assert currents == pytest.approx([-3.0 * pump, 2.0 * pump, 0.0], abs=1e-9 * pump)


def test_a_constant_pump_may_remove_no_more_sodium_than_leaks_into_a_cell_without_any():
    pump = {"membranes.plasma.mechanisms.pump": {"law": "na_k_pump_constant", "rate": 1e-8}}
    leaky = load_scenario(CONFIGS / "leaky_bucket.yaml", pump)
    found = continuation(leaky, "pump.rate", 0.0, 1e-6)
    fastest = found.points("end")[-1][1].place
    x = found.potentials(fastest)["plasma"] * FARADAY / (GAS_CONSTANT * 310.15)
    assert 3.0 * fastest.value == pytest.approx(3.0e-10 * 145.0 * x / np.expm1(x), rel=1e-9)


def test_a_branch_that_touches_neither_end_is_followed_round_until_it_closes():
    nerve = load_scenario(CONFIGS / "hyperkalaemia_nerve.yaml")
    found = continuation(nerve, "bath.concentrations.k", "0.4 mM", "40 mM")
    [ring] = [branch for branch in found.branches if branch.closed]
    assert ring.places[0].apart(ring.places[-1].state) < 1e-9
    assert sorted(special.kind for _, special in ring.specials) == ["fold", "fold", "hopf"]
    folds = [special.place.value for _, special in ring.specials if special.kind == "fold"]
    assert min(folds) == pytest.approx(ring.values.min(), rel=1e-3)
    assert max(folds) == pytest.approx(ring.values.max(), rel=1e-3)


def test_stability_changes_only_at_special_points(huebel_dahlem):
    for branch in huebel_dahlem.branches:
        counts = [place.unstable for place in branch.places]
        kinds = {n: [s.kind for m, s in branch.specials if m == n] for n, _ in branch.specials}
        for n, (before, after) in enumerate(pairwise(counts), start=1):
            largest = sum({"fold": 1, "hopf": 2}.get(kind, 0) for kind in kinds.get(n, []))
            assert abs(after - before) <= largest
            assert (after - before - largest) % 2 == 0


CROSSING = """
name: two branches that cross
compartments:
  bath: {fixed: true, concentrations: {glucose: 10 mM}}
  cell: {volume: 1 pL, concentrations: {glucose: 12 mM}}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1000 um^2
    mechanisms:
      uptake:
        law: custom
        rate: k * (glucose_i - glucose_o) * (r - (glucose_i - glucose_o))
        moves: {glucose: 1}
        open: true
        parameters: {k: 1e-9 m^4/mol/s, r: 2 mM}
run: {duration: 1 h}
"""


def test_a_rate_of_the_whole_cell_has_the_same_special_points_times_the_area(huebel_dahlem):
    scenario = load_scenario(CONFIGS / "published/huebel_dahlem_2014.yaml", {PUMP: "60 pA"})
    found = continuation(scenario, "pump.max_rate", "5 pA", "400 pA")
    assert found.unit == "mol/s"
    whole, per_area = (
        [special.place.value for _, special in each.points("fold", "hopf")] for each in (found, huebel_dahlem)
    )
    assert whole == pytest.approx([922.00322e-12 * value for value in per_area], rel=1e-9)


@pytest.mark.parametrize("last", [0.0, 4e-7])
def test_the_number_may_be_one_that_an_event_sets(last):
    leaky = load_scenario(CONFIGS / "leaky_bucket.yaml")
    changed = load_scenario(CONFIGS / "leaky_bucket.yaml", {"protocol": [{"at": 60.0, "set": {PUMP: last}}]})
    one, other = (continuation(each, "pump.max_rate", 0.0, 1e-6) for each in (changed, leaky))
    for rate in (0.0, 3e-7, 1e-6):
        potentials = [[found.potentials(place)["plasma"] for place in found.at(rate)] for found in (one, other)]
        assert potentials[0] == pytest.approx(potentials[1], rel=1e-9)


def test_two_branches_that_cross_exchange_their_stability(tmp_path):
    file = tmp_path / "crossing.yaml"
    file.write_text(CROSSING)
    found = continuation(load_scenario(file), "uptake.parameters.r", "-4 mM", "6 mM")
    assert len(found.branches) == 2
    assert [special.kind for _, special in found.points("fold", "hopf", "branch_point")] == ["branch_point"] * 2
    assert [s.place.value for _, s in found.points("branch_point")] == pytest.approx([0.0, 0.0], abs=1e-11)
    for r in (-3.0, 5.0):
        ends = {round(found.concentrations(place)["cell"]["glucose"], 9): place.unstable for place in found.at(r)}
        assert ends == {10.0: int(r > 0.0), 10.0 + r: int(r < 0.0)}


def test_a_number_that_is_zero_shuts_a_path_and_leaves_the_limit():
    leaky = load_scenario(CONFIGS / "leaky_bucket.yaml")
    found = continuation(leaky, "cl_leak.permeability", 0.0, 1e-8)
    # Cl is passive, so its permeability moves no rest point.
    [branch] = found.branches
    potentials = [found.potentials(place)["plasma"] for place in branch.places]
    assert potentials == pytest.approx([potentials[-1]] * len(potentials), rel=1e-9)


@pytest.mark.parametrize(
    ("over", "start", "stop", "problem"),
    [
        ("pump.max_rat", "0 umol/m^2/s", "1 umol/m^2/s", "pump.max_rate"),
        ("cell.concentrations.na", "1 mM", "2 mM", "cannot be continued over"),
        ("pump.max_rate", "0 mV", "1 umol/m^2/s", "--from"),
        ("pump.max_rate", "1 umol/m^2/s", "1 umol/m^2/s", "no length"),
        ("permeability", "1e-9 m/s", "2e-9 m/s", "write more of the path"),
    ],
)
def test_a_number_or_a_range_that_cannot_be_used_is_refused(over, start, stop, problem):
    scenario = load_scenario(CONFIGS / "leaky_bucket.yaml")
    with pytest.raises(UsageError, match=problem):
        continuation(scenario, over, start, stop)
