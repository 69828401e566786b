"""One kernel cache for the whole suite, private to this run."""

import os
import tempfile
from pathlib import Path

import pytest
from places import CONFIGS


def pytest_configure(config):
    """Point the product at a cache of the suite's own, shared by all worker processes."""
    if "IONFLUX_CACHE" not in os.environ:
        os.environ["IONFLUX_CACHE"] = tempfile.mkdtemp(prefix="ionflux-tests-")


@pytest.fixture(scope="session")
def configs() -> Path:
    """Folder of the shipped scenarios."""
    return CONFIGS
