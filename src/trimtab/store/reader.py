"""Reading the journal: one call, the newest, all of them page by page, or all outcomes of each prompt together.

A long read is a chain of short transactions, each beginning after the last row of the one before, so it needs little
memory and holds up nobody: a dashboard query must not stop the gateway.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, select, tuple_

from trimtab.core import GATEWAY, CallRecord, CallStatus, Feedback, JournalEntry
from trimtab.store.booking import load_decision
from trimtab.store.database import Database
from trimtab.store.filters import CallFilter, Order, conditions
from trimtab.store.rows import call_of, clean, to_ms, unpack
from trimtab.store.tables import bodies, calls, decisions, feedback
from trimtab.store.totals import DayTotals, QualitySums, Totals, quality_of, totals_by_day, totals_of

PAGE_ROWS = 1000
PAGE_ROWS_WITH_BODIES = 50
"""A body may have a megabyte and more."""
MAX_PROMPT_CALLS = 1000
"""Calls of one prompt that are given together; more of them, as of a health check, come as several groups."""
RECENT_CALLS = 20_000
"""How far back latency samples are looked for: they are read at each start, which must not scan the table."""
_KEPT_DECISIONS = 2048

Sample = tuple[float, float | None, int | None]
"""Total and first-chunk milliseconds, output tokens."""
_Query = Select[tuple[Any, ...]]  # Any: SQLAlchemy's row types
_by_time = (calls.c.started_at_us, calls.c.call_id)
_by_prompt = (calls.c.prompt_id, calls.c.call_id)
_with_body = and_(bodies.c.day == calls.c.day, bodies.c.call_id == calls.c.call_id)


class CallReader:
    """Reads calls and what was summed over them.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, call_id: str) -> JournalEntry | None:
        """Return a call with its decision and its bodies, as far as they were kept."""
        query = select(calls, bodies.c.request, bodies.c.response).outerjoin(bodies, _with_body)
        with self._database.reading() as connection:
            row = connection.execute(query.where(calls.c.call_id == clean(call_id)).limit(1)).mappings().first()
            if row is None:
                return None
            digest = row["decision_digest"]
            return _entry(row, None if digest is None else load_decision(connection, digest))

    def feedback_of(self, call_id: str) -> list[Feedback]:
        """Return the judgements of a call, the oldest first."""
        query = select(feedback).where(feedback.c.call_id == clean(call_id))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(feedback.c.at_us, feedback.c.source, feedback.c.key_id)).all()
        return [
            Feedback(
                call_id=row.call_id,
                at_us=row.at_us,
                source=row.source,
                key_id=row.key_id or None,
                score_fraction=row.score_fraction,
                comment=row.comment,
            )
            for row in rows
        ]

    def newest(self, filter: CallFilter, limit: int) -> list[CallRecord]:
        """Return the newest calls, the newest first."""
        query = (
            self._calls(filter, "newest").order_by(calls.c.started_at_us.desc(), calls.c.call_id.desc()).limit(limit)
        )
        with self._database.reading() as connection:
            return [call_of(row) for row in connection.execute(query).mappings()]

    def stream(self, filter: CallFilter, *, bodies: bool) -> Iterator[JournalEntry]:
        """Yield the calls with their decisions, the oldest first.

        Args:
            filter: Which calls.
            bodies: Whether prompts and answers come too.
        """
        query, size = self._calls(filter, "by_time"), PAGE_ROWS
        start = None if filter.since_us is None else (filter.since_us, "")
        if bodies:
            query, size = _joined(query), PAGE_ROWS_WITH_BODIES
        return (_entry(row, decision) for row, decision in self._pages(query, _by_time, size, start))

    def decision(self, digest: str) -> bytes | None:
        """Return the encoded decision, or ``None``."""
        with self._database.reading() as connection:
            return load_decision(connection, digest)

    def totals(self, filter: CallFilter) -> list[Totals]:
        """Return sums by workload and model; times count as the UTC days they lie in."""
        with self._database.reading() as connection:
            return totals_of(connection, filter)

    def by_day(self, filter: CallFilter) -> list[DayTotals]:
        """Return sums by UTC day, the oldest first; days without a call are left out."""
        with self._database.reading() as connection:
            return totals_by_day(connection, filter)

    def quality_sums(self) -> list[QualitySums]:
        """Return the quality sums of all sources together, by workload and model."""
        with self._database.reading() as connection:
            return quality_of(connection)

    def recorded_prompts(self, filter: CallFilter) -> Iterator[list[tuple[CallRecord, bytes | None]]]:
        """Yield all calls of each prompt together, each with its encoded decision where there is one.

        A call without a prompt id comes alone, after the others.
        """
        query = self._calls(filter, "by_prompt")
        prompted = self._pages(query.where(calls.c.prompt_id.is_not(None)), _by_prompt, PAGE_ROWS)
        for _, group in groupby(prompted, lambda found: found[0]["prompt_id"]):
            while part := list(islice(group, MAX_PROMPT_CALLS)):
                yield [(call_of(row), decision) for row, decision in part]
        for row, decision in self._pages(query.where(calls.c.prompt_id.is_(None)), _by_prompt[1:], PAGE_ROWS):
            yield [(call_of(row), decision)]

    def latency_samples(self, limit_per_model: int) -> dict[str, list[Sample]]:
        """Return what the newest answered gateway calls took, by model, the newest first."""
        c = calls.c
        columns = (c.model, c.source, c.status, c.latency_us, c.ttft_us, c.output_tokens)
        query = select(*columns).order_by(c.started_at_us.desc(), c.call_id.desc()).limit(RECENT_CALLS)
        found: dict[str, list[Sample]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                if row.source != GATEWAY or row.status != CallStatus.OK or row.latency_us is None:
                    continue
                samples = found.setdefault(row.model, [])
                if len(samples) < limit_per_model:
                    samples.append((row.latency_us / 1000, to_ms(row.ttft_us), row.output_tokens))
        return found

    def _calls(self, filter: CallFilter, order: Order) -> _Query:
        return select(calls).where(*conditions(filter, order, is_partitioned=not self._database.is_sqlite))

    def _pages(
        self,
        query: _Query,
        order: tuple[ColumnElement[Any], ...],
        size: int,
        after: tuple[Any, ...] | None = None,
    ) -> Iterator[tuple[RowMapping, bytes | None]]:
        """Yield the rows behind a place with their decisions; no transaction is open while the caller works on them."""
        known = _Decisions()
        page_query = query.order_by(*order).limit(size)
        while True:
            this = page_query if after is None else page_query.where(tuple_(*order) > after)
            with self._database.reading() as connection:
                page = connection.execute(this).mappings().all()
                known.learn(connection, {row["decision_digest"] for row in page} - {None})
            yield from ((row, known.of(row["decision_digest"])) for row in page)
            if len(page) < size:
                return
            after = tuple(page[-1][column] for column in order)


class _Decisions:
    """The decisions of the rows at hand: many rows share one, and a long read must not fetch it for each."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, bytes] = OrderedDict()

    def learn(self, connection: Connection, digests: set[str]) -> None:
        """Fetch those that are not known yet, and let go of those that were not needed for long."""
        for digest in digests & self._known.keys():
            self._known.move_to_end(digest)
        query = select(decisions).where(decisions.c.digest.in_(digests - self._known.keys()))
        for row in connection.execute(query):
            self._known[row.digest] = unpack(row.record) or b""
        while len(self._known) > _KEPT_DECISIONS:
            self._known.popitem(last=False)

    def of(self, digest: str | None) -> bytes | None:
        return None if digest is None else self._known.get(digest)


def _joined(query: _Query) -> _Query:
    """Return the query with bodies."""
    return query.add_columns(bodies.c.request, bodies.c.response).outerjoin_from(calls, bodies, _with_body)


def _entry(row: RowMapping, decision: bytes | None) -> JournalEntry:
    return JournalEntry(
        call=call_of(row),
        decision=decision,
        request_body=unpack(row.get("request")),
        response_body=unpack(row.get("response")),
    )
