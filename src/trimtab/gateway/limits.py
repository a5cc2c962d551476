"""Rate limits: a token bucket a key for calls and one for tokens, in this worker's memory."""

from dataclasses import dataclass

from trimtab.core import Clock
from trimtab.core.errors import RateLimited


@dataclass(slots=True)
class _Bucket:
    level: float
    updated_s: float


class RateLimiter:
    """Token buckets that refill over a minute.

    Args:
        clock: Monotonic time; a jump of the wall clock changes nothing here.
        n_workers: Limits are divided by it, because each worker counts alone.
    """

    def __init__(self, clock: Clock, *, n_workers: int = 1) -> None:
        self._clock = clock
        self._n_workers = n_workers
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, key_id: str, kind: str, amount: float, per_minute: int | None) -> None:
        """Take ``amount`` from the key's bucket of that kind (``calls`` or ``tokens``).

        A full bucket admits one amount larger than itself, so that a limit below one call's size slows and never
        blocks for ever.

        Raises:
            RateLimited: the bucket holds too little; ``retry_after_s`` says when it will not. A limit of 0 never opens.
        """
        if per_minute is None:
            return
        if per_minute <= 0:
            raise RateLimited(f"The key may send no {kind}.", hint="Raise the limit with `trimtab keys update`.")
        limit = per_minute / self._n_workers
        now = self._clock.monotonic_s()
        bucket = self._buckets.get((key_id, kind))
        if bucket is None:
            bucket = self._buckets[key_id, kind] = _Bucket(limit, now)
        level = min(limit, bucket.level + (now - bucket.updated_s) * limit / 60)
        bucket.updated_s = now
        if level < min(amount, limit):
            bucket.level = level
            wait_s = (min(amount, limit) - level) * 60 / limit
            raise RateLimited(
                f"The key may send {per_minute} {kind} a minute and has used them up.",
                retry_after_s=wait_s,
                hint=f"Try again in {wait_s:.1f} s, or raise the limit with `trimtab keys update`.",
            )
        bucket.level = level - amount
