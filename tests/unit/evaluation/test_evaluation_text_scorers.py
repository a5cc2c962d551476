"""What each scorer of plain text counts as right, and what it says about the rest."""

import time
from decimal import Decimal

import pytest
from tests.support.scorer_suite import graded

from trimtab.evaluation import Case, ScorerSpec, scorer_for, user_prompt
from trimtab.evaluation.case import ScorerOption
from trimtab.evaluation.scoring.choosing import listed, settled
from trimtab.evaluation.scoring.numerals import numerals, whole_numeral
from trimtab.evaluation.scoring.words import is_in, tokens


def expecting(text: str, prompt: str = "?") -> Case:
    return Case(case_id="a", messages=user_prompt(prompt), expected=text, stratum="routine")


def score(name: str, expected: str, answer: str, **options: ScorerOption) -> float | None:
    return graded(scorer_for(ScorerSpec(name=name, options=options)), expecting(expected), answer).value


def why(name: str, expected: str, answer: str, **options: ScorerOption) -> str | None:
    return graded(scorer_for(ScorerSpec(name=name, options=options)), expecting(expected), answer).why


@pytest.mark.parametrize(
    ("expected", "answer", "exact", "normalised"),
    [
        ("Paris", "Paris", 1, 1),
        ("Paris", "paris.", 0, 1),
        ("New York", "new\u00a0 york", 0, 1),
        ("Paris", "London", 0, 0),
        ("5", "-5", 0, 0),
        ("?", "!", 0, 0),  # nothing is left of either: only the same text will do
        ("", "", 1, 1),
    ],
)
def test_matches(expected: str, answer: str, exact: int, normalised: int) -> None:
    assert score("exact_match", expected, answer) == exact
    assert score("normalised_match", expected, answer) == normalised


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,234,567.89", "1234567.89"),
        ("1,00,000 rupees", "100000"),  # Indian grouping
        ("12\u202f345", "12345"),
        ("12'345", "12345"),
        ("costs -$5", "-5"),
        ("costs $-5", "-5"),
        ("\u22125", "-5"),
        ("EUR 7", "7"),
        ("1.2e-3", "0.0012"),
        ("6.02 \u00d7 10^23", "6.02E23"),
        (".5", "0.5"),
        ("ends with 42.", "42"),
        ("a 5-3", "3"),
        ("007", "7"),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, found: str) -> None:
    assert [numeral.value for numeral in numerals(text, ".")][-1] == Decimal(found)


@pytest.mark.parametrize("text", ["H2O", "m2", "v1", "", "one", "\u00b2"])
def test_digits_within_words_are_no_numbers(text: str) -> None:
    assert list(numerals(text, ".")) == []


def test_the_decimal_point_is_the_other_ones_thousands_separator() -> None:
    assert [found.value for found in numerals("1.234,5", ",")] == [Decimal("1234.5")]


@pytest.mark.parametrize(
    ("text", "is_number"),
    [("12", True), ("12 kg.", True), ("\u20ac12", True), ("**12**", True), ("12 13", False), ("about 12", False)],
)
def test_a_whole_answer_is_a_number_with_at_most_a_unit(text: str, is_number: bool) -> None:
    assert (whole_numeral(text, ".") is not None) is is_number


def test_tolerances_are_closed_and_the_larger_one_counts() -> None:
    assert score("numeric", "0.3", "0.31", absolute=0.01) == 1
    assert score("numeric", "0.3", "0.311", absolute=0.01) == 0
    assert score("numeric", "200", "202", absolute=0.01, relative=0.01) == 1
    assert score("numeric", "0.1", "0.1000000000000000000001") == 0  # decimals, not binary fractions


def test_a_case_that_a_scorer_cannot_read_is_neither_right_nor_wrong() -> None:
    assert score("numeric", "many", "3") is None
    assert score("contains", " \n", "x") is None
    assert score("regex", "(", "x") is None
    assert why("regex", "(", "x") == "'(' is no regular expression of RE2: missing ): ("
    assert why("numeric", "many", "3") == "the case expects 'many', which is no number"


def test_a_wrong_answer_says_what_is_wrong_with_it() -> None:
    assert why("numeric", "3", "it is 4") == "4 instead of 3"
    assert why("contains", "Paris\nNice", "Nice") == "missing: Paris"
    assert why("multiple_choice", "A", "Either B or C.") == "ambiguous: B, C"
    assert why("multiple_choice", "A", "It is C.") == "settles on C"
    assert why("multiple_choice", "A", "I do not know") == "settles on no choice"


QUESTION = "Which?\n\nA. Paris\n(B) London\nC) Paris, Texas\nD: Nice\nI. the rest"


@pytest.mark.parametrize(
    ("answer", "letters"),
    [
        ("B", "B"),
        (" (b). ", "B"),
        ("B) London", "B"),
        ("London", "B"),
        ("Paris, Texas.", "C"),
        ("The answer is **D**.", "D"),
        ("Answer: A", "A"),
        ("answer is (c)", "C"),
        ("\\boxed{\\text{B}}", "B"),
        ("So A seems right. But no: the answer is B, because A is abroad.", "B"),
        ("The answer is A. Wait, no. The answer is C.", "C"),
        ("B is the correct answer, A is not.", "B"),
        ("The answer is not A.\nB. London", "B"),
        ("The answer is A or B.", "AB"),
        ("The answer is A, B and D.", "ABD"),
        ("A) Paris\nB) London", "AB"),
        ("A city in France. I think D", "D"),
        ("It lies in Texas: Paris, Texas", "C"),
        ("the answer is a city", ""),
        ("Berlin", ""),
        ("", ""),
        ("Z", ""),
    ],
)
def test_the_choice_that_an_answer_settles_on(answer: str, letters: str) -> None:
    choices = listed(expecting("A", QUESTION))

    assert list(choices) == ["A", "B", "C", "D", "I"]
    assert settled(answer, choices) == set(letters)


def test_an_expected_choice_may_be_written_as_its_text() -> None:
    scorer = scorer_for(ScorerSpec(name="multiple_choice"))

    assert graded(scorer, expecting("London", QUESTION), "I choose B").value == 1
    assert graded(scorer, expecting("Berlin", QUESTION), "I choose B").value is None


@pytest.mark.parametrize(
    ("expected", "answer", "published"),
    [
        # the example of the package rouge-score: precision 5/8, recall 5/9
        ("The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log.", 10 / 17),
        ("police killed the gunman", "police kill the gunman", 3 / 4),  # Lin (2004), S2
        ("police killed the gunman", "the gunman kill police", 2 / 4),  # S3
        ("police killed the gunman", "the gunman police killed", 2 / 4),  # S4
    ],
)
def test_rouge_l_is_the_published_one(expected: str, answer: str, published: float) -> None:
    assert score("rouge_l", expected, answer) == pytest.approx(published, abs=1e-9)


def test_chrf_is_the_published_one() -> None:
    # as sacrebleu 2.6.0 prints it: chrF2 52.53, chrF2++ 50.89
    expected, answer = "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log."

    assert score("chrf", expected, answer) == pytest.approx(0.5253, abs=5e-5)
    assert score("chrf", expected, answer, word_order=2) == pytest.approx(0.5089, abs=5e-5)


def test_tokens_keep_signs_and_points_unlike_squad() -> None:
    assert tokens("The (\u201cbest\u201d) -1.5, isn't it?") == ["the", "best", "-1.5", "isn't", "it"]
    assert score("token_f1", "-5", "5") == 0


def test_whole_words_end_where_letters_end() -> None:
    assert is_in("art", "start art", whole_words=True)
    assert not is_in("art", "start party", whole_words=True)
    assert is_in("c++", "in c++ now", whole_words=True)


@pytest.mark.parametrize("name", ["regex", "multiple_choice", "numeric", "contains", "token_f1", "rouge_l", "chrf"])
def test_no_answer_takes_long_to_score(name: str) -> None:
    expected = {"regex": "(a*)*b", "numeric": "1", "multiple_choice": "B"}.get(name, "a")
    answers = ["a" * 50_000, "1," * 25_000, "(A " * 20_000, " " * 50_000 + "x", "answer is " * 5_000, "A or " * 10_000]

    started = time.monotonic()
    for answer in answers:
        score(name, expected, answer)
    assert time.monotonic() - started < 10
