"""Leases: however many workers ask, together they never hold more than the cap."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.clock import StillClock
from tests.support.store_rig import DAY, NOON_US, entry, rows, spent

from trimtab.core import US_PER_DAY
from trimtab.store import BudgetStore, Database, Ledger

ROOT = Path(__file__).resolve().parents[2]
CAP = 10_000


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON_US)


@pytest.fixture
def budgets(database: Database, clock: StillClock) -> BudgetStore:
    return BudgetStore(database, clock)


def lease(budgets: BudgetStore, worker: str, amount: int, ttl_s: float = 60.0, *, period: str = "day") -> int:
    first_day = DAY if period == "day" else DAY - 3
    return budgets.lease(worker, "app:shop", period, first_day, CAP, amount, ttl_s)


def test_what_others_hold_and_what_is_spent_is_not_granted(database: Database, budgets: BudgetStore) -> None:
    Ledger(database).book([entry(cost_nano_usd=1000)], worker="gone")

    assert [lease(budgets, worker, 4000) for worker in ("a", "b", "a", "b")] == [4000, 4000, 1000, 0]
    assert budgets.spent("app:shop", DAY) == 1000


def test_a_dead_workers_lease_returns_when_it_expires(budgets: BudgetStore, clock: StillClock) -> None:
    assert lease(budgets, "dead", CAP, ttl_s=60) == CAP
    clock.wall_us += 59_000_000
    assert lease(budgets, "alive", 1) == 0

    clock.wall_us += 2_000_000
    assert lease(budgets, "alive", 1) == 1


def test_a_renewed_lease_goes_on(budgets: BudgetStore, clock: StillClock) -> None:
    lease(budgets, "a", CAP, ttl_s=60)
    for _ in range(5):
        clock.wall_us += 50_000_000
        budgets.renew("a", 60)

    assert lease(budgets, "b", 1) == 0


def test_a_workers_own_lease_counts_even_expired(budgets: BudgetStore, clock: StillClock) -> None:
    """Its renewals may have failed while the database was away; it holds the money all the same."""
    lease(budgets, "a", 6000, ttl_s=60)
    clock.wall_us += 120_000_000

    assert lease(budgets, "a", CAP) == 4000


def test_a_released_lease_is_there_for_others_at_once(budgets: BudgetStore) -> None:
    lease(budgets, "a", CAP)
    budgets.release("a")

    assert lease(budgets, "b", CAP) == CAP


def test_booking_moves_money_from_the_lease_to_the_ledger_and_counts_it_once(
    database: Database, budgets: BudgetStore
) -> None:
    lease(budgets, "a", 5000)
    Ledger(database).book([entry(cost_nano_usd=2000)], worker="a")

    assert spent(database, "app:shop") == 2000
    assert [row["amount_nano_usd"] for row in rows(database, "leases")] == [3000]
    assert lease(budgets, "b", CAP) == CAP - 5000


def test_a_call_dearer_than_the_lease_leaves_an_empty_lease(database: Database, budgets: BudgetStore) -> None:
    lease(budgets, "a", 1000)
    Ledger(database).book([entry(cost_nano_usd=2500)], worker="a")

    assert [row["amount_nano_usd"] for row in rows(database, "leases")] == [0]


def test_day_and_month_are_counted_apart(database: Database, budgets: BudgetStore) -> None:
    Ledger(database).book([entry(cost_nano_usd=4000, started_at_us=(DAY - 1) * US_PER_DAY)], worker="w")

    assert lease(budgets, "a", CAP, period="day") == CAP
    assert lease(budgets, "a", CAP, period="month") == CAP - 4000


def test_spend_dated_outside_the_period_by_a_jumping_clock_does_not_close_it(
    database: Database, budgets: BudgetStore
) -> None:
    Ledger(database).book([entry(cost_nano_usd=CAP, started_at_us=(DAY + 40) * US_PER_DAY)], worker="w")

    assert lease(budgets, "a", CAP, period="day") == CAP
    assert lease(budgets, "a", CAP, period="month") == CAP


def test_long_expired_leases_are_forgotten(database: Database, budgets: BudgetStore, clock: StillClock) -> None:
    lease(budgets, "dead", 10)
    clock.wall_us += 2 * US_PER_DAY
    budgets.renew("alive", 60)

    assert rows(database, "leases") == []


RACE = """
import sys
from tests.support.store_rig import DAY
from trimtab.store import BudgetStore, open_database
database = open_database(sys.argv[1])
budgets = BudgetStore(database)
granted = sum(budgets.lease(sys.argv[2], "app:shop", "day", DAY, 10_000, 7, 60) for _ in range(600))
database.close()
print(granted)
"""


def test_workers_that_race_for_a_cap_never_hold_more_than_it(database: Database, database_url: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, database_url, f"w{i}"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for i in range(4)
    ]
    granted = [int(worker.communicate(timeout=120)[0]) for worker in workers]

    assert sum(granted) == CAP  # 16,800 were asked for
    assert sum(row["amount_nano_usd"] for row in rows(database, "leases")) == CAP
