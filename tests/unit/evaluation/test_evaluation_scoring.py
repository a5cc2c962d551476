import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.evaluation import EXACT_MATCH, NORMALISED_MATCH, SCORERS, Case, TextScorer, user_prompt


def expecting(text: str) -> Case:
    return Case(case_id="a", messages=user_prompt("?"), expected=text, stratum="routine")


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=list(SCORERS))
@given(expected=st.text(), answer=st.text())
def test_every_scorer_gives_0_or_1_and_1_for_the_expected_text(scorer: TextScorer, expected: str, answer: str) -> None:
    assert scorer.grade(expecting(expected), answer) in (0.0, 1.0)
    assert scorer.grade(expecting(expected), expected) == 1.0


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=list(SCORERS))
def test_every_scorer_says_its_range_and_direction(scorer: TextScorer) -> None:
    assert "otherwise 0; higher is better" in scorer.meaning
    assert SCORERS[scorer.name] is scorer


@pytest.mark.parametrize(
    ("expected", "answer", "exact", "normalised"),
    [
        ("Paris", "Paris", 1, 1),
        ("Paris", " Paris\n", 1, 1),
        ("Paris", "paris.", 0, 1),
        ("Paris", '**"Paris"**', 0, 1),
        ("New York", "new\u00a0 york", 0, 1),
        ("Paris", "London", 0, 0),
        ("Paris", "Paris, France", 0, 0),
        ("5", "-5", 0, 0),
        ("1.5", "15", 0, 0),
        ("?", "!", 0, 0),  # nothing is left of either: only the same text will do
        ("Paris", "", 0, 0),
    ],
)
def test_what_counts_as_right(expected: str, answer: str, exact: int, normalised: int) -> None:
    assert EXACT_MATCH.grade(expecting(expected), answer) == exact
    assert NORMALISED_MATCH.grade(expecting(expected), answer) == normalised
