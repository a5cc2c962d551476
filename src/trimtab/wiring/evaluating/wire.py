"""A request of a run as OpenAI's chat form, and the answer to it, whole or as a stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from trimtab.catalog import ModelCard, Pool, PriceBook
from trimtab.core import Api, to_nano_usd
from trimtab.core.errors import RateLimited, UpstreamError
from trimtab.core.sse import data_of, split_events
from trimtab.core.usage_reader import ResponseUsage, StreamUsage, usage_from_response
from trimtab.evaluation import Answer, Message

EVALUATION_APP = "evaluation"
"""The app under which the journal keeps what runs ask."""
_END = b"[DONE]"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What a request asks for beside its messages."""

    temperature: float | None = 0.0
    """``None`` leaves it to the model."""
    max_tokens: int = 256
    """Longest answer."""
    is_stream: bool = True
    """Only a stream shows when the first token came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """An answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes
    latency_ms: float
    ttft_ms: float | None
    at_us: int
    """When it was asked for, which dates its price."""


class _Said(msgspec.Struct):
    content: str | None = None


class _Part(msgspec.Struct):
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: Any = None  # Any: the provider's, read by ``StreamUsage``


class _Chunk(msgspec.Struct):
    choices: list[_Part] = []
    usage: Any = None  # Any: likewise
    error: Any = None

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing in it but text."""
        return not self.usage and not self.error and not (self.choices and self.choices[0].finish_reason)


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


_CHUNK = msgspec.json.Decoder(_Chunk)
_VECTORS = msgspec.json.Decoder(_Vectors)


def chat_body(
    model: str,
    messages: tuple[Message, ...],
    sampling: Sampling,
    *,
    seed: int | None = None,
    limit_field: str = "max_tokens",
    more: Mapping[str, object] | None = None,
) -> bytes:
    """Return the body of a request.

    Args:
        model: As the gateway knows it.
        messages: The conversation.
        sampling: How to answer.
        seed: Sent where there is one.
        limit_field: What the provider calls the longest answer.
        more: Further fields.
    """
    body: dict[str, object] = {"model": model, "messages": messages, limit_field: sampling.max_tokens}
    if sampling.temperature is not None:
        body["temperature"] = sampling.temperature
    if seed is not None:
        body["seed"] = seed
    if sampling.is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode({**body, **(more or {})})


def read_answer(arrived: Arrived, asked: str, pool: Pool, prices: PriceBook) -> Answer:
    """Return what was said, with tokens, times, cost and energy.

    Args:
        arrived: The answer.
        asked: The model that was asked, or ``auto``, or ``workload/NAME``.
        pool: Knows the models that may have answered.
        prices: Used where the gateway did not say the cost, as it cannot in the head of a stream.

    Raises:
        RateLimited: it was answered 429.
        UpstreamError: another error status, a stream that was cut, or no chat completion.
    """
    if arrived.status >= 400:
        raise _refusal(arrived)
    is_stream = arrived.headers.get("content-type", "").startswith("text/event-stream")
    text, said = _streamed(arrived.body) if is_stream else _whole(arrived.body)
    model = arrived.headers.get("x-trimtab-model") or None
    card = pool.find(model or asked)
    return Answer(
        text=text,
        input_tokens=said.usage.input_tokens,
        output_tokens=said.usage.output_tokens,
        latency_ms=arrived.latency_ms,
        ttft_ms=arrived.ttft_ms if is_stream else None,
        cost_nano_usd=_cost(arrived, said, card, prices),
        energy_wh=_energy_wh(said, card),
        call_id=arrived.headers.get("x-trimtab-call-id") or None,
        model=model,
        finish_reason=said.finish_reason,
    )


def embeddings_body(model: str, texts: Sequence[str]) -> bytes:
    """Return the body of a request for vectors, in OpenAI's form."""
    return msgspec.json.encode({"model": model, "input": texts, "encoding_format": "float"})


def read_vectors(arrived: Arrived) -> list[list[float]]:
    """Return the vectors of an answer, in the order of the texts.

    Raises:
        RateLimited: it was answered 429.
        UpstreamError: another error status, or no list of embeddings.
    """
    if arrived.status >= 400:
        raise _refusal(arrived)
    try:
        rows = _VECTORS.decode(arrived.body).data
    except _UNREADABLE as exc:
        raise UpstreamError("The answer is no list of embeddings.") from exc
    return [row.embedding for row in sorted(rows, key=lambda row: row.index)]


def _whole(body: bytes) -> tuple[str, ResponseUsage]:
    try:
        choices = _CHUNK.decode(body).choices
    except _UNREADABLE as exc:
        raise UpstreamError("The answer is no chat completion.") from exc
    if not choices:
        raise UpstreamError("The answer has no choice.")
    return (choices[0].message or _Said()).content or "", usage_from_response(Api.CHAT_COMPLETIONS, body)


def _streamed(body: bytes) -> tuple[str, ResponseUsage]:
    """Read a stream in one pass; the few events that say more than text are read by who knows their forms."""
    usage = StreamUsage(Api.CHAT_COMPLETIONS)
    pieces: list[str] = []
    is_whole = False
    try:
        for event in split_events(body):
            content = data_of(event)
            if content == _END:
                is_whole = True
            elif content:
                chunk = _CHUNK.decode(content)
                pieces += [(part.delta or _Said()).content or "" for part in chunk.choices[:1]]
                if not chunk.is_plain:
                    usage.feed(event + b"\n\n")
    except _UNREADABLE as exc:
        raise UpstreamError("The stream holds something that is no chat completion.") from exc
    if usage.is_error:
        raise UpstreamError("The stream ended with an error.")
    if not is_whole and usage.finish_reason is None:
        raise UpstreamError("The stream was cut.")
    return "".join(pieces), ResponseUsage(usage.usage, usage.finish_reason)


def _refusal(arrived: Arrived) -> UpstreamError | RateLimited:
    if arrived.status == 429:
        after = arrived.headers.get("retry-after", "")
        return RateLimited("Too many requests.", retry_after_s=float(after) if after.isdigit() else None)
    return UpstreamError(f"The answer was status {arrived.status}.", status=arrived.status)


def _cost(arrived: Arrived, said: ResponseUsage, card: ModelCard | None, prices: PriceBook) -> int | None:
    stated = arrived.headers.get("x-trimtab-cost-usd")
    if stated is not None:
        try:
            return to_nano_usd(Decimal(stated))
        except InvalidOperation:
            return None
    return None if card is None else prices.cost(card, said.usage, arrived.at_us).nano_usd


def _energy_wh(said: ResponseUsage, card: ModelCard | None) -> float | None:
    if card is None or card.energy_wh_per_mtok is None or said.usage.output_tokens is None:
        return None
    return card.energy_wh_per_mtok * said.usage.output_tokens / 1e6
