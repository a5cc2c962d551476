"""Anthropic's answers → OpenAI's: whole, streamed and errors.

Thinking comes out twice: as ``reasoning_content``, which clients show, and as ``thinking_blocks`` with their
signatures, which a caller sends back with the assistant's turn so that the model can go on from them.
"""

from typing import Any

import msgspec

from trimtab.core import Api, Usage
from trimtab.core.errors import UpstreamError
from trimtab.core.sse import data_of
from trimtab.core.usage_reader import StreamUsage, usage_from_response
from trimtab.providers.translate_events import EventTranslator, error_message, frame
from trimtab.providers.translate_fields import Json

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_ERROR_TYPES = {
    "api_error": "server_error",
    "overloaded_error": "server_error",
    "not_found_error": "invalid_request_error",
}


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Json = {}
    partial_json: str = ""


class _Message(msgspec.Struct):
    id: str = ""
    model: str = ""
    content: list[_Block] = []
    stop_reason: str | None = None


class _Delta(_Block):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_MESSAGE = msgspec.json.Decoder(_Message)
_EVENT = msgspec.json.Decoder(_Event)


def chat_response(body: bytes, *, created_s: int) -> bytes:
    """Return a Messages answer as a chat completion.

    Raises:
        UpstreamError: ``body`` is no Messages answer.
    """
    try:
        message = _MESSAGE.decode(body)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise UpstreamError(f"The provider's answer is no Messages answer: {exc}.") from exc
    text = [block.text for block in message.content if block.type == "text"]
    thinking = [block for block in message.content if block.type in ("thinking", "redacted_thinking")]
    calls = [block for block in message.content if block.type == "tool_use"]
    answer: Json = {"role": "assistant", "content": "".join(text) if text else None, "refusal": None}
    if thinking:
        answer["reasoning_content"] = "".join(block.thinking for block in thinking)
        answer["thinking_blocks"] = [_thinking_block(block) for block in thinking]
    if calls:
        answer["tool_calls"] = [_call(block, msgspec.json.encode(block.input).decode()) for block in calls]
    finish = None if message.stop_reason is None else _FINISH.get(message.stop_reason, "stop")
    completion: Json = {
        "id": message.id,
        "object": "chat.completion",
        "created": created_s,
        "model": message.model,
        "choices": [{"index": 0, "message": answer, "logprobs": None, "finish_reason": finish}],
    }
    usage = usage_from_response(Api.MESSAGES, body).usage
    if usage.is_known:
        completion["usage"] = openai_usage(usage)
    return msgspec.json.encode(completion)


def chat_error(body: bytes, *, status: int) -> bytes:
    """Return a Messages error in OpenAI's form; a body that is none gives an error that says so."""
    kind, message = error_message(body, status)
    error = {"message": message, "type": _ERROR_TYPES.get(kind, kind), "param": None, "code": kind}
    return msgspec.json.encode({"error": error})


def openai_usage(usage: Usage) -> Json:
    """Return OpenAI's ``usage`` object for known totals."""
    total_in, total_out = usage.input_tokens or 0, usage.output_tokens or 0
    made: Json = {"prompt_tokens": total_in, "completion_tokens": total_out, "total_tokens": total_in + total_out}
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    if read is not None or written is not None:
        details = {"cached_tokens": read, "cache_write_tokens": written}
        made["prompt_tokens_details"] = {name: count for name, count in details.items() if count is not None}
    if usage.reasoning_tokens is not None:
        made["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return made


class ChatStream(EventTranslator):
    """A Messages stream as a chat stream.

    Args:
        created_s: Unix seconds for ``created``.
        with_usage: Whether the caller asked for the usage chunk.
    """

    def __init__(self, *, created_s: int, with_usage: bool) -> None:
        super().__init__()
        self._head: Json = {"id": "", "object": "chat.completion.chunk", "created": created_s, "model": ""}
        self._with_usage = with_usage
        self._usage = StreamUsage(Api.MESSAGES)
        self._n_calls = 0
        self._open = _Block()
        """The content block under way, its text gathered where the end needs it."""

    def translate(self, event: bytes) -> bytes:
        """Return the chunks that one Messages event becomes."""
        data = data_of(event)
        if not data:
            return event
        self._usage.feed(event)
        try:
            read = _EVENT.decode(data)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise UpstreamError(f"The provider's stream holds an event that is none of Messages': {exc}.") from exc
        match read:
            case _Event(type="message_start", message=_Message() as message):
                self._head |= {"id": message.id, "model": message.model}
                return self._chunk({"role": "assistant", "content": "", "refusal": None})
            case _Event(type="content_block_start", content_block=_Block() as block):
                return self._start(block)
            case _Event(type="content_block_delta", delta=_Delta() as delta):
                return self._delta(delta)
            case _Event(type="message_delta", delta=_Delta(stop_reason=str() as reason)):
                return self._chunk({}, finish=_FINISH.get(reason, "stop"))
        return self._without_content(read.type, data)

    def _without_content(self, kind: str, data: bytes) -> bytes:
        if kind == "content_block_stop":
            return self._stop()
        if kind == "message_stop":
            return self._end()
        if kind == "error":
            return frame(chat_error(data, status=200))
        return b": ping\n\n" if kind == "ping" else b""

    def _start(self, block: _Block) -> bytes:
        self._open = block
        if block.type == "text" and block.text:
            return self._chunk({"content": block.text})
        if block.type == "tool_use":
            self._n_calls += 1
            arguments = msgspec.json.encode(block.input).decode() if block.input else ""
            block.partial_json = arguments
            return self._chunk({"tool_calls": [{"index": self._n_calls - 1, **_call(block, arguments)}]})
        return b""

    def _delta(self, delta: _Delta) -> bytes:
        if delta.type == "text_delta":
            return self._chunk({"content": delta.text})
        if delta.type == "input_json_delta" and delta.partial_json:
            self._open.partial_json = "..."  # only whether there was any matters
            return self._arguments(delta.partial_json)
        if delta.type == "thinking_delta":
            self._open.thinking += delta.thinking
            return self._chunk({"reasoning_content": delta.thinking})
        if delta.type == "signature_delta":
            self._open.signature += delta.signature
        return b""

    def _stop(self) -> bytes:
        block, self._open = self._open, _Block()
        if block.type == "tool_use" and not block.partial_json:
            return self._arguments("{}")  # OpenAI clients parse the arguments; nothing at all is no JSON
        if block.type in ("thinking", "redacted_thinking"):
            return self._chunk({"thinking_blocks": [_thinking_block(block)]})
        return b""

    def _end(self) -> bytes:
        done = frame(b"[DONE]")
        if not (self._with_usage and self._usage.usage.is_known):
            return done
        return (
            frame(msgspec.json.encode({**self._head, "choices": [], "usage": openai_usage(self._usage.usage)})) + done
        )

    def _arguments(self, part: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._n_calls - 1, "function": {"arguments": part}}]})

    def _chunk(self, delta: Json, *, finish: str | None = None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return frame(msgspec.json.encode({**self._head, "choices": [choice]}))


def _call(block: _Block, arguments: str) -> Json:
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": arguments}}


def _thinking_block(block: _Block) -> Json:
    if block.type == "redacted_thinking":
        return {"type": "redacted_thinking", "data": block.data}
    return {"type": "thinking", "thinking": block.thinking, "signature": block.signature}
