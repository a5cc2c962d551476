"""What a condition means, and what its trace says."""

import time
from collections.abc import Callable

import pytest

from trimtab.policy import Constraints, Facts, Policy, RuleTrace
from trimtab.policy.fields import FIELDS

Resolve = Callable[..., Constraints]


def rule(when: str) -> str:
    return f"rules:\n  - id: r\n    when: {when}\n    then: {{mode: eco}}\n"


def test_the_registry_is_exactly_the_fields_of_facts() -> None:
    assert tuple(FIELDS) == Facts.__struct_fields__
    assert FIELDS["sensitivity"].kind == "level"
    assert FIELDS["max_output_tokens"].is_nullable
    assert not FIELDS["app"].is_nullable


@pytest.mark.parametrize(
    ("when", "facts", "holds"),
    [
        ("{app: shop}", {"app": "shop"}, True),
        ("{app: [shop, blog]}", {"app": "blog"}, True),
        ("{app: {ne: shop}}", {"app": "shop"}, False),
        ("{app: {not_in: [shop]}}", {"app": "blog"}, True),
        ("{app: {prefix: web-, suffix: -eu, contains: shop}}", {"app": "web-shop-eu"}, True),
        ("{app: {prefix: web-, suffix: -eu}}", {"app": "web-shop-us"}, False),
        ("{app: {matches: 'sh[aeiou]p'}}", {"app": "my-shop-1"}, True),
        ("{app: {matches: '^sh[aeiou]p$'}}", {"app": "my-shop-1"}, False),
        ("{input_tokens: {gt: 8, le: 16}}", {"input_tokens": 16}, True),
        ("{input_tokens: {gt: 8, le: 16}}", {"input_tokens": 8}, False),
        ("{input_tokens: {ge: 8, lt: 16}}", {"input_tokens": 8}, True),
        ("{n_images: 0}", {}, True),
        ("{is_stream: true}", {"is_stream": True}, True),
        ("{is_stream: {ne: true}}", {"is_stream": True}, False),
        ("{sensitivity: {ge: confidential}}", {"sensitivity": 2}, True),
        ("{sensitivity: {lt: confidential}}", {"sensitivity": 2}, False),
        ("{sensitivity: [public, internal]}", {"sensitivity": 1}, True),
        ("{max_output_tokens: {exists: true}}", {}, False),
        ("{max_output_tokens: {exists: false}}", {}, True),
        ("{max_output_tokens: {lt: 100}}", {}, False),
        ("{max_output_tokens: {ne: 100}}", {}, True),
        ("{json_mode: {prefix: json}}", {}, False),
        ("{app: shop, n_tools: {gt: 0}}", {"app": "shop"}, False),
        ("{any: [{app: shop}, {n_tools: {gt: 0}}]}", {"app": "shop"}, True),
        ("{any: [{app: shop}, {n_tools: {gt: 0}}]}", {}, False),
        ("{all: [{app: shop}, {not: {n_tools: {gt: 0}}}]}", {"app": "shop"}, True),
        ("{not: {app: shop, n_tools: 0}}", {"app": "shop"}, False),
        ('"n_tools * 2 + n_images > 3"', {"n_tools": 1, "n_images": 2}, True),
        ("\"sensitivity >= CONFIDENTIAL && app == 'shop'\"", {"app": "shop", "sensitivity": 1}, False),
        ('"max_output_tokens != null && max_output_tokens < 10"', {"max_output_tokens": 9}, True),
    ],
)
def test_a_condition_holds_where_it_should(resolve: Resolve, when: str, facts: dict[str, object], holds: bool) -> None:
    constraints = resolve(rule(when), **facts)

    assert constraints.trace[0].matched is holds
    assert ("r" in constraints.rule_ids) is holds


@pytest.mark.parametrize(
    ("when", "facts", "trace"),
    [
        (
            "{task_type: code, input_tokens: {ge: 1000}}",
            {"task_type": "chat"},
            RuleTrace(rule_id="r", matched=False, leaf="task_type eq code (was chat)"),
        ),
        (
            "{task_type: code, input_tokens: {ge: 1000}}",
            {"task_type": "code", "input_tokens": 1024},
            RuleTrace(rule_id="r", matched=True, leaf="task_type eq code and input_tokens ge 1000"),
        ),
        (
            "{any: [{sensitivity: {ge: confidential}}, {json_mode: {exists: true}}]}",
            {},
            RuleTrace(
                rule_id="r",
                matched=False,
                leaf="sensitivity ge confidential (was internal) and json_mode exists true (was absent)",
            ),
        ),
        (
            "{not: {app: [a, b]}}",
            {"app": "a"},
            RuleTrace(rule_id="r", matched=False, leaf="not app in [a, b]"),
        ),
    ],
)
def test_the_trace_names_the_leaf_that_decided(
    resolve: Resolve, when: str, facts: dict[str, object], trace: RuleTrace
) -> None:
    assert resolve(rule(when), **facts).trace == (trace,)


def test_a_cel_rule_that_fails_on_a_call_applies_because_it_can_only_narrow(resolve: Resolve) -> None:
    constraints = resolve(rule('"100 / (1 - n_tools) > 1000"'), n_tools=1)

    assert constraints.trace[0].matched
    assert "failed (" in constraints.trace[0].leaf
    assert "counts as a match" in constraints.trace[0].leaf


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_attack_12_patterns_that_explode_elsewhere_stay_fast(policy: Callable[[str], Policy], pattern: str) -> None:
    rule_in_place = policy(rule(f"{{app: {{matches: '{pattern}'}}}}")).compiled.rules[0]
    facts = Facts(app="a" * 5000 + "!")

    started_s = time.perf_counter()
    rule_in_place.test(facts)

    # A backtracking engine needs hours for the first of them; RE2 took under 10 ms each.
    assert time.perf_counter() - started_s < 1.0
