"""A pool made of the record: models that answered there and are configured nowhere, at what they cost on average."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from trimtab.catalog import TOKENS_PER_MTOK, ModelCard, Pool, PriceBook, PriceConfig
from trimtab.core import from_nano_usd
from trimtab.store import Totals

_STEP = Decimal("0.000001")


class RecordedPool(NamedTuple):
    """Who takes part in a simulation."""

    pool: Pool
    prices: PriceBook


def with_recorded_models(pool: Pool, prices: PriceBook, totals: Iterable[Totals]) -> RecordedPool:
    """Return the pool with a card for every recorded model that has none.

    A record has costs and tokens, no price list. Its models get one rate for input and output alike, total cost over
    total tokens: enough to tell dear from cheap, which is what a simulated choice needs. What a simulation reports as
    cost is read from the outcomes themselves wherever they have one.

    Args:
        pool: The configured models; they keep their cards and prices.
        prices: Their prices.
        totals: Sums of the chosen calls by workload and model.
    """
    sums = _by_model(totals, leaving_out=pool.cards)
    cards = (_card(name) for name in sorted(sums))
    rates = {name: rate for name, sum_ in sums.items() if (rate := _rate(*sum_)) is not None}
    return RecordedPool(Pool.of([*pool, *cards], pool.aliases), prices.with_more(rates))


def _by_model(totals: Iterable[Totals], *, leaving_out: Mapping[str, ModelCard]) -> dict[str, tuple[int, int]]:
    """Return cost and tokens by model, over the cells in which every call has a cost."""
    sums: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for cell in totals:
        if cell.model is None or cell.model in leaving_out:
            continue
        cost, tokens = sums[cell.model]
        if cell.n_unpriced == 0:
            cost, tokens = cost + cell.cost_nano_usd, tokens + cell.input_tokens + cell.output_tokens
        sums[cell.model] = (cost, tokens)
    return dict(sums)


def _rate(cost_nano_usd: int, tokens: int) -> PriceConfig | None:
    if not tokens:
        return None
    usd_per_mtok = (from_nano_usd(cost_nano_usd) * TOKENS_PER_MTOK / tokens).quantize(_STEP)
    return PriceConfig(
        source="average of the record", input_usd_per_mtok=usd_per_mtok, output_usd_per_mtok=usd_per_mtok
    )


def _card(name: str) -> ModelCard:
    if ":" not in name:
        return ModelCard(provider="recorded", model=name)
    provider, _, model = name.partition(":")
    return ModelCard(provider=provider or "recorded", model=model)
