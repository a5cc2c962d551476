"""What is known of each model: its card, its price and where that price comes from."""

from trimtab.catalog.cards import Boundary, Capability, ModelCard, ModelClass, Pool
from trimtab.catalog.config import ModelConfig, PriceConfig
from trimtab.catalog.price_book import PriceBook
from trimtab.catalog.prices import Cost, Price, PriceSource, Rate

__all__ = [
    "Boundary",
    "Capability",
    "Cost",
    "ModelCard",
    "ModelClass",
    "ModelConfig",
    "Pool",
    "Price",
    "PriceBook",
    "PriceConfig",
    "PriceSource",
    "Rate",
]
