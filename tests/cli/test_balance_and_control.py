"""The verbs about rest points, and what they write, as a user meets them."""

import json
import re

import pytest
from places import CONFIGS

from simulator import load_scenario, run
from simulator.cli.app import main
from simulator.verdict.verdict import classify

LEAKY = CONFIGS / "leaky_bucket.yaml"
NEURON = CONFIGS / "published/huebel_dahlem_2014.yaml"
SWELLING = CONFIGS / "published/huebel_ullah_2016.yaml"
AT = "membranes.plasma.mechanisms."
HELD = ("--set", "compartments.cell.concentrations.cl=15.83696704 mM")
LEAKS = "na_leak.permeability,k_leak.permeability"


@pytest.fixture
def ionflux(capsys):
    """Run the command in this process: exit code, stdout, stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


def test_balance_json_has_the_shape_of_the_contract(ionflux):
    code, out, _ = ionflux("balance", LEAKY, "--free", LEAKS, *HELD, "--json")
    document = json.loads(out)
    assert code == 0
    assert set(document["values"]) == {AT + "na_leak.permeability", AT + "k_leak.permeability"}
    assert document["residual"] < 1e-9
    assert document["undetermined"] == []
    assert document["units"][AT + "na_leak.permeability"] == "m/s"


def test_a_written_balance_starts_and_stays_at_rest(ionflux, tmp_path):
    code, _, err = ionflux("balance", LEAKY, "--free", LEAKS, *HELD, "--write", tmp_path / "held.yaml")
    assert (code, err) == (0, f"{tmp_path / 'held.yaml'} written\n")
    text = (tmp_path / "held.yaml").read_text()
    assert text.splitlines()[:10] == LEAKY.read_text().splitlines()[:10]
    trajectory = run(load_scenario(tmp_path / "held.yaml"))
    assert classify(trajectory.moment(0)).word == classify(trajectory).word == "steady_state"
    assert trajectory.potential.values == pytest.approx(-0.06, abs=1e-10)


def test_a_balance_from_a_saved_state_is_written_with_that_state(ionflux, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ionflux("run", LEAKY, "-o", "rested.h5")[0] == 0
    more = ("--set", f"{AT}pump.max_rate=1.2 umol/m^2/s", "--from", "rested.h5")
    assert ionflux("balance", LEAKY, "--free", LEAKS, *more, "--write", "held.yaml")[0] == 0
    written, given = load_scenario("held.yaml"), load_scenario(LEAKY)
    assert written.start is None
    for leak in LEAKS.split(","):  # twice the pump needs twice the leaks
        assert written.quantities()[AT + leak] == pytest.approx(2 * given.quantities()[AT + leak], rel=1e-6)
    assert classify(run(written).moment(0)).word == "steady_state"


def test_nothing_is_written_where_nothing_holds(ionflux, tmp_path):
    code, out, err = ionflux("balance", LEAKY, "--free", LEAKS, "--write", tmp_path / "held.yaml", "--json")
    document = json.loads(out)
    assert code == 3
    assert document["residual"] == pytest.approx(0.027, rel=0.05)
    assert "the amount of Cl in cell" in document["problems"][0]
    assert document["problems"][0] in err
    assert not (tmp_path / "held.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("balance", LEAKY, "--free", "pump.rate"), "`pump.rate` is no number of this scenario"),
        (("balance", LEAKY, "--free", ","), "no number is named"),
        (("balance", LEAKY, "--free", LEAKS, "--write", "held.txt"), "held.txt is not called .yaml"),
        (("steady", LEAKY, "--write", LEAKY), "already exists"),
        (("steady", LEAKY, LEAKY, "--write", "rest.yaml"), "--write takes one scenario"),
        (("steady", "run.h5", "--write", "rest.yaml"), "run.h5 is a data file"),
        (("control", LEAKY, "-o", "map.bmp"), "its name must end in .png, .pdf, .svg"),
    ],
)
def test_what_cannot_be_done_is_refused_with_code_2(ionflux, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = ionflux(*arguments)
    assert (code, words in err) == (2, True), err


def test_control_json_has_the_shape_of_the_contract(ionflux):
    code, out, _ = ionflux("control", LEAKY, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["coefficients"]["flux.plasma.pump"][AT + "pump.max_rate"] == pytest.approx(0.0152, abs=5e-5)
    assert {"potential.plasma", "concentration.cell.k", "atp_rate"} <= set(document["coefficients"])
    assert document["theorem"] < 1e-12
    assert document["units"]["potential.plasma"] == "V"


def test_control_prints_the_largest_numbers_first_and_the_theorem_last(ionflux):
    code, out, _ = ionflux("control", LEAKY)
    assert code == 0
    block = out.partition("potential.plasma")[2].partition("\n\n")[0].splitlines()[2:-1]
    sizes = [abs(float(line.split()[1])) for line in block]
    assert sizes == sorted(sizes, reverse=True)
    assert "Summation theorem" in out.splitlines()[-1]


def test_control_of_a_cell_without_rest_leaves_with_code_3(ionflux):
    stopped = f"{AT}pump.rate=0 C/dm^2/s"
    code, _, err = ionflux("control", CONFIGS / "published/kay_2017.yaml", "--set", stopped)
    assert code == 3
    assert "no steady state found" in err


def test_the_map_of_coefficients_is_drawn(ionflux, tmp_path):
    code, _, err = ionflux("control", LEAKY, "-o", tmp_path / "map.svg")
    assert (code, err) == (0, f"figure: {tmp_path / 'map.svg'}\n")
    text = (tmp_path / "map.svg").read_text()
    assert "na_leak.permeability" in text
    assert "concentration.cell.na" in text


def test_continue_json_has_the_shape_of_the_contract(ionflux):
    code, out, _ = ionflux(
        "continue", NEURON, "--over", "pump.max_rate", "--from", "0.5 uA/cm^2", "--to", "2 uA/cm^2", "--json"
    )
    document = json.loads(out)
    assert code == 0
    assert (document["parameter"], document["unit"]) == (AT + "pump.max_rate", "mol/m^2/s")
    kinds = [point["kind"] for point in document["points"]]
    assert kinds.count("fold") == 1
    assert kinds.count("hopf") == 1
    assert kinds.count("end") == 4
    for point in document["points"]:
        assert set(point["concentration"]["ecs"]) >= {"na", "k", "cl"}
        assert point["potential"]["plasma"] < 0.0
        assert point["volume"]["cell"] == pytest.approx(2160e-18)
        assert len(point["eigenvalues"][0]) == 2
        assert point["branch"] in (0, 1)


def test_continue_prints_special_points_in_the_unit_of_the_command_and_draws_them(ionflux, tmp_path):
    figure = tmp_path / "branches.svg"
    code, out, err = ionflux(
        *("continue", NEURON, "--over", "pump.max_rate", "--from", "0.5 uA/cm^2", "--to", "2 uA/cm^2", "-o", figure)
    )
    assert code == 0
    assert re.search(r"fold +1\.064799 uA/cm\^2 +-56\.557 mV  two unstable rest points meet; neither exists below", out)
    assert "period 12.39 min; unstable below" in out
    assert f"figure: {figure}" in err
    assert figure.stat().st_size > 10_000
    code, back, _ = ionflux(
        *("continue", NEURON, "--over", "pump.max_rate", "--from", "2 uA/cm^2", "--to", "0.5 uA/cm^2")
    )
    for kind in ("fold", "Hopf"):
        [one], [other] = ([line for line in text.splitlines() if kind in line] for text in (out, back))
        assert one == other


@pytest.mark.parametrize("ends", [("0.1 uA/cm^2", "20 uA/cm^2"), ("20 uA/cm^2", "0.1 uA/cm^2")])
def test_continue_tells_on_which_side_of_a_fold_the_rest_is_lost(ionflux, ends):
    start, stop = ends
    code, out, _ = ionflux("continue", SWELLING, "--over", "pump.max_rate", "--from", start, "--to", stop)
    assert code == 0
    assert re.search(r"fold +1\.279013 uA.* a stable and an unstable rest point meet; neither exists below", out)
    assert "stable from 1.279013 uA/cm^2 to 20 uA/cm^2" in out


@pytest.mark.parametrize(
    ("config", "over", "start", "stop", "ends"),
    [
        ("plant_cell", "bath.concentrations.h", "5 pH", "7 pH", ["10 uM", "0.1 uM"]),
        ("plant_cell", "bath.concentrations.h", "pH 5", "pH 7", ["10 uM", "0.1 uM"]),
        ("leaky_bucket", "temperature", "300 K", "310 K", ["300 K", "310 K"]),
        ("leaky_bucket", "temperature", "20 degC", "30 degC", ["293.15 K", "303.15 K"]),
        ("leaky_bucket", "pump.max_rate", "300 nmol/m^2/s", "0.6 umol/m^2/s", ["0.3 umol/m^2/s", "0.6 umol/m^2/s"]),
    ],
)
def test_continue_prints_values_in_units_that_are_factors(ionflux, config, over, start, stop, ends):
    code, out, _ = ionflux("continue", CONFIGS / f"{config}.yaml", "--over", over, "--from", start, "--to", stop)
    assert code == 0
    for value in ends:
        assert re.search(rf"^  end +{re.escape(value)}  ", out, re.MULTILINE)


def test_continue_refuses_an_output_before_it_computes(ionflux, tmp_path):
    command = ("continue", LEAKY, "--over", "pump.max_rate", "--from", "0.1 umol/m^2/s", "--to", "1 umol/m^2/s", "-o")
    (tmp_path / "there.h5").touch()
    for name, code in (("x.gif", 2), ("there.h5", 4), ("nowhere/x.h5", 4)):
        found, out, _ = ionflux(*command, tmp_path / name)
        assert (found, out) == (code, "")


def test_continue_tells_what_is_wrong_with_a_range(ionflux):
    code, _, err = ionflux("continue", LEAKY, "--over", "pump.max_rate", "--from", "1 mV", "--to", "2 umol/m^2/s")
    assert code == 2
    assert "--from" in err


def test_continue_writes_branches_that_xarray_opens(ionflux, tmp_path):
    xarray, file = pytest.importorskip("xarray"), tmp_path / "branches.h5"
    command = ("continue", NEURON, "--over", "pump.max_rate", "--from", "0.5 uA/cm^2", "--to", "2 uA/cm^2", "-o", file)
    code, out, _ = ionflux(*command, "--json")
    assert code == 0
    document = json.loads(out)
    with xarray.open_dataset(file, engine="h5netcdf") as data:
        assert data.special_value.values.tolist() == [point["value"] for point in document["points"]]
        kinds = data.special_kind.attrs["flag_meanings"].split()
        assert [kinds[i] for i in data.special_kind.values] == [point["kind"] for point in document["points"]]
        branch = data.isel(place=data.branch.values == 1)
        assert branch.value.values.tolist() == document["branches"][1]["value"]
        assert branch.potential.sel(membrane="plasma").values.tolist() == document["branches"][1]["potential"]["plasma"]
        # Na that is not in the cell is in the cleft.
        total = (data.concentration * data.volume).sel(species="na").sum("compartment").values
        assert total == pytest.approx(total[0], rel=1e-12)
    assert ionflux(*command)[0] == 4
    assert ionflux(*command, "--overwrite")[0] == 0
    code, _, err = ionflux("info", file)
    assert code == 5
    assert "holds branches, not a run or a sweep; open it with xarray" in err
