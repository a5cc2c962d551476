"""Regressions that were planted are caught by comparison and gate, and a model that did not change raises no alarm.

Each outcome is drawn from a known rate, so what is true is known. The baseline gets 85 of 100 routine cases, 70 of 100
reasoning cases and 95 of 100 documented edge cases right; a candidate shares the outcome of a case with it unless
something was planted or the two happen to differ.
"""

import random
from collections.abc import Mapping

import pytest
from tests.support.evaluation import graded_run, run_of, suite_of

from trimtab.evaluation import GateOutcome, GateVerdict, Plan, Run, Suite, compare_runs, gate, recommend

SIZES = {"routine": 900, "reasoning": 900, "edge": 400}
RATES = {"routine": 0.85, "reasoning": 0.70, "edge": 0.95}
PLAN = Plan(margin=0.03, traffic={"routine": 0.80, "reasoning": 0.19, "edge": 0.01})
SUITE = suite_of(SIZES, PLAN)
CHURN = 0.03
"""Share of cases on which two runs of equally good models differ, either way alike."""

Outcomes = Mapping[str, list[bool]]


def outcomes(rng: random.Random) -> Outcomes:
    return {stratum: [rng.random() < RATES[stratum] for _ in range(n)] for stratum, n in SIZES.items()}


def again(rng: random.Random, seen: Outcomes, broken: Mapping[str, float]) -> Outcomes:
    """Return what an equally good model gets, but for a share of each stratum's right answers that is broken."""
    found = {}
    for stratum, right in seen.items():
        rate = RATES[stratum]
        answers = [rng.random() < rate if rng.random() < CHURN / (2 * rate * (1 - rate)) else was for was in right]
        found[stratum] = [was and rng.random() >= broken.get(stratum, 0.0) for was in answers]
    return found


def gated(seed: int, broken: Mapping[str, float], suite: Suite = SUITE) -> tuple[GateVerdict, Run, Run]:
    rng = random.Random(seed)
    before = outcomes(rng)
    runs = run_of(suite, before, "before"), run_of(suite, again(rng, before, broken), "after")
    return gate(compare_runs(*runs)), *runs


def failed(verdict: GateVerdict) -> list[str]:
    return [stratum.stratum for stratum in verdict.strata if stratum.outcome is GateOutcome.FAIL]


@pytest.mark.parametrize("seed", range(10))
def test_planted_tune_that_breaks_after_a_prompt_change_is_caught(seed: int) -> None:
    """The tune learned the old prompt's form: of its right answers an eighth comes out in another form everywhere."""
    verdict, *_ = gated(seed, {"routine": 0.125, "reasoning": 0.125, "edge": 0.125})

    assert verdict.outcome is GateOutcome.FAIL
    assert failed(verdict) == ["edge", "reasoning", "routine"]


@pytest.mark.parametrize("seed", range(10))
def test_planted_drift_of_a_cheaper_model_on_one_stratum_is_caught_there_and_nowhere_else(seed: int) -> None:
    verdict, before, after = gated(seed, {"reasoning": 0.15})
    (advice,) = recommend([compare_runs(before, after)])

    assert verdict.outcome is GateOutcome.FAIL
    assert failed(verdict) == ["reasoning"]
    assert advice.not_for == ("reasoning",)
    assert "routine" in advice.default_for


@pytest.mark.parametrize("seed", range(10))
def test_planted_loss_of_documented_edge_cases_is_caught_though_no_average_shows_it(seed: int) -> None:
    verdict, before, after = gated(seed, {"edge": 0.15})
    comparison = compare_runs(before, after)

    assert verdict.outcome is GateOutcome.FAIL
    assert failed(verdict) == ["edge"]
    assert comparison.headline is not None
    assert comparison.headline.lower > -PLAN.margin  # one call of a hundred: traffic hardly notices


@pytest.mark.parametrize("seed", range(5))
def test_planted_drift_in_degrees_is_caught_like_drift_in_right_answers(seed: int) -> None:
    rng = random.Random(seed)
    before = {name: [rng.uniform(0.5, 1.0) for _ in range(n)] for name, n in SIZES.items()}
    after = {
        name: [max(score - (0.1 if name == "reasoning" else 0.0) + rng.uniform(-0.1, 0.1), 0.0) for score in scores]
        for name, scores in before.items()
    }
    after = {name: [min(score, 1.0) for score in scores] for name, scores in after.items()}

    verdict = gate(compare_runs(graded_run(SUITE, before), graded_run(SUITE, after)))

    assert failed(verdict) == ["reasoning"]


def test_planted_nothing_raises_no_alarm_in_50_seeds_and_mostly_passes() -> None:
    verdicts = [gated(seed, {})[0] for seed in range(50)]

    assert [verdict.outcome for verdict in verdicts].count(GateOutcome.FAIL) == 0
    assert [verdict.outcome for verdict in verdicts].count(GateOutcome.PASS) >= 45


def test_planted_nothing_at_all_passes_in_50_seeds() -> None:
    """The very same model, deterministic: every outcome is the same."""
    for seed in range(50):
        before = run_of(SUITE, outcomes(random.Random(seed)), "before")

        assert gate(compare_runs(before, before)).outcome is GateOutcome.PASS
