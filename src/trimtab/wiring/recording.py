"""Where a worker's finished calls go: the journal, or nowhere."""

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
    return Journal(
        database,
        settings.data_dir / "spool",
        worker=worker,
        clock=clock,
        flush_ms=journal.flush_ms,
        flush_rows=journal.flush_rows,
        spool_cap_bytes=journal.spool_cap_bytes,
        durability=journal.durability,
    )
