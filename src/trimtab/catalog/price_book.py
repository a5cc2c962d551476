"""The price book: configured prices over the public list, remembered so that pricing a call costs microseconds."""

from collections.abc import Mapping

from trimtab.catalog.cards import ModelCard
from trimtab.catalog.config import PriceConfig
from trimtab.catalog.list_prices import find_list_price
from trimtab.catalog.prices import Cost, Price, cost_of
from trimtab.catalog.probes import ProbeResult
from trimtab.core import Usage, to_datetime

PERIOD_US = 15 * 60 * 1_000_000
"""How long a looked-up price holds. Some list prices change by the time of day, on quarter hours."""

MEMO_SIZE = 65_536
"""Prices kept: two years of quarter hours for one model. The memo is emptied when full."""


class PriceBook:
    """Prices of the pool.

    Args:
        overlay: Configured prices by ``provider:model``. Before its ``valid_from`` day the list counts.
        probes: The newest of each model, for prices per hour that name no speed; without one such a model has no price.
    """

    def __init__(
        self, overlay: Mapping[str, PriceConfig] | None = None, probes: Mapping[str, ProbeResult] | None = None
    ) -> None:
        self._overlay = dict(overlay or {})
        self._probes = dict(probes or {})
        self._derived = {name: config.derived(self._probes.get(name)) for name, config in self._overlay.items()}
        self._memo: dict[tuple[str, str | None, int], Price | None] = {}

    def with_more(self, prices: Mapping[str, PriceConfig]) -> "PriceBook":
        """Return a book that also has these; where both have a price, this book's own counts."""
        return PriceBook({**prices, **self._overlay}, self._probes)

    def with_probes(self, probes: Mapping[str, ProbeResult]) -> "PriceBook":
        """Return this book by other measurements; itself where none of its prices rests on one."""
        if probes == self._probes or not any(config.needs_probe for config in self._overlay.values()):
            return self
        return PriceBook(self._overlay, probes)

    def price_of(self, card: ModelCard, at_us: int) -> Price | None:
        """Return the price in force at an instant, or ``None`` for a model without one.

        The first look-up of a model that has no configured price reads the list, which takes about 0.3 s.
        """
        key = (card.name, card.price_id, at_us // PERIOD_US)
        try:
            return self._memo[key]
        except KeyError:
            pass
        if len(self._memo) >= MEMO_SIZE:
            self._memo.clear()
        price = self._memo[key] = self._look_up(card, at_us)
        return price

    def cost(self, card: ModelCard, usage: Usage, at_us: int) -> Cost:
        """Return what a call cost. Unknown usage or an unknown price gives ``nano_usd=None``, never 0."""
        price = self.price_of(card, at_us)
        if price is None:
            until = f" until `trimtab models probe {card.name}` measured it" if self.waits_for_probe(card) else ""
            return Cost(None, None, f"{card.name} has no price{until}")
        return cost_of(price, usage)

    def waits_for_probe(self, card: ModelCard) -> bool:
        """Return whether the model has a price per hour and no speed to spread it over."""
        return card.name in self._derived and self._derived[card.name] is None

    def estimate(self, card: ModelCard, input_tokens: int, output_tokens: int, at_us: int) -> int | None:
        """Return nano-dollars for a call that has not happened, nothing of it cached; ``None`` when unpriced."""
        price = self.price_of(card, at_us)
        if price is None:
            return None
        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens if price.output is not None else 0)
        return cost_of(price, usage).nano_usd

    def _look_up(self, card: ModelCard, at_us: int) -> Price | None:
        derived = self._derived.get(card.name)
        if derived is not None and to_datetime(at_us).date() >= derived.as_of:
            return derived
        if self.waits_for_probe(card) and to_datetime(at_us).date() >= self._overlay[card.name].valid_from:
            return None  # the list's price would be another machine's
        if card.boundary == "inside" and card.price_id is None:
            return None  # a hosted list price says nothing about our own machine
        return find_list_price(card.provider, card.model, card.price_id, at_us)
