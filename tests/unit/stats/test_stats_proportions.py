import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr

from trimtab.stats.proportions import clopper_pearson_interval, newcombe_interval, wilson_interval

COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("passes", "trials", "lower", "upper"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_clopper_pearson_gives_newcombes_published_bounds(passes: int, trials: int, lower: float, upper: float) -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
    assert clopper_pearson_interval(passes, trials) == pytest.approx((lower, upper), abs=5.1e-5)


@given(COUNTS)
def test_clopper_pearson_leaves_half_of_alpha_in_each_tail(case: tuple[int, int]) -> None:
    passes, trials = case
    lower, upper = clopper_pearson_interval(passes, trials, confidence=0.9)

    assert passes == 0 or 1 - bdtr(passes - 1, trials, lower) == pytest.approx(0.05, abs=1e-9)
    assert passes == trials or bdtr(passes, trials, upper) == pytest.approx(0.05, abs=1e-9)


@given(COUNTS)
def test_clopper_pearson_holds_the_observed_rate_and_mirrors(case: tuple[int, int]) -> None:
    passes, trials = case
    lower, upper = clopper_pearson_interval(passes, trials)
    mirrored = clopper_pearson_interval(trials - passes, trials)

    assert 0 <= lower <= passes / trials <= upper <= 1
    assert (lower, upper) == pytest.approx((1 - mirrored.upper, 1 - mirrored.lower), abs=1e-9)


def test_newcombe_gives_the_published_difference_of_two_samples() -> None:
    # Newcombe, "Interval estimation for the difference", Statistics in Medicine 17 (1998), table II, column (a).
    assert newcombe_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(COUNTS, COUNTS)
def test_newcombe_holds_the_difference_and_turns_with_its_sides(first: tuple[int, int], other: tuple[int, int]) -> None:
    lower, upper = newcombe_interval(*first, *other)
    turned = newcombe_interval(*other, *first)

    assert -1 <= lower <= first[0] / first[1] - other[0] / other[1] <= upper <= 1
    assert (lower, upper) == pytest.approx((-turned.upper, -turned.lower))


@pytest.mark.parametrize(("passes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_a_rate_that_cannot_be_is_an_error(passes: int, trials: int) -> None:
    for interval in (clopper_pearson_interval, wilson_interval):
        with pytest.raises(ValueError, match=f"{passes} passes of {trials} trials"):
            interval(passes, trials)
