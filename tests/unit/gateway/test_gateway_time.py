"""Calls while the calendar turns and the clock jumps."""

from decimal import Decimal

from tests.support.clock import NOW_US, StillClock
from tests.support.gateway_rig import DOLLAR, Outcome, Rig, body_of, chat_answer

from trimtab.core import US_PER_DAY, CallStatus
from trimtab.core.errors import BudgetExhausted

HOUR_US = 3_600_000_000
RATE = 10_000
"""Nano-dollars a token at $10 a million."""
CALL = body_of("", max_tokens=32)
CALL = body_of("x" * (100 - len(CALL)), max_tokens=32)
COST = 64 * RATE


def rig_with(clock: StillClock, **caps_nano_usd: int) -> Rig:
    caps = ", ".join(f"{name}: {Decimal(cap) / DOLLAR:f}" for name, cap in caps_nano_usd.items())
    policy = f"policy: capped\norganisation: {{sensitivity: internal, budget: {{{caps}}}}}\n"
    return Rig(policy, script=lambda _: chat_answer(tokens_in=32, tokens_out=32), clock=clock)


async def served(rig: Rig, clock: StillClock) -> int:
    """Call until a cap refuses; the next second is another one."""
    clock.mono_s += 1.0
    n_served = 0
    while not isinstance((await rig.call(CALL)).error, BudgetExhausted):
        n_served += 1
        assert n_served < 100
    return n_served


async def test_a_new_day_opens_the_days_cap_and_not_the_months() -> None:
    clock = StillClock()
    rig = rig_with(clock, per_day_usd=2 * COST, per_month_usd=5 * COST)
    days = []
    for _ in range(4):
        days.append(await served(rig, clock))
        clock.wall_us += US_PER_DAY

    assert days == [2, 2, 1, 0]


async def test_a_new_month_opens_the_months_cap() -> None:
    clock = StillClock()
    rig = rig_with(clock, per_month_usd=2 * COST)
    assert await served(rig, clock) == 2
    clock.wall_us += 6 * US_PER_DAY  # 30 November
    assert await served(rig, clock) == 0
    clock.wall_us += US_PER_DAY

    assert await served(rig, clock) == 2


async def test_a_clock_that_goes_back_over_midnight_does_not_open_yesterdays_cap_again() -> None:
    clock = StillClock()
    rig = rig_with(clock, per_day_usd=2 * COST)
    assert await served(rig, clock) == 2
    clock.wall_us += US_PER_DAY
    assert await served(rig, clock) == 2
    clock.wall_us -= US_PER_DAY

    assert await served(rig, clock) == 0


async def test_a_clock_that_jumps_an_hour_to_and_fro_changes_no_call() -> None:
    clock = StillClock()
    rig = rig_with(clock, per_day_usd=1000 * COST)
    outcomes: list[Outcome] = []
    for number in range(20):
        clock.wall_us = NOW_US + (HOUR_US, -HOUR_US)[number % 2]
        outcomes.append(await rig.call(CALL))

    assert {outcome.call.status for outcome in outcomes} == {CallStatus.OK}
    assert {outcome.call.latency_ms for outcome in outcomes} == {0.0}
    assert len({outcome.call.call_id for outcome in outcomes}) == 20
    assert len({outcome.call.decision_digest for outcome in outcomes}) == 1
