"""A call as one flat row, the form in which calls leave Trimtab and come back: the same columns in every container."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from trimtab.core import (
    Attempt,
    CallRecord,
    JournalEntry,
    Sensitivity,
    StoreMode,
    Usage,
    from_nano_usd,
    to_datetime,
)
from trimtab.ingest.fields import FieldError, Fields, Value

Kind = Literal["text", "count", "number", "flag"]

COLUMNS: dict[str, Kind] = {
    "call_id": "text",
    "started_at": "text",
    "source": "text",
    "api": "text",
    "app": "text",
    "key_id": "text",
    "workload": "text",
    "workload_class": "text",
    "task_type": "text",
    "sensitivity": "text",
    "conversation_id": "text",
    "prompt_id": "text",
    "requested_model": "text",
    "model": "text",
    "mode": "text",
    "policy_version": "text",
    "rule_id": "text",
    "decision_digest": "text",
    "propensity": "number",
    "status": "text",
    "http_status": "count",
    "error_code": "text",
    "is_stream": "flag",
    "is_recorded": "flag",
    "input_tokens": "count",
    "output_tokens": "count",
    "cache_read_tokens": "count",
    "cache_write_tokens": "count",
    "reasoning_tokens": "count",
    "cost_usd": "text",
    "cost_source": "text",
    "latency_ms": "number",
    "ttft_ms": "number",
    "quality_fraction": "number",
    "finish_reason": "text",
    "n_tools": "count",
    "store_mode": "text",
    "attempts": "text",
}
"""Every column and its kind. ``cost_usd`` is text with all its digits: a reader must not make a binary float of it."""

BODY_COLUMNS: dict[str, Kind] = {"request_body": "text", "response_body": "text"}
"""Present only when bodies were asked for."""

_USAGE = tuple(Usage.__struct_fields__)
_DEFAULTS = CallRecord(call_id="", started_at_us=0)
_BASE64 = "base64:"
_CALL_ID = re.compile(r"call_[0-9a-z]{26}")
_ATTEMPTS = msgspec.json.Decoder(tuple[Attempt, ...])


def flatten(entry: JournalEntry, *, bodies: bool) -> dict[str, Value]:
    """Return the row of an entry, every column present.

    Args:
        entry: The call, with its bodies where they are wanted.
        bodies: Whether the body columns are part of the row.
    """
    call = entry.call
    row: dict[str, Value] = {name: getattr(call, name, None) for name in COLUMNS}
    row.update({name: getattr(call.usage, name) for name in _USAGE})
    row["started_at"] = to_datetime(call.started_at_us).isoformat(timespec="microseconds").replace("+00:00", "Z")
    row["sensitivity"] = Sensitivity(call.sensitivity).label
    row["cost_usd"] = None if call.cost_nano_usd is None else f"{from_nano_usd(call.cost_nano_usd):f}"
    row["attempts"] = msgspec.json.encode(call.attempts).decode() if call.attempts else None
    if bodies:
        row["request_body"] = _body_text(entry.request_body)
        row["response_body"] = _body_text(entry.response_body)
    return row


def unflatten(row: Fields) -> JournalEntry:
    """Return the entry that :func:`flatten` wrote.

    Raises:
        FieldError: an unknown column, or a value that its column cannot hold.
    """
    for name in row.row:
        if name not in COLUMNS and name not in BODY_COLUMNS:
            raise FieldError(f"{name!r} is not a column of an exported call")
    values: dict[str, Any] = {}  # Any: column by column, typed by the reader of its kind
    for name, kind in COLUMNS.items():
        value = _READERS[kind](row, name)
        if value is not None and name in _DEFAULTS.__struct_fields__:
            values[name] = value
    call_id = row.required_name("call_id")
    if not _CALL_ID.fullmatch(call_id):
        raise FieldError(f"call_id is {call_id!r}, which is not the id of a call")
    started_at_us = row.instant("started_at")
    if started_at_us is None:
        raise FieldError("started_at is missing")
    sensitivity = row.sensitivity("sensitivity")
    if sensitivity is None:
        raise FieldError("sensitivity is missing")
    values["started_at_us"] = started_at_us
    values["sensitivity"] = int(sensitivity)
    values["cost_nano_usd"] = row.nano_usd("cost_usd")
    values["usage"] = Usage(**{name: row.count(name) for name in _USAGE})
    values["attempts"] = _attempts(row)
    request, response = _body(row, "request_body"), _body(row, "response_body")
    if values.get("store_mode") == StoreMode.METADATA:
        request = response = None
    return JournalEntry(call=CallRecord(**values), request_body=request, response_body=response)


def _number(row: Fields, name: str) -> float | None:
    number = row.number(name)
    return None if number is None else float(number)


def _flag(row: Fields, name: str) -> bool | None:
    return row.flag(name) if row.find(name)[1] is not None else None


def _text(row: Fields, name: str) -> str | None:
    return row.text(name) if name in ("attempts", "started_at") else row.name(name)


_READERS: Mapping[Kind, Callable[[Fields, str], object]] = {
    "text": _text,
    "count": Fields.count,
    "number": _number,
    "flag": _flag,
}


def _attempts(row: Fields) -> tuple[Attempt, ...]:
    text = row.text("attempts")
    if text is None:
        return ()
    try:
        return _ATTEMPTS.decode(text)
    except msgspec.DecodeError as exc:
        raise FieldError(f"attempts is not a list of tries: {exc}") from exc


def _body_text(body: bytes | None) -> str | None:
    """Return the body as text; bytes that are not UTF-8 (or look like our mark) as ``base64:…``."""
    if body is None:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = _BASE64
    return _BASE64 + base64.b64encode(body).decode() if text.startswith(_BASE64) else text


def _body(row: Fields, name: str) -> bytes | None:
    value = row.row.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FieldError(f"{name} is a {type(value).__name__}, not text")
    if not value.startswith(_BASE64):
        return value.encode()
    try:
        return base64.b64decode(value.removeprefix(_BASE64), validate=True)
    except ValueError as exc:
        raise FieldError(f"{name} is not base64: {exc}") from exc
