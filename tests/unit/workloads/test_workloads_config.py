"""Workloads as configured: what is accepted, and what the message says about the rest."""

from typing import Any

import pytest
from pydantic import ValidationError

from trimtab.core import Sensitivity
from trimtab.workloads import MatchRule, WorkloadConfig

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": "Mail"}, "name", "pattern"),
    ({"name": "unclassified"}, "name", "the name for calls that no workload takes"),
    ({"name": "a", "sensitivity": "secret"}, "sensitivity", "'secret' is not one of public, internal, confidential"),
    ({"name": "a", "task_type": "poetry"}, "task_type", "'chat'"),
    ({"name": "a", "workload_class": "easy"}, "workload_class", "'routine'"),
    ({"name": "a", "colour": "red"}, "colour", "Extra inputs are not permitted"),
    ({"name": "a", "match": [{}]}, "match.0", 'write `app: "*"`'),
    ({"name": "a", "match": [{"system_regex": "(?<=x)y"}]}, "match.0.system_regex", "not an RE2 pattern"),
    ({"name": "a", "match": [{"system_regex": "(" * 3}]}, "match.0.system_regex", "not an RE2 pattern"),
    ({"name": "a", "match": [{"system_fingerprint": "xyz"}]}, "match.0.system_fingerprint", "pattern"),
    ({"name": "a", "match": [{"apps": "x"}]}, "match.0.apps", "Extra inputs are not permitted"),
    ({"name": "a", "match": [{"max_input_tokens": 0}]}, "match.0.max_input_tokens", "greater than or equal to 1"),
    ({"name": "a", "match": [{"system_prefix": ""}]}, "match.0.system_prefix", "at least 1 character"),
]


@pytest.mark.parametrize(("given", "place", "word"), WRONG)
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(
    given: dict[str, Any], place: str, word: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        WorkloadConfig.model_validate(given)

    (error,) = refused.value.errors()
    assert ".".join(str(part) for part in error["loc"]) == place
    assert word in error["msg"]


def test_a_pattern_that_is_refused_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValidationError):
        MatchRule(system_regex="(")

    assert capfd.readouterr().err == ""


def test_a_label_is_read_in_any_case_and_kept_in_one() -> None:
    config = WorkloadConfig(name="a", sensitivity=" Confidential ")

    assert (config.sensitivity, config.sensitivity_level) == ("confidential", Sensitivity.CONFIDENTIAL)
    assert WorkloadConfig(name="a").sensitivity_level is None


def test_a_rule_that_says_false_or_nought_has_a_condition() -> None:
    assert MatchRule(has_tools=False).has_tools is False
    assert MatchRule(min_input_tokens=0).min_input_tokens == 0
