"""Random calls, pools and constraints, broken ones included: nothing that a decision says may break a rule."""

import random
from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.catalog import Capability, ModelCard, Pool
from trimtab.core import Api
from trimtab.policy import Budget, Constraints, Facts, Latency, Mode, Pin, Preset, Removal
from trimtab.routing import BudgetState, CandidateFacts, Decision, Estimate, decide, decode_decision, digest_of
from trimtab.routing import replay as replay_decision

CAPABILITIES: tuple[Capability, ...] = ("streaming", "tools", "vision", "json_object", "json_schema", "logprobs")
MODES: tuple[Mode, ...] = ("auto", "fixed", "capability", "eco", "regulated")
PRESETS: tuple[Preset, ...] = ("balanced", "max-quality", "eco")
T = TypeVar("T")


def maybe(rng: random.Random, value: T) -> T | None:
    return value if rng.random() < 0.5 else None


Case = tuple[Facts, Constraints, tuple[CandidateFacts, ...], Pool, tuple[BudgetState, ...]]


def random_case(rng: random.Random) -> Case:
    """One call with everything about it drawn at random."""
    pool = Pool.of(random_card(rng, f"m{i}") for i in range(rng.randint(0, 6)))
    names = [*pool.cards, "p:ghost"]
    candidates = tuple(random_candidate(rng, name) for name in names if rng.random() < 0.9)
    states = tuple(
        BudgetState(scope="organisation", period="day", is_exhausted=rng.random() < 0.05, on_exhausted=action)
        for action in ("refuse", "downgrade", "queue")
    )
    return random_facts(rng, names), random_constraints(rng, names), candidates, pool, states


def random_card(rng: random.Random, model: str) -> ModelCard:
    return ModelCard(
        provider="p",
        model=model,
        boundary=rng.choice(("inside", "outside")),
        is_approved=rng.random() < 0.6,
        capabilities=frozenset(rng.sample(CAPABILITIES, rng.randint(3, 6))) | {"chat"},
        apis=frozenset(rng.sample(list(Api), rng.randint(2, 3))),
    )


def random_facts(rng: random.Random, names: list[str]) -> Facts:
    return Facts(
        api=rng.choice((*(api.value for api in Api), "chat_completions", "other")),
        sensitivity=rng.randint(0, 3),
        requested_model=rng.choice((*names, "auto")),
        n_tools=rng.randint(0, 1),
        n_images=rng.choice((0, 0, 1)),
        json_mode=rng.choice((None, "json_object", "json_schema")),
        is_stream=rng.random() < 0.5,
        input_tokens=2 ** rng.randint(0, 16),
        max_output_tokens=maybe(rng, 2 ** rng.randint(0, 14)),
        n_choices=rng.randint(1, 4),
    )


def random_constraints(rng: random.Random, names: list[str]) -> Constraints:
    allowed = tuple(name for name in names if rng.random() < 0.8)
    pin = Pin(model=rng.choice(names), review_at="2027-01-01")
    target = Latency(
        ttft_p95_ms=maybe(rng, 500.0), total_p95_ms=maybe(rng, 900.0), min_output_tokens_per_s=maybe(rng, 30.0)
    )
    return Constraints(
        policy_id="p",
        policy_version="v",
        allowed=tuple(rng.sample(allowed, len(allowed))),
        removed=tuple(
            Removal(model=name, tier="policy", rule_id="r", reason="Because.") for name in names if name not in allowed
        ),
        rule_ids=("organisation",),
        mode=rng.choice(MODES),
        preset=rng.choice(PRESETS),
        pin=maybe(rng, maybe(rng, pin)),
        prefer=tuple(rng.sample(names, rng.randint(0, len(names)))),
        quality_bar=maybe(rng, rng.random()),
        latency=maybe(rng, target),
        budgets=(Budget(scope="organisation", per_call_nano_usd=maybe(rng, maybe(rng, rng.randint(500, 1500)))),),
        energy_wh_per_call=maybe(rng, maybe(rng, rng.random() * 2)),
        sensitivity=rng.choice((0, 1, 1, 2, 2, 3, 4, -1)),
    )


def random_candidate(rng: random.Random, name: str) -> CandidateFacts:
    mean = rng.random()
    return CandidateFacts(
        model=name,
        cost_nano_usd=rng.choice((None, rng.randint(0, 1500), rng.randint(0, 1500))),
        quality=maybe(rng, Estimate(mean=mean, lower=mean * 0.9, upper=mean * 1.05, n_samples=9)),
        ttft_p95_ms=maybe(rng, rng.uniform(100, 1000)),
        total_p95_ms=maybe(rng, rng.uniform(100, 2000)),
        output_tokens_per_s=maybe(rng, rng.uniform(1, 90)),
        n_latency=rng.choice((0, 19, 20, 500)),
        energy_wh=maybe(rng, rng.random() * 2),
        is_available=rng.random() < 0.8,
        capability_rank=maybe(rng, rng.random()),
        context_tokens=maybe(rng, 2 ** rng.randint(12, 20)),
    )


def violations(decision: Decision, pool: Pool) -> list[str]:
    """Return what is wrong with a decision, each rule written again from the requirement."""
    terms, facts, found = decision.constraints, decision.facts, []
    asked = [name for name in (decision.model, *decision.failovers) if name is not None]
    facts_of = {candidate.model: candidate for candidate in decision.candidates}
    cap = min((b.per_call_nano_usd for b in terms.budgets if b.per_call_nano_usd is not None), default=None)
    if not decision.reason or not decision.rule_ids or len(set(asked)) != len(asked):
        found.append("no reason, no rule or a model twice")
    if decision.model is None and decision.failovers:
        found.append("failovers without a model")
    for name in asked:
        card, known_of = pool.cards.get(name), facts_of[name]
        if name not in terms.allowed or card is None:
            found.append(f"{name} is not permitted")
            continue
        if terms.sensitivity not in (0, 1, 2) and card.boundary != "inside":
            found.append(f"{name} is outside the boundary of a restricted call")
        if terms.mode == "regulated" and not card.is_approved:
            found.append(f"{name} is not approved")
        if facts.n_tools and facts.api != "embeddings" and "tools" not in card.capabilities:
            found.append(f"{name} has no tools")
        if cap is not None and (known_of.cost_nano_usd is None or known_of.cost_nano_usd > cap):
            found.append(f"{name} is not within the call's budget")
        if terms.energy_wh_per_call is not None and (known_of.energy_wh or 0) > terms.energy_wh_per_call:
            found.append(f"{name} is not within the energy budget")
    return found


@pytest.mark.parametrize("seed", range(20))
def test_promise_1_no_fuzzed_call_breaks_policy_failovers_included(seed: int) -> None:
    rng = random.Random(seed)
    n_chosen = 0
    for _ in range(1000):
        facts, terms, candidates, pool, states = random_case(rng)
        decision = decide(facts, terms, candidates, pool, states)
        assert violations(decision, pool) == []
        n_chosen += decision.model is not None
    assert n_chosen > 200  # the cases are not all refusals


@pytest.mark.slow
def test_promise_1_a_hundred_thousand_fuzzed_calls() -> None:
    rng = random.Random("policy")
    for _ in range(100_000):
        facts, terms, candidates, pool, states = random_case(rng)
        assert violations(decide(facts, terms, candidates, pool, states), pool) == []


def test_s23_a_restricted_call_has_no_outside_model_among_candidates_or_failovers() -> None:
    rng = random.Random(23)
    seen = set()
    for number in range(10_000):
        facts, terms, candidates, pool, states = random_case(rng)
        mode = MODES[number % len(MODES)]
        terms = msgspec.structs.replace(terms, sensitivity=3, mode=mode)

        decision = decide(facts, terms, candidates, pool, states)

        everyone = {c.model for c in decision.candidates} | set(decision.failovers)
        assert decision.model is None or decision.model in everyone
        assert all(pool.cards[name].boundary == "inside" for name in everyone)
        seen |= {(mode, len(everyone) > 0)}
    assert len(seen) == 2 * len(MODES)


def test_promise_2_the_record_alone_replays_to_the_same_model() -> None:
    rng = random.Random(2)
    n_chosen = 0
    for _ in range(3000):
        encoded = decide(*random_case(rng)).encoded()
        decision = decode_decision(encoded)
        assert replay_decision(decision) == decision.model
        assert digest_of(decision.encoded()) == digest_of(encoded)
        n_chosen += decision.model is not None
    assert n_chosen > 600


seeds = st.integers(0, 2**32).map(random.Random)


@given(seeds)
def test_a_decision_is_a_pure_function(rng: random.Random) -> None:
    case = random_case(rng)

    assert decide(*case).encoded() == decide(*case).encoded()


@given(seeds)
def test_the_order_of_candidate_facts_means_nothing(rng: random.Random) -> None:
    facts, terms, candidates, pool, states = random_case(rng)
    shuffled = tuple(rng.sample(candidates, len(candidates)))

    assert decide(facts, terms, candidates, pool, states) == decide(facts, terms, shuffled, pool, states)


@given(seeds)
def test_the_pools_order_breaks_ties_and_nothing_else(rng: random.Random) -> None:
    facts, terms, _, pool, states = random_case(rng)
    names = rng.sample(list(pool.cards), len(pool))
    terms = msgspec.structs.replace(terms, prefer=tuple(names), latency=None, mode=rng.choice(("auto", "regulated")))
    # Costs, qualities and ranks all differ, so no tie is possible.
    candidates = tuple(
        CandidateFacts(
            model=name,
            cost_nano_usd=i,
            quality=Estimate(mean=i / 10, lower=i / 10, upper=1, n_samples=9),
            energy_wh=i / 10,
            capability_rank=i,
        )
        for i, name in enumerate(names, start=1)
    )

    here = decide(facts, terms, candidates, pool, states)
    turned = msgspec.structs.replace(terms, allowed=terms.allowed[::-1])
    there = decide(facts, turned, candidates, Pool.of(reversed(list(pool))), states)

    assert (here.model, here.failovers) == (there.model, there.failovers)


@settings(max_examples=300)
@given(seeds)
def test_adding_a_dominated_model_never_changes_the_choice(rng: random.Random) -> None:
    facts, terms, candidates, pool, _ = random_case(rng)
    before = decide(facts, terms, candidates, pool)
    if before.model is None or terms.latency is not None:
        return  # a target that nobody met is no longer set aside once somebody meets it
    best = next(c for c in before.candidates if c.model == before.model)
    worse_quality = best.quality and Estimate(
        mean=best.quality.mean / 2, lower=best.quality.lower / 2, upper=best.quality.upper / 2, n_samples=9
    )
    worse = msgspec.structs.replace(
        best,
        model="z:dominated",
        cost_nano_usd=None if best.cost_nano_usd is None else best.cost_nano_usd + 1,
        energy_wh=None if best.energy_wh is None else best.energy_wh * 2,
        quality=worse_quality,
        capability_rank=None if best.capability_rank is None else best.capability_rank - 1,
    )
    card = replace(pool.cards[best.model], provider="z", model="dominated")
    wider = msgspec.structs.replace(terms, allowed=(*terms.allowed, worse.model))

    after = decide(facts, wider, (*candidates, worse), Pool.of([*pool, card]))

    assert after.model == before.model
