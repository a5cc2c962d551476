"""What holds for every policy and every call, tried on thousands of random ones."""

import random
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.catalog.cards import ModelCard, Pool
from trimtab.policy import Facts, Mode, Policy, policy_from_canonical

ReadPolicy = Callable[[str], Policy]
MODES = get_args(Mode)

CARDS = [
    ModelCard(
        provider=provider,
        model=model,
        boundary="inside" if provider == "local" else "outside",
        region=region,
        is_approved=is_approved,
        capabilities=frozenset({"chat", "tools"}) if is_approved else frozenset({"chat"}),
    )
    for provider in ("openai", "anthropic", "local")
    for model, region, is_approved in (("small", "eu", True), ("large", "us", False), ("tuned", None, True))
]
POOL = Pool.of(CARDS, aliases={"cheap": "openai:small"})

PATTERNS = st.sampled_from(
    ["*", "openai:*", "local:*", "small", "large", "*:tuned", "cheap", "anthropic:large", "no:one"]
)
LISTS = st.lists(PATTERNS, min_size=1, max_size=3)
LABELS = st.sampled_from(["public", "internal", "confidential", "restricted"])


def parts(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with some of the keys and at least one. ``Any``: the values of a policy file."""
    return st.fixed_dictionaries({}, optional=options).filter(bool)


TERMS = parts(
    models=parts(allow=LISTS, deny=LISTS),
    require=parts(
        boundary=st.just("inside"),
        regions=st.lists(st.sampled_from(["eu", "us"]), min_size=1),
        capabilities=st.just(["tools"]),
        approved=st.just(True),
    ),
    sensitivity=LABELS,
    mode=st.sampled_from(MODES),
    prefer=LISTS,
    pin=st.fixed_dictionaries({"model": PATTERNS, "review_at": st.just("2030-01-01")}),
    requested_model=st.sampled_from(["narrows", "hint"]),
)
LEAVES = parts(
    app=st.sampled_from(["a", "b"]),
    task_type=st.fixed_dictionaries({"ne": st.just("code")}),
    sensitivity=st.one_of(LABELS, st.fixed_dictionaries({"lt": LABELS}), st.fixed_dictionaries({"ge": LABELS})),
    n_tools=st.fixed_dictionaries({"gt": st.integers(0, 2)}),
)
CONDITIONS = st.one_of(
    LEAVES,
    st.fixed_dictionaries({"any": st.lists(LEAVES, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"not": LEAVES}),
)
RULES = st.lists(
    st.fixed_dictionaries({"when": CONDITIONS, "then": TERMS}, optional={"priority": st.integers(-2, 2)}), max_size=4
)
FACTS = st.builds(
    Facts,
    app=st.sampled_from(["a", "b", "c"]),
    workload=st.sampled_from(["w", "x"]),
    task_type=st.sampled_from(["code", "chat"]),
    sensitivity=st.integers(0, 3),
    requested_model=st.sampled_from(["auto", "openai:small", "local:large"]),
    requested_mode=st.one_of(st.none(), st.sampled_from(MODES)),
    n_tools=st.integers(0, 3),
)


def policy_of(document: dict[str, Any]) -> Policy:
    rules = [{"id": f"r{index}"} | rule for index, rule in enumerate(document.get("rules", []))]
    return policy_from_canonical(msgspec.json.encode({"policy": "p"} | document | {"rules": rules}))


SCOPES = st.fixed_dictionaries(
    {"rules": RULES},
    optional={
        "organisation": TERMS,
        "apps": st.dictionaries(st.sampled_from(["a", "b"]), TERMS, max_size=2),
        "workloads": st.dictionaries(st.just("w"), TERMS, max_size=1),
    },
)


@given(
    document=SCOPES,
    terms=TERMS,
    when=CONDITIONS,
    where=st.sampled_from(["organisation", "apps", "workloads", "rules"]),
    facts=FACTS,
)
@settings(max_examples=400, deadline=None)
def test_adding_a_scope_never_widens_what_is_allowed(
    document: dict[str, Any], terms: dict[str, Any], when: dict[str, Any], where: str, facts: Facts
) -> None:
    # How a model named in the call counts is the call's own narrowing, not the policy's frame; see the next test.
    open_call = msgspec.structs.replace(facts, requested_model="auto")
    without = {key: value for key, value in document.items() if key != where or key == "rules"}
    added: dict[str, Any] = {
        "organisation": terms,
        "apps": {facts.app: terms},
        "workloads": {facts.workload: terms},
        "rules": [*document["rules"], {"when": when, "then": terms}],
    }

    before = policy_of(without).resolve(open_call, POOL)
    after = policy_of(without | {where: added[where]}).resolve(open_call, POOL)

    assert set(after.allowed) <= set(before.allowed)
    assert after.sensitivity >= before.sensitivity
    assert before.mode != "regulated" or after.mode == "regulated"


@given(document=SCOPES, facts=FACTS)
@settings(max_examples=300, deadline=None)
def test_a_call_only_narrows_what_the_policy_allows(document: dict[str, Any], facts: Facts) -> None:
    policy = policy_of(document)
    frame = policy.resolve(msgspec.structs.replace(facts, requested_model="auto", requested_mode=None), POOL)

    assert set(policy.resolve(facts, POOL).allowed) <= set(frame.allowed)


@given(document=SCOPES, facts=FACTS)
@settings(max_examples=300, deadline=None)
def test_everybody_is_allowed_or_removed_with_rule_and_reason(document: dict[str, Any], facts: Facts) -> None:
    constraints = policy_of(document).resolve(facts, POOL)
    removed = [removal.model for removal in constraints.removed]

    assert sorted([*constraints.allowed, *removed]) == sorted(POOL.cards)
    assert all(removal.rule_id and removal.reason.endswith(".") for removal in constraints.removed)
    assert {removal.rule_id for removal in constraints.removed} <= set(constraints.rule_ids)
    assert constraints.rule_ids
    assert set(constraints.prefer) <= set(constraints.allowed)


@given(document=SCOPES, facts=FACTS)
@settings(max_examples=200, deadline=None)
def test_deny_wins(document: dict[str, Any], facts: Facts) -> None:
    deny: dict[str, Any] = {"models": {"deny": ["openai:*", "small"]}}
    constraints = policy_of(document | {"organisation": deny}).resolve(facts, POOL)

    assert not [name for name in constraints.allowed if name.startswith("openai:") or name.endswith(":small")]


@given(document=SCOPES, facts=FACTS)
@settings(max_examples=100, deadline=None)
def test_resolve_is_pure_and_survives_a_round_trip(document: dict[str, Any], facts: Facts) -> None:
    policy = policy_of(document)
    again = policy_from_canonical(policy.canonical_json)
    other_pool = Pool.of(reversed(CARDS))

    first = policy.resolve(facts, POOL)
    policy.resolve(facts, other_pool)

    assert policy.resolve(facts, POOL) == first == again.resolve(facts, POOL)
    assert again.version == policy.version


S23_POLICY = """
organisation: {prefer: ["openai:*"], models: {allow: ["*"]}, requested_model: hint}
workloads:
  pinned-outside: {pin: {model: openai:small, review_at: 2030-01-01}}
  outside-only: {models: {allow: ["openai:*", "anthropic:*"]}}
  pinned-inside: {pin: {model: local:tuned, review_at: 2030-01-01}}
rules:
  - {id: secrets, when: {task_type: secrets}, then: {sensitivity: restricted}}
  - {id: code, when: {task_type: code}, then: {prefer: [large], mode: capability}}
"""


@pytest.mark.parametrize("named", ["narrows", "hint"])
def test_s23_a_restricted_call_has_inside_models_only_over_10_000_random_requests(
    policy: ReadPolicy, named: str
) -> None:
    rulebook = policy(S23_POLICY.replace("hint", named))
    rng = random.Random(23)
    seen_modes = set()
    for _ in range(10_000):
        facts = Facts(
            app=rng.choice("abc"),
            workload=rng.choice(["pinned-outside", "outside-only", "pinned-inside", "any"]),
            task_type=rng.choice(["code", "chat", "secrets"]),
            sensitivity=rng.choice([0, 1, 2, 3, 3, 9, -1]),
            requested_model=rng.choice(["auto", *POOL.cards, "nobody:knows"]),
            requested_mode=rng.choice([None, *MODES]),
            n_tools=rng.randrange(3),
        )
        constraints = rulebook.resolve(facts, POOL)
        is_restricted = facts.sensitivity not in (0, 1, 2) or facts.task_type == "secrets"

        assert (constraints.sensitivity == 3) is is_restricted
        if is_restricted:
            seen_modes.add(constraints.mode)
            assert all(POOL.cards[name].boundary == "inside" for name in (*constraints.allowed, *constraints.prefer))
        if constraints.mode == "regulated":
            assert all(POOL.cards[name].is_approved for name in constraints.allowed)
    assert seen_modes == set(MODES)


def test_s23_flipping_one_call_to_restricted_names_the_built_in_rule(policy: ReadPolicy) -> None:
    rulebook = policy("")
    internal, restricted = (rulebook.resolve(Facts(sensitivity=level), POOL) for level in (1, 3))

    assert len(internal.allowed) == 9
    assert restricted.allowed == ("local:small", "local:large", "local:tuned")
    assert {removal.rule_id for removal in restricted.removed} == {"builtin:restricted-stays-inside"}
    assert rulebook.resolve(Facts(), POOL) == restricted  # no label at all is the strictest


def test_s22_two_calls_that_differ_in_task_type_get_different_models_and_the_reason_says_so(policy: ReadPolicy) -> None:
    rulebook = policy("rules: [{id: code-large, when: {task_type: code}, then: {models: {allow: [large]}}}]")
    chat, code = (rulebook.resolve(Facts(sensitivity=0, task_type=task), POOL) for task in ("chat", "code"))

    assert len(chat.allowed) == 9
    assert code.allowed == ("openai:large", "anthropic:large", "local:large")
    assert all("when task_type eq code" in removal.reason for removal in code.removed)
    assert code.trace[0].leaf == "task_type eq code"
    assert chat.trace[0].leaf == "task_type eq code (was chat)"


def test_s5_one_edit_changes_a_category_and_leaves_the_other_as_it_was(policy: ReadPolicy) -> None:
    text = "workloads:\n  a: {prefer: [openai:large]}\n  b: {prefer: [openai:large]}\n"
    old, new = policy(text), policy(text.replace("a: {prefer: [openai:large]}", "a: {prefer: [local:small]}"))
    rng = random.Random(5)
    calls = [
        Facts(workload=rng.choice("ab"), sensitivity=rng.randrange(3), n_tools=rng.randrange(9)) for _ in range(1000)
    ]

    for facts in calls:
        before, after = old.resolve(facts, POOL), new.resolve(facts, POOL)
        assert after.prefer == (("local:small",) if facts.workload == "a" else before.prefer)
        assert after.allowed == before.allowed
