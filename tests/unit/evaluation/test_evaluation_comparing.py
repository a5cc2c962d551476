"""Worked numbers: the counts are published cases of paired rates, spread over the strata of a suite."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.evaluation import Outcome, outcomes_of, run_of, suite_of

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Comparison, Run, Suite, compare_runs

OUTCOMES = st.lists(st.tuples(st.sampled_from([True, False, None]), st.sampled_from([True, False, None])), min_size=1)


def compared(
    baseline: Sequence[Outcome], candidate: Sequence[Outcome], *, margin: float = 0.02, alpha: float = 0.05
) -> Comparison:
    suite = suite_of({"routine": len(baseline)})
    runs = run_of(suite, {"routine": baseline}), run_of(suite, {"routine": candidate})
    return compare_runs(*runs, margin=margin, alpha=alpha)


def test_the_gates_worked_case_has_the_published_p_value_and_rates() -> None:
    baseline, candidate = outcomes_of(both=800, candidate_only=60, baseline_only=80, neither=60)

    (found,) = compared(baseline, candidate, margin=0.05).strata

    assert (found.n_pairs, found.candidate_mean, found.baseline_mean) == (1000, 0.86, 0.88)
    assert found.difference == pytest.approx(-0.02)
    assert found.p_noninferior == pytest.approx(0.0065535, abs=1e-7)
    assert found.p_inferior == pytest.approx(1 - 0.0065535, abs=1e-7)


def test_the_interval_is_tangos_at_the_tests_own_confidence() -> None:
    baseline, candidate = outcomes_of(both=80, candidate_only=6, baseline_only=16, neither=59)

    comparison = compared(baseline, candidate, alpha=0.025)

    assert comparison.confidence == 0.95
    assert (comparison.overall.lower, comparison.overall.upper) == pytest.approx((-0.124023, -0.005433), abs=1e-6)


def test_mcnemar_says_whether_they_differ_at_all() -> None:
    baseline, candidate = outcomes_of(both=1, candidate_only=1, baseline_only=7, neither=12)

    assert compared(baseline, candidate).overall.p_differ == pytest.approx(0.039063, abs=1e-6)


def test_strata_are_compared_by_themselves_and_add_up_to_the_whole() -> None:
    suite = suite_of({"b": 4, "a": 2})
    baseline = run_of(suite, {"a": [True, True], "b": [True, False, True, True]})
    candidate = run_of(suite, {"a": [True, False], "b": [False, True, True, True]})

    found = compare_runs(baseline, candidate)

    assert [(s.stratum, s.n_pairs, s.difference) for s in found.strata] == [("a", 2, -0.5), ("b", 4, 0.0)]
    assert (found.overall.stratum, found.overall.n_pairs) == (None, 6)
    assert found.overall.difference == pytest.approx(-1 / 6)


def test_naming_one_stratum_among_two_takes_twice_the_evidence() -> None:
    baseline, candidate = outcomes_of(both=800, candidate_only=60, baseline_only=80, neither=60)
    suite = suite_of({"a": 1000, "b": 1000})
    runs = [run_of(suite, {"a": outcomes, "b": outcomes}) for outcomes in (baseline, candidate)]

    for found in compare_runs(*runs, margin=0.05).strata:
        assert found.p_noninferior_holm == pytest.approx(2 * 0.0065535, abs=2e-7)  # Holm: the smallest of 2, doubled


def test_no_answer_is_a_wrong_answer_and_is_counted() -> None:
    found = compared([True, True, None, False], [None, True, True, None]).overall

    assert (found.n_baseline_failed, found.n_candidate_failed) == (1, 2)
    assert (found.baseline_mean, found.candidate_mean, found.difference) == (0.5, 0.5, 0.0)


def test_what_the_baseline_did_not_answer_proves_nothing_for_the_candidate() -> None:
    right: list[Outcome] = [True] * 400
    broken: list[Outcome] = [True] * 200 + [None] * 200

    loses_half_unseen = compared(broken, [True] * 200 + [False] * 200).overall

    assert loses_half_unseen.difference == 0.0
    assert loses_half_unseen.p_noninferior > 0.999
    assert compared(right, right).overall.p_noninferior < 0.05


def test_a_comparison_survives_being_written_down() -> None:
    comparison = compared([True, False, None], [True, True, False])

    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison


@given(OUTCOMES)
def test_bounds_hold_the_difference_and_exchanging_the_runs_turns_its_sign(outcomes: list[tuple[Outcome, ...]]) -> None:
    baseline, candidate = [pair[0] for pair in outcomes], [pair[1] for pair in outcomes]

    one, other = compared(baseline, candidate).overall, compared(candidate, baseline).overall

    assert -1 <= one.lower <= one.difference <= one.upper <= 1
    assert (one.difference, one.lower, one.upper) == pytest.approx((-other.difference, -other.upper, -other.lower))
    assert one.p_differ == pytest.approx(other.p_differ)
    assert one.candidate_mean == pytest.approx(other.baseline_mean)


@given(OUTCOMES, st.floats(0.001, 0.3), st.floats(0.001, 0.49))
def test_the_interval_and_the_tests_agree(outcomes: list[tuple[Outcome, ...]], margin: float, alpha: float) -> None:
    answered = [(bool(pair[0]), bool(pair[1])) for pair in outcomes]
    found = compared([b for b, _ in answered], [c for _, c in answered], margin=margin, alpha=alpha).overall

    if abs(found.lower + margin) > 1e-9:
        assert (found.p_noninferior < alpha) is (found.lower > -margin)
    if abs(found.upper + margin) > 1e-9:
        assert (found.p_inferior < alpha) is (found.upper < -margin)
    assert not (found.p_noninferior < alpha and found.p_inferior < alpha)


def other_suite(run: Run) -> Run:
    changed = Suite(name="other", version="1", cases=suite_of({"hard": 3}).cases)
    return msgspec.structs.replace(run, suite_digest=changed.digest)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (other_suite, "their suite_digest is"),
        (lambda run: msgspec.structs.replace(run, scorer="normalised_match"), "their scorer is"),
        (lambda run: msgspec.structs.replace(run, results=run.results[1:]), "do not have the same cases: 3 and 2"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(change: object, problem: str) -> None:
    suite = suite_of({"routine": 3})
    run = run_of(suite, {"routine": [True, True, False]})
    assert callable(change)

    with pytest.raises(ConfigurationError, match=problem):
        compare_runs(run, change(run))


@pytest.mark.parametrize("terms", [{"margin": 0.0}, {"margin": 1.0}, {"alpha": 0.0}, {"alpha": 0.5}])
def test_an_impossible_margin_or_error_is_refused(terms: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="is not between"):
        compared([True], [True], **terms)


def test_a_score_that_breaks_the_scorers_promise_is_refused() -> None:
    suite = suite_of({"routine": 1})
    run = run_of(suite, {"routine": [True]})
    half = msgspec.structs.replace(run, results=(msgspec.structs.replace(run.results[0], score=0.5),))

    with pytest.raises(ConfigurationError, match=r"'routine-0' in the run of 'p:m' has score 0\.5, and scorer"):
        compare_runs(run, half)
