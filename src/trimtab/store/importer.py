"""Calls from other logs into the journal, chunk by chunk."""

from collections.abc import Sequence

from trimtab.core import JournalEntry
from trimtab.store.booking import Booked, Ledger, Redactor
from trimtab.store.database import Database


class Importer:
    """Books imported calls: no spool, and they spend nobody's budget.

    Args:
        database: Where calls end.
        redactor: As the journal's.
    """

    def __init__(self, database: Database, redactor: Redactor | None = None) -> None:
        self._ledger = Ledger(database, redactor)

    def add_many(self, entries: Sequence[JournalEntry]) -> Booked:
        """Store the calls in one transaction; those that are there, under whatever day, stay as they are.

        Raises:
            RowRefused: a call can never be stored; nothing of the batch was.
            StoreError: the database failed; nothing of the batch was written.
        """
        return self._ledger.book(entries, by_id_alone=True)
