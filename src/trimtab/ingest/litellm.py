"""LiteLLM's spend log: the table ``LiteLLM_SpendLogs`` or the answers of ``/spend/logs``, as JSON, JSONL or CSV."""

from trimtab.core import CallRecord, CallStatus, JournalEntry, Usage, derived_call_id
from trimtab.ingest.building import (
    Cost,
    cost_of,
    entry_of,
    finish_reason_of,
    latency_between,
    model_name,
    sensitivity_of,
)
from trimtab.ingest.fields import Fields, Value
from trimtab.ingest.rows import ImportOptions

_CALLS = {
    "completion": "chat_completions",
    "acompletion": "chat_completions",
    "embedding": "embeddings",
    "aembedding": "embeddings",
    "anthropic_messages": "messages",
}


def read_spend_log(row: Fields, options: ImportOptions) -> JournalEntry | str:
    """Return the logged call, or why the row is none: images, speech and other call types are not read.

    Raises:
        FieldError: a field is missing or cannot be what it should be.
    """
    call_type = row.name("call_type") or "completion"
    api = _CALLS.get(call_type)
    if api is None:
        return f"call type {call_type}"
    started, ended = row.instant("startTime", "start_time"), row.instant("endTime", "end_time")
    failed = row.name("status") == "failure" or row.nested("metadata").name("status") == "failure"
    model = row.name("model", "model_group")
    response = row.nested("response")
    call = CallRecord(
        call_id=derived_call_id("litellm", row.required_name("request_id")),
        started_at_us=options.at_us if started is None else started,
        source="import:litellm",
        api=api,
        app=row.name("team_alias", "team_id", "user") or options.app,
        workload=options.workload or _first_tag(row.json("request_tags")) or "unclassified",
        sensitivity=sensitivity_of(row, options),
        conversation_id=row.name("session_id"),
        requested_model=row.name("model_group") or model or "",
        model=None if model is None else model_name(model, row.name("custom_llm_provider") or options.provider),
        status=CallStatus.ERROR if failed else CallStatus.OK,
        http_status=_status_of(row) if failed else 200,
        error_code="upstream_error" if failed else None,
        usage=_usage_of(row),
        **_cost_of(row, failed=failed),
        latency_ms=latency_between(started, ended),
        ttft_ms=_first_token_ms(row, started, ended),
        finish_reason=finish_reason_of(response),
        store_mode=options.store,
    )
    return entry_of(call, request=_request(row, model), response=row.json("response") or None)


def _usage_of(row: Fields) -> Usage:
    metadata = row.nested("metadata")
    more = metadata.nested("additional_usage_values")
    usage = metadata.nested("usage_object")
    cached = usage.nested("prompt_tokens_details").count("cached_tokens")
    if cached is None:
        cached = more.nested("prompt_tokens_details").count("cached_tokens")
    return Usage(
        input_tokens=row.count("prompt_tokens"),
        output_tokens=row.count("completion_tokens"),
        cache_read_tokens=cached if cached is not None else more.count("cache_read_input_tokens"),
        cache_write_tokens=more.count("cache_creation_input_tokens"),
        reasoning_tokens=usage.nested("completion_tokens_details").count("reasoning_tokens"),
    )


def _cost_of(row: Fields, *, failed: bool) -> Cost:
    """LiteLLM writes 0 for a model it has no price for; such a 0 is unknown. A failure or a cache hit did cost 0."""
    spend = row.nano_usd("spend")
    if spend == 0 and not failed and not row.flag("cache_hit") and row.count("total_tokens"):
        return cost_of(None)
    return cost_of(spend)


def _status_of(row: Fields) -> int:
    code = row.nested("metadata").nested("error_information").text("error_code")
    return int(code) if code is not None and code.isdecimal() and 400 <= int(code) <= 599 else 500


def _first_token_ms(row: Fields, started: int | None, ended: int | None) -> float | None:
    """Time to first token; LiteLLM repeats the end time where the call did not stream, which measures nothing."""
    first = row.instant("completionStartTime", "completion_start_time")
    return None if first is None or first == ended else latency_between(started, first)


def _first_tag(tags: Value) -> str | None:
    if isinstance(tags, list):
        return next((Fields({"request_tags": tag}).name("request_tags") for tag in tags if isinstance(tag, str)), None)
    return None


def _request(row: Fields, model: str | None) -> Value:
    sent = row.json("proxy_server_request")
    if isinstance(sent, dict) and sent:
        return sent.get("body", sent)
    messages = row.json("messages")
    return {"model": model, "messages": messages} if isinstance(messages, list) and messages else None
