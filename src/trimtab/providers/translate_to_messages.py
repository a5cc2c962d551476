"""OpenAI chat request → Anthropic Messages request.

What is carried, dropped and refused stands in docs/reference/wire-forms.md.
"""

import re
from typing import Any

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
    merge_turn,
    only,
)

FORM = "Anthropic's Messages form"
DEFAULT_MAX_TOKENS = 4096
"""Anthropic demands a limit; this is the largest that every Claude model accepts, used when the caller sets none."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)


def messages_request(body: bytes) -> bytes:
    """Return the Messages request that asks for what a chat request asks for.

    Raises:
        InvalidRequest: a field has the wrong type, or has no place in the Messages form.
    """
    built = carry_fields(body, _FIELDS, FORM)
    if "messages" not in built:
        raise InvalidRequest("The field `messages` is missing.", param="messages")
    built.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
    if built.pop("parallel_tool_calls", True) is False and "tools" in built:
        choice = built.setdefault("tool_choice", {"type": "auto"})
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return msgspec.json.encode(built)


# messages


def _messages(value: Any, built: Json) -> None:
    system: list[Json] = []
    turns: list[Json] = []
    for index, item in enumerate(as_list(value, "messages")):
        where = f"messages[{index}]"
        message = as_object(item, where)
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer"):
            system += _text_blocks(content, f"{where}.content")
        elif role == "user":
            merge_turn(turns, "user", _blocks(content, f"{where}.content", _USER_PARTS))
        elif role == "assistant":
            merge_turn(turns, "assistant", _assistant(message, where))
        elif role == "tool":
            merge_turn(turns, "user", [_tool_result(message, where)])
        else:
            raise cannot_carry(f"{where}.role", FORM, "Use system, developer, user, assistant or tool.")
    built["messages"] = turns
    if system:
        built["system"] = system


def _assistant(message: Json, where: str) -> list[Json]:
    for name in ("function_call", "audio"):
        if message.get(name) is not None:
            raise cannot_carry(f"{where}.{name}", FORM, "Use `tool_calls`." if name == "function_call" else None)
    blocks = list(as_list(message.get("thinking_blocks") or [], f"{where}.thinking_blocks"))
    calls = as_list(message.get("tool_calls") or [], f"{where}.tool_calls")
    content = message.get("content")
    if content is not None and not (content == "" and calls):
        blocks += _blocks(content, f"{where}.content", _ASSISTANT_PARTS)
    if message.get("refusal"):
        blocks.append({"type": "text", "text": as_text(message["refusal"], f"{where}.refusal")})
    blocks += [_tool_use(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(calls)]
    return blocks


def _tool_use(value: object, where: str) -> Json:
    call = as_object(value, where)
    if call.get("type", "function") != "function":
        raise cannot_carry(f"{where}.type", FORM)
    function = as_object(call.get("function"), f"{where}.function")
    arguments = as_text(function.get("arguments"), f"{where}.function.arguments")
    try:
        given = msgspec.json.decode(arguments) if arguments.strip() else {}
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidRequest(
            f"`{where}.function.arguments` is not JSON: {exc}.", param=f"{where}.function.arguments"
        ) from exc
    return {
        "type": "tool_use",
        "id": as_text(call.get("id"), f"{where}.id"),
        "name": as_text(function.get("name"), f"{where}.function.name"),
        "input": as_object(given, f"{where}.function.arguments"),
    }


def _tool_result(message: Json, where: str) -> Json:
    content = message.get("content")
    result: Json = {
        "type": "tool_result",
        "tool_use_id": as_text(message.get("tool_call_id"), f"{where}.tool_call_id"),
        "content": content if isinstance(content, str) else _text_blocks(content, f"{where}.content"),
    }
    return _with_cache_control(message, result)


def _text_blocks(content: object, where: str) -> list[Json]:
    return _blocks(content, where, {"text": _text_part})


def _blocks(content: object, where: str, kinds: dict[str, Any]) -> list[Json]:
    """Return Anthropic blocks for OpenAI content, a string or a list of parts; ``kinds`` maps part types."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    blocks = []
    for index, value in enumerate(as_list(content, where)):
        at = f"{where}[{index}]"
        part = as_object(value, at)
        convert = kinds.get(as_text(part.get("type"), f"{at}.type"))
        if convert is None:
            raise cannot_carry(f"{at}.type", FORM)
        blocks.append(_with_cache_control(part, convert(part, at)))
    return blocks


def _with_cache_control(part: Json, block: Json) -> Json:
    """Keep Anthropic's cache mark where a caller put it on an OpenAI part, as several clients do."""
    return {**block, "cache_control": part["cache_control"]} if part.get("cache_control") is not None else block


def _text_part(part: Json, where: str) -> Json:
    return {"type": "text", "text": as_text(part.get("text"), f"{where}.text")}


def _refusal_part(part: Json, where: str) -> Json:
    return {"type": "text", "text": as_text(part.get("refusal"), f"{where}.refusal")}


def _image_part(part: Json, where: str) -> Json:
    image = as_object(part.get("image_url"), f"{where}.image_url")
    url = as_text(image.get("url"), f"{where}.image_url.url")
    return {"type": "image", "source": _source(url, f"{where}.image_url.url")}


def _file_part(part: Json, where: str) -> Json:
    file = as_object(part.get("file"), f"{where}.file")
    if file.get("file_data") is None:
        raise cannot_carry(f"{where}.file", FORM, "Send the file itself as a data URL in `file_data`.")
    block: Json = {
        "type": "document",
        "source": _source(as_text(file["file_data"], f"{where}.file.file_data"), f"{where}.file.file_data"),
    }
    if file.get("filename") is not None:
        block["title"] = as_text(file["filename"], f"{where}.file.filename")
    return block


def _source(url: str, where: str) -> Json:
    """Return an Anthropic source for a data URL or a web address. The message never repeats the address."""
    inline = _DATA_URL.match(url[:200])
    if inline is not None:
        return {"type": "base64", "media_type": inline[1], "data": url[inline.end() :]}
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    raise InvalidRequest(f"`{where}` is neither a base64 data URL nor an http address.", param=where)


_USER_PARTS = {"text": _text_part, "image_url": _image_part, "file": _file_part}
_ASSISTANT_PARTS = {"text": _text_part, "refusal": _refusal_part}


# tools and output


def _tools(value: Any, built: Json) -> None:
    tools = []
    for index, item in enumerate(as_list(value, "tools")):
        where = f"tools[{index}]"
        tool = as_object(item, where)
        if tool.get("type") != "function":
            raise cannot_carry(f"{where}.type", FORM, "Only tools of type `function` can be carried.")
        function = as_object(tool.get("function"), f"{where}.function")
        made: Json = {"name": as_text(function.get("name"), f"{where}.function.name")}
        for theirs in ("description", "strict"):
            if function.get(theirs) is not None:
                made[theirs] = function[theirs]
        parameters = function.get("parameters")
        made["input_schema"] = {"type": "object", "properties": {}} if parameters is None else parameters
        tools.append(_with_cache_control(tool, made))
    if tools:
        built["tools"] = tools


def _tool_choice(value: Any, built: Json) -> None:
    named = {"auto": "auto", "none": "none", "required": "any"}
    if isinstance(value, str) and value in named:
        built["tool_choice"] = {"type": named[value]}
        return
    choice = as_object(value, "tool_choice")
    if choice.get("type") != "function":
        raise cannot_carry("tool_choice", FORM)
    function = as_object(choice.get("function"), "tool_choice.function")
    built["tool_choice"] = {"type": "tool", "name": as_text(function.get("name"), "tool_choice.function.name")}


def _response_format(value: Any, built: Json) -> None:
    kind = as_object(value, "response_format").get("type")
    if kind == "text":
        return
    if kind != "json_schema":
        raise cannot_carry("response_format", FORM, "Use `json_schema`; there is no JSON mode without a schema.")
    schema = as_object(value.get("json_schema"), "response_format.json_schema").get("schema")
    output = {"type": "json_schema", "schema": as_object(schema, "response_format.json_schema.schema")}
    built.setdefault("output_config", {})["format"] = output


def _reasoning_effort(value: Any, built: Json) -> None:
    if value == "none":
        built.setdefault("thinking", {"type": "disabled"})
    elif value in ("low", "medium", "high", "xhigh", "max"):
        built.setdefault("output_config", {})["effort"] = value
    else:
        raise cannot_carry("reasoning_effort", FORM, "Use none, low, medium, high, xhigh or max.")


# the other fields


def _temperature(value: Any, built: Json) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidRequest(
            f"`temperature` is {value!r}; {FORM} takes 0 to 1.",
            hint="Lower it, or name a model whose provider speaks OpenAI's form.",
            param="temperature",
        )
    built["temperature"] = value


def _old_limit(value: Any, built: Json) -> None:
    built.setdefault("max_tokens", value)


def _stop(value: Any, built: Json) -> None:
    built["stop_sequences"] = [value] if isinstance(value, str) else as_list(value, "stop")


def _user(value: Any, built: Json) -> None:
    built["metadata"] = {"user_id": as_text(value, "user")}


def _service_tier(value: Any, built: Json) -> None:
    tiers = {"auto": "auto", "default": "standard_only"}
    if value not in tiers:
        raise cannot_carry("service_tier", FORM)
    built["service_tier"] = tiers[value]


def _nothing(where: str, *neutral: object) -> Carry:
    return only(neutral, where, FORM)


_FIELDS: dict[str, Carry] = {
    "model": as_is("model"),
    "messages": _messages,
    "max_tokens": _old_limit,
    "max_completion_tokens": as_is("max_tokens"),
    "temperature": _temperature,
    "top_p": as_is("top_p"),
    "top_k": as_is("top_k"),
    "stop": _stop,
    "stream": as_is("stream"),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": as_is("parallel_tool_calls"),
    "response_format": _response_format,
    "reasoning_effort": _reasoning_effort,
    "thinking": as_is("thinking"),
    "cache_control": as_is("cache_control"),
    "user": _user,
    "safety_identifier": _user,
    "service_tier": _service_tier,
    "stream_options": drop,
    "seed": drop,
    "store": drop,
    "metadata": drop,
    "prediction": drop,
    "prompt_cache_key": drop,
    "prompt_cache_retention": drop,
    "prompt_cache_options": drop,
    "n": _nothing("n", 1),
    "logprobs": _nothing("logprobs", False),
    "top_logprobs": _nothing("top_logprobs", 0),
    "logit_bias": _nothing("logit_bias", {}),
    "frequency_penalty": _nothing("frequency_penalty", 0),
    "presence_penalty": _nothing("presence_penalty", 0),
    "modalities": _nothing("modalities", ["text"]),
    "functions": only((), "functions", FORM, "Use `tools`."),
    "function_call": only((), "function_call", FORM, "Use `tool_choice`."),
}
