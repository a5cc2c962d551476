"""Decisions with the real policy, pool and price book; expected choices are worked out by hand."""

from dataclasses import replace
from decimal import Decimal
from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.catalog import Capability, ModelCard, Pool, PriceBook, PriceConfig
from trimtab.core import Api
from trimtab.policy import Budget, Constraints, Facts, Latency, Pin, Policy, Removal, load_policy
from trimtab.routing import (
    BudgetState,
    CandidateFacts,
    Decision,
    Estimate,
    candidate_facts,
    decide,
)
from trimtab.routing import replay as replay_decision

EVERYTHING: frozenset[Capability] = frozenset(
    {"chat", "streaming", "tools", "vision", "json_object", "json_schema", "logprobs"}
)
SMALL = ModelCard(provider="local", model="small", boundary="inside", is_approved=True, capability_rank=1)
LARGE = ModelCard(provider="cloud", model="large", capabilities=EVERYTHING, capability_rank=9)
MIDDLE = ModelCard(provider="cloud", model="middle", capabilities=EVERYTHING, is_approved=True, capability_rank=5)
POOL = Pool.of([SMALL, LARGE, MIDDLE])


def constraints(**terms: object) -> Constraints:
    base = Constraints(
        policy_id="p", policy_version="v", allowed=tuple(POOL.cards), rule_ids=("organisation",), sensitivity=0
    )
    return msgspec.structs.replace(base, **terms)


def known(model: str, cost: int | None = None, quality: tuple[float, float, float] | None = None) -> CandidateFacts:
    estimate = None
    if quality is not None:
        estimate = Estimate(mean=quality[1], lower=quality[0], upper=quality[2], n_samples=400)
    rank = POOL.cards[model].capability_rank
    return CandidateFacts(model=model, cost_nano_usd=cost, quality=estimate, capability_rank=rank)


def chosen(*candidates: CandidateFacts, facts: Facts | None = None, **terms: object) -> Decision:
    return decide(facts or Facts(sensitivity=0), constraints(**terms), candidates, POOL)


S, L, M = "local:small", "cloud:large", "cloud:middle"


def test_auto_takes_the_cheapest_whose_lower_bound_clears_the_bar() -> None:
    decision = chosen(
        known(S, 10, (0.70, 0.82, 0.90)), known(L, 900, (0.90, 0.92, 0.94)), known(M, 300, (0.81, 0.85, 0.88)),
        quality_bar=0.8,
    )  # fmt: skip

    assert (decision.model, decision.failovers) == (M, (L, S))
    assert "cheapest of 2 models" in decision.reason
    assert "0.850 [0.810, 0.880], n = 400" in decision.reason
    assert decision.propensity == 1.0


def test_auto_without_evidence_follows_the_preference_then_capability() -> None:
    assert chosen(known(S, 10), known(L, 900), known(M, 300), prefer=(M,)).model == M
    assert chosen(known(S, 10), known(L, 900), known(M, 300)).model == L


def test_a_model_measured_below_the_bar_comes_last_even_when_preferred() -> None:
    decision = chosen(known(S, 10, (0.3, 0.4, 0.5)), known(L), known(M), prefer=(S,), quality_bar=0.8)

    assert (decision.model, decision.failovers) == (L, (M, S))


def test_an_unknown_price_ranks_after_a_known_one() -> None:
    good = (0.9, 0.95, 0.99)

    decision = chosen(known(S, None, good), known(L, 900, good), known(M, 900, good), quality_bar=0.8)

    assert (decision.model, decision.failovers) == (L, (M, S))  # the tie goes to the pool's order


@pytest.mark.parametrize(("preset", "model"), [("balanced", M), ("max-quality", L), ("eco", S)])
def test_presets_of_auto(preset: str, model: str) -> None:
    candidates = (
        msgspec.structs.replace(known(S, 10, (0.78, 0.8, 0.85)), energy_wh=0.1),
        msgspec.structs.replace(known(L, 900, (0.9, 0.92, 0.94)), energy_wh=2.0),
        msgspec.structs.replace(known(M, 300, (0.81, 0.85, 0.88)), energy_wh=0.5),
    )

    assert chosen(*candidates, preset=preset, quality_bar=0.8 if preset == "balanced" else None).model == model


def test_eco_takes_the_least_energy_then_the_least_cost() -> None:
    with_energy = msgspec.structs.replace(known(L, 900), energy_wh=0.5)

    decision = chosen(known(S, 10), with_energy, known(M, 5), mode="eco")

    assert (decision.model, decision.failovers) == (L, (M, S))  # unknown energy after known, then by cost


def test_capability_takes_the_best_measured_then_the_best_declared() -> None:
    assert chosen(known(S), known(L), known(M, quality=(0.8, 0.9, 0.95)), mode="capability").failovers == (L, S)


def test_regulated_takes_approved_models_only_failovers_included() -> None:
    decision = chosen(known(S), known(L), known(M), mode="regulated")

    assert (decision.model, decision.failovers) == (M, (S,))
    assert [(r.model, r.rule_id) for r in decision.removed] == [(L, "builtin:regulated-needs-approval")]


@pytest.mark.parametrize(
    ("terms", "requested", "model"),
    [
        ({"pin": Pin(model=M, review_at="2027-01-01"), "prefer": (S,)}, L, M),
        ({"prefer": (S,)}, L, L),
        ({"prefer": (M,)}, "auto", M),
        ({}, "auto", S),
    ],
)
def test_fixed_takes_the_pin_or_the_request_or_the_first_preferred(
    terms: dict[str, object], requested: str, model: str
) -> None:
    facts = Facts(sensitivity=0, requested_model=requested)

    assert chosen(known(S), known(L), known(M), facts=facts, mode="fixed", **terms).model == model


@given(cost=st.lists(st.none() | st.integers(0, 10**9), min_size=3, max_size=3), mean=st.floats(0, 1))
def test_fixed_ignores_prices_and_measurements(cost: list[int | None], mean: float) -> None:
    plain = chosen(known(S), known(L), known(M), mode="fixed", prefer=(M, S))
    measured = [known(n, c, (mean, mean, mean)) for n, c in zip((S, L, M), cost, strict=True)]

    decision = chosen(*measured, mode="fixed", prefer=(M, S), quality_bar=0.5)

    assert (decision.model, decision.failovers) == (plain.model, plain.failovers) == (M, (S, L))


def test_unavailable_models_go_last_and_stay_in_when_all_are() -> None:
    down = {name: msgspec.structs.replace(known(name), is_available=False) for name in (S, L, M)}

    some = chosen(known(S), down[L], known(M))
    none = chosen(*down.values())

    assert (some.model, some.failovers) == (M, (S, L))
    assert "cloud:large would come first and is not available now" in some.reason
    assert (none.model, none.failovers) == (L, (M, S))
    assert "tried all the same" in none.reason


@pytest.mark.parametrize(
    ("need", "rule_id", "word"),
    [
        ({"n_tools": 2}, "builtin:capability", "tools"),
        ({"n_images": 1}, "builtin:capability", "vision"),
        ({"json_mode": "json_schema"}, "builtin:capability", "json_schema"),
        ({"json_mode": "json_object"}, "builtin:capability", "json_object"),
        ({"api": "responses"}, "builtin:api", "responses"),
        ({"api": "embeddings"}, "builtin:capability", "embeddings"),
    ],
)
def test_a_model_that_cannot_take_the_call_is_out(need: dict[str, object], rule_id: str, word: str) -> None:
    facts = msgspec.structs.replace(Facts(sensitivity=0), **need)

    decision = chosen(known(S), facts=facts, allowed=(S,))

    assert decision.model is None
    assert [(r.model, r.tier, r.rule_id) for r in decision.removed] == [(S, "constraints", rule_id)]
    assert word in decision.removed[0].reason
    assert decision.rule_ids == (rule_id, "organisation")


def test_a_model_without_streaming_is_out_of_streams_only() -> None:
    still = replace(SMALL, capabilities=frozenset({"chat"}))
    pool = Pool.of([still])

    def model(*, is_stream: bool) -> str | None:
        return decide(Facts(is_stream=is_stream), constraints(allowed=(S,)), (known(S),), pool).model

    assert (model(is_stream=False), model(is_stream=True)) == (S, None)


def test_whoever_follows_a_schema_can_write_json() -> None:
    pool = Pool.of([replace(SMALL, capabilities=frozenset({"chat", "json_schema"}))])

    assert decide(Facts(json_mode="json_object"), constraints(allowed=(S,)), (), pool).model == S


def test_embeddings_go_to_embedding_models() -> None:
    pool = Pool.of([SMALL, ModelCard(provider="p", model="e", capabilities=frozenset({"embeddings"}))])

    assert decide(Facts(api=Api.EMBEDDINGS), constraints(allowed=tuple(pool.cards)), (), pool).model == "p:e"


def test_a_call_surely_too_long_is_out_and_one_perhaps_too_long_comes_last() -> None:
    short = msgspec.structs.replace(known(L), context_tokens=8192)

    def order(tokens: int) -> tuple[str | None, ...]:
        decision = chosen(known(S), short, known(M), facts=Facts(sensitivity=0, input_tokens=tokens))
        return (decision.model, *decision.failovers)

    assert order(8192) == (L, M, S)
    assert order(16_383) == (M, S, L)  # rounded up from something above 8,191
    assert order(16_384) == (M, S)


def test_s24_a_measured_latency_that_misses_the_target_excludes_with_figure_and_n() -> None:
    slow = msgspec.structs.replace(known(L), ttft_p95_ms=1840.0, total_p95_ms=9000.0, n_latency=212)
    quick = msgspec.structs.replace(known(M), ttft_p95_ms=310.0, total_p95_ms=2000.0, n_latency=80)
    few = msgspec.structs.replace(known(S), ttft_p95_ms=5000.0, n_latency=3)

    decision = chosen(few, slow, quick, latency=Latency(ttft_p95_ms=800.0))

    assert (decision.model, decision.failovers) == (M, (S,))
    reason = "cloud:large: p95 time to first token 1,840 ms misses the target of 800 ms, n = 212 calls."
    assert [(r.model, r.rule_id, r.reason) for r in decision.removed] == [(L, "builtin:latency-target", reason)]
    assert reason in decision.reason
    assert "local:small: 3 latencies, fewer than 20" in decision.trace[1].note


def test_s24_a_probe_counts_like_calls_and_is_named_with_its_date_and_n() -> None:
    slow = msgspec.structs.replace(known(L), ttft_p95_ms=1840.0, n_latency=20, probe_day="2026-11-02")
    quick = msgspec.structs.replace(known(M), ttft_p95_ms=300.0, n_latency=20, probe_day="2026-11-03")

    decision = chosen(slow, quick, latency=Latency(ttft_p95_ms=800.0), allowed=(L, M))

    assert decision.model == M
    assert decision.removed[0].reason == (
        "cloud:large: p95 time to first token 1,840 ms misses the target of 800 ms, "
        "n = 20 calls of the probe of 2026-11-02."
    )
    assert f"{M}: within the target by n = 20 calls of the probe of 2026-11-03" in decision.trace[1].note


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (Latency(total_p95_ms=1000), "p95 of the whole call 2,000 ms"),
        (Latency(min_output_tokens_per_s=50), "output speed 20.0 tokens/s"),
    ],
)
def test_s24_total_time_and_speed_are_targets_too(target: Latency, word: str) -> None:
    slow = msgspec.structs.replace(known(L), total_p95_ms=2000.0, output_tokens_per_s=20.0, n_latency=30)

    decision = chosen(known(S), slow, latency=target, allowed=(S, L))

    assert (decision.model, decision.failovers) == (S, ())
    assert word in decision.removed[0].reason


def test_a_latency_target_nobody_meets_is_set_aside_and_said_so() -> None:
    slow = [msgspec.structs.replace(known(n), total_p95_ms=2000.0, n_latency=30) for n in (S, L)]

    decision = chosen(*slow, latency=Latency(total_p95_ms=1000), allowed=(S, L))

    assert decision.model == L
    assert decision.trace[1].is_degraded
    assert "set aside" in decision.trace[1].note


def test_s25_a_call_dearer_than_its_budget_goes_elsewhere() -> None:
    decision = chosen(
        known(S, None), known(L, 2_000_000), known(M, 900_000),
        budgets=(Budget(scope="organisation", per_call_nano_usd=5_000_000),
                 Budget(scope="app:chat", per_call_nano_usd=1_000_000)),
    )  # fmt: skip

    assert (decision.model, decision.failovers) == (M, ())
    assert [r.rule_id for r in decision.removed] == ["builtin:per-call-budget"] * 2
    assert "has no price, and app:chat allows $0.001000 a call" in decision.removed[0].reason
    assert "may cost $0.002000 on cloud:large" in decision.removed[1].reason


def test_s25_a_used_up_period_budget_does_what_its_scope_says() -> None:
    def under(action: str) -> Decision:
        state = BudgetState(scope="app:chat", period="day", is_exhausted=True, on_exhausted=action)
        return decide(Facts(), constraints(), (known(S), known(L, 900), known(M, 300)), POOL, (state,))

    refused, downgraded, queued = under("refuse"), under("downgrade"), under("queue")

    assert (refused.model, refused.failovers, refused.rule_ids[0]) == (None, (), "budget:app:chat:day")
    assert refused.reason == "The day budget of app:chat is used up and its action is to refuse."
    assert (downgraded.model, downgraded.failovers) == (M, (L, S))
    assert downgraded.reason.startswith("The day budget of app:chat is used up and its action is to downgrade")
    assert queued.model == L
    assert "the call waits for room" in queued.reason


def test_a_budget_with_room_changes_nothing() -> None:
    state = BudgetState(scope="app:chat", period="day", is_exhausted=False)

    assert decide(Facts(), constraints(), (known(S), known(L)), POOL, (state,)).model == L


def test_an_energy_budget_excludes_what_is_known_to_pass_it() -> None:
    hungry = msgspec.structs.replace(known(L), energy_wh=2.5)

    decision = chosen(known(S), hungry, known(M), energy_wh_per_call=1.0)

    assert (decision.model, decision.removed[0].rule_id) == (M, "builtin:energy-budget")
    assert "energy unknown, not checked" in decision.trace[1].note


def test_attack_17_n_times_the_output_bound_is_reserved() -> None:
    book = PriceBook({L: PriceConfig(input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(10))})
    facts = Facts(n_choices=4, max_output_tokens=2048, input_tokens=100)

    asked = candidate_facts(LARGE, facts, book, at_us=0)
    clamped = candidate_facts(LARGE, facts, book, at_us=0, max_output_tokens=512, max_choices=2)
    unbounded = candidate_facts(LARGE, Facts(), book, at_us=0)

    assert asked.cost_nano_usd == 4 * 2048 * 10_000
    assert clamped.cost_nano_usd == 2 * 512 * 10_000
    assert unbounded.cost_nano_usd == 1024 * 10_000


POLICY = """
policy: by-task
rules:
  - id: code-to-large
    when: {task_type: code}
    then: {models: {allow: ["cloud:large"]}}
  - id: chat-to-middle
    when: {task_type: chat}
    then: {models: {allow: ["cloud:middle"]}}
"""


@cache
def policy_of(text: str) -> Policy:
    return load_policy(text, origin="test.yaml")


def by_policy(text: str, facts: Facts) -> Decision:
    resolved = policy_of(text).resolve(facts, POOL)
    return decide(facts, resolved, tuple(known(n) for n in resolved.allowed), POOL)


def test_s04_two_task_types_of_one_client_go_to_two_models() -> None:
    models = [by_policy(POLICY, Facts(sensitivity=0, task_type=t)).model for t in ("code", "chat")]

    assert models == [L, M]


def test_s05_a_changed_default_moves_one_category_and_no_other() -> None:
    edited = POLICY.replace('["cloud:middle"]', '["local:small"]')
    calls = [Facts(sensitivity=0, task_type="code" if i % 3 else "chat", input_tokens=i) for i in range(1000)]

    before = [(f.task_type, by_policy(POLICY, f).model) for f in calls]
    after = [(f.task_type, by_policy(edited, f).model) for f in calls]

    assert {model for task, model in after if task == "chat"} == {S}
    assert [m for task, m in before if task == "code"] == [m for task, m in after if task == "code"]


def test_s07_routing_leaves_cards_and_pool_as_they_were() -> None:
    cards, digest = dict(POOL.cards), POOL.digest

    for task in ("code", "chat", "other"):
        by_policy(POLICY, Facts(sensitivity=0, task_type=task))

    assert POOL.cards == cards
    assert Pool.of(POOL).digest == POOL.digest == digest


def test_s22_task_type_alone_changes_who_is_eligible_and_the_reason_says_so() -> None:
    code = by_policy(POLICY, Facts(sensitivity=0, task_type="code"))
    chat = by_policy(POLICY, Facts(sensitivity=0, task_type="chat"))

    assert {c.model for c in code.candidates} != {c.model for c in chat.candidates}
    assert "task_type" in code.reason
    assert "code" in code.reason


def test_a_refusal_names_the_rule_that_removed_the_last_model() -> None:
    removal = Removal(model=S, tier="policy", rule_id="no-small", reason="Too small.")

    decision = chosen(allowed=(), removed=(removal,))

    assert (decision.model, decision.rule_ids) == (None, ("no-small", "organisation"))
    assert decision.reason == "The only model was removed by no-small: Too small."


def test_an_empty_pool_is_an_answer() -> None:
    decision = decide(Facts(), constraints(allowed=()), (), Pool.of([]))

    assert (decision.model, decision.reason) == (None, "The pool has no models.")
    assert decision.rule_ids[0] == "builtin:empty-pool"


def test_promise_2_a_record_with_another_model_does_not_replay() -> None:
    decision = chosen(known(S), known(L), known(M))

    forged = msgspec.structs.replace(decision, model=S)

    assert replay_decision(forged) == L


def test_s23_a_missing_label_is_the_strictest() -> None:
    assert Facts().sensitivity == Constraints(policy_id="p", policy_version="v", allowed=()).sensitivity == 3
