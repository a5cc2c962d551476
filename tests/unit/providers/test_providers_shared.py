"""What every provider promises, whatever it speaks and whether it is live: one suite for all, in both wire forms."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter
from tests.support.mock_upstream import MockUpstream
from tests.support.providers import ANSWER, PROMPT, ask, provider_of, read, request_of, write_outcomes

from trimtab.core import Api
from trimtab.core.errors import UpstreamTimeout
from trimtab.core.sse import data_of, split_events
from trimtab.gateway.upstream import Provider

CANARY = "sk-canary-0123456789"
LIVE = ("openai", "anthropic")


@pytest.fixture(params=["openai", "anthropic", "recorded"])
async def provider(
    request: pytest.FixtureRequest, mock_upstream: MockUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Provider]:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    config: dict[str, Any] = {"base_url": f"{mock_upstream.url}/v1", "api_key_env": "CANARY_KEY"}
    if request.param == "recorded":
        row = {"prompt_id": "bird", "prompt": PROMPT, "response_text": ANSWER, "input_tokens": 12, "output_tokens": 5}
        rows = [{**row, "model": f"m/{n}", "embedding": [0.25, -0.5, 0.75]} for n in range(8)]
        config = {"path": write_outcomes(tmp_path / "outcomes.jsonl", rows)}
    async with provider_of(request.param, **config) as made:
        yield made


@pytest.fixture(params=[Api.CHAT_COMPLETIONS, Api.MESSAGES])
def api(request: pytest.FixtureRequest) -> Api:
    given: Api = request.param
    return given


async def test_an_answer_is_one_that_the_callers_sdk_reads(provider: Provider, api: Api) -> None:
    answer = await ask(provider, "m/0", api)
    if api is Api.MESSAGES:
        message = Message.model_validate(answer)
        assert [block.text for block in message.content if block.type == "text"] == [ANSWER]
        assert (message.usage.output_tokens, message.stop_reason, message.model) == (5, "end_turn", "m/0")
    else:
        completion = ChatCompletion.model_validate(answer)
        assert completion.usage is not None
        assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == (ANSWER, "stop")
        assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (12, 5)


async def test_a_stream_is_one_that_the_callers_sdk_reads(provider: Provider, api: Api) -> None:
    wanted: dict[str, Any] = {} if api is Api.MESSAGES else {"stream_options": {"include_usage": True}}
    response = await provider.send(request_of(api, "m/0", is_stream=True, **wanted))
    assert response.headers["content-type"].startswith("text/event-stream")
    data = [data_of(event) for event in split_events(await read(response))]
    assert _said(api, data) == (ANSWER, 5)


async def test_the_usage_chunk_comes_only_when_asked_for(provider: Provider) -> None:
    whole = await read(await provider.send(request_of(Api.CHAT_COMPLETIONS, "m/0", is_stream=True)))
    assert b'"usage":{' not in whole.replace(b" ", b"")
    assert whole.endswith(b"data: [DONE]\n\n")


async def test_the_head_is_there_before_the_body_is_read(provider: Provider, api: Api) -> None:
    response = await provider.send(request_of(api, "m/0", is_stream=True))
    assert response.status == 200
    names = set(response.headers)
    assert names == {name.lower() for name in names}
    assert not names & {"content-length", "transfer-encoding", "connection", "set-cookie"}
    await response.aclose()


async def test_closing_twice_or_early_is_safe_and_the_next_call_works(provider: Provider, api: Api) -> None:
    for n_read in (0, 1):
        response = await provider.send(request_of(api, "m/0", is_stream=True))
        chunks = response.chunks()
        for _ in range(n_read):
            await anext(chunks)
        await response.aclose()
        await response.aclose()
    done = await provider.send(request_of(api, "m/0"))
    assert await read(done)
    await done.aclose()
    unread = await provider.send(request_of(api, "m/0"))
    assert unread.status == 200
    await unread.aclose()


async def test_many_calls_at_once_get_their_own_answers(provider: Provider, api: Api) -> None:
    answers = await asyncio.gather(*(ask(provider, f"m/{n % 8}", api) for n in range(40)))
    assert [answer["model"] for answer in answers] == [f"m/{n % 8}" for n in range(40)]


async def test_a_deadline_that_has_passed_is_a_timeout_and_names_provider_and_model(
    provider: Provider, api: Api
) -> None:
    with pytest.raises(UpstreamTimeout, match=r"'p'.*'m/0'"):
        await provider.send(request_of(api, "m/0", deadline_in_s=-1))


async def test_a_failing_status_is_returned_in_the_callers_own_error_form(provider: Provider, api: Api) -> None:
    is_recorded = provider.is_recorded
    response = await provider.send(request_of(api, "nobody" if is_recorded else "m/status-404"))
    error = json.loads(await read(response))["error"]
    assert response.status == 404
    assert ("nobody" if is_recorded else "mock error 404") in error["message"]
    assert error["type"] == _error_type(provider, api)


async def test_a_well_model_is_available_before_and_after_a_call(provider: Provider, api: Api) -> None:
    assert provider.is_available("m/0")
    await ask(provider, "m/0", api)
    assert provider.is_available("m/0")
    assert provider.name == "p"


async def test_a_provider_closes_twice(provider: Provider) -> None:
    await ask(provider, "m/0")
    await provider.aclose()
    await provider.aclose()


async def test_attack_18_neither_key_nor_prompt_shows_in_repr_or_failures(
    provider: Provider, api: Api, mock_upstream: MockUpstream
) -> None:
    shown = [repr(provider), repr(vars(provider))]
    for model in ("m/garbage", "m/drop", "m/reset", "m/status-500", "m/status-401", "m/hang", "m/cut", "m/nonsense"):
        try:
            response = await provider.send(request_of(api, model, deadline_in_s=0.3))
            shown += [repr(response), str(response.headers), (await read(response)).decode("utf-8", "replace")]
        except Exception as exc:  # whatever is raised must keep the secret
            shown += [repr(exc), str(exc), repr(exc.__cause__), repr(exc.__context__)]
    assert not [text for text in shown if CANARY in text or PROMPT in text]
    if not provider.is_recorded:
        assert CANARY in str(mock_upstream.seen[0].headers), "the key did travel"


@pytest.mark.parametrize("provider", ["openai", "recorded"], indirect=True)
async def test_an_embedding_is_one_that_the_sdk_reads(provider: Provider) -> None:
    answer = CreateEmbeddingResponse.model_validate(await ask(provider, "m/0", Api.EMBEDDINGS))
    assert answer.data[0].embedding == [0.25, -0.5, 0.75]
    assert answer.usage.prompt_tokens == 12


@pytest.mark.parametrize("provider", LIVE, indirect=True)
async def test_each_chunk_is_handed_on_before_the_next_one_is_sent(
    provider: Provider, api: Api, mock_upstream: MockUpstream
) -> None:
    response = await provider.send(request_of(api, "m/gate-g/chunks-3", is_stream=True))
    chunks, got = response.chunks(), b""
    seen = mock_upstream.wait_for(1)
    for _ in range(2 if "Anthropic" in repr(provider) else 0):  # the two events before the first text
        mock_upstream.open_gate("g")
    for number in range(3):
        while f"w{number} ".encode() not in got:
            got += await asyncio.wait_for(anext(chunks), 5)
        assert f"w{number + 1} ".encode() not in got
        mock_upstream.open_gate("g")
    await response.aclose()
    assert await asyncio.to_thread(seen.client_left.wait, 5)


@pytest.mark.parametrize("provider", LIVE, indirect=True)
async def test_cancelling_drops_the_connection_so_that_the_provider_stops_working(
    provider: Provider, api: Api, mock_upstream: MockUpstream
) -> None:
    task = asyncio.create_task(provider.send(request_of(api, "m/hang")))
    seen = await asyncio.to_thread(mock_upstream.wait_for, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(seen.client_left.wait, 5)


@pytest.mark.parametrize("provider", LIVE, indirect=True)
async def test_a_redirect_is_an_answer_and_not_followed(
    provider: Provider, api: Api, mock_upstream: MockUpstream
) -> None:
    response = await provider.send(request_of(api, "m/redirect", is_stream=True))
    assert response.status == 302
    assert len(mock_upstream.seen) == 1
    await response.aclose()


def _said(api: Api, data: list[bytes]) -> tuple[str, int | None]:
    """Return text and output tokens of a stream, every event read strictly by the SDK's own types."""
    text, n_output = "", None
    if api is Api.MESSAGES:
        reader: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
        for event in [reader.validate_json(one) for one in data if b'"ping"' not in one]:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                text += event.delta.text
            if event.type == "message_delta":
                n_output = event.usage.output_tokens
        return text, n_output
    assert data[-1] == b"[DONE]"
    for chunk in [ChatCompletionChunk.model_validate_json(one) for one in data[:-1]]:
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        n_output = chunk.usage.completion_tokens if chunk.usage is not None else n_output
    return text, n_output


def _error_type(provider: Provider, api: Api) -> str:
    """Return what a 404 is called: the mock's own word where the error passes through untranslated."""
    if api is Api.MESSAGES:
        return "mock_error" if "Anthropic" in repr(provider) else "not_found_error"
    return "invalid_request_error" if provider.is_recorded else "mock_error"
