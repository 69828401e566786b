"""Keys that go along with another one of a sweep: saved, told and drawn as one axis."""

import numpy as np
import pytest

from simulator.report.batch import batch_info_text
from simulator.report.figures import plot_batch
from simulator.runs.threads import run_batch
from simulator.storage.start import load_scenario
from simulator.storage.store import read, write

K, CL = "compartments.bath.concentrations.k", "compartments.bath.concentrations.cl"
LEAK = "membranes.plasma.mechanisms.k_leak.permeability"


@pytest.fixture(scope="module")
def batch(configs):
    sweep = {
        "mode": "grid",
        "over": {
            K: {"linspace": [3.0, 12.0], "n": 4, "with": {CL: {"linspace": [148.0, 157.0]}}},
            LEAK: {"values": [2e-9, 4e-9, 8e-9]},
        },
    }
    cell = load_scenario(configs / "benchmark_cell.yaml", {"sweep": sweep, "run.save": "final"})
    return run_batch(cell)


def test_each_key_keeps_its_coordinate_on_the_run(batch, tmp_path):
    saved = read(write(batch, tmp_path / "sweep"))
    assert list(saved.coordinates) == [K, CL, LEAK]
    np.testing.assert_array_equal(saved.coordinates[CL], np.repeat([148.0, 151.0, 154.0, 157.0], 3))
    assert saved.trajectory(11).scenario.quantities()[CL] == 157.0


def test_the_summary_says_what_goes_along_with_what(batch):
    assert f"{CL}: 148.0 mM to 157.0 mM, along with {K}" in " ".join(batch_info_text(batch).split())


def test_a_map_has_the_keys_that_lead_on_its_axes_unless_told_otherwise(batch):
    axes = plot_batch(batch).axes[0]
    assert ("bath" in axes.get_xlabel(), "k_leak" in axes.get_ylabel()) == (True, True)
    assert axes.get_xlim()[0] < 3.0 < 12.0 < axes.get_xlim()[1]
    other = plot_batch(batch, axes=[CL, LEAK]).axes[0]
    assert other.get_xlim()[0] < 148.0 < 157.0 < other.get_xlim()[1]
