import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.e_processes import beta_binomial_e_value, beta_binomial_interval, mixture_sprt

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_the_beta_binomial_e_value_gives_the_reference_number() -> None:
    assert beta_binomial_e_value(70, 100, rate=0.5) == pytest.approx(427.306647, abs=5e-7)


def test_the_beta_binomial_interval_gives_the_reference_bounds() -> None:
    assert beta_binomial_interval(70, 100) == pytest.approx((0.54275, 0.83055), abs=5.1e-6)


def test_two_heads_in_two_flips_are_worth_what_a_hand_works_out() -> None:
    # Averaged over all rates, two heads have chance 1/3; under a fair coin 1/4.
    assert beta_binomial_e_value(2, 2, rate=0.5) == pytest.approx(4 / 3)
    assert beta_binomial_e_value(0, 0, rate=0.3) == 1


@given(st.integers(0, 60), st.floats(0.01, 0.99))
def test_evidence_is_expected_to_stay_at_1_while_the_hypothesis_is_true(trials: int, rate: float) -> None:
    chance = [math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(trials + 1)]
    expected = sum(p * beta_binomial_e_value(k, trials, rate=rate) for k, p in enumerate(chance))

    assert expected == pytest.approx(1)


@given(COUNTS)
def test_the_interval_is_where_the_evidence_has_not_reached_1_over_alpha(case: tuple[int, int]) -> None:
    passes, trials = case
    lower, upper = beta_binomial_interval(passes, trials)

    assert 0 <= lower <= passes / trials <= upper <= 1
    for edge in (lower, upper):
        if 0 < edge < 1:
            assert beta_binomial_e_value(passes, trials, rate=edge) == pytest.approx(20, rel=1e-6)


def test_a_prior_near_the_truth_narrows_the_interval() -> None:
    flat, near = beta_binomial_interval(70, 100), beta_binomial_interval(70, 100, prior_passes=7, prior_failures=3)

    assert near.upper - near.lower < flat.upper - flat.lower


def test_before_the_first_sample_everything_is_possible() -> None:
    assert beta_binomial_interval(0, 0) == (0, 1)


def test_the_mixture_sprt_gives_the_reference_number() -> None:
    e_value = mixture_sprt(0.3, 100, deviation=1, expected_effect=1)

    assert e_value == pytest.approx(8.566723, abs=5e-7)
    assert 1 / e_value == pytest.approx(0.116731, abs=5e-7)


@given(st.floats(-5, 5), st.integers(0, 1000), st.floats(0.1, 10))
def test_the_mixture_sprt_knows_no_side_and_no_unit(mean: float, n: int, scale: float) -> None:
    e_value = mixture_sprt(mean, n, deviation=1, expected_effect=0.5)

    assert mixture_sprt(-mean, n, deviation=1, expected_effect=0.5) == e_value
    rescaled = mixture_sprt(7 + mean * scale, n, deviation=scale, expected_effect=0.5 * scale, null_mean=7)
    assert rescaled == pytest.approx(e_value, rel=1e-6)


def test_evidence_beyond_what_a_float_holds_is_infinite() -> None:
    assert beta_binomial_e_value(5000, 5000, rate=0.5) == math.inf
    assert mixture_sprt(10, 1000, deviation=1, expected_effect=1) == math.inf


def test_impossible_arguments_are_errors() -> None:
    with pytest.raises(ValueError, match="strictly between"):
        beta_binomial_e_value(1, 2, rate=1.0)
    with pytest.raises(ValueError, match="3 passes of 2 trials"):
        beta_binomial_interval(3, 2)
    with pytest.raises(ValueError, match="prior"):
        beta_binomial_interval(1, 2, prior_passes=0)
    with pytest.raises(ValueError, match="give no evidence"):
        mixture_sprt(0.1, 10, deviation=0, expected_effect=1)
