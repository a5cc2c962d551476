import random
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from tests.support.evaluation import Outcome, outcomes_of, run_of, suite_of

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Comparison, GateOutcome, GateVerdict, compare_runs, gate

PASS, FAIL, INSUFFICIENT = GateOutcome.PASS, GateOutcome.FAIL, GateOutcome.INSUFFICIENT_EVIDENCE


def compared(**strata: tuple[Sequence[Outcome], Sequence[Outcome]]) -> Comparison:
    suite = suite_of({name: len(baseline) for name, (baseline, _) in strata.items()})
    baseline = run_of(suite, {name: pair[0] for name, pair in strata.items()})
    return compare_runs(baseline, run_of(suite, {name: pair[1] for name, pair in strata.items()}))


def counts(both: int, gains: int, losses: int, neither: int = 0) -> tuple[list[bool], list[bool]]:
    return outcomes_of(both=both, candidate_only=gains, baseline_only=losses, neither=neither)


def planted(rng: random.Random, n: int, *, loss: float, discordance: float) -> tuple[list[bool], list[bool]]:
    """Return outcomes of a candidate whose true loss is known; the baseline gets 70 of 100."""
    gain_share, loss_share = (discordance - loss) / 2, (discordance + loss) / 2
    kinds = [(True, True), (False, True), (True, False), (False, False)]
    weights = [0.7 - loss_share, gain_share, loss_share, 0.3 - gain_share]
    pairs = rng.choices(kinds, weights, k=n)
    return [b for b, _ in pairs], [c for _, c in pairs]


def test_s27_a_loss_on_one_protected_stratum_blocks_a_variant_whose_average_passes() -> None:
    comparison = compared(routine=counts(8_800, 100, 100), reasoning=counts(360, 5, 35))

    verdict = gate(comparison)

    assert comparison.overall.lower > -0.02  # (105 - 135) / 9,400 = -0.3 points: the average alone would pass
    assert (verdict.outcome, verdict.is_blocked) == (FAIL, True)
    assert [(s.stratum, s.outcome) for s in verdict.strata] == [("reasoning", FAIL), ("routine", PASS)]
    assert verdict.strata[0].reason.startswith("it loses more than 2.0%: 0.912 vs 0.988, difference -0.075 [")


def test_s27_only_what_is_shown_to_lose_less_than_the_margin_may_serve() -> None:
    good, unknown = counts(2_000, 20, 20), counts(100, 1, 1)

    assert gate(compared(routine=good, reasoning=good)).outcome is PASS
    assert gate(compared(routine=good, reasoning=unknown)).outcome is INSUFFICIENT
    assert gate(compared(routine=good, reasoning=unknown)).is_blocked


def test_s27_a_verdict_says_which_weights_were_judged_against_which() -> None:
    suite = suite_of({"routine": 1})
    runs = [run_of(suite, {"routine": [True]}, model, digest) for model, digest in (("f16", "aa"), ("q4_0", "bb"))]

    verdict = gate(compare_runs(*runs))

    assert (verdict.baseline.model_digest, verdict.candidate.model_digest) == ("aa", "bb")
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=GateVerdict) == verdict


def test_a_real_loss_within_the_margin_passes_and_one_beyond_it_by_luck_does_not_fail() -> None:
    small_but_real, few_and_bad = counts(9_900, 0, 100), counts(58, 0, 2)

    assert gate(compared(a=small_but_real)).outcome is PASS  # 1 point lost for sure, and 2 are allowed
    assert gate(compared(a=few_and_bad)).outcome is INSUFFICIENT  # 3.3 points, and 60 cases prove nothing


@pytest.mark.parametrize(
    ("pair", "n_needed"),
    [
        (counts(90, 5, 5), 1_546),  # the reference table: 2 points, 10 % discordance
        (counts(100, 0, 0), 310),  # no disagreement: planned for 2 %, (1.645 + 0.842)^2 * 0.02 / 0.02^2 = 309.1
        (counts(85, 5, 10), 9_268),  # 5 points lost: planned for 1; 6.1826 * (0.15 - 0.01^2) / 0.01^2 = 9,267.7
        (counts(0, 5, 5, 90), 1_546),
    ],
)
def test_too_few_cases_come_with_the_number_that_would_settle_it(
    pair: tuple[list[bool], list[bool]], n_needed: int
) -> None:
    (found,) = gate(compared(a=pair)).strata

    assert (found.outcome, found.n_needed) == (INSUFFICIENT, n_needed)
    assert f"about {n_needed:,} cases would settle" in found.reason


def test_a_loss_at_the_margin_itself_is_not_promised_to_be_settled_by_more_cases() -> None:
    (found,) = gate(compared(a=counts(9_700, 50, 250))).strata  # 2 points of 10,000

    assert (found.outcome, found.n_needed) == (INSUFFICIENT, None)
    assert "too near to that for more cases to help" in found.reason


def test_unanswered_cases_of_the_baseline_block_and_are_named() -> None:
    baseline: list[Outcome] = [True] * 1_900 + [None] * 100

    (found,) = gate(compared(a=(baseline, [True] * 1_900 + [False] * 100))).strata

    assert found.outcome is INSUFFICIENT
    assert "because 100 unanswered cases of the baseline prove nothing; run it again" in found.reason
    assert found.reason.endswith("unanswered: 0 vs 100")


def test_unanswered_cases_of_the_candidate_are_its_loss() -> None:
    candidate: list[Outcome] = [True] * 1_900 + [None] * 100

    assert gate(compared(a=([True] * 2_000, candidate))).outcome is FAIL


def test_protected_strata_alone_decide() -> None:
    comparison = compared(good=counts(2_000, 20, 20), bad=counts(800, 0, 200))

    assert gate(comparison, protected={"good"}).outcome is PASS
    assert gate(comparison, protected={"bad"}).outcome is FAIL
    assert [s.stratum for s in gate(comparison).strata] == ["bad", "good"]


@pytest.mark.parametrize(("protected", "problem"), [({"gone"}, "'gone' has no case"), (set(), "no stratum is")])
def test_a_gate_that_would_protect_nothing_is_refused(protected: set[str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        gate(compared(a=counts(1, 0, 0)), protected=protected)


def test_three_times_the_margin_never_passes_in_1000_cases() -> None:
    outcomes = Counter(
        gate(compared(a=planted(random.Random(seed), 1_000, loss=0.06, discordance=0.10))).outcome
        for seed in range(200)
    )

    assert outcomes[PASS] == 0
    assert outcomes[FAIL] > 190  # 6 - 2 points are 4.2 standard errors of 0.95 points, and 1.645 are asked for: 99.5 %


def test_a_variant_that_loses_nothing_is_rarely_blocked_and_hardly_ever_failed() -> None:
    outcomes = Counter(
        gate(
            compared(
                a=planted(random.Random(2 * seed), 2_000, loss=0, discordance=0.04),
                b=planted(random.Random(2 * seed + 1), 2_000, loss=0, discordance=0.04),
            )
        ).outcome
        for seed in range(100)
    )

    assert outcomes[FAIL] == 0
    assert outcomes[PASS] >= 95  # each: 2 points are 4.5 standard errors, 1.645 are asked for: 99.8 %


def test_a_loss_of_exactly_the_margin_passes_as_seldom_as_promised() -> None:
    n_passed = sum(
        gate(compared(a=planted(random.Random(seed), 400, loss=0.02, discordance=0.10))).outcome is PASS
        for seed in range(400)
    )

    assert n_passed / 400 < 0.083  # 5 % and three standard errors of 400 gates
