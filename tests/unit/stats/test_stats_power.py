import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.paired import PairedCounts, tango_noninferiority
from trimtab.stats.power import (
    cases_for_difference,
    cases_for_noninferiority,
    discordance_of_rates,
    noninferiority_power,
    pairs_for_noninferiority,
    pairs_for_superiority,
    smallest_detectable_difference,
)

SHARES = [0.05, 0.10, 0.20, 0.30]


@pytest.mark.parametrize(
    ("margin", "pairs"),
    [
        (0.01, [3092, 6183, 12366, 18548]),
        (0.02, [773, 1546, 3092, 4637]),
        (0.03, [344, 687, 1374, 2061]),
        (0.05, [124, 248, 495, 742]),
    ],
)
def test_pairs_to_prove_not_worse_are_as_tabulated(margin: float, pairs: list[int]) -> None:
    # One-sided 5 %, power 80 %, no true difference: (1.644854 + 0.841621)**2 * discordance / margin**2, rounded up.
    assert [pairs_for_noninferiority(discordance=share, margin=margin) for share in SHARES] == pairs


def test_paired_sample_size_equals_statpsychs_published_example() -> None:
    # R package statpsych, size.supinf.prop.ps(.05, .9, .35, .20, .45, .05): superiority by 5 points.
    discordance = discordance_of_rates(0.35, 0.20, 0.45)
    needed = pairs_for_noninferiority(discordance=discordance, difference=0.15, margin=-0.05, alpha=0.025, power=0.9)

    assert needed == 227  # 226.7407 before rounding up


@pytest.mark.parametrize(("n", "formula", "simulated"), [(756, 0.80, 0.793), (400, 0.565, 0.551)])
def test_the_power_formula_agrees_with_running_the_gate(n: int, formula: float, simulated: float) -> None:
    tables = np.random.default_rng(5).multinomial(n, (0.7, 0.055, 0.055, 0.19), size=2000).tolist()
    passed = sum(
        tango_noninferiority(
            PairedCounts(both=a, candidate_only=b, baseline_only=c, neither=d), margin=0.03
        ).p_value < 0.05
        for a, b, c, d in tables
    )  # fmt: skip

    assert noninferiority_power(n, discordance=0.11, margin=0.03) == pytest.approx(formula, abs=0.005)
    assert passed / 2000 == pytest.approx(simulated, abs=0.025)


@given(st.floats(0.01, 0.5), st.floats(0.005, 0.2), st.floats(0.5, 0.95))
def test_the_sample_size_reaches_its_power_and_one_pair_less_does_not(
    share: float, margin: float, power: float
) -> None:
    n = pairs_for_noninferiority(discordance=share, margin=margin, power=power)

    assert noninferiority_power(n, discordance=share, margin=margin) >= power - 1e-9
    assert n == 1 or noninferiority_power(n - 1, discordance=share, margin=margin) < power + 1e-9


def test_superiority_is_found_with_the_promised_power() -> None:
    n = pairs_for_superiority(discordance=0.2, difference=0.05)
    # (1.959964 * sqrt(.2) + .841621 * sqrt(.1975))**2 / .05**2 = (.876523 + .374022)**2 / .0025 = 625.5.
    assert n == 626

    gains, losses = np.random.default_rng(6).multinomial(n, (0.125, 0.075, 0.8), size=4000).T[:2]
    found = np.abs(gains - losses) / np.sqrt(gains + losses) > 1.959964
    assert found.mean() == pytest.approx(0.8, abs=0.02)


def test_cases_for_a_difference_in_score_are_as_published() -> None:
    # Miller (2024), section 5: (z_.975 + z_.8)**2 * (1/9 + 2 * (1/6) / K) / .03**2.
    assert cases_for_difference(0.03, between_variance=1 / 9) == 969  # 968.998
    assert [
        cases_for_difference(0.03, between_variance=1 / 9, candidate_noise=1 / 6, baseline_noise=1 / 6, n_repeats=k)
        for k in (1, 10)
    ] == [3876, 1260]  # 3875.99 and 1259.70


def test_the_smallest_detectable_difference_is_as_published() -> None:
    found = [
        smallest_detectable_difference(
            198, between_variance=1 / 9, candidate_noise=1 / 6, baseline_noise=1 / 6, n_repeats=k
        )
        for k in (1, 10)
    ]

    assert found == pytest.approx([0.13273, 0.07567], abs=5e-6)


def test_a_planned_loss_as_large_as_the_margin_is_found_by_no_sample() -> None:
    with pytest.raises(ValueError, match="no sample proves otherwise"):
        pairs_for_noninferiority(discordance=0.1, margin=0.02, difference=-0.02)
    with pytest.raises(ValueError, match="found by no sample"):
        pairs_for_superiority(discordance=0.1, difference=0)


def test_impossible_plans_are_errors() -> None:
    with pytest.raises(ValueError, match="discordance"):
        pairs_for_noninferiority(discordance=0.01, margin=0.05, difference=0.02)
    with pytest.raises(ValueError, match="cannot have correlation"):
        discordance_of_rates(0.9, 0.1, 0.9)
    with pytest.raises(ValueError, match="are no plan"):
        cases_for_difference(0.03, between_variance=1 / 9, n_repeats=0)


def test_models_that_never_differ_pass_with_one_pair() -> None:
    assert pairs_for_noninferiority(discordance=0, margin=0.02) == 1
    assert noninferiority_power(1, discordance=0, margin=0.02) == 1.0


def test_the_plan_for_scores_is_the_plan_for_rates_in_general() -> None:
    rates = pairs_for_noninferiority(discordance=0.2, margin=0.03, difference=-0.01)

    assert cases_for_noninferiority(variance=0.2 - 0.01**2, margin=0.03, difference=-0.01) == rates
    assert cases_for_noninferiority(variance=0.0, margin=0.03) == 2


@pytest.mark.parametrize(("variance", "difference"), [(-0.1, 0.0), (0.1, -0.03)])
def test_a_plan_for_scores_that_cannot_work_is_refused(variance: float, difference: float) -> None:
    with pytest.raises(ValueError, match="are no plan"):
        cases_for_noninferiority(variance=variance, margin=0.03, difference=difference)
