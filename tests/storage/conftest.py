"""A run of some hours and its data file."""

import pytest

from simulator.runs.integrate import run
from simulator.storage.start import load_scenario
from simulator.storage.store import write


@pytest.fixture(scope="session")
def result(configs):
    return run(load_scenario(configs / "leaky_bucket.yaml", {"run.duration": "2 h", "run.save_every": "30 min"}))


@pytest.fixture(scope="session")
def config_text(configs):
    return (configs / "leaky_bucket.yaml").read_text()


@pytest.fixture(scope="session")
def good(result, config_text, tmp_path_factory):
    """Bytes of a good file."""
    return write(result, tmp_path_factory.mktemp("good") / "good.h5", config_text=config_text).read_bytes()


@pytest.fixture
def saved(good, tmp_path):
    """A good file that a test may spoil."""
    path = tmp_path / "run.h5"
    path.write_bytes(good)
    return path
