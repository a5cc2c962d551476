import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from trimtab.stats import Moments, mean_interval
from trimtab.stats.paired_scores import mean_noninferiority, paired_difference

# Student (1908): additional hours of sleep of ten patients under two drugs.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

# 12 differences in 5 clusters, against statsmodels 0.15.0: OLS on a constant, cov_type="cluster", use_t=True.
GRADES = [0.2, 0.1, 0.3, -0.1, 0.0, 0.4, 0.5, 0.6, -0.2, 0.1, 0.0, 0.2]
CLUSTERS = ["a", "a", "a", "b", "b", "c", "c", "c", "d", "d", "e", "e"]


def test_paired_t_of_students_sleep_data_is_as_published() -> None:
    result = paired_difference(SECOND, FIRST)

    assert result.difference == pytest.approx(1.58)
    assert (result.lower, result.upper) == pytest.approx((0.7001, 2.4599), abs=5e-5)
    assert result.t == pytest.approx(4.0621, abs=5e-5)
    assert result.p_value == pytest.approx(0.002833, abs=5e-7)


def test_cluster_robust_errors_equal_statsmodels() -> None:
    result = paired_difference(GRADES, [0.0] * 12, clusters=CLUSTERS)

    assert (result.n_pairs, result.n_clusters) == (12, 5)
    assert result.difference == pytest.approx(0.175)
    assert result.standard_error == pytest.approx(0.10959799, abs=1e-8)
    assert (result.lower, result.upper) == pytest.approx((-0.12929279, 0.47929279), abs=5e-6)
    assert result.p_value == pytest.approx(0.18555939, abs=5e-7)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40))
def test_without_clusters_it_is_students_interval_of_the_differences(scores: list[float]) -> None:
    result = paired_difference(scores, [0.0] * len(scores))
    expected = mean_interval(Moments(scores))

    assert expected is not None
    assert (result.lower, result.upper) == pytest.approx(tuple(expected), abs=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.integers(2, 5))
def test_copies_in_a_cluster_add_nothing(scores: list[float], copies: int) -> None:
    once = paired_difference(scores, [0.0] * len(scores))
    clusters = np.repeat(np.arange(len(scores)), copies)
    copied = paired_difference(np.repeat(scores, copies), np.zeros(len(clusters)), clusters=clusters)

    assert copied.standard_error == pytest.approx(once.standard_error, abs=1e-9)


def test_swapping_the_models_turns_the_difference() -> None:
    one, other = paired_difference(SECOND, FIRST), paired_difference(FIRST, SECOND)

    assert (other.difference, other.lower, other.upper) == pytest.approx((-one.difference, -one.upper, -one.lower))
    assert other.p_value == one.p_value


def test_differences_that_are_all_alike_leave_no_doubt() -> None:
    assert paired_difference([1.0, 1.0, 1.0], [0.5, 0.5, 0.5]).t == math.inf
    assert paired_difference([0.5, 0.5], [0.5, 0.5]).p_value == 1


def test_what_is_not_paired_is_an_error() -> None:
    with pytest.raises(ValueError, match="candidate has 3 values, baseline has 2 values"):
        paired_difference([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match=r"baseline\[1\] is nan"):
        paired_difference([1, 2], [1, math.nan])
    with pytest.raises(ValueError, match="one cluster has no spread"):
        paired_difference([1, 2], [1, 1], clusters=[7, 7])
    with pytest.raises(ValueError, match="not one dimension"):
        paired_difference(np.ones((2, 2)), np.ones((2, 2)))


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=40), st.floats(0.0, 0.5), st.floats(0.01, 0.4))
def test_noninferiority_of_a_mean_agrees_with_the_interval_and_scipy(
    scores: list[float], margin: float, alpha: float
) -> None:
    found = paired_difference(scores, [0.0] * len(scores), confidence=1 - 2 * alpha)
    assume(found.standard_error > 1e-9)

    p_value = mean_noninferiority(found, margin=margin).p_value

    assert p_value == pytest.approx(ttest_1samp(scores, -margin, alternative="greater").pvalue, abs=1e-9)
    if abs(found.lower + margin) > 1e-7:
        assert (p_value < alpha) is (found.lower > -margin)


def test_differences_that_are_all_alike_have_an_infinite_t() -> None:
    found = paired_difference([0.5] * 3, [0.5] * 3)

    assert mean_noninferiority(found, margin=0.02) == (0.0, math.inf, 0.0)
    assert mean_noninferiority(found, margin=0.0) == (0.0, 0.0, 0.5)
