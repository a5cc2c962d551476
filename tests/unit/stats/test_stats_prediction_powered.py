import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats import wilson_interval
from trimtab.stats.prediction_powered import corrected_difference, corrected_mean

# Numbers of the paper's own package, ppi-python 0.2.3.
TRUTH = [int(digit) for digit in "1110101101"]
PREDICTED = [int(digit) for digit in "1111101001"]
UNLABELLED = [int(digit) for digit in "11110110111011110110"]

GRADES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30)


@pytest.mark.parametrize(
    ("weight", "mean", "lower", "upper"),
    [(1.0, 0.75, 0.414079, 1.085921), (0.0, 0.70, 0.415974, 0.984026), (None, 0.718125, 0.462453, 0.973797)],
)
def test_the_corrected_mean_gives_ppi_pythons_numbers(
    weight: float | None, mean: float, lower: float, upper: float
) -> None:
    result = corrected_mean(TRUTH, PREDICTED, UNLABELLED, weight=weight, population_variance=True)

    assert result[:3] == pytest.approx((mean, lower, upper), abs=1e-6)


def test_savings_repriced_and_corrected_by_shadow_calls_are_worked_out_by_hand() -> None:
    # Repriced baseline less cost of five calls; of the first and third the baseline's true cost is known.
    repriced = np.array([10, 6, 8, 12, 9]) - np.array([2, 1, 2, 3, 2])
    true = np.array([9, 7]) - np.array([2, 2])
    naive, result = repriced.mean(), corrected_mean(true, repriced[[0, 2]], repriced, weight=1.0)

    assert naive == 7.0
    assert result.mean == 6.0
    assert result.standard_error == pytest.approx(0.7071, abs=5e-5)


@given(GRADES, st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_without_trust_it_is_the_mean_of_the_labels(grades: list[tuple[float, float]], others: list[float]) -> None:
    truth, predicted = zip(*grades, strict=True)

    assert corrected_mean(truth, predicted, others, weight=0.0).mean == pytest.approx(np.mean(truth))


@given(GRADES, st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(-1, 1))
def test_a_judge_that_is_wrong_by_a_constant_corrects_to_the_same(
    grades: list[tuple[float, float]], others: list[float], bias: float
) -> None:
    truth, predicted = (np.array(column) for column in zip(*grades, strict=True))
    plain = corrected_mean(truth, predicted, others)
    biased = corrected_mean(truth, predicted + bias, np.array(others) + bias)

    assert biased[:4] == pytest.approx(plain[:4], abs=1e-6)


def test_a_good_judge_narrows_the_interval_and_a_random_one_does_not_widen_it_much() -> None:
    random = np.random.default_rng(4)
    truth = (random.random(2200) < 0.7).astype(float)
    good = np.where(random.random(2200) < 0.95, truth, 1 - truth)
    useless = random.integers(0, 2, 2200).astype(float)
    alone, with_good, with_useless = (
        corrected_mean(truth[:200], judge[:200], judge[200:], weight=weight).standard_error
        for judge, weight in ((good, 0.0), (good, None), (useless, None))
    )

    assert with_good < 0.6 * alone
    assert with_useless < 1.02 * alone


def test_the_judges_bias_is_gone_from_the_corrected_mean_only() -> None:
    random = np.random.default_rng(5)
    truth = (random.random(4000) < 0.5).astype(float)
    judged = np.where(random.random(4000) < 0.3, 1.0, truth)  # passes three in ten bad answers
    believed = wilson_interval(int(judged.sum()), 4000)
    result = corrected_mean(truth[:400], judged[:400], judged[400:])

    assert believed.lower > 0.6
    assert result.lower < 0.5 < result.upper


def test_the_difference_of_two_models_is_the_corrected_mean_of_their_differences() -> None:
    random = np.random.default_rng(6)
    ours, theirs, judged, judged_theirs = random.random((4, 40))
    rest, rest_theirs = random.random((2, 200))
    result = corrected_difference(ours, theirs, judged, judged_theirs, rest, rest_theirs)

    assert result == corrected_mean(ours - theirs, judged - judged_theirs, rest - rest_theirs)


def test_a_judge_that_says_the_same_to_everything_is_not_trusted() -> None:
    assert corrected_mean([0, 1, 1], [1, 1, 1], [1, 1, 1, 1]).weight == 0


def test_what_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="truth has 3 values, predicted has 2 values"):
        corrected_mean([1, 0, 1], [1, 0], [1, 0])
    with pytest.raises(ValueError, match=r"weight 1\.5"):
        corrected_mean([1, 0], [1, 0], [1, 0], weight=1.5)
    with pytest.raises(ValueError, match=r"truth\[0\] is nan"):
        corrected_mean([math.nan, 0], [1, 0], [1, 0])
    with pytest.raises(ValueError, match="candidate_unlabelled has 2 values, baseline_unlabelled has 3 values"):
        corrected_difference([1, 0], [1, 0], [1, 0], [1, 0], [1, 0], [1, 0, 1])
