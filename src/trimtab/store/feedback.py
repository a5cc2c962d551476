"""Judgements of calls, and the quality sums they change."""

import time
from threading import BoundedSemaphore

from sqlalchemy import Connection, RowMapping, and_, select

from trimtab.core import Feedback
from trimtab.store.database import Database
from trimtab.store.rollups import add_quality
from trimtab.store.rows import clean
from trimtab.store.tables import calls, feedback

WAIT_S = 2.0
"""How long a call that is not in the database yet is waited for: ten flush intervals of the journal."""
_POLL_S = 0.05
_MAX_WAITING = 2
"""Of the threads that answer feedback, so many may wait; invented call ids must not hold up the others."""


class FeedbackStore:
    """Takes judgements: one for each call, source and key, of which the newest counts.

    Args:
        database: Where calls and judgements are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = BoundedSemaphore(_MAX_WAITING)

    def add(self, judgement: Feedback, app: str) -> bool:
        """Store a judgement and bring the quality sums up to date, in one transaction.

        Args:
            judgement: Replaces the one that the same key gave the same call from the same source.
            app: Whose call it must be.

        Returns:
            Whether there is such a call of that app. A call that was only just made is waited for.

        Raises:
            ValueError: the score is not in ``[0, 1]``.
            StoreError: the database failed; nothing was written.
        """
        if not 0.0 <= judgement.score_fraction <= 1.0:
            raise ValueError(f"the score {judgement.score_fraction} is not between 0 and 1")
        call = self._awaited(judgement.call_id)
        if call is None or call["app"] != app:
            return False
        with self._database.writing() as connection:
            self._write(connection, judgement, call)
        return True

    def _awaited(self, call_id: str) -> RowMapping | None:
        found = self._find(call_id)
        if found is not None or not self._places.acquire(blocking=False):
            return found
        try:
            deadline_s = time.monotonic() + WAIT_S
            while found is None and time.monotonic() < deadline_s:
                time.sleep(_POLL_S)
                found = self._find(call_id)
            return found
        finally:
            self._places.release()

    def _find(self, call_id: str) -> RowMapping | None:
        query = select(calls.c.day, calls.c.call_id, calls.c.app, calls.c.workload, calls.c.model)
        with self._database.reading() as connection:
            return connection.execute(query.where(calls.c.call_id == clean(call_id)).limit(1)).mappings().first()

    def _write(self, connection: Connection, judgement: Feedback, call: RowMapping) -> None:
        source, score = clean(judgement.source) or "", judgement.score_fraction
        place = {"call_id": call["call_id"], "source": source, "key_id": judgement.key_id or ""}
        is_same = and_(*(feedback.c[name] == value for name, value in place.items()))
        old = connection.execute(select(feedback.c.score_fraction).where(is_same)).scalar()
        said = {"at_us": judgement.at_us, "score_fraction": score, "comment": clean(judgement.comment)}
        insert = self._database.insert(feedback)
        newest = {name: insert.excluded[name] for name in said}
        connection.execute(
            insert.on_conflict_do_update(index_elements=list(place), set_=newest), {**place, "day": call["day"], **said}
        )
        if call["model"] is not None:
            change = [1, score, score**2] if old is None else [0, score - old, score**2 - old**2]
            add_quality(self._database, connection, {(call["workload"], call["model"], source): change})
