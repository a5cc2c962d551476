import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats import Moments, mean_interval, normal_quantile, student_t_quantile, wilson_interval


@pytest.mark.parametrize(
    ("passes", "trials", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_gives_newcombes_published_bounds(passes: int, trials: int, lower: float, upper: float) -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
    assert wilson_interval(passes, trials) == pytest.approx((lower, upper), abs=5e-5)


def test_wilson_interval_without_a_trial_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 passes of 0 trials"):
        wilson_interval(0, 0)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_observed_rate_and_mirrors(case: tuple[int, int]) -> None:
    passes, trials = case
    interval = wilson_interval(passes, trials)
    mirrored = wilson_interval(trials - passes, trials)

    assert 0 <= interval.lower <= passes / trials <= interval.upper <= 1
    assert interval.lower == pytest.approx(1 - mirrored.upper)


@pytest.mark.parametrize(
    ("degrees", "at_975", "at_995"),
    [
        (1, 12.706, 63.657),
        (2, 4.303, 9.925),
        (5, 2.571, 4.032),
        (10, 2.228, 3.169),
        (29, 2.045, 2.756),
        (60, 2.000, 2.660),
        (120, 1.980, 2.617),
    ],
)
def test_student_quantile_gives_the_published_table(degrees: int, at_975: float, at_995: float) -> None:
    # Abramowitz and Stegun, table 26.10.
    assert student_t_quantile(0.975, degrees) == pytest.approx(at_975, abs=5.1e-4)
    assert student_t_quantile(0.995, degrees) == pytest.approx(at_995, abs=5.1e-4)


def test_student_quantile_meets_itself_where_the_method_changes() -> None:
    steps = [student_t_quantile(0.975, degrees) for degrees in (59, 60, 61, 62)]

    first, middle, last = (b - a for a, b in pairwise(steps))
    assert first < middle < last < 0


def test_student_quantile_is_odd_and_tends_to_the_normal() -> None:
    assert student_t_quantile(0.025, 7) == -student_t_quantile(0.975, 7)
    assert student_t_quantile(0.5, 7) == 0
    assert student_t_quantile(0.975, 10**7) == pytest.approx(normal_quantile(0.975), abs=1e-6)


@pytest.mark.parametrize("degrees", [0, -1])
def test_student_quantile_needs_a_degree_of_freedom(degrees: int) -> None:
    with pytest.raises(ValueError, match="at least two samples"):
        student_t_quantile(0.975, degrees)


@pytest.mark.parametrize("probability", [0.0, 1.0, math.nan])
def test_a_quantile_of_certainty_is_an_error(probability: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        normal_quantile(probability)


def test_mean_interval_of_students_sleep_data() -> None:
    # Student (1908), table of additional hours of sleep, the ten differences: mean 1.58, 95 % (0.70, 2.46).
    differences = (1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)

    sample = Moments(differences)

    assert sample.mean == pytest.approx(1.58)
    assert mean_interval(sample) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)


def test_one_sample_has_no_interval() -> None:
    assert mean_interval(Moments([0.5])) is None
    assert Moments([]).variance is None


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40))
def test_moments_equal_the_two_pass_formulas(values: Sequence[float]) -> None:
    sample = Moments(values)
    mean = math.fsum(values) / len(values)

    assert sample.mean == pytest.approx(mean, abs=1e-9)
    assert sample.variance == pytest.approx(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1), abs=1e-6)
