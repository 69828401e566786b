"""Laws that break thermodynamics are named before a run."""

import pytest

from simulator.model.model import Model
from simulator.model.remarks import remarks
from simulator.physics.electrochemistry import nernst_potential
from simulator.storage.start import load_scenario

PUMP = "membranes.plasma.mechanisms.pump"


def remarked(path, changes=None):
    """What is remarked on a scenario, by key."""
    return {remark.key: remark.text for remark in remarks(Model.of(load_scenario(path, changes)))}


@pytest.mark.parametrize("name", ["leaky_bucket", "benchmark_cell", "published/kay_2017", "published/vereninov_u937"])
def test_shipped_cells_have_nothing_to_be_warned_of(configs, name):
    assert [key for key in remarked(configs / f"{name}.yaml") if key.startswith("membranes")] == []


def test_a_pump_past_its_stall_is_named_with_the_energy_it_lacks(configs):
    tired = {"atp_free_energy": "-30 kJ/mol"}
    found = remarked(configs / "leaky_bucket.yaml", tired)
    assert list(found) == [PUMP]
    assert "stall" in found[PUMP]


def test_a_passive_law_that_states_its_net_rate_breaks_detailed_balance(configs):
    law = "{law: custom, moves: {k: 1}, rate: push * k_o, parameters: {push: 1.0e-9 m/s}, reversible: false}"
    odd = {"membranes.plasma.mechanisms.k_leak": law}
    found = remarked(configs / "potassium_only.yaml", odd)
    assert "nonzero rate at zero affinity" in found["membranes.plasma.mechanisms.k_leak"]


def test_a_neutral_solute_has_no_nernst_potential():
    with pytest.raises(ValueError, match="neutral"):
        nernst_potential(1.0, 2.0, 0, 0.0267)
