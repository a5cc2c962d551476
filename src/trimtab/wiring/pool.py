"""What may serve: cards, prices and upstreams, from the settings."""

from trimtab.catalog import Pool, PriceBook
from trimtab.core import Clock
from trimtab.gateway import Provider
from trimtab.providers import build_provider
from trimtab.wiring.engine_board import EngineBoard
from trimtab.wiring.engines import engine_providers
from trimtab.wiring.settings import Settings


def pool_of(settings: Settings) -> Pool:
    """Return the configured models.

    Raises:
        ConfigurationError: a model is listed twice, or an alias leads nowhere.
    """
    return Pool.of((model.card() for model in settings.models), settings.aliases)


def price_book_of(settings: Settings) -> PriceBook:
    """Return the price list under the configured contract prices."""
    return PriceBook({model.name: model.price for model in settings.models if model.price is not None})


def build_providers(settings: Settings, board: EngineBoard, clock: Clock) -> dict[str, Provider]:
    """Return the configured upstreams and engines by name.

    Raises:
        ConfigurationError: a file of recorded outcomes cannot be used, or nobody runs an engine.
    """
    upstreams = {config.name: build_provider(config, clock=clock) for config in settings.providers}
    return {**upstreams, **engine_providers(settings, board, clock)}
