"""Forgetting: calls of days that are long past, with what belongs to them. What was summed over them stays."""

import logging

from sqlalchemy import Connection, func, select

from trimtab.core import day_of
from trimtab.store.database import Database
from trimtab.store.partitions import drop_day, existing_days
from trimtab.store.tables import bodies, calls, decisions, feedback

log = logging.getLogger("trimtab.store")

ROWS_AT_ONCE = 1000
"""SQLite: the writer's turn is given back after so many rows, about 40 ms, so that the journal never waits long."""
_PAGES_AT_ONCE = 2000
"""SQLite: pages given back to the file system in one go, 8 MB."""
_LOCK_TIMEOUT_MS = 2000


def prune(database: Database, *, older_than_us: int) -> int:
    """Remove whole UTC days of calls, with bodies, feedback and decisions that no call is left to refer to.

    Roll-ups, quality sums and spend stay, so totals do not change.

    Args:
        database: Where they are.
        older_than_us: Days that ended before this instant, Unix microseconds, go.

    Returns:
        How many calls were removed.

    Raises:
        StoreError: the database failed or was too busy; what is left can be removed another time.
    """
    first_kept = day_of(older_than_us)
    remove = _remove_sqlite_day if database.is_sqlite else _remove_postgres_day
    n_removed = 0
    for day in _days_before(database, first_kept):
        n_removed += remove(database, day)
        log.info("removed the calls of day %d", day)
    with database.writing() as connection:
        connection.execute(decisions.delete().where(decisions.c.day < first_kept))
    if database.is_sqlite:
        _shrink_file(database)
    return n_removed


def _days_before(database: Database, first_kept: int) -> list[int]:
    with database.reading() as connection:
        if not database.is_sqlite:
            return [day for day in existing_days(connection) if day < first_kept]
        return _sqlite_days(connection, first_kept)


def _sqlite_days(connection: Connection, first_kept: int) -> list[int]:
    """Return the days that have calls, each found by one step in the index instead of a scan."""
    days: list[int] = []
    day = connection.execute(select(func.min(calls.c.day))).scalar()
    while day is not None and day < first_kept:
        days.append(day)
        day = connection.execute(select(func.min(calls.c.day)).where(calls.c.day > day)).scalar()
    return days


def _remove_postgres_day(database: Database, day: int) -> int:
    """Drop the day's partitions: no dead rows, no vacuum."""
    with database.writing() as connection:
        # Dropping waits for readers of the partition, and whoever comes next waits behind it: better not for long.
        connection.exec_driver_sql(
            "SELECT set_config('lock_timeout', %(limit)s, true)", {"limit": f"{_LOCK_TIMEOUT_MS}ms"}
        )
        n_rows = connection.execute(select(func.count()).select_from(calls).where(calls.c.day == day)).scalar_one()
        connection.execute(feedback.delete().where(feedback.c.day == day))
        drop_day(connection, day)
    return n_rows


def _remove_sqlite_day(database: Database, day: int) -> int:
    n_removed = 0
    while True:
        with database.writing() as connection:
            some = select(calls.c.call_id).where(calls.c.day == day).limit(ROWS_AT_ONCE)
            call_ids = connection.execute(some).scalars().all()
            for table in (bodies, feedback, calls):
                connection.execute(table.delete().where(table.c.day == day, table.c.call_id.in_(call_ids)))
        n_removed += len(call_ids)
        if len(call_ids) < ROWS_AT_ONCE:
            return n_removed


def _shrink_file(database: Database) -> None:
    """Give free pages back to the file system, a few at a time."""
    n_before = -1
    while True:
        with database.writing() as connection:
            n_free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
            if n_free == 0 or n_free == n_before:
                return
            n_before = n_free
            connection.exec_driver_sql(_VACUUM)


_VACUUM = "PRAGMA incremental_vacuum(2000)"
