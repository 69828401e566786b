"""Two runs side by side: the sealed and the leaky bucket."""

import math

import pytest
from places import CONFIGS

from simulator.report.comparison import compare
from simulator.runs.integrate import run
from simulator.storage.start import load_scenario


@pytest.fixture(scope="module")
def leaky():
    return run(load_scenario(CONFIGS / "leaky_bucket.yaml"))


@pytest.fixture(scope="module")
def sugar():
    return run(load_scenario(CONFIGS / "glucose.yaml"))


@pytest.fixture(scope="module")
def comparison(leaky):
    return compare(run(load_scenario(CONFIGS / "sealed_bucket.yaml")), leaky)


def value(comparison, group, label):
    row = next(r for r in comparison.rows if (r.group, r.label) == (group, label))
    return row.a, row.b


def test_the_buckets_differ_in_the_pump_alone(comparison):
    assert [d.path for d in comparison.differences] == ["membranes.plasma.mechanisms.pump.max_rate"]
    assert comparison.differences[0].a.startswith("0 ")
    assert "umol/m^2/s" in comparison.differences[0].b or "nmol/m^2/s" in comparison.differences[0].b


def test_the_verdicts_are_equilibrium_and_steady_state(comparison):
    assert [side.verdict.word for side in comparison.sides] == ["equilibrium", "steady_state"]


def test_in_equilibrium_all_nernst_potentials_equal_the_membrane_potential(comparison):
    v = value(comparison, "membrane potential", "plasma")[0]
    for species in ("na", "k", "cl"):
        assert value(comparison, "Nernst potential", f"plasma {species}")[0] == pytest.approx(v, abs=1e-8)


def test_in_equilibrium_every_path_balances_by_itself(comparison):
    for path in comparison.a.end.paths:
        assert abs(path.net) <= 1e-6 * max(path.influx, path.efflux)


def test_in_a_steady_state_only_sums_balance(comparison):
    end = comparison.b.end
    for species in ("na", "k"):
        influx, efflux, net = end.total("plasma", species)
        assert abs(net) < 1e-6 * influx
        assert influx == pytest.approx(efflux, rel=1e-6)
        assert all(abs(p.net) > 0.1 * influx for p in end.paths_of("plasma", species))


def test_equilibrium_is_free_and_a_steady_state_is_paid_for(comparison):
    assert value(comparison, "energy", "ATP use")[0] == 0.0
    assert value(comparison, "energy", "ATP use")[1] > 0.0
    assert value(comparison, "energy", "dissipation")[0] == pytest.approx(0.0, abs=1e-20)
    assert value(comparison, "energy", "dissipation")[1] > 1e-13


def test_net_is_influx_minus_efflux_on_every_path(comparison):
    for side in comparison.sides:
        for p in side.end.paths:
            assert p.net == pytest.approx(p.influx - p.efflux, rel=1e-9, abs=1e-9 * max(p.influx, p.efflux))


def test_an_irreversible_law_is_compared_by_its_net_flux_alone(comparison):
    labels = {r.label for r in comparison.rows if r.group == "flux"}
    assert "plasma na pump net" in labels
    assert not labels & {"plasma na pump influx", "plasma na pump efflux"}


def test_what_only_one_run_has_is_undefined_in_the_other(leaky, sugar):
    rows = {(r.group, r.label): r for r in compare(leaky, sugar).rows}
    assert math.isnan(rows["concentration", "cell glucose"].a)
    assert rows["concentration", "cell glucose"].b > 0.0


def test_a_run_does_not_differ_from_itself(leaky):
    same = compare(leaky, leaky)
    assert same.differences == ()
    assert all(r.a == r.b or math.isnan(r.a) for r in same.rows)


def test_the_two_sides_swap_with_their_order(comparison):
    swapped = compare(comparison.b.trajectory, comparison.a.trajectory)
    assert value(swapped, "membrane potential", "plasma") == value(comparison, "membrane potential", "plasma")[::-1]
    assert [(d.b, d.a) for d in swapped.differences] == [(d.a, d.b) for d in comparison.differences]


@pytest.mark.parametrize(("species", "direction"), [("na", "in"), ("k", "out"), ("cl", "none")])
def test_an_open_channel_would_send_each_ion_down_its_gradient(comparison, species, direction):
    found = {s.species: s.direction for s in comparison.b.end.species["plasma"]}
    assert found[species] == direction


def test_a_neutral_species_follows_its_concentration_alone(sugar):
    from simulator.trajectory.snapshot import snapshot

    start = {s.species: s for s in snapshot(sugar, at=1).species["plasma"]}
    assert start["glucose"].direction == "in"
    assert start["glucose"].nernst is None


# -- twins, the Donnan end, tables ------------------------------------------------------------------

PUMP = "membranes.plasma.mechanisms.pump"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sealed_bucket", {}),
        ("reference/DONNAN-01", {}),
        ("reference/DONNAN-01", {"formulation": "electroneutral"}),
        ("reference/DUES2018-05", {f"{PUMP}.max_rate": "0 C/dm^2/s"}),
    ],
)
def test_a_run_down_ends_where_donnan_said(name, changes):
    t = run(load_scenario(CONFIGS / f"{name}.yaml", changes))
    side = compare(t, t).a
    predicted = side.donnan["plasma"]
    assert predicted.potential == pytest.approx(side.end.potential["plasma"], rel=1e-8)
    assert predicted.concentration == pytest.approx(side.end.concentration["cell"], rel=1e-8)
    assert predicted.volume == pytest.approx(side.end.volume["cell"], rel=1e-8)


def test_where_water_never_rests_no_donnan_end_is_predicted(comparison):
    t = run(load_scenario(CONFIGS / "published" / "kay_2017.yaml", {f"{PUMP}.rate": "0 C/dm^2/s"}))
    assert compare(t, t).a.donnan == {}
    assert comparison.b.donnan == {}  # a pump is at work


def test_twins_are_aligned_in_time_and_part_when_the_pump_begins_to_matter(comparison):
    assert 60.0 < comparison.parting < 3600.0
    assert math.isnan(compare(comparison.b.trajectory, comparison.b.trajectory).parting)


def test_a_scenario_is_compared_with_the_twin_it_names(capsys, tmp_path):
    from simulator.cli.app import main

    for more in ([], ["--twin", "pump_off"], ["--set", f"{PUMP}.max_rate=0 umol/m^2/s"]):
        with pytest.raises(SystemExit) as leave:
            main(["compare", str(CONFIGS / "leaky_bucket.yaml"), *more])
        assert leave.value.code == 0
        text = capsys.readouterr().out
        assert "steady_state                  equilibrium" in text
        assert "Donnan end, predicted" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["potassium_only.yaml"], "has no twins"),
        (["leaky_bucket.yaml", "--twin", "pump_on"], "did you mean `pump_off`?; it has pump_off"),
        (["leaky_bucket.yaml", "glucose.yaml"], "own twin"),
    ],
)
def test_a_twin_that_is_not_there_is_refused_in_words(capsys, arguments, words):
    from simulator.cli.app import main

    with pytest.raises(SystemExit) as leave:
        main(["compare", *(str(CONFIGS / a) if a.endswith(".yaml") else a for a in arguments)])
    assert leave.value.code == 2
    assert words in capsys.readouterr().err


def test_a_title_with_brackets_and_slashes_is_a_title_of_a_twin_too(tmp_path, capsys):
    from simulator.cli.app import main

    path = tmp_path / "cell.yaml"
    text = (CONFIGS / "leaky_bucket.yaml").read_text()
    path.write_text(text.replace("name: leaky bucket", r"name: '[Na/K]: a \ leaky $bucket'"))
    with pytest.raises(SystemExit) as leave:
        main(["compare", str(path)])
    assert leave.value.code == 0
    assert "[Na/K]" in capsys.readouterr().out


def test_a_twin_that_changes_nothing_that_exists_is_an_error(tmp_path):
    from simulator.scenario.yaml.reader import ConfigError, read_config

    text = (CONFIGS / "potassium_only.yaml").read_text()
    path = tmp_path / "twin.yaml"
    path.write_text(text + "twins: {odd: 3}\n")
    with pytest.raises(ConfigError, match="twin"):
        read_config(path)


def test_verdicts_of_two_batches_are_counted_in_pairs():
    from simulator.report.crosstable import cross_tabulated
    from simulator.verdict.words import WORDS

    a = ["steady_state", "steady_state", "equilibrium", "steady_state"]
    b = ["equilibrium", "run_away", "equilibrium", "equilibrium"]
    found = cross_tabulated(a, b, WORDS)
    assert (found.rows, found.columns) == (("equilibrium", "steady_state"), ("equilibrium", "run_away"))
    assert found.counts.tolist() == [[1, 0], [2, 1]]
    assert found.examples.tolist() == [[2, -1], [0, 1]]
    with pytest.raises(ValueError, match="cannot pair"):
        cross_tabulated(a, b[:2], WORDS)
