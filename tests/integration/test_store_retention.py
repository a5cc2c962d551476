"""What is forgotten, what stays, and that nobody waits for it."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.clock import StillClock
from tests.support.store_rig import DAY, NOON_US, count, entry, rollup, rows

from trimtab.core import US_PER_DAY, Feedback, StoreMode
from trimtab.core.errors import StoreError
from trimtab.store import CallFilter, CallReader, Database, FeedbackStore, Journal, Ledger, prune
from trimtab.store import retention as retention_module


def fill(database: Database, days: range, n_calls: int = 3) -> list[str]:
    made = [
        entry(
            b"%d" % day,
            b"asked",
            decision_digest=f"d{day}",
            started_at_us=NOON_US + day * US_PER_DAY + number,
            store_mode=StoreMode.FULL,
            quality_fraction=1.0,
        )
        for day in days
        for number in range(n_calls)
    ]
    Ledger(database).book(made, worker="w")
    return [e.call.call_id for e in made]


def test_whole_days_go_with_everything_that_belongs_to_them(database: Database) -> None:
    made = fill(database, range(-2, 2))
    for call_id in made:
        said = Feedback(call_id=call_id, at_us=NOON_US, source="user", score_fraction=1.0)
        assert FeedbackStore(database).add(said, "shop")

    assert prune(database, older_than_us=NOON_US) == 6  # the day that noon lies in stays whole

    assert sorted({row["day"] for row in rows(database, "calls")}) == [DAY, DAY + 1]
    assert sorted({row["day"] for row in rows(database, "bodies")}) == [DAY, DAY + 1]
    assert count(database, "feedback") == 6
    assert sorted(row["digest"] for row in rows(database, "decisions")) == ["d0", "d1"]
    assert CallReader(database).find(made[0]) is None


def test_totals_quality_and_spend_do_not_change(database: Database) -> None:
    fill(database, range(-3, 1))
    tables = ("rollup_day", "rollup_hour", "quality_sums", "spend_day")
    before = [rows(database, table) for table in tables]

    prune(database, older_than_us=NOON_US + 10 * US_PER_DAY)

    assert [rows(database, table) for table in tables] == before
    assert count(database, "calls") == 0
    assert sum(n for key, n in rollup(database, "day").items() if key[-1] == "n_calls") == 12


def test_nothing_old_is_nothing_done(database: Database) -> None:
    fill(database, range(1))

    assert prune(database, older_than_us=NOON_US - US_PER_DAY) == 0
    assert count(database, "calls") == 3


def test_a_decision_stays_as_long_as_a_call_refers_to_it(database: Database, tmp_path: Path) -> None:
    """The journal is given a decision once a day; calls after that carry its digest alone."""
    clock = StillClock(NOON_US)
    journal = Journal(database, tmp_path / "spool", worker="w", clock=clock)
    for day in range(3):
        clock.wall_us = NOON_US + day * US_PER_DAY
        for number in range(2):
            decision = None if journal.knows_decision("d") else b"{}"
            journal.record(entry(decision, decision_digest="d", started_at_us=clock.wall_us + number))
    journal.close()

    prune(database, older_than_us=NOON_US + 2 * US_PER_DAY)

    found = list(CallReader(database).stream(CallFilter(), bodies=False))
    assert [e.decision for e in found] == [b"{}", b"{}"]


def test_calls_of_a_forgotten_day_can_come_again(database: Database) -> None:
    ledger = Ledger(database)
    ledger.book([entry()])
    prune(database, older_than_us=NOON_US + US_PER_DAY)

    assert ledger.book([entry()]) == (1, 0)
    assert count(database, "calls") == 1


def test_booking_goes_on_meanwhile(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "ROWS_AT_ONCE", 50)
    fill(database, range(-3, 0), 400)
    pruning = threading.Thread(target=prune, args=(database,), kwargs={"older_than_us": NOON_US})
    pruning.start()
    for _ in range(20):
        Ledger(database).book([entry()])
    pruning.join()

    assert count(database, "calls") == 20


def test_sqlite_gives_the_space_back(sqlite: Database) -> None:
    fill(sqlite, range(-4, 1), 2000)
    full = size_of(sqlite)

    prune(sqlite, older_than_us=NOON_US)

    assert size_of(sqlite) < full / 2


@pytest.mark.postgres
def test_postgres_does_not_wait_long_for_a_reader(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "_LOCK_TIMEOUT_MS", 50)
    fill(postgres, range(-1, 0))
    with postgres.reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM calls")
        with pytest.raises(StoreError, match="lock timeout"):
            prune(postgres, older_than_us=NOON_US)

    assert prune(postgres, older_than_us=NOON_US) == 3


def size_of(database: Database) -> int:
    """Return the bytes of a SQLite file with everything in it that was committed."""
    assert database.path is not None
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return database.path.stat().st_size
