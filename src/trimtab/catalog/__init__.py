"""What is known of each model: its card, its price and where that price comes from."""

from trimtab.catalog.cards import Boundary, Capability, ModelCard, ModelClass, Pool
from trimtab.catalog.config import ALWAYS, ModelConfig, PriceConfig
from trimtab.catalog.price_book import PriceBook
from trimtab.catalog.prices import TOKENS_PER_MTOK, Cost, Price, PriceSource, Rate
from trimtab.catalog.probes import ProbedCapability, ProbedContext, ProbedPower, ProbeLevel, ProbeResult, read_probe

__all__ = [
    "ALWAYS",
    "TOKENS_PER_MTOK",
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
    "ProbeLevel",
    "ProbeResult",
    "ProbedCapability",
    "ProbedContext",
    "ProbedPower",
    "Rate",
    "read_probe",
]
