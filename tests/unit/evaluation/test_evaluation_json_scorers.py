"""JSON in answers: where it is found, what is equal, what is valid, and which fields are right."""

import json
import time
from decimal import Decimal

import pytest
from tests.support.scorer_suite import graded

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case, Score, ScorerSpec, scorer_for, user_prompt
from trimtab.evaluation.case import ScorerOption
from trimtab.evaluation.scoring.json_values import Found, find_json


def score(name: str, expected: str, answer: str, **options: ScorerOption) -> Score:
    case = Case(case_id="a", messages=user_prompt("?"), expected=expected, stratum="routine")
    return graded(scorer_for(ScorerSpec(name=name, options=options)), case, answer)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("null", None),
        ('  {"a": 1.50} ', {"a": Decimal("1.5")}),
        ('First\n```\n{"a": 1}\n```\nBetter:\n```json\n[2]\n```\n', [Decimal(2)]),  # the last block
        ('As [1] says, {"a": [true]} is it.', {"a": [True]}),  # the longest
    ],
)
def test_json_is_found_where_models_put_it(answer: str, value: object) -> None:
    assert find_json(answer, alone=False) == Found(value)  # type: ignore[arg-type]  # a plain value of each test


@pytest.mark.parametrize("answer", ["", "1 or 2", "{a: 1}", '{"a": NaN}', "[Infinity]", "[1e99999999999999999999]"])
def test_what_is_no_json_is_not_found(answer: str) -> None:
    assert find_json(answer, alone=False) is None


@pytest.mark.parametrize("answer", ["[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 50_000, "{" * 100_000])
def test_deep_and_open_brackets_cost_little_and_are_no_json(answer: str) -> None:
    started = time.monotonic()

    assert score("json_equal", "[]", answer).value == 0
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("expected", "answer", "why"),
    [
        ('{"a": 1}', '{"b": 1}', "$.a is missing"),
        ('{"a": 1}', '{"a": 1, "b": 1}', "$.b is too much"),
        ('{"a": [1, 2]}', '{"a": [1]}', "$.a has 1 elements instead of 2"),
        ('{"a": [1, {"b": "x"}]}', '{"a": [1, {"b": "y"}]}', "$.a[1].b is another value"),
        ("1", '"1"', "$ is another value"),
        ("0", "false", "$ is another value"),
        ("[]", "{}", "$ is another value"),
    ],
)
def test_the_first_difference_is_named(expected: str, answer: str, why: str) -> None:
    assert score("json_equal", expected, answer) == Score(value=0.0, why=why)


def test_numbers_are_exact() -> None:
    assert score("json_equal", "0.1", "0.10").value == 1
    assert score("json_equal", "9007199254740993", "9007199254740992").value == 0  # equal as binary fractions


def test_an_invalid_answer_says_where() -> None:
    schema = '{"properties": {"n": {"maximum": 3}}}'

    assert score("json_schema", schema, '{"n": 4}').why == "$.n: 4 is greater than the maximum of 3"


@pytest.mark.parametrize("schema", ['{"type": "nonsense"}', "3", "{"])
def test_what_is_no_schema_grades_nothing_and_is_refused_as_an_option(schema: str) -> None:
    assert score("json_schema", schema, "{}").value is None
    with pytest.raises(ConfigurationError, match="cannot use its option 'schema'"):
        scorer_for(ScorerSpec(name="json_schema", options={"schema": schema}))


def test_a_schema_elsewhere_is_not_fetched() -> None:
    found = score("json_schema", '{"$ref": "http://127.0.0.1:9/schema.json"}', "{}")

    assert found == Score(value=None, why="the schema cannot be checked: _WrappedReferencingError")


def test_references_within_the_schema_are_followed() -> None:
    schema = '{"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}'

    assert score("json_schema", schema, "[1, 2]").value == 1
    assert score("json_schema", schema, '[1, "2"]').value == 0


def test_patterns_are_checked_in_linear_time() -> None:
    schema = json.dumps({"pattern": "^(a+)+$", "type": "string"})
    keys = json.dumps({"patternProperties": {"^(a+)+$": {"type": "integer"}}})
    started = time.monotonic()

    assert score("json_schema", schema, json.dumps("a" * 5_000 + "b")).value == 0
    assert score("json_schema", schema, json.dumps("aaa")).value == 1
    assert score("json_schema", keys, json.dumps({"a" * 5_000 + "b": ""})).value == 1
    assert score("json_schema", keys, json.dumps({"aaa": ""})).value == 0
    assert time.monotonic() - started < 10


def test_a_pattern_that_re2_cannot_read_grades_nothing() -> None:
    assert score("json_schema", '{"pattern": "(?=a)"}', '"a"').value is None


def test_fields_say_what_was_right() -> None:
    found = score("field_f1", '{"a": 1, "b": {"c": null, "d": []}}', '{"a": 1, "b": {"c": null}, "e": 2}')

    # a and b.c of 3 given and 3 expected
    assert found == Score(value=2 / 3, why="2 right of 3 given and 3 expected")


def test_a_repeated_field_counts_once_for_each_time_it_is_expected() -> None:
    assert score("field_f1", '["x"]', '["x", "x", "x"]').value == 0.5  # 1 of 3 and 1 of 1


def test_a_long_list_is_compared_in_little_time() -> None:
    expected = json.dumps([str(number) for number in range(20_000)])
    answer = json.dumps(list(range(20_000)))
    started = time.monotonic()

    assert score("field_f1", expected, answer).value == 1
    assert time.monotonic() - started < 10
