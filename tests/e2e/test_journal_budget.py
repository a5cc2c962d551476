"""Attack 16: a burst against a cap from several workers, two of them killed, with the real budgets and journal."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.store_rig import DAY, assert_sums_equal_rows, count, rows, spent

from trimtab.store import Journal, open_database

ROOT = Path(__file__).resolve().parents[2]
CAP = 40_000
COST = 7

# Every worker asks for more than it spends, as an estimate does, and stops when the cap is used up.
WORKER = """
import asyncio, sys
from pathlib import Path
from tests.support.clock import StillClock
from tests.support.store_rig import DAY, NOON_US, entry
from trimtab.core import new_call_id
from trimtab.gateway import BudgetKeeper
from trimtab.gateway.budgets import Cap, caps_of
from trimtab.policy import Budget
from trimtab.store import BudgetStore, Journal, open_database
url, spool, name = sys.argv[1:]
database, clock = open_database(url), StillClock(NOON_US)
keeper = BudgetKeeper(BudgetStore(database, clock), name, clock)
journal = Journal(database, Path(spool), worker=name, flush_ms=5, flush_rows=20)
caps = caps_of([Budget(scope="app:shop", per_day_nano_usd=40_000)], DAY)
async def call():
    reservation = await keeper.reserve(caps, 10)
    if isinstance(reservation, Cap):
        return False
    await asyncio.sleep(0.001)
    journal.record(entry(call_id=new_call_id(), cost_nano_usd=7))
    keeper.settle(reservation, 7)
    return True
async def main():
    print("started", flush=True)
    while any(await asyncio.gather(*(call() for _ in range(8)))):
        pass
asyncio.run(main())
journal.close()
database.close()
"""


@contextmanager
def working(url: str, spool: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WORKER, url, str(spool), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "started\n"
            yield worker
        finally:
            worker.kill()


def test_attack_16_a_burst_with_killed_workers_never_passes_the_cap_and_the_counter_equals_the_ledger(
    database_url: str, tmp_path: Path
) -> None:
    database = open_database(database_url)
    spool = tmp_path / "spool"
    with ExitStack() as stack:
        doomed = [stack.enter_context(working(database_url, spool, f"doomed{number}")) for number in range(2)]
        others = [stack.enter_context(working(database_url, spool, f"other{number}")) for number in range(2)]
        time.sleep(0.1)
        for worker in doomed:
            worker.kill()
        assert [worker.wait(120) for worker in others] == [0, 0]
    journal = Journal(database, spool, worker="next")
    journal.recover()
    journal.close()

    total = spent(database, "app:shop")
    assert total == COST * count(database, "calls")  # the counter is the ledger
    assert total <= CAP
    held = sum(row["amount_nano_usd"] for row in rows(database, "leases") if row["first_day"] == DAY)
    assert total + held <= CAP  # what the dead had set aside is free only when it expires
    assert total > CAP / 4
    assert_sums_equal_rows(database)
    database.close()
