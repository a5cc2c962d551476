"""A worker that was away too long, or whose clock jumped, takes back only what nobody else has been given."""

from collections.abc import Sequence

from tests.support.clock import StillClock
from tests.support.store_rig import DAY, NOON_US, entry, rows

from trimtab.core import new_call_id
from trimtab.core.errors import StoreError
from trimtab.gateway import BudgetKeeper
from trimtab.gateway.budgets import Cap, Reservation, caps_of
from trimtab.policy import Budget
from trimtab.store import BudgetStore, Database, Ledger

CAP = 10_000
HOUR_US = 3_600_000_000
CAPS = caps_of([Budget(scope="app:shop", per_day_nano_usd=CAP)], DAY)


async def spend(database: Database, keepers: Sequence[BudgetKeeper], *, booking: bool = True) -> int:
    """Let each keeper in turn make calls of 100 until none finds room; return what all of them spent."""
    spent, closed = 0, 0
    while closed < len(keepers):
        closed = 0
        for number, keeper in enumerate(keepers):
            held = await keeper.reserve(CAPS, 100)
            if isinstance(held, Cap):
                closed += 1
                continue
            keeper.settle(held, 100)
            spent += 100
            if booking:
                Ledger(database).book([entry(call_id=new_call_id(), cost_nano_usd=100)], worker=f"w{number}")
    return spent


def keepers_of(database: Database, clock: StillClock) -> list[BudgetKeeper]:
    return [BudgetKeeper(BudgetStore(database, clock), f"w{number}", clock) for number in range(3)]


async def test_promise_4_a_clock_that_jumps_an_hour_does_not_hand_one_lease_to_two_workers(database: Database) -> None:
    clock = StillClock(NOON_US)
    keepers = keepers_of(database, clock)
    for keeper in keepers:
        assert isinstance(await keeper.reserve(CAPS, 1), Reservation)  # each holds a slice now
    clock.wall_us += HOUR_US

    spent = await spend(database, keepers[:1])
    spent += await spend(database, keepers[1:])

    assert CAP - 1000 < spent <= CAP


async def test_promise_4_a_clock_that_goes_back_frees_nothing(database: Database) -> None:
    clock = StillClock(NOON_US)
    keepers = keepers_of(database, clock)
    spent = await spend(database, keepers[:1])
    clock.wall_us -= HOUR_US

    assert spent + await spend(database, keepers) <= CAP


async def test_a_worker_that_was_away_goes_on_with_what_is_left_of_its_lease(database: Database) -> None:
    clock = StillClock(NOON_US)
    keeper = keepers_of(database, clock)[0]
    assert isinstance(await keeper.reserve(CAPS, 100), Reservation)
    clock.wall_us += HOUR_US

    assert isinstance(await keeper.reserve(CAPS, 100), Reservation)

    (lease,) = rows(database, "leases")
    assert lease["amount_nano_usd"] == CAP / 10
    assert lease["expires_at_us"] > clock.wall_us


async def test_an_expired_lease_is_not_renewed_by_itself(database: Database) -> None:
    clock = StillClock(NOON_US)
    budgets = BudgetStore(database, clock)
    assert budgets.lease("away", "app:shop", "day", DAY, CAP, CAP, 60) == CAP
    clock.wall_us += HOUR_US
    assert budgets.lease("other", "app:shop", "day", DAY, CAP, 6_000, 60) == 6_000
    budgets.renew("away", 60)

    assert budgets.reclaim("away", "app:shop", "day", DAY, CAP, 60) == 6_000
    assert budgets.lease("third", "app:shop", "day", DAY, CAP, 1, 60) == 0


async def test_a_lease_that_was_forgotten_is_lost_whole(database: Database) -> None:
    budgets = BudgetStore(database, StillClock(NOON_US))

    assert budgets.reclaim("away", "app:shop", "day", DAY, CAP, 60) is None


class Unreachable(BudgetStore):
    """Nobody can be given anything by a database that is away."""

    def reclaim(self, *args: object) -> int | None:
        raise StoreError("away")


async def test_while_the_database_is_away_a_worker_lives_on_its_lease(database: Database) -> None:
    clock = StillClock(NOON_US)
    keeper = BudgetKeeper(Unreachable(database, clock), "w", clock)
    assert isinstance(await keeper.reserve(CAPS, 100), Reservation)
    clock.wall_us += HOUR_US

    assert isinstance(await keeper.reserve(CAPS, 100), Reservation)
