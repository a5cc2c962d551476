"""Reserve, settle, lease."""

import asyncio
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.gateway import BudgetKeeper
from trimtab.gateway.budgets import Cap, Reservation, caps_of
from trimtab.policy import Budget

NOW_US = 1_795_500_000_000_000  # 2026-11-24 06:00 UTC
TODAY = NOW_US // 86_400_000_000


class FixedClock:
    def __init__(self) -> None:
        self.mono_s = 0.0

    def now_us(self) -> int:
        return NOW_US

    def monotonic_s(self) -> float:
        return self.mono_s


class MemoryLeases:
    """The ledger of one cap, shared by several keepers as the database is."""

    def __init__(self) -> None:
        self.booked = 0
        self.leased: dict[str, int] = {}
        self._lock = threading.Lock()

    def spent(self, scope: str, first_day: int) -> int:
        return self.booked

    def lease(
        self,
        worker: str,
        scope: str,
        period: str,
        first_day: int,
        cap_nano_usd: int,
        amount_nano_usd: int,
        ttl_s: float,
    ) -> int:
        with self._lock:
            left = cap_nano_usd - self.booked - sum(self.leased.values())
            granted = max(0, min(left, amount_nano_usd))
            self.leased[worker] = self.leased.get(worker, 0) + granted
            return granted

    def renew(self, worker: str, ttl_s: float) -> None:
        """Leases here do not expire."""

    def book(self, worker: str, amount: int) -> None:
        """What the journal does when it stores a call."""
        with self._lock:
            self.booked += amount
            self.leased[worker] -= amount


def caps(limit: int) -> tuple[Cap, ...]:
    return caps_of([Budget(scope="app:a", per_day_nano_usd=limit)], TODAY)


def test_a_month_cap_begins_on_the_first_and_a_day_cap_today() -> None:
    day, month = caps_of([Budget(scope="s", per_day_nano_usd=1, per_month_nano_usd=2)], TODAY)
    assert (day.period, month.period) == ("day", "month")
    assert day.first_day == TODAY
    assert day.first_day - month.first_day == 23  # the 24th against the 1st of November


async def test_a_call_that_fits_is_held_and_the_next_one_that_does_not_names_the_cap() -> None:
    keeper = BudgetKeeper(MemoryLeases(), "w", FixedClock())
    limit = caps(100)
    assert isinstance(await keeper.reserve(limit, 60), Reservation)
    assert await keeper.reserve(limit, 60) == limit[0]
    assert keeper.is_exhausted(limit[0])


async def test_settling_below_the_reservation_gives_the_room_back() -> None:
    keeper = BudgetKeeper(MemoryLeases(), "w", FixedClock())
    limit = caps(100)
    held = await keeper.reserve(limit, 90)
    assert isinstance(held, Reservation)
    keeper.settle(held, 10)
    assert isinstance(await keeper.reserve(limit, 90), Reservation)


async def test_an_exhausted_cap_is_asked_again_after_a_second() -> None:
    clock = FixedClock()
    leases = MemoryLeases()
    leases.booked = 100
    keeper = BudgetKeeper(leases, "w", clock)
    limit = caps(100)
    assert await keeper.reserve(limit, 1) == limit[0]
    clock.mono_s += keeper.RECHECK_S
    assert not keeper.is_exhausted(limit[0])


async def test_a_second_cap_that_refuses_releases_what_the_first_one_held() -> None:
    keeper = BudgetKeeper(MemoryLeases(), "w", FixedClock())
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
        keepers = [BudgetKeeper(leases, f"w{i}", FixedClock()) for i in range(3)]
        overrun = 0
        for index, (estimate, surplus) in enumerate(calls):
            keeper = keepers[index % 3]
            held = await keeper.reserve(caps(limit), estimate)
            if isinstance(held, Reservation):
                spent = estimate + surplus
                overrun += surplus
                keeper.settle(held, spent)
                leases.book(f"w{index % 3}", spent)
        assert leases.booked <= limit + overrun

    asyncio.run(run())
