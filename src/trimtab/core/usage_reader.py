"""Reading usage and finish reason out of answers, whole or streamed, without parsing what is not needed.

Sources: OpenAI's ``CompletionUsage``, whose ``prompt_tokens`` include cached ones, and Anthropic's ``Usage``, whose
``input_tokens`` leave out what was read from or written to the cache. Nothing here raises on a provider's answer:
what cannot be read is unknown.
"""

import re
from typing import Any, NamedTuple

import msgspec

from trimtab.core.records import Api
from trimtab.core.sse import USAGE_OBJECT, EventReader, data_of
from trimtab.core.usage import NO_USAGE, Usage

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MAX_TOKENS = 2**29
"""No answer has half a billion tokens; three such counts still add up to what a column of the journal takes."""
_MAX_WORD = 64
"""Finish reasons are words; what is longer is content, and has no place in the journal."""
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')


class ResponseUsage(NamedTuple):
    """What one answer says about itself."""

    usage: Usage
    finish_reason: str | None
    """The provider's own word: ``stop``, ``end_turn``, ``tool_calls``, ``max_tokens`` ..."""


UNKNOWN = ResponseUsage(NO_USAGE, None)


class _Answer(msgspec.Struct):
    """The fields of any answer or stream event that are read here; the rest is skipped, not decoded."""

    # Any: a provider may put anything there, and one bad field must not hide the others.
    type: Any = None
    usage: Any = None
    error: Any = None
    choices: msgspec.Raw = msgspec.Raw(b"null")
    stop_reason: Any = None
    message: msgspec.Raw = msgspec.Raw(b"null")
    delta: msgspec.Raw = msgspec.Raw(b"null")


class _Choice(msgspec.Struct):
    finish_reason: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)
_CHOICES = msgspec.json.Decoder(list[_Choice] | None)


def usage_from_response(api: Api, body: bytes) -> ResponseUsage:
    """Return usage and finish reason of a whole answer; unknown where ``body`` does not say or is not readable."""
    try:
        answer = _ANSWER.decode(body)
    except _UNREADABLE:
        return UNKNOWN
    if api is Api.MESSAGES:
        return ResponseUsage(_anthropic_usage(answer.usage), _word(answer.stop_reason))
    if api is Api.EMBEDDINGS:
        return ResponseUsage(_embeddings_usage(answer.usage), None)
    return ResponseUsage(_openai_usage(answer.usage), _finish_of(answer.choices))


class StreamUsage:
    """Watches a stream go by; :attr:`usage` and :attr:`finish_reason` are what it has said so far.

    Until a stream has reported its output the output is unknown, so a stream that ends early has no usage rather than
    a small one. A chunk of ordinary text costs a search for two words.
    """

    __slots__ = ("_counts", "_is_messages", "_reader", "finish_reason", "is_error", "usage")

    def __init__(self, api: Api) -> None:
        self._is_messages = api is Api.MESSAGES
        self._reader = EventReader()
        self._counts: dict[str, object] = {}
        self.usage: Usage = NO_USAGE
        self.finish_reason: str | None = None
        self.is_error = False
        """Whether the provider has reported a failure inside the stream, whose status had already been sent as 200."""

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes of the stream, cut anywhere."""
        if chunk[-2:] == b"\n\n" and self._reader.is_between_events and not self._speaks(chunk):
            return
        for event in self._reader.feed(chunk):
            if self._speaks(event):
                self._read(event)

    def _speaks(self, some: bytes) -> bool:
        if b'"error"' in some:
            return True
        if self._is_messages:
            return b'"usage"' in some or b'"message_delta"' in some
        return _FINISHED.search(some) is not None or USAGE_OBJECT.search(some) is not None

    def _read(self, event: bytes) -> None:
        try:
            answer = _ANSWER.decode(data_of(event))
            if isinstance(answer.error, dict | str) and answer.error:
                self.is_error = True
            if self._is_messages:
                self._read_message_event(answer)
                return
        except _UNREADABLE:
            return
        if isinstance(answer.usage, dict):
            self.usage = _openai_usage(answer.usage)
        self.finish_reason = self.finish_reason or _finish_of(answer.choices)

    def _read_message_event(self, answer: _Answer) -> None:
        if answer.type == "message_start":
            usage = _ANSWER.decode(answer.message).usage
            # Its output count is a placeholder for the first tokens, not the total.
            self._merge(usage, leaving_out=("output_tokens", "output_tokens_details"))
        elif answer.type == "message_delta":
            self._merge(answer.usage)
            delta = msgspec.json.decode(answer.delta)
            if isinstance(delta, dict):
                self.finish_reason = _word(delta.get("stop_reason")) or self.finish_reason

    def _merge(self, usage: object, *, leaving_out: tuple[str, ...] = ()) -> None:
        """Take newer counts over older ones: they are cumulative, and an older server repeats only the output's."""
        if isinstance(usage, dict):
            fresh = {name: value for name, value in usage.items() if value is not None and name not in leaving_out}
            self._counts = {**self._counts, **fresh}
            self.usage = _anthropic_usage(self._counts)


def _openai_usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return NO_USAGE
    total_in, total_out = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    reasoning = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    whole = _count(usage, "total_tokens")
    if None not in (total_in, total_out, reasoning) and whole == (total_in or 0) + (total_out or 0) + (reasoning or 0):
        # xAI leaves reasoning out of completion_tokens; only the total shows it.
        total_out = (total_out or 0) + (reasoning or 0)
    details = usage.get("prompt_tokens_details")
    cached = _count(details, "cached_tokens")
    return Usage(
        input_tokens=total_in,
        output_tokens=total_out,
        cache_read_tokens=_part(_count(usage, "prompt_cache_hit_tokens") if cached is None else cached, total_in),
        cache_write_tokens=_part(_count(details, "cache_write_tokens"), total_in),
        reasoning_tokens=_part(reasoning, total_out),
    )


def _embeddings_usage(usage: object) -> Usage:
    total_in = _count(usage, "prompt_tokens")
    return NO_USAGE if total_in is None else Usage(input_tokens=total_in, output_tokens=0)


def _anthropic_usage(usage: object) -> Usage:
    fresh = _count(usage, "input_tokens")
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    total_out = _count(usage, "output_tokens")
    details = usage.get("output_tokens_details") if isinstance(usage, dict) else None
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=total_out,
        cache_read_tokens=None if fresh is None else read,
        cache_write_tokens=None if fresh is None else written,
        reasoning_tokens=_part(_count(details, "thinking_tokens"), total_out),
    )


def _count(fields: object, name: str) -> int | None:
    value = fields.get(name) if isinstance(fields, dict) else None
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_TOKENS
    return value if is_count else None


def _part(part: int | None, whole: int | None) -> int | None:
    """Return ``part`` unless it is more than the whole: such a report cannot be priced."""
    return part if part is not None and whole is not None and part <= whole else None


def _finish_of(choices: msgspec.Raw) -> str | None:
    try:
        read = _CHOICES.decode(choices)
    except _UNREADABLE:
        return None
    return next((word for choice in read or () if (word := _word(choice.finish_reason))), None)


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_WORD else None
