"""What a policy needs that is not there yet: models to serve, and what they cost by the month."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.catalog import ModelCard, Pool
from trimtab.core.errors import ConfigurationError

HOURS_PER_MONTH = 730
"""365 days of 24 hours, over twelve."""
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfrastructureLine:
    """One model that would get calls it does not get now, and what serving it takes."""

    model: str
    is_new: bool
    """Whether an endpoint has to be added; otherwise one that is configured is used as it is."""
    n_calls: int
    """Recorded calls that would come to it."""
    usd_per_month: str | None
    """Fixed cost that is added, whatever it is used; ``0`` for a configured one, ``None`` where nobody said."""


def with_planned(pool: Pool, planned: Mapping[str, Decimal | None]) -> Pool:
    """Return the pool as if the planned models were in it already, inside the boundary as machines of one's own are.

    Args:
        pool: The configured models.
        planned: Dollars per hour by ``provider:model``; ``None`` where nobody knows.

    Raises:
        ConfigurationError: one is configured already, or is not written ``provider:model``.
    """
    cards = []
    for name in planned:
        provider, _, model = name.partition(":")
        if not provider or not model:
            raise ConfigurationError(f"{name!r} is no model.", hint="Write it as provider:model.")
        if name in pool.cards:
            raise ConfigurationError(f"{name!r} is in the pool already.", hint="Leave it out: it needs nothing new.")
        cards.append(ModelCard(provider=provider, model=model, boundary="inside"))
    return Pool.of([*pool, *cards], pool.aliases)


def infrastructure_of(
    gains: Iterable[tuple[str, int]], planned: Mapping[str, Decimal | None]
) -> tuple[InfrastructureLine, ...]:
    """Return a line for each model that gains calls, and for each planned one.

    Args:
        gains: Models with the recorded calls that would come to them.
        planned: As for :func:`with_planned`.
    """
    n_calls = dict.fromkeys(planned, 0)
    for model, n in gains:
        n_calls[model] = n_calls.get(model, 0) + n
    return tuple(_line(model, n, planned) for model, n in n_calls.items())


def _line(model: str, n_calls: int, planned: Mapping[str, Decimal | None]) -> InfrastructureLine:
    if model not in planned:
        return InfrastructureLine(model=model, is_new=False, n_calls=n_calls, usd_per_month="0")
    hourly = planned[model]
    monthly = None if hourly is None else str((hourly * HOURS_PER_MONTH).quantize(_CENT))
    return InfrastructureLine(model=model, is_new=True, n_calls=n_calls, usd_per_month=monthly)
