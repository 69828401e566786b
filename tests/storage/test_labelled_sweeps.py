"""A sweep on disk as labelled arrays, larger than memory, unfolded into its axes, and as a table for other programs."""

import builtins
import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest
import xarray

from simulator.errors import UsageError
from simulator.runs import lazily
from simulator.runs.threads import run_batch
from simulator.storage import folder as folders
from simulator.storage.export import to_csv, to_parquet
from simulator.storage.start import load_scenario
from simulator.storage.store import read, write
from simulator.trajectory.arrangement import QUANTITIES

K_LEAK = "membranes.plasma.mechanisms.k_leak.permeability"
BATH_K, BATH_NA = "compartments.bath.concentrations.k", "compartments.bath.concentrations.na"
PUMP = "membranes.plasma.mechanisms.pump.max_rate"

SWEEP = f"""\
name: grid
extends: benchmark_cell.yaml
run: {{duration: 1 h, save_every: 20 min}}
measure:
  top: {{peak: potential.plasma}}
sweep:
  mode: grid
  over:
    {BATH_K}: {{values: [3 mM, 5 mM, 8 mM], with: {{{BATH_NA}: [147 mM, 145 mM, 142 mM]}}}}
    {K_LEAK}: [2.0e-9 m/s, 4.0e-9 m/s]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, configs):
    path = tmp_path_factory.mktemp("grid")
    shutil.copy(configs / "benchmark_cell.yaml", path)
    (path / "grid.yaml").write_text(SWEEP)
    return path


@pytest.fixture(scope="module")
def batch(place):
    return run_batch(load_scenario(place / "grid.yaml"))


@pytest.fixture(scope="module")
def stored(place, batch):
    """The same batch on disk, in three parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "PART_RUNS", 2)
        write(batch, place / "sweep")
    assert len(list((place / "sweep").glob("part-*.h5"))) == 3
    return read(place / "sweep")


def test_a_sweep_on_disk_is_read_part_by_part_when_it_is_computed(batch, stored, monkeypatch):
    opened = []
    variable = folders.Folder.variable
    monkeypatch.setattr(folders.Folder, "variable", lambda f, n, name: opened.append((n, name)) or variable(f, n, name))
    table = stored.to_xarray()
    assert opened == []
    assert table.potential.data.chunks[0] == (2, 2, 2)
    third = table.potential.isel(run=2).values
    assert opened == [(1, "potential")]
    assert third.tobytes() == batch.potential.values[2].tobytes()
    inmemory = batch.to_xarray()
    xarray.testing.assert_identical(table.compute(), inmemory)
    assert table.status.values.tolist() == ["ok"] * 6


def test_a_grid_unfolds_into_its_axes(batch, stored):
    for table in (batch.to_xarray(unfold=True), stored.to_xarray(unfold=True)):
        assert table.potential.dims == (BATH_K, K_LEAK, "time", "membrane")
        assert table.sizes[BATH_K] == 3
        assert table[BATH_K].values.tolist() == [3.0, 5.0, 8.0]
        assert table[BATH_NA].dims == (BATH_K,)
        assert table[BATH_NA].values.tolist() == [147.0, 145.0, 142.0]
        assert table[K_LEAK].attrs["units"] == "m/s"
        assert table.run.values.tolist() == [[0, 1], [2, 3], [4, 5]]
        at = table.sel({BATH_K: 5.0, K_LEAK: 4e-9})
        assert int(at.run) == 3
        assert at.potential.values.tobytes() == batch.potential.values[3].tobytes()
        assert float(at.top) == batch.measures["top"][3]
        assert str(at.verdict.values) == batch.verdict[3]
        # More K outside depolarises, more K permeability hyperpolarises.
        last = table.potential.isel(time=-1, membrane=0)
        assert bool((last.diff(BATH_K) > 0.0).all())
        assert bool((last.diff(K_LEAK) < 0.0).all())


def test_a_product_unfolds_and_what_it_draws_is_one_axis(place):
    parts = [
        {"mode": "random", "n": 3, "over": {K_LEAK: {"loguniform": [1e-9, 1e-8]}}},
        {"mode": "grid", "over": {PUMP: [0.0, 1e-6], BATH_K: [3.0, 5.0]}},
    ]
    found = run_batch(load_scenario(place / "grid.yaml", {"sweep": {"mode": "product", "parts": parts}}))
    table = found.to_xarray(unfold=True)
    assert dict(table.top.sizes) == {"parts.0 (random)": 3, PUMP: 2, BATH_K: 2}
    assert table[K_LEAK].dims == ("parts.0 (random)",)
    assert table.top.values.tolist() == found.measures["top"].reshape(3, 2, 2).tolist()
    assert table[K_LEAK].values.tolist() == found.coordinates[K_LEAK][::4].tolist()


def test_what_is_no_grid_does_not_unfold(place, batch):
    listed = {"mode": "list", "runs": [{BATH_K: 3.0}, {BATH_K: 4.0}]}
    scenario = load_scenario(place / "grid.yaml", {"sweep": listed})
    with pytest.raises(UsageError, match="the runs of a list sweep are no grid"):
        run_batch(scenario).to_xarray(unfold=True)
    with pytest.raises(UsageError, match="not all runs"):
        batch.part(0, 4).to_xarray(unfold=True)
    values = {key: column[::-1] for key, column in batch.coordinates.items()} | {K_LEAK: np.linspace(1e-9, 6e-9, 6)}
    with pytest.raises(UsageError, match="not those of the sweep's grid"):
        run_batch(load_scenario(place / "grid.yaml"), values).to_xarray(unfold=True)


def test_without_dask_all_is_read_unless_the_memory_is_too_small(stored, batch, monkeypatch):
    monkeypatch.setattr(lazily, "find_spec", lambda name: None)
    xarray.testing.assert_identical(stored.to_xarray(), batch.to_xarray())
    monkeypatch.setattr(lazily, "memory_bytes", lambda: 1000)
    with pytest.raises(UsageError, match=r"pip install 'ionflux\[xarray\]'"):
        stored.to_xarray()


def test_xarray_alone_opens_the_parts_of_a_sweep(place, batch, stored):
    opened = xarray.open_mfdataset(
        str(place / "sweep" / "part-*.h5"), combine="nested", concat_dim="run", engine="h5netcdf"
    )
    with opened as table:
        assert table.potential.chunks is not None
        assert table.run.values.tolist() == [*range(6)]
        assert table.potential.values.tobytes() == batch.potential.values.tobytes()
        assert table[BATH_NA].dims == ("run",)
        assert table.top.attrs["units"] == "V"


OPEN_ALONE = """
table = xarray.open_mfdataset(f"{place}/part-*.h5", combine="nested", concat_dim="run", engine="h5netcdf")
"""
OPEN_BATCH = """
from simulator.storage.store import read
table = read(place).to_xarray()
"""
MEAN_WITHIN = """
import resource, sys, json
import dask, xarray, h5netcdf, numpy
dask.config.set(scheduler="synchronous")
place, room = sys.argv[1], int(sys.argv[2])
import simulator.storage.store, simulator.storage.layout, dask.array
{opening}
float(table.amount.isel(run=slice(0, 10)).mean())  # what is needed for the first time is loaded
used = int(open("/proc/self/status").read().split("VmData:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + room, used + room))
means = {{name: float(table[name].mean()) for name in ("amount", "concentration")}}
try:
    table.load()
    whole = "fits"
except Exception:  # HDF5 tells a lack of memory in other words
    whole = "does not fit"
print(json.dumps([table.nbytes, whole, means]))
"""


@pytest.fixture(scope="module")
def large(place):
    """A sweep of some 200 MB."""
    change = {
        "run.save_every": "10 s",
        "sweep": {"mode": "random", "n": 3000, "over": {K_LEAK: {"uniform": [1e-9, 4e-9]}}},
    }
    batch = run_batch(load_scenario(place / "grid.yaml", change))
    write(batch, place / "large")
    return place / "large", {name: float(np.nanmean(batch.arrays[name])) for name in ("amount", "concentration")}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits the data of a process")
@pytest.mark.parametrize("opening", [OPEN_ALONE, OPEN_BATCH], ids=["xarray alone", "to_xarray"])
def test_a_sweep_larger_than_the_memory_is_reduced_in_it(large, opening):
    path, means = large
    room = 80 << 20
    script = MEAN_WITHIN.format(opening=opening)
    done = subprocess.run([sys.executable, "-c", script, str(path), str(room)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    nbytes, whole, found = json.loads(done.stdout)
    assert nbytes > room
    assert whole == "does not fit"
    assert found == pytest.approx(means, rel=1e-12)


def test_parquet_has_the_columns_and_bits_of_the_csv_with_units_and_meanings(stored, place):
    to_parquet(stored, place / "ends.parquet", overwrite=True)
    to_csv(stored, place / "ends.csv", overwrite=True)
    table = pyarrow.parquet.read_table(place / "ends.parquet")
    head, *rows = (place / "ends.csv").read_text().splitlines()
    assert table.column_names == head.split(",")
    for name, cells in zip(table.column_names, zip(*(row.split(",") for row in rows), strict=True), strict=True):
        values = table[name].to_pylist()
        assert ["" if v is None else str(v) for v in values] == list(cells), name
    about = table.schema.field("concentration.cell.k [mol/m^3]").metadata
    assert about == {b"unit": b"mol/m^3", b"meaning": QUANTITIES["concentration"][1].encode()}
    assert table.schema.field("status").metadata[b"unit"] == b""
    assert table.schema.field("top [V]").metadata[b"meaning"]
    assert table["run"].to_pylist() == [*range(6)]
    assert json.loads(table.schema.metadata[b"scenario"])["name"] == "grid"


def test_a_table_on_disk_is_that_of_the_batch_in_memory(stored, batch, place):
    for name, result in (("stored", stored), ("memory", batch)):
        to_csv(result, place / f"{name}.csv", overwrite=True)
    assert (place / "stored.csv").read_bytes() == (place / "memory.csv").read_bytes()


def test_a_column_that_only_a_later_part_fills_is_in_the_table(place):
    """The first runs fail, so that nothing but their values is known in the first part."""
    change = {
        "run.max_steps": 47.0,
        "sweep": {"mode": "zip", "over": {K_LEAK: [4e-3, 4e-3, 4e-9, 4e-9]}},
    }
    batch = run_batch(load_scenario(place / "grid.yaml", change))
    assert batch.status.tolist() == ["max_steps"] * 2 + ["ok"] * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "PART_RUNS", 2)
        write(batch, place / "late", overwrite=True)
    to_csv(read(place / "late"), place / "late.csv", overwrite=True)
    head, *rows = (line.split(",") for line in (place / "late.csv").read_text().splitlines())
    column = [row[head.index("potential.plasma [V]")] for row in rows]
    assert [bool(cell) for cell in column] == [False, False, True, True]
    to_parquet(read(place / "late"), place / "late.parquet", overwrite=True)
    assert pyarrow.parquet.read_table(place / "late.parquet")["potential.plasma [V]"].null_count == 2


def test_without_pyarrow_the_command_says_what_to_install(place, stored, monkeypatch, capsys):
    from simulator.cli.app import _run

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    code = _run(["export", str(place / "sweep"), "--to", "parquet"], as_json=False, debug=False)
    assert code == 2
    assert "pip install 'ionflux[parquet]'" in capsys.readouterr().err
    assert not list(place.glob("*sweep.parquet"))
