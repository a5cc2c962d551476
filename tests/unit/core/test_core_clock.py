"""Instants, days and clocks that jump."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import US_PER_DAY, SystemClock, day_of, to_datetime, to_us

INSTANTS = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)  # year 1 to the end of 9999


@given(INSTANTS)
def test_microseconds_survive_the_way_to_a_datetime_and_back(instant_us: int) -> None:
    assert to_us(to_datetime(instant_us)) == instant_us
    assert to_datetime(instant_us).tzinfo is UTC


def test_an_instant_is_the_same_in_every_zone() -> None:
    utc = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)

    assert to_us(utc.astimezone(timezone(timedelta(hours=5, minutes=45)))) == to_us(utc)


def test_a_time_without_a_zone_names_no_moment() -> None:
    with pytest.raises(ValueError, match="no timezone"):
        to_us(datetime(2026, 3, 29))  # noqa: DTZ001  # that is the mistake


@pytest.mark.parametrize(
    ("instant_us", "day"), [(0, 0), (US_PER_DAY - 1, 0), (US_PER_DAY, 1), (-1, -1), (20_781 * US_PER_DAY, 20_781)]
)
def test_days_begin_at_midnight_utc(instant_us: int, day: int) -> None:
    assert day_of(instant_us) == day


def test_the_days_number_agrees_with_the_calendar() -> None:
    assert to_datetime(20_781 * US_PER_DAY) == datetime(2026, 11, 24, tzinfo=UTC)


def test_the_systems_clocks_tell_wall_time_and_never_go_back() -> None:
    clock = SystemClock()

    readings = [clock.monotonic_s() for _ in range(1_000)]

    assert readings == sorted(readings)
    assert abs(to_datetime(clock.now_us()) - datetime.now(UTC)) < timedelta(seconds=5)
