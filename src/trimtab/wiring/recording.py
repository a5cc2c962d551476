"""Where a worker's finished calls go: the journal, a few at a time, or nowhere."""

import asyncio
from typing import Protocol

from trimtab.core import Clock, JournalEntry
from trimtab.store import Database, Journal
from trimtab.wiring.settings import Settings


class Recording(Protocol):
    """A journal as a worker runs it."""

    def record(self, entry: JournalEntry) -> None:
        """Take a call without waiting."""
        ...

    def knows_decision(self, digest: str) -> bool:
        """Return whether the decision of that digest went through here already."""
        ...

    def recover(self) -> int:
        """Book what dead workers left behind; return how many calls."""
        ...

    def degraded_reason(self) -> str | None:
        """Return what keeps calls from being written as they should, or ``None``."""
        ...

    def close(self) -> bool:
        """Write what waits; return whether all of it is booked."""
        ...


class Gathered:
    """Hands calls to the journal a few at a time: a write to the spool costs more than everything else about it.

    A call waits here for at most ``WAIT_S``, which is part of the flush interval that a killed process may lose.

    Args:
        journal: Where they go.
    """

    WAIT_S = 0.005

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[JournalEntry] = []

    def record(self, entry: JournalEntry) -> None:
        """Take a call; must be called in the event loop."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(self.WAIT_S, self._hand_on)
        self._waiting.append(entry)

    def knows_decision(self, digest: str) -> bool:
        """Return whether the decision of that digest went through the journal today."""
        return self._journal.knows_decision(digest)

    def recover(self) -> int:
        """Book what dead workers left behind; return how many calls."""
        return self._journal.recover()

    def degraded_reason(self) -> str | None:
        """Return what keeps calls from being written as they should, or ``None``."""
        return self._journal.degraded_reason()

    def close(self) -> bool:
        """Write what waits; return whether all of it is booked."""
        self._hand_on()
        return self._journal.close()

    def _hand_on(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._journal.record(*waiting)


class NoJournal:
    """Records nothing, for benchmarks: what is not written down cannot be measured or explained."""

    def record(self, entry: JournalEntry) -> None:
        """Forget the call."""

    def knows_decision(self, digest: str) -> bool:
        """Return true: nobody needs the decision."""
        return True

    def recover(self) -> int:
        """Return 0."""
        return 0

    def degraded_reason(self) -> str | None:
        """Say that nothing is recorded."""
        return "the journal is switched off: no call is recorded"

    def close(self) -> bool:
        """Return true: nothing waits."""
        return True


def build_recording(settings: Settings, database: Database, *, worker: str, clock: Clock) -> Recording:
    """Return the worker's journal.

    Raises:
        StoreError: the spool folder cannot be used.
    """
    journal = settings.journal
    if not journal.enabled:
        return NoJournal()
    written = Journal(
        database,
        settings.data_dir / "spool",
        worker=worker,
        clock=clock,
        flush_ms=journal.flush_ms,
        flush_rows=journal.flush_rows,
        spool_cap_bytes=journal.spool_cap_bytes,
        durability=journal.durability,
    )
    return Gathered(written)
