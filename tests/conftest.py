"""One kernel cache for the whole suite, private to this run, and the order in which its files are dealt out."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from places import CONFIGS

#: Files dealt out first, so that none of the long ones is left for the end when one process works and others wait.
#: The first of all compiles the kernels of the shipped scenarios, which others load later; those after it compile
#: kernels of their own, or those of the reference cases.
FIRST = (
    "test_round_trip.py",
    "test_verdict.py",
    "test_life_of_a_sweep.py",
    "test_kernel_cache.py",
    "test_reference_cases.py",
    "test_custom_laws.py",
    "test_notebook.py",
    "test_corners.py",
    "test_channels.py",
    "test_commands.py",
)

_CACHE = pytest.StashKey[str]()


def pytest_configure(config):
    """Point the product at a cache of the suite's own, shared by all worker processes."""
    if "IONFLUX_CACHE" not in os.environ:
        config.stash[_CACHE] = os.environ["IONFLUX_CACHE"] = tempfile.mkdtemp(prefix="ionflux-tests-")


def pytest_unconfigure(config):
    """Leave nothing behind."""
    if _CACHE in config.stash:
        shutil.rmtree(config.stash[_CACHE], ignore_errors=True)
        del os.environ["IONFLUX_CACHE"]


def pytest_collection_modifyitems(items):
    """Long files first, the others as they come."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def configs() -> Path:
    """Folder of the shipped scenarios."""
    return CONFIGS
