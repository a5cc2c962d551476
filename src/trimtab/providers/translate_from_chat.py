"""OpenAI's answers → Anthropic's: whole, streamed and errors."""

import msgspec

from trimtab.core import Api, Usage
from trimtab.core.errors import UpstreamError
from trimtab.core.sse import data_of
from trimtab.core.usage_reader import StreamUsage, usage_from_response
from trimtab.providers.translate_events import EventTranslator, error_message, frame
from trimtab.providers.translate_fields import Json

_STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class _Said(msgspec.Struct):
    """A whole message or one delta of it."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    """vLLM's and OpenRouter's name for ``reasoning_content``."""
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    id: str = ""
    model: str = ""
    choices: list[_Choice] = []
    error: msgspec.Raw | None = None


_COMPLETION = msgspec.json.Decoder(_Completion)


def messages_response(body: bytes) -> bytes:
    """Return a chat completion as a Messages answer.

    Raises:
        UpstreamError: ``body`` is no chat completion, or a tool's arguments are no JSON object.
    """
    completion = _read(body)
    choice = completion.choices[0] if completion.choices else None
    if choice is None or choice.message is None:
        raise UpstreamError("The provider's answer is no chat completion: it has no message.")
    said = choice.message
    content: list[Json] = []
    thinking = said.reasoning_content or said.reasoning
    if thinking:
        content.append({"type": "thinking", "thinking": thinking, "signature": ""})
    content += [{"type": "text", "text": text} for text in (said.content, said.refusal) if text]
    calls = said.tool_calls or []
    content += [_tool_use(call, index) for index, call in enumerate(calls)]
    message = _message(completion, content)
    message["stop_reason"] = _stop_reason(choice.finish_reason, has_calls=bool(calls), is_refused=bool(said.refusal))
    message["usage"] = anthropic_usage(usage_from_response(Api.CHAT_COMPLETIONS, body).usage)
    return msgspec.json.encode(message)


def messages_error(body: bytes, *, status: int) -> bytes:
    """Return an OpenAI error in Anthropic's form; a body that is none gives an error that says so."""
    message = error_message(body, status)[1]
    error = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
    return msgspec.json.encode({"type": "error", "error": error})


def anthropic_usage(usage: Usage) -> Json:
    """Return Anthropic's ``usage`` object, its input without the cached parts; unknown totals are ``null``."""
    read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    made: Json = {
        "input_tokens": None if usage.input_tokens is None else max(0, usage.input_tokens - read - written),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens is not None:
        made["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return made


class MessagesStream(EventTranslator):
    """A chat stream as a Messages stream: one content block open at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._usage = StreamUsage(Api.CHAT_COMPLETIONS)
        self._is_started = False
        self._is_ended = False
        self._finish: str | None = None
        self._is_refused = False
        self._n_blocks = 0
        self._kind: str | None = None
        """The open block: ``text``, ``thinking``, or ``tool_use`` with the call's index; ``None`` between blocks."""
        self._calls: set[int] = set()

    def translate(self, event: bytes) -> bytes:
        """Return the events that one chat chunk becomes."""
        data = data_of(event)
        if not data:
            return frame(b'{"type":"ping"}', event="ping") if self._is_started else event
        if data == b"[DONE]":
            return self._end()
        self._usage.feed(event)
        chunk = _read(data)
        if chunk.error is not None:
            return frame(messages_error(data, status=500), event="error")
        parts = [] if self._is_started else [self._start(chunk)]
        for choice in chunk.choices:
            if choice.index == 0:
                parts.append(self._said(choice.delta or _Said()))
                self._finish = choice.finish_reason or self._finish
        return b"".join(parts)

    def flush(self) -> bytes:
        """Return the end, also for a server that finished its answer and left out ``[DONE]``."""
        rest = super().flush()
        return rest + self._end() if self._finish is not None else rest

    def _start(self, chunk: _Completion) -> bytes:
        self._is_started = True
        message = _message(chunk, [])
        # Counts are not known yet; as in Anthropic's own streams the last event has the true ones.
        message["usage"] = {"input_tokens": 0, "output_tokens": 0}
        return _event("message_start", message=message)

    def _said(self, said: _Said) -> bytes:
        parts = []
        thinking = said.reasoning_content or said.reasoning
        if thinking:
            parts.append(self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""}))
            parts.append(self._delta({"type": "thinking_delta", "thinking": thinking}))
        for text in (said.content, said.refusal):
            if text:
                parts.append(self._open("text", {"type": "text", "text": ""}))
                parts.append(self._delta({"type": "text_delta", "text": text}))
        self._is_refused = self._is_refused or bool(said.refusal)
        parts += [self._called(call) for call in said.tool_calls or ()]
        return b"".join(parts)

    def _called(self, call: _Call) -> bytes:
        kind = f"tool_use {call.index}"
        opened = b""
        if kind != self._kind:
            if call.index in self._calls:
                raise UpstreamError("The provider's stream goes back to a tool call after it began the next one.")
            self._calls.add(call.index)
            name = call.function.name or ""
            block = {"type": "tool_use", "id": call.id or f"call_{call.index}", "name": name, "input": {}}
            opened = self._open(kind, block)
        if not call.function.arguments:
            return opened
        return opened + self._delta({"type": "input_json_delta", "partial_json": call.function.arguments})

    def _open(self, kind: str, block: Json) -> bytes:
        if kind == self._kind:
            return b""
        closed = self._close()
        self._kind = kind
        self._n_blocks += 1
        return closed + _event("content_block_start", index=self._n_blocks - 1, content_block=block)

    def _delta(self, delta: Json) -> bytes:
        return _event("content_block_delta", index=self._n_blocks - 1, delta=delta)

    def _close(self) -> bytes:
        if self._kind is None:
            return b""
        self._kind = None
        return _event("content_block_stop", index=self._n_blocks - 1)

    def _end(self) -> bytes:
        if self._is_ended or not self._is_started:
            return b""
        self._is_ended = True
        reason = _stop_reason(self._finish, has_calls=bool(self._calls), is_refused=self._is_refused)
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage = anthropic_usage(self._usage.usage)
        return self._close() + _event("message_delta", delta=delta, usage=usage) + _event("message_stop")


def _read(data: bytes) -> _Completion:
    try:
        return _COMPLETION.decode(data)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise UpstreamError(f"The provider's answer is no chat completion: {exc}.") from exc


def _message(completion: _Completion, content: list[Json]) -> Json:
    return {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _tool_use(call: _Call, index: int) -> Json:
    arguments = call.function.arguments or "{}"
    try:
        given = msgspec.json.decode(arguments, type=Json)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise UpstreamError(
            f"The provider's answer calls a tool with arguments that are no JSON object: {exc}."
        ) from exc
    return {"type": "tool_use", "id": call.id or f"call_{index}", "name": call.function.name or "", "input": given}


def _stop_reason(finish: str | None, *, has_calls: bool, is_refused: bool) -> str | None:
    if is_refused:
        return "refusal"
    if has_calls and finish == "stop":
        return "tool_use"  # some servers finish a tool call with "stop"
    return None if finish is None else _STOP.get(finish, "end_turn")


def _event(kind: str, **fields: object) -> bytes:
    return frame(msgspec.json.encode({"type": kind, **fields}), event=kind)
