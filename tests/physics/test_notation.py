"""Numbers, times and names as they are printed."""

import pytest

from simulator.physics.notation import duration, measured_number, pretty_number, readable, species_name, with_unit


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-0.0671655, "V", "-67.17 mV"),
        (4.18879e-15, "m^3", "4.189 pL"),
        (49.56e-18, "mol/s", "49.56 amol/s"),
        (2.825e-12, "W", "2.825 pW"),
        (0.0, "W", "0 W"),
        (0.0028, "mol/m^3", "2.800 uM"),
        (0.04, "1", "0.04"),
        (float("nan"), "V", "-"),
    ],
)
def test_values_are_printed_in_readable_units(value, unit, text):
    assert with_unit(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (2.5e-3, "2.5 ms"), (60.0, "60 s"), (172800.0, "48 h"), (float("inf"), "for ever")],
)
def test_times_are_printed_in_readable_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(604800.0, "1", "604800"), (0.97153, "1", "0.9715"), (0.007236, "s", "7.236 ms"), (-0.06, "V", "-60.00 mV")],
)
def test_measures_are_printed_as_counts_times_and_quantities(value, unit, text):
    assert measured_number(value, unit) == text


def test_neighbours_of_a_thousand_keep_one_unit():
    assert readable(999.99e-12, "W").text == "nW"


def test_charges_are_superscripts():
    names = [species_name(*s) for s in (("na", 1), ("ca", 2), ("cl", -1), ("hco3", -1), ("glucose", 0), ("atp", -4))]
    assert names == ["Na⁺", "Ca²⁺", "Cl⁻", "HCO₃⁻", "glucose", "ATP⁴⁻"]


def test_powers_of_ten_are_written_out():
    assert pretty_number(-2.98e7) == "−2.98 × 10⁷"
