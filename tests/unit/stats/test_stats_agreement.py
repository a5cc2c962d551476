import math
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trimtab.stats.agreement import Agreement, anchor_drift, cohen_kappa, gwet_ac1

GRADES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=60)


def graded(both: int, first_only: int, second_only: int, neither: int) -> tuple[list[bool], list[bool]]:
    first = [True] * (both + first_only) + [False] * (second_only + neither)
    second = [True] * both + [False] * first_only + [True] * second_only + [False] * neither
    return first, second


@pytest.mark.parametrize(
    ("table", "kappa"), [((40, 9, 6, 45), 0.70), ((80, 10, 5, 5), 0.32)], ids=["balanced", "one-grade-common"]
)
def test_kappa_of_feinstein_and_cicchettis_tables_is_as_published(
    table: tuple[int, int, int, int], kappa: float
) -> None:
    # Feinstein and Cicchetti, "High agreement but low kappa", Journal of Clinical Epidemiology 43 (1990), 543-549.
    result = cohen_kappa(*graded(*table))

    assert result.observed == pytest.approx(0.85)
    assert result.value == pytest.approx(kappa, abs=5e-3)


def test_ac1_where_kappa_fails_is_as_published() -> None:
    # Gwet (2002), "Kappa statistic is not satisfactory for assessing the extent of agreement": 118, 5, 2, 0.
    graders = graded(118, 5, 2, 0)

    assert gwet_ac1(*graders).value == pytest.approx(0.9408, abs=5e-5)
    assert cohen_kappa(*graders).value == pytest.approx(-0.0234, abs=5e-5)


def test_kappas_error_equals_statsmodels() -> None:
    # statsmodels 0.15.0, cohens_kappa of [[20, 5, 3], [4, 30, 6], [2, 7, 23]]: kappa and its standard error.
    table = {"aa": 20, "ab": 5, "ac": 3, "ba": 4, "bb": 30, "bc": 6, "ca": 2, "cb": 7, "cc": 23}
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    result = cohen_kappa([pair[0] for pair in pairs], [pair[1] for pair in pairs])

    assert result.value == pytest.approx(0.5889159561510352, abs=1e-8)
    assert result.standard_error == pytest.approx(0.06789201564029414, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=9, max_size=9), st.sampled_from([cohen_kappa, gwet_ac1]))
def test_the_error_is_what_the_delta_method_says(cells: list[int], measure: Callable[..., Agreement]) -> None:
    """Move each cell of the table a little and see how the measure moves: the multinomial spread of those slopes."""
    names = [a + b for a in "abc" for b in "abc"]

    def of_table(counts: list[int]) -> Agreement:
        pairs = [pair for pair, count in zip(names, counts, strict=True) for _ in range(count)]
        return measure([pair[0] for pair in pairs], [pair[1] for pair in pairs])

    large, n = [10_000 // sum(cells) * cell for cell in cells], sum(cells)
    slopes = [
        (of_table([c + (k == cell) for k, c in enumerate(large)]).value - of_table(large).value) * sum(large)
        for cell in range(9)
    ]
    squares = sum(count / n * slope**2 for count, slope in zip(cells, slopes, strict=True))
    mean = sum(count / n * slope for count, slope in zip(cells, slopes, strict=True))

    assert of_table(cells).standard_error == pytest.approx(math.sqrt((squares - mean**2) / n), rel=2e-3)


@given(GRADES)
def test_neither_measure_knows_first_from_second_nor_a_grade_by_name(pairs: list[tuple[str, str]]) -> None:
    first, second = (list(column) for column in zip(*pairs, strict=True))
    assume(len(set(first + second)) > 1)
    renamed = {"a": 3, "b": "x", "c": None}

    for measure in (cohen_kappa, gwet_ac1):
        result = measure(first, second)
        assert measure(second, first)[:4] == pytest.approx(result[:4], abs=1e-9)
        assert measure([renamed[g] for g in first], [renamed[g] for g in second])[:4] == pytest.approx(result[:4])
        assert -1 <= result.lower <= result.value <= result.upper <= 1


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=60))
def test_perfect_agreement_is_1_without_doubt(grades: list[str]) -> None:
    assume(len(set(grades)) > 1)

    for measure in (cohen_kappa, gwet_ac1):
        assert measure(grades, grades)[:4] == pytest.approx((1, 1, 1, 0), abs=1e-6)


def test_one_grade_throughout_says_nothing_about_agreement() -> None:
    with pytest.raises(ValueError, match="undefined"):
        cohen_kappa([1, 1], [1, 1])
    with pytest.raises(ValueError, match="undefined"):
        gwet_ac1([1, 1], [1, 1])
    with pytest.raises(ValueError, match="2 and 1 grades"):
        cohen_kappa([1, 0], [1])


def test_a_judge_that_turned_lenient_is_seen_on_its_anchors() -> None:
    # 40 good and 40 bad anchors: then 36 and 34 right, now 38 and 22 right; 2 + 12 verdicts flipped, 2 for the better.
    labels = [True] * 40 + [False] * 40
    then = [True] * 36 + [False] * 4 + [False] * 34 + [True] * 6
    now = [True] * 38 + [False] * 2 + [False] * 22 + [True] * 18
    drift = anchor_drift(labels, then, now)

    assert drift.flipped == pytest.approx(14 / 80)
    assert drift.accuracy_change == pytest.approx(-10 / 80)
    assert drift.accuracy_change_bounds.upper < 0
    # 2 gains against 12 losses: 2 * (1 + 14 + 91) / 2**14 - 91 / 2**14
    assert drift.p_value == pytest.approx((2 * 106 - 91) / 2**14)


def test_verdicts_may_flip_and_accuracy_stay() -> None:
    labels = [True] * 20
    drift = anchor_drift(labels, [True] * 15 + [False] * 5, [False] * 5 + [True] * 15)

    assert drift.flipped == 0.5
    assert drift.accuracy_change == 0
    assert drift.p_value == pytest.approx(1)


def test_anchors_without_a_verdict_each_are_an_error() -> None:
    for labels, then, now in (([], [], []), ([True], [True], [True, False])):
        with pytest.raises(ValueError, match="one for each anchor"):
            anchor_drift(labels, then, now)
