"""Scores of degrees, repeated samples and cases that belong together: means, not rates."""

import random
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from tests.support.evaluation import graded_run, outcomes_of, run_of, suite_of

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Comparison, GateOutcome, Run, compare_runs, gate, paired_result
from trimtab.stats.bootstrap import bootstrap_mean_interval
from trimtab.stats.paired_scores import paired_difference

THEIRS, OURS = [0.8, 0.8, 0.5, 0.9], [0.9, 0.8, 0.7, 1.0]


def compared(
    baseline: Sequence[float | None], candidate: Sequence[float | None], *, cluster_size: int = 1, margin: float = 0.02
) -> Comparison:
    suite = suite_of({"routine": len(baseline)})
    runs = [graded_run(suite, {"routine": scores}, cluster_size=cluster_size) for scores in (baseline, candidate)]
    return compare_runs(*runs, margin=margin)


def noisy(seed: int, n: int, *, loss: float, spread: float = 0.2) -> tuple[list[float], list[float]]:
    """Return scores whose true mean difference is ``-loss``."""
    rng = random.Random(seed)
    baseline = [rng.uniform(0.4, 0.8) for _ in range(n)]
    return baseline, [score - loss + rng.uniform(-spread, spread) for score in baseline]


def test_degrees_are_compared_by_the_paired_t_interval_of_the_statistics() -> None:
    (found,) = compared(THEIRS, OURS).strata
    expected = paired_difference(OURS, THEIRS, confidence=0.9)

    assert (found.test, found.bounds, found.counts) == ("paired_t", "paired_t", None)
    assert (found.difference, found.lower, found.upper) == pytest.approx(expected[:3])
    assert found.standard_error == pytest.approx(0.0408248, abs=1e-7)
    assert (found.candidate_mean, found.baseline_mean, found.discordance) == pytest.approx((0.85, 0.75, 0.75))


def test_resampled_bounds_are_named_and_the_test_stays() -> None:
    suite = suite_of({"routine": 4})
    runs = [graded_run(suite, {"routine": scores}) for scores in (THEIRS, OURS)]

    plain, resampled = compare_runs(*runs).overall, compare_runs(*runs, bootstrap=True).overall

    differences = [ours - theirs for ours, theirs in zip(OURS, THEIRS, strict=True)]
    assert (resampled.bounds, resampled.test) == ("bootstrap", "paired_t")
    assert (resampled.lower, resampled.upper) == tuple(bootstrap_mean_interval(differences, confidence=0.9))
    assert resampled.p_noninferior == plain.p_noninferior


def test_questions_about_one_document_are_one_piece_of_evidence() -> None:
    baseline, candidate = noisy(1, 200, loss=0.0)
    copies = [[score for score in scores for _ in range(5)] for scores in (baseline, candidate)]

    alone, clustered = compared(baseline, candidate).overall, compared(*copies, cluster_size=5).overall

    assert (clustered.test, clustered.n_pairs, clustered.n_clusters) == ("clustered_t", 1_000, 200)
    assert (clustered.lower, clustered.upper) == pytest.approx((alone.lower, alone.upper))
    assert clustered.p_noninferior == pytest.approx(alone.p_noninferior)


def with_clusters(run: Run, size: int) -> Run:
    results = [msgspec.structs.replace(r, cluster=f"doc {i // size}") for i, r in enumerate(run.results)]
    return msgspec.structs.replace(run, results=tuple(results))


def test_clusters_matter_to_right_and_wrong_too() -> None:
    suite = suite_of({"routine": 400})
    baseline, candidate = outcomes_of(both=360, candidate_only=20, baseline_only=20, neither=0)
    runs = [run_of(suite, {"routine": outcomes}) for outcomes in (baseline, candidate)]

    alone, together = compare_runs(*runs).overall, compare_runs(*(with_clusters(run, 20) for run in runs)).overall

    assert (alone.test, together.test) == ("tango", "clustered_t")
    assert together.counts == alone.counts
    assert together.upper - together.lower > 2 * (alone.upper - alone.lower)  # all gains are in one document


def repeated(run: Run, others: Sequence[Run]) -> Run:
    """Return one run whose samples are those of all."""
    more = [msgspec.structs.replace(r, sample=i) for i, other in enumerate(others, 1) for r in other.results]
    return msgspec.structs.replace(run, results=(*run.results, *more))


def test_repeated_samples_of_a_case_are_one_case_with_their_mean() -> None:
    suite = suite_of({"routine": 3})
    always, never = (run_of(suite, {"routine": [right] * 3}) for right in (True, False))

    found = compare_runs(repeated(always, [always]), repeated(always, [never])).overall

    assert (found.n_pairs, found.n_samples, found.test) == (3, 6, "paired_t")
    assert (found.baseline_mean, found.candidate_mean) == (1.0, 0.5)


def test_the_same_sample_twice_is_a_damaged_record() -> None:
    run = run_of(suite_of({"routine": 2}), {"routine": [True, True]})

    with pytest.raises(ConfigurationError, match="'routine-0' twice"):
        compare_runs(run, msgspec.structs.replace(run, results=run.results * 2))


def test_an_answer_that_nobody_could_grade_is_counted_and_helps_neither_side() -> None:
    graded = [0.5] * 400

    unsure_of_baseline = compared([*graded, *[None] * 100], [*graded, *[0.0] * 100])
    unsure_of_candidate = compared([0.5] * 500, [*graded, *[None] * 100])

    assert unsure_of_baseline.overall.n_baseline_ungraded == 100
    assert unsure_of_baseline.overall.p_noninferior > 0.99  # it may well have been right a hundred times
    assert unsure_of_candidate.overall.n_candidate_ungraded == 100
    assert unsure_of_candidate.overall.candidate_mean == pytest.approx(0.4)
    for comparison in (unsure_of_baseline, unsure_of_candidate):
        (stratum,) = gate(comparison).strata
        assert stratum.outcome is GateOutcome.INSUFFICIENT_EVIDENCE
        assert "not gradable: " in stratum.reason


def test_an_ungradable_answer_does_the_same_where_answers_are_right_or_wrong() -> None:
    suite = suite_of({"routine": 1_000})
    run = run_of(suite, {"routine": [True] * 1_000})
    unsure = [msgspec.structs.replace(r, score=None) for r in run.results[:100]]
    unsure_run = msgspec.structs.replace(run, results=(*unsure, *run.results[100:]))

    outcomes = [gate(compare_runs(*pair)).outcome for pair in ((run, unsure_run), (unsure_run, run))]

    assert outcomes == [GateOutcome.INSUFFICIENT_EVIDENCE, GateOutcome.PASS]  # right on all, whatever theirs was


@pytest.mark.parametrize(("n", "outcome"), [(148, "insufficient_evidence"), (149, "pass")])
def test_equal_scores_prove_something_only_once_a_rare_total_loss_would_have_shown(n: int, outcome: str) -> None:
    """0.98**148 = 0.0503, 0.98**149 = 0.0493."""
    (found,) = gate(compared([0.5] * n, [0.5] * n)).strata

    assert found.outcome == outcome
    if outcome != "pass":
        assert found.n_needed == 149


def test_one_case_alone_says_nothing() -> None:
    (found,) = compared([1.0], [0.0]).strata

    assert (found.lower, found.upper, found.standard_error) == (-1.0, 1.0, None)
    assert gate(compared([1.0], [0.0])).outcome is GateOutcome.INSUFFICIENT_EVIDENCE


def test_the_number_of_cases_that_is_missing_follows_the_spread_that_was_seen() -> None:
    baseline, candidate = noisy(3, 100, loss=0.0)
    (found,) = gate(compared(baseline, candidate)).strata

    # Uniform noise of 0.2 has variance 0.04 / 3; the plan is 6.18 * 0.0133 / (0.02 - loss seen)**2.
    assert found.outcome is GateOutcome.INSUFFICIENT_EVIDENCE
    assert found.n_needed is not None
    assert 150 <= found.n_needed <= 830


def test_a_loss_of_exactly_the_margin_passes_as_seldom_as_promised_with_degrees_too() -> None:
    n_passed = sum(gate(compared(*noisy(seed, 200, loss=0.02))).outcome is GateOutcome.PASS for seed in range(400))

    assert 0.02 < n_passed / 400 < 0.083  # 5 % and three standard errors of 400 gates


def test_a_loss_of_three_margins_fails_and_none_passes() -> None:
    bad = Counter(gate(compared(*noisy(seed, 600, loss=0.06))).outcome for seed in range(40))
    good = Counter(gate(compared(*noisy(seed, 600, loss=0.0))).outcome for seed in range(40))

    assert bad == {GateOutcome.FAIL: 40}
    assert good == {GateOutcome.PASS: 40}


def test_without_numpy_degrees_are_refused_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired_result, "find_spec", lambda name: None if name == "scipy" else object())

    with pytest.raises(ConfigurationError, match="scipy is not installed") as caught:
        compared(THEIRS, OURS)
    assert caught.value.hint == "pip install 'trimtab[stats]'"


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.5])
def test_an_impossible_score_is_refused_with_case_and_model(score: float) -> None:
    with pytest.raises(ConfigurationError, match=r"'routine-0' in the run of 'p:m' has score"):
        compared([0.5, 0.5], [score, 0.5])


def test_graded_results_survive_being_written_down() -> None:
    comparison = compared(THEIRS, OURS)

    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison
