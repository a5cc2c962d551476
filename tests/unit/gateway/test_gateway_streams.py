"""Streams: chunks travel as they come, usage is obtained and hidden, a slow client slows the provider."""

import asyncio
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.gateway_rig import (
    DONE,
    SSE,
    Answer,
    ListReply,
    Rig,
    chat_body,
    delta,
    stream_answer,
    usage_event,
)

from trimtab.core import Api, CallStatus, CostSource
from trimtab.core.errors import InvalidRequest, UpstreamError
from trimtab.gateway import GatewaySettings

STREAM = {"stream": True}


async def test_each_chunk_reaches_the_client_before_the_next_one_exists() -> None:
    reply, arrived = ListReply(), []

    async def note(index: int) -> None:
        arrived.append(len(reply.chunks))

    chunks = [delta("a"), delta("b"), delta("c", "stop"), usage_event(), DONE]
    rig = Rig(script=lambda _: Answer(chunks, headers=SSE, before_chunk=note))

    await rig.call(STREAM, reply=reply)

    assert arrived == [0, 1, 2, 3, 3]  # the hidden usage adds nothing
    assert reply.chunks[:4] == [*chunks[:3], DONE]


async def test_a_slow_client_slows_the_provider_and_nothing_piles_up() -> None:
    produced, gate = [], asyncio.Semaphore(0)

    async def note(index: int) -> None:
        produced.append(index)

    async def wait_for_the_client(chunk: bytes) -> None:
        await gate.acquire()

    rig = Rig(script=lambda _: Answer([delta("x")] * 50 + [DONE], headers=SSE, before_chunk=note))
    serving = asyncio.create_task(rig.call(STREAM, reply=ListReply(before_send=wait_for_the_client)))
    for n_taken in range(1, 4):
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(produced) == n_taken  # one chunk in hand, the next one not asked for
        gate.release()
    serving.cancel()
    await serving


async def test_usage_is_asked_for_and_the_client_does_not_notice() -> None:
    rig = Rig(script=lambda _: stream_answer("Hi", "!"))

    outcome = await rig.call(STREAM)

    assert json.loads(rig.asked[0].body)["stream_options"] == {"include_usage": True}
    assert outcome.reply.body == delta("Hi") + delta("!") + delta("", "stop") + DONE
    assert (outcome.call.usage.input_tokens, outcome.call.usage.output_tokens) == (10, 5)
    assert (outcome.call.finish_reason, outcome.call.status) == ("stop", CallStatus.OK)


async def test_a_client_that_asks_for_usage_gets_it() -> None:
    rig = Rig(script=lambda _: stream_answer("Hi"))

    outcome = await rig.call({**STREAM, "stream_options": {"include_usage": True, "x": 1}})

    assert json.loads(rig.asked[0].body)["stream_options"] == {"include_usage": True, "x": 1}
    assert usage_event() in outcome.reply.body
    assert outcome.call.usage.output_tokens == 5


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False, "include_obfuscation": False}])
async def test_other_stream_options_are_kept(options: dict[str, bool] | None) -> None:
    rig = Rig(script=lambda _: stream_answer("Hi"))

    outcome = await rig.call({**STREAM, "stream_options": options})

    assert json.loads(rig.asked[0].body)["stream_options"] == {**(options or {}), "include_usage": True}
    assert usage_event() not in outcome.reply.body


async def test_stream_options_of_a_wrong_type_are_the_callers_mistake() -> None:
    outcome = await Rig().call({**STREAM, "stream_options": [1]})

    assert isinstance(outcome.error, InvalidRequest)
    assert outcome.error.param == "stream_options"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 600), max_size=12))
async def test_however_the_provider_cuts_its_stream_the_client_gets_all_but_the_usage(cuts: list[int]) -> None:
    whole = delta("Grüße") + delta("", "stop") + usage_event(7, 9) + DONE
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in pairwise(edges)]

    outcome = await Rig(script=lambda _: Answer(pieces, headers=SSE)).call(STREAM)

    assert outcome.reply.body == whole.replace(usage_event(7, 9), b"")
    assert outcome.call.usage.output_tokens == 9
    assert outcome.reply.is_ended


async def test_head_and_first_chunk_leave_together_and_name_no_length() -> None:
    outcome = await Rig(script=lambda _: stream_answer("Hi")).call(STREAM)

    reply = outcome.reply
    assert reply.header("content-type") == "text/event-stream; charset=utf-8"
    assert (reply.header("content-length"), reply.header("x-accel-buffering")) == (None, "no")
    assert reply.header("x-trimtab-call-id") == outcome.call.call_id
    assert outcome.call.ttft_ms is not None


async def test_no_head_is_sent_for_a_stream_that_never_begins_so_another_model_can_answer() -> None:
    def script(request: object) -> Answer:
        is_first = len(rig.asked) == 1
        return Answer([UpstreamError("cut")], headers=SSE) if is_first else stream_answer("Hi")

    rig = Rig(script=script)
    outcome = await rig.call(STREAM)

    assert outcome.tried == ["cloud:large", "cloud:middle"]
    assert outcome.reply.header("x-trimtab-model") == "cloud:middle"


async def test_the_error_of_a_failed_try_does_not_mark_the_next_models_answer() -> None:
    error = b'data: {"error":{"message":"overloaded"},"choices":[],"usage":{"prompt_tokens":1}}\n\n'

    def script(request: object) -> Answer:
        is_first = len(rig.asked) == 1
        return Answer([error], headers=SSE) if is_first else stream_answer("Hi")

    rig = Rig(script=script)
    call = (await rig.call(STREAM)).call

    assert (call.model, call.status, call.error_code) == ("cloud:middle", CallStatus.OK, None)


async def test_a_stream_without_a_chunk_is_a_failure() -> None:
    outcome = await Rig(script=lambda _: Answer([], headers=SSE)).call(STREAM)

    assert isinstance(outcome.error, UpstreamError)
    assert len(outcome.tried) == 3


async def test_usage_that_came_before_the_cut_is_booked() -> None:
    broken = stream_answer("Hi", tail=[usage_event(1_000, 500), UpstreamError("cut")])

    call = (await Rig(script=lambda _: broken).call(STREAM)).call

    assert (call.status, call.cost_nano_usd, call.cost_source) == (CallStatus.ERROR, 15_000_000, CostSource.PRICED)


async def test_a_stream_cut_before_its_usage_costs_an_estimate_that_says_so() -> None:
    broken = stream_answer("Hi", tail=[UpstreamError("cut")])

    call = (await Rig(script=lambda _: broken).call(STREAM)).call

    assert call.cost_source == CostSource.ESTIMATED
    assert call.cost_nano_usd is not None
    assert not call.usage.is_known


async def test_a_cut_message_stream_ends_with_anthropics_error_event() -> None:
    start = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n'
    rig = Rig(script=lambda _: Answer([start, UpstreamError("cut")], headers=SSE))

    reply = (await rig.call({**STREAM, "max_tokens": 9}, api=Api.MESSAGES)).reply

    assert reply.chunks[-1].startswith(b'event: error\ndata: {"type":"error"')


async def test_anthropic_streams_pass_untouched_with_their_own_usage() -> None:
    start = b'data: {"type":"message_start","message":{"usage":{"input_tokens":30,"output_tokens":1}}}\n\n'
    end = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":12}}\n\n'
    events = b"event: message_start\n" + start + b"event: message_delta\n" + end
    rig = Rig(script=lambda _: Answer([events], headers=SSE))

    outcome = await rig.call({**STREAM, "max_tokens": 9}, api=Api.MESSAGES)

    assert outcome.reply.body == events
    assert "stream_options" not in json.loads(rig.asked[0].body)
    assert (outcome.call.usage.input_tokens, outcome.call.usage.output_tokens) == (30, 12)


async def test_a_provider_that_answers_a_stream_with_json_is_relayed_as_json() -> None:
    outcome = await Rig(script=lambda _: Answer([chat_body()])).call(STREAM)

    assert outcome.reply.body == chat_body()
    assert outcome.reply.header("content-length") == str(len(chat_body()))


async def test_of_a_long_stream_the_beginning_is_kept_and_everything_is_relayed() -> None:
    rig = Rig(script=lambda _: stream_answer(*["word"] * 100), settings=GatewaySettings(max_recorded_body_bytes=200))

    outcome = await rig.call(STREAM)

    assert outcome.entries[0].response_body == outcome.reply.body[:200]
    assert outcome.reply.body.count(b'"word"') == 100


async def test_a_client_that_leaves_a_stream_pays_an_estimate_and_the_upstream_is_closed() -> None:
    async def leave(chunk: bytes) -> None:
        raise asyncio.CancelledError

    rig = Rig(script=lambda _: stream_answer("Hi", "there"))
    call = (await rig.call(STREAM, reply=ListReply(before_send=leave))).call

    assert (call.status, call.http_status, call.cost_source) == (CallStatus.CANCELLED, 499, CostSource.ESTIMATED)
    assert rig.providers["cloud"].responses[0].is_closed
