"""Sums by workload, model and day, read from the roll-ups: their number of cells does not grow with the calls."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, cast, func, select

from trimtab.core import CallStatus, day_of
from trimtab.store.filters import CallFilter
from trimtab.store.rollups import no_model
from trimtab.store.rows import clean
from trimtab.store.tables import ROLLUP_SUMS, quality_sums, rollup_day


class _Sums(msgspec.Struct, frozen=True, kw_only=True):
    n_calls: int
    n_unpriced: int
    """Calls whose cost is unknown; they are not in ``cost_nano_usd``."""
    cost_nano_usd: int
    input_tokens: int
    output_tokens: int
    n_latency: int
    """Calls with a measured latency."""
    latency_us: int
    """Summed over those."""
    n_errors: int
    """Calls whose status is ``error``."""


class Totals(_Sums, frozen=True, kw_only=True):
    """Sums over the calls of one workload and model."""

    workload: str
    model: str | None
    """``None``: nobody was asked."""


class DayTotals(_Sums, frozen=True, kw_only=True):
    """Sums over the calls of one UTC day."""

    day: int
    """Counted from 1970-01-01."""


class QualitySums(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the scores of one workload and model, 0 to 1 each, whoever gave them."""

    workload: str
    model: str
    n: int
    total: float
    total_of_squares: float


def totals_of(connection: Connection, filter: CallFilter) -> list[Totals]:
    """Return the sums by workload and model, in that order; times count as the UTC days they lie in."""
    keys = (rollup_day.c.workload, rollup_day.c.model)
    rows = connection.execute(_summed(keys, filter)).mappings()
    return [Totals(**{**row, "model": row["model"] or None}) for row in rows]


def totals_by_day(connection: Connection, filter: CallFilter) -> list[DayTotals]:
    """Return the sums by UTC day, the oldest first; days without a call are left out."""
    return [DayTotals(**row) for row in connection.execute(_summed((rollup_day.c.day,), filter)).mappings()]


def quality_of(connection: Connection) -> list[QualitySums]:
    """Return the quality sums of all sources together, by workload and model."""
    keys = (quality_sums.c.workload, quality_sums.c.model)
    sums = (
        _whole(quality_sums.c.n, "n"),
        func.sum(quality_sums.c.total).label("total"),
        func.sum(quality_sums.c.total_of_squares).label("total_of_squares"),
    )
    rows = connection.execute(select(*keys, *sums).group_by(*keys).order_by(*keys)).mappings()
    return [QualitySums(**row) for row in rows]


def _summed(keys: Sequence[ColumnElement[object]], filter: CallFilter) -> Select[tuple[Any, ...]]:
    errors = case((rollup_day.c.status == CallStatus.ERROR.value, rollup_day.c.n_calls), else_=0)
    sums = [*(_whole(rollup_day.c[name], name) for name in ROLLUP_SUMS), _whole(errors, "n_errors")]
    columns: list[ColumnElement[Any]] = [*keys, *sums]  # Any: keys and sums of several types
    return select(*columns).where(*_conditions(filter)).group_by(*keys).order_by(*keys)


def _whole(column: ColumnElement[object], name: str) -> ColumnElement[int]:
    """Return the sum as an integer: PostgreSQL adds 64-bit integers up to an exact decimal."""
    return cast(func.sum(column), BigInteger).label(name)


def _conditions(filter: CallFilter) -> list[ColumnElement[bool]]:
    c = rollup_day.c
    found = [c[name] == clean(value) for name, value in filter.equals() if name != "model"]
    if filter.model is not None:
        found.append(c.model == clean(no_model(filter.model)))
    if filter.since_us is not None:
        found.append(c.day >= day_of(filter.since_us))
    if filter.until_us is not None:
        found.append(c.day <= day_of(filter.until_us - 1))
    return found
