"""The audit log: who changed which policy, key or model, in a chain that shows every later edit.

Each record's code is an HMAC over the record and the code of the one before, so a record cannot be edited, removed,
reordered or put in between without the key, which is not in the database. The newest record's number and code are
signed apart, which shows when records are cut off at the end. Each code is also written to the log: kept elsewhere,
it shows when a whole older state of the database was put back.
"""

import hashlib
import hmac
import logging
from collections.abc import Iterator, Mapping

import msgspec
from sqlalchemy import Connection, Row, select

from trimtab.core import Clock
from trimtab.store.database import Database
from trimtab.store.rows import clean
from trimtab.store.state import bump, version_of
from trimtab.store.tables import audit, audit_head

log = logging.getLogger("trimtab.audit")

COUNTER = "audit"
"""Counter in ``state``: how many records there must be."""
_PAGE = 500
_BROKEN = "broken"
"""Stands for the code of a record that is not there; a chain that goes on from it never verifies."""


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as it was made."""

    seq: int
    """Counted from 1 without a gap."""
    at_us: int
    actor: str
    action: str
    """``policy.apply``, ``policy.rollback``, ``key.create``, ``key.update``, ``key.revoke``,
    ``artifact.register``, ``artifact.measure``, ``artifact.judge``."""
    subject: str
    """The policy version, the key id or the artifact's digest."""
    detail: str
    """JSON: what belongs to the action."""


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the log is as it was written."""

    is_intact: bool
    n_records: int
    problem: str | None = None
    """The first thing wrong, with the number of the record."""
    head: str | None = None
    """Code of the newest record; noted elsewhere, it proves later that the log up to here is the same."""


class AuditLog:
    """The chained log.

    Args:
        database: Where the records are.
        secret: Key of the chain, ``Secrets.audit_key``.
        clock: Dates the records.
    """

    def __init__(self, database: Database, secret: bytes, clock: Clock) -> None:
        self._database = database
        self._secret = secret
        self._clock = clock

    def append(
        self, connection: Connection, *, actor: str, action: str, subject: str, detail: Mapping[str, object]
    ) -> None:
        """Add a record, in the caller's write transaction: the change and its record exist together or not at all.

        A log that was tampered with is not mended by going on: the record is added, and the break stays to be found.
        """
        last, before = self._end(connection)
        record = AuditRecord(
            seq=last + 1,
            at_us=self._clock.now_us(),
            actor=clean(actor) or "",
            action=action,
            subject=clean(subject) or "",
            detail=clean(msgspec.json.encode(detail, order="sorted").decode()) or "",
        )
        mac = self._mac(before, record)
        connection.execute(audit.insert(), {**msgspec.structs.asdict(record), "mac": mac})
        connection.execute(audit_head.delete())
        connection.execute(
            audit_head.insert(),
            {"one": 1, "seq": record.seq, "mac": mac, "signature": self._signature(record.seq, mac)},
        )
        bump(self._database, connection, COUNTER)
        log.info("audit record %d: %s %s, code %s", record.seq, record.action, record.subject, mac)

    def records(self, limit: int) -> list[AuditRecord]:
        """Return the newest records, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(audit).order_by(audit.c.seq.desc()).limit(limit)).all()
        return [_record(row) for row in rows]

    def stream(self) -> Iterator[AuditRecord]:
        """Yield every record, the oldest first."""
        with self._database.reading() as connection:
            for row in _rows(connection):
                yield _record(row)

    def verify(self) -> AuditVerdict:
        """Check every record, the order and the end.

        Raises:
            StoreError: the log cannot be read.
        """
        n_records, before = 0, ""
        problem: str | None = None
        with self._database.reading() as connection:
            for row in _rows(connection):
                n_records += 1
                problem = problem or self._problem_of(row, n_records, before)
                before = row.mac
            problem = problem or self._problem_of_end(connection, n_records, before)
        return AuditVerdict(is_intact=problem is None, n_records=n_records, problem=problem, head=before or None)

    def _problem_of(self, row: Row[tuple[object, ...]], expected: int, before: str) -> str | None:
        if row.seq > expected:
            gone = f"record {expected} is" if row.seq == expected + 1 else f"records {expected} to {row.seq - 1} are"
            return f"{gone} missing"
        if row.seq < expected:
            return f"record {row.seq} does not belong in the log"
        if not hmac.compare_digest(row.mac, self._mac(before, _record(row))):
            return f"record {row.seq} is not the one that was written, or does not follow the one before it"
        return None

    def _problem_of_end(self, connection: Connection, n_records: int, mac: str) -> str | None:
        head = connection.execute(select(audit_head)).first()
        n_written = version_of(connection, COUNTER)
        if head is None:
            return "the signed end of the log is missing" if n_records or n_written else None
        if not hmac.compare_digest(head.signature, self._signature(head.seq, head.mac)):
            return "the signed end of the log was changed"
        n_expected = max(head.seq, n_written)
        if n_expected > n_records:
            return f"the log ends at record {n_records}, and record {n_expected} was written"
        if n_expected < n_records or not hmac.compare_digest(head.mac, mac):
            return f"record {n_records} is not the one that the signed end of the log names"
        return None

    def _end(self, connection: Connection) -> tuple[int, str]:
        """Return number and code of the newest record."""
        last = connection.execute(select(audit.c.seq).order_by(audit.c.seq.desc()).limit(1)).scalar() or 0
        head = connection.execute(select(audit_head)).first()
        n_written = version_of(connection, COUNTER)
        if head is None:
            return max(last, n_written), "" if last == n_written == 0 else _BROKEN
        is_whole = head.seq == last == n_written and hmac.compare_digest(
            head.signature, self._signature(head.seq, head.mac)
        )
        return max(last, head.seq, n_written), head.mac if is_whole else _BROKEN

    def _mac(self, before: str, record: AuditRecord) -> str:
        return self._code(b"record", msgspec.json.encode((before, *msgspec.structs.astuple(record))))

    def _signature(self, seq: int, mac: str) -> str:
        return self._code(b"end", msgspec.json.encode((seq, mac)))

    def _code(self, kind: bytes, content: bytes) -> str:
        return hmac.new(self._secret, kind + b"\x00" + content, hashlib.sha256).hexdigest()


def _record(row: Row[tuple[object, ...]]) -> AuditRecord:
    return AuditRecord(**{name: getattr(row, name) for name in AuditRecord.__struct_fields__})


def _rows(connection: Connection) -> Iterator[Row[tuple[object, ...]]]:
    """Yield the rows in order, a page at a time."""
    after = -(2**62)
    query = select(audit).order_by(audit.c.seq).limit(_PAGE)
    while page := connection.execute(query.where(audit.c.seq > after)).all():
        yield from page
        after = page[-1].seq
