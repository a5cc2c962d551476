import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats import Moments
from trimtab.stats.asymptotic import asymptotic_interval, normal_mixture_bound, normal_mixture_rho


def test_the_normal_mixture_gives_the_published_numbers() -> None:
    # Test suite of the confseq package (two-sided normal mixture), whose numbers come from its authors' R code.
    rho = normal_mixture_rho(100)

    assert rho == pytest.approx(12.60056, abs=5e-6)
    assert normal_mixture_bound(100, rho=rho) == pytest.approx(30.35209, abs=2e-4)


def test_the_asymptotic_interval_gives_the_reference_bounds() -> None:
    # Mean 0.5 and variance 0.25 of 100 samples; their rho is sqrt((-2 ln a + ln(-2 ln a) + 1) / 100) = .296341.
    off = math.sqrt(0.25 * 99 / 100)
    sample = Moments([0.5 - off, 0.5 + off] * 50)
    bounds = asymptotic_interval(sample, rho=0.296341**-2)

    assert bounds == pytest.approx((0.338667, 0.661333), abs=1e-6)


@given(st.floats(1, 1e6))
def test_the_bound_is_tightest_where_it_was_tuned(tuned_at: float) -> None:
    tuned = normal_mixture_bound(tuned_at, rho=normal_mixture_rho(tuned_at))

    for off in (0.2, 5):
        assert normal_mixture_bound(tuned_at, rho=off * normal_mixture_rho(tuned_at)) > tuned


@given(st.floats(0, 1e6), st.floats(0.1, 1e4), st.floats(0.01, 100))
def test_the_bound_scales_with_the_unit(variance: float, rho: float, scale: float) -> None:
    scaled = normal_mixture_bound(variance * scale**2, rho=rho * scale**2)

    assert scaled == pytest.approx(scale * normal_mixture_bound(variance, rho=rho))


@pytest.mark.parametrize(("guess", "width"), [(100, 1.07), (1000, 1.0), (10_000, 1.27)])
def test_ten_times_off_in_tuning_costs_the_width_that_is_documented(guess: float, width: float) -> None:
    tuned = normal_mixture_bound(1000, rho=normal_mixture_rho(1000))

    assert normal_mixture_bound(1000, rho=normal_mixture_rho(guess)) / tuned == pytest.approx(width, abs=5e-3)


def test_one_sample_bounds_nothing() -> None:
    assert asymptotic_interval(Moments([0.4]), rho=1.0) is None


def test_impossible_arguments_are_errors() -> None:
    with pytest.raises(ValueError, match="is negative"):
        normal_mixture_bound(-1, rho=1)
    with pytest.raises(ValueError, match="tunes nothing"):
        normal_mixture_bound(1, rho=0)
    with pytest.raises(ValueError, match="alpha"):
        normal_mixture_rho(100, alpha=1.0)
