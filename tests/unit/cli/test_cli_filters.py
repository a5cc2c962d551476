import pytest

from trimtab.cli.filters import instant_us
from trimtab.core.errors import ConfigurationError

DAY_US = 86_400_000_000


def test_a_time_is_read_in_utc_unless_it_says_otherwise() -> None:
    assert instant_us("1970-01-03", "--since") == 2 * DAY_US
    assert instant_us("1970-01-01T12:00", "--since") == DAY_US // 2
    assert instant_us("1970-01-01T01:00:00+01:00", "--since") == 0
    assert instant_us(None, "--since") is None


@pytest.mark.parametrize(
    ("text", "ago_us"),
    [("90s", 90_000_000), ("15m", 900_000_000), ("24h", DAY_US), ("7d", 7 * DAY_US), ("2w", 14 * DAY_US)],
)
def test_a_span_counts_back_from_now(text: str, ago_us: int) -> None:
    now_us = 1_714_564_800_000_000

    assert instant_us(text, "--since", now_us=now_us) == now_us - ago_us


def test_a_span_reaches_back_to_the_epoch_and_no_further() -> None:
    assert instant_us("999999w", "--since", now_us=DAY_US) == 0


@pytest.mark.parametrize("text", ["yesterday", "7 days", "2026-13-01", "", "-5d", "7D"])
def test_anything_else_is_refused_with_the_option_and_the_forms(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--until") as caught:
        instant_us(text, "--until")
    assert "7d" in (caught.value.hint or "")
