"""Each kind of number in one way: the command line and the pages show figures through these functions."""

from decimal import Decimal

from trimtab.core import format_usd, from_nano_usd, to_datetime
from trimtab.routing import Estimate


def usd(amount_nano_usd: int | None) -> str:
    """Return an amount for people; ``unpriced`` when it is not known.

    >>> usd(1_234_500_000_000), usd(None)
    ('$1,234.50', 'unpriced')
    """
    return format_usd(None if amount_nano_usd is None else from_nano_usd(amount_nano_usd))


def usd_text(amount_nano_usd: int | None) -> str | None:
    """Return an amount for JSON: a decimal with all its digits, as text.

    >>> usd_text(1), usd_text(2_500_000_000), usd_text(0), usd_text(None)
    ('0.000000001', '2.5', '0', None)
    """
    return None if amount_nano_usd is None else f"{Decimal(amount_nano_usd).scaleb(-9).normalize():f}"


def quality(estimate: Estimate | None) -> str:
    """Return a mean with its interval and sample size, which it is never shown without.

    >>> quality(Estimate(mean=0.5, lower=0.25, upper=0.75, n_samples=1200)), quality(None)
    ('0.500 [0.250, 0.750] (n = 1,200)', 'not measured')
    """
    if estimate is None:
        return "not measured"
    return f"{estimate.mean:.3f} [{estimate.lower:.3f}, {estimate.upper:.3f}] (n = {estimate.n_samples:,})"


def percent(share: float | None) -> str:
    """Return a share as per cent.

    >>> percent(0.125), percent(None)
    ('12.5 %', '-')
    """
    return "-" if share is None else f"{100 * share:.1f} %"


def count(number: int | None) -> str:
    """Return a count with its thousands marked.

    >>> count(12480), count(None)
    ('12,480', '-')
    """
    return "-" if number is None else f"{number:,}"


def ms(duration_ms: float | None) -> str:
    """Return a duration: whole milliseconds from 10 on, two digits below.

    >>> ms(1234.5), ms(0.4321), ms(None)
    ('1,234 ms', '0.43 ms', '-')
    """
    if duration_ms is None:
        return "-"
    return f"{duration_ms:,.0f} ms" if duration_ms >= 10 else f"{duration_ms:.2g} ms"


def instant(at_us: int | None) -> str:
    """Return an instant in UTC, to the second.

    >>> instant(1_714_564_800_999_999), instant(None)
    ('2024-05-01 12:00:00 UTC', '-')
    """
    return "-" if at_us is None else to_datetime(at_us).strftime("%Y-%m-%d %H:%M:%S UTC")
