"""Any other table of calls: the reader is told which column is which."""

import difflib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from trimtab.core import CallRecord, CallStatus, JournalEntry, Usage, derived_call_id
from trimtab.core.errors import ConfigurationError
from trimtab.ingest.building import chat_request, chat_response, cost_of, entry_of, model_name, sensitivity_of
from trimtab.ingest.fields import Fields
from trimtab.ingest.rows import ImportOptions

TARGETS = {
    "id": "the row's own id; without one the row's content and number stand in for it",
    "time": "when the call began: ISO 8601 (UTC where no zone is given), or a Unix number",
    "model": "required: the model that answered",
    "provider": "who served it; else the part of `model` before a slash, else `--provider`",
    "api": "chat_completions, messages or embeddings",
    "app": "who called",
    "workload": "the named category",
    "task_type": "such as chat, code, extraction",
    "sensitivity": "public, internal, confidential or restricted",
    "conversation_id": "the same for all calls of one conversation",
    "prompt_id": "the same for all calls with the same prompt",
    "requested_model": "what the caller asked for",
    "input_tokens": "all input tokens, cached ones included",
    "output_tokens": "all output tokens, reasoning included",
    "cache_read_tokens": "the part of the input read from a cache",
    "reasoning_tokens": "the part of the output spent on reasoning",
    "cost_usd": "US dollars",
    "latency_ms": "milliseconds until the whole answer was there",
    "latency_s": "the same in seconds",
    "ttft_ms": "milliseconds to the first token",
    "quality_fraction": "0 to 1, or true and false",
    "status": "ok, success, error, failure, or an HTTP status",
    "prompt": "the prompt's text",
    "response": "the answer's text",
}
"""What a column can be mapped to."""

_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=str)
_GOOD = frozenset({"ok", "success", "succeeded", "completed", "true"})


def read_mapping(path: Path) -> dict[str, str]:
    """Return the mapping of a YAML file, ``field: column`` a line.

    Raises:
        ConfigurationError: the file cannot be read, or is not such a mapping.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigurationError(f"The column mapping {path} cannot be read: {exc}.") from exc
    if not isinstance(document, dict) or not all(isinstance(v, str) for v in document.values()):
        raise ConfigurationError(
            f"The column mapping {path} is not a list of `field: column` lines.", hint="For example `model: llm_name`."
        )
    return check_mapping({str(field): column for field, column in document.items()}, str(path))


def check_mapping(mapping: Mapping[str, str], origin: str) -> dict[str, str]:
    """Return the mapping, every field known and the model among them.

    Raises:
        ConfigurationError: an unknown field, or no column for the model.
    """
    for field in mapping:
        if field not in TARGETS:
            near = difflib.get_close_matches(field, TARGETS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Fields: {', '.join(TARGETS)}."
            raise ConfigurationError(f"{origin} maps {field!r}, which is not a field of a call.", hint=hint)
    if "model" not in mapping:
        raise ConfigurationError(f"{origin} names no column for the model.", hint="Add `--map model=COLUMN`.")
    return dict(mapping)


def read_mapped(row: Fields, mapping: Mapping[str, str], options: ImportOptions, *, line: int) -> JournalEntry:
    """Return the row as a call.

    Without a mapped id, the call's id comes from the row's content and line: reading the same file again adds
    nothing, and two equal rows of one file stay two calls.

    Raises:
        FieldError: a field is missing or cannot be what it should be.
    """
    cells = Fields({field: row.row.get(column) for field, column in mapping.items()})
    model = model_name(cells.required_name("model"), cells.name("provider") or options.provider)
    identity = cells.name("id") or f"{line}:{_ENCODER.encode(row.row).decode()}"
    at_us = cells.instant("time")
    status, http_status = _status_of(cells)
    latency = cells.duration("latency_ms")
    call = CallRecord(
        call_id=derived_call_id("table", identity),
        started_at_us=options.at_us if at_us is None else at_us,
        source="import:table",
        api=cells.name("api") or "chat_completions",
        app=cells.name("app") or options.app,
        workload=options.workload or cells.name("workload") or "unclassified",
        task_type=cells.name("task_type") or "unknown",
        sensitivity=sensitivity_of(cells, options),
        conversation_id=cells.name("conversation_id"),
        prompt_id=cells.name("prompt_id"),
        requested_model=cells.name("requested_model", "model") or "",
        model=model,
        status=status,
        http_status=http_status,
        error_code=None if status == CallStatus.OK else "upstream_error",
        usage=Usage(
            input_tokens=cells.count("input_tokens"),
            output_tokens=cells.count("output_tokens"),
            cache_read_tokens=cells.count("cache_read_tokens"),
            reasoning_tokens=cells.count("reasoning_tokens"),
        ),
        **cost_of(cells.nano_usd("cost_usd")),
        latency_ms=latency if latency is not None else cells.duration("latency_s", unit_ms=1000),
        ttft_ms=cells.duration("ttft_ms"),
        quality_fraction=cells.fraction("quality_fraction"),
        store_mode=options.store,
    )
    prompt, response = cells.text("prompt"), cells.text("response")
    return entry_of(
        call,
        request=None if prompt is None else chat_request(model, prompt),
        response=None if response is None else chat_response(model, response),
    )


def _status_of(cells: Fields) -> tuple[CallStatus, int]:
    word = (cells.text("status") or "ok").strip().lower()
    if word.isdecimal() and 100 <= int(word) <= 599:
        return (CallStatus.OK if int(word) < 400 else CallStatus.ERROR), int(word)
    return (CallStatus.OK, 200) if word in _GOOD else (CallStatus.ERROR, 500)
