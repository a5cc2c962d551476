"""A suite may ask other things than the traffic does; what is said about a model must not depend on that."""

import random

import msgspec
import pytest
from tests.support.evaluation import outcomes_of, priced, run_of, suite_of

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Comparison, GateOutcome, Mix, Plan, compare_runs, compare_task_types, gate, recommend

PASS, FAIL = GateOutcome.PASS, GateOutcome.FAIL
TRAFFIC = {"routine": 0.9, "hard": 0.1}


def hard_only(plan: Plan) -> Comparison:
    """Compare a model that is as good on 1,000 routine cases and loses 300 points of 1,000 on 1,000 hard ones."""
    suite = suite_of({"routine": 1_000, "hard": 1_000}, plan)
    routine = outcomes_of(both=980, candidate_only=5, baseline_only=5, neither=10)
    hard = outcomes_of(both=500, candidate_only=0, baseline_only=300, neither=200)
    return compare_runs(*(run_of(suite, {"routine": routine[side], "hard": hard[side]}) for side in (0, 1)))


def mix_of(comparison: Comparison) -> Mix:
    assert comparison.mix is not None
    return comparison.mix


def test_s14_a_suite_whose_mix_is_off_warns_and_its_headline_is_weighted_to_traffic() -> None:
    comparison = hard_only(Plan(traffic=TRAFFIC))

    assert mix_of(comparison).distance == pytest.approx(0.4)
    assert mix_of(comparison).is_off
    assert comparison.overall.difference == pytest.approx(-0.15)  # half the suite is hard
    assert comparison.headline is not None
    assert comparison.headline.difference == pytest.approx(0.9 * 0.0 + 0.1 * -0.3)
    assert (comparison.headline.baseline_mean, comparison.headline.candidate_mean) == pytest.approx(
        (0.9 * 0.985 + 0.1 * 0.8, 0.9 * 0.985 + 0.1 * 0.5)
    )
    # Variances of one pair: 0.01 on routine, 0.3 - 0.3^2 = 0.21 on hard; 1,000 pairs each.
    expected = (0.9**2 * 0.01 / 1_000 + 0.1**2 * 0.21 / 1_000) ** 0.5
    assert comparison.headline.standard_error == pytest.approx(expected)
    assert comparison.headline.lower < -0.03 < comparison.headline.upper


def test_s14_each_stratum_is_reported_by_itself() -> None:
    found = {result.stratum: result for result in hard_only(Plan(traffic=TRAFFIC)).strata}

    assert (found["routine"].difference, found["hard"].difference) == pytest.approx((0.0, -0.3))
    assert (found["routine"].n_pairs, found["hard"].n_pairs) == (1_000, 1_000)


def test_s14_a_small_model_that_fails_only_on_the_hard_stratum_is_still_the_routine_default() -> None:
    (advice,) = recommend([hard_only(Plan(traffic=TRAFFIC))])

    assert (advice.default_for, advice.not_for, advice.undecided) == (("routine",), ("hard",), ())
    assert advice.gate.outcome is FAIL  # everywhere it may not serve


@pytest.mark.parametrize(("routine", "is_off"), [(0.5, False), (0.6, False), (0.601, True), (0.4, False)])
def test_s14_a_distance_of_a_tenth_is_still_the_same_mix(routine: float, is_off: bool) -> None:
    comparison = hard_only(Plan(traffic={"routine": routine, "hard": 1 - routine}))

    assert mix_of(comparison).is_off is is_off


def test_s57_quality_below_the_bar_on_hard_strata_is_not_recommended_though_the_average_passes() -> None:
    suite = suite_of({"routine": 9_000, "multi-hop": 400})
    routine = outcomes_of(both=8_800, candidate_only=100, baseline_only=100, neither=0)
    hard = outcomes_of(both=360, candidate_only=5, baseline_only=35, neither=0)
    comparison = compare_runs(*(run_of(suite, {"routine": routine[i], "multi-hop": hard[i]}) for i in (0, 1)))

    (advice,) = recommend([comparison])

    assert comparison.overall.lower > -comparison.margin  # the average passes
    assert (advice.default_for, advice.not_for) == (("routine",), ("multi-hop",))


def test_s57_a_stratum_that_is_not_protected_may_fail_but_is_not_recommended_either() -> None:
    (advice,) = recommend([hard_only(Plan(protected=("routine",)))])

    assert advice.gate.outcome is PASS
    assert advice.not_for == ("hard",)


def test_s70_each_routine_task_type_is_proven_by_itself_with_ratios_of_cost_and_energy() -> None:
    plan = Plan(margin=0.03)
    suite = suite_of({"routine": 2_000, "reasoning": 100}, plan)
    same, worse = outcomes_of(both=1_940, candidate_only=30, baseline_only=30, neither=0), ([True] * 100, [False] * 100)
    runs = [run_of(suite, {"routine": same[i], "reasoning": worse[i]}, model) for i, model in ((0, "big"), (1, "q4"))]
    typed = [
        msgspec.structs.replace(
            run,
            results=tuple(
                msgspec.structs.replace(r, task_type="extraction" if i % 2 else "classification")
                for i, r in enumerate(run.results)
            ),
        )
        for run in runs
    ]
    big, small = priced(typed[0], cost_nano_usd=1_000, energy_wh=2.0), priced(typed[1], cost_nano_usd=50, energy_wh=0.1)

    found = compare_task_types(big, small, stratum="routine")
    comparison = compare_runs(big, small)

    assert [(result.stratum, result.n_pairs) for result in found] == [("classification", 1_000), ("extraction", 1_000)]
    assert comparison.is_planned
    assert all(result.p_noninferior_holm < plan.alpha for result in found)
    assert comparison.ratios is not None
    assert comparison.ratios.cost is not None
    assert comparison.ratios.energy is not None
    assert (comparison.ratios.cost.ratio, comparison.ratios.energy.ratio) == pytest.approx((0.05, 0.05))
    assert comparison.ratios.cost.lower <= 0.05 <= comparison.ratios.cost.upper
    assert comparison.ratios.latency is None  # nobody timed it


def test_s70_ratios_with_one_unknown_price_are_unknown() -> None:
    suite = suite_of({"routine": 20})
    run = priced(run_of(suite, {"routine": [True] * 20}), cost_nano_usd=10)
    unpriced = priced(run, cost_nano_usd=None)
    half = msgspec.structs.replace(run, results=(*run.results[:10], *unpriced.results[10:]))

    found = compare_runs(run, half).ratios

    assert found is not None
    assert found.cost is None


def test_measured_traffic_wins_over_the_plans_and_may_have_strata_that_the_suite_lacks() -> None:
    suite = suite_of({"routine": 100, "hard": 100}, Plan(traffic=TRAFFIC))
    run = run_of(suite, {"routine": [True] * 100, "hard": [True] * 100})

    comparison = compare_runs(run, run, traffic={"routine": 600, "hard": 200, "images": 200})

    mix = mix_of(comparison)
    assert (mix.source, mix.suite, mix.is_off) == ("measured", {"hard": 0.5, "routine": 0.5}, True)
    assert mix.traffic == pytest.approx({"hard": 0.2, "images": 0.2, "routine": 0.6})
    assert (mix.distance, mix.covered_share) == pytest.approx((0.3, 0.8))
    assert comparison.headline is not None
    assert comparison.headline.covered_share == pytest.approx(0.8)
    assert comparison.headline.baseline_mean == pytest.approx(1.0)


def test_traffic_that_never_meets_the_suite_has_no_headline() -> None:
    run = run_of(suite_of({"routine": 3}), {"routine": [True] * 3})

    comparison = compare_runs(run, run, traffic={"images": 5})

    assert (mix_of(comparison).covered_share, comparison.headline) == (0.0, None)


@pytest.mark.parametrize("traffic", [{}, {"routine": 0}, {"routine": -1, "hard": 2}, {"routine": float("nan")}])
def test_traffic_that_is_none_is_refused(traffic: dict[str, float]) -> None:
    run = run_of(suite_of({"routine": 3}), {"routine": [True] * 3})

    with pytest.raises(ConfigurationError, match="is none"):
        compare_runs(run, run, traffic=traffic)


def test_the_headlines_interval_covers_the_truth_of_the_traffic() -> None:
    """Half the suite is hard, a tenth of the traffic: true loss 0.1 * 0.2; 90 % intervals over 300 suites."""
    suite = suite_of({"routine": 150, "hard": 150}, Plan(traffic=TRAFFIC))
    n_covered = 0
    for seed in range(300):
        rng = random.Random(seed)
        baseline = run_of(suite, {name: [rng.random() < 0.9 for _ in range(150)] for name in ("routine", "hard")})
        candidate = run_of(
            suite, {name: [rng.random() < rate for _ in range(150)] for name, rate in (("routine", 0.9), ("hard", 0.7))}
        )
        headline = compare_runs(baseline, candidate).headline
        assert headline is not None
        n_covered += headline.lower <= -0.02 <= headline.upper

    assert 0.85 <= n_covered / 300 <= 0.95


def test_a_plan_decides_margin_alpha_and_who_may_veto() -> None:
    plan = Plan(margin=0.05, alpha=0.01, protected=("routine",))

    planned = hard_only(plan)

    assert (planned.margin, planned.alpha, planned.is_planned) == (0.05, 0.01, True)
    assert [verdict.stratum for verdict in gate(planned).strata] == ["routine"]
    suite = suite_of({"routine": 2}, plan)
    run = run_of(suite, {"routine": [True, True]})
    assert not compare_runs(run, run, margin=0.1).is_planned
    with pytest.raises(ConfigurationError, match="their plan is"):
        compare_runs(run, msgspec.structs.replace(run, plan=Plan(margin=0.5)))
