"""What goes wrong at the edges of a call: leaving, failing and waiting, and what is booked for it."""

import asyncio
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from tests.support.clock import StillClock
from tests.support.gateway_rig import (
    SSE,
    Answer,
    MemoryLeases,
    Rig,
    chat_answer,
    chat_body,
    delta,
)

from trimtab.core import Api
from trimtab.core.errors import StoreError, UpstreamError, UpstreamTimeout
from trimtab.gateway import BudgetKeeper, UpstreamRequest
from trimtab.gateway.budgets import Reservation, caps_of
from trimtab.policy import Budget


async def test_a_models_latency_does_not_contain_the_failure_of_the_one_before() -> None:
    """Otherwise a latency target (S24) would exclude the innocent one."""
    clock = StillClock()

    def script(request: UpstreamRequest) -> Answer | Exception:
        if request.model == "large":
            clock.mono_s += 30.0
            return UpstreamTimeout("late")
        clock.mono_s += 0.1
        return chat_answer()

    rig = Rig(script=script, clock=clock)
    await rig.call()

    assert rig.measurements.speed("cloud:middle").total_p95_ms == pytest.approx(100.0)


async def test_an_estimate_of_a_left_stream_is_near_the_tokens_that_passed() -> None:
    """One word is some 200 bytes of event: what counts is the text in it."""
    words = [
        b'data: {"id":"chatcmpl-9zXkQ","object":"chat.completion.chunk","created":1795500000,"model":"gpt-x",'
        b'"service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" word"},'
        b'"logprobs":null,"finish_reason":null}]}\n\n'
    ] * 100
    rig = Rig(
        script=lambda _: Answer([*words, UpstreamError("cut")], headers=SSE), price_usd_per_mtok=Decimal(1_000_000)
    )

    call = (await rig.call({"stream": True})).call

    assert call.cost_nano_usd is not None
    n_tokens = call.cost_nano_usd // 1_000_000_000
    assert n_tokens < 300  # 100 words and a short prompt


async def test_metrics_do_not_grow_with_the_names_that_callers_invent() -> None:
    rig = Rig()
    for index in range(500):
        await rig.call({}, headers={"x-trimtab-workload": f"w{index}"})

    assert rig.metrics.render().count(b"\n") < 500


async def test_attack_32_an_upstream_header_cannot_carry_a_line_break() -> None:
    headers = {"content-type": "application/json", "x-request-id": "a\r\nset-cookie: x"}
    outcome = await Rig(script=lambda _: Answer([chat_body()], headers=headers)).call()

    assert all(b"\r" not in v and b"\n" not in v for _, v in outcome.reply.headers)


async def test_a_recorded_cost_does_not_stick_to_the_live_model_that_answers_instead() -> None:
    recorded = Answer(
        [UpstreamError("cut")], headers={"content-type": "application/json", "x-trimtab-recorded-cost-usd": "9"}
    )
    rig = Rig("policy: p\norganisation: {sensitivity: internal, prefer: ['local:small']}\n")
    rig.providers["local"].is_recorded = True
    rig.providers["local"].script = lambda _: recorded

    call = (await rig.call()).call

    assert call.model == "cloud:large"
    assert (call.cost_source, call.cost_nano_usd) == ("priced", 150_000)


class SlowLeases(MemoryLeases):
    def lease(self, *args: Any, **options: Any) -> int:
        time.sleep(0.05)
        return super().lease(*args, **options)


async def test_a_client_that_leaves_while_the_lease_is_fetched_loses_no_room() -> None:
    leases = SlowLeases()
    keeper = BudgetKeeper(leases, "w", StillClock())
    caps = caps_of([Budget(scope="a", per_day_nano_usd=100)], 1)
    task = asyncio.create_task(keeper.reserve(caps, 100))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.1)

    assert isinstance(await keeper.reserve(caps, 100), Reservation)


class BrokenSecond(MemoryLeases):
    is_broken = True

    def lease(self, worker: str, scope: str, *args: Any, **options: Any) -> int:
        if scope == "b" and self.is_broken:
            raise StoreError("down")
        return super().lease(worker, scope, *args, **options)


async def test_a_cap_that_cannot_be_asked_releases_what_the_others_held() -> None:
    leases = BrokenSecond()
    keeper = BudgetKeeper(leases, "w", StillClock())
    caps = caps_of([Budget(scope="a", per_day_nano_usd=100), Budget(scope="b", per_day_nano_usd=100)], 1)
    with pytest.raises(StoreError):
        await keeper.reserve(caps, 100)
    leases.is_broken = False

    assert isinstance(await keeper.reserve(caps, 100), Reservation)


async def test_attack_16_a_client_that_leaves_before_a_whole_answer_still_uses_up_the_cap() -> None:
    """The provider computes and bills it."""

    async def leave(index: int) -> None:
        raise asyncio.CancelledError

    policy = "policy: p\norganisation: {sensitivity: internal, budget: {per_day_usd: 0.03}}\n"
    rig = Rig(policy, script=lambda _: Answer([chat_body()], before_chunk=leave), clock=StillClock())
    for _ in range(50):
        await rig.call()

    assert len(rig.asked) < 50


async def test_an_error_event_inside_a_stream_is_no_success() -> None:
    broken = Answer([delta("Hi"), b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'], headers=SSE)
    call = (await Rig(script=lambda _: broken).call({"stream": True})).call

    assert call.status == "error"


async def test_a_call_that_waited_in_line_says_so_in_its_record() -> None:
    hold = asyncio.Event()

    async def wait(index: int) -> None:
        await hold.wait()

    policy = "policy: p\norganisation: {sensitivity: internal, budget: {per_day_usd: 0.012, on_exhausted: queue}}\n"
    rig = Rig(policy, script=lambda _: Answer([chat_body(tokens_in=1, tokens_out=1)], before_chunk=wait))
    first = asyncio.create_task(rig.call())
    while not rig.asked:
        await asyncio.sleep(0.001)
    second = asyncio.create_task(rig.call())
    await asyncio.sleep(0.05)
    hold.set()
    await asyncio.gather(first, second)

    last = rig.decision_of(rig.recorder.entries[-1].call)
    assert "waits for room" in last.reason


async def test_attack_17_a_name_of_the_other_wire_form_is_no_limit() -> None:
    rig = Rig("policy: p\norganisation: {sensitivity: internal, max_output_tokens: 100}\n")

    await rig.call({"max_completion_tokens": 1}, api=Api.MESSAGES)

    assert json.loads(rig.asked[0].body).get("max_tokens") == 100


async def test_a_whole_answer_that_reports_no_usage_is_estimated_by_its_text() -> None:
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": "four" * 25}}]}).encode()
    rig = Rig(script=lambda _: Answer([body]), price_usd_per_mtok=Decimal(1_000_000))

    call = (await rig.call()).call

    n_input = -(-len(rig.asked[0].body) // 4)
    assert call.cost_source == "estimated"
    assert call.cost_nano_usd is not None
    assert call.cost_nano_usd // 1_000_000_000 == pytest.approx(n_input + 25, abs=20)  # 100 bytes of text


async def test_a_recorded_answer_without_usage_or_cost_stays_unpriced_streamed_or_not() -> None:
    rig = Rig("policy: p\norganisation: {sensitivity: internal, prefer: ['local:small']}\n")
    rig.providers["local"].is_recorded = True
    rig.providers["local"].script = lambda request: (
        Answer([delta("Hi"), b"data: [DONE]\n\n"], headers=SSE) if request.is_stream else Answer([b'{"choices":[]}'])
    )

    calls = [(await rig.call({"stream": is_stream})).call for is_stream in (True, False)]

    assert [(call.model, call.cost_nano_usd, call.cost_source) for call in calls] == [
        ("local:small", None, "unpriced")
    ] * 2
