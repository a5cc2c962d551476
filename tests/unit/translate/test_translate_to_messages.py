"""Rules of putting a chat request into Anthropic's form: carried, dropped as documented, or refused by name."""

import json
from typing import Any

import pytest
from anthropic.types import MessageParam
from pydantic import TypeAdapter

from trimtab.core.errors import InvalidRequest
from trimtab.providers.translate_to_messages import messages_request

ASK = {"role": "user", "content": "hi"}


def _translated(**fields: object) -> dict[str, Any]:  # Any: JSON
    built: dict[str, Any] = json.loads(
        messages_request(json.dumps({"model": "m", "messages": [ASK], **fields}).encode())
    )
    TypeAdapter(list[MessageParam]).validate_python(built["messages"])
    return built


def test_a_plain_question() -> None:
    assert _translated(max_completion_tokens=50, temperature=0.5, stop="END", stream=True) == {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "max_tokens": 50,
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "stream": True,
    }


def test_a_limit_is_set_where_the_caller_sets_none() -> None:
    assert _translated()["max_tokens"] == 4096
    assert _translated(max_tokens=7)["max_tokens"] == 7


def test_a_tool_conversation() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    built = _translated(
        messages=[
            {"role": "system", "content": "be brief"},
            {
                "role": "developer",
                "content": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
            },
            ASK,
            {"role": "assistant", "content": None, "tool_calls": [call, {**call, "id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "3"}]},
            {"role": "user", "content": "and?"},
        ],
        tools=[{"type": "function", "function": {"name": "add", "description": "d", "parameters": {"type": "object"}}}],
        tool_choice="required",
        parallel_tool_calls=False,
    )

    assert built["system"] == [
        {"type": "text", "text": "be brief"},
        {"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}},
    ]
    assert built["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "add", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "2"},
                {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "3"}]},
                {"type": "text", "text": "and?"},
            ],
        },
    ]
    assert built["tools"] == [{"name": "add", "description": "d", "input_schema": {"type": "object"}}]
    assert built["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


def test_images_and_files_inline_and_by_address() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
    ]

    assert _translated(messages=[{"role": "user", "content": parts}])["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
            "title": "a.pdf",
        },
    ]


def test_schema_effort_and_thinking_go_to_their_own_places() -> None:
    schema = {"type": "object", "properties": {}}
    response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    built = _translated(response_format=response_format, reasoning_effort="high")

    assert built["output_config"] == {"format": {"type": "json_schema", "schema": schema}, "effort": "high"}
    assert _translated(reasoning_effort="none")["thinking"] == {"type": "disabled"}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert _translated(thinking=thinking)["thinking"] == thinking


def test_signed_thinking_comes_back_before_the_text() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    messages = [ASK, {"role": "assistant", "content": "yes", "thinking_blocks": [block]}, ASK]

    assert _translated(messages=messages)["messages"][1]["content"] == [block, {"type": "text", "text": "yes"}]


def test_fields_that_do_not_change_the_answer_are_dropped() -> None:
    dropped = {"seed": 1, "store": True, "metadata": {"a": "b"}, "stream_options": {"include_usage": True}, "n": 1}

    assert _translated(**dropped, logprobs=False, user=None) == _translated()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"temperature": 1.5}, "temperature"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort"),
        ({"functions": []}, "functions"),
        ({"audio": {}}, "audio"),
        ({"never_heard_of": 1}, "never_heard_of"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
        ({"messages": 7}, "messages"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}}]}
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages_request(json.dumps({"model": "m", "messages": [ASK], **fields}).encode())

    assert caught.value.param == param


def test_a_refusal_never_repeats_the_content() -> None:
    secret = [{"type": "image_url", "image_url": {"url": "secret-picture"}}]

    with pytest.raises(InvalidRequest) as caught:
        messages_request(json.dumps({"model": "m", "messages": [{"role": "user", "content": secret}]}).encode())

    assert "secret" not in caught.value.message
