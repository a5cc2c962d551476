"""Money is exact."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import format_usd, from_nano_usd, to_nano_usd

AMOUNTS = st.integers(-(2**63), 2**63 - 1)


@given(AMOUNTS)
def test_nano_dollars_survive_the_way_to_dollars_and_back(nano: int) -> None:
    assert to_nano_usd(from_nano_usd(nano)) == nano
    assert Fraction(from_nano_usd(nano)) == Fraction(nano, 10**9)


@given(st.lists(AMOUNTS, max_size=50), st.randoms())
def test_sums_do_not_depend_on_the_order(amounts: list[int], rng: object) -> None:
    whole = sum((from_nano_usd(amount) for amount in amounts), Decimal(0))

    assert whole == from_nano_usd(sum(sorted(amounts)))


@pytest.mark.parametrize(
    ("usd", "nano"),
    [
        ("0.0000000005", 0),  # half to even: down to 0
        ("0.0000000015", 2),  # half to even: up to 2
        ("0.0000000025", 2),
        ("-0.0000000015", -2),
        ("0.00000000050000001", 1),
        ("1", 1_000_000_000),
    ],
)
def test_a_half_nano_dollar_goes_to_the_even_one(usd: str, nano: int) -> None:
    assert to_nano_usd(Decimal(usd)) == nano


@given(st.decimals(-(10**9), 10**9, places=12))
def test_rounding_is_off_by_at_most_half_a_nano_dollar(usd: Decimal) -> None:
    assert abs(Fraction(usd) * 10**9 - to_nano_usd(usd)) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        ("0", "$0.00"),
        ("1234567.895", "$1,234,567.90"),
        ("0.5", "$0.5000"),
        ("0.000012345678", "$0.00001235"),
        ("-0.25", "-$0.2500"),
        ("-3", "-$3.00"),
        (None, "unpriced"),
    ],
)
def test_amounts_are_shown_in_cents_or_four_digits_and_unknown_is_not_zero(usd: str | None, shown: str) -> None:
    assert format_usd(None if usd is None else Decimal(usd)) == shown
