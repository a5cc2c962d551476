"""Rules of reading usage: totals include cached input, garbage is unknown, nothing raises."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import NO_USAGE, Api, Usage
from trimtab.core.usage_reader import ResponseUsage, StreamUsage, usage_from_response

CHAT = {
    "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "tool_calls"}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 30,
        "total_tokens": 130,
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20},
    },
}
MESSAGE_USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 50,
    "cache_creation_input_tokens": 5,
    "output_tokens": 30,
    "output_tokens_details": {"thinking_tokens": 12},
}
MESSAGE_TOTALS = Usage(
    input_tokens=65, output_tokens=30, cache_read_tokens=50, cache_write_tokens=5, reasoning_tokens=12
)


def _read(api: Api, body: object) -> ResponseUsage:
    return usage_from_response(api, json.dumps(body).encode())


def test_openai_prompt_tokens_already_include_the_cached_ones() -> None:
    assert _read(Api.CHAT_COMPLETIONS, CHAT) == (
        Usage(input_tokens=100, output_tokens=30, cache_read_tokens=40, reasoning_tokens=20),
        "tool_calls",
    )


def test_anthropic_cache_tokens_are_added_to_the_input() -> None:
    assert _read(Api.MESSAGES, {"usage": MESSAGE_USAGE, "stop_reason": "end_turn"}) == (MESSAGE_TOTALS, "end_turn")


def test_reasoning_that_a_provider_left_out_of_its_output_is_added() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    usage_with_reasoning = {**usage, "completion_tokens_details": {"reasoning_tokens": 100}}

    assert _read(Api.CHAT_COMPLETIONS, {"usage": usage_with_reasoning}).usage == Usage(
        input_tokens=10, output_tokens=105, reasoning_tokens=100
    )


def test_embeddings_have_input_and_no_output() -> None:
    usage = {"prompt_tokens": 8, "total_tokens": 8}

    assert _read(Api.EMBEDDINGS, {"usage": usage}) == (Usage(input_tokens=8, output_tokens=0), None)


@pytest.mark.parametrize(
    "usage", [None, [], 7, {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1}, {"input_tokens": True}]
)
@pytest.mark.parametrize("api", list(Api))
def test_unusable_usage_is_unknown(api: Api, usage: object) -> None:
    assert _read(api, {"usage": usage}).usage == NO_USAGE


def test_more_cached_than_sent_is_not_believed() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}}

    assert _read(Api.CHAT_COMPLETIONS, {"usage": usage}).usage == Usage(input_tokens=5, output_tokens=1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["usage", "choices", "finish_reason", "type", "message", "delta", "prompt_tokens", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(api=st.sampled_from(list(Api)), body=st.binary(max_size=200) | _JSON.map(lambda v: json.dumps(v).encode()))
def test_no_answer_makes_the_reader_raise(api: Api, body: bytes) -> None:
    usage_from_response(api, body)
    reader = StreamUsage(api)
    reader.feed(b"data: " + body + b"\n\n")


@pytest.mark.parametrize("delta", ["[]", "7", '"x"', "null"])
def test_a_garbled_delta_is_no_error(delta: str) -> None:
    reader = StreamUsage(Api.MESSAGES)
    reader.feed(f'data: {{"type":"message_delta","delta":{delta},"usage":{{"output_tokens":2}}}}\n\n'.encode())
    reader.feed(b'data: {"type":"message_delta"}\n\ndata: {"type":"message_start","usage":{}}\n\n')

    assert reader.usage.output_tokens == 2
    assert reader.finish_reason is None


CHAT_STREAM = (
    b'data: {"choices":[{"delta":{"content":"\\"usage\\":{"},"finish_reason":null}],"usage":null}\n\n'
    b'data: {"choices":[{"delta":{},"finish_reason": "stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n'
)
MESSAGES_STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":10,'
    b'"cache_read_input_tokens":50,"cache_creation_input_tokens":5,"output_tokens":1}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":30,"output_tokens_details":{"thinking_tokens":12}}}\n\n'
)


def _watched(api: Api, stream: bytes, cuts: list[int]) -> StreamUsage:
    reader = StreamUsage(api)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        reader.feed(stream[start:end])
    return reader


@given(cuts=st.lists(st.integers(0, 2000)), ending=st.sampled_from([b"\n", b"\r\n"]))
def test_a_stream_is_read_the_same_however_it_is_cut(cuts: list[int], ending: bytes) -> None:
    chat = _watched(Api.CHAT_COMPLETIONS, CHAT_STREAM.replace(b"\n", ending), cuts)
    messages = _watched(Api.MESSAGES, MESSAGES_STREAM.replace(b"\n", ending), cuts)

    assert (chat.usage, chat.finish_reason) == (Usage(input_tokens=3, output_tokens=4), "stop")
    assert (messages.usage, messages.finish_reason) == (MESSAGE_TOTALS, "end_turn")


def test_a_stream_cut_before_its_last_event_has_no_known_output() -> None:
    before_delta = MESSAGES_STREAM[: MESSAGES_STREAM.index(b"event: message_delta")]

    assert _watched(Api.MESSAGES, before_delta, []).usage.output_tokens is None
    assert not _watched(Api.CHAT_COMPLETIONS, CHAT_STREAM[:100], []).usage.is_known


def test_newer_cumulative_counts_replace_older_ones_field_by_field() -> None:
    reader = _watched(Api.MESSAGES, MESSAGES_STREAM, [])
    reader.feed(b'data: {"type":"message_delta","delta":{},"usage":{"input_tokens":11,"output_tokens":31}}\n\n')

    assert (reader.usage.input_tokens, reader.usage.output_tokens) == (66, 31)
