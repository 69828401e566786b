"""Quantities as text: every unit means what it says, and every slip is named."""

import math

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.physics.constants import FARADAY
from simulator.physics.notation import DISPLAY, format_quantity
from simulator.physics.unit_table import UNITS
from simulator.physics.units import QuantityError, parse_quantity

REGISTRY = pint.UnitRegistry()

SYMBOLS = [prefix + name for name, unit in UNITS.items() for prefix in ("", *unit.prefixes)]

#: SI unit by what pint calls the dimension.
SI = ["m", "s", "1/s", "kg", "m^3", "mol", "mol/m^3", "V", "A", "C", "F", "S", "ohm", "J", "W", "K"]


def complaint(text, unit):
    with pytest.raises(QuantityError) as error:
        parse_quantity(text, unit)
    return error.value


def si_unit_of(symbol):
    quantity = REGISTRY.Quantity(1.0, symbol)
    return next(unit for unit in SI if quantity.is_compatible_with(unit))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_unit_agrees_with_pint(symbol):
    unit = si_unit_of(symbol)
    expected = REGISTRY.Quantity(3.0, symbol).to(unit).magnitude
    assert parse_quantity(f"3 {symbol}", unit) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1 uF/cm^2", "F/m^2"),
        ("1 uF/cm2", "F/m^2"),
        ("1 uF cm-2", "F/m^2"),
        ("1 uF*cm^-2", "F/m^2"),
        ("1e-2 F/m**2", "F/m^2"),
        ("1 µF/cm²", "F/m^2"),
        ("0.3 mS/cm^2", "S/m^2"),
        ("1257 um^2", "m^2"),
        ("4.19 pL", "m^3"),
        ("4190 um^3", "m^3"),
        ("0.8 umol/m^2/s", "mol/m^2/s"),
        ("0.8 umol m^-2 s^-1", "mol/m^2/s"),
        ("-57 kJ/mol", "J/mol"),
        ("5 /s", "1/s"),
        ("5 1/s", "1/s"),
        ("140 mmol/L", "mol/m^3"),
    ],
)
def test_products_and_powers_agree_with_pint(text, unit):
    spelled = text.replace("cm2", "cm^2").replace("cm-2", "cm^-2").replace("5 /s", "5 1/s").replace("5 1/s", "5 Hz")
    value = REGISTRY.parse_expression(spelled).to(unit).magnitude
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        (["1 uF/cm^2", "0.01 F/m^2", "10 fF/um^2", "1e-6 F cm-2"], "F/m^2"),
        (["4.19 pL", "4190 um^3", "4.19e-15 m^3", "4.19e-12 l"], "m^3"),
        (["145 mM", "0.145 M", "145 mol/m^3", "145 umol/mL", "145000 uM"], "mol/m^3"),
        (["2 h", "120 min", "7200 s", "7.2e6 ms"], "s"),
    ],
)
def test_one_quantity_is_the_same_bits_in_any_units(texts, unit):
    assert len({parse_quantity(text, unit) for text in texts}) == 1


def test_celsius_is_shifted_and_stands_alone():
    assert parse_quantity("37 degC", "K") == 310.15
    assert parse_quantity("37 °C", "K") == 310.15
    assert "cannot be part" in complaint("1 degC/s", "K").problem


def test_a_pump_rate_may_be_a_current_density():
    assert parse_quantity("1 A/m^2", "mol/m^2/s") == pytest.approx(1.0 / FARADAY, rel=1e-15)
    assert parse_quantity("5e-5 C/dm2/s", "mol/m^2/s") == pytest.approx(5e-3 / FARADAY, rel=1e-15)
    assert "current density" in complaint("1 A/m^2", "S/m^2").problem


@pytest.mark.parametrize(
    ("text", "unit", "words"),
    [
        ("-70 mM", "V", ["an amount concentration", "a voltage"]),
        ("140 mm", "mol/m^3", ["a length", "an amount concentration", "`140 mM`"]),
        ("5 mv", "V", ["unknown unit `mv`", "`mV`"]),
        ("5 furlong", "m", ["unknown unit `furlong`"]),
        ("37 C", "K", ["a charge", "a temperature", "`37 degC`"]),
        ("5", "V", ["no unit", "`5 mV`"]),
        ("1,5 mM", "mol/m^3", ["comma", "decimal point"]),
        ("ten", "s", ["does not start with a number"]),
        ("", "s", ["does not start with a number"]),
        ("1e400 mV", "V", ["too large"]),
        ("1e308 kV", "V", ["too large"]),
        ("1e-400 mV", "V", ["too small"]),
        ("1e-323 nV", "V", ["too small"]),
        ("nan mM", "mol/m^3", ["not a finite number"]),
        ("-inf mV", "V", ["not a finite number"]),
        ("1 mol/(m^2 s)", "mol/m^2/s", ["cannot be read", "mol/m^2/s"]),
        ("1 m^0", "m", ["power"]),
        ("1 m^99999999999", "m", ["power"]),
        ("1_000 mM", "mol/m^3", ["cannot be read"]),
        ("9" * 500 + " mV", "V", ["too many digits"]),
    ],
)
def test_a_slip_is_named_with_what_was_wanted(text, unit, words):
    message = str(complaint(text, unit))
    assert [word for word in words if word not in message] == []
    assert len(message) < 250


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4.19e-15, "m^3", "4.19 pL"),
        (-0.07, "V", "-70 mV"),
        (145.0, "mol/m^3", "145 mM"),
        (0.005, "s", "5 ms"),
        (7200.0, "s", "2 h"),
        (300.0, "s", "5 min"),
        (1e5, "s", "100000 s"),
        (0.01, "F/m^2", "1 uF/cm^2"),
        (4e-9, "m/s", "4e-09 m/s"),
        (8e-7, "mol/m^2/s", "0.8 umol/m^2/s"),
        (-57e3, "J/mol", "-57 kJ/mol"),
        (0.0, "V", "0 mV"),
        (1e-6, "1", "1e-06"),
        (3.0, "m^5", "3 m^5"),
        (math.inf, "s", "inf s"),
    ],
)
def test_printed_quantities_have_a_readable_prefix(value, unit, text):
    assert format_quantity(value, unit) == text


@given(st.sampled_from(sorted(DISPLAY)), st.floats(1e-25, 1e25), st.sampled_from([1.0, -1.0]))
def test_what_is_printed_reads_back(unit, size, sign):
    assert parse_quantity(format_quantity(sign * size, unit), unit) == pytest.approx(sign * size, rel=1e-5)


def finite_or_complaint(text, unit):
    try:
        return math.isfinite(parse_quantity(text, unit))
    except QuantityError as error:
        return error.problem.isprintable() and error.expected != ""


@given(st.text(max_size=40), st.sampled_from(sorted(DISPLAY)))
def test_any_text_is_a_finite_number_or_a_complaint(text, unit):
    assert finite_or_complaint(text, unit)


@given(st.from_regex(r"[-+]?[0-9]{1,3}(\.[0-9]{1,3})?(e-?[0-9]{1,3})? [a-zA-Z/*^0-9 .-]{1,12}", fullmatch=True))
def test_anything_like_a_quantity_is_a_finite_number_or_a_complaint(text):
    assert all(finite_or_complaint(text, unit) for unit in ("V", "mol/m^2/s", "K"))
