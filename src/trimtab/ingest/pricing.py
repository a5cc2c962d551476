"""Prices for logs that carry tokens and no money."""

from collections.abc import Iterable, Iterator

import msgspec

from trimtab.catalog import ModelCard, PriceBook
from trimtab.core import GATEWAY, CallStatus, CostSource, JournalEntry
from trimtab.ingest.rows import Row

_NOT_AT_LIST_PRICE = frozenset({"import:openai-batch", "import:outcomes", GATEWAY})
"""A batch is sold below the list, an outcome without a cost cost nothing knowable, a gateway call was priced then."""


def price_rows(rows: Iterable[Row], book: PriceBook) -> Iterator[Row]:
    """Yield the rows, those calls priced that have tokens, a known model and no cost of their own.

    The price is the one in force when the call was made; an undated call stays unpriced.
    """
    for row in rows:
        yield _priced(row, book) if isinstance(row, JournalEntry) else row


def _priced(entry: JournalEntry, book: PriceBook) -> JournalEntry:
    call = entry.call
    if (
        call.cost_nano_usd is not None
        or call.model is None
        or call.started_at_us == 0
        or call.status != CallStatus.OK
        or call.source in _NOT_AT_LIST_PRICE
        or not call.usage.is_known
    ):
        return entry
    provider, _, model = call.model.partition(":")
    cost = book.cost(ModelCard(provider=provider, model=model), call.usage, call.started_at_us).nano_usd
    if cost is None:
        return entry
    priced = msgspec.structs.replace(call, cost_nano_usd=cost, cost_source=CostSource.PRICED)
    return msgspec.structs.replace(entry, call=priced)
