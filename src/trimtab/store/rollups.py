"""Sums kept beside the rows: computed here in memory for a batch, added to the tables in the rows' transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from trimtab.core import US_PER_HOUR, CallRecord
from trimtab.store.database import Database
from trimtab.store.rows import clean, to_us
from trimtab.store.tables import ROLLUP_SUMS, quality_sums, rollup_day, rollup_hour

Cell = tuple[int, str, str, str, str, str]
"""Period, then ``ROLLUP_KEYS``."""
QualityCell = tuple[str, str, str]
OUTCOME = "outcome"
"""The quality source of a score that came with the call itself."""


def no_model(model: str | None) -> str:
    """Return a model as a roll-up key; nobody asked is the empty string."""
    return model or ""


def add_totals(database: Database, connection: Connection, calls: Iterable[CallRecord]) -> None:
    """Add calls to the hour and day roll-ups and to the quality sums."""
    hours: defaultdict[Cell, list[int]] = defaultdict(lambda: [0] * len(ROLLUP_SUMS))
    quality: defaultdict[QualityCell, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for call in calls:
        hour = call.started_at_us // US_PER_HOUR
        _add_to(hours[hour, call.workload, no_model(call.model), call.app, call.status, call.source], _sums_of(call))
        if call.quality_fraction is not None and call.model is not None:
            grade = quality[clean(call.workload) or "", clean(call.model) or "", OUTCOME]
            grade[0] += 1
            grade[1] += call.quality_fraction
            grade[2] += call.quality_fraction**2
    days: defaultdict[Cell, list[int]] = defaultdict(lambda: [0] * len(ROLLUP_SUMS))
    for (hour, *key), sums in hours.items():
        _add_to(days[(hour // 24, *key)], sums)  # type: ignore[index]  # mypy forgets how many a star holds
    database.add_rows(connection, rollup_day, _rows(days))
    database.add_rows(connection, rollup_hour, _rows(hours))
    add_quality(database, connection, quality)


def add_quality(database: Database, connection: Connection, grades: dict[QualityCell, list[float]]) -> None:
    """Add ``[n, total, total of squares]`` to the sums of (workload, model, source)."""
    database.add_rows(connection, quality_sums, [(*cell, *sums) for cell, sums in sorted(grades.items())])


def _sums_of(call: CallRecord) -> tuple[int, ...]:
    """Return what one call adds to each of ``ROLLUP_SUMS``; one without a price adds to their count, not to cost."""
    latency_us = to_us(call.latency_ms)
    return (
        1,
        1 if call.cost_nano_usd is None else 0,
        call.cost_nano_usd or 0,
        call.usage.input_tokens or 0,
        call.usage.output_tokens or 0,
        0 if latency_us is None else 1,
        latency_us or 0,
    )


def _add_to(sums: list[int], more: Sequence[int]) -> None:
    for index, amount in enumerate(more):
        sums[index] += amount


def _rows(cells: Mapping[Cell, list[int]]) -> list[tuple[Any, ...]]:  # Any: text keys and integer sums
    """Return the cells as rows, in one order for all writers. Two names that are stored alike become two rows."""
    return [(cell[0], *map(clean, cell[1:]), *sums) for cell, sums in sorted(cells.items())]
