"""The unmodified SDKs against a real gateway process and a real upstream on loopback."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Service, mock_config, running, wait_until

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]


@pytest.fixture(scope="module")
def service(upstream: MockUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sdk")
    models = [
        {"model": "good"},
        {"model": "echo"},
        {"model": "tool"},
        {"model": "long/chunks-50"},
        {"model": "gated/gate-sdk"},
        {"provider": "claude", "model": "sonnet"},
    ]
    mock_config(folder, upstream.url, models, auth="keys")
    with running(folder) as started:
        yield started


@pytest.fixture
def client(service: Service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=service.secret, max_retries=0) as made:
        yield made


@pytest.fixture
def claude(service: Service) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=service.url, api_key=service.secret, max_retries=0) as made:
        yield made


def record_of(service: Service, call_id: str) -> Any:
    def show() -> Any:
        return service.ask("GET", f"/api/calls/{call_id}", control=True)

    wait_until(lambda: show().status == 200)
    return show().json()["call"]


def test_a_completion_carries_the_gateways_headers_and_one_record(client: openai.OpenAI, service: Service) -> None:
    raw = client.chat.completions.with_raw_response.create(model="mock:good", messages=MESSAGES)
    answer = raw.parse()
    assert answer.choices[0].message.content == "w0 w1 w2 w3 w4 "
    assert raw.headers["x-trimtab-model"] == "mock:good"
    assert raw.headers["x-trimtab-workload"] == "unclassified"
    # 12 input tokens at $1 and 5 output tokens at $2 per million
    assert Decimal(raw.headers["x-trimtab-cost-usd"]) == Decimal("0.000022")
    record = record_of(service, raw.headers["x-trimtab-call-id"])
    assert record["model"] == "mock:good"
    assert record["cost_nano_usd"] == 22_000
    assert record["decision_digest"] == raw.headers["x-trimtab-decision"]


def test_auto_and_workload_names_are_models_too(client: openai.OpenAI, service: Service) -> None:
    raw = client.chat.completions.with_raw_response.create(model="workload/faq", messages=MESSAGES)
    assert raw.headers["x-trimtab-workload"] == "faq"
    assert record_of(service, raw.headers["x-trimtab-call-id"])["workload"] == "faq"


def test_a_stream_arrives_whole_and_usage_is_obtained_without_the_client_noticing(
    client: openai.OpenAI, service: Service
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="mock:long/chunks-50", messages=MESSAGES, stream=True)
    chunks = list(raw.parse())
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "".join(f"w{n} " for n in range(50))
    assert all(c.choices for c in chunks), "the usage-only chunk must not reach a client that did not ask for it"
    assert all(c.usage is None for c in chunks)
    record = record_of(service, raw.headers["x-trimtab-call-id"])
    assert record["usage"]["output_tokens"] == 50
    assert record["cost_nano_usd"] == 12_000 + 100_000
    assert record["ttft_ms"] > 0


def test_a_client_that_asks_for_usage_gets_it(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="mock:good", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    usage = [c.usage for c in stream if c.usage]
    assert usage[-1].completion_tokens == 5


def test_chunks_are_relayed_as_they_come(client: openai.OpenAI, upstream: MockUpstream) -> None:
    """The upstream sends each further chunk only after the client has read the one before."""
    # Asking for usage, so that every event reaches the client and none is held back for the gateway alone.
    stream = client.chat.completions.create(
        model="mock:gated/gate-sdk", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    n_chunks = 0
    for _ in stream:
        n_chunks += 1
        upstream.open_gate("sdk")
    assert n_chunks >= 5


def test_unknown_fields_tools_images_and_schemas_pass_byte_for_byte(service: Service, upstream: MockUpstream) -> None:
    body = {
        "model": "mock:echo",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look é ☃"},
                    {"type": "image_url", "image_url": {"url": "data:,x"}},
                ],
            }
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": {"a": 1.0, "b": 1e400 if False else 1}},
        },
        "logprobs": True,
        "top_logprobs": 3,
        "x_vendor_field": {"deep": [1, 2.50, "\u0000"]},
        "seed": 12345678901234567890,
    }
    sent = json.dumps(body, separators=(", ", ": ")).encode()
    answer = service.ask("POST", "/v1/chat/completions", sent)
    assert answer.status == 200
    received = answer.body
    for name in ("messages", "tools", "response_format", "logprobs", "x_vendor_field", "seed"):
        raw = json.dumps(body[name], separators=(", ", ": ")).encode()
        assert raw in received, name
    assert json.loads(received)["model"] == "echo"


def test_a_tool_call_comes_back_untouched(client: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    answer = client.chat.completions.create(model="mock:tool", messages=MESSAGES, tools=tools)
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert calls[0].type == "function"
    assert calls[0].function.arguments == '{"city":"Oslo"}'


async def test_the_async_client_and_many_calls_at_once(service: Service) -> None:
    async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key=service.secret, max_retries=0) as client:

        async def one() -> str:
            answer = await client.chat.completions.create(model="mock:good", messages=MESSAGES)
            return answer.choices[0].message.content or ""

        async def streamed() -> str:
            stream = await client.chat.completions.create(model="mock:good", messages=MESSAGES, stream=True)
            return "".join([c.choices[0].delta.content or "" async for c in stream])

        texts = await asyncio.gather(*(one() if n % 2 else streamed() for n in range(40)))
    assert set(texts) == {"w0 w1 w2 w3 w4 "}


def test_embeddings_are_served_and_priced(client: openai.OpenAI, service: Service) -> None:
    raw = client.embeddings.with_raw_response.create(model="mock:good", input="some text", encoding_format="float")
    assert raw.parse().data[0].embedding == [0.25, -0.5, 0.75]
    assert record_of(service, raw.headers["x-trimtab-call-id"])["cost_nano_usd"] == 12_000


def test_models_lists_the_pool_and_auto(client: openai.OpenAI) -> None:
    names = {m.id for m in client.models.list()}
    assert {"auto", "mock:good", "claude:sonnet"} <= names


def test_the_anthropic_sdk_reaches_a_native_upstream(claude: anthropic.Anthropic, service: Service) -> None:
    raw = claude.messages.with_raw_response.create(model="claude:sonnet", max_tokens=50, messages=MESSAGES)
    assert raw.parse().usage.output_tokens > 0
    assert record_of(service, raw.headers["x-trimtab-call-id"])["model"] == "claude:sonnet"


def test_the_anthropic_sdk_streams(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="claude:sonnet", max_tokens=50, messages=MESSAGES) as stream:
        text = "".join(stream.text_stream)
        assert text
        assert stream.get_final_message().stop_reason == "end_turn"


def test_each_sdk_reaches_the_other_kind_of_upstream(claude: anthropic.Anthropic, client: openai.OpenAI) -> None:
    answer = claude.messages.create(model="mock:good", max_tokens=50, messages=MESSAGES)
    assert answer.content[0].type == "text"
    assert answer.content[0].text.startswith("w0")
    completion = client.chat.completions.create(model="claude:sonnet", messages=MESSAGES, max_tokens=50)
    assert completion.choices[0].message.content
    stream = client.chat.completions.create(model="claude:sonnet", messages=MESSAGES, max_tokens=50, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices)


def test_errors_come_back_as_the_sdks_own_exceptions(
    client: openai.OpenAI, claude: anthropic.Anthropic, service: Service
) -> None:
    with pytest.raises(openai.NotFoundError, match="not in the pool"):
        client.chat.completions.create(model="nobody", messages=MESSAGES)
    with pytest.raises(anthropic.NotFoundError, match="not in the pool"):
        claude.messages.create(model="nobody", max_tokens=5, messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="messages"):
        client.chat.completions.create(model="auto", messages=[])
    wrong = openai.OpenAI(base_url=f"{service.url}/v1", api_key="sk-wrong", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError):
        wrong.chat.completions.create(model="auto", messages=MESSAGES)


def test_feedback_is_taken_for_own_calls_only(client: openai.OpenAI, service: Service) -> None:
    raw = client.chat.completions.with_raw_response.create(model="mock:good", messages=MESSAGES)
    call_id = raw.headers["x-trimtab-call-id"]
    record_of(service, call_id)
    assert service.ask("POST", "/v1/feedback", {"call_id": call_id, "score": 0.5, "comment": "fine"}).status == 202
    shown = service.ask("GET", f"/api/calls/{call_id}", control=True).json()
    assert shown["feedback"][0]["score_fraction"] == 0.5


def test_a_feedbacks_comment_is_masked_like_a_prompt_and_its_source_is_a_name(
    client: openai.OpenAI, service: Service
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="mock:good", messages=MESSAGES)
    said: dict[str, object] = {"call_id": raw.headers["x-trimtab-call-id"], "score": 1}
    comment = "Write to jane@example.org"
    assert service.ask("POST", "/v1/feedback", {**said, "comment": comment, "source": "judge.v2"}).status == 202
    shown = service.ask("GET", f"/api/calls/{said['call_id']}", control=True).json()["feedback"]
    assert shown[0]["comment"] == "Write to [REDACTED:email]"
    for wrong in ({"source": "a b"}, {"source": "x" * 33}, {"source": ""}, {"comment": "x" * 4001}):
        assert service.ask("POST", "/v1/feedback", {**said, **wrong}).status == 400


def test_attack_25_feedback_for_an_unknown_or_foreign_call_is_404_and_leaves_no_row(
    client: openai.OpenAI, service: Service
) -> None:
    assert service.ask("POST", "/v1/feedback", {"call_id": "call_nobody", "score": 1}).status == 404
    raw = client.chat.completions.with_raw_response.create(model="mock:good", messages=MESSAGES)
    call_id = raw.headers["x-trimtab-call-id"]
    record_of(service, call_id)
    made = json.loads(service.cli("keys", "create", "foreign", "--app", "other", "--json").stdout)
    stranger = {"authorization": f"Bearer {made['secret']}"}
    wait_until(lambda: service.ask("GET", "/v1/models", headers=stranger).status == 200)
    assert service.ask("POST", "/v1/feedback", {"call_id": call_id, "score": 1}, stranger).status == 404
    assert service.ask("GET", f"/api/calls/{call_id}", control=True).json()["feedback"] == []


def test_attack_11_the_same_words_from_two_keys_are_two_calls(service: Service, upstream: MockUpstream) -> None:
    """Nothing of one caller's answer is ever kept for another: there is no cache to poison or to read."""
    other = json.loads(service.cli("keys", "create", "twin", "--app", "twin", "--json").stdout)["secret"]
    wait_until(lambda: service.ask("GET", "/v1/models", headers={"authorization": f"Bearer {other}"}).status == 200)
    n_before = len(upstream.seen)
    answers = [service.chat("mock:good", headers=headers) for headers in ({}, {"authorization": f"Bearer {other}"})]
    assert [answer.status for answer in answers] == [200, 200]
    assert len(upstream.seen) == n_before + 2
    records = [record_of(service, answer.headers["x-trimtab-call-id"]) for answer in answers]
    assert [record["app"] for record in records] == ["default", "twin"]
