"""Langfuse's observations: the table's export (JSON, CSV), its API's answers, or the blob storage export (JSONL)."""

from trimtab.core import CallRecord, CallStatus, JournalEntry, Usage, derived_call_id
from trimtab.ingest.building import cost_of, entry_of, latency_between, model_name, sensitivity_of
from trimtab.ingest.fields import Fields
from trimtab.ingest.rows import ImportOptions

_APIS = {"GENERATION": "chat_completions", "EMBEDDING": "embeddings"}


def read_observation(row: Fields, options: ImportOptions) -> JournalEntry | str:
    """Return the generation as a call, or why the observation is none: spans, events and tools are not calls.

    Raises:
        FieldError: a field is missing or cannot be what it should be.
    """
    kind = (row.name("type") or "GENERATION").upper()
    if kind not in _APIS:
        return f"observation type {kind}"
    started, ended = row.instant("startTime", "start_time"), row.instant("endTime", "end_time")
    first = row.instant("completionStartTime", "completion_start_time")
    failed = (row.name("level") or "").upper() == "ERROR"
    model = row.name("model", "providedModelName", "provided_model_name")
    call = CallRecord(
        call_id=derived_call_id("langfuse", row.required_name("id")),
        started_at_us=options.at_us if started is None else started,
        source="import:langfuse",
        api=_APIS[kind],
        app=options.app,
        workload=options.workload or row.name("name") or "unclassified",
        sensitivity=sensitivity_of(row, options),
        conversation_id=row.name("sessionId", "session_id", "traceId", "trace_id"),
        requested_model=model or "",
        model=None if model is None else model_name(model, options.provider),
        status=CallStatus.ERROR if failed else CallStatus.OK,
        http_status=500 if failed else 200,
        error_code="upstream_error" if failed else None,
        is_stream=first is not None,
        usage=_usage_of(row),
        **cost_of(_nano_usd_of(row)),
        latency_ms=latency_between(started, ended),
        ttft_ms=latency_between(started, first),
        store_mode=options.store,
    )
    return entry_of(call, request=row.json("input"), response=row.json("output"))


def _usage_of(row: Fields) -> Usage:
    """Sum Langfuse's usage kinds, which exclude one another: the input is every kind with ``input`` in its name."""
    details = row.nested("usageDetails", "usage_details")
    if not details.row:
        usage = row.nested("usage")
        return Usage(
            input_tokens=_or_flat(usage.count("input", "promptTokens"), row, "inputTokens", "promptTokens"),
            output_tokens=_or_flat(usage.count("output", "completionTokens"), row, "outputTokens", "completionTokens"),
        )
    return Usage(
        input_tokens=_sum_of(details, "input"),
        output_tokens=_sum_of(details, "output"),
        cache_read_tokens=details.count("input_cached_tokens", "cache_read_input_tokens", "input_cache_read"),
        cache_write_tokens=details.count("cache_creation_input_tokens", "input_cache_creation"),
        reasoning_tokens=details.count("output_reasoning_tokens", "output_reasoning"),
    )


def _sum_of(details: Fields, word: str) -> int | None:
    counts = [details.count(kind) for kind in details.row if word in kind]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _or_flat(count: int | None, row: Fields, *names: str) -> int | None:
    return count if count is not None else row.count(*names)


def _nano_usd_of(row: Fields) -> int | None:
    """Return the total; a 0 beside tokens and without cost details is how Langfuse shows a model without a price."""
    details = row.nested("costDetails", "cost_details")
    total = row.nano_usd("totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost")
    if total is None:
        return details.nano_usd("total")
    return None if total == 0 and not details.row else total
