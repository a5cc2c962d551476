"""Every scope narrows what wider scopes left, and says so."""

from collections.abc import Callable

import pytest

from trimtab.policy import Budget, Constraints, Latency

Resolve = Callable[..., Constraints]


def reasons(constraints: Constraints) -> dict[str, tuple[str, str]]:
    return {removal.model: (removal.rule_id, removal.reason) for removal in constraints.removed}


def test_nothing_said_allows_the_whole_pool_and_names_the_default(resolve: Resolve) -> None:
    constraints = resolve("")

    assert len(constraints.allowed) == 5
    assert constraints.rule_ids == ("policy:default",)
    assert (constraints.mode, constraints.preset, constraints.store) == ("auto", "balanced", "redacted")


def test_s17_constraints_carry_policy_id_version_and_rules_narrowest_first(resolve: Resolve) -> None:
    constraints = resolve(
        """
organisation: {store: redacted}
apps: {shop: {store: metadata}}
workloads: {faq: {store: metadata}}
rules:
  - {id: later, priority: 5, when: {app: shop}, then: {mode: eco}}
  - {id: first, when: {app: shop}, then: {mode: fixed}}
""",
        app="shop",
        workload="faq",
    )

    assert constraints.policy_id == "test"
    assert len(constraints.policy_version) == 64
    assert constraints.rule_ids == ("later", "first", "workload:faq", "app:shop", "organisation")


def test_allow_lists_intersect_and_deny_wins(resolve: Resolve) -> None:
    constraints = resolve(
        """
organisation: {models: {allow: ["openai:*", "local:small"]}}
workloads: {faq: {models: {allow: ["*:large", "openai:mini", "local:*"], deny: [cheap]}}}
""",
        workload="faq",
    )

    assert constraints.allowed == ("openai:large", "local:small")
    assert reasons(constraints)["openai:mini"] == ("workload:faq", "openai:mini is denied as cheap, by workload:faq.")
    assert reasons(constraints)["local:tuned"][0] == "organisation"


def test_a_name_without_provider_means_it_at_every_provider(resolve: Resolve) -> None:
    constraints = resolve("organisation: {models: {deny: [large]}}")

    assert constraints.allowed == ("openai:mini", "local:small", "local:tuned")


@pytest.mark.parametrize(
    ("needs", "allowed", "words"),
    [
        ("boundary: inside", ("local:small", "local:tuned"), "runs outside the boundary"),
        ("regions: [eu-west]", ("openai:mini", "anthropic:large"), "region unknown"),
        ("capabilities: [vision, tools]", ("anthropic:large",), "lacks vision, tools"),
        ("approved: true", ("openai:large", "local:small"), "is not approved"),
    ],
)
def test_requirements_are_read_from_the_card(
    resolve: Resolve, needs: str, allowed: tuple[str, ...], words: str
) -> None:
    constraints = resolve(f"organisation: {{require: {{{needs}}}}}")

    assert constraints.allowed == allowed
    assert any(words in reason for _, reason in reasons(constraints).values())


def test_requirements_of_all_scopes_hold_together(resolve: Resolve) -> None:
    text = "organisation: {require: {boundary: inside}}\nworkloads: {w: {require: {approved: true}}}"

    assert resolve(text, workload="w").allowed == ("local:small",)


def test_the_stricter_number_wins_in_either_direction(resolve: Resolve) -> None:
    wide = (
        "{max_output_tokens: 100, max_choices: 4, quality_bar: 0.9, energy_wh_per_call: 2, latency: {ttft_p95_ms: 300}}"
    )
    narrow = (
        "{max_output_tokens: 900, max_choices: 1, quality_bar: 0.5, energy_wh_per_call: 1.5,"
        " latency: {ttft_p95_ms: 500, total_p95_ms: 900, min_output_tokens_per_s: 20, min_samples: 5}}"
    )
    constraints = resolve(f"organisation: {wide}\nworkloads: {{w: {narrow}}}", workload="w")

    assert (constraints.max_output_tokens, constraints.max_choices) == (100, 1)
    assert (constraints.quality_bar, constraints.energy_wh_per_call) == (0.9, 1.5)
    assert constraints.latency == Latency(ttft_p95_ms=300, total_p95_ms=900, min_output_tokens_per_s=20, min_samples=5)


def test_budgets_accumulate_one_a_scope_in_nano_dollars(resolve: Resolve) -> None:
    constraints = resolve(
        """
organisation: {budget: {per_day_usd: 20}}
apps: {shop: {budget: {per_month_usd: 0.1, on_exhausted: downgrade}}}
rules: [{id: images, when: {n_images: {gt: 0}}, then: {budget: {per_call_usd: 0.000000001}}}]
""",
        app="shop",
        n_images=1,
    )

    assert constraints.budgets == (
        Budget(scope="organisation", per_day_nano_usd=20_000_000_000),
        Budget(scope="app:shop", per_month_nano_usd=100_000_000, on_exhausted="downgrade"),
        Budget(scope="rule:images", per_call_nano_usd=1),
    )


def test_the_least_storing_mode_wins(resolve: Resolve) -> None:
    assert resolve("organisation: {store: full}").store == "full"
    assert resolve("organisation: {store: metadata}\nworkloads: {w: {store: full}}", workload="w").store == "metadata"


def test_prefer_of_the_narrowest_scope_wins_and_holds_permitted_models_only(resolve: Resolve) -> None:
    text = (
        "organisation: {prefer: [local:small], models: {deny: [openai:large]}}\n"
        'workloads: {w: {prefer: [large, cheap, "local:*"]}}'
    )

    assert resolve(text).prefer == ("local:small",)
    assert resolve(text, workload="w").prefer == ("anthropic:large", "openai:mini", "local:small", "local:tuned")


@pytest.mark.parametrize(
    ("wide", "narrow", "asked", "mode"),
    [
        ("auto", "eco", None, "eco"),
        ("fixed", "capability", None, "capability"),
        ("fixed", "auto", None, "fixed"),
        ("regulated", "eco", None, "regulated"),
        ("auto", "auto", "eco", "eco"),
        ("auto", "auto", "capability", "capability"),
        ("auto", "auto", "fixed", "fixed"),
        ("auto", "auto", "regulated", "regulated"),
        ("auto", "eco", "regulated", "regulated"),
        ("auto", "eco", "fixed", "eco"),
        ("auto", "fixed", "auto", "fixed"),
        ("regulated", "regulated", "auto", "regulated"),
        ("regulated", "regulated", "eco", "regulated"),
        ("auto", "auto", "warp", "auto"),
    ],
)
def test_a_mode_is_only_narrowed(resolve: Resolve, wide: str, narrow: str, asked: str | None, mode: str) -> None:
    text = f"organisation: {{mode: {wide}}}\nworkloads: {{w: {{mode: {narrow}}}}}"

    assert resolve(text, workload="w", requested_mode=asked).mode == mode


def test_a_mode_not_granted_stands_in_the_trace(resolve: Resolve) -> None:
    constraints = resolve("organisation: {mode: regulated}", requested_mode="eco")

    assert constraints.trace[-1].rule_id == "call:requested-mode"
    assert not constraints.trace[-1].matched
    assert "may only narrow the policy's regulated" in constraints.trace[-1].leaf
    assert "call:requested-mode" not in constraints.rule_ids


def test_regulated_takes_approved_models_only(resolve: Resolve) -> None:
    constraints = resolve("", requested_mode="regulated")

    assert constraints.allowed == ("openai:large", "local:small")
    assert reasons(constraints)["openai:mini"][0] == "builtin:regulated-needs-approval"
    assert "builtin:regulated-needs-approval" in constraints.rule_ids


def test_a_pin_removes_everybody_else(resolve: Resolve) -> None:
    constraints = resolve("workloads: {w: {pin: {model: cheap, review_at: 2030-01-31}}}", workload="w")

    assert constraints.allowed == ("openai:mini",)
    assert constraints.pin is not None
    assert constraints.pin.review_at == "2030-01-31"
    assert reasons(constraints)["local:small"] == (
        "workload:w",
        "Calls are pinned to cheap until the review on 2030-01-31; local:small goes out, by workload:w.",
    )


def test_a_pin_on_a_denied_model_leaves_nothing_and_names_both_rules(resolve: Resolve) -> None:
    text = "organisation: {models: {deny: [cheap]}}\nworkloads: {w: {pin: {model: cheap, review_at: 2030-01-31}}}"
    constraints = resolve(text, workload="w")

    assert constraints.allowed == ()
    assert reasons(constraints)["openai:mini"][0] == "organisation"
    assert reasons(constraints)["openai:large"][0] == "workload:w"


@pytest.mark.parametrize("model", ["nobody:knows", "large"])
def test_a_pin_that_is_unknown_or_means_two_models_leaves_nothing(resolve: Resolve, model: str) -> None:
    assert resolve(f"organisation: {{pin: {{model: {model}, review_at: 2030-01-31}}}}").allowed == ()


def test_a_model_named_in_the_call_is_the_only_one(resolve: Resolve) -> None:
    constraints = resolve("", requested_model="openai:mini")

    assert constraints.allowed == ("openai:mini",)
    assert constraints.rule_ids[0] == "call:requested-model"


def test_a_model_named_in_the_call_and_denied_leaves_nothing(resolve: Resolve) -> None:
    constraints = resolve("organisation: {models: {deny: [cheap]}}", requested_model="openai:mini")

    assert constraints.allowed == ()
    assert reasons(constraints)["openai:mini"][0] == "organisation"


def test_a_named_model_may_be_a_hint(resolve: Resolve) -> None:
    text = "organisation: {requested_model: hint, prefer: [local:small]}"
    constraints = resolve(text, requested_model="openai:mini")

    assert len(constraints.allowed) == 5
    assert constraints.prefer == ("openai:mini", "local:small")


def test_one_narrows_outweighs_every_hint(resolve: Resolve) -> None:
    text = "organisation: {requested_model: narrows}\nworkloads: {w: {requested_model: hint}}"

    assert resolve(text, workload="w", requested_model="openai:mini").allowed == ("openai:mini",)


def test_a_raised_label_wakes_the_rules_that_test_for_it(resolve: Resolve) -> None:
    text = """
rules:
  - {id: health, when: {task_type: health}, then: {sensitivity: confidential}}
  - {id: confidential-approved, when: {sensitivity: {ge: confidential}}, then: {require: {approved: true}}}
"""
    constraints = resolve(text, task_type="health")

    assert constraints.sensitivity == 2
    assert constraints.allowed == ("openai:large", "local:small")


def test_raising_a_label_takes_no_restriction_off(resolve: Resolve) -> None:
    text = "rules: [{id: inside-only, when: {sensitivity: internal}, then: {require: {boundary: inside}}}]\n"
    raised = "organisation: {sensitivity: confidential}\n"

    assert resolve(text).allowed == resolve(text + raised).allowed == ("local:small", "local:tuned")
