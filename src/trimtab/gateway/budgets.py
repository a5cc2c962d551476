"""Spending caps: reserve before the call, settle after it, and never wait for the database when there is room.

Each worker holds *leases*: parts of a cap set aside for it in the database. Inside a lease, reserving is an
addition in memory. The journal writer books what was really spent in the transaction that stores the calls, and
shrinks the lease by the same amount, so the counter cannot drift from the ledger. A worker that dies leaves its
spool, which is booked at the next start, and a lease that expires (decision 0005).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from trimtab.core import Clock, day_of, month_start
from trimtab.core.errors import StoreError
from trimtab.policy import Budget

LEASE_TTL_S = 60.0
LEASE_TTL_US = round(LEASE_TTL_S * 1_000_000)
RECLAIM_AGAIN_US = 1_000_000
"""Pause before a database that failed is asked again about an expired lease."""
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
        *,
        least_nano_usd: int = 1,
    ) -> int:
        """Set aside up to ``amount_nano_usd`` in one atomic step; return what was granted.

        Nothing is when not even ``least_nano_usd`` is left: a call that does not fit takes no room from smaller ones.
        """
        ...

    def give_back(self, worker: str, scope: str, period: str, first_day: int, amount_nano_usd: int) -> None:
        """Return a part of a lease that is not needed."""
        ...

    def reclaim(
        self, worker: str, scope: str, period: str, first_day: int, cap_nano_usd: int, ttl_s: float
    ) -> int | None:
        """Take an expired lease up again; return how much of it others were given meanwhile, ``None`` for all of it."""
        ...

    def renew(self, worker: str, ttl_s: float) -> None:
        """Push the expiry of those of the worker's leases that have not expired."""
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
    return tuple(
        Cap(budget.scope, period, first_day, limit, budget.on_exhausted, budget.queue_timeout_s)
        for budget in budgets
        for period, first_day, limit in (
            ("day", day, budget.per_day_nano_usd),
            ("month", month_start(day), budget.per_month_nano_usd),
        )
        if limit is not None
    )


class _Granted(NamedTuple):
    """The store's answer to a worker that needs more."""

    amount_nano_usd: int
    slice_nano_usd: int
    is_used_up: bool


@dataclass(slots=True)
class _Lease:
    available: int = 0
    expires_at_us: int = 0
    """Wall time from which the store may give what is left of it to another worker."""
    slice_nano_usd: int = 0
    """A tenth of what was left when the store was last asked."""
    is_used_up: bool = False
    """Whether the whole cap was spent then."""
    refused_nano_usd: int | None = None
    """The smallest amount that found no room since; smaller ones may find it still."""
    checked_s: float = -1e9
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def has(self, amount: int) -> bool:
        """Return whether the amount fits; nothing fits into a lease that is used up, not even 0."""
        return self.available >= amount and self.available > 0

    def credit(self, asked: "asyncio.Future[_Granted]") -> None:
        """Add what the store granted."""
        if not asked.cancelled() and asked.exception() is None:
            self.available += asked.result().amount_nano_usd

    def debit(self, asked: "asyncio.Future[int | None]") -> None:
        """Take away what the store gave to others."""
        if not asked.cancelled() and asked.exception() is None:
            lost = asked.result()
            self.available = 0 if lost is None else self.available - lost


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
        """Return whether the cap was found used up within the last second.

        That one call found no room says nothing of others: whoever asks for the moon must not close a cap for all.
        """
        lease = self._leases.get((cap.scope, cap.period, cap.first_day))
        return lease is not None and lease.is_used_up and lease.available <= 0 and self._is_fresh(lease)

    def _is_fresh(self, lease: _Lease) -> bool:
        return self._clock.monotonic_s() - lease.checked_s < self.RECHECK_S

    def _was_refused(self, lease: _Lease, amount: int) -> bool:
        return lease.refused_nano_usd is not None and amount >= lease.refused_nano_usd and self._is_fresh(lease)

    async def reserve(self, caps: tuple[Cap, ...], amount_nano_usd: int) -> Reservation | Cap:
        """Hold the amount against every cap, or return the first cap that cannot bear it, holding nothing."""
        held: list[Cap] = []
        is_held = False
        now_us = self._clock.now_us() if caps else 0
        try:
            for cap in caps:
                lease = self._lease(cap)
                if lease.expires_at_us <= now_us and lease.available > 0:
                    await self._reclaim(cap, lease)
                if not lease.has(amount_nano_usd) and not self._was_refused(lease, amount_nano_usd):
                    await self._refill(cap, lease, amount_nano_usd)
                if not lease.has(amount_nano_usd):
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
            oldest = day_of(self._clock.now_us()) - 32
            self._leases = {key: lease for key, lease in self._leases.items() if key[2] >= oldest}
            if self._leases:
                await self.renew()

    async def renew(self) -> None:
        """Push the expiry of the leases, and return what is more than a slice or two: others may need it."""
        asked_us = self._clock.now_us()
        await asyncio.to_thread(self._store.renew, self._worker, LEASE_TTL_S)
        renewed_us = self._clock.now_us()
        for lease in self._leases.values():
            if lease.expires_at_us > renewed_us:
                lease.expires_at_us = asked_us + LEASE_TTL_US
        for key, lease in list(self._leases.items()):
            if lease.available > 2 * lease.slice_nano_usd:
                await self._return(key, lease, lease.available - lease.slice_nano_usd)

    async def _return(self, key: tuple[str, str, int], lease: _Lease, amount: int) -> None:
        lease.available -= amount
        try:
            await asyncio.to_thread(self._store.give_back, self._worker, *key, amount)
        except StoreError:
            lease.available += amount

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
            asked_us = self._clock.now_us()
            asking = asyncio.ensure_future(asyncio.to_thread(self._lease_more, cap, need))
            asking.add_done_callback(lease.credit)  # whatever becomes of this call, what was granted stays ours
            granted = await asyncio.shield(asking)
            if granted.amount_nano_usd:
                lease.expires_at_us = asked_us + LEASE_TTL_US
            refused = lease.refused_nano_usd if self._is_fresh(lease) else None
            lease.refused_nano_usd = None if granted.amount_nano_usd else min(amount, refused or amount)
            lease.slice_nano_usd, lease.is_used_up = granted.slice_nano_usd, granted.is_used_up
            lease.checked_s = self._clock.monotonic_s()

    async def _reclaim(self, cap: Cap, lease: _Lease) -> None:
        """Ask what is left of a lease that expired: the process was stopped, the clock jumped, or renewing failed."""
        async with lease.lock:
            asked_us = self._clock.now_us()
            if lease.expires_at_us > asked_us:
                return
            what = (cap.scope, cap.period, cap.first_day, cap.limit_nano_usd)
            asking = asyncio.ensure_future(asyncio.to_thread(self._store.reclaim, self._worker, *what, LEASE_TTL_S))
            asking.add_done_callback(lease.debit)
            try:
                await asyncio.shield(asking)
            except StoreError:  # a database that is away gives nothing to others either
                lease.expires_at_us = asked_us + RECLAIM_AGAIN_US
            else:
                lease.expires_at_us = asked_us + LEASE_TTL_US

    def _lease_more(self, cap: Cap, need: int) -> _Granted:
        left = cap.limit_nano_usd - self._store.spent(cap.scope, cap.first_day)
        a_slice = max(left // LEASE_SHARE, 0)
        what = (cap.scope, cap.period, cap.first_day, cap.limit_nano_usd, max(need, a_slice), LEASE_TTL_S)
        amount = self._store.lease(self._worker, *what, least_nano_usd=need)
        return _Granted(amount, a_slice, is_used_up=left <= 0)
