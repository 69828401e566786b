"""Sweeps: what each run is given, and what is said about sweeps that make no sense."""

import numpy as np
import pytest

from simulator.runs.design import design_of
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario

K_LEAK = "membranes.plasma.mechanisms.k_leak.permeability"
PUMP = "membranes.plasma.mechanisms.pump.max_rate"
BATH_K = "compartments.bath.concentrations.k"
BATH_CL = "compartments.bath.concentrations.cl"
BATH_NA = "compartments.bath.concentrations.na"


@pytest.fixture
def written(tmp_path, configs):
    """Writes a sweep of the benchmark cell to a file and gives its path."""
    (tmp_path / "benchmark_cell.yaml").write_text((configs / "benchmark_cell.yaml").read_text())

    def write(sweep: str, more: str = ""):
        path = tmp_path / "sweep.yaml"
        path.write_text(f"name: swept\nextends: benchmark_cell.yaml\n{more}sweep:\n{sweep}")
        return path

    return write


def values(path):
    design = design_of(load_scenario(path))
    return design, design.part(0, design.runs)


def complaint(path) -> str:
    with pytest.raises(ConfigError) as error:
        load_scenario(path)
    return str(error.value)


def test_a_grid_has_every_combination_and_its_last_axis_varies_fastest(written):
    design, found = values(
        written(
            f"  mode: grid\n  over:\n    {K_LEAK}: {{logspace: [1.0e-9 m/s, 4.0e-9 m/s], n: 3}}\n"
            f"    {BATH_K}: [3 mM, 5 mM]\n"
        )
    )
    assert design.runs == 6
    assert found[K_LEAK] == pytest.approx([1e-9, 1e-9, 2e-9, 2e-9, 4e-9, 4e-9])
    assert found[BATH_K].tolist() == [3.0, 5.0] * 3


def test_zip_goes_side_by_side_and_ranges_include_their_end(written):
    _, found = values(
        written(
            f"  mode: zip\n  over:\n    {BATH_K}: {{range: [3 mM, 5 mM, 0.5 mM]}}\n"
            f"    membranes.plasma.potential: {{linspace: [-80 mV, -40 mV], n: 5}}\n"
        )
    )
    assert found[BATH_K].tolist() == [3.0, 3.5, 4.0, 4.5, 5.0]
    assert found["membranes.plasma.potential"] == pytest.approx([-0.08, -0.07, -0.06, -0.05, -0.04])


def test_a_product_combines_listed_variants_with_drawn_cells(written):
    _, found = values(
        written(
            "  mode: product\n  parts:\n"
            f"    - {{mode: list, runs: [{{{PUMP}: 0 umol/m^2/s}}, {{{PUMP}: 1 umol/m^2/s}}]}}\n"
            f"    - mode: sobol\n      n: 8\n      over: {{{K_LEAK}: {{loguniform: [1.0e-9 m/s, 1.0e-8 m/s]}}}}\n"
        )
    )
    assert found[PUMP].tolist() == [0.0] * 8 + [1e-6] * 8
    assert np.array_equal(found[K_LEAK][:8], found[K_LEAK][8:])


@pytest.mark.parametrize("mode", ["random", "lhs", "sobol"])
def test_what_a_run_draws_depends_on_seed_and_number_alone(written, mode):
    text = f"  mode: {mode}\n  n: 1000\n  seed: %d\n  over:\n    {K_LEAK}: {{loguniform: [1.0e-9 m/s, 1.0e-8 m/s]}}\n"
    text += f"    {BATH_K}: {{normal: [4.5 mM, 20 mM]}}\n    {PUMP}: {{uniform: [0 umol/m^2/s, 1 umol/m^2/s]}}\n"
    design, found = values(written(text % 3))
    order = np.random.default_rng(0).permutation(1000)
    shuffled = design.values(order)
    pieces = [design.part(start, start + 7) for start in range(0, 1000, 7)]
    for key, whole in found.items():
        assert np.array_equal(shuffled[key], whole[order])
        assert np.array_equal(np.concatenate([piece[key] for piece in pieces]), whole)
    _, other = values(written(text % 4))
    assert not np.any(other[K_LEAK] == found[K_LEAK])
    assert np.all((found[K_LEAK] >= 1e-9) & (found[K_LEAK] <= 1e-8))
    assert found[BATH_K].min() >= 0.0, "a normal distribution is cut off where concentrations end"
    assert np.median(np.log(found[K_LEAK])) == pytest.approx(np.log(np.sqrt(1e-17)), abs=0.15)


COUPLED = f"{{linspace: [3 mM, 12 mM], n: 10, with: {{{BATH_CL}: {{linspace: [148 mM, 157 mM]}}}}}}"


def test_values_that_go_along_are_one_axis(written):
    path = written(f"  mode: grid\n  over:\n    {BATH_K}: {COUPLED}\n    {K_LEAK}: [1.0e-9 m/s, 4.0e-9 m/s]\n")
    design, found = values(path)
    assert design.runs == 20
    assert design.keys == (BATH_K, BATH_CL, K_LEAK) == tuple(found)
    assert found[BATH_K].tolist() == np.repeat(np.arange(3.0, 13.0), 2).tolist()
    assert found[BATH_CL] - found[BATH_K] == pytest.approx(np.full(20, 145.0))
    sweep = load_scenario(path).sweep
    assert dict(sweep.counts()) == {BATH_K: 10, K_LEAK: 2}
    assert sweep.swept() == (BATH_K, BATH_CL, K_LEAK)
    assert sweep.leaders() == {BATH_CL: BATH_K}
    assert Scenario.model_validate(load_scenario(path).resolved()) == load_scenario(path)


def test_spaced_values_go_along_with_listed_ones(written):
    axis = f"{{values: [3 mM, 4 mM, 7 mM], with: {{{BATH_CL}: {{linspace: [148 mM, 152 mM]}}}}}}"
    _, found = values(written(f"  mode: grid\n  over:\n    {BATH_K}: {axis}\n"))
    assert found[BATH_CL].tolist() == [148.0, 150.0, 152.0]


def test_listed_values_go_along_value_by_value_side_by_side_too(written):
    _, found = values(
        written(
            f"  mode: zip\n  over:\n    {BATH_K}: {{values: [3 mM, 5 mM], with: {{{BATH_CL}: [148 mM, 150 mM]}}}}\n"
            f"    {K_LEAK}: [1.0e-9 m/s, 4.0e-9 m/s]\n"
        )
    )
    assert found[BATH_CL].tolist() == [148.0, 150.0]
    assert found[K_LEAK].tolist() == [1e-9, 4e-9]


@pytest.mark.parametrize("mode", ["random", "lhs", "sobol"])
def test_what_goes_along_is_drawn_at_the_same_quantile_and_may_fall(written, mode):
    text = (
        f"  mode: {mode}\n  n: 50\n  over:\n    {BATH_K}:\n      uniform: [3 mM, 12 mM]\n      with:\n"
        f"        {BATH_NA}: {{uniform: [146.5 mM, 137.5 mM]}}\n        {BATH_CL}: {{loguniform: [100 mM, 200 mM]}}\n"
        f"    {K_LEAK}: {{loguniform: [1.0e-9 m/s, 1.0e-8 m/s]}}\n"
    )
    _, found = values(written(text))
    assert found[BATH_K] + found[BATH_NA] == pytest.approx(np.full(50, 149.5))
    assert np.log2(found[BATH_CL] / 100.0) == pytest.approx((found[BATH_K] - 3.0) / 9.0)
    assert len(np.unique(found[BATH_K])) == 50
    # What else is drawn is the same as without them.
    alone = text.replace(text[text.index("      with:") : text.index(f"    {K_LEAK}")], "")
    assert values(written(alone))[1][K_LEAK].tolist() == found[K_LEAK].tolist()


def test_values_that_go_along_can_be_changed_from_outside(written):
    path = written(f"  mode: grid\n  over:\n    {BATH_K}: {COUPLED}\n")
    changed = load_scenario(path, {f"sweep.over.{BATH_K}.with.{BATH_CL}.linspace": "[140 mM, 149 mM]"})
    assert design_of(changed).part(0, 1)[BATH_CL].tolist() == [140.0]
    shown = {k: leaf.text() for k, leaf in changed.leaves().items()}
    assert shown[f"sweep.over.{BATH_K}.with.{BATH_CL}.linspace.1"] == "149 mM"


def test_a_resolved_sweep_is_the_same_sweep(written):
    path = written(f"  mode: lhs\n  n: 10\n  over:\n    {BATH_K}: {{normal: [4.5 mM, 1 mM]}}\n")
    scenario = load_scenario(path)
    assert Scenario.model_validate(scenario.resolved()) == scenario


def test_an_explosion_is_refused_before_anything_is_allocated(written):
    text = complaint(
        written(
            f"  mode: grid\n  over:\n    {K_LEAK}: {{logspace: [1.0e-9 m/s, 1.0e-8 m/s], n: 1000000}}\n"
            f"    {BATH_K}: {{linspace: [3 mM, 5 mM], n: 1000}}\n"
        )
    )
    for part in ("1,000,000,000 runs", f"{K_LEAK}: 1,000,000", f"{BATH_K}: 1,000", "TB", "sweep.limit: 1000000000"):
        assert part in text


def test_unequal_axes_of_a_zip_are_told_with_both_lengths_and_both_lines(written):
    text = complaint(written(f"  mode: zip\n  over:\n    {BATH_K}: [3 mM, 4 mM]\n    {K_LEAK}: [1.0e-9 m/s]\n"))
    first, second = text.splitlines()
    assert ":6:" in first
    assert "2 values here, but 1 for" in first
    assert ":7:" in second
    assert "1 values here, but 2 for" in second


@pytest.mark.parametrize(
    ("sweep", "parts"),
    [
        ("  mode: grid\n  over: {membranes.plasma.mechanisms.k_leek.permeability: [1 m/s]}\n", ("k_leak",)),
        (f"  mode: grid\n  over: {{{BATH_K}: [3 mV]}}\n", ("mV", "concentration")),
        (f"  mode: grid\n  over: {{{BATH_K}: [-3 mM]}}\n", ("out of range",)),
        (f"  mode: grid\n  over: {{{BATH_K}: {{linspace: [3 mM, 4 mM]}}}}\n", ("`n` is missing",)),
        (f"  mode: grid\n  over: {{{BATH_K}: {{linspace: [3 mM, 4 mM], n: 1.5}}}}\n", ("not whole",)),
        (f"  mode: grid\n  over: {{{BATH_K}: {{uniform: [3 mM, 4 mM]}}}}\n", ("does not draw from distributions",)),
        (f"  mode: lhs\n  n: 1.5\n  over: {{{BATH_K}: {{uniform: [3 mM, 4 mM]}}}}\n", ("sweep.n", "not whole")),
        (f"  mode: lhs\n  over: {{{BATH_K}: {{uniform: [3 mM, 4 mM]}}}}\n", ("`n` is missing",)),
        (f"  mode: lhs\n  n: 4\n  over: {{{BATH_K}: {{uniform: [4 mM, 3 mM]}}}}\n", ("not below",)),
        (f"  mode: lhs\n  n: 4\n  over: {{{BATH_K}: {{loguniform: [0 mM, 3 mM]}}}}\n", ("above 0",)),
        (
            f"  mode: grid\n  over: {{{BATH_K}: {{values: [3 mM, 4 mM], with: {{{BATH_CL}: [1 mM]}}}}}}\n",
            (f"over.{BATH_K}.with.{BATH_CL}", f"there are 1 values here, but 2 for `{BATH_K}`"),
        ),
        (
            f"  mode: grid\n  over:\n    {BATH_K}:\n      values: [3 mM]\n"
            f"      with: {{{BATH_CL}: {{linspace: [1 mM, 2 mM], n: 1}}}}\n",
            ("with", ".n:", "as many values as for"),
        ),
        (f"  mode: grid\n  over: {{{BATH_K}: {{values: [3 mM], with: {{{BATH_CL}: [3 mV]}}}}}}\n", ("with", "mV")),
        (
            f"  mode: grid\n  over: {{{BATH_K}: {{values: [3 mM], with: {{{BATH_CL}: [1 mM]}}}}, {BATH_CL}: [1 mM]}}\n",
            (f"`{BATH_CL}` already varies in another part of the sweep",),
        ),
        (
            f"  mode: grid\n  over:\n    {BATH_K}:\n      values: [3 mM]\n"
            f"      with: {{{BATH_CL}: {{values: [1 mM], with: {{temperature: [300 K]}}}}}}\n",
            (f".with.{BATH_CL}.with:", "itself"),
        ),
        (
            f"  mode: grid\n  over: {{{BATH_K}: {{values: [3 mM], with: {{{BATH_CL}l: [1 mM]}}}}}}\n",
            (f"did you mean `{BATH_CL}`?",),
        ),
        ("  mode: grid\n  over: {run.duration: [1 s]}\n", ("all runs of a sweep share",)),
        ("  mode: gird\n  over: {}\n", ("grid",)),
        ("  mode: list\n  runs: [{temperature: 30 degC}, {rt_over_f: 25 mV}]\n", ("run 1",)),
        ("  mode: random\n  n: 3\n  over: {temperature: {normal: [30 degC, 1 degC]}}\n", ("2 K",)),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_with_its_place(written, sweep, parts):
    text = complaint(written(sweep))
    assert "sweep.yaml:" in text
    for part in parts:
        assert part in text
