import json
from pathlib import Path
from typing import Any

import pytest

from trimtab.core import CallStatus, CostSource, JournalEntry, Sensitivity, StoreMode, Usage
from trimtab.core.errors import ConfigurationError
from trimtab.ingest import BadLine, ImportOptions, Row, Skipped, Source, check_mapping, read_calls, read_mapping

Json = dict[str, Any]


def _file(folder: Path, *rows: Json, name: str = "calls.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _rows(path: Path, **source: Any) -> list[Row]:
    return list(read_calls(Source(path=path, **source)))


def _only(path: Path, **source: Any) -> JournalEntry:
    (row,) = _rows(path, **source)
    assert isinstance(row, JournalEntry), row
    return row


OUTCOME: Json = {
    "prompt_id": "gsm8k-7",
    "dataset": "gsm8k",
    "task_type": "math",
    "prompt": "What is 6 times 7?",
    "model": "mixtral-8x7b",
    "score": 1.0,
    "input_tokens": 12,
    "output_tokens": 3,
    "cost_usd": 0.0000075,
    "answer": "42",
}

SPEND_LOG: Json = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    "spend": 0.0001234567,
    "total_tokens": 120,
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "startTime": "2024-05-01T12:00:00.000Z",
    "endTime": "2024-05-01T12:00:01.500Z",
    "completionStartTime": "2024-05-01T12:00:00.250Z",
    "model": "azure/gpt-4o",
    "model_group": "smart",
    "custom_llm_provider": "azure",
    "team_id": "support",
    "cache_hit": "False",
    "request_tags": ["triage"],
    "metadata": {"additional_usage_values": {"prompt_tokens_details": {"cached_tokens": 64}}},
    "messages": [{"role": "user", "content": "hello"}],
}

OBSERVATION: Json = {
    "id": "obs-1",
    "traceId": "trace-1",
    "type": "GENERATION",
    "name": "summarise",
    "startTime": "2024-05-01T12:00:00.000Z",
    "endTime": "2024-05-01T12:00:02.000Z",
    "completionStartTime": "2024-05-01T12:00:00.500Z",
    "model": "gpt-4o-2024-05-13",
    "usageDetails": {"input": 100, "input_cached_tokens": 28, "output": 20, "output_reasoning_tokens": 5, "total": 153},
    "costDetails": {"input": 0.001, "output": 0.002, "total": 0.003},
    "totalCost": 0.003,
    "level": "DEFAULT",
    "input": [{"role": "user", "content": "hello"}],
    "output": {"role": "assistant", "content": "hi"},
}

CHAT_RESPONSE: Json = {
    "id": "chatcmpl-9",
    "object": "chat.completion",
    "created": 1714564800,
    "model": "gpt-4o-2024-05-13",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 5},
    },
}
CHAT_REQUEST: Json = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "tools": [{}, {}]}


def test_an_outcome_becomes_a_call_with_its_cost_and_quality(tmp_path: Path) -> None:
    call = _only(_file(tmp_path, OUTCOME)).call

    assert call.model == "recorded:mixtral-8x7b"
    assert (call.prompt_id, call.workload, call.task_type) == ("gsm8k:gsm8k-7", "gsm8k", "math")
    assert (call.cost_nano_usd, call.cost_source) == (7_500, CostSource.IMPORTED)
    assert call.quality_fraction == 1.0
    assert call.usage == Usage(input_tokens=12, output_tokens=3)
    assert (call.source, call.is_recorded, call.started_at_us) == ("import:outcomes", True, 0)


def test_an_unknown_cost_stays_unknown(tmp_path: Path) -> None:
    call = _only(_file(tmp_path, {**OUTCOME, "cost_usd": None})).call

    assert (call.cost_nano_usd, call.cost_source) == (None, CostSource.UNPRICED)


def test_outcomes_of_one_prompt_share_its_id_and_never_their_own(tmp_path: Path) -> None:
    path = _file(tmp_path, OUTCOME, {**OUTCOME, "model": "gpt-4"}, {**OUTCOME, "dataset": "mmlu"})
    calls = [row.call for row in _rows(path) if isinstance(row, JournalEntry)]

    assert len({call.call_id for call in calls}) == 3
    assert calls[0].prompt_id == calls[1].prompt_id != calls[2].prompt_id


def test_without_a_label_the_strictest_level_holds(tmp_path: Path) -> None:
    path = _file(tmp_path, OUTCOME)

    assert _only(path).call.sensitivity == Sensitivity.RESTRICTED
    assert _only(path, options=ImportOptions(sensitivity=Sensitivity.PUBLIC)).call.sensitivity == Sensitivity.PUBLIC


def test_a_label_in_the_file_wins_over_the_flag(tmp_path: Path) -> None:
    path = _file(tmp_path, {**OUTCOME, "sensitivity": "confidential"})

    options = ImportOptions(sensitivity=Sensitivity.PUBLIC)
    assert _only(path, options=options).call.sensitivity == Sensitivity.CONFIDENTIAL


def test_content_is_kept_only_when_asked_for(tmp_path: Path) -> None:
    path = _file(tmp_path, OUTCOME)

    assert _only(path).request_body is None
    entry = _only(path, options=ImportOptions(store=StoreMode.FULL))
    assert json.loads(entry.request_body or b"")["messages"] == [{"role": "user", "content": "What is 6 times 7?"}]
    assert b"42" in (entry.response_body or b"")


@pytest.mark.parametrize("row", [OUTCOME, SPEND_LOG, OBSERVATION, {"request": CHAT_REQUEST, "response": CHAT_RESPONSE}])
def test_reading_twice_gives_the_same_calls(tmp_path: Path, row: Json) -> None:
    path = _file(tmp_path, row)
    copy = _file(tmp_path, row, name="copy.jsonl")

    assert _rows(path) == _rows(path) == _rows(copy)


def test_a_litellm_spend_log_line(tmp_path: Path) -> None:
    call = _only(_file(tmp_path, SPEND_LOG)).call

    assert call.model == "azure:gpt-4o"
    assert (call.app, call.workload, call.requested_model) == ("support", "triage", "smart")
    assert call.cost_nano_usd == 123_457  # 123456.7 nano-dollars, rounded once
    assert call.usage == Usage(input_tokens=100, output_tokens=20, cache_read_tokens=64)
    assert (call.latency_ms, call.ttft_ms) == (1500.0, 250.0)
    assert call.started_at_us == 1_714_564_800_000_000
    assert call.key_id is None


def test_a_litellm_zero_is_unknown_unless_the_call_was_free(tmp_path: Path) -> None:
    unpriced = _only(_file(tmp_path, {**SPEND_LOG, "spend": 0.0})).call
    cached = _only(_file(tmp_path, {**SPEND_LOG, "spend": 0, "cache_hit": "True"})).call
    failed = _only(
        _file(
            tmp_path,
            {**SPEND_LOG, "spend": 0, "status": "failure", "metadata": {"error_information": {"error_code": "429"}}},
        )
    ).call

    assert (unpriced.cost_nano_usd, cached.cost_nano_usd, failed.cost_nano_usd) == (None, 0, 0)
    assert (failed.status, failed.http_status, failed.error_code) == (CallStatus.ERROR, 429, "upstream_error")


def test_litellm_as_csv_with_json_in_cells(tmp_path: Path) -> None:
    path = tmp_path / "spend.csv"
    path.write_text(
        "request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,endTime,model,request_tags,metadata\n"
        'r1,completion,1.5e-05,10,2,2024-05-01 12:00:00,2024-05-01 12:00:01,gpt-4o,"[""faq""]","{""status"": ""ok""}"\n'
    )

    call = _only(path, options=ImportOptions(provider="openai")).call

    assert (call.model, call.workload, call.cost_nano_usd) == ("openai:gpt-4o", "faq", 15_000)


def test_litellm_calls_that_are_no_text_are_skipped_and_said(tmp_path: Path) -> None:
    (row,) = _rows(_file(tmp_path, {**SPEND_LOG, "call_type": "image_generation"}))

    assert isinstance(row, Skipped)
    assert row.reason == "call type image_generation"


def test_a_langfuse_generation_adds_up_its_exclusive_usage_kinds(tmp_path: Path) -> None:
    call = _only(_file(tmp_path, OBSERVATION), options=ImportOptions(provider="openai")).call

    assert call.usage == Usage(input_tokens=128, output_tokens=25, cache_read_tokens=28, reasoning_tokens=5)
    assert (call.model, call.workload, call.conversation_id) == ("openai:gpt-4o-2024-05-13", "summarise", "trace-1")
    assert (call.cost_nano_usd, call.latency_ms, call.ttft_ms) == (3_000_000, 2000.0, 500.0)


def test_langfuse_spans_are_skipped_and_errors_are_errors(tmp_path: Path) -> None:
    span, error = _rows(_file(tmp_path, {**OBSERVATION, "type": "SPAN"}, {**OBSERVATION, "level": "ERROR"}))

    assert isinstance(span, Skipped)
    assert isinstance(error, JournalEntry)
    assert error.call.status == CallStatus.ERROR


def test_langfuse_blob_storage_names_and_its_api_wrapper(tmp_path: Path) -> None:
    row = {
        "id": "o",
        "trace_id": "t",
        "type": "GENERATION",
        "start_time": "2024-05-01 12:00:00.000000",
        "provided_model_name": "m",
        "usage_details": '{"input": 3, "output": 4}',
        "total_cost": "0.000001",
        "cost_details": "{}",
    }
    wrapped = tmp_path / "api.json"
    wrapped.write_text(json.dumps({"data": [OBSERVATION], "meta": {"page": 1}}))

    assert _only(_file(tmp_path, row)).call.cost_nano_usd == 1_000
    assert _only(wrapped).call.call_id == _only(_file(tmp_path, OBSERVATION)).call.call_id


def test_an_openai_pair(tmp_path: Path) -> None:
    row = {"request": CHAT_REQUEST, "response": CHAT_RESPONSE, "latency_ms": 812.5, "workload": "faq"}

    call = _only(_file(tmp_path, row)).call

    assert call.usage == Usage(input_tokens=100, output_tokens=20, cache_read_tokens=64, reasoning_tokens=5)
    assert (call.requested_model, call.model) == ("gpt-4o", "openai:gpt-4o-2024-05-13")
    assert (call.started_at_us, call.finish_reason, call.n_tools) == (1_714_564_800_000_000, "stop", 2)
    assert (call.workload, call.latency_ms, call.cost_nano_usd) == ("faq", 812.5, None)


def test_an_anthropic_pair_counts_cached_input_in_the_total(tmp_path: Path) -> None:
    response = {
        "id": "msg_1",
        "type": "message",
        "model": "claude-x",
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 80,
            "cache_creation_input_tokens": 5,
            "output_tokens": 7,
        },
    }

    call = _only(_file(tmp_path, {"request": {"model": "claude-x", "messages": []}, "response": response})).call

    assert call.usage == Usage(input_tokens=95, output_tokens=7, cache_read_tokens=80, cache_write_tokens=5)
    assert (call.model, call.api, call.finish_reason) == ("anthropic:claude-x", "messages", "end_turn")


def _batch(folder: Path) -> tuple[Path, Path]:
    asked: list[Json] = [
        {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": CHAT_REQUEST} for name in "abc"
    ]
    answered: list[Json] = [
        {"id": "batch_req_c", "custom_id": "c", "response": {"status_code": 200, "body": CHAT_RESPONSE}, "error": None},
        {"id": "batch_req_a", "custom_id": "a", "response": {"status_code": 200, "body": CHAT_RESPONSE}, "error": None},
        {"id": "batch_req_b", "custom_id": "b", "response": None, "error": {"code": "batch_expired"}},
    ]
    return _file(folder, *asked, name="in.jsonl"), _file(folder, *answered, name="out.jsonl")


def test_a_batch_pairs_answers_with_requests_in_any_order(tmp_path: Path) -> None:
    asked, answered = _batch(tmp_path)

    rows = _rows(answered, requests=asked, options=ImportOptions(store=StoreMode.FULL))
    entries = [row for row in rows if isinstance(row, JournalEntry)]

    assert [entry.call.prompt_id for entry in entries] == ["c", "a", "b"]
    assert all(entry.call.requested_model == "gpt-4o" for entry in entries)
    assert [entry.call.status for entry in entries] == [CallStatus.OK, CallStatus.OK, CallStatus.ERROR]
    assert json.loads(entries[0].request_body or b"") == CHAT_REQUEST


def test_a_batch_answer_without_its_request_is_a_bad_line(tmp_path: Path) -> None:
    _, answered = _batch(tmp_path)
    other = _file(tmp_path, {"custom_id": "z", "url": "/v1/embeddings", "body": {}}, name="other.jsonl")

    rows = _rows(answered, requests=other)

    assert all(isinstance(row, BadLine) and "custom_id" in row.reason for row in rows)


def test_batch_requests_alone_say_what_is_missing(tmp_path: Path) -> None:
    asked, _ = _batch(tmp_path)

    assert all(isinstance(row, BadLine) and "--requests" in row.reason for row in _rows(asked))


def test_an_endpoint_the_journal_does_not_hold_is_skipped(tmp_path: Path) -> None:
    row = {"url": "/v1/responses", "request": {}, "response": {}}

    assert [type(r) for r in _rows(_file(tmp_path, row))] == [Skipped]


MAPPING = {"model": "llm", "cost_usd": "price", "time": "when", "latency_s": "secs", "status": "code"}
TABLE = "when,llm,price,secs,code\n2024-05-01 12:00:00,openai/gpt-4o,0.25,1.5,200\n2024-05-01 12:00:00,m,,2,500\n"


def test_a_table_is_read_through_its_mapping(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)

    good, failed = (row.call for row in _rows(path, mapping=MAPPING) if isinstance(row, JournalEntry))

    assert (good.model, good.cost_nano_usd, good.latency_ms, good.http_status) == (
        "openai:gpt-4o",
        250_000_000,
        1500,
        200,
    )
    assert (failed.model, failed.cost_nano_usd, failed.status) == ("unknown:m", None, CallStatus.ERROR)


def test_equal_rows_without_an_id_stay_two_calls(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("llm\nm\nm\n")

    ids = [row.call.call_id for row in _rows(path, mapping={"model": "llm"}) if isinstance(row, JournalEntry)]

    assert len(set(ids)) == 2


def test_mistakes_in_a_mapping_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'cost'") as caught:
        check_mapping({"model": "a", "cost": "b"}, "--map")
    assert caught.value.hint is not None
    with pytest.raises(ConfigurationError, match="no column for the model"):
        check_mapping({"cost_usd": "b"}, "--map")
    (tmp_path / "m.yaml").write_text("- a\n")
    with pytest.raises(ConfigurationError, match=r"m\.yaml"):
        read_mapping(tmp_path / "m.yaml")


def test_a_mapped_column_that_the_file_lacks_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)

    with pytest.raises(ConfigurationError, match="'modle'"):
        _rows(path, mapping={"model": "modle"})


def test_an_unknown_format_lists_the_columns_it_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="alpha, beta") as caught:
        _rows(_file(tmp_path, {"alpha": 1, "beta": 2}))
    assert "--map" in (caught.value.hint or "")


def test_bad_fields_keep_file_line_and_row(tmp_path: Path) -> None:
    good, bad = _rows(_file(tmp_path, OUTCOME, {**OUTCOME, "score": 7}))

    assert isinstance(good, JournalEntry)
    assert isinstance(bad, BadLine)
    assert (bad.place.line, bad.reason) == (2, "score is '7', not between 0 and 1")
    assert json.loads(bad.text)["prompt"] == OUTCOME["prompt"]
