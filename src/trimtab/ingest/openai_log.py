"""Requests with their answers, one pair a line, in OpenAI's or Anthropic's form; and OpenAI's Batch files."""

from trimtab.core import Api, CallRecord, CallStatus, JournalEntry, derived_call_id
from trimtab.ingest.building import (
    api_of,
    cost_of,
    entry_of,
    finish_reason_of,
    model_name,
    sensitivity_of,
    usage_of,
)
from trimtab.ingest.fields import FieldError, Fields, Value
from trimtab.ingest.rows import ImportOptions

_ENDPOINTS = "chat completions, messages and embeddings are read"


def read_pair(row: Fields, options: ImportOptions, *, row_digest: str) -> JournalEntry | str:
    """Return ``{"request": …, "response": …}`` as a call, or why it is none.

    Beside the two, a line may carry ``id``, ``created_at``, ``url``, ``status_code``, ``latency_ms``, ``ttft_ms``,
    ``cost_usd``, ``quality_fraction``, ``app``, ``workload``, ``task_type``, ``sensitivity``, ``prompt_id``.

    Raises:
        FieldError: a field is missing or cannot be what it should be.
    """
    request, response = _object(row, "request"), _object(row, "response")
    url = row.name("url", "endpoint")
    api = api_of(url) if url is not None else _guessed_api(request, response)
    if api is None:
        return f"endpoint {url}; {_ENDPOINTS}"
    identity = row.name("id", "request_id") or response.name("id") or row_digest
    return _entry(row, request, response, options, api=api, kind="openai", identity=identity)


def read_batch_line(row: Fields, request: Fields, options: ImportOptions) -> JournalEntry | str:
    """Return one line of a Batch output as a call.

    Args:
        row: The output line.
        request: The input line with the same ``custom_id``; no fields when the input file was not given.
        options: What the file does not say.

    Raises:
        FieldError: a field is missing or cannot be what it should be.
    """
    answer = row.nested("response")
    url = request.name("url")
    body = Fields(answer.nested("body").row)
    api = api_of(url) if url is not None else _guessed_api(request.nested("body"), body)
    if api is None:
        return f"endpoint {url}; {_ENDPOINTS}"
    known = {"prompt_id": row.row.get("custom_id"), "status_code": answer.row.get("status_code")}
    if not answer.row:
        known["status_code"] = 500
    identity = row.required_name("id", "custom_id")
    return _entry(Fields(known), request.nested("body"), body, options, api=api, kind="openai-batch", identity=identity)


def _entry(
    row: Fields, request: Fields, response: Fields, options: ImportOptions, *, api: Api, kind: str, identity: str
) -> JournalEntry:
    at_us = row.instant("created_at", "started_at", "timestamp", "time")
    if at_us is None:
        at_us = response.instant("created")
    status = row.count("status_code", "http_status")
    failed = (status is not None and status >= 400) or response.row.get("error") is not None
    asked = request.name("model")
    answered = response.name("model") or asked
    provider = row.name("provider") or options.provider or ("anthropic" if api is Api.MESSAGES else "openai")
    call = CallRecord(
        call_id=derived_call_id(kind, identity),
        started_at_us=options.at_us if at_us is None else at_us,
        source=f"import:{kind}",
        api=api,
        app=row.name("app") or options.app,
        workload=options.workload or row.name("workload") or "unclassified",
        task_type=row.name("task_type") or "unknown",
        sensitivity=sensitivity_of(row, options),
        prompt_id=row.name("prompt_id"),
        requested_model=asked or "",
        model=None if answered is None else model_name(answered, provider),
        status=CallStatus.ERROR if failed else CallStatus.OK,
        http_status=status or (500 if failed else 200),
        error_code="upstream_error" if failed else None,
        is_stream=request.flag("stream"),
        usage=usage_of(response),
        **cost_of(row.nano_usd("cost_usd")),
        latency_ms=row.duration("latency_ms"),
        ttft_ms=row.duration("ttft_ms"),
        quality_fraction=row.fraction("quality_fraction", "score"),
        finish_reason=finish_reason_of(response),
        n_tools=_length(request.json("tools")),
        store_mode=options.store,
    )
    return entry_of(call, request=dict(request.row) or None, response=dict(response.row) or None)


def _object(row: Fields, name: str) -> Fields:
    value = row.json(name)
    if not isinstance(value, dict):
        raise FieldError(f"{name} is missing" if value is None else f"{name} is not a JSON object")
    body = value.get("body")
    return Fields(body if isinstance(body, dict) else value)


def _guessed_api(request: Fields, response: Fields) -> Api:
    if response.row.get("type") == "message":
        return Api.MESSAGES
    is_embedding = "messages" not in request.row and ("input" in request.row or response.row.get("object") == "list")
    return Api.EMBEDDINGS if is_embedding else Api.CHAT_COMPLETIONS


def _length(value: Value) -> int:
    return len(value) if isinstance(value, list) else 0
