"""What a finished try cost: reported tokens at the price of the day, or an estimate that says so."""

from trimtab.catalog import ModelCard
from trimtab.core import BYTES_PER_TOKEN, CostSource
from trimtab.core.stream_text import answer_text_bytes, stream_text_bytes
from trimtab.gateway.calls import Flow


def price(flow: Flow, card: ModelCard) -> None:
    """Set the call's cost. What a recorded outcome carries wins; unknown stays ``None``.

    A stream that the client left, or that was cut, has produced tokens that the provider bills and nobody reported;
    some servers never report any. They are counted from the text that passed, so that nobody can empty a cap unseen;
    the record says ``estimated``. What comes from a record is not estimated: no money is spent.
    """
    if flow.recorded.cost_nano_usd is not None:
        flow.cost_nano_usd, flow.cost_source = flow.recorded.cost_nano_usd, CostSource.RECORDED
        return
    prices = flow.choice.rulebook.prices
    flow.cost_nano_usd, flow.cost_source = prices.cost(card, flow.usage, flow.started_at_us).nano_usd, CostSource.PRICED
    if flow.cost_nano_usd is None and not flow.is_recorded and (n_tokens := _unreported_output(flow)):
        flow.cost_nano_usd = prices.estimate(card, flow.request.estimated_input_tokens, n_tokens, flow.started_at_us)
        flow.cost_source = CostSource.ESTIMATED
    if flow.cost_nano_usd is None:
        flow.cost_source = CostSource.UNPRICED


def price_unread(flow: Flow) -> None:
    """Set the cost of a call whose client left before a whole answer was there: what was reserved for it.

    The provider computes the answer to its end, or may have, and bills it.
    """
    if flow.model is None or flow.cost_nano_usd is not None or flow.n_stream_bytes or flow.is_recorded:
        return
    flow.cost_nano_usd = flow.choice.made.cost_of.get(flow.model)
    flow.cost_source = CostSource.UNPRICED if flow.cost_nano_usd is None else CostSource.ESTIMATED


def _unreported_output(flow: Flow) -> int:
    """Return the tokens in the text of an answer, 0 where there is none.

    Of a stream only the beginning is kept; the rest is counted like it.
    """
    kept = b"".join(flow.response)
    if not flow.n_stream_bytes:
        return -(-answer_text_bytes(flow.request.api, kept) // BYTES_PER_TOKEN)
    if not kept:
        return 1
    n_bytes = stream_text_bytes(flow.request.api, kept) * max(flow.n_stream_bytes, len(kept)) // len(kept)
    return max(1, n_bytes // BYTES_PER_TOKEN)
