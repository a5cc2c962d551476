import pytest

from trimtab.evaluation import Answer, CaseResult, GateOutcome, Run
from trimtab.lab import Rungs, climb, compare_claims


def run(model: str, outcomes: dict[str, str]) -> Run:
    """A run in which ``1`` is a right answer and ``0`` a wrong one, by workload."""
    return Run(
        suite_name="s",
        suite_version="1",
        suite_digest="d",
        model=model,
        scorer="x",
        options={},
        started_at_us=0,
        results=tuple(
            CaseResult(case_id=f"{name}-{place}", stratum=name, answer=Answer(text="a"), score=float(mark))
            for name, marks in outcomes.items()
            for place, mark in enumerate(marks)
        ),
    )


def rungs_of(large: str, small: str, *, bar: float, n_claims: int = 1) -> Rungs:
    comparison = compare_claims(run("large", {"w": large}), run("small", {"w": small}), n_claims=n_claims)
    (found,) = climb(comparison, {"w": bar})
    return found


def test_a_small_model_shown_to_lose_little_and_to_reach_the_bar_becomes_the_default() -> None:
    # Without any disagreement Tango's test needs 1.645**2 * 0.98 / 0.02 = 133 pairs.
    found = rungs_of("1" * 133, "1" * 133, bar=0.9)

    assert (found.verdict, found.is_moved, found.gap_state) == ("SMALL_DEFAULT_SUFFICIENT", True, "met")


def test_one_pair_less_is_insufficient_and_names_how_many_would_settle_it() -> None:
    found = rungs_of("1" * 132, "1" * 132, bar=0.9)

    assert (found.verdict, found.is_moved) == ("INSUFFICIENT_EVIDENCE", False)
    assert found.shrink is not None
    assert found.shrink.n_needed is not None
    assert f"{found.shrink.n_needed:,} cases" in found.next_step


def test_each_of_several_claims_gets_its_part_of_the_error() -> None:
    # 0.05 / 6 has z = 2.394, so 2.394**2 * 0.98 / 0.02 = 280.8 pairs.
    assert not rungs_of("1" * 280, "1" * 280, bar=0.9, n_claims=6).is_moved
    assert rungs_of("1" * 281, "1" * 281, bar=0.9, n_claims=6).is_moved


def test_two_models_that_are_equally_poor_are_no_sufficient_default_but_a_gap() -> None:
    found = rungs_of("0" * 400, "0" * 400, bar=0.8)

    assert (found.verdict, found.is_moved, found.gap_state) == (None, True, "left")
    assert found.gap is not None
    assert found.gap.mean == 0.8
    assert "a later rung, not decided here" in found.next_step


def test_which_of_two_poor_models_is_better_is_no_evidence_that_is_missing() -> None:
    found = rungs_of("0" * 60, "0" * 60, bar=0.8)

    assert (found.verdict, found.is_moved, found.gap_state) == (None, False, "left")
    assert found.next_step.startswith("stays on the large model; both are below the bar")


def test_what_loses_more_than_the_margin_stays_without_a_verdict() -> None:
    found = rungs_of("1" * 200, "1" * 150 + "0" * 50, bar=0.8)

    assert found.shrink is not None
    assert (found.shrink.outcome, found.verdict, found.is_moved) == (GateOutcome.FAIL, None, False)
    assert found.next_step == "stays on the large model: the small one loses more than the margin"


def test_a_move_is_no_sufficient_default_before_the_bar_is_shown_to_be_met() -> None:
    # 182 of 200 right is 0.91 [0.862, 0.942]: the interval reaches below the bar of 0.9.
    found = rungs_of("1" * 182 + "0" * 18, "1" * 182 + "0" * 18, bar=0.9)

    assert (found.verdict, found.is_moved, found.gap_state) == (None, True, "open")
    assert found.next_step.endswith("whether it reaches the bar takes more cases")


def test_after_a_move_the_gap_is_the_small_models() -> None:
    # The large model reaches 0.9 and the small one 0.895; with a margin of two points that is a pass at n = 2,000.
    found = rungs_of("1" * 1800 + "0" * 200, "1" * 1790 + "0" * 210, bar=0.9)

    assert found.is_moved
    assert found.gap is not None
    assert found.gap.mean == pytest.approx(0.005)


def test_headroom_is_what_only_the_other_model_gets_right() -> None:
    # Right: large 6, small 5, at least one of them 8 of 10; a perfect router adds 0.8 - 0.6.
    found = rungs_of("1111110000", "1110000110", bar=0.8)

    assert found.headroom is not None
    assert found.headroom.mean == pytest.approx(0.2)
    assert found.large is not None
    assert (found.large.mean, found.n_pairs) == (0.6, 10)


def test_a_workload_without_a_graded_answer_is_to_be_measured_first() -> None:
    comparison = compare_claims(run("large", {"w": "11"}), run("small", {"w": "11"}), n_claims=1)

    measured, unmeasured = climb(comparison, {"w": 0.9, "other": 0.9})

    assert measured.n_pairs == 2
    assert (unmeasured.verdict, unmeasured.n_pairs, unmeasured.is_moved) == ("MEASURE_FIRST", 0, False)
    assert [each.verdict for each in climb(None, {"w": 0.9})] == ["MEASURE_FIRST"]
