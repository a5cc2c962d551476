import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.multiplicity import (
    adjust_benjamini_hochberg,
    adjust_bonferroni,
    adjust_hochberg,
    adjust_holm,
    p_to_e,
    select_by_e_values,
)

# Benjamini and Hochberg (1995), section 4: thrombolysis after myocardial infarction.
PUBLISHED = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip
ADJUSTMENTS = [adjust_benjamini_hochberg, adjust_holm, adjust_hochberg, adjust_bonferroni]
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_claims_at_5_percent_are_as_published() -> None:
    claims = [sum(p <= 0.05 for p in adjust(PUBLISHED)) for adjust in ADJUSTMENTS]

    assert claims == [4, 3, 3, 3]


@given(P_VALUES, st.randoms())
def test_the_order_of_the_claims_does_not_matter(p_values: list[float], random: Random) -> None:
    order = list(range(len(p_values)))
    random.shuffle(order)
    for adjust in ADJUSTMENTS:
        straight, shuffled = adjust(p_values), adjust([p_values[k] for k in order])
        assert shuffled == [straight[k] for k in order]


@given(P_VALUES)
def test_each_method_claims_at_least_what_the_stricter_one_claims(p_values: list[float]) -> None:
    columns = [adjust(p_values) for adjust in (adjust_benjamini_hochberg, adjust_hochberg, adjust_holm)]
    for p, false_share, hochberg, holm, bonferroni in zip(p_values, *columns, adjust_bonferroni(p_values), strict=True):
        assert p <= false_share + 1e-12
        assert false_share <= hochberg + 1e-12
        assert hochberg <= holm + 1e-12
        assert holm <= bonferroni + 1e-12 <= 1 + 1e-12


def test_holm_keeps_the_chance_of_any_false_claim() -> None:
    p_values = np.random.default_rng(3).random((4000, 8))
    wrong = np.mean([min(adjust_holm(row)) <= 0.05 for row in p_values.tolist()])

    assert wrong == pytest.approx(0.05, abs=0.011)


def test_benjamini_hochberg_keeps_the_share_of_false_claims() -> None:
    random, shares = np.random.default_rng(4), []
    for _ in range(2000):
        p_values = [*random.random(15), *(random.random(5) * 0.002)]  # 15 without an effect, 5 with a large one
        claimed = [p <= 0.1 for p in adjust_benjamini_hochberg(p_values)]
        shares.append(sum(claimed[:15]) / max(sum(claimed), 1))

    assert np.mean(shares) == pytest.approx(0.1 * 15 / 20, abs=0.01)


def test_e_values_are_selected_as_published() -> None:
    # n / (level * k) is 50, 25, 16.7, 12.5, 10: the third largest, 12, falls short.
    assert select_by_e_values([2, 30, 50, 1, 12], level=0.1) == [False, True, True, False, False]


def test_infinite_evidence_is_claimed_and_none_is_not() -> None:
    assert select_by_e_values([math.inf, 0.0, 1.0], level=0.05) == [True, False, False]
    assert select_by_e_values([1.0, 1.0], level=0.05) == [False, False]
    assert select_by_e_values([], level=0.05) == []


def test_the_calibrator_gives_the_reference_value() -> None:
    assert p_to_e(0.01) == pytest.approx(4.450992, abs=5e-7)
    assert p_to_e(0) == math.inf


def test_the_calibrator_is_fair() -> None:
    # Its integral over (0, 1) is 1: bought for 1, it is expected to pay 1. With p = exp(-s) that is the integral of
    # (1 - exp(-s) - s * exp(-s)) / s**2 over all s > 0, of which 1 / 400 lies beyond 400.
    s = np.linspace(1e-4, 400, 400_001)
    integral = np.trapezoid((1 - np.exp(-s) - s * np.exp(-s)) / s**2, s)

    assert integral + 1 / 400 == pytest.approx(1, abs=1e-4)
    assert p_to_e(math.exp(-3)) * math.exp(-3) == pytest.approx((1 - 4 * math.exp(-3)) / 9)


@given(st.floats(1e-6, 1), st.floats(1e-6, 1))
def test_a_smaller_p_value_is_more_evidence(one: float, other: float) -> None:
    small, large = sorted([one, other])

    assert p_to_e(small) >= p_to_e(large) - 1e-7


def test_values_that_are_no_p_value_or_no_evidence_are_errors() -> None:
    for adjust in ADJUSTMENTS:
        with pytest.raises(ValueError, match=r"p_values\[1\]"):
            adjust([0.5, math.nan])
    with pytest.raises(ValueError, match=r"e_values\[0\]"):
        select_by_e_values([-1.0], level=0.1)
    with pytest.raises(ValueError, match="level"):
        select_by_e_values([1.0], level=1.0)
