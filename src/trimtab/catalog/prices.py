"""What a token costs: rates with their tiers, a price with its source and date, and the cost of one call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from trimtab.core import Usage, to_nano_usd

TOKENS_PER_MTOK = 1_000_000


class PriceSource(StrEnum):
    """Where a price comes from."""

    CONTRACT = "contract"
    """Written in the model's own configuration."""
    SELF_HOSTED = "self_hosted"
    """Derived from an hourly cost, a measured throughput and a utilisation."""
    LIST = "list"
    """The public price list of the genai-prices package."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Dollars per million tokens, with the cliffs above which a dearer rate holds for *all* tokens of the call."""

    usd_per_mtok: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    """``(input_tokens, usd_per_mtok)``, ascending: the rate once the call's input is longer than that."""
    _nano: int = field(init=False, repr=False, compare=False)
    _nano_tiers: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_nano", to_nano_usd(self.usd_per_mtok))
        object.__setattr__(self, "_nano_tiers", tuple((start, to_nano_usd(rate)) for start, rate in self.tiers))

    def nano_usd_per_mtok(self, input_tokens: int) -> int:
        """Return the rate that holds for a call of that many input tokens."""
        rate = self._nano
        for start, dearer in self._nano_tiers:
            if input_tokens > start:
                rate = dearer
        return rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one model costs at one time."""

    input: Rate
    output: Rate | None
    """``None`` for a model that writes no tokens, such as an embedding model."""
    cache_read: Rate | None = None
    """``None``: no rate of its own, so such tokens cost what other input does."""
    cache_write: Rate | None = None
    reasoning: Rate | None = None
    """``None``: hidden reasoning costs what other output does."""
    request_nano_usd: int = 0
    """Charged once a call, whatever its length."""
    source: PriceSource
    origin: str
    """Where the figure can be checked, or how it was derived."""
    as_of: date
    """A configured price holds from this day; a list price was looked up for it."""


class Cost(msgspec.Struct, frozen=True):
    """What a call cost, or why that is unknown."""

    nano_usd: int | None
    """``None`` is unknown and never 0."""
    price: Price | None
    note: str = ""
    """Why the cost is unknown; empty when it is known."""
    _parts: tuple[int, int, int, int, int, int] | None = None

    @property
    def source(self) -> PriceSource | None:
        """Where the price comes from; ``None`` without one."""
        return self.price.source if self.price is not None else None

    @property
    def price_date(self) -> date | None:
        """The day the price is dated."""
        return self.price.as_of if self.price is not None else None

    @property
    def parts(self) -> Mapping[str, int]:
        """Nano-dollars by kind of token; they add up to ``nano_usd``. Empty when it is unknown."""
        return dict(zip(_PART_NAMES, self._parts, strict=True)) if self._parts is not None else {}


_PART_NAMES = ("input", "cache_read", "cache_write", "output", "reasoning", "request")


def cost_of(price: Price, usage: Usage) -> Cost:
    """Return what a call of that usage costs.

    ``cost = (I - R - W) p_in + R p_read + W p_write + (O - Z) p_out + Z p_reasoning + p_request``, where the
    cached parts ``R`` and ``W`` are inside the total ``I`` and the reasoning ``Z`` is inside ``O``, each at the
    rate of the tier that ``I`` falls in. A part that was not reported is billed with its total. Each part is
    rounded to a whole nano-dollar, so the parts add up to the total exactly.

    Source:
        Semantics of input and output totals: OpenTelemetry GenAI conventions, ``gen_ai.usage.*``. Whole-request
        tiers: the providers' price pages, for example Gemini 2.5 Pro above 200,000 input tokens.
    """
    total_in, total_out = usage.input_tokens, usage.output_tokens
    if total_in is None:
        return Cost(None, price, "the number of input tokens is unknown")
    if total_out is None:
        if price.output is not None:
            return Cost(None, price, "the number of output tokens is unknown")
        total_out = 0
    elif total_out and price.output is None:
        return Cost(None, price, "the price has no rate for output tokens")
    read, write, thought = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0, usage.reasoning_tokens or 0
    if min(total_in, total_out, read, write, thought) < 0 or read + write > total_in or thought > total_out:
        return Cost(None, price, "the token counts contradict each other")
    output = price.output or _FREE
    parts = (
        _part(price.input, total_in - read - write, total_in),
        _part(price.cache_read or price.input, read, total_in),
        _part(price.cache_write or price.input, write, total_in),
        _part(output, total_out - thought, total_in),
        _part(price.reasoning or output, thought, total_in),
        price.request_nano_usd,
    )
    return Cost(sum(parts), price, "", parts)


_FREE = Rate(Decimal(0))


def _part(rate: Rate, tokens: int, input_tokens: int) -> int:
    """Return whole nano-dollars, rounded half to even."""
    if not tokens:
        return 0
    whole, rest = divmod(tokens * rate.nano_usd_per_mtok(input_tokens), TOKENS_PER_MTOK)
    half = TOKENS_PER_MTOK // 2
    return whole + (rest > half or (rest == half and whole % 2 == 1))
