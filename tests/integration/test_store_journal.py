"""The journal takes calls whatever happens to its disk and its database, and writes each one once."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.clock import StillClock
from tests.support.store_rig import (
    DAY,
    NOON_US,
    assert_sums_equal_rows,
    count,
    entry,
    ids,
    rows,
    spent,
)

from trimtab.core import US_PER_DAY, StoreMode
from trimtab.core.errors import StoreError
from trimtab.store import BudgetStore, Database, Journal, Ledger, Spool, open_database
from trimtab.store.spool import read_segment

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., Journal]


@pytest.fixture
def open_journal(database: Database, tmp_path: Path) -> Iterator[Open]:
    """Open journals on the test's database and spool folder, and close them at the end."""
    opened: list[Journal] = []

    def build(**options: Any) -> Journal:
        journal = Journal(database, tmp_path / "spool", **{"worker": "w", "flush_ms": 20, **options})
        opened.append(journal)
        return journal

    yield build
    for journal in opened:
        journal.close()


class Refusing(Database):
    """A database that can be switched off."""

    is_away = False

    def writing(self) -> Any:
        if self.is_away:
            raise StoreError("The database is away.")
        return super().writing()


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "spool").glob("*.spool"))


def test_a_call_is_in_the_database_within_a_flush_interval_and_out_of_the_spool(
    open_journal: Open, database: Database, tmp_path: Path
) -> None:
    journal = open_journal(flush_ms=50)
    for _ in range(5):
        journal.record(entry())
    wait_for(lambda: count(database, "calls") == 5)

    journal.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_full_batch_does_not_wait_for_the_interval(open_journal: Open, database: Database) -> None:
    journal = open_journal(flush_ms=60_000, flush_rows=10)
    for _ in range(10):
        journal.record(entry())

    wait_for(lambda: count(database, "calls") == 10)


def test_recording_does_not_wait_for_a_writer_that_is_busy(open_journal: Open, database: Database) -> None:
    journal = open_journal(flush_ms=1)
    with database.writing():
        started_s = time.monotonic()
        for _ in range(200):
            journal.record(entry())
        assert time.monotonic() - started_s < 1.0  # the lock is held for all of it

    assert journal.flush()
    assert count(database, "calls") == 200


def test_close_writes_what_waits(open_journal: Open, database: Database) -> None:
    journal = open_journal(flush_ms=60_000)
    journal.record(entry())

    journal.close()

    assert count(database, "calls") == 1


def test_many_threads_record_at_once(open_journal: Open, database: Database) -> None:
    journal = open_journal(flush_rows=50)

    def record() -> None:
        for _ in range(200):
            journal.record(entry())

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert journal.flush()
    assert count(database, "calls") == 800
    assert_sums_equal_rows(database)


def test_no_body_reaches_the_spool(open_journal: Open, database: Database, tmp_path: Path) -> None:
    with database.writing():  # so that nothing leaves the spool
        journal = open_journal()
        journal.record(entry(request=b"a secret of mine", store_mode=StoreMode.FULL))
        assert b"secret" not in b"".join(path.read_bytes() for path in segments(tmp_path))

    assert journal.flush()
    assert count(database, "bodies") == 1


def test_one_impossible_call_costs_only_itself(open_journal: Open, database: Database) -> None:
    journal = open_journal(flush_ms=60_000)
    good = [entry() for _ in range(3)]
    for made in (good[0], entry(latency_ms=float("nan")), *good[1:]):
        journal.record(made)

    assert journal.flush()
    assert sorted(row["call_id"] for row in rows(database, "calls")) == sorted(ids(good))
    assert (journal.n_refused, journal.degraded_reason()) == (1, None)


def test_a_decision_is_asked_for_again_after_its_call_was_refused(open_journal: Open) -> None:
    journal = open_journal(flush_ms=60_000, clock=StillClock(NOON_US))
    journal.record(entry(b"{}", decision_digest="d", latency_ms=float("nan")))
    assert journal.knows_decision("d")

    journal.flush()

    assert not journal.knows_decision("d")


def test_a_decision_is_asked_for_once_a_day(open_journal: Open) -> None:
    clock = StillClock(NOON_US)
    journal = open_journal(clock=clock)
    assert not journal.knows_decision("d")
    journal.record(entry(b"{}", decision_digest="d"))
    assert journal.knows_decision("d")

    clock.wall_us += US_PER_DAY
    assert not journal.knows_decision("d")


def test_the_decision_of_a_call_without_record_is_never_taken_for_stored(open_journal: Open) -> None:
    journal = open_journal(clock=StillClock(NOON_US))
    journal.record(entry(b"{}", decision_digest="d", store_mode=StoreMode.NONE))

    assert not journal.knows_decision("d")


# The database goes away.


def test_calls_wait_while_the_database_is_away_and_are_booked_when_it_is_back(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    away = Refusing(database_url)
    away.is_away = True
    journal = Journal(away, tmp_path / "spool", worker="w", flush_ms=5)
    for _ in range(30):
        journal.record(entry(request=b"kept", store_mode=StoreMode.FULL))
    assert not journal.flush(0.5)
    assert "away" in (journal.degraded_reason() or "")

    away.is_away = False
    assert journal.flush() or journal.flush()  # the first may meet the end of the pause

    assert (count(database, "calls"), count(database, "bodies")) == (30, 30)
    assert journal.degraded_reason() is None
    assert_sums_equal_rows(database)
    journal.close()
    away.close()


def test_more_calls_than_memory_takes_come_back_from_the_spool(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    away = Refusing(database_url)
    away.is_away = True
    journal = Journal(away, tmp_path / "spool", worker="w", flush_ms=60_000, flush_rows=10, queue_rows=20)
    made = [entry(request=b"kept", store_mode=StoreMode.FULL) for _ in range(100)]
    for sent in made:
        journal.record(sent)
    away.is_away = False

    assert journal.flush() or journal.flush()
    assert sorted(row["call_id"] for row in rows(database, "calls")) == sorted(ids(made))
    assert 0 < count(database, "bodies") < 100  # bodies are in memory alone
    assert_sums_equal_rows(database)
    journal.close()
    away.close()


def test_bodies_in_memory_have_a_bound_and_records_do_not_suffer(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    journal = Journal(database, tmp_path / "spool", worker="w", flush_ms=60_000, queue_body_bytes=1000)
    for _ in range(5):
        journal.record(entry(request=b"x" * 400, store_mode=StoreMode.FULL))
    journal.close()

    assert (count(database, "calls"), count(database, "bodies")) == (5, 2)


def test_a_spool_at_its_cap_keeps_taking_calls_in_memory_and_says_so(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    away = Refusing(database_url)
    away.is_away = True
    journal = Journal(away, tmp_path / "spool", worker="w", flush_ms=5, spool_cap_bytes=2000, queue_rows=50)
    for _ in range(200):
        journal.record(entry())
    assert sum(path.stat().st_size for path in segments(tmp_path)) < 3000
    assert journal.n_dropped > 0
    assert journal.degraded_reason()

    away.is_away = False
    assert journal.flush() or journal.flush()

    assert count(database, "calls") == 200 - journal.n_dropped
    assert_sums_equal_rows(database)
    assert journal.degraded_reason() is None  # there is room again
    journal.close()
    away.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.support.store_rig import entry
from trimtab.store import Journal, open_database
database = open_database(sys.argv[1])
journal = Journal(database, Path(sys.argv[2]), worker="w", flush_ms=20, flush_rows=100000)
journal.record(entry()); journal.flush()
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with database.writing():  # the writer cannot take anything away
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    for i in range(100):
        journal.record(entry())
    reason = journal.degraded_reason()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert reason and "spool cannot be written" in reason, reason
journal.record(entry())
assert journal.flush() or journal.flush()
assert journal.n_dropped == 0
journal.record(entry())
assert journal.flush()
assert journal.degraded_reason() is None, journal.degraded_reason()
journal.close(); database.close()
"""


def test_a_full_disk_stops_no_call_and_loses_none(database_url: str, database: Database, tmp_path: Path) -> None:
    done = run_script(FULL_DISK, database_url, str(tmp_path / "spool"))

    assert done.returncode == 0, done.stderr
    assert count(database, "calls") == 103
    assert_sums_equal_rows(database)


@pytest.mark.postgres
def test_connections_that_the_server_ends_are_made_again(postgres: Database, tmp_path: Path) -> None:
    journal = Journal(postgres, tmp_path / "spool", worker="w", flush_ms=20)
    for number in range(10):
        journal.record(entry())
        with suppress(StoreError), postgres.reading() as connection:
            everybody = text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            )
            connection.execute(everybody)
        time.sleep(0.005 * number)

    assert journal.flush() or journal.flush()
    assert count(postgres, "calls") == 10
    assert_sums_equal_rows(postgres)
    journal.close()


# A process ends before its calls are booked.

DIE = """
import os, sys
from pathlib import Path
from tests.support.store_rig import entry
from trimtab.store import Journal, open_database
database = open_database(sys.argv[1])
journal = Journal(database, Path(sys.argv[2]), worker="w", flush_ms=600000, flush_rows=1000000)
for i in range(int(sys.argv[3])):
    journal.record(entry(call_id=f"call_of_the_dead_{i}"))
os._exit(9)
"""


def die_with_calls(database_url: str, tmp_path: Path, n_calls: int = 10) -> None:
    done = run_script(DIE, database_url, str(tmp_path / "spool"), str(n_calls))
    assert done.returncode == 9, done.stderr


def test_the_next_process_books_what_a_dead_one_left(
    open_journal: Open, database_url: str, database: Database, tmp_path: Path
) -> None:
    die_with_calls(database_url, tmp_path)
    journal = open_journal()

    assert (journal.recover(), journal.recover()) == (10, 0)
    assert count(database, "calls") == 10
    assert_sums_equal_rows(database)
    assert [path.suffix for path in (tmp_path / "spool").iterdir() if path.name.endswith("lock")] == [".lock"]
    assert rows(database, "spool_marks") == []


def test_a_torn_tail_costs_that_record_alone(
    open_journal: Open, database_url: str, database: Database, tmp_path: Path
) -> None:
    die_with_calls(database_url, tmp_path)
    (segment,) = segments(tmp_path)
    segment.write_bytes(segment.read_bytes()[:-3])

    assert open_journal().recover() == 9
    assert count(database, "calls") == 9


def test_a_damaged_record_ends_its_segment(tmp_path: Path, database_url: str, database: Database) -> None:
    die_with_calls(database_url, tmp_path)
    (segment,) = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)

    assert len(list(read_segment(segment))) == 5


def test_what_was_booked_before_the_death_is_not_booked_again(
    open_journal: Open, database_url: str, database: Database, tmp_path: Path
) -> None:
    """The process dies between the commit and the removal of the segment; calls without a row are told by the mark."""
    die_with_calls(database_url, tmp_path, 4)
    (segment,) = segments(tmp_path)
    owner = segment.name.split(".")[0]
    from trimtab.store.booking import Mark

    Ledger(database).book(list(read_segment(segment))[:3], worker="w", mark=Mark(owner, 1, 3))

    assert open_journal().recover() == 1
    assert count(database, "calls") == 4
    assert spent(database, "organisation") == 4 * 1500


def test_nobody_takes_the_spool_of_a_living_process(open_journal: Open, tmp_path: Path) -> None:
    living = open_journal(flush_ms=600_000)
    living.record(entry())

    assert open_journal().recover() == 0
    assert list(Spool(tmp_path / "spool", "third").leftovers()) == []


def test_two_that_recover_at_once_book_each_call_once(
    open_journal: Open, database_url: str, database: Database, tmp_path: Path
) -> None:
    for _ in range(3):
        done = run_script(DIE.replace("call_of_the_dead_", f"call_{_}_"), database_url, str(tmp_path / "spool"), "50")
        assert done.returncode == 9, done.stderr
    journals = [open_journal(worker=name) for name in ("a", "b")]
    found: list[int] = []
    threads = [threading.Thread(target=lambda j=j: found.append(j.recover())) for j in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(found) == 150
    assert count(database, "calls") == 150
    assert_sums_equal_rows(database)


def test_booking_takes_the_spend_out_of_the_workers_leases(open_journal: Open, database: Database) -> None:
    budgets = BudgetStore(database, StillClock(NOON_US))
    granted = budgets.lease("w", "app:shop", "day", DAY, 10_000, 4000, 60)
    assert granted == 4000
    journal = open_journal()
    journal.record(entry(cost_nano_usd=1500))
    assert journal.flush()

    assert [row["amount_nano_usd"] for row in rows(database, "leases")] == [2500]
    assert budgets.spent("app:shop", DAY) == 1500


# The clock jumps.


def test_calls_dated_by_a_clock_that_jumps_stay_on_their_days(open_journal: Open, database: Database) -> None:
    journal = open_journal()
    for shift in (0, -400, 0, 3, 0):
        journal.record(entry(started_at_us=NOON_US + shift * US_PER_DAY))
    assert journal.flush()

    assert sorted(row["day"] for row in rows(database, "calls")) == [DAY - 400, DAY, DAY, DAY, DAY + 3]
    assert_sums_equal_rows(database)


def test_fsync_waits_for_the_disk_and_books_the_same(open_journal: Open, database: Database) -> None:
    journal = open_journal(durability="fsync")
    journal.record(entry())

    assert journal.flush()
    assert count(database, "calls") == 1


def test_fsync_reaches_sqlite(tmp_path: Path) -> None:
    for durability, level in (("normal", 1), ("fsync", 2)):
        opened = open_database(f"sqlite:///{tmp_path / durability}.db", durability=durability)  # type: ignore[arg-type]
        with opened.reading() as connection:
            assert connection.execute(text("PRAGMA synchronous")).scalar() == level
        opened.close()


def test_a_spool_folder_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"spool folder .* cannot be used"):
        Spool(tmp_path / "file" / "spool", "w")


def test_the_spool_is_for_its_owner_only(open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal(flush_ms=600_000)
    journal.record(entry())

    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "spool").iterdir())


def wait_for(holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
