"""Spending caps on whole calls: what is reserved, what a used-up cap does, and what a burst can spend."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOW_US, StillClock
from tests.support.gateway_rig import (
    DOLLAR,
    Answer,
    ListReply,
    MemoryLeases,
    Outcome,
    Rig,
    body_of,
    chat_answer,
    stream_answer,
)

from trimtab.core import CallStatus, day_of
from trimtab.core.errors import BudgetExhausted, PolicyRefused
from trimtab.gateway import Caller, UpstreamRequest
from trimtab.policy import Budget

TODAY = day_of(NOW_US)
RATE = 10_000
"""Nano-dollars a token at $10 a million."""


def policy_of(cap_nano_usd: int, action: str = "refuse", more: str = "") -> str:
    cap = f"{Decimal(cap_nano_usd) / DOLLAR:f}"
    budget = f"budget: {{per_day_usd: {cap}, on_exhausted: {action}, queue_timeout_s: 5.0}}"
    return f"policy: capped\norganisation:\n  sensitivity: internal\n  {budget}\n{more}"


# 100 bytes are 25 tokens, counted as 32; the answer is bounded to 32, so a call reserves 64 tokens.
CALL = body_of("", max_tokens=32)
CALL = body_of("x" * (100 - len(CALL)), max_tokens=32)
RESERVED = 64 * RATE


async def test_s25_a_cap_with_room_for_one_call_admits_one_and_refuses_the_next() -> None:
    rig = Rig(policy_of(RESERVED), script=lambda _: chat_answer(tokens_in=32, tokens_out=32), clock=StillClock())

    first, second = await rig.call(CALL), await rig.call(CALL)

    assert first.call.status == CallStatus.OK
    assert isinstance(second.error, BudgetExhausted)
    assert (second.call.status, second.call.http_status, second.tried) == (CallStatus.REFUSED, 402, [])
    assert second.call.rule_id == "budget:organisation:day"


async def test_s25_what_a_call_did_not_use_is_free_for_the_next_one() -> None:
    rig = Rig(policy_of(RESERVED + 1), script=lambda _: chat_answer(tokens_in=0, tokens_out=0), clock=StillClock())

    assert [(await rig.call(CALL)).call.status for _ in range(5)] == [CallStatus.OK] * 5


async def test_s25_a_used_up_cap_that_says_downgrade_takes_the_cheapest_and_records_it() -> None:
    prices = {"cloud:large": Decimal(100), "cloud:middle": Decimal(10), "local:small": Decimal(1)}
    rig = Rig(policy_of(2 * RESERVED, "downgrade"), prices=prices, clock=StillClock())

    call = (await rig.call(CALL)).call

    assert (call.status, call.model) == (CallStatus.OK, "local:small")  # 10 x RESERVED would not fit, a tenth does
    decision = rig.decision_of(call)
    assert "downgrade" in decision.reason
    assert call.rule_id == "budget:organisation:day"
    assert decision.budgets[0].is_exhausted


async def test_s25_a_used_up_cap_that_says_queue_waits_until_there_is_room() -> None:
    hold = asyncio.Event()

    async def wait(index: int) -> None:
        await hold.wait()

    answer = chat_answer(tokens_in=1, tokens_out=1)
    rig = Rig(policy_of(RESERVED + 2 * RATE, "queue"), script=lambda _: Answer(answer.chunks, before_chunk=wait))
    first = asyncio.create_task(rig.call(CALL))
    while not rig.asked:
        await asyncio.sleep(0.001)
    second = asyncio.create_task(rig.call(CALL))
    await asyncio.sleep(0.05)
    assert len(rig.asked) == 1  # in line

    hold.set()

    assert [(await task).error for task in (first, second)] == [None, None]


async def test_s25_a_queue_gives_up_after_its_timeout() -> None:
    policy = policy_of(0, "queue").replace("queue_timeout_s: 5.0", "queue_timeout_s: 0.02")

    outcome = await Rig(policy).call(CALL)

    assert isinstance(outcome.error, BudgetExhausted)
    assert outcome.call.status == CallStatus.REFUSED


async def test_s25_app_workload_and_key_caps_hold_together() -> None:
    more = "workloads: {mail: {budget: {per_day_usd: 0}}}\n"
    rig = Rig(policy_of(DOLLAR, more=more), clock=StillClock())
    poor = Caller(key_id="k9", app="shop", budgets=(Budget(scope="key:k9", per_day_nano_usd=0),))

    by_workload = await rig.call(CALL, headers={"x-trimtab-workload": "mail"})
    by_key = await rig.call(CALL, caller=poor)

    assert isinstance(by_workload.error, BudgetExhausted)
    assert "workload:mail" in by_workload.error.message
    assert isinstance(by_key.error, BudgetExhausted)
    assert "key:k9" in by_key.error.message
    assert (await rig.call(CALL)).error is None


async def test_s25_a_call_over_its_own_budget_goes_to_a_cheaper_model_or_nowhere() -> None:
    prices = {"cloud:large": Decimal(100), "cloud:middle": Decimal(10), "local:small": Decimal(1)}
    policy = "policy: p\norganisation: {sensitivity: internal, budget: {per_call_usd: %s}}\n"

    fits = await Rig(policy % f"{Decimal(RESERVED) / DOLLAR:f}", prices=prices).call(CALL)
    none = await Rig(policy % "0.000001", prices=prices).call(CALL)

    assert fits.call.model == "cloud:middle"
    assert isinstance(none.error, PolicyRefused)
    assert "budget" in none.error.message


Spender = Callable[[random.Random], tuple[Answer, ListReply, bool]]


def in_time(rng: random.Random) -> tuple[Answer, ListReply, bool]:
    return chat_answer(tokens_in=rng.randint(1, 25), tokens_out=rng.randint(0, 32)), ListReply(), False


def over_the_estimate(rng: random.Random) -> tuple[Answer, ListReply, bool]:
    return chat_answer(tokens_in=40, tokens_out=rng.randint(30, 80)), ListReply(), False


def leaving_early(rng: random.Random) -> tuple[Answer, ListReply, bool]:
    async def leave(chunk: bytes) -> None:
        raise asyncio.CancelledError

    return stream_answer("Hi", "there"), ListReply(before_send=leave), True


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 12), st.integers(1, 25))
async def test_attack_16_a_burst_spends_no_more_than_the_cap_and_what_was_in_flight(
    rng: random.Random, n_fitting: int, n_calls: int
) -> None:
    """Every call is in flight at once. Each may cost more than was reserved, by its own surplus only."""

    async def pause(index: int) -> None:
        await asyncio.sleep(0.001)

    cap = n_fitting * RESERVED
    plans = [rng.choice((in_time, over_the_estimate, leaving_early))(rng) for _ in range(n_calls)]
    answers = {str(index): replace(plan[0], before_chunk=pause) for index, plan in enumerate(plans)}
    rig = Rig(policy_of(cap), script=lambda request: answers[request.prompt_id or ""], clock=StillClock())

    await asyncio.gather(
        *(
            rig.call(body_with(is_stream), reply=reply, headers={"x-trimtab-prompt-id": str(index)})
            for index, (_, reply, is_stream) in enumerate(plans)
        )
    )

    spent = [entry.call.cost_nano_usd or 0 for entry in rig.recorder.entries]
    assert len(spent) == n_calls
    surplus = sum(max(0, cost - RESERVED) for cost in spent)
    assert sum(spent) <= cap + surplus
    assert surplus or len(rig.asked) >= min(n_calls, n_fitting)  # and nobody is refused while there is room


def body_with(is_stream: bool) -> bytes:
    return CALL.replace(b'"max_tokens"', b'"stream": true, "max_tokens"') if is_stream else CALL


async def test_attack_16_leaving_a_stream_early_uses_up_the_cap_like_staying() -> None:
    rig = Rig(policy_of(RESERVED), script=lambda _: stream_answer("Hi", "there"), clock=StillClock())
    n_served = 0
    for _ in range(30):
        _, reply, _ = leaving_early(random.Random(0))
        outcome = await rig.call(body_with(True), reply=reply)
        n_served += not isinstance(outcome.error, BudgetExhausted)

    assert 1 <= n_served < 10


async def test_attack_16_the_keepers_room_and_the_ledger_agree_after_any_endings() -> None:
    leases = MemoryLeases()
    rng = random.Random(16)
    cap = 40 * RESERVED
    rig = Rig(policy_of(cap), leases=leases, clock=StillClock())
    for _ in range(200):
        answer, reply, is_stream = rng.choice((in_time, leaving_early))(rng)
        rig.providers["cloud"].script = lambda _, answer=answer: answer  # type: ignore[misc]  # a bound default
        outcome = await rig.call(body_with(is_stream), reply=reply)
        leases.book("organisation", TODAY, outcome.call.cost_nano_usd or 0)

    booked, leased = leases.booked["organisation", TODAY], leases.leased["organisation", TODAY]
    assert booked == sum(entry.call.cost_nano_usd or 0 for entry in rig.recorder.entries)
    assert booked + leased <= cap
    assert leased >= 0


CLAMPED = "policy: p\norganisation: {sensitivity: internal, max_output_tokens: 100, max_choices: 2}\n"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"max_tokens": 1_000_000}, {"max_tokens": 100}),
        ({"max_completion_tokens": 1_000_000}, {"max_completion_tokens": 100}),
        ({"max_completion_tokens": 1, "max_tokens": 9_999}, {"max_completion_tokens": 1, "max_tokens": 100}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({}, {"max_tokens": 100}),
        ({"max_tokens": None}, {"max_tokens": 100}),
        ({"n": 50, "max_tokens": 10}, {"n": 2, "max_tokens": 10}),
        ({"n": 1, "max_tokens": 10}, {"n": 1, "max_tokens": 10}),
    ],
)
async def test_attack_17_the_server_clamps_output_and_choices(asked: dict[str, int], sent: dict[str, int]) -> None:
    rig = Rig(CLAMPED)

    await rig.call(asked)

    body = json.loads(rig.asked[0].body)
    names = ("n", "max_tokens", "max_completion_tokens")
    assert {name: body[name] for name in names if body.get(name) is not None} == sent


async def test_attack_17_a_limit_named_twice_is_clamped_and_sent_once() -> None:
    rig = Rig(CLAMPED)

    await rig.call(
        b'{"model":"auto","max_tokens":5,"messages":[{"role":"user","content":"x"}],"max\\u005ftokens":99999}'
    )

    pairs = json.loads(rig.asked[0].body, object_pairs_hook=list)
    assert [value for name, value in pairs if name == "max_tokens"] == [100]


async def test_attack_17_a_model_that_policy_denies_is_not_reached_by_naming_it() -> None:
    policy = "policy: p\norganisation: {sensitivity: internal, models: {deny: ['cloud:large']}}\n"
    rig = Rig(policy)

    named = await rig.call({"model": "cloud:large"})
    bare = await rig.call({"model": "large"})
    twice = await rig.call(b'{"model":"auto","messages":[{"role":"user","content":"x"}],"model":"cloud:large"}')

    assert [type(o.error) for o in (named, bare, twice)] == [PolicyRefused] * 3
    assert rig.asked == []


@pytest.mark.parametrize(
    ("asked", "n_tokens"),
    [
        ({"max_tokens": 32, "n": 4}, 4 * 32),
        ({"max_completion_tokens": 1, "max_tokens": 512}, 512),
        ({"max_tokens": 33}, 64),
        ({}, 1024),
    ],
)
async def test_attack_17_n_times_the_largest_limit_is_reserved(asked: dict[str, int], n_tokens: int) -> None:
    call = body_of(**asked)  # type: ignore[arg-type]  # by name
    n_input = 1 << (len(call) // 4 - 1).bit_length()
    need = (n_input + n_tokens) * RATE

    async def outcome_of(cap: int) -> Outcome:
        return await Rig(policy_of(cap), clock=StillClock()).call(call)

    assert (await outcome_of(need)).error is None
    assert isinstance((await outcome_of(need - 1)).error, BudgetExhausted)


async def test_an_unpriced_models_call_holds_nothing_and_is_recorded_as_unpriced() -> None:
    rig = Rig(policy_of(1), price_usd_per_mtok=None, clock=StillClock())

    outcome = await rig.call(CALL)

    assert outcome.error is None
    assert outcome.call.cost_nano_usd is None


def failing_once(seen: list[UpstreamRequest]) -> Callable[[UpstreamRequest], Answer]:
    def script(request: UpstreamRequest) -> Answer:
        seen.append(request)
        return Answer([b"{}"], status=500) if len(seen) == 1 else chat_answer(tokens_in=32, tokens_out=32)

    return script


async def test_s25_a_failover_settles_what_the_model_that_answered_cost() -> None:
    prices = {"cloud:large": Decimal(10), "cloud:middle": Decimal(20), "local:small": Decimal(1)}
    rig = Rig(policy_of(3 * RESERVED), script=failing_once([]), prices=prices, clock=StillClock())

    first, second, third = [await rig.call(CALL) for _ in range(3)]

    assert first.call.cost_nano_usd == 2 * RESERVED  # reserved at 10, billed at 20 dollars a million
    assert second.call.status == CallStatus.OK
    assert isinstance(third.error, BudgetExhausted)


async def test_attack_16_a_call_too_large_for_a_shared_cap_shuts_nobody_out() -> None:
    rig = Rig(policy_of(10 * RESERVED), script=lambda _: chat_answer(tokens_in=32, tokens_out=32), clock=StillClock())

    large = await rig.call({"max_tokens": 2_000_000}, caller=Caller(key_id="k2", app="other"))
    small = [await rig.call(CALL) for _ in range(5)]

    assert isinstance(large.error, BudgetExhausted)
    assert {outcome.call.status for outcome in small} == {CallStatus.OK}
