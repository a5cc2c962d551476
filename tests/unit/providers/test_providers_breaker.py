"""When calls to a model stop and start again: breaker, cool-down, slots and Retry-After, without a network."""

import asyncio
import time

import pytest

from trimtab.core import to_us
from trimtab.providers.breaker import Breaker, CoolDown
from trimtab.providers.config import BreakerSettings, CoolDownSettings
from trimtab.providers.retry_after import retry_after_s
from trimtab.providers.slots import Slots

SETTINGS = BreakerSettings(consecutive_failures=3, failure_fraction=0.5, min_calls=10, window_s=30, open_s=10)


def _call(breaker: Breaker, now_s: float, *, has_failed: bool | None) -> bool:
    """Make one call if allowed; return whether it was."""
    if not breaker.allows(now_s):
        return False
    breaker.leave(now_s, has_failed=has_failed, is_probe=breaker.enter())
    return True


def _opened_at_0() -> Breaker:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        _call(breaker, 0.0, has_failed=True)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_starts_the_count_again() -> None:
    breaker = Breaker(SETTINGS)
    for has_failed in (True, True, False, True, True):
        _call(breaker, 0.0, has_failed=has_failed)
    assert breaker.allows(0.0)
    _call(breaker, 0.0, has_failed=True)
    assert not breaker.allows(9.9)


def test_half_of_enough_calls_failing_opens_it_without_a_row() -> None:
    breaker = Breaker(SETTINGS)
    for number in range(9):
        _call(breaker, 0.0, has_failed=number % 2 == 0)
    assert breaker.allows(0.0), "5 of 9 failed: too few calls to judge"
    _call(breaker, 0.0, has_failed=False)
    assert breaker.allows(0.0), "a success never opens it, though 5 of 10 failed"
    _call(breaker, 0.0, has_failed=True)
    assert not breaker.allows(0.0)


def test_failures_older_than_the_window_are_forgotten() -> None:
    breaker = Breaker(SETTINGS.model_copy(update={"consecutive_failures": 100}))
    for _ in range(9):
        _call(breaker, 0.0, has_failed=True)
    for _ in range(10):
        _call(breaker, 31.0, has_failed=False)
    _call(breaker, 31.0, has_failed=True)
    assert breaker.allows(31.0), "1 of 11 in the window"


def test_half_open_lets_one_probe_through_whose_outcome_decides() -> None:
    breaker = _opened_at_0()
    assert breaker.allows(10.0)
    assert breaker.enter()
    assert not breaker.allows(10.0), "one probe at a time"
    breaker.leave(11.0, has_failed=True, is_probe=True)
    assert not breaker.allows(20.9)
    _call(breaker, 21.0, has_failed=False)
    assert _call(breaker, 21.0, has_failed=True), "closed, and the count starts from nothing"
    assert breaker.allows(21.0)


def test_a_probe_that_says_nothing_lets_the_next_one_try() -> None:
    breaker = _opened_at_0()
    _call(breaker, 10.0, has_failed=None)
    assert breaker.allows(10.0)
    assert breaker.enter()


def test_late_results_of_calls_from_before_change_nothing() -> None:
    breaker = _opened_at_0()
    breaker.leave(5.0, has_failed=False, is_probe=False)
    assert not breaker.allows(9.9)
    breaker.leave(9.0, has_failed=True, is_probe=False)
    assert breaker.allows(10.0)


def test_a_cool_down_lasts_as_long_as_asked_and_never_longer_than_its_limit() -> None:
    rest = CoolDown(CoolDownSettings(default_s=1, max_s=60))
    rest.on_refused(100.0, 5.0)
    assert (rest.is_over(104.9), rest.is_over(105.0)) == (False, True)
    rest.on_refused(200.0, 86_400.0)
    assert rest.is_over(260.0)


def test_a_cool_down_nobody_timed_doubles_for_each_refusal_in_a_row() -> None:
    rest = CoolDown(CoolDownSettings(default_s=1, max_s=60))
    rest.on_refused(0.0, None)
    rest.on_refused(0.5, None)  # refused together with the first: the rest has begun
    assert rest.until_s == 1.0
    rest.on_refused(1.0, None)
    assert rest.until_s == 3.0  # 1 + 2
    rest.on_accepted()
    rest.on_refused(10.0, None)
    assert rest.until_s == 11.0


def test_slots_are_given_first_come_first_served() -> None:
    async def scenario() -> list[int]:
        slots, order = Slots(1), list[int]()

        async def hold(number: int) -> None:
            await slots.take(time.monotonic() + 5)
            order.append(number)
            await asyncio.sleep(0)
            slots.release()

        await asyncio.gather(*(hold(number) for number in range(4)))
        assert slots.has_room
        return order

    assert asyncio.run(scenario()) == [0, 1, 2, 3]


async def test_a_waiter_that_leaves_takes_no_slot_with_it() -> None:
    slots = Slots(1)
    await slots.take(time.monotonic() + 5)
    with pytest.raises(TimeoutError):
        await slots.take(time.monotonic() + 0.01)
    leaving = asyncio.create_task(slots.take(time.monotonic() + 5))
    await asyncio.sleep(0)
    slots.release()  # handed over and cancelled in the same turn of the loop
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert slots.has_room


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 -0000"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2020 07:28:30 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_unknown(
    headers: dict[str, str], seconds: float | None
) -> None:
    from datetime import UTC, datetime

    now_us = to_us(datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC))
    assert retry_after_s(headers, now_us=now_us) == seconds
