"""The public price list: the data inside the installed ``genai-prices`` package, never fetched from a network."""

from datetime import date
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from trimtab.catalog.prices import Price, PriceSource, Rate
from trimtab.core import to_datetime, to_nano_usd

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices


def find_list_price(provider: str, model: str, price_id: str | None, at_us: int) -> Price | None:
    """Return the list price in force at an instant, or ``None`` where the list has none.

    Args:
        provider: The configured provider's name; it counts only when the list has a provider of exactly that name,
            so that a local server never gets a hosted model's price by resemblance.
        model: The provider's own name of the model.
        price_id: Looked up instead where given: ``provider:model`` of the list, or a model name alone, which is
            then matched to the provider that the list knows it from.
        at_us: Prices change with time, some by the hour.
    """
    found = _find(provider, model, price_id)
    if found is None:
        return None
    owner, listed = found
    at = to_datetime(at_us)
    return _as_price(f"{owner.id}:{listed.id}", listed.get_prices(at), at.date())


@cache
def _find(provider: str, model: str, price_id: str | None) -> "tuple[Provider, ModelInfo] | None":
    if price_id is None:
        return _look_up(provider, model)
    owner, _, name = price_id.partition(":")
    return (_look_up(owner, name) if name else _look_up(provider, price_id)) or _look_up(None, price_id)


def _look_up(provider: str | None, model: str) -> "tuple[Provider, ModelInfo] | None":
    # Importing the list takes about 0.3 s and 32 MB, so only a pool that needs it pays.
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    if provider is not None and provider.lower() not in {known.id for known in snapshot.providers}:
        return None
    try:
        return snapshot.find_provider_model(model, None, provider.lower() if provider else None, None)
    except LookupError:
        return None


def _as_price(name: str, listed: "ModelPrice", as_of: date) -> Price | None:
    """Translate; ``None`` when the model is not priced by tokens."""
    if listed.input_mtok is None:
        return None
    request = listed.requests_kcount
    return Price(
        input=_rate(listed.input_mtok),
        output=_optional(listed.output_mtok),
        cache_read=_optional(listed.cache_read_mtok),
        cache_write=_optional(listed.cache_write_mtok),
        reasoning=_optional(listed.output_reasoning_mtok),
        request_nano_usd=to_nano_usd(request / 1000) if isinstance(request, Decimal) else 0,
        source=PriceSource.LIST,
        origin=f"genai-prices {_version()}, {name}",
        as_of=as_of,
    )


def _optional(listed: "Decimal | TieredPrices | None") -> Rate | None:
    return None if listed is None else _rate(listed)


def _rate(listed: "Decimal | TieredPrices") -> Rate:
    if isinstance(listed, Decimal):
        return Rate(listed)
    return Rate(listed.base, tuple((tier.start, tier.price) for tier in listed.tiers))


@cache
def _version() -> str:
    return version("genai-prices")
