import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.simulation import Drawn, coverage

from trimtab.stats.ratios import ratio_of_means

AMOUNTS = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=2, max_size=30)


def bills(random: np.random.Generator) -> Drawn:
    """Draw 60 long-tailed bills that share the length of the question; the candidate's mean is a fifth."""
    length = random.lognormal(0, 0.5, 60)
    candidate, baseline = 0.2 * length * random.lognormal(0, 0.3, 60), length * random.lognormal(0, 0.3, 60)
    return Drawn(ratio_of_means(candidate.tolist(), baseline.tolist()), 0.2)


def test_the_interval_of_a_ratio_covers_as_often_as_it_says() -> None:
    assert 0.93 <= coverage(bills, runs=300) <= 0.975
    assert 0.935 <= coverage(bills, runs=3000, seed=77) <= 0.97


def test_it_is_the_ratio_of_the_bills_and_not_the_mean_of_ratios() -> None:
    assert ratio_of_means([10, 1], [100, 1]).ratio == pytest.approx(11 / 101)


def test_a_fixed_discount_has_no_doubt() -> None:
    assert ratio_of_means([1, 2, 3], [10, 20, 30]) == pytest.approx((0.1, 0.1, 0.1, 3))


@given(AMOUNTS)
def test_exchanging_the_models_turns_the_ratio_over(amounts: list[tuple[float, float]]) -> None:
    ours, theirs = [a for a, _ in amounts], [b for _, b in amounts]
    one, other = ratio_of_means(ours, theirs), ratio_of_means(theirs, ours)

    assert one[:3] == pytest.approx((1 / other.ratio, 1 / other.upper, 1 / other.lower))


@pytest.mark.parametrize(
    ("ours", "theirs"), [([1], [1]), ([1, 2], [1]), ([0, 0], [1, 2]), ([-1, 2], [1, 2]), ([math.nan, 2], [1, 2])]
)
def test_what_has_no_ratio_is_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"amount|ratio"):
        ratio_of_means(ours, theirs)
