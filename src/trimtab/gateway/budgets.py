"""Spending caps: reserve before the call, settle after it, and never wait for the database when there is room.

Each worker holds *leases*: parts of a cap set aside for it in the database. Inside a lease, reserving is an
addition in memory. The journal writer books what was really spent in the transaction that stores the calls, and
shrinks the lease by the same amount, so the counter cannot drift from the ledger. A worker that dies leaves its
spool, which is booked at the next start, and a lease that expires (decision 0005).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from trimtab.core import US_PER_DAY, Clock, to_datetime
from trimtab.policy import Budget

LEASE_TTL_S = 60.0
LEASE_SHARE = 10
"""A refill asks for a tenth of what is left, so that several workers share a cap down to its end."""


class LeaseStore(Protocol):
    """The part of the store that guards caps."""

    def spent(self, scope: str, first_day: int) -> int:
        """Return nano-dollars booked for the scope since that UTC day."""
        ...

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
        """Set aside up to ``amount_nano_usd`` in one atomic step; return what was granted, 0 when nothing is left."""
        ...

    def renew(self, worker: str, ttl_s: float) -> None:
        """Push the expiry of all the worker's leases."""
        ...


@dataclass(frozen=True, slots=True)
class Cap:
    """One limit over one period."""

    scope: str
    period: str
    first_day: int
    limit_nano_usd: int
    on_exhausted: str
    queue_timeout_s: float


def caps_of(budgets: Iterable[Budget], day: int) -> tuple[Cap, ...]:
    """Return the period caps in force on a UTC day; the order of ``budgets`` is kept.

    Args:
        budgets: Limits of the call's scopes.
        day: Counted from 1970-01-01.
    """
    first_of_month = day - (to_datetime(day * US_PER_DAY).day - 1)
    return tuple(
        Cap(budget.scope, period, first_day, limit, budget.on_exhausted, budget.queue_timeout_s)
        for budget in budgets
        for period, first_day, limit in (
            ("day", day, budget.per_day_nano_usd),
            ("month", first_of_month, budget.per_month_nano_usd),
        )
        if limit is not None
    )


@dataclass(slots=True)
class _Lease:
    available: int = 0
    is_exhausted: bool = False
    checked_s: float = -1e9
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def has(self, amount: int) -> bool:
        """Return whether the amount fits; nothing fits into a lease that is used up, not even 0."""
        return self.available >= amount and self.available > 0

    def credit(self, asked: "asyncio.Future[int]") -> None:
        """Add what the store granted."""
        if not asked.cancelled() and asked.exception() is None:
            self.available += asked.result()


class Reservation(msgspec.Struct, frozen=True):
    """What one call may cost, held against each of its caps until it is settled."""

    caps: tuple[Cap, ...]
    amount_nano_usd: int


class BudgetKeeper:
    """This worker's share of every cap.

    Args:
        store: Where leases live.
        worker: This worker's name in the store.
        clock: Wall time names the period; monotonic time paces the checks.
    """

    RECHECK_S = 1.0
    """How long an exhausted cap is believed before the database is asked again."""

    def __init__(self, store: LeaseStore, worker: str, clock: Clock) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._leases: dict[tuple[str, str, int], _Lease] = {}

    def is_exhausted(self, cap: Cap) -> bool:
        """Return whether the cap was found used up within the last second."""
        lease = self._leases.get((cap.scope, cap.period, cap.first_day))
        if lease is None or not lease.is_exhausted:
            return False
        return self._clock.monotonic_s() - lease.checked_s < self.RECHECK_S

    async def reserve(self, caps: tuple[Cap, ...], amount_nano_usd: int) -> Reservation | Cap:
        """Hold the amount against every cap, or return the first cap that cannot bear it, holding nothing."""
        held: list[Cap] = []
        is_held = False
        try:
            for cap in caps:
                lease = self._lease(cap)
                if not lease.has(amount_nano_usd):
                    await self._refill(cap, lease, amount_nano_usd)
                if not lease.has(amount_nano_usd):
                    lease.is_exhausted, lease.checked_s = True, self._clock.monotonic_s()
                    return cap
                lease.available -= amount_nano_usd
                held.append(cap)
            is_held = True
            return Reservation(caps, amount_nano_usd)
        finally:
            if not is_held:  # a cap said no, the client left, or the store failed
                self._give_back(held, amount_nano_usd)

    def settle(self, reservation: Reservation, spent_nano_usd: int) -> None:
        """Replace the reserved amount by what was spent. The journal books the money; here the room is returned."""
        self._give_back(reservation.caps, reservation.amount_nano_usd - spent_nano_usd)

    async def renew_forever(self) -> None:
        """Keep this worker's leases alive until cancelled; forget those of past periods."""
        while True:
            await asyncio.sleep(LEASE_TTL_S / 3)
            oldest = self._clock.now_us() // 86_400_000_000 - 32
            self._leases = {key: lease for key, lease in self._leases.items() if key[2] >= oldest}
            if self._leases:
                await asyncio.to_thread(self._store.renew, self._worker, LEASE_TTL_S)

    def _lease(self, cap: Cap) -> _Lease:
        key = (cap.scope, cap.period, cap.first_day)
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = _Lease()
        return lease

    def _give_back(self, caps: Iterable[Cap], amount: int) -> None:
        for cap in caps:
            self._lease(cap).available += amount

    async def _refill(self, cap: Cap, lease: _Lease, amount: int) -> None:
        async with lease.lock:
            if lease.has(amount):
                return
            need = max(amount - lease.available, 1)
            asking = asyncio.ensure_future(asyncio.to_thread(self._lease_more, cap, need))
            asking.add_done_callback(lease.credit)  # whatever becomes of this call, what was granted stays ours
            granted = await asyncio.shield(asking)
            lease.is_exhausted = granted < need
            lease.checked_s = self._clock.monotonic_s()

    def _lease_more(self, cap: Cap, need: int) -> int:
        left = cap.limit_nano_usd - self._store.spent(cap.scope, cap.first_day)
        ask = max(need, left // LEASE_SHARE)
        return self._store.lease(
            self._worker, cap.scope, cap.period, cap.first_day, cap.limit_nano_usd, ask, LEASE_TTL_S
        )
