"""What must never come out: provider keys, prompts, and line breaks in heads and events."""

import json
import logging

import pytest
from tests.support.gateway_rig import (
    POOL,
    SSE,
    Answer,
    Outcome,
    Rig,
    Script,
    body_of,
    chat_answer,
    chat_body,
    delta,
    failing,
)

from trimtab.catalog import Capability, ModelCard, Pool
from trimtab.core import Api
from trimtab.core.errors import InvalidRequest, TrimtabError, UpstreamError
from trimtab.server.errors import body_of as error_body_of

CANARY = "sk-canary-4f1c"
PROMPT = "canary-prompt-7d20"


def told(outcome: Outcome) -> bytes:
    """Everything that the caller and the journal got to see."""
    seen = [outcome.reply.body, *(part for header in outcome.reply.headers for part in header)]
    if isinstance(outcome.error, TrimtabError):
        seen.append(error_body_of(outcome.error, Api.CHAT_COMPLETIONS))
    for entry in outcome.entries:
        seen += [repr(entry.call).encode(), entry.response_body or b"", entry.decision or b""]
    return b"\n".join(seen)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("pool", [POOL, Pool.of([next(iter(POOL))])], ids=["with failovers", "alone"])
async def test_attack_18_a_providers_complaint_about_our_key_reaches_neither_caller_nor_journal(
    status: int, pool: Pool
) -> None:
    headers = {"content-type": "application/json", "x-request-id": "r"}
    quoting = Answer([json.dumps({"error": {"message": f"bad key {CANARY}"}}).encode()], status=status, headers=headers)
    rig = Rig(pool=pool, script=lambda _: quoting)

    outcome = await rig.call()

    assert isinstance(outcome.error, UpstreamError)
    assert (outcome.error.status, outcome.reply.status) == (status, None)
    assert CANARY.encode() not in told(outcome) + rig.metrics.render()
    assert "own credentials" in outcome.error.message


async def test_attack_18_the_callers_key_does_not_travel_on() -> None:
    rig = Rig()

    outcome = await rig.call({}, headers={"authorization": f"Bearer {CANARY}", "x-api-key": CANARY})

    assert CANARY not in repr(rig.asked[0])
    assert CANARY.encode() not in told(outcome)


FAULTS: dict[str, Script] = {
    "none": lambda _: chat_answer(),
    "bad request": lambda _: failing(400),
    "all fail": lambda _: failing(500),
    "hang up": lambda _: UpstreamError("cut"),
    "cut stream": lambda _: Answer([delta("x"), UpstreamError("cut")], headers=SSE),
}
MISTAKES: dict[str, bytes] = {
    "plain": body_of(PROMPT),
    "stream": body_of(PROMPT, stream=True),
    "unknown model": body_of(PROMPT, model="gpt-77"),
    "wrong type": body_of(PROMPT, max_tokens="x"),
    "broken": body_of(PROMPT)[:-1],
    "not a message": body_of().replace(b'{"role"', b'"' + PROMPT.encode() + b'", {"role"'),
    "not UTF-8": body_of(PROMPT) + b"\xff",
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("script", FAULTS.values(), ids=FAULTS)
async def test_promise_8_no_prompt_in_errors_metrics_or_logs(
    script: Script, mistake: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(script=script)

    with caplog.at_level(logging.DEBUG):
        outcome = await rig.call(mistake)

    error = outcome.error
    shown = f"{error} {error.hint} {error!r}" if isinstance(error, TrimtabError) else ""
    assert PROMPT not in shown + caplog.text + rig.metrics.render().decode()
    assert all(PROMPT not in repr(entry.call) + (entry.decision or b"").decode() for entry in outcome.entries)


@pytest.mark.parametrize("name", ["a\r\nset-cookie: x", "a\nb", "a b", "ü", "A", "", "a" * 65, "../etc", "\x00"])
@pytest.mark.parametrize("where", ["header", "model"])
async def test_attack_32_a_workloads_name_cannot_carry_a_line_break(name: str, where: str) -> None:
    rig = Rig()
    fields, headers = ({}, {"x-trimtab-workload": name}) if where == "header" else ({"model": f"workload/{name}"}, {})

    outcome = await rig.call(fields, headers=headers)

    assert isinstance(outcome.error, InvalidRequest)
    assert b"set-cookie" not in error_body_of(outcome.error, Api.CHAT_COMPLETIONS)
    assert rig.asked == []


@pytest.mark.parametrize("header", ["x-trimtab-conversation", "x-trimtab-prompt-id"])
@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "\x00", "", "x" * 5_000])
async def test_attack_32_no_hint_carries_a_line_break_into_the_journal(header: str, value: str) -> None:
    outcome = await Rig().call({}, headers={header: value})

    assert isinstance(outcome.error, InvalidRequest)
    assert outcome.error.param == header


async def test_attack_32_a_models_name_cannot_carry_a_line_break_into_the_head() -> None:
    capabilities: frozenset[Capability] = frozenset({"chat", "streaming"})
    odd = ModelCard(provider="p", model="m\r\nset-cookie: x\x7fü", capabilities=capabilities)

    outcome = await Rig(pool=Pool.of([odd])).call()

    assert outcome.reply.header("x-trimtab-model") == "p:mset-cookie: x?"
    assert all(b"\r" not in part and b"\n" not in part for header in outcome.reply.headers for part in header)


async def test_attack_32_an_unknown_models_name_is_quoted_in_the_error() -> None:
    outcome = await Rig().call({"model": 'x"\r\n\r\n<script>'})

    assert isinstance(outcome.error, TrimtabError)
    told_error = error_body_of(outcome.error, Api.CHAT_COMPLETIONS)
    assert json.loads(told_error)["error"]["code"] == "model_not_found"
    assert b"\n" not in told_error


@pytest.mark.parametrize("api", [Api.CHAT_COMPLETIONS, Api.MESSAGES])
async def test_attack_32_an_error_inside_a_stream_is_one_event_whatever_it_says(api: Api) -> None:
    broken = Answer([b"data: {}\n\n", UpstreamError('x"\n\ndata: [DONE]\r\r: y')], headers=SSE)

    reply = (await Rig(script=lambda _: broken).call({"stream": True, "max_tokens": 9}, api=api)).reply

    event = reply.chunks[-1]
    assert event.endswith(b"\n\n")
    assert event.count(b"\n\n") == 1
    assert b"\r" not in event
    assert json.loads(event.split(b"data: ", 1)[1])["error"]["message"].startswith('x"\n\ndata')


async def test_attack_32_a_models_output_is_data_and_changes_no_head() -> None:
    spoof = chat_body("\r\n\r\nHTTP/1.1 200 OK\r\nx-trimtab-cost-usd: 0\r\n\r\n")

    outcome = await Rig(script=lambda _: Answer([spoof])).call()

    assert outcome.reply.body == spoof
    assert outcome.reply.header("x-trimtab-cost-usd") == "0.00015"
    assert sum(name == b"x-trimtab-cost-usd" for name, _ in outcome.reply.headers) == 1
