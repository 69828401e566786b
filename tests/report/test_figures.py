"""Figures: what a lecture can rely on without looking twice."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from places import CONFIGS

from simulator.report.comparison import compare
from simulator.report.figures import FORMATS, kinds, plot_comparison, plot_trajectory, save
from simulator.report.figures.end_labels import spread
from simulator.report.figures.style import MAIN, SPECIES, mechanism_looks, species_looks
from simulator.report.figures.time_axis import TimeAxis, settled
from simulator.runs.integrate import run
from simulator.storage.start import load_scenario
from simulator.trajectory.analysis import Analysis

UNITS = ("mV", "mM", "pW", "fW", "pJ", "pL", "fL", "pA", "mA/m²", "mol", "(h)", "(s)", "(ms)", "(min)", "(d)")


@pytest.fixture(scope="module")
def leaky():
    return run(load_scenario(CONFIGS / "leaky_bucket.yaml"))


@pytest.fixture(scope="module")
def sealed():
    return run(load_scenario(CONFIGS / "sealed_bucket.yaml"))


@pytest.fixture(scope="module")
def interrupted():
    return run(load_scenario(CONFIGS / "pump_stopped.yaml"))


@pytest.fixture(scope="module")
def sugar():
    return run(load_scenario(CONFIGS / "glucose.yaml"))


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """A compartment inside another one, which sits in a bath: two membranes."""
    path = tmp_path_factory.mktemp("scenario") / "nested.yaml"
    path.write_text(NESTED)
    return run(load_scenario(path))


NESTED = """\
name: "nested $ %"
formulation: capacitive
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 4.5 mM, cl: 149.5 mM}}
  cell:
    volume: 4 pL
    concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM}
    impermeant: {concentration: 131 mM, charge: auto}
  granule:
    volume: 0.1 pL
    concentrations: {na: 10 mM, k: 30 mM, cl: 13 mM}
    impermeant: {concentration: 20 mM, charge: auto}
membranes:
  plasma:
    {inside: cell, outside: bath, area: 1200 um^2, capacitance: 1 uF/cm^2, potential: -60 mV, water: fixed,
     mechanisms: {k_leak: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s},
                  cl_leak: {law: leak_ghk, ion: cl, permeability: 1.0e-9 m/s}}}
  inner:
    {inside: granule, outside: cell, area: 100 um^2, capacitance: 1 uF/cm^2, potential: 10 mV, water: fixed,
     mechanisms: {k_leak: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s},
                  k_channel: {law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2}}}
run: {duration: 10 s, save_every: 100 ms}
"""


def series(axes):
    """Lines of a panel that show data, by label."""
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def texts(figure):
    """Every text of a figure, those packed in boxes included."""
    from matplotlib.text import Text

    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


# -- axes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", kinds())
def test_every_axis_has_a_unit(leaky, kind):
    for axes in plot_trajectory(leaky, kind).axes:
        assert any(unit in axes.get_ylabel() for unit in UNITS), axes.get_ylabel()
        assert ("Membrane potential (mV)" if kind == "iv" else "Time (") in axes.get_xlabel()


def test_current_voltage_curves_cross_zero_at_the_nernst_potential_of_their_ion(leaky):
    (axes,) = plot_trajectory(leaky, "iv").axes
    for name, species in (("na leak", "na"), ("k leak", "k"), ("cl leak", "cl")):
        line = series(axes)[name]
        crossing = np.interp(0.0, line.get_ydata(), line.get_xdata())
        nernst = Analysis(leaky).nernst.sel(membrane="plasma", species=species)[-1]
        assert crossing == pytest.approx(1e3 * nernst, abs=0.5)


def test_every_axis_of_the_comparison_has_a_unit(sealed, leaky):
    for axes in plot_comparison(compare(sealed, leaky)).axes:
        assert any(unit in axes.get_ylabel() for unit in UNITS), axes.get_ylabel()


@pytest.mark.parametrize(
    ("seconds", "unit"), [(2e-3, "ms"), (0.5, "ms"), (20.0, "s"), (1800.0, "min"), (36000.0, "h"), (1e6, "d")]
)
def test_the_unit_of_time_suits_the_span(seconds, unit):
    assert TimeAxis(np.linspace(0.0, seconds, 5)).scale.text == unit


def test_the_time_axis_ends_after_the_last_visible_change_and_says_so(leaky):
    label = plot_trajectory(leaky, "potentials").axes[0].get_xlabel()
    assert "then unchanged to 48 h" in label


def test_a_run_can_be_drawn_to_its_very_end(leaky):
    axes = plot_trajectory(leaky, "potentials", whole=True).axes[0]
    assert axes.get_xlim()[1] == pytest.approx(48.0)
    assert "unchanged" not in axes.get_xlabel()


def test_what_still_changes_is_not_cut_off():
    times = np.linspace(0.0, 10.0, 101)
    assert settled(times, [times]) == 10.0
    assert settled(times, [np.exp(-20.0 * times)]) < 2.0
    assert settled(times, [np.exp(-20.0 * times), np.where(times > 8.0, 1.0, 0.0)]) == 10.0


def test_logarithmic_time_leaves_out_only_the_start(leaky):
    axes = plot_trajectory(leaky, "potentials", log_time=True).axes[0]
    assert axes.get_xscale() == "log"
    assert len(series(axes)["$V$"].get_xdata()) == len(leaky.time) - 1


def test_fluxes_are_drawn_from_zero(leaky):
    assert all(axes.get_ylim()[0] == 0.0 for axes in plot_trajectory(leaky, "fluxes").axes)


# -- series ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", kinds())
def test_series_differ_in_colour_and_style(leaky, kind):
    for axes in plot_trajectory(leaky, kind).axes:
        lines = series(axes).values()
        colours = {to_hex(line.get_color()) for line in lines}
        styles = {(line._unscaled_dash_pattern, line.get_linewidth()) for line in lines}
        assert len(colours) == len(styles) == len(lines)


def test_species_built_in_differ_in_colour_and_style():
    looks = [*SPECIES.values(), MAIN]
    assert len({look.color for look in looks}) == len(looks)
    assert len({look.style for look in SPECIES.values()}) == len(SPECIES)


def test_species_of_a_scenario_get_looks_of_their_own():
    looks = species_looks(["na", "anion", "cl", "cation", "k"])
    assert looks["na"] == SPECIES["na"]
    assert len({look.color for look in looks.values()}) == len({look.style for look in looks.values()}) == 5


def test_a_species_has_the_same_colour_in_every_figure(leaky):
    found = {}
    for kind, label in [
        ("potentials", r"$E_{\mathrm{K}}$"),
        ("concentrations", "K⁺"),
        ("driving_forces", "K⁺"),
        ("currents", "k leak"),
        ("energy", "k leak"),
    ]:
        found[kind] = to_hex(series(plot_trajectory(leaky, kind).axes[0])[label].get_color())
    assert set(found.values()) == {SPECIES["k"].color}


def test_two_mechanisms_of_one_species_look_different(nested):
    looks = mechanism_looks(nested)
    assert looks["inner.k_leak"] != looks["inner.k_channel"]
    assert looks["inner.k_leak"].color != looks["inner.k_channel"].color


def test_the_overview_shows_every_nernst_potential_beside_the_membrane_potential(leaky):
    shown = series(plot_trajectory(leaky).axes[0])
    assert set(shown) == {"$V$", *(rf"$E_{{\mathrm{{{s}}}}}$" for s in ("Na", "K", "Cl"))}


def test_both_influx_and_efflux_of_each_leak_are_drawn(leaky):
    labels = {label for axes in plot_trajectory(leaky, "fluxes").axes for label in series(axes)}
    assert labels == {"leak, in", "leak, out", "pump, net out", "pump, net in"}


def test_a_stopped_pump_is_said_to_be_idle(sealed):
    assert any("pump: no flux" in text for text in texts(plot_trajectory(sealed, "fluxes")))


def test_a_neutral_species_has_no_nernst_potential(sugar):
    figure = plot_trajectory(sugar, "potentials")
    assert not any("glucose" in label for label in series(figure.axes[0]))
    assert any("uncharged" in text for text in texts(figure))


def test_a_volume_is_drawn_when_it_can_change(leaky):
    kay = run(load_scenario(CONFIGS / "published" / "kay_2017.yaml"))
    assert "Volume" in texts(plot_trajectory(kay))
    assert "Volume" not in texts(plot_trajectory(leaky))


def test_free_energy_from_atp_equals_dissipation_in_a_steady_state():
    # Saved once in 24 h, for a figure ends where nothing more changes to the eye: there 4.3e-6 pW are still stored.
    rested = run(load_scenario(CONFIGS / "leaky_bucket.yaml", {"run.save_every": "24 h"}))
    axes = next(a for a in plot_trajectory(rested, "energy").axes if "dissipated" in series(a))
    lines = series(axes)
    assert lines["from ATP"].get_ydata()[-1] == pytest.approx(lines["dissipated"].get_ydata()[-1], rel=1e-6)
    assert lines["stored"].get_ydata()[-1] == pytest.approx(0.0, abs=1e-6)


def test_events_are_marked_and_named(interrupted):
    figure = plot_trajectory(interrupted)
    assert any("pump.max_rate = 0" in text for text in texts(figure))
    for axes in figure.axes:
        verticals = {line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1}
        assert {2.0, 5.0} <= verticals


def test_names_of_events_say_how_a_value_moves():
    """A ramp, a sine and a train in place of the ramp of the shipped scenario."""
    key = "membranes.plasma.mechanisms.k_leak.conductance"
    protocol = (
        "[{at: 0.1 s, clamp: {plasma: {potential: {ramp: [-120 mV, 40 mV], over: 1 s}, carrier: k}}}, "
        "{at: 0.2 s, set: {compartments.bath.concentrations.k: {sine: 1 mM, around: 5 mM, frequency: 4 Hz}}}, "
        f"{{at: 0.3 s, lasting: 20 ms, every: 50 ms, set: {{{key}: 1 mS/cm^2}}}}]"
    )
    shown = texts(plot_trajectory(run(load_scenario(CONFIGS / "voltage_clamp.yaml", {"protocol": protocol}))))
    for name in (
        "plasma clamped from −120 mV to 40 mV in 1 s",
        "k 5 mM ± 1 mM every 250 ms",
        "k_leak.conductance = 10 S/m² for 20 ms every 50 ms",
    ):
        assert name in shown, shown


# -- labels ---------------------------------------------------------------------------------------


def test_lines_that_end_together_share_one_label(sealed):
    shown = texts(plot_trajectory(sealed, "potentials"))
    assert shown.count("−12.3") == 1


def test_labels_never_overlap():
    places, sizes = [10.0, 10.0, 11.0, 50.0, 50.5], [14.0, 28.0, 14.0, 14.0, 14.0]
    found = spread(places, sizes, 0.0, 200.0)
    for i in range(4):
        assert found[i + 1] - found[i] >= 0.5 * (sizes[i] + sizes[i + 1]) - 1e-9


def test_labels_with_room_stay_where_they_are():
    assert spread([20.0, 60.0], [14.0, 14.0], 0.0, 100.0) == [20.0, 60.0]


def test_labels_and_texts_stay_on_the_page(leaky, interrupted, nested):
    figures = [plot_trajectory(t, kind) for t in (leaky, interrupted, nested) for kind in kinds()]
    for figure in [*figures, plot_comparison(compare(interrupted, leaky))]:
        figure.canvas.draw()
        page = figure.bbox
        box = figure.get_tightbbox().transformed(figure.dpi_scale_trans)
        assert box.x0 >= page.x0 - 1.0
        assert box.x1 <= page.x1 + 1.0
        assert box.y0 >= page.y0 - 1.0
        assert box.y1 <= page.y1 + 1.0


# -- runs that are not as they should be ----------------------------------------------------------


def test_a_failed_run_is_drawn_up_to_its_end_with_a_note(leaky):
    kept = slice(0, 20)
    failed = replace(
        leaky,
        time=leaky.time[kept],
        amount=leaky.amount[kept],
        charge=leaky.charge[kept],
        volume=leaky.volume[kept],
        compartment_potential=leaky.compartment_potential[kept],
        status="nonfinite",
        end_time=float(leaky.time[19]),
        culprit="n_cell_na",
    )
    figure = plot_trajectory(failed)
    assert any("Ended early, at" in text and "amount of Na in cell" in text for text in texts(figure))
    assert any("Ended early" in text for text in texts(plot_comparison(compare(failed, leaky))))


@pytest.mark.parametrize("kind", kinds())
def test_undefined_values_leave_gaps(leaky, kind, tmp_path):
    start = leaky.amount.copy()
    start[0, :, 0] = 0.0
    known = replace(leaky, amount=start)
    potential, amount = leaky.compartment_potential.copy(), start.copy()
    potential[3:5] = np.nan
    amount[7:9] = np.nan
    undefined = replace(known, compartment_potential=potential, amount=amount)
    figure, whole = (plot_trajectory(t, kind, whole=True) for t in (undefined, known))
    gaps = set()
    for axes, others in zip(figure.axes, whole.axes, strict=True):
        assert list(series(axes)) == list(series(others))
        if axes.get_ylabel().startswith("Energy ("):
            continue  # the store counts an unknown amount as none, as it does a species that a compartment lacks
        for line, full in zip(series(axes).values(), series(others).values(), strict=True):
            drawn = line.get_ydata()
            missing = np.isnan(drawn) & ~np.isnan(full.get_ydata())
            gaps |= set(np.flatnonzero(missing).tolist())
            assert drawn[~missing] == pytest.approx(full.get_ydata()[~missing], rel=1e-12, nan_ok=True)
    # Where an amount is unknown so is something in every figure over time, and nothing is missing elsewhere.
    always, at_most = (set(), set()) if kind == "iv" else ({7, 8}, {3, 4, 7, 8})
    assert always <= gaps <= at_most
    save(figure, tmp_path / "gaps.png")


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind != "iv"])
def test_a_single_saved_state_is_shown_as_points(leaky, kind, tmp_path):
    last = slice(-1, None)
    final = replace(
        leaky,
        time=leaky.time[last],
        amount=leaky.amount[last],
        charge=leaky.charge[last],
        volume=leaky.volume[last],
        compartment_potential=leaky.compartment_potential[last],
    )
    figure = plot_trajectory(final, kind)
    assert all(line.get_marker() == "o" for axes in figure.axes for line in series(axes).values())
    save(figure, tmp_path / "final.png")


def test_a_name_is_shown_as_it_is_written(nested):
    assert "nested $ %" in texts(plot_trajectory(nested))


def test_every_membrane_has_its_panels(nested):
    titles = texts(plot_trajectory(nested, "potentials"))
    assert any("(plasma)" in title for title in titles)
    assert any("(inner)" in title for title in titles)


# -- the comparison -------------------------------------------------------------------------------


def test_the_comparison_says_both_verdicts_in_big_words(sealed, leaky):
    shown = texts(plot_comparison(compare(sealed, leaky)))
    assert "Dynamic equilibrium" in shown
    assert "Steady state" in shown


def test_the_comparison_names_the_value_that_makes_the_difference(sealed, leaky):
    shown = texts(plot_comparison(compare(sealed, leaky)))
    assert any(text.startswith("pump.max_rate = 0 ") for text in shown)
    assert any(text.startswith(("pump.max_rate = 0.6 ", "pump.max_rate = 600 ")) for text in shown)


def bars(axes, species, direction):
    """Heights of the pieces of one bar, by mechanism."""
    found = {}
    for container in axes.containers:
        s, mechanism, way = container.get_label().split()
        if (s, way) == (species, direction):
            found[mechanism] = container.patches[0].get_height()
    return found


def test_in_equilibrium_every_path_has_bars_of_equal_height(sealed, leaky):
    axes = plot_comparison(compare(sealed, leaky)).axes[2]
    for species in ("na", "k", "cl"):
        into, out = bars(axes, species, "in"), bars(axes, species, "out")
        assert set(into) == set(out) == {f"{species}_leak"}
        assert into[f"{species}_leak"] == pytest.approx(out[f"{species}_leak"], rel=1e-6)


def test_in_a_steady_state_only_the_stacks_are_of_equal_height(sealed, leaky):
    axes = plot_comparison(compare(sealed, leaky)).axes[3]
    for species in ("na", "k"):
        into, out = bars(axes, species, "in"), bars(axes, species, "out")
        assert sum(into.values()) == pytest.approx(sum(out.values()), rel=1e-6)
        assert into[f"{species}_leak"] != pytest.approx(out[f"{species}_leak"], rel=0.1)
    assert "pump" in bars(axes, "na", "out")
    assert "pump" in bars(axes, "k", "in")


def test_panels_of_one_row_share_their_vertical_axis(sealed, leaky):
    panels = plot_comparison(compare(sealed, leaky)).axes
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert panels[2].get_ylim() == panels[3].get_ylim()


def test_runs_without_anything_in_common_can_be_compared(sugar, nested, tmp_path):
    figure = plot_comparison(compare(sugar, nested))
    assert {"glucose", "nested $ %"} <= set(texts(figure))
    left, right = ([a for a in figure.axes if (a.get_position().x0 > 0.5) == side] for side in (False, True))
    carried = [
        [{c.get_label().split()[0] for c in a.containers} for a in side if a.containers] for side in (left, right)
    ]
    assert carried == [[{"glucose"}], [{"k", "cl"}, {"k"}]]  # across plasma, and across inner that one alone has
    # Whatever only the other run carries has a place on both sides, so that one sees that it is missing.
    assert [texts(side[1]).count("no path") for side in (left, right)] == [2, 1]
    named = [[m for a in side if series(a) for m in ("plasma", "inner") if m in texts(a)] for side in (left, right)]
    assert named == [["plasma"], ["plasma", "inner"]]
    save(figure, tmp_path / "apples_and_pears.png")


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_figure_gives_the_same_bytes(leaky, suffix, tmp_path):
    for name in ("a", "b"):
        save(plot_trajectory(leaky), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_figure_of_unknown_type_is_refused_by_name(leaky, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.png, \.pdf, \.svg"):
        save(plot_trajectory(leaky), tmp_path / "figure.bmp")


def test_an_unknown_kind_is_refused_with_those_there_are(leaky):
    with pytest.raises(ValueError, match="overview"):
        plot_trajectory(leaky, "pie")


def test_no_figure_is_left_behind_in_pyplot(leaky):
    import sys

    plot_trajectory(leaky)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
