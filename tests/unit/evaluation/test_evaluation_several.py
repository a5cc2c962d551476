"""Several candidates and workloads at once: what passes together holds together, and what is missing has a price."""

import random
from collections.abc import Sequence

import msgspec
import pytest
from tests.support.evaluation import Outcome, outcomes_of, priced, run_of, suite_of

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import (
    CandidateAdvice,
    Comparison,
    GateOutcome,
    Plan,
    Run,
    ScorerSpec,
    ScorerUse,
    compare_runs,
    gate,
    gate_all,
    recommend,
)
from trimtab.evaluation.judging import RUBRIC_JUDGE

PASS, FAIL, INSUFFICIENT = GateOutcome.PASS, GateOutcome.FAIL, GateOutcome.INSUFFICIENT_EVIDENCE
PLAN = Plan(margin=0.05)


def pair(outcomes: tuple[Sequence[Outcome], Sequence[Outcome]], model: str = "small") -> tuple[Run, Run]:
    suite = suite_of({"a": len(outcomes[0])}, PLAN)
    return run_of(suite, {"a": outcomes[0]}, "large"), run_of(suite, {"a": outcomes[1]}, model)


def compared(gains: int, losses: int, n: int = 1_000, model: str = "small") -> Comparison:
    found = outcomes_of(both=n - gains - losses, candidate_only=gains, baseline_only=losses, neither=0)
    return compare_runs(*pair(found, model))


def test_each_further_candidate_takes_more_evidence() -> None:
    """60 gains and 80 losses of 1,000 at 5 points: p = 0.0066 alone, 20 times that is 0.13."""
    one = compared(60, 80)
    many = [
        msgspec.structs.replace(one, candidate=msgspec.structs.replace(one.candidate, model=f"m{i}")) for i in range(20)
    ]

    assert gate(one).outcome is PASS
    assert [verdict.outcome for verdict in gate_all(many)] == [INSUFFICIENT] * 20
    assert gate_all(many)[0].strata[0].p_pass == pytest.approx(20 * 0.0065535, abs=1e-5)
    assert gate_all([one])[0] == gate(one)


def test_a_strong_candidate_passes_beside_weak_ones() -> None:
    strong, weak, bad = compared(5, 5), compared(60, 80, model="weak"), compared(0, 150, model="bad")

    assert [verdict.outcome for verdict in gate_all([weak, strong, bad])] == [PASS, PASS, FAIL]
    assert [verdict.n_claims for verdict in gate_all([weak, strong, bad])] == [3, 3, 3]


def test_of_many_candidates_that_lose_the_margin_hardly_ever_any_passes() -> None:
    """Ten at once, each truly worse by exactly the margin, 60 times."""
    n_wrong = 0
    for seed in range(60):
        rng = random.Random(seed)
        comparisons = []
        for i in range(10):
            outcomes = [
                rng.choices([(True, True), (False, True), (True, False)], [0.85, 0.05, 0.10])[0] for _ in range(200)
            ]
            found = [b for b, _ in outcomes], [c for _, c in outcomes]
            comparisons.append(compare_runs(*pair(found, f"m{i}")))
        n_wrong += any(verdict.outcome is PASS for verdict in gate_all(comparisons))

    assert n_wrong / 60 <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5


def test_recommendations_are_adjusted_over_strata_and_candidates() -> None:
    one, other = compared(60, 80), compared(60, 80, model="other")

    advice = recommend([one, other])

    assert [a.default_for for a in advice] == [("a",), ("a",)]
    assert [a.strata[0].p_pass for a in advice] == pytest.approx([2 * 0.0065535] * 2, abs=1e-6)
    assert msgspec.json.decode(msgspec.json.encode(advice), type=tuple[CandidateAdvice, ...]) == advice


def test_one_candidate_over_several_workloads_is_adjusted_over_them() -> None:
    one = compared(60, 80)
    other = msgspec.structs.replace(one, suite_digest="other", suite_name="invoices")

    assert [a.suite_name for a in recommend([one, other])] == ["planted", "invoices"]
    assert gate_all([one, other])[0].strata[0].p_pass == pytest.approx(2 * 0.0065535, abs=1e-6)


def test_one_run_named_twice_is_no_second_proof() -> None:
    with pytest.raises(ConfigurationError, match="'small' is compared twice"):
        recommend([compared(1, 1), compared(1, 1)])


def test_nothing_and_different_errors_are_not_one_decision() -> None:
    one = compared(1, 1)

    for comparisons in ([], [one, msgspec.structs.replace(one, alpha=0.01)]):
        with pytest.raises(ConfigurationError, match="are not one decision"):
            gate_all(comparisons)


def graded_at(run: Run, cost_nano_usd: int | None) -> Run:
    results = [msgspec.structs.replace(r, grading_cost_nano_usd=cost_nano_usd) for r in run.results]
    return msgspec.structs.replace(run, results=tuple(results))


def test_missing_cases_come_with_what_both_models_and_the_judge_cost_for_them() -> None:
    """Of 100 cases 10 differ: at 5 points 248 are needed, 148 more at 220 + 22 + 2 * 30 nano-dollars."""
    found = outcomes_of(both=90, candidate_only=5, baseline_only=5, neither=0)
    large, small = (
        graded_at(priced(run, cost_nano_usd=cost), 30) for run, cost in zip(pair(found), (200, 20), strict=True)
    )

    (verdict,) = gate(compare_runs(large, small)).strata

    assert (verdict.outcome, verdict.n_needed) == (INSUFFICIENT, 248)
    assert verdict.cost_of_more_nano_usd == 148 * (220 + 22 + 60)
    assert "(148 more for $0.00004470)" in verdict.reason


@pytest.mark.parametrize("unknown", ["baseline", "judge"])
def test_missing_cases_with_an_unknown_price_have_none(unknown: str) -> None:
    found = outcomes_of(both=90, candidate_only=5, baseline_only=5, neither=0)
    large, small = (priced(run, cost_nano_usd=20) for run in pair(found))
    if unknown == "baseline":
        large = priced(large, cost_nano_usd=None)
    else:
        use = ScorerUse(spec=ScorerSpec(name=RUBRIC_JUDGE, options={"model": "p:judge"}))
        large, small = (msgspec.structs.replace(run, scorers=(use,)) for run in (large, small))

    (verdict,) = gate(compare_runs(large, small)).strata

    assert (verdict.n_needed, verdict.cost_of_more_nano_usd) == (248, None)
    assert "would settle (price unknown)" in verdict.reason
