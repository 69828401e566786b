"""The kernel's own exponential, logarithm, sine and cosine, and the GHK function, against arbitrary precision."""

import mpmath
import numba
import numpy as np
import pytest

from simulator.kernel import vectormath
from simulator.physics.special import bern, bern_slope, bern_value

#: The kernel's functions have no door of their own for Python.
exp = numba.njit(lambda x: vectormath.exp(x))
log = numba.njit(lambda x: vectormath.log(x))
sin = numba.njit(lambda x: vectormath.sin(x))
cos = numba.njit(lambda x: vectormath.cos(x))

UNIT_ROUNDOFF = 2.220446049250313e-16


@pytest.fixture(scope="module")
def numbers() -> np.random.Generator:
    return np.random.default_rng(1)


def test_exponential_is_within_two_units_in_the_last_place(numbers):
    with mpmath.workdps(40):
        for x in [0.0, 1e-300, *numbers.uniform(-50, 50, 500), *numbers.uniform(-700, 700, 200)]:
            exact = mpmath.exp(mpmath.mpf(float(x)))
            assert abs(exp(x) / exact - 1) < 2 * UNIT_ROUNDOFF


def test_logarithm_is_within_two_units_in_the_last_place(numbers):
    with mpmath.workdps(40):
        for x in [*10.0 ** numbers.uniform(-250, 250, 500), *numbers.uniform(0.5, 2.0, 500)]:
            exact = mpmath.log(mpmath.mpf(float(x)))
            assert abs(log(x) - exact) <= 3 * UNIT_ROUNDOFF * abs(exact)


def test_what_is_not_a_number_stays_so():
    assert np.isnan(exp(np.nan))
    assert np.isnan(log(np.nan))
    assert np.isnan(log(-1.0))
    assert log(0.0) == -np.inf


def test_exponential_saturates_instead_of_overflowing():
    assert 1e307 < exp(1e4) < np.inf
    assert 0.0 < exp(-1e4) < 1e-307


@pytest.mark.parametrize("x", [0.0, 1e-12, -1e-12, 0.0999, 0.1001, -0.0999, -0.1001, 1.0, -1.0, 30.0, -30.0, 300.0])
def test_ghk_function_is_exact_across_its_removable_singularity(x):
    with mpmath.workdps(60):
        exact = mpmath.mpf(x) / mpmath.expm1(x) if x else mpmath.mpf(1)
        slope = mpmath.diff(lambda y: y / mpmath.expm1(y), x) if x else mpmath.mpf(-0.5)
        value = bern_value(x, np.exp(x))
        assert abs(value / exact - 1) < 4e-15
        assert abs(bern_slope(x, value) - slope) < 4e-14 * max(abs(slope), abs(exact))


def test_ghk_function_works_on_arrays_and_symbols_alike():
    sympy = pytest.importorskip("sympy")
    x = sympy.Symbol("x", real=True)
    assert bern(np.array([0.0, 1.0])) == pytest.approx([1.0, 1.0 / np.expm1(1.0)], rel=1e-15)
    assert sympy.diff(bern(x), x) == bern(x).func(x, 1)


def test_sine_and_cosine_are_within_the_last_place_of_one(numbers):
    """Within 3e-16 of the true value up to a million radians, also next to their zeros."""
    near_zeros = np.pi / 2 * np.arange(-40, 40) + 1e-9 * numbers.standard_normal(80)
    far = np.pi / 2 * numbers.integers(-600_000, 600_000, 300)
    with mpmath.workdps(60):
        for x in [
            0.0,
            -0.0,
            1e-300,
            *numbers.uniform(-10, 10, 400),
            *numbers.uniform(-1e6, 1e6, 800),
            *near_zeros,
            *far,
        ]:
            assert abs(sin(x) - mpmath.sin(mpmath.mpf(float(x)))) < 3e-16
            assert abs(cos(x) - mpmath.cos(mpmath.mpf(float(x)))) < 3e-16


def test_sine_keeps_its_digits_near_zero(numbers):
    for x in 10.0 ** numbers.uniform(-200, -1, 200):
        assert abs(sin(x) / mpmath.sin(mpmath.mpf(float(x))) - 1) < 2 * UNIT_ROUNDOFF


@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf])
def test_sine_and_cosine_of_what_is_no_number_are_none(x):
    assert np.isnan(sin(x))
    assert np.isnan(cos(x))
