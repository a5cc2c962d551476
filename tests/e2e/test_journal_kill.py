"""Promise 3: a killed process loses no call that it took, and leaves nothing broken behind."""

import random
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import text
from tests.support.store_rig import assert_sums_equal_rows, rows, spent

from trimtab.store import Database, Journal, open_database

ROOT = Path(__file__).resolve().parents[2]
N_KILLS = 12

# Each call's id goes to a pipe as soon as the journal took it: that is the acknowledgement.
WORKER = """
import os, sys
from pathlib import Path
from tests.support.store_rig import entry
from trimtab.core import new_call_id
from trimtab.store import Journal, open_database
database = open_database(sys.argv[1])
journal = Journal(database, Path(sys.argv[2]), worker="w", flush_ms=5, flush_rows=50)
os.write(1, b"started\\n")
journal.recover()
while True:
    call_id = new_call_id()
    journal.record(entry(b'{"rule_ids":["cheap"]}', b"asked", b"said", call_id=call_id, decision_digest="d"))
    os.write(1, call_id.encode() + b"\\n")
"""


def killed(url: str, spool: Path, after_s: float) -> list[str]:
    """Run a worker, kill it after a while, and return the calls it had taken."""
    with subprocess.Popen([sys.executable, "-c", WORKER, url, str(spool)], stdout=subprocess.PIPE, cwd=ROOT) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"started\n"
        time.sleep(after_s)
        worker.kill()
        *whole, torn = worker.stdout.read().decode().split("\n")
    return [*whole, torn] if len(torn) == len("call_") + 26 else whole


def test_promise_3_kill_9_at_any_moment_loses_no_taken_call_and_corrupts_nothing(
    database_url: str, tmp_path: Path
) -> None:
    pick = random.Random()
    taken: list[str] = []
    for _ in range(N_KILLS):
        taken += killed(database_url, tmp_path / "spool", pick.uniform(0.0, 0.15))
    database = open_database(database_url)
    journal = Journal(database, tmp_path / "spool", worker="w")
    journal.recover()
    journal.close()

    stored = [row["call_id"] for row in rows(database, "calls")]
    assert len(taken) > 100
    assert len(stored) == len(set(stored))
    assert set(taken) <= set(stored)
    assert len(stored) <= len(taken) + N_KILLS  # at most the one in hand at each kill was written and not yet said
    assert_sums_equal_rows(database)
    assert spent(database, "organisation") == spent(database, "rule:cheap") == 1500 * len(stored)
    assert_is_whole(database)
    assert list((tmp_path / "spool").iterdir()) == []
    database.close()


def assert_is_whole(database: Database) -> None:
    if database.is_sqlite:
        with database.reading() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
