"""Reports: text that survives a pipe, records that survive JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from places import CONFIGS

from simulator.report.columns import WIDTH
from simulator.report.comparison import compare
from simulator.report.records import UNITS, run_json, run_record
from simulator.report.text import comparison_text, info_text, run_text, summary_rows
from simulator.runs.integrate import run
from simulator.storage.start import load_scenario
from simulator.verdict.verdict import classify

RECORD = {
    "name", "file", "status", "verdict", "time", "potential", "concentration", "volume", "species_verdict",
    "measure", "atp_rate", "dissipation", "conservation", "evidence", "ledger", "open",
}  # fmt: skip


@pytest.fixture(scope="module")
def leaky():
    return run(load_scenario(CONFIGS / "leaky_bucket.yaml"))


@pytest.fixture(scope="module")
def sugar():
    return run(load_scenario(CONFIGS / "glucose.yaml"))


@pytest.fixture(scope="module")
def sealed():
    return run(load_scenario(CONFIGS / "sealed_bucket.yaml"))


@pytest.fixture
def failed(leaky):
    return replace(leaky, status="negative_amount", culprit="n_cell_k", end_time=100.0)


def line_with(text, beginning):
    return next(line for line in text.splitlines() if line.strip().startswith(beginning))


def test_a_record_has_the_keys_that_programs_rely_on(leaky):
    record = run_record(leaky, classify(leaky), "leaky.h5")
    assert set(record) == RECORD
    assert record["file"] == "leaky.h5"
    assert record["verdict"] == "steady_state"
    assert record["species_verdict"]["plasma"]["cl"] == "equilibrium"
    assert record["conservation"]["charge"] < 1e-9
    assert record["conservation"]["na"] is None
    assert record["potential"]["plasma"] == pytest.approx(-67.17e-3, abs=1e-4)
    assert record["concentration"]["cell"]["k"] == pytest.approx(144.5, abs=0.1)
    assert set(record["volume"]) == {"cell"}


def test_the_document_of_a_run_is_json_without_nan(leaky, sugar):
    records = [run_record(t, classify(t), None) for t in (leaky, sugar)]
    document = run_json(records, elapsed=0.5, compiled=False)
    assert set(document) == {"units", "compiled", "elapsed", "runs"}
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_what_is_not_finite_becomes_null(leaky):
    potential = leaky.compartment_potential.copy()
    potential[-1] = np.nan
    broken = replace(leaky, compartment_potential=potential, status="nonfinite")
    record = run_record(broken, classify(leaky), None)
    assert record["potential"]["plasma"] is None
    json.dumps(record, allow_nan=False)


def test_every_number_of_a_record_has_a_unit():
    assert set(UNITS) >= {"time", "potential", "concentration", "volume", "atp_rate", "dissipation"}


def test_texts_are_ascii_within_their_width(leaky, sugar, sealed, failed):
    found = [info_text(t) for t in (leaky, sugar, sealed, failed)]
    found += [comparison_text(compare(sealed, leaky)), comparison_text(compare(sugar, leaky))]
    found += [run_text(failed, classify(failed), "some/where.h5")]
    for text in found:
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= WIDTH
        assert not any(line != line.rstrip() for line in text.splitlines())
        assert "nan" not in text.split()


def test_a_long_path_is_broken_at_its_dots(sealed, leaky):
    lines = comparison_text(compare(sealed, leaky)).splitlines()
    assert any(line.strip().endswith("max_rate") for line in lines)


def test_info_says_which_way_an_open_channel_would_send_each_ion(leaky):
    text = info_text(leaky)
    assert " in " in line_with(text, "na ")
    assert " out " in line_with(text, "k ")
    assert " none " in line_with(text, "cl ")


def test_info_gives_the_stall_potential_of_the_pump(leaky):
    from simulator.trajectory.analysis import Analysis

    stall = 1e3 * Analysis(leaky).reversal.sel(mechanism="plasma.pump")[-1]
    assert f"{stall:.2f}" in line_with(info_text(leaky), "pump ")


def test_info_never_gives_a_neutral_species_a_nernst_potential(sugar):
    text = info_text(sugar)
    assert line_with(text, "glucose ").split()[3:5] == ["-", "-"]
    assert "no Nernst potential" in text


def test_info_marks_laws_without_one_way_fluxes(leaky):
    assert line_with(info_text(leaky), "pump ").split()[3:5] == ["*", "*"]


def test_info_tells_where_a_run_comes_from(leaky):
    assert leaky.provenance["kernel_hash"] in info_text(leaky)


def test_a_failed_run_says_so_first(failed):
    label, text = summary_rows(failed, classify(failed))[0]
    assert label == "status"
    assert "negative_amount" in text
    assert "amount of K in cell" in text


def test_the_comparison_shows_both_verdicts(sealed, leaky):
    row = line_with(comparison_text(compare(sealed, leaky)), "verdict")
    assert row.split() == ["verdict", "equilibrium", "steady_state"]
