"""Rules of putting OpenAI's answers into Anthropic's form: whole, streamed, failed."""

import json
from itertools import pairwise
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from trimtab.core.errors import UpstreamError
from trimtab.core.sse import data_of, split_events
from trimtab.providers.translate_from_chat import MessagesStream, messages_error, messages_response
from trimtab.providers.translate_from_messages import chat_response

USAGE = {"prompt_tokens": 18, "completion_tokens": 7, "total_tokens": 25, "prompt_tokens_details": {"cached_tokens": 5}}
Json = dict[str, Any]  # Any: JSON
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def _call(arguments: str, *, index: int = 0, call_id: str | None = "c1", name: str | None = "look") -> Json:
    return {
        "index": index,
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _completion(message: Json, *, finish: str | None = "stop") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    head = {"id": "x", "object": "chat.completion", "created": 1, "model": "g"}
    return json.dumps({**head, "choices": [choice], "usage": USAGE}).encode()


def _whole(message: Json, *, finish: str | None = "stop") -> Message:
    return Message.model_validate_json(messages_response(_completion(message, finish=finish)))


def _stream(*deltas: Json, finish: str | None = "stop", usage: Json | None = USAGE, is_done: bool = True) -> bytes:
    chunks: list[Json] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    if finish is not None:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage is not None:
        chunks.append({"choices": [], "usage": usage})
    framed = [json.dumps({"id": "x", "model": "g", **chunk}) for chunk in chunks] + ["[DONE]"] * is_done
    return b"".join(b"data: " + one.encode() + b"\n\n" for one in framed)


def _events(stream: bytes) -> list[Any]:  # Any: a union of the SDK's event types
    reader = MessagesStream()
    return [EVENT.validate_json(data_of(one)) for one in split_events(reader.feed(stream) + reader.flush())]


MIXED = _stream(
    {"role": "assistant", "content": ""},
    {"reasoning_content": "hm"},
    {"content": "☃ "},
    {"content": "b"},
    {"tool_calls": [_call('{"at":')]},
    {"tool_calls": [_call('"sky"}', call_id=None, name=None)]},
    {"tool_calls": [_call("{}", index=1, call_id="c2", name="now")]},
    finish="tool_calls",
)


def test_text_reasoning_and_tool_calls_become_blocks_in_order() -> None:
    message = _whole({"content": "hello", "reasoning": "hm", "tool_calls": [_call('{"at":"sky"}')]}, finish="stop")
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "text", "tool_use"]
    assert message.content[2].model_dump()["input"] == {"at": "sky"}
    assert message.stop_reason == "tool_use", "some servers finish a tool call with `stop`"


def test_cached_input_is_taken_out_of_the_total() -> None:
    usage = _whole({"content": "a"}).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (13, 5, 7)  # 18 - 5


@pytest.mark.parametrize(
    ("message", "finish", "stop"),
    [
        ({"content": "a"}, "stop", "end_turn"),
        ({"content": "a"}, "length", "max_tokens"),
        ({"content": "a"}, "content_filter", "refusal"),
        ({"content": "a"}, "not_invented_yet", "end_turn"),
        ({"content": None, "refusal": "no"}, "stop", "refusal"),
    ],
)
def test_the_reason_to_stop_is_one_that_anthropics_clients_know(message: Json, finish: str, stop: str) -> None:
    assert _whole(message, finish=finish).stop_reason == stop


def test_a_stream_opens_and_closes_one_block_after_another() -> None:
    events = _events(MIXED)
    open_blocks = 0
    for event in events:
        open_blocks += (event.type == "content_block_start") - (event.type == "content_block_stop")
        assert open_blocks in (0, 1)
    starts = [event.content_block.type for event in events if event.type == "content_block_start"]
    assert starts == ["thinking", "text", "tool_use", "tool_use"]
    assert [event.type for event in events[-2:]] == ["message_delta", "message_stop"]
    assert (events[-2].delta.stop_reason, events[-2].usage.output_tokens) == ("tool_use", 7)


def test_a_stream_carries_the_same_as_a_whole_answer() -> None:
    deltas = [event.delta for event in _events(MIXED) if event.type == "content_block_delta"]
    assert "".join(delta.text for delta in deltas if delta.type == "text_delta") == "☃ b"
    assert "".join(delta.partial_json for delta in deltas if delta.type == "input_json_delta") == '{"at":"sky"}{}'


@given(cuts=st.lists(st.integers(1, len(MIXED) - 1), max_size=12))
def test_a_stream_cut_anywhere_becomes_the_same_bytes(cuts: list[int]) -> None:
    whole, cut = MessagesStream(), MessagesStream()
    edges = [0, *sorted(cuts), len(MIXED)]
    pieces = [cut.feed(MIXED[start:end]) for start, end in pairwise(edges)]
    assert b"".join([*pieces, cut.flush()]) == whole.feed(MIXED) + whole.flush()


def test_a_finished_stream_ends_even_without_done_and_a_broken_one_never() -> None:
    assert _events(_stream({"content": "a"}, is_done=False))[-1].type == "message_stop"
    assert _events(_stream({"content": "a"}, finish=None, usage=None, is_done=False))[-1].type == "content_block_delta"


def test_attack_32_a_models_text_cannot_forge_an_event() -> None:
    forged = "\n\ndata: [DONE]\n\nevent: message_stop\r\ndata: {}\r\r"
    texts = [e.delta.text for e in _events(_stream({"content": forged})) if e.type == "content_block_delta"]
    assert texts == [forged]


def test_going_back_to_an_earlier_tool_call_is_the_providers_failure() -> None:
    first, second = {"tool_calls": [_call("{}")]}, {"tool_calls": [_call("{}", index=1, call_id="c2")]}
    with pytest.raises(UpstreamError, match="goes back to a tool call"):
        _events(_stream(first, second, first))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"choices": 7}', b'{"choices": []}', b"\xff", b"[" * 5000])
def test_what_is_no_answer_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="no chat completion"):
        messages_response(body)


def test_tool_arguments_that_are_no_object_are_the_providers_failure() -> None:
    with pytest.raises(UpstreamError, match="no JSON object"):
        _whole({"content": None, "tool_calls": [_call('{"at":')]})


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (429, "rate_limit_error"), (503, "overloaded_error"), (500, "api_error")],
)
def test_an_error_takes_its_type_from_the_status(status: int, kind: str) -> None:
    body = json.dumps({"error": {"message": "said", "type": "whatever"}}).encode()
    assert json.loads(messages_error(body, status=status)) == {
        "type": "error",
        "error": {"type": kind, "message": "said"},
    }


@given(
    text=st.text(min_size=1),
    calls=st.lists(st.dictionaries(st.text(), st.integers(0, 9) | st.text()), max_size=3),
    counts=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)),
)
def test_an_answer_comes_back_as_it_was(text: str, calls: list[Json], counts: tuple[int, int, int]) -> None:
    cached, fresh, n_output = counts
    message: Json = {"role": "assistant", "content": text, "refusal": None}
    if calls:
        encoded = [json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in calls]
        message["tool_calls"] = [
            {"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": one}}
            for n, one in enumerate(encoded)
        ]
    finish = "tool_calls" if calls else "stop"
    usage = {
        "prompt_tokens": cached + fresh,
        "completion_tokens": n_output,
        "total_tokens": cached + fresh + n_output,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = {"id": "x", "object": "chat.completion", "created": 1, "model": "g"}
    completion = {**head, "choices": [choice], "usage": usage}
    assert json.loads(chat_response(messages_response(json.dumps(completion).encode()), created_s=1)) == completion
