"""Every scorer passes the shared checks, with samples whose scores were worked out by hand."""

import json
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from tests.support.scorer_suite import Rig, Sample, ScorerSuite

from trimtab.evaluation import Scorer, ScorerSpec, scorer_for
from trimtab.evaluation.case import ScorerOption
from trimtab.evaluation.scoring import KINDS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)
SCHEMA = '{"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}}'
CHOICES = "Capital of France?\nA) Paris\nB) London\nC) Paris, Texas\nD) Nice"


def sample(expected: str, answer: str, value: float) -> Sample:
    return Sample(expected=expected, answer=answer, value=value)


def spec(name: str, **options: ScorerOption) -> ScorerSpec:
    return ScorerSpec(name=name, options=options)


RIGS = [
    Rig(
        spec=spec("exact_match"),
        samples=(sample("Paris", " Paris\n", 1), sample("Paris", "paris", 0), sample("Paris", "Paris, France", 0)),
    ),
    Rig(
        spec=spec("normalised_match"),
        samples=(sample("Paris", '**"paris"**.', 1), sample("5", "-5", 0), sample("1.5", "15", 0)),
    ),
    Rig(
        spec=spec("contains"),
        samples=(
            sample("Paris\nFrance", "paris is in FRANCE", 1),
            sample("Paris\nFrance", "Paris is in Texas", 0),
            sample("art", "a party", 1),
        ),
    ),
    Rig(
        spec=spec("contains", require="any", whole_words=True, ignore_case=False),
        samples=(
            sample("Paris\nFrance", "Paris is in Texas", 1),
            sample("art", "a party of art", 1),
            sample("art", "a party", 0),
            sample("Art", "art", 0),
        ),
    ),
    Rig(
        spec=spec("regex"),
        samples=(sample(r"\b[0-9]{4}\b", "in 1889.", 1), sample(r"\b[0-9]{4}\b", "in 18890.", 0)),
        is_its_own_best=False,
    ),
    Rig(
        spec=spec("regex", full=True, ignore_case=True),
        samples=(sample("yes|no", " YES\n", 1), sample("yes|no", "yes, no", 0)),
        is_its_own_best=False,
    ),
    Rig(
        spec=spec("multiple_choice"),
        prompt=CHOICES,
        samples=(
            sample("A", "a", 1),
            sample("A", "The answer is (A).", 1),
            sample("A", "B or A", 0),
            sample("A", "Paris", 1),
            sample("A", "D", 0),
        ),
        texts=st.sampled_from("ABCD") | st.sampled_from(["Paris", "London", "Paris, Texas", "Nice"]),
    ),
    Rig(
        spec=spec("numeric"),
        samples=(
            sample("1234.5", "So it is $1,234.50.", 1),
            sample("-5", "5", 0),
            sample("12", "12 %", 1),
            sample("2", "2 of 3", 0),
        ),
        texts=st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.integers().map(str),
    ),
    Rig(
        spec=spec("numeric", absolute=0.5, relative=0.01, take="first", percent="hundredths", decimal_point=","),
        samples=(
            sample("100", "101 or 5", 1),
            sample("1000", "1.010,0", 1),
            sample("1000", "1.010,1", 0),
            sample("0,12", "12 %", 1),
        ),
        texts=st.integers().map(str),
    ),
    Rig(
        spec=spec("token_f1"),
        # 3 words are shared of 4 and 5: 2 * 3 / 9
        samples=(
            sample("the cat sat down", "the cat sat on mats", 2 / 3),
            sample("a b", "B, a", 1),
            sample("a", "b", 0),
        ),
    ),
    Rig(
        spec=spec("token_f1", ignore=("a", "an", "the")),
        samples=(sample("the cat", "A cat", 1), sample("the cat", "the", 0)),
    ),
    Rig(
        spec=spec("chrf"),
        # orders 1 to 3: precision 1, recall 3/4, 2/3 and 1/2, mean 23/36; 5 * 23/36 / (4 + 23/36)
        samples=(sample("abc", "abc", 1), sample("abc", "xyz", 0), sample("abcd", "abc", 0.688623)),
    ),
    Rig(
        spec=spec("chrf", beta=1.0, char_order=2, word_order=1),
        samples=(sample("abc", "abc", 1), sample("abc", "xyz", 0)),
    ),
    Rig(
        spec=spec("rouge_l"),
        # Lin (2004), section 3.1: the sequence "police the gunman", 3 of 4 words on either side
        samples=(
            sample("police killed the gunman", "police kill the gunman", 0.75),
            sample("police killed the gunman", "the gunman kill police", 0.5),
            sample("police", "Police!", 1),
            sample("police", "gunman", 0),
        ),
    ),
    Rig(
        spec=spec("rouge_l", beta=2.0),
        # recall 3/4, precision 3/3: 5 * 3 / (4 * 4 + 3)
        samples=(sample("a b c d", "a b c", 15 / 19), sample("a b", "a b", 1), sample("a", "b", 0)),
    ),
    Rig(
        spec=spec("edit_similarity"),
        # kitten, sitting: 3 edits, 7 characters (the textbook's example)
        samples=(sample("kitten", "Sitting.", 1 - 3 / 7), sample("kitten", "kitten", 1), sample("ab", "xy", 0)),
    ),
    Rig(
        spec=spec("edit_similarity", normalise=False),
        samples=(sample("ab", "AB", 0), sample("ab", "ab", 1), sample("abcd", "abcD", 0.75)),
    ),
    Rig(
        spec=spec("json_equal"),
        samples=(
            sample('{"a": [1, 2]}', 'Here: {"a": [1.0, 2]}', 1),
            sample('{"a": [1, 2]}', '{"a": [2, 1]}', 0),
            sample("1", "true", 0),
        ),
        texts=JSON,
    ),
    Rig(
        spec=spec("json_equal", alone=True, list_order=False),
        samples=(
            sample('{"a": [1, "1"], "b": 2}', '{"b": 2, "a": ["1", 1.0]}', 1),
            sample('{"a": 1}', 'Here: {"a": 1}', 0),
        ),
        texts=JSON,
    ),
    Rig(
        spec=spec("json_schema"),
        samples=(
            sample(SCHEMA, '```json\n{"n": 1}\n```', 1),
            sample(SCHEMA, '{"n": 0}', 0),
            sample(SCHEMA, '{"n": 1.5}', 0),
            sample(SCHEMA, "{}", 0),
        ),
        is_its_own_best=False,
        texts=JSON,
    ),
    Rig(
        spec=spec("json_schema", schema=SCHEMA, alone=True),
        samples=(sample("", '{"n": 1}', 1), sample("", 'So {"n": 1}', 0)),
        is_its_own_best=False,
        texts=JSON,
    ),
    Rig(
        spec=spec("field_f1"),
        samples=(
            # total and both items are right, the name is missing, a date is made up: 3 of 4 and 3 of 4
            sample(
                '{"total": 12.5, "items": ["pen", "ink"], "name": "Ann"}',
                '{"total": "12.50", "items": ["Ink", "pen"], "date": "2026-01-02"}',
                0.75,
            ),
            sample('{"a": 1, "b": []}', '{"b": [], "a": 1.0}', 1),
            sample('{"id": "007"}', '{"id": "7"}', 0),
        ),
        texts=JSON,
    ),
    Rig(
        spec=spec("field_f1", list_order=True, keep_text=True, alone=True),
        samples=(
            sample('["pen", "ink"]', '["ink", "pen"]', 0),
            sample('["pen", "ink"]', '["pen", "Ink"]', 0.5),
            sample('["pen"]', '["pen"]', 1),
        ),
        texts=JSON,
    ),
    Rig(
        spec=spec("embedding_similarity"),
        # each letter is a word and a part with its ends marked: 2 features of 4 are shared
        samples=(sample("cat", "Cat!", 1), sample("cat", "dog", 0), sample("a b", "a c", 0.5)),
    ),
    Rig(
        spec=spec("embedding_similarity", floor=0.25),
        samples=(sample("cat", "cat", 1), sample("cat", "dog", 0), sample("a b", "a c", 1 / 3)),
    ),
    Rig(
        spec=spec("composite", scorers=("contains", "token_f1"), weights=(1.0, 3.0)),
        # the first is 0 or 1; F1 of 1 word in 1 and 3 is 1/2
        samples=(sample("cat", "the cat sat", 0.625), sample("cat", "cat", 1), sample("cat", "dog", 0)),
    ),
    Rig(
        spec=spec("composite", scorers=(spec("numeric", absolute=0.5), "edit_similarity"), combine="all", bar=0.5),
        samples=(sample("12", "12.4", 1), sample("12", "12.6", 0), sample("12", "it must be 12", 0)),
        texts=st.integers().map(str),
    ),
]


@pytest.fixture(scope="module", params=RIGS, ids=lambda rig: rig.name)
def rig(request: pytest.FixtureRequest) -> Rig:
    found: Rig = request.param
    return found


@pytest.fixture(scope="module")
def make(rig: Rig) -> Callable[[ScorerSpec], Scorer]:
    return rig.make or scorer_for


class TestScorers(ScorerSuite):
    pass


def test_every_scorer_has_a_rig() -> None:
    elsewhere = {"python_tests"}  # it starts processes: tests/integration/test_evaluation_python_tests.py

    assert {rig.spec.name for rig in RIGS} == set(KINDS) - elsewhere
