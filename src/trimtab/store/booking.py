"""One transaction that writes a batch: rows, bodies, decisions, roll-ups, spend and leases, all or nothing.

A call that is there already changes nothing, sums included, so a batch may be written again after any failure.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, select

from trimtab.core import CallRecord, JournalEntry, StoreMode, day_of, month_start
from trimtab.store.database import Database, RowRefused
from trimtab.store.partitions import make_days
from trimtab.store.rollups import add_totals
from trimtab.store.rows import pack, row_of, unpack
from trimtab.store.scopes import RuleIds, scopes_of
from trimtab.store.tables import bodies, calls, decisions, leases, spend_day, spool_marks

log = logging.getLogger("trimtab.store")

Redactor = Callable[[bytes], bytes]
"""Masks identifiers and keys in a body; ``trimtab.workloads.redact_body``."""
_IDS_AT_ONCE = 5000
"""Ids looked for in one query; SQLite takes 32,766 values in one, PostgreSQL 65,535."""


class Booked(NamedTuple):
    """What became of a batch."""

    n_new: int
    n_seen: int
    """Were there already."""


class Mark(NamedTuple):
    """How far a spool is booked; written with the rows, so a segment is never booked twice."""

    owner: str
    segment: int
    n_booked: int


class Ledger:
    """Writes batches of calls.

    Args:
        database: Where to.
        redactor: Applied to bodies kept in mode ``redacted``; the default is ``trimtab.workloads.redact_body``.
    """

    def __init__(self, database: Database, redactor: Redactor | None = None) -> None:
        self._database = database
        self._redactor = redactor
        self._rules = RuleIds()

    def book(
        self,
        entries: Sequence[JournalEntry],
        *,
        worker: str | None = None,
        mark: Mark | None = None,
        by_id_alone: bool = False,
        are_new: bool = False,
    ) -> Booked:
        """Write a batch.

        Args:
            entries: In the order they happened.
            worker: Whose leases shrink by what was spent; ``None`` books no spend (imported calls spend nothing).
            mark: Progress of the spool the entries came from.
            by_id_alone: Find a call that is there under another day too, as an import needs that gives a log's rows
                other times than last time.
            are_new: The calls were just made, so they are looked for only if the database says that one is there.

        Raises:
            RowRefused: an entry can never be stored; nothing of the batch was.
            StoreError: the database failed; nothing of the batch was written.
        """
        prepared = [self._prepared(entry) for entry in entries]
        if are_new:
            try:
                return self._write(prepared, lambda _: prepared, worker, mark)
            except RowRefused:
                log.debug("a batch holds a call that is stored already, or one that cannot be")
        return self._write(
            prepared, lambda connection: _without_seen(connection, prepared, by_id_alone=by_id_alone), worker, mark
        )

    def _write(
        self,
        prepared: Sequence["_Prepared"],
        choose: Callable[[Connection], Sequence["_Prepared"]],
        worker: str | None,
        mark: Mark | None,
    ) -> Booked:
        """Write what is chosen of the batch, in one transaction."""
        with self._database.writing() as connection:
            new = choose(connection)
            if not self._database.is_sqlite:
                make_days(connection, {p.day for p in new if p.row is not None})
            self._write_rows(connection, [p for p in new if p.row is not None])
            add_totals(self._database, connection, (p.entry.call for p in new))
            if worker is not None:
                self._write_spend(connection, worker, [p.entry for p in new])
            if mark is not None:
                self._write_mark(connection, mark)
        return Booked(len(new), len(prepared) - len(new))

    def _prepared(self, entry: JournalEntry) -> "_Prepared":
        """Do what can be done before the transaction begins."""
        call = entry.call
        try:
            row = None if call.store_mode == StoreMode.NONE else row_of(call)
            return _Prepared(entry, day_of(call.started_at_us), row, *self._kept_bodies(entry))
        except (ValueError, OverflowError) as exc:
            raise RowRefused(f"The call {call.call_id} cannot be stored: {exc}.") from exc

    def _kept_bodies(self, entry: JournalEntry) -> tuple[bytes | None, bytes | None]:
        """Return request and response as they may reach the disk."""
        mode = entry.call.store_mode
        if mode not in (StoreMode.REDACTED, StoreMode.FULL):
            return None, None
        request, response = entry.request_body, entry.response_body
        if mode == StoreMode.REDACTED:
            request, response = self._redacted(request), self._redacted(response)
        return pack(request), pack(response)

    def _redacted(self, body: bytes | None) -> bytes | None:
        if not body:
            return None
        if self._redactor is None:
            from trimtab.workloads import redact_body

            self._redactor = redact_body
        try:
            return self._redactor(body)
        except Exception as exc:  # the boundary to a redactor: what it cannot mask is not kept, whatever went wrong
            log.error("a body could not be redacted and is not kept: %s", type(exc).__name__)
            return None

    def _write_rows(self, connection: Connection, new: Sequence["_Prepared"]) -> None:
        """Write calls, bodies and the decisions that came along."""
        insert = self._database.insert_rows
        insert(connection, calls, [p.row for p in new if p.row is not None])
        insert(
            connection,
            bodies,
            [
                (p.day, p.entry.call.call_id, p.request, p.response)
                for p in new
                if p.request is not None or p.response is not None
            ],
        )
        days: dict[str, int] = {}
        records: dict[str, bytes] = {}
        for p in new:
            digest, record = p.entry.call.decision_digest, p.entry.decision
            if digest is not None and record is not None:
                days[digest] = max(p.day, days.get(digest, p.day))
                records[digest] = record
        if not records:
            return
        add = self._database.insert(decisions)
        newest = case((add.excluded.day > decisions.c.day, add.excluded.day), else_=decisions.c.day)
        connection.execute(
            add.on_conflict_do_update(index_elements=["digest"], set_={"day": newest}),
            [{"digest": digest, "day": days[digest], "record": pack(records[digest])} for digest in sorted(records)],
        )

    def _write_spend(self, connection: Connection, worker: str, entries: Iterable[JournalEntry]) -> None:
        """Add what the calls cost to every scope they count against, and take it out of the worker's leases."""
        costs: defaultdict[tuple[object, ...], int] = defaultdict(int)
        examples: dict[tuple[object, ...], CallRecord] = {}
        for entry in entries:
            call = entry.call
            if entry.decision is not None and call.decision_digest is not None:
                self._rules.learn(call.decision_digest, entry.decision)
            if call.cost_nano_usd:
                key = (call.app, call.workload, call.key_id, call.decision_digest, day_of(call.started_at_us))
                costs[key] += call.cost_nano_usd
                examples[key] = call
        spent: defaultdict[tuple[str, int], int] = defaultdict(int)
        for spender, call in examples.items():
            for scope in scopes_of(call, self._rules.of(call, lambda digest: load_decision(connection, digest))):
                spent[scope, day_of(call.started_at_us)] += costs[spender]
        if not spent:
            return
        rows = [(scope, day, amount) for (scope, day), amount in sorted(spent.items())]
        self._database.add_rows(connection, spend_day, rows)
        _shrink_leases(connection, worker, spent)

    def _write_mark(self, connection: Connection, mark: Mark) -> None:
        insert = self._database.insert(spool_marks)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["owner"], set_={name: insert.excluded[name] for name in ("segment", "n_booked")}
            ),
            mark._asdict(),
        )


class _Prepared(NamedTuple):
    """An entry with what was computed before the transaction began."""

    entry: JournalEntry
    day: int
    row: tuple[Any, ...] | None  # Any: column values of every type
    """``None`` for a call that leaves no record."""
    request: bytes | None
    response: bytes | None


def _without_seen(connection: Connection, prepared: Sequence[_Prepared], *, by_id_alone: bool) -> list[_Prepared]:
    """Return the entries whose call is not stored yet, each call once."""
    days = None if by_id_alone else list({p.day for p in prepared if p.row is not None})
    seen: set[str] = set()
    ids = iter({p.entry.call.call_id for p in prepared if p.row is not None})
    while some := list(islice(ids, _IDS_AT_ONCE)):
        seen.update(_stored(connection, some, days))
    new = []
    for p in prepared:
        if p.entry.call.call_id not in seen:
            seen.add(p.entry.call.call_id)
            new.append(p)
    return new


def _stored(connection: Connection, ids: list[str], days: list[int] | None) -> Iterator[str]:
    """Return which of the calls are there, on these days or on any."""
    query = select(calls.c.call_id).where(calls.c.call_id.in_(bindparam("ids", expanding=True)))
    if days is None:
        return iter(connection.execute(query, {"ids": ids}).scalars())
    query = query.where(calls.c.day.in_(bindparam("days", expanding=True)))
    return iter(connection.execute(query, {"ids": ids, "days": days}).scalars())


_LEFT = leases.c.amount_nano_usd - bindparam("booked")
_SHRINK = (
    leases.update()
    .where(
        leases.c.worker == bindparam("of_worker"),
        leases.c.scope == bindparam("of_scope"),
        leases.c.period == bindparam("of_period"),
        leases.c.first_day == bindparam("from_day"),
    )
    .values(amount_nano_usd=case((_LEFT > 0, _LEFT), else_=0))
)


def _shrink_leases(connection: Connection, worker: str, spent: dict[tuple[str, int], int]) -> None:
    """Take what is now in the ledger out of the worker's leases, in the same transaction: nothing counts twice."""
    rows = [
        {"of_worker": worker, "of_scope": scope, "of_period": period, "from_day": first, "booked": amount}
        for (scope, day), amount in spent.items()
        for period, first in (("day", day), ("month", month_start(day)))
    ]
    connection.execute(_SHRINK, rows)


def load_decision(connection: Connection, digest: str) -> bytes | None:
    """Return the stored decision, or ``None``."""
    return unpack(connection.execute(select(decisions.c.record).where(decisions.c.digest == digest)).scalar())
