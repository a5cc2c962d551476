"""Lint finds what the author cannot have meant, and leaves the rest alone."""

from collections.abc import Callable
from datetime import date

import pytest

from trimtab.catalog.cards import Pool
from trimtab.core.errors import PolicyInvalid
from trimtab.policy import Finding, Policy, check_references, lint_policy, load_policy, run_policy_tests, starter_policy

ReadPolicy = Callable[[str], Policy]
TODAY = date(2026, 6, 1)


def findings(policy: Policy, pool: Pool | None = None) -> list[tuple[str, str, bool]]:
    return [(found.code, found.where, found.is_error) for found in lint_policy(policy, pool, today=TODAY)]


def rules(
    *whens: str, then: tuple[str, ...] = ("{mode: eco}", "{mode: fixed}"), priorities: tuple[int, ...] = (0, 0)
) -> str:
    lines = ["rules:"]
    for index, when in enumerate(whens):
        lines.append(f"  - {{id: r{index}, priority: {priorities[index]}, when: {when}, then: {then[index]}}}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "when",
    [
        "{all: [{app: a}, {app: b}]}",
        "{app: {eq: a, ne: a}}",
        "{app: {in: [a, b], not_in: [a, b]}}",
        "{app: {prefix: ab, eq: ba}}",
        "{all: [{app: {prefix: ab}}, {app: {prefix: ba}}]}",
        "{all: [{app: {suffix: xa}}, {app: {suffix: yb}}]}",
        "{input_tokens: {gt: 7, lt: 8}}",
        "{input_tokens: {lt: 0}}",
        "{is_stream: {eq: true, ne: true}}",
        "{sensitivity: {gt: restricted}}",
        "{api: smoke_signals}",
        "{requested_mode: turbo}",
        "{max_output_tokens: {exists: false, gt: 1}}",
        "{app: {exists: false}}",
        "{not: {any: [{app: a}, {app: {ne: a}}]}}",
        "{any: [{n_tools: {gt: 3, lt: 2}}, {all: [{app: a}, {app: b}]}]}",
    ],
)
def test_s26_an_unreachable_rule_is_an_error(policy: ReadPolicy, when: str) -> None:
    assert findings(policy(rules(when))) == [("unreachable-rule", "policy.yaml:3", True)]


@pytest.mark.parametrize(
    "when",
    [
        "{app: {prefix: ab, contains: x, suffix: ba}}",
        "{all: [{app: {prefix: a}}, {app: {prefix: ab}}, {app: {ne: ab}}]}",
        "{app: {matches: '^a+$', ne: a}}",
        "{input_tokens: {gt: 6, lt: 8}}",
        "{api: messages, requested_mode: eco, json_mode: json_schema}",
        "{not: {max_output_tokens: {gt: 1}}}",
        '"n_tools > 1 && n_tools < 1"',
    ],
)
def test_a_reachable_rule_is_left_alone(policy: ReadPolicy, when: str) -> None:
    assert findings(policy(rules(when))) == []


def test_s26_overlapping_rules_need_a_precedence(policy: ReadPolicy) -> None:
    overlap = rules("{app: a}", "{n_tools: {gt: 0}}")
    stated = rules("{app: a}", "{n_tools: {gt: 0}}", priorities=(0, 1))
    disjoint = rules("{app: a}", "{app: b, n_tools: {gt: 0}}")
    agreeing = rules("{app: a}", "{n_tools: {gt: 0}}", then=("{mode: eco}", "{mode: eco}"))
    folding = rules("{app: a}", "{n_tools: {gt: 0}}", then=("{models: {deny: [x]}}", "{models: {deny: [y]}}"))
    opaque = rules("{app: a}", '"n_tools > 0"')

    assert findings(policy(overlap)) == [("overlapping-rules", "policy.yaml:4", True)]
    assert findings(policy(opaque)) == [("overlapping-rules", "policy.yaml:4", True)]
    assert findings(policy(stated)) == findings(policy(disjoint)) == findings(policy(agreeing)) == []
    assert findings(policy(folding)) == []


def test_two_pins_for_one_call_are_an_error_whatever_the_priority(policy: ReadPolicy) -> None:
    pins = ("{pin: {model: a, review_at: 2027-01-01}}", "{pin: {model: b, review_at: 2027-01-01}}")
    found = lint_policy(policy(rules("{app: a}", "{n_tools: 1}", then=pins, priorities=(0, 9))), None, today=TODAY)

    assert [finding.code for finding in found] == ["overlapping-rules"]
    assert "which leaves none" in found[0].message


def test_a_pin_past_its_review_date_is_advice(policy: ReadPolicy) -> None:
    text = "workloads:\n  w:\n    pin:\n      model: openai:mini\n      review_at: 2026-05-30\n"
    found = lint_policy(policy(text), None, today=TODAY)

    assert found == [
        Finding(
            code="pin-overdue",
            where="policy.yaml:6",
            message="The pin on openai:mini was due for review on 2026-05-30, 2 days ago.",
            is_error=False,
            hint="It still holds. Review it, then move `review_at` or remove the pin.",
        )
    ]
    assert lint_policy(policy(text.replace("05-30", "06-01")), None, today=TODAY) == []


def test_an_unknown_model_is_an_error_with_the_closest_name(policy: ReadPolicy, pool: Pool) -> None:
    text = "organisation:\n  models:\n    allow: [openai:large, openai:minni]\n"
    found = lint_policy(policy(text), pool, today=TODAY)

    assert found[0].code == "unknown-model"
    assert found[0].where == "policy.yaml:4"
    assert found[0].message == "Policy 'test' names model 'openai:minni', which no provider serves."
    assert found[0].hint == "Closest match: 'openai:mini'. `trimtab models list` shows all 5."
    with pytest.raises(PolicyInvalid, match=r"^policy\.yaml:4: Policy 'test' names model 'openai:minni'"):
        check_references(policy(text), pool)


def test_denying_a_model_not_served_and_globs_without_match_are_advice(policy: ReadPolicy, pool: Pool) -> None:
    text = 'organisation: {models: {allow: ["*", "vllm:*"], deny: [openai:future]}}'

    assert findings(policy(text), pool) == [
        ("unknown-model", "policy.yaml:2", False),
        ("unknown-model", "policy.yaml:2", False),
    ]
    check_references(policy(text), pool)


def test_a_pin_that_means_two_models_is_an_error(policy: ReadPolicy, pool: Pool) -> None:
    text = "organisation: {pin: {model: large, review_at: 2027-01-01}}"

    assert findings(policy(text), pool) == [("ambiguous-pin", "policy.yaml:2", True)]


@pytest.mark.parametrize(("allow", "is_one_tier"), [("[cheap]", True), ("[large]", True), ('["openai:*"]', False)])
def test_a_list_with_one_tier_only_is_advice(policy: ReadPolicy, pool: Pool, allow: str, is_one_tier: bool) -> None:
    text = f"organisation:\n  models:\n    allow: {allow}\n"

    assert findings(policy(text), pool) == ([("one-tier-list", "policy.yaml:4", False)] if is_one_tier else [])


@pytest.mark.parametrize("which", ["all", "none", "inside", "outside"])
def test_the_starter_policy_is_clean_and_passes_its_own_tests(pool: Pool, which: str) -> None:
    cards = [card for card in pool if which in ("all", card.boundary)]
    small_pool = Pool.of(cards)
    policy = load_policy(starter_policy(small_pool, name="mine"), origin="policy.yaml")
    outcomes = run_policy_tests(policy, small_pool)

    assert policy.name == "mine"
    assert lint_policy(policy, small_pool, today=TODAY) == []
    assert [outcome.message for outcome in outcomes] == ["", ""]


EXAMPLES = """
apps: {shop: {sensitivity: internal}}
organisation: {models: {deny: [openai:large]}, store: metadata}
rules: [{id: code, when: {task_type: code}, then: {models: {allow: [large]}, mode: capability}}]
tests:
  - {name: right, facts: {app: shop, task_type: code}, expect: {rule: [code, organisation], allowed: [anthropic:large]}}
  - {name: unlabelled, facts: {}, expect: {sensitivity: restricted, model_denied: "openai:*", model_allowed: small}}
  - {name: wrong mode, facts: {app: shop}, expect: {mode: capability, store: full}}
  - {name: wrong model, facts: {app: shop}, expect: {model_allowed: openai:large}}
  - {name: wrong name, facts: {app: shop}, expect: {model_allowed: openai:larg}}
  - {name: too open, facts: {app: shop}, expect: {model_denied: cheap, refused: true}}
  - {name: wrong rule, facts: {app: shop}, expect: {rule: code}}
  - {name: wrong set, facts: {app: shop, task_type: code}, expect: {allowed: [cheap]}}
"""


def test_examples_in_the_file_say_what_came_out_otherwise(policy: ReadPolicy, pool: Pool) -> None:
    outcomes = run_policy_tests(policy(EXAMPLES), pool)

    assert {outcome.name: outcome.message for outcome in outcomes} == {
        "right": "",
        "unlabelled": "",
        "wrong mode": "mode is auto, expected capability. store is metadata, expected full.",
        "wrong model": "openai:large is not allowed: openai:large is denied, by organisation.",
        "wrong name": "openai:larg is not in the pool; closest is openai:large.",
        "too open": "openai:mini is allowed and should not be. "
        "The call is allowed openai:mini, anthropic:large, local:small, local:tuned.",
        "wrong rule": "Rule code did not apply; app:shop, organisation did (task_type eq code (was unknown)).",
        "wrong set": "Allowed are anthropic:large, expected openai:mini.",
    }
    assert [outcome.passed for outcome in outcomes] == [True, True, *[False] * 6]
    assert outcomes[0].where == "policy.yaml:7"
