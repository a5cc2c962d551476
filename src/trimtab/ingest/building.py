"""The parts that turning a foreign row into a journal entry has in common, whatever the format."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypedDict

import msgspec

from trimtab.core import Api, CallRecord, CostSource, JournalEntry, StoreMode, Usage
from trimtab.ingest.fields import Fields, Value
from trimtab.ingest.rows import ImportOptions

_APIS = {"chat/completions": Api.CHAT_COMPLETIONS, "embeddings": Api.EMBEDDINGS, "messages": Api.MESSAGES}
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Cost(TypedDict):
    """An imported amount together with where it comes from, ready for :class:`CallRecord`."""

    cost_nano_usd: int | None
    cost_source: str


def cost_of(nano_usd: int | None) -> Cost:
    """Return the amount marked as imported, or as unpriced when the log has none."""
    return {
        "cost_nano_usd": nano_usd,
        "cost_source": CostSource.UNPRICED if nano_usd is None else CostSource.IMPORTED,
    }


def model_name(model: str, provider: str | None) -> str:
    """Return ``provider:model``; a ``provider/`` prefix in the model's own name is not said twice.

    >>> model_name("azure/gpt-4o", "azure"), model_name("azure/gpt-4o", None), model_name("m", None)
    ('azure:gpt-4o', 'azure:gpt-4o', 'unknown:m')
    """
    if provider is None:
        provider, slash, rest = model.partition("/")
        return f"{provider}:{rest}" if slash and provider and rest else f"unknown:{model}"
    return f"{provider}:{model.removeprefix(provider + '/')}"


def api_of(url: str) -> Api | None:
    """Return the wire form an endpoint speaks, or ``None`` for one that the journal does not hold."""
    path = url.partition("?")[0].rstrip("/")
    return next((api for ending, api in _APIS.items() if path.endswith("/" + ending)), None)


def sensitivity_of(row: Fields, options: ImportOptions) -> int:
    """Return the row's own label, else the one given for the import.

    Raises:
        FieldError: the label is none of the four.
    """
    own = row.sensitivity("sensitivity")
    return int(options.sensitivity if own is None else own)


def usage_of(body: Fields) -> Usage:
    """Return the token counts of an OpenAI or Anthropic answer.

    OpenAI's ``prompt_tokens`` include cached ones. Anthropic's ``input_tokens`` leave out what was read from or
    written to its cache, so the total here is the sum of the three.
    """
    usage = body.nested("usage")
    details = usage.nested("prompt_tokens_details", "input_tokens_details")
    spent = usage.nested("completion_tokens_details", "output_tokens_details")
    read = usage.count("cache_read_input_tokens")
    written = usage.count("cache_creation_input_tokens")
    input_tokens = usage.count("prompt_tokens", "input_tokens")
    if usage.row.get("prompt_tokens") is None and input_tokens is not None:
        input_tokens += (read or 0) + (written or 0)
    cached = details.count("cached_tokens")
    return Usage(
        input_tokens=input_tokens,
        output_tokens=usage.count("completion_tokens", "output_tokens"),
        cache_read_tokens=cached if cached is not None else read,
        cache_write_tokens=written,
        reasoning_tokens=spent.count("reasoning_tokens"),
    )


def finish_reason_of(body: Fields) -> str | None:
    """Return why the model stopped, in its provider's own word."""
    choices = body.json("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return Fields(choices[0]).name("finish_reason")
    return body.name("stop_reason")


def encoded(value: Value) -> bytes | None:
    """Return a body for the journal: text as it is, anything else as JSON."""
    if value is None:
        return None
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else _ENCODER.encode(value)


def chat_request(model: str, prompt: str) -> Mapping[str, Value]:
    """Return the request that a bare prompt stands for."""
    return {"model": model, "messages": [{"role": "user", "content": prompt}]}


def chat_response(model: str, text: str) -> Mapping[str, Value]:
    """Return the answer that a bare text stands for."""
    return {"model": model, "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}


def entry_of(call: CallRecord, *, request: Value, response: Value) -> JournalEntry:
    """Return the entry, with the bodies only where the import was told to keep them."""
    if call.store_mode == StoreMode.METADATA:
        return JournalEntry(call=call)
    return JournalEntry(call=call, request_body=encoded(request), response_body=encoded(response))


def latency_between(started_at_us: int | None, ended_at_us: int | None) -> float | None:
    """Return milliseconds from one instant to another; ``None`` when either is missing or they run backwards.

    >>> latency_between(1_000, 3_500)
    2.5
    """
    if started_at_us is None or ended_at_us is None or ended_at_us < started_at_us:
        return None
    return float(Decimal(ended_at_us - started_at_us) / 1000)
