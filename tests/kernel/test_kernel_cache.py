"""Compiled code that is kept: never stale, never foreign, and built again when it is damaged."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import CONFIGS, ROOT

from simulator.runs.integrate import run
from simulator.storage.start import load_scenario


def copied(folder: Path) -> None:
    """Copy the package into a folder, if it is not there yet."""
    if not (folder / "simulator").exists():
        shutil.copytree(ROOT / "simulator", folder / "simulator", ignore=shutil.ignore_patterns("__pycache__"))


def in_a_copy(tmp_path: Path, code: str, cache: Path) -> str:
    """Run code with a copy of the package, so that its sources can be changed."""
    copied(tmp_path)
    environment = os.environ | {
        "IONFLUX_CACHE": str(cache),
        "PYTHONPATH": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


FINAL = f"""
from simulator.storage.start import load_scenario
from simulator.runs.integrate import run
t = run(load_scenario({str(CONFIGS / "potassium_only.yaml")!r}))
print(repr(float(t.potential.values[1, 0])))
"""


FILTERS = "from simulator.kernel import load_chunk_filter; load_chunk_filter()\n"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache that one process has just filled, and what it computed; a test takes a copy of the cache."""
    folder = tmp_path_factory.mktemp("compiled")
    return folder / "cache", in_a_copy(folder, FILTERS + FINAL, folder / "cache")


@pytest.fixture
def cache(compiled, tmp_path):
    """A filled cache that a test may spoil."""
    return Path(shutil.copytree(compiled[0], tmp_path / "cache"))


@pytest.fixture
def before(compiled):
    """What the process computed that filled the cache."""
    return compiled[1]


@pytest.mark.slow
def test_changed_law_or_constant_with_old_file_times_changes_the_next_run(tmp_path, cache, before):
    assert in_a_copy(tmp_path, FINAL, cache) == before
    for name, old, new in [
        ("physics/constants.py", "GAS_CONSTANT: Final = 8.314462618", "GAS_CONSTANT: Final = 8.0"),
        ("mechanisms/laws/leak_ghk.py", "return permeability * c_o", "return 2.0 * permeability * c_o"),
    ]:
        path = tmp_path / "simulator" / name
        times = path.stat()
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns - 10**12))
        after = in_a_copy(tmp_path, FINAL, cache)
        assert after != before, name
        before = after


@pytest.mark.slow
def test_a_warm_run_needs_no_compiler_and_leaves_numbas_linear_algebra_intact(tmp_path, cache, before):
    code = (
        FILTERS
        + FINAL
        + """
import sys
assert not {"numba", "sympy", "scipy.linalg", "scipy.integrate", "pint", "matplotlib"} & set(sys.modules)
import numba, numpy
assert numba.njit(lambda a: a @ a)(numpy.eye(2)).trace() == 2.0
"""
    )
    assert in_a_copy(tmp_path, code, cache) == before


@pytest.mark.slow
def test_a_warm_command_imports_no_compiler(tmp_path, cache):
    code = f"""
import sys
from simulator.cli import main
try:
    main(["run", {str(CONFIGS / "potassium_only.yaml")!r}, "-o", "run.h5"])
except SystemExit as end:
    assert end.code == 0
assert not {{"numba", "sympy", "scipy", "matplotlib"}} & set(sys.modules)
"""
    assert "run.h5" in in_a_copy(tmp_path, code, cache)


@pytest.mark.slow
def test_damaged_cache_is_built_again(tmp_path, cache, before):
    damaged = [path for kind in ("nbi", "nbc", "code") for path in cache.rglob(f"*.{kind}")]
    assert {path.suffix for path in damaged} == {".nbi", ".nbc", ".code"}
    for path in damaged:
        path.write_bytes(path.read_bytes()[:20])
    assert in_a_copy(tmp_path, FILTERS + FINAL, cache) == before
    for path in cache.glob("*/*.py"):  # as a cleaner of old files would
        path.unlink()
    assert in_a_copy(tmp_path, FILTERS + FINAL, cache) == before


@pytest.mark.slow
def test_cache_that_others_can_write_to_is_not_used(tmp_path, cache, before):
    cache.chmod(0o777)
    for path in cache.glob("*/kernel.py"):
        path.write_text("raise SystemExit('executed foreign code')")
    assert in_a_copy(tmp_path, FINAL, cache) == before


@pytest.mark.slow
def test_a_broken_sign_in_the_bookkeeping_ends_as_conservation_violated(tmp_path):
    case, filled = CONFIGS / "reference" / "CLOSED2-01.yaml", {"compartments.ecs.concentrations.glucose": "5 mM"}
    code = f"""
from simulator.storage.start import load_scenario
from simulator.runs.integrate import run
print(run(load_scenario({str(case)!r}, {filled!r})).status)
"""
    assert run(load_scenario(case, filled)).status == "ok"
    copied(tmp_path)
    path = tmp_path / "simulator" / "model" / "equations.py"
    text = path.read_text()
    assert "((m.inside, 1), (m.outside, -1))" in text
    path.write_text(text.replace("((m.inside, 1), (m.outside, -1))", "((m.inside, 1), (m.outside, 1))"))
    assert in_a_copy(tmp_path, code, tmp_path / "cache") == "conservation_violated"
