"""Each kind of number in one way: the command line and the pages show figures through these functions."""

from collections.abc import Iterable
from decimal import Decimal

from trimtab.catalog import ProbeResult
from trimtab.core import format_usd, from_nano_usd, to_datetime
from trimtab.routing import Estimate


def usd(amount_nano_usd: int | None) -> str:
    """Return an amount for people; ``unpriced`` when it is not known.

    >>> usd(1_234_500_000_000), usd(None)
    ('$1,234.50', 'unpriced')
    """
    return format_usd(None if amount_nano_usd is None else from_nano_usd(amount_nano_usd))


def usd_column(amounts_nano_usd: Iterable[int | None]) -> list[str]:
    """Return amounts that stand below each other, all to the same place so that the eye can compare them.

    The smallest keeps four digits where that leaves the largest six; what is smaller still shows as less than one of
    the last place, never as nothing. There are cents always, and no zeros that all of them would end in.

    >>> usd_column([293_449_200, 4_251_000, None, 0])
    ['$0.293449', '$0.004251', 'unpriced', '$0.000000']
    >>> usd_column([1_234_500_000_000, 4_251_000]), usd_column([500_000_000, 16_000_000])
    (['$1,234.50', '<$0.01'], ['$0.500', '$0.016'])
    """
    amounts = list(amounts_nano_usd)
    sizes = [abs(from_nano_usd(amount)) for amount in amounts if amount]
    places = max(2, min(3 - min(sizes).adjusted(), 5 - max(sizes).adjusted(), _places(sizes))) if sizes else 2
    return [_to_place(amount, places) for amount in amounts]


def _places(amounts_usd: Iterable[Decimal]) -> int:
    """Return how many decimal places hold all of these amounts."""
    exponents = (amount.normalize().as_tuple().exponent for amount in amounts_usd)
    return max(-exponent if isinstance(exponent, int) else 0 for exponent in exponents)


def _to_place(amount_nano_usd: int | None, places: int) -> str:
    if amount_nano_usd is None:
        return "unpriced"
    amount_usd, last = from_nano_usd(amount_nano_usd), Decimal(1).scaleb(-places)
    if amount_usd and abs(amount_usd) * 2 < last:
        return f"<${last:f}" if amount_usd > 0 else f">-${last:f}"
    return f"{'-' if amount_usd < 0 else ''}${abs(amount_usd):,.{places}f}"


def usd_per_mtok(price: str | None) -> str:
    """Return a price for a million tokens, to the cent or as exact as it is; ``unpriced`` when it is not known.

    >>> usd_per_mtok("0.4"), usd_per_mtok("0.0375"), usd_per_mtok(None)
    ('0.40', '0.0375', 'unpriced')
    """
    if price is None:
        return "unpriced"
    amount = Decimal(price)
    return f"{amount:,.{max(2, _places([amount]))}f}"


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

    >>> ms(1234.5), ms(4), ms(0.3), ms(None)
    ('1,234 ms', '4.0 ms', '0.30 ms', '-')
    """
    if duration_ms is None:
        return "-"
    places = 0 if duration_ms >= 10 else 1 if duration_ms >= 1 else 2
    return f"{duration_ms:,.{places}f} ms"


def measured(probe: ProbeResult | None) -> str:
    """Return a probed model's speed with its date and sample size; a dash where nobody measured it.

    >>> measured(None)
    '-'
    """
    light, peak = (None, None) if probe is None else (probe.light, probe.peak)
    if probe is None or light is None:
        return "-"
    one, every = (
        None if speed is None else f"{speed:,.1f}"
        for speed in (light.call_output_tokens_per_s, None if peak is None else peak.output_tokens_per_s)
    )
    return (
        f"TTFT {ms(light.ttft_p50_ms)}, {one or '-'} tokens/s a call, {every or '-'} in all "
        f"(n = {probe.n_calls:,}, {probe.day})"
    )


def instant(at_us: int | None) -> str:
    """Return an instant in UTC, to the second.

    >>> instant(1_714_564_800_999_999), instant(None)
    ('2024-05-01 12:00:00 UTC', '-')
    """
    return "-" if at_us is None else to_datetime(at_us).strftime("%Y-%m-%d %H:%M:%S UTC")
