"""Anthropic Messages request → OpenAI chat request.

What is carried, dropped and refused stands in docs/reference/wire-forms.md.
"""

from typing import Any, Literal

import msgspec

from trimtab.core.errors import InvalidRequest
from trimtab.providers.translate_fields import (
    Carry,
    Json,
    as_is,
    as_list,
    as_object,
    as_text,
    cannot_carry,
    carry_fields,
    drop,
    only,
)

FORM = "OpenAI's chat form"
LimitField = Literal["max_tokens", "max_completion_tokens"]


def chat_request(body: bytes, *, limit_field: LimitField = "max_tokens") -> bytes:
    """Return the chat request that asks for what a Messages request asks for.

    Args:
        body: The Messages request.
        limit_field: The upstream's name for the limit: OpenAI's own reasoning models refuse ``max_tokens``, and many
            compatible servers know nothing else.

    Raises:
        InvalidRequest: a field has the wrong type, or has no place in the chat form.
    """
    built = carry_fields(body, _FIELDS, FORM)
    if "messages" not in built:
        raise InvalidRequest("The field `messages` is missing.", param="messages")
    built["messages"] = built.pop("system_messages", []) + built["messages"]
    if "max_tokens" in built:
        built[limit_field] = built.pop("max_tokens")
    if built.get("stream") is True:
        built["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(built)


# messages


def _system(value: Any, built: Json) -> None:
    content = _text_content(value, "system")
    if content:
        built["system_messages"] = [{"role": "system", "content": content}]


def _messages(value: Any, built: Json) -> None:
    turns: list[Json] = []
    for index, item in enumerate(as_list(value, "messages")):
        where = f"messages[{index}]"
        message = as_object(item, where)
        role, content = message.get("role"), message.get("content")
        if role == "user":
            turns += _user(content, f"{where}.content")
        elif role == "assistant":
            turns.append(_assistant(content, f"{where}.content"))
        elif role == "system":
            turns.append({"role": "system", "content": _text_content(content, f"{where}.content")})
        else:
            raise cannot_carry(f"{where}.role", FORM, "Use user or assistant.")
    if turns and turns[-1]["role"] == "assistant":
        raise cannot_carry(
            "messages",
            FORM,
            "The last message is the assistant's; an OpenAI model answers it and does not continue it.",
        )
    built["messages"] = turns


def _user(content: object, where: str) -> list[Json]:
    """Return the tool results, which OpenAI wants first and one a message, then what the user says."""
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    results: list[Json] = []
    parts: list[Json] = []
    for index, value in enumerate(as_list(content, where)):
        at = f"{where}[{index}]"
        block = as_object(value, at)
        kind = block.get("type")
        if kind == "tool_result":
            results.append(_tool_result(block, at))
        elif kind == "text":
            parts.append({"type": "text", "text": as_text(block.get("text"), f"{at}.text")})
        elif kind == "image":
            parts.append({"type": "image_url", "image_url": {"url": _url(block.get("source"), f"{at}.source")}})
        elif kind == "document":
            parts.append(_document(block, at))
        else:
            raise cannot_carry(f"{at}.type", FORM)
    return [*results, {"role": "user", "content": _shortest(parts)}] if parts or not results else results


def _shortest(parts: list[Json]) -> list[Json] | str:
    """Return a single text as a plain string, which every server reads, and anything else as parts."""
    if not parts:
        return ""
    return str(parts[0]["text"]) if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _tool_result(block: Json, where: str) -> Json:
    return {
        "role": "tool",
        "tool_call_id": as_text(block.get("tool_use_id"), f"{where}.tool_use_id"),
        "content": _text_content(block.get("content", ""), f"{where}.content"),
    }


def _text_content(content: object, where: str) -> list[Json] | str:
    if isinstance(content, str):
        return content
    parts: list[Json] = []
    for index, value in enumerate(as_list(content, where)):
        block = as_object(value, f"{where}[{index}]")
        if block.get("type") != "text":
            raise cannot_carry(f"{where}[{index}].type", FORM, "Only text can stand here.")
        parts.append({"type": "text", "text": as_text(block.get("text"), f"{where}[{index}].text")})
    return _shortest(parts)


def _assistant(content: object, where: str) -> Json:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    parts: list[Json] = []
    calls: list[Json] = []
    for index, value in enumerate(as_list(content, where)):
        at = f"{where}[{index}]"
        block = as_object(value, at)
        kind = block.get("type")
        if kind == "text":
            parts.append({"type": "text", "text": as_text(block.get("text"), f"{at}.text")})
        elif kind == "tool_use":
            calls.append(_tool_call(block, at))
        elif kind not in ("thinking", "redacted_thinking"):  # OpenAI models keep no thinking between turns
            raise cannot_carry(f"{at}.type", FORM)
    turn: Json = {"role": "assistant", "content": _shortest(parts) if parts or not calls else None}
    if calls:
        turn["tool_calls"] = calls
    return turn


def _tool_call(block: Json, where: str) -> Json:
    arguments = msgspec.json.encode(as_object(block.get("input"), f"{where}.input")).decode()
    return {
        "id": as_text(block.get("id"), f"{where}.id"),
        "type": "function",
        "function": {"name": as_text(block.get("name"), f"{where}.name"), "arguments": arguments},
    }


def _url(source: object, where: str) -> str:
    described = as_object(source, where)
    if described.get("type") == "base64":
        media_type = as_text(described.get("media_type"), f"{where}.media_type")
        return f"data:{media_type};base64,{as_text(described.get('data'), f'{where}.data')}"
    if described.get("type") == "url":
        return as_text(described.get("url"), f"{where}.url")
    raise cannot_carry(f"{where}.type", FORM, "Use a source of type base64 or url.")


def _document(block: Json, where: str) -> Json:
    source = as_object(block.get("source"), f"{where}.source")
    if source.get("type") != "base64":
        raise cannot_carry(f"{where}.source.type", FORM, "Send the document itself as base64.")
    name = as_text(block.get("title") or "document", f"{where}.title")
    return {"type": "file", "file": {"filename": name, "file_data": _url(source, f"{where}.source")}}


# tools and output


def _tools(value: Any, built: Json) -> None:
    tools = []
    for index, item in enumerate(as_list(value, "tools")):
        where = f"tools[{index}]"
        tool = as_object(item, where)
        if tool.get("type", "custom") not in ("custom", None):
            raise cannot_carry(f"{where}.type", FORM, "Only the caller's own tools can be carried, not server tools.")
        function: Json = {"name": as_text(tool.get("name"), f"{where}.name")}
        for name in ("description", "strict"):
            if tool.get(name) is not None:
                function[name] = tool[name]
        function["parameters"] = as_object(tool.get("input_schema"), f"{where}.input_schema")
        tools.append({"type": "function", "function": function})
    if tools:
        built["tools"] = tools


def _tool_choice(value: Any, built: Json) -> None:
    choice = as_object(value, "tool_choice")
    kind = choice.get("type")
    named = {"auto": "auto", "any": "required", "none": "none"}
    if kind in named:
        built["tool_choice"] = named[kind]
    elif kind == "tool":
        name = as_text(choice.get("name"), "tool_choice.name")
        built["tool_choice"] = {"type": "function", "function": {"name": name}}
    else:
        raise cannot_carry("tool_choice.type", FORM)
    if choice.get("disable_parallel_tool_use") is True:
        built["parallel_tool_calls"] = False


def _output_config(value: Any, built: Json) -> None:
    config = as_object(value, "output_config")
    for name in config:
        if name not in ("format", "effort"):
            raise cannot_carry(f"output_config.{name}", FORM)
    if config.get("effort") is not None:
        built["reasoning_effort"] = config["effort"]
    if config.get("format") is not None:
        schema = as_object(config["format"], "output_config.format").get("schema")
        described = {"name": "output", "schema": as_object(schema, "output_config.format.schema"), "strict": True}
        built["response_format"] = {"type": "json_schema", "json_schema": described}


# the other fields


def _metadata(value: Any, built: Json) -> None:
    user = as_object(value, "metadata").get("user_id")
    if user is not None:
        built["user"] = as_text(user, "metadata.user_id")


def _service_tier(value: Any, built: Json) -> None:
    tiers = {"auto": "auto", "standard_only": "default"}
    if value not in tiers:
        raise cannot_carry("service_tier", FORM)
    built["service_tier"] = tiers[value]


_FIELDS: dict[str, Carry] = {
    "model": as_is("model"),
    "messages": _messages,
    "system": _system,
    "max_tokens": as_is("max_tokens"),
    "temperature": as_is("temperature"),
    "top_p": as_is("top_p"),
    "stop_sequences": as_is("stop"),
    "stream": as_is("stream"),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "output_config": _output_config,
    "metadata": _metadata,
    "service_tier": _service_tier,
    "thinking": drop,
    "cache_control": drop,
    "speed": only(("standard",), "speed", FORM),
}
