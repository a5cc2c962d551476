"""Time, injected. Instants are Unix microseconds in UTC; durations come from a clock that never jumps."""

import time
from datetime import UTC, datetime
from typing import Protocol

US_PER_DAY = 86_400_000_000
US_PER_HOUR = 3_600_000_000


class Clock(Protocol):
    """What a room may ask of time."""

    def now_us(self) -> int:
        """Return the wall clock: microseconds since the Unix epoch, UTC. It may jump."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        """Return microseconds since the Unix epoch."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Return ``time.monotonic()``."""
        return time.monotonic()


def to_datetime(instant_us: int) -> datetime:
    """Return the instant as a timezone-aware UTC datetime."""
    seconds, rest = divmod(instant_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def to_us(instant: datetime) -> int:
    """Return microseconds since the epoch.

    Raises:
        ValueError: ``instant`` has no timezone, so it names no moment.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no timezone; give one, for example +00:00")
    delta = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def day_of(instant_us: int) -> int:
    """Return the UTC day number since 1970-01-01 (day 0)."""
    return instant_us // US_PER_DAY


def month_start(day: int) -> int:
    """Return the first day of the UTC month that a day lies in, both counted from 1970-01-01.

    >>> month_start(20_000)  # 2024-10-04
    19997
    """
    return day - (to_datetime(day * US_PER_DAY).day - 1)
