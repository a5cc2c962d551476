"""Money: ``Decimal`` US dollars in code, integer nano-dollars where numbers are stored and summed.

A nano-dollar resolves one token at $0.001 per million tokens, and a 64-bit sum of them holds nine billion
dollars. Integer sums are exact in every database and in any order, which is what makes a dashboard equal the
journal to the cent.
"""

from decimal import ROUND_HALF_EVEN, Decimal

NANO = Decimal(1_000_000_000)
_UNIT = Decimal(1)


def to_nano_usd(amount_usd: Decimal) -> int:
    """Return whole nano-dollars, rounded half to even.

    >>> to_nano_usd(Decimal("0.0375") / 1_000_000 * 120)
    4500
    """
    return int((amount_usd * NANO).quantize(_UNIT, ROUND_HALF_EVEN))


def from_nano_usd(amount_nano_usd: int) -> Decimal:
    """Return dollars.

    >>> from_nano_usd(1_500_000_000)
    Decimal('1.5')
    """
    return Decimal(amount_nano_usd) / NANO


def format_usd(amount_usd: Decimal | None) -> str:
    """Return the amount as people read it: cents from a dollar up, four significant digits below.

    >>> format_usd(Decimal("1234.5")), format_usd(Decimal("0.00012345")), format_usd(None)
    ('$1,234.50', '$0.0001234', 'unpriced')
    """
    if amount_usd is None:
        return "unpriced"
    sign = "-" if amount_usd < 0 else ""
    size = abs(amount_usd)
    if size >= 1 or size == 0:
        return f"{sign}${size:,.2f}"
    digits = max(4 - (size.adjusted() + 1), 4)
    return f"{sign}${round(size, digits):f}"
