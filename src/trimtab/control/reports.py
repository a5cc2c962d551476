"""What a report says: sums over the journal by workload, model and day, and the pool with its prices.

Sums come from the roll-ups, which the store keeps in the transaction of the calls themselves; they are integers, so
they equal a sum over the calls to the last nano-dollar.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from trimtab.catalog import ALWAYS, ModelCard, PriceBook, ProbeResult
from trimtab.control.numbers import usd_text
from trimtab.core import US_PER_DAY, to_datetime
from trimtab.routing import Estimate
from trimtab.store import DayTotals, Totals

Quality = Callable[[str, str], Estimate | None]
"""Measured quality of ``(workload, "provider:model")``."""


UNPRICED = "unpriced"


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Calls and money."""

    n_calls: int
    n_unpriced: int
    """Calls that a model took and whose cost is not known; it is not in the sum."""
    cost_nano_usd: int | None
    """``None`` when there are calls and none of them has a price."""
    cost_usd: str | None
    """The same in dollars, with every digit."""


class ModelShare(msgspec.Struct, frozen=True, kw_only=True):
    """One model's part in a workload."""

    model: str
    """``none`` for calls that nobody was asked to answer: refused, or ended before."""
    n_calls: int
    share: float
    """Of the workload's calls."""
    cost_nano_usd: int | None
    cost_usd: str | None
    n_unpriced: int
    quality: Estimate | None
    """Measured here: graded calls and feedback, 95 % interval."""


class WorkloadSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One workload: volume, cost, and who answers."""

    workload: str
    n_calls: int
    n_unpriced: int
    cost_nano_usd: int | None
    cost_usd: str | None
    models: tuple[ModelShare, ...]
    """Most calls first."""


class DaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """One UTC day."""

    day: str
    """ISO date."""
    n_calls: int
    n_errors: int
    n_unpriced: int
    cost_nano_usd: int | None
    cost_usd: str | None
    input_tokens: int
    output_tokens: int


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the pool."""

    model: str
    """``provider:model``."""
    model_class: str
    boundary: str
    region: str | None
    is_approved: bool
    capabilities: tuple[str, ...]
    context_tokens: int | None
    input_usd_per_mtok: str | None
    """``None``: no price is known, so its calls count as unpriced."""
    output_usd_per_mtok: str | None
    price_source: str
    """Where the price can be checked, or ``unpriced``."""
    price_date: str | None
    """ISO date; ``None`` without a price, or without its date."""
    probe: ProbeResult | None = None
    """The newest; ``None`` where nobody measured it."""


NOBODY = "none"


def sums_of(totals: Iterable[Totals]) -> Sums:
    """Return the sum over all cells."""
    n_calls, n_unpriced, cost = _added(totals)
    return Sums(n_calls=n_calls, n_unpriced=n_unpriced, cost_nano_usd=cost, cost_usd=usd_text(cost))


def workloads_of(totals: Iterable[Totals], quality: Quality) -> list[WorkloadSummary]:
    """Return the workloads, most calls first."""
    by_workload: dict[str, list[Totals]] = {}
    for cell in totals:
        by_workload.setdefault(cell.workload, []).append(cell)
    summaries = [_workload(name, cells, quality) for name, cells in by_workload.items()]
    return sorted(summaries, key=lambda row: (-row.n_calls, row.workload))


def days_of(days: Iterable[DayTotals], nobody: Iterable[DayTotals]) -> list[DaySummary]:
    """Return the days, newest first.

    Args:
        days: All calls.
        nobody: Those among them that no model was asked to answer, which have no price to know.
    """
    without = {row.day: row.n_unpriced for row in nobody}
    return [_day(row, without.get(row.day, 0)) for row in sorted(days, key=lambda row: -row.day)]


def models_of(
    cards: Iterable[ModelCard], prices: PriceBook, probes: Mapping[str, ProbeResult], at_us: int
) -> list[ModelRow]:
    """Return the pool with the prices of the moment and what was measured."""
    return [_model(card, prices, probes.get(card.name), at_us) for card in cards]


def priced_by(model: ModelRow) -> str:
    """Return where a model's price comes from with its date, which a price is never shown without."""
    if model.price_source == UNPRICED:
        return UNPRICED
    return f"{model.price_source}, {model.price_date or 'undated'}"


def _added(totals: Iterable[Totals]) -> tuple[int, int, int | None]:
    n_calls = n_unpriced = n_priced = cost = 0
    for cell in totals:
        n_calls += cell.n_calls
        cost += cell.cost_nano_usd
        n_priced += cell.n_calls - cell.n_unpriced
        if cell.model is not None:  # what nobody was asked has no price to know
            n_unpriced += cell.n_unpriced
    return n_calls, n_unpriced, None if n_unpriced and not n_priced else cost


def _workload(name: str, cells: list[Totals], quality: Quality) -> WorkloadSummary:
    n_calls, n_unpriced, cost = _added(cells)
    shares = [_share(cell, n_calls, quality) for cell in cells]
    return WorkloadSummary(
        workload=name,
        n_calls=n_calls,
        n_unpriced=n_unpriced,
        cost_nano_usd=cost,
        cost_usd=usd_text(cost),
        models=tuple(sorted(shares, key=lambda row: (-row.n_calls, row.model))),
    )


def _share(cell: Totals, n_of_workload: int, quality: Quality) -> ModelShare:
    _, n_unpriced, cost = _added([cell])
    return ModelShare(
        model=cell.model or NOBODY,
        n_calls=cell.n_calls,
        share=cell.n_calls / n_of_workload if n_of_workload else 0.0,
        cost_nano_usd=cost,
        cost_usd=usd_text(cost),
        n_unpriced=n_unpriced,
        quality=None if cell.model is None else quality(cell.workload, cell.model),
    )


def _day(row: DayTotals, n_nobody: int) -> DaySummary:
    n_unpriced = row.n_unpriced - n_nobody
    cost = None if n_unpriced and row.n_unpriced == row.n_calls else row.cost_nano_usd
    return DaySummary(
        day=to_datetime(row.day * US_PER_DAY).date().isoformat(),
        n_calls=row.n_calls,
        n_errors=row.n_errors,
        n_unpriced=n_unpriced,
        cost_nano_usd=cost,
        cost_usd=usd_text(cost),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
    )


def _model(card: ModelCard, prices: PriceBook, probe: ProbeResult | None, at_us: int) -> ModelRow:
    price = prices.price_of(card, at_us)
    return ModelRow(
        model=card.name,
        model_class=card.model_class,
        boundary=card.boundary,
        region=card.region,
        is_approved=card.is_approved,
        capabilities=tuple(sorted(card.capabilities)),
        context_tokens=card.context_tokens,
        input_usd_per_mtok=None if price is None else f"{price.input.usd_per_mtok:f}",
        output_usd_per_mtok=None if price is None or price.output is None else f"{price.output.usd_per_mtok:f}",
        price_source=UNPRICED if price is None else f"{price.source.value}: {price.origin}",
        price_date=None if price is None or price.as_of == ALWAYS else price.as_of.isoformat(),
        probe=probe,
    )
