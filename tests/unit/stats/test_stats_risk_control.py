import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.stats.risk_control import controlled_thresholds, hoeffding_bentkus_p_value


@pytest.mark.parametrize(("loss", "p_value"), [(0.05, 1.62966e-08), (0.08, 0.0478732), (0.10, 1.0)])
def test_hoeffding_bentkus_gives_mapies_numbers(loss: float, p_value: float) -> None:
    assert hoeffding_bentkus_p_value(loss, 1000, risk_limit=0.1) == pytest.approx(p_value, rel=5e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.floats(0.05, 0.5), st.floats(0.02, 0.3))
def test_the_p_value_is_at_most_alpha_that_often_at_the_limit(n: int, limit: float, alpha: float) -> None:
    """Exact, over all counts of 0-1 losses whose true risk sits on the limit."""
    chance = [math.comb(n, k) * limit**k * (1 - limit) ** (n - k) for k in range(n + 1)]
    rejected = sum(p for k, p in enumerate(chance) if hoeffding_bentkus_p_value(k / n, n, risk_limit=limit) <= alpha)

    assert rejected <= alpha


@given(st.integers(2, 1000), st.floats(0, 0.5), st.floats(0, 0.5))
def test_more_loss_is_never_less_risk(n: int, one: float, other: float) -> None:
    low, high = sorted([one, other])

    assert hoeffding_bentkus_p_value(low, n, risk_limit=0.2) <= hoeffding_bentkus_p_value(high, n, risk_limit=0.2) * (
        1 + 1e-9
    )


@pytest.mark.parametrize("in_order", [True, False])
def test_the_chosen_thresholds_keep_their_risk_in_all_but_delta_of_runs(in_order: bool) -> None:
    """Ten thresholds with true risks from 2 to 20 %; a run fails when one above 10 % is called safe."""
    risks = np.linspace(0.02, 0.20, 10)
    losses = np.random.default_rng(9).binomial(500, risks, size=(500, 10)) / 500
    failed = found = 0
    for row in losses.tolist():
        chosen = controlled_thresholds(
            [hoeffding_bentkus_p_value(loss, 500, risk_limit=0.1) for loss in row], delta=0.1, in_order=in_order
        )
        failed += any(risks[k] > 0.1 for k in chosen)
        found += len(chosen)

    assert failed / 500 <= 0.1
    assert found / 500 > 2


def test_testing_in_order_stops_at_the_first_failure() -> None:
    assert controlled_thresholds([0.04, 0.04, 0.06, 0.0001], delta=0.05, in_order=True) == [0, 1]
    assert controlled_thresholds([0.04, 0.04, 0.06, 0.0001], delta=0.05) == [3]
    assert controlled_thresholds([0.9], delta=0.05, in_order=True) == []
    assert controlled_thresholds([], delta=0.05) == []


@pytest.mark.parametrize(("loss", "n", "limit"), [(1.1, 10, 0.1), (0.1, 0, 0.1), (0.1, 10, 1.0), (math.nan, 10, 0.1)])
def test_arguments_that_give_no_p_value_are_errors(loss: float, n: int, limit: float) -> None:
    with pytest.raises(ValueError, match="gives no p-value"):
        hoeffding_bentkus_p_value(loss, n, risk_limit=limit)
    with pytest.raises(ValueError, match="delta"):
        controlled_thresholds([0.1], delta=0)
