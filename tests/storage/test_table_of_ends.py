"""The table of a sweep's ends: what follows from each run's last state, by closed forms and as from the run alone."""

import csv
import io

import numpy as np
import pytest

from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.storage.export import to_csv
from simulator.storage.start import load_scenario
from simulator.storage.store import read, write
from simulator.storage.table import DERIVED
from simulator.trajectory.analysis import Analysis

R, F = 8.31446261815324, 96485.33212331001

CELL = """\
name: cell
temperature: 37 degC
compartments:
  bath: {fixed: true, concentrations: {na: 145 mM, k: 4.5 mM, cl: 149.5 mM, glucose: 5 mM}}
  cell:
    volume: 4.19 pL
    concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM, glucose: 1 mM}
    impermeant: {concentration: 131 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1257 um^2
    potential: -60 mV
    mechanisms:
      k_leak: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s}
      na_leak: {law: leak_ghk, ion: na, permeability: 4.0e-10 m/s}
      cl_leak: {law: leak_ohmic, ion: cl, conductance: 0.1 S/m^2}
      pump: {law: na_k_pump_hill, max_rate: 0.6 umol/m^2/s, k_na: 10 mM, k_k: 1.5 mM}
      sugar: {law: diffusion_neutral, species: glucose, permeability: 1.0e-9 m/s}
protocol:
  - {at: 10 min, set: {membranes.plasma.mechanisms.pump.max_rate: 0.1 umol/m^2/s}}
run: {duration: 30 min, save_every: 10 min}
"""

PERMEABILITY = "membranes.plasma.mechanisms.k_leak.permeability"
SWEPT = {
    PERMEABILITY: [2e-9, 4e-9, 8e-9],
    "temperature": [290.0, 300.0, 310.0],
    "compartments.bath.concentrations.k": [3.0, 6.0, 12.0],
    "protocol.0.at": [600.0, 1795.0, 1e-3],
    "protocol.0.set.membranes.plasma.mechanisms.pump.max_rate": [0.0, 1e-7, 2e-7],
}


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    path = tmp_path_factory.mktemp("cell") / "cell.yaml"
    path.write_text(CELL)
    return load_scenario(path)


def table(result):
    stream = io.StringIO()
    to_csv(result, stream)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    return {name: [row[name] for row in rows] for name in rows[0]}


def numbers(columns, name):
    return np.array([float(text) for text in columns[name]])


@pytest.fixture(scope="module")
def ends(cell):
    """The table of the ends of three runs."""
    return table(run_batch(cell, SWEPT))


@pytest.fixture(scope="module", params=["sweep", "run"])
def columns(request, cell, ends):
    """A table of ends, and one of saved times, with temperature, permeability and K outside in each row."""
    if request.param == "sweep":
        more = (np.array(SWEPT[name]) for name in ("temperature", PERMEABILITY))
        return ends, *more
    return table(run(cell)), 310.15, 4e-9


def test_nernst_potentials_are_the_logarithm_of_the_concentrations(columns):
    found, temperature, _ = columns
    for ion, z in (("na", 1), ("k", 1), ("cl", -1)):
        inside, outside = (numbers(found, f"concentration.{c}.{ion} [mol/m^3]") for c in ("cell", "bath"))
        expected = R * temperature / (z * F) * np.log(outside / inside)
        assert numbers(found, f"nernst.plasma.{ion} [V]") == pytest.approx(expected, rel=1e-10)


def test_one_way_fluxes_of_a_leak_are_those_of_goldman_hodgkin_and_katz(columns):
    found, temperature, permeability = columns
    u = F * numbers(found, "potential.plasma [V]") / (R * temperature)
    inside, outside = (numbers(found, f"concentration.{c}.k [mol/m^3]") for c in ("cell", "bath"))
    influx = permeability * outside * u / np.expm1(u)
    efflux = permeability * inside * u / -np.expm1(-u)
    assert numbers(found, "influx.plasma.k_leak.k [mol/m^2/s]") == pytest.approx(influx, rel=1e-9)
    assert numbers(found, "efflux.plasma.k_leak.k [mol/m^2/s]") == pytest.approx(efflux, rel=1e-9)
    assert numbers(found, "net_flux.plasma.k_leak.k [mol/m^2/s]") == pytest.approx(influx - efflux, rel=1e-8)
    # K flows out of a cell whose potential is above E_K: an outward current is positive.
    current = numbers(found, "ion_current.plasma.k_leak.k [A/m^2]")
    assert current == pytest.approx(F * (efflux - influx), rel=1e-8)
    above = numbers(found, "potential.plasma [V]") > numbers(found, "nernst.plasma.k [V]")
    assert (current > 0.0).tolist() == above.tolist()


def test_an_ohmic_current_is_conductance_times_driving_force(columns):
    found, _, _ = columns
    force = numbers(found, "potential.plasma [V]") - numbers(found, "nernst.plasma.cl [V]")
    assert numbers(found, "driving_force.plasma.cl [V]") == pytest.approx(force, rel=1e-12)
    assert numbers(found, "current.plasma.cl_leak [A/m^2]") == pytest.approx(0.1 * force, rel=1e-9)


def test_currents_of_the_whole_cell_are_those_of_the_table_times_its_area(columns, cell):
    found, _, _ = columns
    area = numbers(found, "area.plasma [m^2]")
    assert area == pytest.approx(cell.membranes["plasma"].area, rel=1e-15)
    pumped = F * numbers(found, "atp_rate.plasma.pump [mol/s]")  # one charge leaves with each ATP
    assert numbers(found, "current.plasma.pump [A/m^2]") * area == pytest.approx(pumped, rel=1e-12)


def test_a_pump_carries_three_sodium_out_for_two_potassium_in(columns):
    found, _, _ = columns
    pump = numbers(found, "current.plasma.pump [A/m^2]")
    assert numbers(found, "ion_current.plasma.pump.na [A/m^2]") == pytest.approx(3.0 * pump)
    assert numbers(found, "ion_current.plasma.pump.k [A/m^2]") == pytest.approx(-2.0 * pump)


def test_net_flux_and_current_of_a_species_are_sums_over_its_mechanisms(columns):
    found, _, _ = columns
    for kind, total, unit in (("net_flux", "species_flux", "mol/m^2/s"), ("ion_current", "species_current", "A/m^2")):
        parts = [numbers(found, f"{kind}.plasma.{label}.k [{unit}]") for label in ("k_leak", "pump")]
        assert numbers(found, f"{total}.plasma.k [{unit}]") == pytest.approx(np.sum(parts, axis=0), rel=1e-12)
    total = sum(numbers(found, f"species_current.plasma.{ion} [A/m^2]") for ion in ("na", "k", "cl"))
    labels = ("k_leak", "na_leak", "cl_leak", "pump")
    assert total == pytest.approx(sum(numbers(found, f"current.plasma.{m} [A/m^2]") for m in labels), abs=1e-12)
    # A neutral species has a flux and no current.
    assert "species_flux.plasma.glucose [mol/m^2/s]" in found
    assert not any("current.plasma.glucose" in name or "sugar.glucose [A" in name for name in found)


def test_flux_and_amount_agree_with_the_change_over_the_last_minute(cell):
    times = {"run.save_every": 1.0, "run.duration": 60.0}
    data = cell.resolved() | {"protocol": []}
    data["run"] = data["run"] | {key.removeprefix("run."): value for key, value in times.items()}
    found = table(run(type(cell).model_validate(data)))
    amount = numbers(found, "amount.cell.glucose [mol]")
    flux = numbers(found, "species_flux.plasma.glucose [mol/m^2/s]")
    assert np.diff(amount) == pytest.approx(1257e-12 * 0.5 * (flux[1:] + flux[:-1]), rel=1e-4)


@pytest.mark.parametrize("save", ["trajectory", "final"])
def test_each_row_is_what_the_run_alone_gives(cell, save):
    batch = run_batch(cell, SWEPT, save=save)
    found = table(batch)
    for i in range(3):
        alone = Analysis(batch.trajectory(i).moment())
        for name in DERIVED:
            field = getattr(alone, name)
            columns = [column for column in found if column.startswith(f"{name}.")]
            assert columns
            for column in columns:
                labels = column.partition(" [")[0].split(".")[1:]
                parts = [".".join(labels[:2]), *labels[2:]] if "mechanism" in field.dims else labels
                expected = field.sel(**dict(zip(field.dims[1:], parts, strict=True)))[0]
                assert float(found[column][i]) == pytest.approx(expected, rel=1e-12), column


def test_the_protocol_of_each_run_counts(cell, ends):
    assert numbers(ends, "atp_rate.plasma.pump [mol/s]")[0] == 0.0
    assert np.all(numbers(ends, "atp_rate.plasma.pump [mol/s]")[1:] > 0.0)


def test_a_failed_run_has_empty_cells_and_the_others_all_numbers(cell, tmp_path):
    data = cell.resolved()
    data["run"]["max_steps"] = 25
    batch = run_batch(type(cell).model_validate(data), {PERMEABILITY: [0.0, 4e-9, 4e-5]})
    words = batch.status.tolist()
    assert {"ok", "max_steps"} == set(words), words
    found = table(read(write(batch, tmp_path / "sweep")))
    assert found == table(batch)
    for name, cells in found.items():
        if name.startswith(DERIVED):
            filled = [bool(text) for text in cells]
            assert filled == [word == "ok" for word in words], name
