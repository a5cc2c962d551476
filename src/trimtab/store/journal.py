"""The journal: takes finished calls without waiting, and writes them to the database in batches from a thread.

A call is safe from a killed process when its record is in the spool file; bodies stay in memory until the writer has
redacted them. The writer books what came within one flush interval in one transaction and then deletes that part of
the spool. While the database is away, calls pile up in memory to a bound, and in the spool to its cap.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import select

from trimtab.core import Clock, JournalEntry, StoreMode, SystemClock, day_of
from trimtab.core.errors import StoreError
from trimtab.store.booking import Ledger, Mark, Redactor
from trimtab.store.database import Database, Durability, RowRefused
from trimtab.store.spool import Leftover, Segment, Spool, read_segment
from trimtab.store.tables import spool_marks

log = logging.getLogger("trimtab.store")

RETRY_S = 0.5
"""Pause after the database failed; the calls wait in memory and spool."""
CLOSE_TIMEOUT_S = 20.0
KNOWN_DECISIONS = 65_536


class _Batch:
    """Calls that will be booked together: a segment of the spool, and its first part in memory with bodies."""

    def __init__(self, number: int, segment: Segment | None) -> None:
        self.number = number
        self.segment = segment
        self.entries: list[tuple[JournalEntry, bool]] = []
        """With whether the segment has it too. Those kept in memory come first in the segment."""
        self.is_cut = False
        """The segment has more than memory does."""
        self.n_taken = 0
        self.body_bytes = 0
        self.n_booked = 0
        """Records of the segment that are in the database."""


class Journal:
    """Where finished calls go; the gateway's ``Recorder`` and a part of ``/readyz``.

    Args:
        database: Where calls end.
        spool_dir: Folder of the spools of all workers on this machine; only their owner may read it.
        worker: This worker's name, the one its leases carry.
        clock: Says which day it is.
        flush_ms: A call is in the database after about this long.
        flush_rows: Or as soon as this many wait.
        spool_cap_bytes: The spool grows no larger; further calls are then kept in memory alone.
        durability: ``fsync`` waits for the disk once a flush.
        redactor: Masks identifiers in bodies; default ``trimtab.workloads.redact_body``.
        queue_rows: Calls kept in memory while the database is away; more wait in the spool alone.
        queue_body_bytes: Bodies kept in memory until a flush; further calls lose their bodies, never their record.

    Raises:
        StoreError: the spool folder cannot be used.
    """

    def __init__(
        self,
        database: Database,
        spool_dir: Path,
        *,
        worker: str,
        clock: Clock | None = None,
        flush_ms: int = 200,
        flush_rows: int = 500,
        spool_cap_bytes: int = 512 * 1024 * 1024,
        durability: Durability = "normal",
        redactor: Redactor | None = None,
        queue_rows: int = 10_000,
        queue_body_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._database = database
        self._ledger = Ledger(database, redactor)
        self._worker = worker
        self._clock = clock or SystemClock()
        self._flush_s = flush_ms / 1000
        self._flush_rows = flush_rows
        self._spool_cap_bytes = spool_cap_bytes
        self._durability = durability
        self._queue_rows = queue_rows
        self._queue_body_bytes = queue_body_bytes
        self._spool = Spool(spool_dir, worker)
        self._known: dict[str, int] = {}
        """By digest, the day on which the decision came."""
        self._changed = threading.Condition()
        self._spool_problem: str | None = None
        self._database_problem: str | None = None
        self._spool_bytes = 0
        self._is_closing = False
        self._flush_target = 0
        self._n_recorded = self._n_done = self._n_failures = 0
        self.n_dropped = 0
        """Calls that found neither room in memory nor in the spool."""
        self.n_refused = 0
        """Calls that the database will never take."""
        self._waiting = self._new_batch()
        self._booking: _Batch | None = None
        self._thread = threading.Thread(target=self._run, name="trimtab-journal", daemon=True)
        self._thread.start()

    def record(self, *entries: JournalEntry) -> None:
        """Take calls, together in one write to the spool. Waits for no disk and no database."""
        leans = [_without_bodies(entry) for entry in entries]
        with self._changed:
            batch = self._waiting
            n_before = len(batch.entries)
            is_spooled = self._append(batch, leans)
            for entry, lean in zip(entries, leans, strict=True):
                self._take_in(batch, entry, lean, is_spooled=is_spooled)
            if n_before < self._flush_rows <= len(batch.entries):
                self._changed.notify_all()

    def knows_decision(self, digest: str) -> bool:
        """Return whether the decision of that digest went through here today.

        It comes again each day: the table keeps the newest day on which it came, and forgets it after that day's calls.
        """
        return self._known.get(digest) == day_of(self._clock.now_us())

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Book what was recorded so far; return ``False`` when the database did not take it."""
        with self._changed:
            target, n_failures = self._n_recorded, self._n_failures
            self._flush_target = max(self._flush_target, target)
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._n_done >= target or self._n_failures > n_failures or not self._thread.is_alive(),
                timeout_s,
            )
            return self._n_done >= target

    def recover(self) -> int:
        """Book what dead processes left in their spools, this worker's earlier life included; return how many calls.

        Raises:
            StoreError: the database failed; what is not booked stays for another time.
        """
        n_recovered = 0
        for leftover in self._spool.leftovers():
            try:
                n_recovered += self._recover(leftover)
            except StoreError:
                leftover.release()
                raise
            leftover.remove()
            self._forget_mark(leftover.owner)
        if n_recovered:
            log.warning("booked %d calls that a process left behind when it ended", n_recovered)
        return n_recovered

    def degraded_reason(self) -> str | None:
        """Return what keeps calls from being written as they should, or ``None``."""
        return self._database_problem or self._spool_problem

    def is_ready(self) -> bool:
        """Return whether calls can be taken."""
        return self._thread.is_alive() and not self._is_closing

    def close(self) -> bool:
        """Book what waits, as far as the database lets us, and leave the rest in the spool for the next start.

        Returns:
            Whether everything that was recorded is booked.
        """
        with self._changed:
            if self._is_closing:
                return self._n_done >= self._n_recorded
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            log.error("the journal's writer did not end; its spool is booked at the next start")
            return False
        n_left = self._n_recorded - self._n_done
        if n_left:
            log.error("%d calls stay in the spool until the next start", n_left)
        for batch in (self._booking, self._waiting):
            if batch is not None:
                self._remove(batch, is_booked=not batch.n_taken)
        self._spool.close()
        return not n_left

    # Taking, under the condition's lock.

    def _append(self, batch: _Batch, leans: Sequence[JournalEntry]) -> bool:
        if batch.segment is None:
            return False
        if self._spool_bytes >= self._spool_cap_bytes:
            self._spool_problem = f"the spool has reached its cap of {self._spool_cap_bytes} bytes"
            return False
        try:
            self._spool_bytes += batch.segment.append(*leans)
        except OSError as exc:
            self._spool_problem = f"the spool cannot be written: {exc.strerror}"
            return False
        return True

    def _take_in(self, batch: _Batch, entry: JournalEntry, lean: JournalEntry, *, is_spooled: bool) -> None:
        if len(batch.entries) < self._queue_rows and not (batch.is_cut and is_spooled):
            if entry.call.store_mode == StoreMode.NONE:
                entry = lean
            elif entry is not lean:
                entry = self._with_room_for_bodies(batch, entry, lean)
            batch.entries.append((entry, is_spooled))
        elif is_spooled:
            batch.is_cut = True
        else:
            self._drop()
            return
        batch.n_taken += 1
        self._n_recorded += 1
        self._remember(lean)

    def _with_room_for_bodies(self, batch: _Batch, entry: JournalEntry, lean: JournalEntry) -> JournalEntry:
        size = len(entry.request_body or b"") + len(entry.response_body or b"")
        if batch.body_bytes + size > self._queue_body_bytes:
            return lean
        batch.body_bytes += size
        return entry

    def _drop(self) -> None:
        self.n_dropped += 1
        if self.n_dropped == 1 or self.n_dropped % 1000 == 0:
            log.error("%d calls could not be recorded: no room in memory or spool", self.n_dropped)

    def _remember(self, entry: JournalEntry) -> None:
        """Note that a decision will be in the table; the one of a call that leaves no record will not."""
        call = entry.call
        if entry.decision is None or call.decision_digest is None or call.store_mode == StoreMode.NONE:
            return
        self._known.pop(call.decision_digest, None)
        self._known[call.decision_digest] = day_of(call.started_at_us)
        if len(self._known) > KNOWN_DECISIONS:
            del self._known[next(iter(self._known))]

    # Writing, in the thread.

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_reason_to_write, self._flush_s)
                is_closing = self._is_closing
            is_written = self._write()
            if is_closing and (not is_written or self._is_empty()):
                return
            if not is_written:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closing, RETRY_S)

    def _has_reason_to_write(self) -> bool:
        return self._is_closing or self._n_done < self._flush_target or len(self._waiting.entries) >= self._flush_rows

    def _is_empty(self) -> bool:
        return self._booking is None and not self._waiting.n_taken

    def _write(self) -> bool:
        """Book one batch; return ``False`` when the database failed, and keep the batch."""
        if self._booking is None:
            if not self._waiting.n_taken:
                return True
            self._booking = self._take()
        batch = self._booking
        try:
            self._book(batch)
        except StoreError as exc:
            self._fail(exc.message)
            return False
        except Exception:  # the thread's boundary: it must outlive a bug, and the calls stay where they are
            log.exception("the journal's writer failed")
            self._fail("the journal's writer failed; its log has the details")
            return False
        self._booking = None
        self._remove(batch, is_booked=True)
        with self._changed:
            self._n_done += batch.n_taken
            self._database_problem = None
            self._changed.notify_all()
        return True

    def _fail(self, problem: str) -> None:
        if self._database_problem is None:
            log.error("calls wait in the spool: %s", problem)
        with self._changed:
            self._database_problem = problem
            self._n_failures += 1
            self._changed.notify_all()

    def _take(self) -> _Batch:
        """Give the waiting batch to the writer and begin a new one."""
        fresh = self._new_batch()
        with self._changed:
            batch, self._waiting = self._waiting, fresh
        if self._durability == "fsync" and batch.segment is not None:
            try:
                batch.segment.sync()
            except OSError as exc:
                self._spool_problem = f"the spool cannot be synced: {exc.strerror}"
        return batch

    def _new_batch(self) -> _Batch:
        try:
            number, segment = self._spool.open_segment()
        except OSError as exc:
            self._spool_problem = f"the spool cannot be written: {exc.strerror}"
            return _Batch(0, None)
        if self._spool_bytes < self._spool_cap_bytes:
            self._spool_problem = None
        return _Batch(number, segment)

    def _book(self, batch: _Batch) -> None:
        """Book the part in memory, then what only the segment has. Goes on where an earlier attempt stopped."""
        while batch.entries:
            chunk = batch.entries[: self._flush_rows]
            n_booked = batch.n_booked + sum(is_spooled for _, is_spooled in chunk)
            self._book_chunk([entry for entry, _ in chunk], self._worker, self._mark(batch, n_booked), are_new=True)
            batch.n_booked = n_booked
            del batch.entries[: len(chunk)]
        if batch.segment is None or not batch.is_cut:
            return
        for entries in _chunks(read_segment(batch.segment.path, skip=batch.n_booked), self._flush_rows):
            n_booked = batch.n_booked + len(entries)
            self._book_chunk(entries, self._worker, self._mark(batch, n_booked))
            batch.n_booked = n_booked

    def _mark(self, batch: _Batch, n_booked: int) -> Mark | None:
        """Return how far the batch's segment will be booked; without a segment the last one's mark stands."""
        return None if batch.segment is None else Mark(self._spool.owner, batch.number, n_booked)

    def _book_chunk(
        self, entries: list[JournalEntry], worker: str, mark: Mark | None, *, are_new: bool = False
    ) -> None:
        """Book a chunk; when the database refuses a row for good, book the others one by one."""
        try:
            self._ledger.book(entries, worker=worker, mark=mark, are_new=are_new)
            return
        except RowRefused:
            log.warning("a batch was refused; its calls are booked one by one")
        for entry in entries:
            try:
                self._ledger.book([entry], worker=worker)
            except RowRefused as exc:
                self.n_refused += 1
                self._known.pop(entry.call.decision_digest or "", None)
                log.error("call %s cannot be stored: %s", entry.call.call_id, exc.message)
        self._ledger.book([], worker=worker, mark=mark)

    def _remove(self, batch: _Batch, *, is_booked: bool) -> None:
        if batch.segment is None:
            return
        batch.segment.close()
        if not is_booked:
            return
        try:
            batch.segment.path.unlink(missing_ok=True)
        except OSError as exc:  # the mark keeps it from being booked again
            log.error("the booked segment %s cannot be removed: %s", batch.segment.path.name, exc.strerror)
        with self._changed:
            self._spool_bytes -= batch.segment.n_bytes
            if self._spool_bytes < self._spool_cap_bytes and self._waiting.segment is not None:
                self._spool_problem = None

    # Recovering.

    def _recover(self, leftover: Leftover) -> int:
        mark = self._mark_of(leftover.owner)
        n_recovered = 0
        for number, path in leftover.segments:
            if number < mark.segment:
                continue
            n_booked = mark.n_booked if number == mark.segment else 0
            for entries in _chunks(read_segment(path, skip=n_booked), self._flush_rows):
                n_booked += len(entries)
                self._book_chunk(entries, leftover.worker, Mark(leftover.owner, number, n_booked))
                n_recovered += len(entries)
        return n_recovered

    def _mark_of(self, owner: str) -> Mark:
        with self._database.reading() as connection:
            row = connection.execute(select(spool_marks).where(spool_marks.c.owner == owner)).first()
        return Mark(owner, 0, 0) if row is None else Mark(owner, row.segment, row.n_booked)

    def _forget_mark(self, owner: str) -> None:
        with self._database.writing() as connection:
            connection.execute(spool_marks.delete().where(spool_marks.c.owner == owner))


def _without_bodies(entry: JournalEntry) -> JournalEntry:
    if entry.request_body is None and entry.response_body is None:
        return entry
    return JournalEntry(call=entry.call, decision=entry.decision)


def _chunks(entries: Iterable[JournalEntry], size: int) -> Iterator[list[JournalEntry]]:
    iterator = iter(entries)
    while chunk := list(islice(iterator, size)):
        yield chunk
