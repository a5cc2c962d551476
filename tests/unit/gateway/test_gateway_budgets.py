"""Reserve, settle, lease."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOW_US, StillClock
from tests.support.gateway_rig import MemoryLeases

from trimtab.core import day_of
from trimtab.gateway import BudgetKeeper
from trimtab.gateway.budgets import Cap, Reservation, caps_of
from trimtab.policy import Budget


class CountedLeases(MemoryLeases):
    n_asked = 0

    def spent(self, scope: str, first_day: int) -> int:
        self.n_asked += 1
        return super().spent(scope, first_day)


TODAY = day_of(NOW_US)  # 2026-11-24


def caps(limit: int) -> tuple[Cap, ...]:
    return caps_of([Budget(scope="app:a", per_day_nano_usd=limit)], TODAY)


def test_a_month_cap_begins_on_the_first_and_a_day_cap_today() -> None:
    day, month = caps_of([Budget(scope="s", per_day_nano_usd=1, per_month_nano_usd=2)], TODAY)
    assert (day.period, month.period) == ("day", "month")
    assert day.first_day == TODAY
    assert day.first_day - month.first_day == 23  # the 24th against the 1st of November


async def test_a_call_that_fits_is_held_and_the_next_one_that_does_not_names_the_cap() -> None:
    keeper = BudgetKeeper(MemoryLeases(), "w", StillClock())
    limit = caps(100)
    assert isinstance(await keeper.reserve(limit, 60), Reservation)
    assert await keeper.reserve(limit, 60) == limit[0]


async def test_settling_below_the_reservation_gives_the_room_back() -> None:
    keeper = BudgetKeeper(MemoryLeases(), "w", StillClock())
    limit = caps(100)
    held = await keeper.reserve(limit, 90)
    assert isinstance(held, Reservation)
    keeper.settle(held, 10)
    assert isinstance(await keeper.reserve(limit, 90), Reservation)


async def test_an_exhausted_cap_is_asked_again_after_a_second() -> None:
    clock = StillClock()
    leases = MemoryLeases()
    leases.booked["app:a", TODAY] = 100
    keeper = BudgetKeeper(leases, "w", clock)
    limit = caps(100)
    assert await keeper.reserve(limit, 1) == limit[0]
    assert keeper.is_exhausted(limit[0])
    clock.mono_s += keeper.RECHECK_S
    assert not keeper.is_exhausted(limit[0])


async def test_a_call_that_asks_for_the_moon_closes_the_cap_for_nobody_else() -> None:
    keeper = BudgetKeeper(MemoryLeases(), "w", StillClock())
    limit = caps(100)
    assert await keeper.reserve(limit, 1_000_000) == limit[0]
    assert not keeper.is_exhausted(limit[0])
    assert isinstance(await keeper.reserve(limit, 60), Reservation)


async def test_a_call_that_found_no_room_asks_the_store_again_only_after_a_second() -> None:
    leases, clock = CountedLeases(), StillClock()
    keeper = BudgetKeeper(leases, "w", clock)
    for _ in range(10):
        assert await keeper.reserve(caps(100), 200) == caps(100)[0]
    assert leases.n_asked == 1
    clock.mono_s += keeper.RECHECK_S
    await keeper.reserve(caps(100), 200)
    assert leases.n_asked == 2


async def test_what_a_worker_holds_without_need_goes_back_to_the_others() -> None:
    leases = MemoryLeases()
    hoarder, other = BudgetKeeper(leases, "a", StillClock()), BudgetKeeper(leases, "b", StillClock())
    held = await hoarder.reserve(caps(1000), 1000)
    assert isinstance(held, Reservation)
    hoarder.settle(held, 0)
    assert await other.reserve(caps(1000), 50) == caps(1000)[0]

    await hoarder.renew()

    assert isinstance(await hoarder.reserve(caps(1000), 50), Reservation)
    assert isinstance(await BudgetKeeper(leases, "c", StillClock()).reserve(caps(1000), 850), Reservation)


async def test_a_second_cap_that_refuses_releases_what_the_first_one_held() -> None:
    keeper = BudgetKeeper(MemoryLeases(), "w", StillClock())
    wide, narrow = caps_of(
        [Budget(scope="organisation", per_day_nano_usd=100), Budget(scope="app:a", per_day_nano_usd=0)], TODAY
    )
    for _ in range(5):
        assert await keeper.reserve((wide, narrow), 100) == narrow
    assert isinstance(await keeper.reserve((wide,), 100), Reservation)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), max_size=60), st.integers(0, 400))
def test_promise_4_spend_never_passes_the_cap_by_more_than_the_calls_in_flight(
    calls: list[tuple[int, int]], limit: int
) -> None:
    """Three workers share one ledger; each call may cost more than was reserved, by the estimate's error only."""

    async def run() -> None:
        leases = MemoryLeases()
        keepers = [BudgetKeeper(leases, f"w{i}", StillClock()) for i in range(3)]
        overrun = 0
        for index, (estimate, surplus) in enumerate(calls):
            keeper = keepers[index % 3]
            held = await keeper.reserve(caps(limit), estimate)
            if isinstance(held, Reservation):
                spent = estimate + surplus
                overrun += surplus
                keeper.settle(held, spent)
                leases.book("app:a", TODAY, spent)
        assert leases.booked["app:a", TODAY] <= limit + overrun

    asyncio.run(run())
