"""One kernel cache for the whole suite, and the order in which its files are dealt out."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from places import CONFIGS

#: Files dealt out first, so that none of the long ones is left for the end when one process works and others wait.
#: The first of all compiles the kernels of the shipped scenarios, which others load later; those after it compile
#: kernels of their own, or those of the reference cases.
FIRST = (
    "test_round_trip.py",
    "test_verdict.py",
    "test_life_of_a_sweep.py",
    "test_cluster.py",
    "test_shards.py",
    "test_kernel_cache.py",
    "test_reference_cases.py",
    "test_custom_laws.py",
    "test_notebook.py",
    "test_corners.py",
    "test_channels.py",
    "test_commands.py",
)

# Whether a test passes must not depend on how busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

#: Folders in the cache from which on it is begun anew; a suite needs about a hundred, others when a kernel changes.
MANY = 600


def pytest_configure(config):
    """Point the product at a cache of the suite's own, shared by all worker processes and kept beside pytest's cache.

    A kernel is found there only if it depends on nothing that has changed since: tests/kernel/test_kernel_cache.py
    holds this, in caches of its own.
    """
    if "IONFLUX_CACHE" in os.environ:
        return
    kept = getattr(config, "cache", None)
    place = kept.mkdir("kernels") if kept else Path(tempfile.mkdtemp(prefix="ionflux-tests-"))
    if sum(1 for _ in place.iterdir()) > MANY:
        shutil.rmtree(place)
        place.mkdir()
    place.chmod(0o700)
    os.environ["IONFLUX_CACHE"] = str(place)
    if not kept:
        config.add_cleanup(lambda: shutil.rmtree(place, ignore_errors=True))
    config.add_cleanup(lambda: os.environ.pop("IONFLUX_CACHE"))


def pytest_collection_modifyitems(items):
    """Long files first, the others as they come."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def configs() -> Path:
    """Folder of the shipped scenarios."""
    return CONFIGS
