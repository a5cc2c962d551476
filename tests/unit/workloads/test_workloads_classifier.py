"""From a request to its workload: header, then model name, then rules in order; and its sensitivity."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import Api, Sensitivity
from trimtab.core.errors import ConfigurationError, InvalidRequest
from trimtab.core.messages import WireRequest
from trimtab.workloads import (
    UNCLASSIFIED,
    CallHints,
    Classification,
    Classifier,
    MatchRule,
    WorkloadConfig,
    detect_identifiers,
    fingerprint,
)

MAIL = "You write replies to customers of a web shop. Be polite."


def request(text: str = "Where is my parcel?", system: str = MAIL, **fields: Any) -> WireRequest:  # Any: JSON values
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return WireRequest(Api.CHAT_COMPLETIONS, json.dumps({"model": "auto", "messages": messages, **fields}).encode())


def hints(app: str = "shop", policy: int | None = 1, **known: Any) -> CallHints:  # Any: by name
    return CallHints(app=app, policy_sensitivity=lambda workload: policy, **known)


def classify(*configs: WorkloadConfig, call: WireRequest | None = None, **known: Any) -> Classification:
    return Classifier(configs).classify(call or request(), hints(**known))


def workload(name: str, *rules: MatchRule, **facts: Any) -> WorkloadConfig:
    return WorkloadConfig(name=name, match=rules, **facts)


EVERY_CALL = MatchRule(app="*")


def test_the_header_wins_over_the_models_name_and_that_over_rules() -> None:
    by_rule = workload("by-rule", EVERY_CALL)
    named = request(model="workload/by-model")

    assert classify(by_rule, call=named, workload="by-header").workload == "by-header"
    assert classify(by_rule, call=named).workload == "by-model"
    assert classify(by_rule).workload == "by-rule"
    assert classify().workload == UNCLASSIFIED


def test_the_first_workload_with_a_fitting_rule_takes_the_call() -> None:
    never, first, second = (
        workload("never", MatchRule(app="bank")),
        workload("first", MatchRule(app="bank"), EVERY_CALL),
        workload("second", EVERY_CALL),
    )

    found = classify(never, first, second)

    assert found.workload == "first"
    assert found.reasons[0] == "Rule first.match[1] fits."


RULES: list[tuple[MatchRule, dict[str, Any], dict[str, Any]]] = [
    (MatchRule(app="sh*"), {}, {"app": "bank"}),
    (MatchRule(api=Api.CHAT_COMPLETIONS), {}, {"api": Api.MESSAGES}),
    (MatchRule(requested_model="gpt-*"), {"model": "gpt-x"}, {"model": "claude"}),
    (MatchRule(system_fingerprint=fingerprint(MAIL)), {}, {"system": "You are a pirate."}),
    (MatchRule(system_prefix="You write"), {"system": "\n  You write"}, {"system": "Do you write"}),
    (MatchRule(system_regex=r"web\s+shop"), {}, {"system": "none"}),
    (MatchRule(task_types=("code", "math")), {"text": "Solve for x: the equation 2x = 4"}, {"text": "Hello there"}),
    (MatchRule(has_tools=True), {"tools": [{}]}, {}),
    (MatchRule(has_tools=False), {}, {"tools": [{}]}),
    (MatchRule(json_mode=True), {"response_format": {"type": "json_object"}}, {}),
    (MatchRule(json_mode=False), {}, {"response_format": {"type": "json_schema"}}),
    (MatchRule(min_input_tokens=256), {"text": "x" * 1_000}, {}),
    (MatchRule(max_input_tokens=64), {"system": ""}, {"text": "x" * 1_000}),
]


@pytest.mark.parametrize(("rule", "fitting", "other"), RULES)
def test_each_condition_takes_what_fits_and_leaves_the_rest(
    rule: MatchRule, fitting: dict[str, Any], other: dict[str, Any]
) -> None:
    assert taken_by(rule, **fitting)
    assert not taken_by(rule, **other)


def taken_by(rule: MatchRule, *, app: str = "shop", api: Api = Api.CHAT_COMPLETIONS, **fields: Any) -> bool:
    read = request(**fields)
    call = WireRequest(api, read.body)
    return Classifier([workload("it", rule)]).classify(call, hints(app=app)).workload == "it"


def test_all_conditions_of_a_rule_must_hold() -> None:
    both = MatchRule(app="shop", has_tools=True)

    assert taken_by(both, tools=[{}])
    assert not taken_by(both)
    assert not taken_by(both, app="bank", tools=[{}])


def test_an_unclassified_call_says_by_what_it_could_be_caught() -> None:
    found = classify()

    assert f"`system_fingerprint: {fingerprint(MAIL)}`" in found.reasons[0]
    again = workload("mail", MatchRule(system_fingerprint=fingerprint(MAIL)))
    assert classify(again).workload == "mail"
    assert "no system prompt" in classify(call=request(system="")).reasons[0]


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "a" * 65, "ä", "a\n", "a\r\nb"])
def test_a_name_that_is_none_is_refused_without_repeating_it(name: str) -> None:
    for known, call, param in (
        ({"workload": name}, request(), "x-trimtab-workload"),
        ({}, request(model=f"workload/{name}"), "model"),
    ):
        with pytest.raises(InvalidRequest, match="not a valid name") as refused:
            classify(call=call, **known)
        assert refused.value.param == param


def test_two_workloads_of_one_name_are_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="'mail' is configured twice"):
        Classifier([workload("mail"), workload("mail")])


def test_what_a_workload_declares_holds_over_what_is_recognised() -> None:
    declared = workload("mail", EVERY_CALL, task_type="summarisation", workload_class="reasoning")

    found = classify(declared, call=request("Fix the bug in this Python function"))

    assert (found.task_type, found.workload_class) == ("summarisation", "reasoning")
    assert "as the workload is configured" in found.reasons[1]


@pytest.mark.parametrize(
    ("text", "task_type", "workload_class"),
    [
        ("Translate this into German: hello", "translation", "routine"),
        ("Write a Python function that sorts a list", "code", "reasoning"),
        ("Well", "unknown", "unknown"),
    ],
)
def test_the_class_follows_from_the_task_type_where_nobody_declares_it(
    text: str, task_type: str, workload_class: str
) -> None:
    found = classify(call=request(text, system=""))

    assert (found.task_type, found.workload_class) == (task_type, workload_class)


LEVELS = st.none() | st.sampled_from([int(level) for level in Sensitivity])
LABELS = st.none() | st.sampled_from([level.label for level in Sensitivity])


@given(LEVELS, LEVELS, LEVELS, LABELS)
def test_s23_the_strictest_of_all_labels_holds_and_without_any_the_strictest_there_is(
    call: int | None, app: int | None, policy: int | None, config: str | None
) -> None:
    mail = workload("mail", EVERY_CALL, sensitivity=config)

    found = classify(mail, sensitivity=call, app_sensitivity=app, policy=policy)

    given_levels = [level for level in (call, app, policy) if level is not None]
    given_levels += [] if config is None else [Sensitivity[config.upper()]]
    assert found.sensitivity == max(given_levels, default=Sensitivity.RESTRICTED)


@given(LEVELS, st.sampled_from(["", "sk-proj-4fjK29dkfLs93kdLwP01", "4111 1111 1111 1111", "a@b.example"]))
def test_s23_content_only_raises_the_level(level: int | None, content: str) -> None:
    without = classify(call=request(), policy=level)
    found = classify(call=request(f"Look: {content}"), policy=level)

    assert found.sensitivity >= without.sensitivity


def test_the_reason_names_the_kind_of_content_and_never_the_content() -> None:
    found = classify(call=request("card 4111 1111 1111 1111"), policy=0)

    assert found.sensitivity == Sensitivity.CONFIDENTIAL
    assert found.reasons[2] == "Sensitivity confidential: the content holds card; the policy's label was public."
    assert not any(detect_identifiers(reason) for reason in found.reasons)


def test_the_policy_is_asked_for_the_workload_that_was_found() -> None:
    asked = []

    def label(name: str) -> int:
        asked.append(name)
        return 2

    found = Classifier([workload("mail", EVERY_CALL)]).classify(
        request(), CallHints(app="shop", policy_sensitivity=label)
    )

    assert (asked, found.sensitivity) == (["mail"], Sensitivity.CONFIDENTIAL)


@pytest.mark.parametrize("api", list(Api))
def test_each_wire_form_is_classified(api: Api) -> None:
    body = {"model": "auto", "input": "x", "messages": [{"role": "user", "content": "x"}], "system": MAIL}

    found = Classifier().classify(WireRequest(api, json.dumps(body).encode()), hints())

    assert (found.task_type == "embedding") == (api is Api.EMBEDDINGS)
    assert found.shape.n_messages == (0 if api is Api.EMBEDDINGS else 1)


def test_a_pattern_that_explodes_elsewhere_is_linear_here() -> None:
    rule = MatchRule(system_regex=r"(a+)+$")

    assert not taken_by(rule, system="a" * 50_000 + "b")
