"""Calls, a clock and independent sums for the store's tests."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, text

from trimtab.core import US_PER_DAY, US_PER_HOUR, CallRecord, JournalEntry, Usage
from trimtab.store import Database
from trimtab.store.tables import ROLLUP_KEYS, ROLLUP_SUMS, metadata

DAY = 20_000
"""2024-10-04."""
NOON_US = DAY * US_PER_DAY + US_PER_DAY // 2
_numbers = itertools.count(1)


def call(**fields: Any) -> CallRecord:
    """Return a call with a fresh id; the defaults are a priced, answered gateway call."""
    number = next(_numbers)
    usage = Usage(input_tokens=fields.pop("input_tokens", 100), output_tokens=fields.pop("output_tokens", 20))
    defaults: dict[str, Any] = {
        "call_id": f"call_{number:026d}",
        "started_at_us": NOON_US + number,
        "app": "shop",
        "key_id": "key_1",
        "workload": "faq",
        "model": "p:small",
        "usage": usage,
        "cost_nano_usd": 1500,
        "cost_source": "priced",
        "latency_ms": 12.5,
    }
    return CallRecord(**{**defaults, **fields})


def entry(
    decision: bytes | None = None, request: bytes | None = None, response: bytes | None = None, **fields: Any
) -> JournalEntry:
    return JournalEntry(call=call(**fields), decision=decision, request_body=request, response_body=response)


def count(database: Database, table: str) -> int:
    with database.reading() as connection:
        return int(connection.execute(select(text("count(*)")).select_from(metadata.tables[table])).scalar_one())


def rows(database: Database, table: str) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(select(metadata.tables[table])).mappings()]


def rollup(database: Database, period: str) -> Counter[tuple[Any, ...]]:
    """Return a roll-up as sums under ``(period, workload, model, app, status, source, name of the sum)``."""
    found: Counter[tuple[Any, ...]] = Counter()
    for row in rows(database, f"rollup_{period}"):
        for name in ROLLUP_SUMS:
            found[(row[period], *(row[key] for key in ROLLUP_KEYS), name)] += row[name]
    return +found


def summed(database: Database, period: str) -> Counter[tuple[Any, ...]]:
    """Return the same sums, worked out here from the rows of ``calls``."""
    return sums_over(rows(database, "calls"), period)


def sums_over(calls: Iterable[dict[str, Any]], period: str) -> Counter[tuple[Any, ...]]:
    length_us = US_PER_DAY if period == "day" else US_PER_HOUR
    found: Counter[tuple[Any, ...]] = Counter()
    for row in calls:
        key = (row["started_at_us"] // length_us, *((row[name] or "") for name in ROLLUP_KEYS))
        found[(*key, "n_calls")] += 1
        found[(*key, "n_unpriced")] += row["cost_nano_usd"] is None
        found[(*key, "n_latency")] += row["latency_us"] is not None
        for name in ("cost_nano_usd", "input_tokens", "output_tokens", "latency_us"):
            found[(*key, name)] += row[name] or 0
    return +found


def assert_sums_equal_rows(database: Database) -> None:
    for period in ("day", "hour"):
        assert rollup(database, period) == summed(database, period)


def spent(database: Database, scope: str) -> int:
    return sum(row["nano_usd"] for row in rows(database, "spend_day") if row["scope"] == scope)


def ids(entries: Sequence[JournalEntry]) -> list[str]:
    return [e.call.call_id for e in entries]
