"""Token buckets."""

import pytest
from tests.support.clock import StillClock

from trimtab.core.errors import RateLimited
from trimtab.gateway import RateLimiter


def test_the_bucket_admits_its_size_and_then_refills_over_a_minute() -> None:
    clock = StillClock()
    limiter = RateLimiter(clock)
    for _ in range(6):
        limiter.take("k1", "calls", 1, 6)
    with pytest.raises(RateLimited) as refused:
        limiter.take("k1", "calls", 1, 6)
    assert refused.value.retry_after_s == pytest.approx(10.0)  # 60 s / 6 calls

    clock.mono_s += 10.0
    limiter.take("k1", "calls", 1, 6)


def test_keys_and_kinds_do_not_share_a_bucket() -> None:
    limiter = RateLimiter(StillClock())
    limiter.take("k1", "calls", 1, 1)
    limiter.take("k2", "calls", 1, 1)
    limiter.take("k1", "tokens", 1, 1)
    with pytest.raises(RateLimited):
        limiter.take("k1", "calls", 1, 1)


def test_a_call_larger_than_the_limit_waits_for_a_full_bucket_and_is_not_blocked_for_ever() -> None:
    clock = StillClock()
    limiter = RateLimiter(clock)
    limiter.take("k1", "tokens", 5_000, 1_000)
    with pytest.raises(RateLimited):
        limiter.take("k1", "tokens", 1, 1_000)
    clock.mono_s += 300.0  # 4,000 tokens of debt and a full bucket: 5,000 tokens at 1,000 a minute
    limiter.take("k1", "tokens", 5_000, 1_000)


def test_a_jump_of_the_wall_clock_changes_nothing() -> None:
    clock = StillClock()
    limiter = RateLimiter(clock)
    limiter.take("k1", "calls", 1, 1)
    clock.wall_us += 10**12
    with pytest.raises(RateLimited):
        limiter.take("k1", "calls", 1, 1)


def test_limits_are_divided_by_the_workers() -> None:
    limiter = RateLimiter(StillClock(), n_workers=3)
    for _ in range(2):
        limiter.take("k1", "calls", 1, 6)
    with pytest.raises(RateLimited):
        limiter.take("k1", "calls", 1, 6)


def test_a_limit_of_nothing_admits_nothing_ever() -> None:
    clock = StillClock()
    limiter = RateLimiter(clock)
    for _ in range(2):
        with pytest.raises(RateLimited) as refused:
            limiter.take("k1", "calls", 1, 0)
        assert refused.value.retry_after_s is None
        clock.mono_s += 3_600.0
