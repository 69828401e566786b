"""Data files: the same bits back, and readable for other programs."""

import csv
import io
import json
import os
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
from data_files import ARRAY_FIELDS, same
from places import CONFIGS

from simulator.runs.integrate import run
from simulator.storage.export import to_csv, to_netcdf
from simulator.storage.identity import run_hash
from simulator.storage.start import load_scenario
from simulator.storage.store import describe, read, stored_scenario, write
from simulator.trajectory.arrangement import ARRANGED
from simulator.verdict.verdict import classify

# -- round trip -----------------------------------------------------------------------------------


def test_what_is_read_is_what_was_written_to_the_last_bit(result, saved, config_text):
    back = read(saved)
    assert same(back, result)
    assert back.provenance == {**result.provenance, "config": config_text}


#: A bath in which a model rests, where its own would have it go round for ever: a file has a verdict, and to find
#: that there is no rest ahead of half a second of bursts takes as long as all other models together.
AT_REST = {"seizure": {"compartments.bath.concentrations.k": "4 mM"}}


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_shipped_kind_of_model_survives_the_round_trip(name, tmp_path):
    changes = {"run": "{duration: 0.5 s, save_every: 0.1 s}", "protocol": "[]"} | AT_REST.get(name, {})
    short = run(load_scenario(CONFIGS / f"{name}.yaml", changes))
    assert same(read(write(short, tmp_path / "short.h5")), short)


def test_the_stored_verdict_is_the_one_computed_from_the_states(saved, result):
    told, judged = describe(saved), classify(result)
    assert told.verdict == judged.word
    assert told.evidence["species"] == {m: dict(w) for m, w in judged.species.items()}
    assert told.evidence["sentence"] == judged.sentence
    assert set(told.drift) == {"charge", *result.labels["species"]}


def test_a_data_file_repeats_its_own_run(saved, result):
    from simulator.scenario.yaml.reader import from_resolved

    assert same(run(from_resolved(stored_scenario(saved)).scenario), result)


def test_a_failed_run_keeps_its_status_time_and_culprit(result, tmp_path):
    failed = replace(result, status="negative_amount", culprit=result.structure.states[1], end_time=123.5)
    assert same(read(write(failed, tmp_path / "failed.h5")), failed)


def test_the_same_run_gives_the_same_file(result, good, config_text, tmp_path):
    assert write(result, tmp_path / "again.h5", config_text=config_text).read_bytes() == good


def test_the_hash_of_a_run_covers_scenario_and_kernel():
    assert len({run_hash("a", "x"), run_hash("b", "x"), run_hash("a", "y")}) == 3


def test_a_long_trajectory_is_stored_in_several_chunks(result, tmp_path):
    steps = 40_000
    grown = {n: np.repeat(getattr(result, n)[-1:], steps, axis=0) for n in ARRANGED}
    long = replace(result, time=np.arange(steps, dtype=float), end_time=float(steps - 1), **grown)
    path = write(long, tmp_path / "long.h5")
    with h5py.File(path) as file:
        assert file["amount"].id.get_num_chunks() > 1
    assert same(read(path), long)


def test_a_result_with_a_nan_among_its_states_is_not_saved(result, tmp_path):
    amount = result.amount.copy()
    cell, k = result.labels["compartment"].index("cell"), result.labels["species"].index("k")
    amount[:, cell, k] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        write(replace(result, amount=amount), tmp_path / "nan.h5")
    assert os.listdir(tmp_path) == []


# -- other programs -------------------------------------------------------------------------------


def test_xarray_opens_a_data_file_and_selects_by_label(saved, result):
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(saved, engine="h5netcdf") as data:
        assert dict(data.sizes)["run"] == 1
        plasma = data.potential.sel(membrane="plasma").isel(run=0)
        assert np.array_equal(plasma.values, result.potential.sel(membrane="plasma"))
        k = data.concentration.sel(compartment="cell", species="k").isel(run=0)
        assert np.array_equal(k.values, result.concentration.sel(compartment="cell", species="k"))
        assert data.amount.dims == ("run", "time", "compartment", "species")
        assert all({"long_name"} <= set(v.attrs) for v in data.variables.values())
        assert (data.potential.units, data.time.units, data.volume.units) == ("V", "s", "m^3")
        for name in ("status", "verdict"):
            variable = data[name]
            assert variable.dtype == np.int8
            words = variable.flag_meanings.split()
            word = words[list(variable.flag_values).index(variable.values[0])]
            assert word == {"status": result.status, "verdict": classify(result).word}[name]
        assert data.attrs["Conventions"].startswith("CF-")


def test_every_number_in_a_file_is_checksummed_and_no_chunk_compressed(saved):
    with h5py.File(saved) as file:
        assert file.libver == ("v110", "v110") or file.id.get_create_plist().get_version()[0] == 3
        found = []
        file.visititems(lambda name, o: found.append(o) if isinstance(o, h5py.Dataset) else None)
        numeric = [d for d in found if d.dtype.kind != "O"]
        assert len(numeric) > 10
        assert all(d.fletcher32 and d.shuffle and d.compression is None for d in numeric)


def test_netcdf_is_a_copy_of_the_data_file(saved, good, tmp_path):
    to_netcdf(read(saved), tmp_path / "run.nc")
    assert (tmp_path / "run.nc").read_bytes() == good


def test_csv_has_units_in_its_header_and_all_digits(result, tmp_path):
    to_csv(result, tmp_path / "run.csv")
    rows = list(csv.DictReader((tmp_path / "run.csv").open()))
    assert len(rows) == len(result.time)
    assert [float(r["time [s]"]) for r in rows] == list(result.time)
    assert [float(r["potential.plasma [V]"]) for r in rows] == list(result.potential.sel(membrane="plasma"))
    assert {
        "concentration.cell.k [mol/m^3]",
        "nernst.plasma.k [V]",
        "driving_force.plasma.na [V]",
        "influx.plasma.k_leak.k [mol/m^2/s]",
        "efflux.plasma.k_leak.k [mol/m^2/s]",
        "current.plasma.pump [A/m^2]",
        "atp_rate.plasma.pump [mol/s]",
        "dissipation.plasma.pump [W]",
    } <= set(rows[0])
    stream = io.StringIO()
    to_csv(result, stream)
    assert stream.getvalue() == (tmp_path / "run.csv").read_text()


def test_no_array_of_a_trajectory_is_forgotten():
    kinds = {f.name for f in fields(read.__globals__["Trajectory"]) if "ndarray" in str(f.type)}
    assert kinds == set(ARRAY_FIELDS)


def test_evidence_is_standard_json(saved):
    with h5py.File(saved) as file:
        text = file["verdict"].attrs["evidence"].decode()
    json.loads(text, parse_constant=lambda word: pytest.fail(word))
