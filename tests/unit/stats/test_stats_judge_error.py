import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.judge_error import JudgeErrors, true_rate, true_rate_interval


def test_rogan_gladen_is_worked_out_by_hand() -> None:
    # (.72 + .7 - 1) / (.9 + .7 - 1) = .42 / .6
    assert true_rate(0.72, sensitivity=0.9, specificity=0.7) == pytest.approx(0.70)


@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
def test_correcting_undoes_what_the_judge_did(rate: float, sensitivity: float, specificity: float) -> None:
    judged = rate * sensitivity + (1 - rate) * (1 - specificity)

    assert true_rate(judged, sensitivity=sensitivity, specificity=specificity) == pytest.approx(rate, abs=1e-9)


@given(st.integers(0, 500), st.integers(60, 100), st.integers(60, 100))
def test_the_interval_holds_the_estimate_within_0_and_1(passes: int, true_passes: int, true_fails: int) -> None:
    errors = JudgeErrors(true_passes=true_passes, good=100, true_fails=true_fails, bad=100)
    result = true_rate_interval(passes, 500, errors=errors)

    assert 0 <= result.lower <= result.rate <= result.upper <= 1


def test_few_labels_widen_the_interval_however_many_were_judged() -> None:
    few = JudgeErrors(true_passes=18, good=20, true_fails=14, bad=20)
    many = JudgeErrors(true_passes=900, good=1000, true_fails=700, bad=1000)
    wide, narrow = (true_rate_interval(72_000, 100_000, errors=errors) for errors in (few, many))

    assert wide.rate == pytest.approx(narrow.rate)
    assert wide.upper - wide.lower > 4 * (narrow.upper - narrow.lower)


def test_a_judge_that_never_errs_leaves_about_the_interval_of_the_rate() -> None:
    perfect = JudgeErrors(true_passes=10_000, good=10_000, true_fails=10_000, bad=10_000)
    result = true_rate_interval(700, 1000, errors=perfect)

    # Agresti and Coull's interval of 700 / 1000 is (.6709, .7276).
    assert result[1:] == pytest.approx((0.6709, 0.7276), abs=5e-4)


def test_a_judge_no_better_than_a_coin_corrects_nothing() -> None:
    with pytest.raises(ValueError, match="no better than a coin"):
        true_rate(0.5, sensitivity=0.4, specificity=0.6)
    with pytest.raises(ValueError, match="no better than a coin"):
        true_rate_interval(5, 10, errors=JudgeErrors(true_passes=5, good=10, true_fails=5, bad=10))


def test_counts_that_cannot_be_are_errors() -> None:
    with pytest.raises(ValueError, match="impossible or empty"):
        JudgeErrors(true_passes=5, good=4, true_fails=1, bad=2)
    with pytest.raises(ValueError, match="impossible or empty"):
        JudgeErrors(true_passes=0, good=0, true_fails=1, bad=2)
    with pytest.raises(ValueError, match="11 passes of 10 judged"):
        true_rate_interval(11, 10, errors=JudgeErrors(true_passes=9, good=10, true_fails=9, bad=10))
