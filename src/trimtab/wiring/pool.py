"""What may serve: cards, prices and upstreams, from the settings."""

from collections.abc import Mapping
from dataclasses import replace

from trimtab.catalog import ModelCard, Pool, PriceBook, ProbeResult
from trimtab.core import Clock
from trimtab.gateway import Provider
from trimtab.providers import build_provider
from trimtab.serving import EngineConfig, facts_of
from trimtab.wiring.engine_board import EngineBoard
from trimtab.wiring.engines import engine_providers
from trimtab.wiring.settings import Settings


def pool_of(settings: Settings) -> Pool:
    """Return the configured models; what a model file says of itself stands in for what nobody configured.

    Raises:
        ConfigurationError: a model is listed twice, or an alias leads nowhere.
    """
    engines = {engine.name: engine for engine in settings.engines}
    cards = (_completed(model.card(), engines.get(model.provider)) for model in settings.models)
    return Pool.of(cards, settings.aliases)


def _completed(card: ModelCard, engine: EngineConfig | None) -> ModelCard:
    facts = None if engine is None else facts_of(engine)
    if facts is None:
        return card
    return replace(
        card,
        parameters_b=facts.n_parameters / 1e9 if card.parameters_b is None else card.parameters_b,
        precision=facts.precision if card.precision is None else card.precision,
        context_tokens=facts.context_tokens if card.context_tokens is None else card.context_tokens,
    )


def price_book_of(settings: Settings, probes: Mapping[str, ProbeResult] | None = None) -> PriceBook:
    """Return the price list under the configured contract prices.

    Args:
        settings: Say what each model costs.
        probes: The newest of each model: how fast a machine is that is paid by the hour.
    """
    return PriceBook({model.name: model.price for model in settings.models if model.price is not None}, probes)


def build_providers(settings: Settings, board: EngineBoard, clock: Clock) -> dict[str, Provider]:
    """Return the configured upstreams and engines by name.

    Raises:
        ConfigurationError: a file of recorded outcomes cannot be used, or nobody runs an engine.
    """
    upstreams = {config.name: build_provider(config, clock=clock) for config in settings.providers}
    return {**upstreams, **engine_providers(settings, board, clock)}
