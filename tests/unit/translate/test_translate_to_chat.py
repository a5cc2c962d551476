"""Rules of putting a Messages request into OpenAI's chat form, and of the common subset surviving a round trip."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from trimtab.core.errors import InvalidRequest
from trimtab.providers.translate_to_chat import chat_request
from trimtab.providers.translate_to_messages import messages_request

ASK = {"role": "user", "content": "hi"}
Json = dict[str, Any]  # Any: JSON


def _translated(**fields: object) -> Json:
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [ASK], **fields}).encode()
    built: Json = json.loads(chat_request(body))
    TypeAdapter(list[ChatCompletionMessageParam]).validate_python(built["messages"])
    return built


def test_a_plain_question_streamed_asks_for_usage() -> None:
    assert _translated(system="be brief", stop_sequences=["END"], stream=True, metadata={"user_id": "u"}) == {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "system", "content": "be brief"}, ASK],
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u",
    }


def test_the_limit_takes_the_name_that_the_upstream_knows() -> None:
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [ASK]}).encode()

    assert json.loads(chat_request(body, limit_field="max_completion_tokens"))["max_completion_tokens"] == 9


def test_a_tool_conversation_with_an_image() -> None:
    built = _translated(
        messages=[
            ASK,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "let me see"},
                    {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "sky"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "blue"}]},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                    {"type": "text", "text": "sure?", "cache_control": {"type": "ephemeral"}},
                ],
            },
        ],
        tools=[{"name": "look", "description": "d", "input_schema": {"type": "object"}}],
        tool_choice={"type": "tool", "name": "look", "disable_parallel_tool_use": True},
        thinking={"type": "adaptive"},
    )

    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at":"sky"}'}}
    assert built["messages"] == [
        ASK,
        {"role": "assistant", "content": "let me see", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "blue"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "text", "text": "sure?"},
            ],
        },
    ]
    function = {"name": "look", "description": "d", "parameters": {"type": "object"}}
    assert built["tools"] == [{"type": "function", "function": function}]
    assert built["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert built["parallel_tool_calls"] is False


def test_schema_and_effort() -> None:
    schema = {"type": "object"}
    built = _translated(output_config={"format": {"type": "json_schema", "schema": schema}, "effort": "low"})

    assert built["response_format"]["json_schema"]["schema"] == schema
    assert built["reasoning_effort"] == "low"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"top_k": 5}, "top_k"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"messages": [ASK, {"role": "assistant", "content": "The answer is ("}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "search_result"}]}]}, "messages[0].content[0].type"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image"}]}],
                    }
                ]
            },
            "messages[0].content[0].content[0].type",
        ),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"system": 7}, "system"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chat_request(json.dumps({"model": "m", "max_tokens": 9, "messages": [ASK], **fields}).encode())

    assert caught.value.param == param


_TEXT = st.text(min_size=1, max_size=20)
_CALL = st.builds(
    lambda key, value: {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": json.dumps({key: value}, separators=(",", ":"), ensure_ascii=False)},
    },
    _TEXT,
    st.integers(0, 99) | _TEXT,
)
_USER = st.builds(lambda text: {"role": "user", "content": text}, _TEXT)
_ROUND = st.builds(
    lambda ask, text, call, result: [
        ask,
        {"role": "assistant", "content": text, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": result},
    ],
    _USER,
    _TEXT | st.none(),
    _CALL,
    _TEXT,
)


@given(
    system=_TEXT,
    rounds=st.lists(_ROUND, max_size=3),
    last=_USER,
    choice=st.sampled_from(["auto", "none", "required", {"type": "function", "function": {"name": "f"}}]),
    temperature=st.floats(0, 1),
)
def test_the_common_subset_comes_back_as_it_was(
    system: str, rounds: list[list[Json]], last: Json, choice: object, temperature: float
) -> None:
    # A tool result directly before the user's text shares its turn in Messages and is taken apart again.
    body = {
        "model": "m",
        "messages": [{"role": "system", "content": system}, *(message for one in rounds for message in one), last],
        "max_tokens": 100,
        "temperature": temperature,
        "stop": ["a", "b"],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
        ],
        "tool_choice": choice,
    }

    assert json.loads(chat_request(messages_request(json.dumps(body).encode()))) == body


@given(
    body=st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "text", "content", "role", "source", "id", "name", "input", "function", "tool_calls"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_malformed_messages_are_refused_and_never_crash(body: object) -> None:
    for role in ("user", "assistant", "tool", "system"):
        for translate in (messages_request, chat_request):
            for messages in (
                body,
                [body],
                [{"role": role, "content": body}],
                [{"role": role, "content": [body], "tool_calls": body}],
            ):
                sent = json.dumps({"model": "m", "messages": messages, "tools": body, "system": body}).encode()
                refused = _refusal_of(translate, sent)
                assert refused is None or refused.param


def _refusal_of(translate: Callable[[bytes], bytes], body: bytes) -> InvalidRequest | None:
    try:
        translate(body)
    except InvalidRequest as refused:
        return refused
    return None
