"""The tables behind the pages, as JSON and as CSV that no spreadsheet runs."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import Response

from trimtab.catalog import ProbeResult
from trimtab.control import DaySummary, ModelRow, ModelShare, WorkloadSummary
from trimtab.control.plain import plain
from trimtab.core import CallRecord, JournalEntry, to_datetime
from trimtab.ingest import safe_cell, write_calls
from trimtab.routing import Estimate, Explanation
from trimtab.store import AuditRecord, PolicyVersion

Cells = Mapping[str, str | int | float | bool | None]


def as_json(value: Any, status: int = 200) -> Response:  # Any: whatever msgspec encodes, structs and dataclasses
    """Return a JSON answer with every field, those at their defaults included."""
    return Response(msgspec.json.encode(plain(value)), status, media_type="application/json")


def as_csv(rows: Sequence[Cells], name: str) -> Response:
    """Return a CSV file; text that a spreadsheet would take for a formula is quoted."""
    text = io.StringIO()
    if rows:
        writer = csv.writer(text)
        writer.writerow(rows[0])
        writer.writerows([safe_cell(cell) for cell in row.values()] for row in rows)
    return _file(text.getvalue().encode(), name)


def calls_as_csv(calls: Sequence[CallRecord]) -> Response:
    """Return calls with the columns of an export, without prompts and answers."""
    sink = io.BytesIO()
    write_calls((JournalEntry(call=call) for call in calls), sink, format="csv", bodies=False)
    return _file(sink.getvalue(), "calls")


def workload_rows(workloads: Sequence[WorkloadSummary]) -> list[Cells]:
    """Return one row for each workload and model."""
    return [{"workload": row.workload, **_share(share)} for row in workloads for share in row.models]


def share_rows(models: Sequence[ModelShare]) -> list[Cells]:
    """Return one row for each model."""
    return [_share(share) for share in models]


def day_rows(days: Sequence[DaySummary]) -> list[Cells]:
    """Return one row for each day."""
    return [msgspec.structs.asdict(row) for row in days]


def model_rows(models: Sequence[ModelRow]) -> list[Cells]:
    """Return one row for each model."""
    return [
        {
            **_without(msgspec.structs.asdict(row), "probe"),
            "capabilities": " ".join(row.capabilities),
            **_speed(row.probe),
        }
        for row in models
    ]


def _speed(probe: ProbeResult | None) -> Cells:
    light, peak = (None, None) if probe is None else (probe.light, probe.peak)
    return {
        "probe_day": None if probe is None else probe.day,
        "n_probe_calls": None if probe is None else probe.n_calls,
        "ttft_p50_ms": None if light is None else light.ttft_p50_ms,
        "call_output_tokens_per_s": None if light is None else light.call_output_tokens_per_s,
        "output_tokens_per_s": None if peak is None else peak.output_tokens_per_s,
    }


def version_rows(versions: Sequence[PolicyVersion]) -> list[Cells]:
    """Return one row for each time a policy was put in force, without its text."""
    return [
        {
            "applied_at": _iso(row.applied_at_us),
            "version": row.version,
            "name": row.name,
            "origin": row.origin,
            "actor": row.actor,
            "action": row.action,
        }
        for row in versions
    ]


def audit_rows(records: Sequence[AuditRecord]) -> list[Cells]:
    """Return one row for each change."""
    return [{"at": _iso(row.at_us), **_without(msgspec.structs.asdict(row), "at_us")} for row in records]


def candidate_rows(explanation: Explanation | None) -> list[Cells]:
    """Return one row for each model that took part in a decision: those left in their order, then those removed."""
    return [] if explanation is None else list(_candidates(explanation))


def _candidates(explanation: Explanation) -> Iterator[Cells]:
    for scored in explanation.scores:
        facts = scored.facts
        yield {
            "model": facts.model,
            "place": scored.place,
            "removed_by": None,
            "reason": None,
            "cost_nano_usd": facts.cost_nano_usd,
            **_quality(facts.quality),
            "ttft_p95_ms": facts.ttft_p95_ms,
            "total_p95_ms": facts.total_p95_ms,
            "n_latency": facts.n_latency,
            "probe_day": facts.probe_day,
        }
    for removal in explanation.removed:
        yield {
            "model": removal.model,
            "place": None,
            "removed_by": removal.rule_id,
            "reason": removal.reason,
            "cost_nano_usd": None,
            **_quality(None),
            "ttft_p95_ms": None,
            "total_p95_ms": None,
            "n_latency": None,
            "probe_day": None,
        }


def _share(share: ModelShare) -> Cells:
    return {**_without(msgspec.structs.asdict(share), "quality"), **_quality(share.quality)}


def _quality(estimate: Estimate | None) -> Cells:
    names = ("mean", "lower", "upper", "n_samples")
    return {f"quality_{name}": None if estimate is None else getattr(estimate, name) for name in names}


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:  # Any: columns of every kind
    return {key: value for key, value in row.items() if key != name}


def _iso(at_us: int) -> str:
    return to_datetime(at_us).isoformat(timespec="seconds").replace("+00:00", "Z")


def _file(content: bytes, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="trimtab-{name}.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)
