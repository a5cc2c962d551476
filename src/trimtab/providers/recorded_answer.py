"""A recorded outcome as an answer in the caller's wire form: whole, or as the events of a stream."""

import math
import struct
from base64 import b64encode
from collections.abc import Iterator, Sequence

import msgspec

from trimtab.core import Api, from_nano_usd
from trimtab.gateway import RECORDED_COST_USD, RECORDED_SCORE
from trimtab.providers.recorded_outcomes import RecordedOutcome
from trimtab.providers.translate_events import frame
from trimtab.providers.translate_from_chat import MessagesStream, messages_error, messages_response

PLACEHOLDER = "[Recorded outcome: the file holds this answer's score, tokens and cost, and not its text.]"
"""Stands where the file has no text, so that nobody takes it for what the model said."""

_N_TEXT_CHUNKS = 8
_Json = dict[str, object]


class ChatAnswer:
    """One outcome in OpenAI's or Anthropic's form.

    Args:
        outcome: What was recorded.
        model: The name to answer under.
        created_s: Unix seconds for ``created``.
    """

    def __init__(self, outcome: RecordedOutcome, *, model: str, created_s: int) -> None:
        self._text = outcome.text or PLACEHOLDER
        self._usage = _usage(outcome)
        self._head: _Json = {"id": f"recorded-{outcome.row}", "created": created_s, "model": model}

    def whole(self, api: Api) -> bytes:
        """Return the body of an answer that is not a stream."""
        message = {"role": "assistant", "content": self._text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        completion: _Json = {**self._head, "object": "chat.completion", "choices": [choice]}
        if self._usage is not None:
            completion["usage"] = self._usage
        body = msgspec.json.encode(completion)
        return messages_response(body) if api is Api.MESSAGES else body

    def events(self, api: Api, *, with_usage: bool) -> Iterator[bytes]:
        """Yield the events of a stream, each a chunk of its own.

        Args:
            api: The caller's wire form.
            with_usage: Whether a chat caller asked for the usage chunk; Messages always has it.
        """
        if api is not Api.MESSAGES:
            yield from self._chat_events(with_usage=with_usage)
            return
        stream = MessagesStream()
        for event in self._chat_events(with_usage=True):
            translated = stream.feed(event)
            if translated:
                yield translated

    def _chat_events(self, *, with_usage: bool) -> Iterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        for piece in _pieces(self._text):
            yield self._chunk({"content": piece})
        yield self._chunk({}, finish="stop")
        if with_usage and self._usage is not None:
            yield self._frame(choices=[], usage=self._usage)
        yield frame(b"[DONE]")

    def _chunk(self, delta: _Json, *, finish: str | None = None) -> bytes:
        return self._frame(choices=[{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])

    def _frame(self, **fields: object) -> bytes:
        return frame(msgspec.json.encode({**self._head, "object": "chat.completion.chunk", **fields}))


def embeddings_body(outcomes: Sequence[RecordedOutcome], *, model: str, is_base64: bool) -> bytes:
    """Return an embeddings answer, one vector an outcome in order.

    Args:
        outcomes: With an embedding each.
        model: The name to answer under.
        is_base64: Whether the caller asked for little-endian 32-bit floats in base64.
    """
    rows = [
        {"object": "embedding", "index": index, "embedding": _vector(outcome.embedding or (), is_base64=is_base64)}
        for index, outcome in enumerate(outcomes)
    ]
    body: _Json = {"object": "list", "data": rows, "model": model}
    counts = [outcome.input_tokens for outcome in outcomes]
    total = sum(count for count in counts if count is not None)
    if None not in counts:
        body["usage"] = {"prompt_tokens": total, "total_tokens": total}
    return msgspec.json.encode(body)


def error_body(api: Api, message: str) -> bytes:
    """Return a 404 in the caller's wire form."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "not_found"}
    body = msgspec.json.encode({"error": error})
    return messages_error(body, status=404) if api is Api.MESSAGES else body


def outcome_headers(outcomes: Sequence[RecordedOutcome]) -> dict[str, str]:
    """Return score and cost as exact decimal text; a sum over several prompts has no score and only a whole cost."""
    headers = {}
    costs = [outcome.cost_nano_usd for outcome in outcomes]
    if len(outcomes) == 1 and outcomes[0].score is not None:
        headers[RECORDED_SCORE] = repr(outcomes[0].score)
    if None not in costs:
        headers[RECORDED_COST_USD] = f"{from_nano_usd(sum(cost or 0 for cost in costs)):f}"
    return headers


def _usage(outcome: RecordedOutcome) -> _Json | None:
    """Return OpenAI's ``usage``; a count that was not recorded is ``null``, and none at all gives none."""
    total_in, total_out = outcome.input_tokens, outcome.output_tokens
    if total_in is None and total_out is None:
        return None
    total = None if total_in is None or total_out is None else total_in + total_out
    return {"prompt_tokens": total_in, "completion_tokens": total_out, "total_tokens": total}


def _pieces(text: str) -> Iterator[str]:
    size = math.ceil(len(text) / _N_TEXT_CHUNKS)
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _vector(values: Sequence[float], *, is_base64: bool) -> object:
    return b64encode(struct.pack(f"<{len(values)}f", *values)).decode() if is_base64 else list(values)
