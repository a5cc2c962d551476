import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import Attempt, CallRecord, JournalEntry, StoreMode, Usage, derived_call_id
from trimtab.ingest import BadLine, ExportFormat, Source, read_calls, safe_cell, write_calls
from trimtab.ingest.fields import FieldError, Fields
from trimtab.ingest.flat import flatten, unflatten

ENTRY = JournalEntry(
    call=CallRecord(
        call_id=derived_call_id("a"),
        started_at_us=1_714_564_800_123_456,
        app="shop",
        key_id="k1",
        workload="faq",
        sensitivity=1,
        model="openai:gpt-4o",
        propensity=0.25,
        attempts=(
            Attempt(model="openai:a", outcome="upstream_timeout", latency_ms=1.5),
            Attempt(model="b", outcome="ok"),
        ),
        usage=Usage(input_tokens=10, output_tokens=0),
        cost_nano_usd=1,
        cost_source="priced",
        quality_fraction=0.5,
        is_stream=True,
        store_mode=StoreMode.FULL,
    ),
    request_body=b'{"model": "x"}',
    response_body=b"\xff\x00cut",
)
BARE = JournalEntry(call=CallRecord(call_id=derived_call_id("b"), started_at_us=0))


@pytest.mark.parametrize("container", ["jsonl", "parquet", "csv"])
def test_calls_come_back_as_they_left(tmp_path: Path, container: ExportFormat) -> None:
    path = tmp_path / "calls"
    with path.open("wb") as sink:
        assert write_calls([ENTRY, BARE], sink, format=container, bodies=True) == 2

    assert list(read_calls(Source(path=path))) == [ENTRY, BARE]


def test_bodies_leave_only_when_asked_for(tmp_path: Path) -> None:
    sink = io.BytesIO()

    write_calls([ENTRY], sink, format="jsonl", bodies=False)

    assert b"body" not in sink.getvalue()


def test_money_is_text_with_all_its_digits() -> None:
    assert flatten(ENTRY, bodies=False)["cost_usd"] == "0.000000001"
    assert flatten(BARE, bodies=False)["cost_usd"] is None


@given(st.binary())
def test_any_body_survives(body: bytes) -> None:
    entry = JournalEntry(call=ENTRY.call, request_body=body)

    assert unflatten(Fields(flatten(entry, bodies=True))).request_body == body


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"call_id": "../../etc/passwd"}, "call_id"),
        ({"started_at": None}, "started_at is missing"),
        ({"surprise": 1}, "surprise"),
        ({"sensitivity": "secret"}, "sensitivity"),
        ({"attempts": "[1]"}, "attempts"),
        ({"request_body": "base64:%%"}, "base64"),
    ],
)
def test_rows_that_trimtab_did_not_write_are_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(FieldError, match=reason):
        unflatten(Fields({**flatten(ENTRY, bodies=True), **change}))


@pytest.mark.parametrize("start", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"])
def test_attack_19_no_exported_cell_starts_a_formula(start: str) -> None:
    call = CallRecord(call_id=derived_call_id("x"), started_at_us=0, workload=start, requested_model=start)
    sink = io.BytesIO()

    write_calls([JournalEntry(call=call)], sink, format="csv", bodies=False)

    (row,) = csv.DictReader(io.StringIO(sink.getvalue().decode(), newline=""))
    assert row["workload"] == "'" + start
    assert row["requested_model"] == "'" + start


def test_numbers_stay_numbers_in_csv() -> None:
    assert [safe_cell(value) for value in ("-0.5", "1e-9", 3, None)] == ["-0.5", "1e-9", 3, None]


def test_a_list_of_nothing_is_a_valid_file(tmp_path: Path) -> None:
    sink = io.BytesIO()

    assert write_calls([], sink, format="csv", bodies=False) == 0
    assert sink.getvalue().startswith(b"call_id,started_at")


def test_a_changed_export_line_is_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with path.open("wb") as sink:
        write_calls([ENTRY, BARE], sink, format="jsonl", bodies=False)
    path.write_bytes(path.read_bytes().replace(b'"0.000000001"', b'"-1"'))

    assert [type(row) for row in read_calls(Source(path=path))] == [BadLine, JournalEntry]
