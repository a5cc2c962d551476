"""Leases on spending caps: parts of a cap that workers set aside, so that together they never pass it."""

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from trimtab.core import US_PER_DAY, Clock, SystemClock
from trimtab.store.database import Database
from trimtab.store.rows import clean
from trimtab.store.scopes import period_end
from trimtab.store.tables import leases, spend_day

_FORGET_AFTER_US = US_PER_DAY
"""An expired lease stays this long: its worker may only have lost the database, and a renewal brings it back."""


class BudgetStore:
    """What is spent and what is set aside; the gateway's ``LeaseStore``.

    Args:
        database: Where both are.
        clock: Says when a lease has expired.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    def spent(self, scope: str, first_day: int) -> int:
        """Return nano-dollars booked for the scope since that UTC day."""
        with self._database.reading() as connection:
            return _spent(connection, scope, spend_day.c.day >= first_day)

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
        """Set aside up to ``amount_nano_usd`` in one atomic step and return what was granted.

        That is 0 when not even ``least_nano_usd`` is left, so a call that does not fit takes no room from smaller ones.
        What is left is the cap without what is booked and without every lease: this worker's own, and those of other
        workers until they expire.
        """
        in_period = and_(spend_day.c.day >= first_day, spend_day.c.day < period_end(period, first_day))
        with self._database.writing() as connection:
            held = self._held(connection, worker, scope, period, first_day)
            left = cap_nano_usd - _spent(connection, scope, in_period) - held
            if left < max(least_nano_usd, 1):
                return 0
            granted = min(amount_nano_usd, left)
            insert = self._database.insert(leases)
            more = {
                "amount_nano_usd": leases.c.amount_nano_usd + insert.excluded.amount_nano_usd,
                "expires_at_us": insert.excluded.expires_at_us,
            }
            connection.execute(
                insert.on_conflict_do_update(index_elements=["scope", "period", "first_day", "worker"], set_=more),
                {
                    "scope": clean(scope),
                    "period": period,
                    "first_day": first_day,
                    "worker": worker,
                    "amount_nano_usd": granted,
                    "expires_at_us": self._expiry_us(ttl_s),
                },
            )
            return granted

    def give_back(self, worker: str, scope: str, period: str, first_day: int, amount_nano_usd: int) -> None:
        """Return a part of a lease that the worker does not need."""
        rest = leases.c.amount_nano_usd - amount_nano_usd
        with self._database.writing() as connection:
            connection.execute(
                leases.update()
                .where(_is_lease(worker, scope, period, first_day))
                .values(amount_nano_usd=case((rest > 0, rest), else_=0))
            )

    def reclaim(
        self, worker: str, scope: str, period: str, first_day: int, cap_nano_usd: int, ttl_s: float
    ) -> int | None:
        """Take an expired lease up again as far as nobody else was given it; return how much of it is lost.

        ``None``: it was forgotten, so all of it is.
        """
        in_period = and_(spend_day.c.day >= first_day, spend_day.c.day < period_end(period, first_day))
        mine = _is_lease(worker, scope, period, first_day)
        with self._database.writing() as connection:
            own: int | None = connection.execute(select(leases.c.amount_nano_usd).where(mine)).scalar()
            if own is None:
                return None
            others = self._held(connection, worker, scope, period, first_day) - own
            kept = max(0, min(own, cap_nano_usd - _spent(connection, scope, in_period) - others))
            renewed = {"amount_nano_usd": kept, "expires_at_us": self._expiry_us(ttl_s)}
            connection.execute(leases.update().where(mine).values(renewed))
            return own - kept

    def renew(self, worker: str, ttl_s: float) -> None:
        """Push the expiry of those of the worker's leases that have not expired, and forget long expired ones."""
        with self._database.writing() as connection:
            own = leases.update().where(leases.c.worker == worker, leases.c.expires_at_us > self._clock.now_us())
            connection.execute(own.values(expires_at_us=self._expiry_us(ttl_s)))
            connection.execute(leases.delete().where(leases.c.expires_at_us < self._clock.now_us() - _FORGET_AFTER_US))

    def release(self, worker: str) -> None:
        """Give back everything the worker set aside, once its calls are booked."""
        with self._database.writing() as connection:
            connection.execute(leases.delete().where(leases.c.worker == worker))

    def _held(self, connection: Connection, worker: str, scope: str, period: str, first_day: int) -> int:
        counts = or_(leases.c.worker == worker, leases.c.expires_at_us > self._clock.now_us())
        query = select(func.coalesce(func.sum(leases.c.amount_nano_usd), 0)).where(
            leases.c.scope == clean(scope), leases.c.period == period, leases.c.first_day == first_day, counts
        )
        return int(connection.execute(query).scalar_one())

    def _expiry_us(self, ttl_s: float) -> int:
        return self._clock.now_us() + round(ttl_s * 1_000_000)


def _is_lease(worker: str, scope: str, period: str, first_day: int) -> ColumnElement[bool]:
    return and_(
        leases.c.worker == worker,
        leases.c.scope == clean(scope),
        leases.c.period == period,
        leases.c.first_day == first_day,
    )


def _spent(connection: Connection, scope: str, days: ColumnElement[bool]) -> int:
    query = select(func.coalesce(func.sum(spend_day.c.nano_usd), 0)).where(spend_day.c.scope == clean(scope), days)
    return int(connection.execute(query).scalar_one())
