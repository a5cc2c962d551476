"""Calls as rows and back. Text is made storable here: PostgreSQL takes neither NUL nor half a surrogate pair."""

import math
import threading
from collections.abc import Iterable
from typing import Any

import msgspec
import zstandard
from sqlalchemy import RowMapping

from trimtab.core import Attempt, CallRecord, Usage, day_of

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_COMPUTED = frozenset({"attempts", "usage", "latency_ms", "ttft_ms"})
_SAME = tuple(name for name in CallRecord.__struct_fields__ if name not in _COMPUTED)
"""Fields that are columns as they are."""
_MAX_BODY_BYTES = 256 * 1024 * 1024
"""No body of ours is larger; a damaged frame that claims more is not decompressed."""
_MAX_WHOLE = 2**53
"""Largest instant, amount or duration of one call: the year 2255, $9 million. A thousand of them still add up."""
_MAX_COUNT = 2**31 - 1
_threads_own = threading.local()


def row_of(call: CallRecord) -> tuple[Any, ...]:  # Any: column values of every type
    """Return the call as a row of ``calls``, in the order of its columns.

    Raises:
        ValueError: a number is no number, or larger than a column takes.
    """
    usage = call.usage
    latency_us, ttft_us = to_us(call.latency_ms), to_us(call.ttft_ms)
    tokens = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )
    _check((call.started_at_us, call.cost_nano_usd, latency_us, ttft_us), _MAX_WHOLE)
    _check((*tokens, call.n_tools, call.http_status), _MAX_COUNT)
    if not math.isfinite(call.propensity) or not math.isfinite(call.quality_fraction or 0.0):
        raise ValueError("propensity or quality is not a finite number")
    return (
        day_of(call.started_at_us),
        clean(call.call_id),
        call.started_at_us,
        clean(call.source),
        clean(call.api),
        clean(call.app),
        clean(call.key_id),
        clean(call.workload),
        clean(call.workload_class),
        clean(call.task_type),
        int(call.sensitivity),
        clean(call.conversation_id),
        clean(call.prompt_id),
        clean(call.requested_model),
        clean(call.model),
        clean(call.mode),
        clean(call.policy_version),
        clean(call.rule_id),
        clean(call.decision_digest),
        call.propensity,
        clean(call.status),
        call.http_status,
        clean(call.error_code),
        call.is_stream,
        call.is_recorded,
        clean(msgspec.json.encode(call.attempts).decode()) if call.attempts else None,
        *tokens,
        call.cost_nano_usd,
        clean(call.cost_source),
        latency_us,
        ttft_us,
        call.quality_fraction,
        clean(call.finish_reason),
        call.n_tools,
        clean(call.store_mode),
    )


def call_of(row: RowMapping) -> CallRecord:
    """Return the record that :func:`row_of` was given; durations to the microsecond."""
    attempts = row["attempts"]
    return CallRecord(
        **{name: row[name] for name in _SAME},
        usage=Usage(**{name: row[name] for name in _TOKENS}),
        attempts=msgspec.json.decode(attempts, type=tuple[Attempt, ...]) if attempts else (),
        latency_ms=to_ms(row["latency_us"]),
        ttft_ms=to_ms(row["ttft_us"]),
    )


def clean(text: str | None) -> str | None:
    """Return the text with what no database can hold replaced by U+FFFD."""
    if text is None:
        return None
    if text.isascii() and "\x00" not in text:
        return text if type(text) is str else str(text)  # psycopg would write a StrEnum member's name
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def to_us(duration_ms: float | None) -> int | None:
    """Return whole microseconds.

    Raises:
        ValueError: it is not a number.
        OverflowError: it is infinite.
    """
    return None if duration_ms is None else round(duration_ms * 1000)


def to_ms(duration_us: int | None) -> float | None:
    """Return milliseconds."""
    return None if duration_us is None else duration_us / 1000


def pack(content: bytes | None) -> bytes | None:
    """Return the content compressed with zstd at level 3."""
    if content is None:
        return None
    compressor = getattr(_threads_own, "compressor", None)
    if compressor is None:  # making one costs as much as compressing 4 KB
        compressor = _threads_own.compressor = zstandard.ZstdCompressor(level=3)
    packed: bytes = compressor.compress(content)
    return packed


def unpack(packed: bytes | None) -> bytes | None:
    """Return the content that :func:`pack` was given.

    Raises:
        ValueError: it is damaged.
    """
    if packed is None:
        return None
    try:
        if zstandard.frame_content_size(packed) > _MAX_BODY_BYTES:
            raise ValueError("a stored body claims to be larger than any is")
        content: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MAX_BODY_BYTES)
    except zstandard.ZstdError as exc:
        raise ValueError(f"a stored body is damaged: {exc}") from exc
    return content


def _check(numbers: Iterable[int | None], largest: int) -> None:
    for number in numbers:
        if number is not None and not -largest <= number <= largest:
            raise ValueError(f"{number} is larger than {largest}")
