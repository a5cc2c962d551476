"""Rules of putting Anthropic's answers into OpenAI's form: whole, streamed, failed."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from trimtab.core.errors import UpstreamError
from trimtab.core.sse import data_of, split_events
from trimtab.providers.translate_from_messages import ChatStream, chat_error, chat_response

TEXT = {"type": "text", "text": "hello"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "s1"}
TOOL = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "sky"}}
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3, "output_tokens": 7}
Json = dict[str, Any]  # Any: JSON


def _whole(content: list[Json], *, stop: str | None = "end_turn", usage: Json | None = None) -> ChatCompletion:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "c", "content": content}
    body = json.dumps({**message, "stop_reason": stop, "usage": usage or USAGE}).encode()
    return ChatCompletion.model_validate_json(chat_response(body, created_s=1_700_000_000))


def _events(*events: Json) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def _block(index: int, start: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


START = {"type": "message_start", "message": {"id": "msg_1", "model": "c", "content": [], "usage": {"input_tokens": 8}}}
END: list[Json] = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]
STREAM = _events(
    START,
    {"type": "ping"},
    *_block(
        0,
        {"type": "thinking", "thinking": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "s1"},
    ),
    *_block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "☃ "}, {"type": "text_delta", "text": "b"}),
    *_block(
        2,
        {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"at":'},
        {"type": "input_json_delta", "partial_json": '"sky"}'},
    ),
    *_block(3, {"type": "tool_use", "id": "t2", "name": "now", "input": {}}),
    *END,
)


def _chunks(stream: bytes, *, with_usage: bool = False) -> list[ChatCompletionChunk]:
    reader = ChatStream(created_s=1_700_000_000, with_usage=with_usage)
    data = [data_of(event) for event in split_events(reader.feed(stream) + reader.flush())]
    return [ChatCompletionChunk.model_validate_json(one) for one in data if one and one != b"[DONE]"]


def test_text_thinking_and_tool_calls_go_to_their_own_places() -> None:
    message = _whole([THINKING, TEXT, {"type": "text", "text": " you"}, TOOL], stop="tool_use").choices[0].message
    assert message.content == "hello you"
    assert message.tool_calls is not None
    assert message.tool_calls[0].model_dump()["function"] == {"name": "look", "arguments": '{"at":"sky"}'}
    assert message.model_dump()["reasoning_content"] == "hm"
    assert message.model_dump()["thinking_blocks"] == [THINKING]


def test_cached_input_is_part_of_the_total() -> None:
    usage = _whole([TEXT]).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (18, 7, 25)  # 10 + 5 + 3
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 5


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("not_invented_yet", "stop"),
    ],
)
def test_the_reason_to_stop_is_one_that_openai_clients_know(stop: str, finish: str) -> None:
    assert _whole([TEXT], stop=stop).choices[0].finish_reason == finish


def test_a_stream_carries_the_same_as_a_whole_answer() -> None:
    deltas = [choice.delta for chunk in _chunks(STREAM) for choice in chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    arguments = {
        index: "".join(c.function.arguments or "" for c in calls if c.index == index and c.function) for index in (0, 1)
    }
    assert "".join(delta.content or "" for delta in deltas) == "☃ b"
    assert arguments == {0: '{"at":"sky"}', 1: "{}"}
    assert [call.id for call in calls if call.id] == ["t1", "t2"]
    assert [d.model_dump()["thinking_blocks"] for d in deltas if "thinking_blocks" in d.model_dump()] == [[THINKING]]


def test_the_usage_chunk_comes_last_and_only_when_asked_for() -> None:
    assert all(chunk.usage is None for chunk in _chunks(STREAM))
    last = _chunks(STREAM, with_usage=True)[-1]
    assert last.usage is not None
    assert (last.choices, last.usage.prompt_tokens, last.usage.completion_tokens) == ([], 8, 4)


@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
def test_a_stream_cut_anywhere_becomes_the_same_bytes(cuts: list[int]) -> None:
    whole, cut = (ChatStream(created_s=1, with_usage=True) for _ in range(2))
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [cut.feed(STREAM[start:end]) for start, end in pairwise(edges)]
    assert b"".join([*pieces, cut.flush()]) == whole.feed(STREAM) + whole.flush()


def test_a_stream_that_breaks_off_gets_no_ending() -> None:
    broken = STREAM[: STREAM.index(b"event: message_delta")]
    reader = ChatStream(created_s=1, with_usage=True)
    made = reader.feed(broken) + reader.flush()
    assert b"[DONE]" not in made
    assert b'"finish_reason":"' not in made


def test_an_error_within_a_stream_comes_in_openais_form() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    reader = ChatStream(created_s=1, with_usage=False)
    frames = split_events(reader.feed(_events(START, error)))
    said = json.loads(data_of(frames[-1]))["error"]
    assert (said["type"], said["code"], said["message"]) == ("server_error", "overloaded_error", "busy")


def test_attack_32_a_models_text_cannot_forge_an_event() -> None:
    forged = "\n\ndata: [DONE]\n\nevent: error\r\ndata: {}\r\r"
    deltas = {"type": "text_delta", "text": forged}
    chunks = _chunks(_events(START, *_block(0, {"type": "text", "text": ""}, deltas)))
    assert [c.choices[0].delta.content for c in chunks] == ["", forged]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"content": 7}', b"\xff", b"[" * 5000])
def test_what_is_no_answer_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="no Messages answer"):
        chat_response(body, created_s=1)


@pytest.mark.parametrize("data", [b"{", b"<html>", b"[]", b'{"delta": 7}', b"\xff", b"[" * 5000])
def test_what_is_no_event_is_the_providers_failure(data: bytes) -> None:
    with pytest.raises(UpstreamError, match="none of Messages'"):
        ChatStream(created_s=1, with_usage=False).feed(b"data: " + data + b"\n\n")


def test_an_error_in_no_known_form_is_named_and_not_quoted() -> None:
    error = json.loads(chat_error(b"<html>secret</html>", status=502))["error"]
    assert "502" in error["message"]
    assert "secret" not in error["message"]
