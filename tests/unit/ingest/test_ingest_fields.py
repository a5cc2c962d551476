from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.ingest.fields import EXACT_JSON, FieldError, Fields


def test_money_is_read_from_its_digits_and_never_through_a_binary_float() -> None:
    # As a binary float 0.1 + 0.2 misses; as digits a billion of either is exact.
    row = Fields(EXACT_JSON.decode(b'{"a": 0.1, "b": "0.2", "c": 1234567.123456789}'))

    assert row.nano_usd("a") == 100_000_000
    assert row.nano_usd("b") == 200_000_000
    assert row.nano_usd("c") == 1_234_567_123_456_789


def test_a_float_of_parquet_is_read_by_its_shortest_digits() -> None:
    assert Fields({"cost": 3.4160000000000005e-05}).nano_usd("cost") == 34_160


@given(st.integers(min_value=0, max_value=9 * 10**15))
def test_every_amount_of_whole_nano_dollars_survives_text(nano: int) -> None:
    assert Fields({"cost": str(Decimal(nano) / 10**9)}).nano_usd("cost") == nano


@pytest.mark.parametrize("value", ["-0.01", "free", "$3", True, "Infinity", [1], 10**10])
def test_what_is_no_price_of_a_call_is_refused(value: object) -> None:
    with pytest.raises(FieldError, match="cost"):
        Fields({"cost": value}).nano_usd("cost")


@pytest.mark.parametrize("value", [None, "", "  ", "null", "None", "NaN", float("nan")])
def test_absent_is_unknown_and_not_zero(value: object) -> None:
    row = Fields({"x": value})

    assert row.nano_usd("x") is None
    assert row.count("x") is None
    assert row.instant("x") is None
    assert row.fraction("x") is None


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-01T12:00:00Z",
        "2024-05-01 12:00:00",
        "2024-05-01T14:00:00+02:00",
        1714564800,
        "1714564800000",
        1714564800000000,
        datetime(2024, 5, 1, 12, tzinfo=UTC),
        datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        datetime(2024, 5, 1, 12),  # noqa: DTZ001  # a file's naive time is read as UTC
    ],
)
def test_one_moment_in_every_spelling(value: object) -> None:
    assert Fields({"t": value}).instant("t") == 1_714_564_800_000_000


@pytest.mark.parametrize("value", ["yesterday", "1e400", True, {"a": 1}, "3024-01-01", -5])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(FieldError):
        Fields({"t": value}).instant("t")


def test_a_name_cannot_steer_a_terminal() -> None:
    with pytest.raises(FieldError, match="control character"):
        Fields({"workload": "a\x1b[2Jb"}).name("workload")
    with pytest.raises(FieldError, match="300 characters"):
        Fields({"workload": "x" * 300}).name("workload")


def test_a_reason_never_quotes_a_long_value_which_may_be_a_prompt() -> None:
    prompt = "My password is hunter2 and I live in a blue house."

    with pytest.raises(FieldError) as caught:
        Fields({"cost_usd": prompt}).nano_usd("cost_usd")

    assert "hunter2" not in str(caught.value)
    assert "50 characters" in str(caught.value)


@pytest.mark.parametrize("value", [1.5, "12.5", -1, True, 10**13])
def test_a_count_is_a_whole_number(value: object) -> None:
    with pytest.raises(FieldError):
        Fields({"n": value}).count("n")


def test_true_and_false_are_scores() -> None:
    assert (Fields({"s": "true"}).fraction("s"), Fields({"s": False}).fraction("s")) == (1.0, 0.0)
