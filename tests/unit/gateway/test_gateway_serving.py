"""One call through the gateway: whatever happens, one record, and what it says is what happened."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import StillClock
from tests.support.gateway_rig import (
    Answer,
    Rig,
    Script,
    body_of,
    chat_answer,
    chat_body,
    delta,
    failing,
    stream_answer,
)

from trimtab.catalog import Pool
from trimtab.core import Api, CallStatus, CostSource
from trimtab.core.errors import (
    InvalidRequest,
    PermissionDenied,
    PolicyMissing,
    PolicyRefused,
    RateLimited,
    TrimtabError,
    UnknownModel,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from trimtab.gateway import Caller, GatewaySettings, UpstreamRequest
from trimtab.routing import replay

LARGE, MIDDLE, SMALL = "cloud:large", "cloud:middle", "local:small"
REFUSING = "policy: none\norganisation: {sensitivity: internal, models: {allow: ['no:one']}}\n"


def by_model(**answers: Answer | Exception) -> Script:
    """Answer by the provider's own model name; the others answer well."""
    return lambda request: answers.get(request.model, chat_answer())


async def _hang(index: int) -> None:
    await asyncio.sleep(60)


HANGING = Answer([b"x"], before_chunk=_hang)
Ending = tuple[str, Script, CallStatus, list[str]]
ENDINGS: list[Ending] = [
    ("ok", by_model(), CallStatus.OK, [LARGE]),
    ("a bad request", by_model(large=failing(400)), CallStatus.ERROR, [LARGE]),
    ("429, then a failover", by_model(large=failing(429)), CallStatus.OK, [LARGE, MIDDLE]),
    ("refused connection, then a failover", by_model(large=UpstreamError("no")), CallStatus.OK, [LARGE, MIDDLE]),
    ("all fail", lambda _: failing(500), CallStatus.ERROR, [LARGE, MIDDLE, SMALL]),
    ("all hang up", lambda _: UpstreamTimeout("late"), CallStatus.ERROR, [LARGE, MIDDLE, SMALL]),
    (
        "cut before its first chunk",
        by_model(large=Answer([UpstreamError("cut")])),
        CallStatus.OK,
        [LARGE, MIDDLE],
    ),
]


@pytest.mark.parametrize(("script", "status", "tried"), [e[1:] for e in ENDINGS], ids=[e[0] for e in ENDINGS])
async def test_promise_2_whatever_a_provider_does_there_is_one_record_and_it_replays(
    script: Script, status: CallStatus, tried: list[str]
) -> None:
    rig = Rig(script=script)

    outcome = await rig.call()

    assert (outcome.call.status, outcome.tried) == (status, tried)
    decision = rig.decision_of(outcome.call)
    assert replay(decision) == decision.model == LARGE
    assert outcome.call.model == tried[-1]


async def test_promise_2_a_stream_cut_after_its_start_is_recorded_once_and_ends_with_an_error_event() -> None:
    rig = Rig(
        script=lambda _: Answer([delta("Hel"), UpstreamError("cut")], headers={"content-type": "text/event-stream"})
    )

    outcome = await rig.call({"stream": True})

    assert (outcome.call.status, outcome.call.error_code) == (CallStatus.ERROR, "upstream_error")
    assert outcome.tried == [LARGE]  # no second model may finish another one's sentence
    assert outcome.reply.chunks[0] == delta("Hel")
    assert json.loads(outcome.reply.chunks[1].removeprefix(b"data: "))["error"]["code"] == "upstream_error"
    assert outcome.reply.is_ended


async def test_promise_2_a_client_that_leaves_is_recorded_and_the_upstream_is_let_go() -> None:
    rig = Rig(script=lambda _: HANGING)
    serving = asyncio.create_task(rig.call())
    while not rig.providers["cloud"].responses:
        await asyncio.sleep(0)

    serving.cancel()
    outcome = await serving

    assert (outcome.call.status, outcome.call.http_status) == (CallStatus.CANCELLED, 499)
    assert outcome.tried == [LARGE]
    assert rig.providers["cloud"].responses[0].is_closed
    assert rig.gateway.n_in_flight == 0


async def test_promise_2_a_refused_call_has_its_record_too() -> None:
    rig = Rig(REFUSING)

    outcome = await rig.call()

    assert isinstance(outcome.error, PolicyRefused)
    assert (outcome.call.status, outcome.call.model, outcome.tried) == (CallStatus.REFUSED, None, [])
    assert outcome.call.http_status == 403
    assert outcome.error.call_id == outcome.call.call_id
    assert replay(rig.decision_of(outcome.call)) is None


async def test_a_refusal_names_the_rule_that_removed_the_last_model() -> None:
    outcome = await Rig(REFUSING).call()

    assert isinstance(outcome.error, PolicyRefused)
    assert "organisation" in outcome.error.message


async def test_an_empty_pool_is_refused_with_a_reason() -> None:
    outcome = await Rig(pool=Pool.of([])).call()

    assert isinstance(outcome.error, PolicyRefused)
    assert "no models" in outcome.error.message


BEFORE: list[tuple[dict[str, object] | bytes, dict[str, str], type[TrimtabError]]] = [
    (b"{", {}, InvalidRequest),
    ({"model": "gpt-77"}, {}, UnknownModel),
    ({"model": "cloud:large "}, {}, UnknownModel),
    ({}, {"x-trimtab-mode": "cheapest"}, InvalidRequest),
    ({}, {"x-trimtab-sensitivity": "top-secret"}, InvalidRequest),
    ({}, {"x-trimtab-workload": "A B"}, InvalidRequest),
    ({"max_tokens": "many"}, {}, InvalidRequest),
    ({"n": 0}, {}, InvalidRequest),
]


@pytest.mark.parametrize(("fields", "headers", "kind"), BEFORE)
async def test_a_mistake_found_before_the_decision_leaves_no_record_and_asks_nobody(
    fields: dict[str, object] | bytes, headers: dict[str, str], kind: type[TrimtabError]
) -> None:
    rig = Rig()

    outcome = await rig.call(fields, headers=headers)

    assert type(outcome.error) is kind
    assert (outcome.entries, rig.asked) == ([], [])
    assert outcome.error.call_id is None


async def test_s17_without_a_policy_the_gateway_refuses_and_never_guesses() -> None:
    rig = Rig(None)

    outcome = await rig.call()

    assert isinstance(outcome.error, PolicyMissing)
    assert rig.asked == []


async def test_s17_each_record_carries_policy_version_and_rule() -> None:
    rig = Rig()

    call = (await rig.call()).call

    assert rig.rulebook.policy is not None
    assert (call.policy_version, call.rule_id) == (rig.rulebook.policy.version, "organisation")
    assert rig.decision_of(call).constraints.policy_id == "open"


async def test_scopes_and_limits_are_checked_before_the_body_is_read() -> None:
    rig = Rig()
    embedder = Caller(key_id="k", app="a", scopes=frozenset({"embeddings"}))
    slow = Caller(key_id="k2", app="a", calls_per_minute=1)

    assert isinstance((await rig.call(b"{", caller=embedder)).error, PermissionDenied)
    assert (await rig.call(caller=slow)).error is None
    assert isinstance((await rig.call(b"{", caller=slow)).error, RateLimited)


async def test_a_token_limit_counts_a_quarter_of_the_bytes() -> None:
    rig = Rig()
    caller = Caller(key_id="k", app="a", tokens_per_minute=100)
    call = body_of("x" * 220)  # some 280 bytes, 70 tokens

    assert (await rig.call(call, caller=caller)).error is None
    assert isinstance((await rig.call(call, caller=caller)).error, RateLimited)


async def test_the_answer_passes_byte_for_byte_with_cost_and_names_in_its_head() -> None:
    answer = chat_body("Hi.", tokens_in=1_000, tokens_out=500).replace(b": ", b" :  ")
    rig = Rig(script=lambda _: Answer([answer[:7], answer[7:]], headers={"content-type": "application/json; x=y"}))

    reply = (outcome := await rig.call({}, headers={"x-trimtab-workload": "mail"})).reply

    assert (reply.status, reply.body, reply.is_ended) == (200, answer, True)
    assert reply.header("content-type") == "application/json; x=y"
    assert reply.header("content-length") == str(len(answer))
    assert reply.header("x-trimtab-cost-usd") == "0.015"  # 1,500 tokens at $10 a million
    assert (reply.header("x-trimtab-model"), reply.header("x-trimtab-workload")) == (LARGE, "mail")
    assert reply.header("x-trimtab-call-id") == outcome.call.call_id
    assert reply.header("x-trimtab-decision") == outcome.call.decision_digest


async def test_what_the_head_said_is_what_the_record_says() -> None:
    call = (await Rig(script=lambda _: chat_answer(tokens_in=1_000, tokens_out=500)).call()).call

    assert (call.cost_nano_usd, call.cost_source) == (15_000_000, CostSource.PRICED)
    assert (call.usage.input_tokens, call.usage.output_tokens, call.finish_reason) == (1_000, 500, "stop")
    assert (call.app, call.key_id, call.requested_model, call.mode) == ("shop", "k1", "auto", "auto")


async def test_an_unpriced_answer_shows_no_cost_and_never_zero() -> None:
    outcome = await Rig(price_usd_per_mtok=None, script=lambda _: chat_answer()).call()

    assert outcome.reply.header("x-trimtab-cost-usd") is None
    assert (outcome.call.cost_nano_usd, outcome.call.cost_source) == (None, CostSource.UNPRICED)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OTHER_NAMES = st.text(max_size=12).filter(
    lambda name: name not in {"model", "messages", "stream", "n", "max_tokens", "max_completion_tokens"}
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(OTHER_NAMES, JSON_VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
async def test_every_field_but_model_reaches_the_provider_byte_for_byte(
    extra: dict[str, object], indent: int | None, is_ascii: bool
) -> None:
    fields = {"messages": [{"role": "user", "content": "Grüße"}], **extra}
    parts = {name: json.dumps(value, indent=indent, ensure_ascii=is_ascii) for name, value in fields.items()}
    members = [f"{json.dumps(name, ensure_ascii=is_ascii)}: {text}" for name, text in parts.items()]
    rig = Rig()

    outcome = await rig.call(("{" + ",\n ".join(['"model":"auto"', *members]) + "}").encode())

    assert outcome.error is None
    sent = rig.asked[0].body.decode()
    assert all(text in sent for text in parts.values())
    assert json.loads(sent) == {**fields, "model": "large"}


async def test_s7_the_model_field_is_the_only_thing_routing_changes_about_a_call() -> None:
    rig = Rig()
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    fields: dict[str, Any] = {"tools": tools, "logprobs": True, "seed": 7, "x_unknown": [1, {"y": None}]}  # Any: JSON

    await rig.call(fields)

    sent = json.loads(rig.asked[0].body)
    assert sent == {**json.loads(body_of(**fields)), "model": "large"}


async def test_only_harmless_headers_travel_up_and_down() -> None:
    up = {"anthropic-beta": "b1", "authorization": "Bearer tt-1", "cookie": "c", "x-api-key": "tt-1"}
    down = {"x-request-id": "r1", "set-cookie": "s", "server": "nginx", "x-ratelimit-remaining-requests": "9"}
    rig = Rig(script=lambda _: Answer([chat_body()], headers={"content-type": "application/json", **down}))

    reply = (await rig.call({}, headers=up)).reply

    assert rig.asked[0].headers == {"anthropic-beta": "b1"}
    assert (reply.header("x-request-id"), reply.header("x-ratelimit-remaining-requests")) == ("r1", "9")
    assert (reply.header("set-cookie"), reply.header("server")) == (None, None)


async def test_a_provider_without_a_free_slot_is_asked_last_and_the_reason_says_so() -> None:
    rig = Rig()
    rig.providers["cloud"].unavailable = {"large"}

    call = (await rig.call()).call

    assert call.model == MIDDLE
    assert "not available now" in rig.decision_of(call).reason


async def test_no_more_models_are_asked_than_the_settings_allow() -> None:
    rig = Rig(script=lambda _: UpstreamUnavailable("full"), settings=GatewaySettings(max_attempts=2))

    outcome = await rig.call()

    assert outcome.tried == [LARGE, MIDDLE]
    assert isinstance(outcome.error, UpstreamUnavailable)
    assert outcome.call.http_status == 503  # what the client is told, not what a provider said


async def test_the_last_models_own_error_passes_back_as_it_is() -> None:
    outcome = await Rig(script=lambda _: failing(429, "slow down")).call()

    assert (outcome.reply.status, json.loads(outcome.reply.body)) == (429, {"error": {"message": "slow down"}})
    assert (outcome.call.http_status, outcome.call.error_code) == (429, "upstream_status_429")


async def test_an_answer_over_the_size_limit_is_the_providers_failure() -> None:
    rig = Rig(
        script=by_model(large=Answer([b"x" * 60, b"x" * 60])), settings=GatewaySettings(max_response_bytes=100_000)
    )
    tight = Rig(
        script=by_model(large=Answer([b"x" * 60_000, b"x" * 60_000])),
        settings=GatewaySettings(max_response_bytes=99_999),
    )

    assert (await rig.call()).tried == [LARGE]
    assert (await tight.call()).tried == [LARGE, MIDDLE]


async def test_the_whole_call_has_one_deadline() -> None:
    clock = StillClock()

    def slow(request: UpstreamRequest) -> Exception:
        clock.mono_s += 6.0
        return UpstreamTimeout("late")

    rig = Rig(script=slow, clock=clock, settings=GatewaySettings(call_timeout_s=10.0))
    outcome = await rig.call()

    assert outcome.tried == [LARGE, MIDDLE]  # 12 s have passed, so the third is not asked
    assert {request.deadline_s for request in rig.asked} == {10.0}


async def test_a_recorded_answer_is_marked_and_keeps_the_outcome_it_came_with() -> None:
    headers = {
        "content-type": "application/json",
        "x-trimtab-recorded-score": "0.75",
        "x-trimtab-recorded-cost-usd": "0.000123",
    }
    rig = Rig(is_recorded=True, script=lambda _: Answer([chat_body()], headers=headers))

    outcome = await rig.call({}, headers={"x-trimtab-prompt-id": "p-7"})

    assert rig.asked[0].prompt_id == outcome.call.prompt_id == "p-7"
    assert outcome.reply.header("x-trimtab-recorded") == "1"
    assert outcome.reply.header("x-trimtab-recorded-score") is None
    call = outcome.call
    assert (call.is_recorded, call.quality_fraction) == (True, 0.75)
    assert (call.cost_nano_usd, call.cost_source) == (123_000, CostSource.RECORDED)


async def test_a_live_provider_cannot_pass_for_a_recorded_one() -> None:
    lying = {"content-type": "application/json", "x-trimtab-recorded-cost-usd": "0", "x-trimtab-recorded-score": "1"}
    outcome = await Rig(script=lambda _: Answer([chat_body()], headers=lying)).call()

    assert outcome.call.cost_source == CostSource.PRICED
    assert (outcome.call.is_recorded, outcome.call.quality_fraction) == (False, None)


@pytest.mark.parametrize("api", list(Api))
async def test_each_wire_form_is_served_in_its_own_form(api: Api) -> None:
    bodies: dict[Api, Callable[[], bytes]] = {
        Api.CHAT_COMPLETIONS: lambda: body_of(),
        Api.MESSAGES: lambda: body_of(max_tokens=9),
        Api.EMBEDDINGS: lambda: b'{"model":"auto","input":"x"}',
    }
    rig = Rig()

    outcome = await rig.call(bodies[api](), api=api)

    assert outcome.call.api == api.value == rig.asked[0].api


@pytest.mark.parametrize(
    ("mode", "has_bodies"), [("full", True), ("redacted", True), ("metadata", False), ("none", False)]
)
async def test_bodies_go_to_the_journal_only_where_policy_keeps_them(mode: str, has_bodies: bool) -> None:
    policy = f"policy: p\norganisation: {{sensitivity: internal, store: {mode}}}\n"

    outcome = await Rig(policy).call()

    entry = outcome.entries[0]
    assert (entry.request_body is not None, entry.response_body is not None) == (has_bodies, has_bodies)
    assert entry.call.store_mode == mode


async def test_recorded_bodies_are_cut_and_relayed_ones_are_not() -> None:
    rig = Rig(script=lambda _: chat_answer("x" * 5_000), settings=GatewaySettings(max_recorded_body_bytes=100))

    outcome = await rig.call(body_of("y" * 500))

    assert len(outcome.entries[0].request_body or b"") == len(outcome.entries[0].response_body or b"") == 100
    assert len(outcome.reply.body) > 5_000


async def test_a_streams_price_is_booked_when_it_ends() -> None:
    outcome = await Rig(script=lambda _: stream_answer("Hi"), price_usd_per_mtok=Decimal(2)).call({"stream": True})

    assert outcome.call.cost_nano_usd == 30_000  # 15 tokens at $2 a million
