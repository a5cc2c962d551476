"""What routing knows of one model at the moment of choice."""

from trimtab.catalog import TOKENS_PER_MTOK, ModelCard, PriceBook
from trimtab.policy import Facts
from trimtab.routing.decision import CandidateFacts, Estimate

EXPECTED_OUTPUT_TOKENS = 1024
"""Assumed length of an answer that nobody bounds. It lies above the published means of mixed traffic (400, OpenRouter
2025) and of conversation (717, ML.ENERGY v3), so that an estimate errs to the dear side. A caller's or policy's bound
replaces it."""


def candidate_facts(
    card: ModelCard,
    facts: Facts,
    prices: PriceBook,
    *,
    at_us: int,
    quality: Estimate | None = None,
    ttft_p95_ms: float | None = None,
    total_p95_ms: float | None = None,
    output_tokens_per_s: float | None = None,
    n_latency: int = 0,
    probe_day: str | None = None,
    is_available: bool = True,
    max_output_tokens: int | None = None,
    max_choices: int | None = None,
) -> CandidateFacts:
    """Gather a model's card, price and measurements for one call.

    Args:
        card: The model.
        facts: The call; its token counts are upper estimates.
        prices: Price book of the pool.
        at_us: The instant that dates the price, Unix microseconds.
        quality: Measured on the call's workload; ``None`` where nothing was graded.
        ttft_p95_ms: Measured; ``None`` where nothing was.
        total_p95_ms: Likewise.
        output_tokens_per_s: Likewise.
        n_latency: Calls behind those three.
        probe_day: ISO date of the probe that made those calls; ``None``: they were callers'.
        is_available: False while a call to it would not be tried.
        max_output_tokens: The policy's clamp, when it has one.
        max_choices: Likewise for the number of answers to one prompt.
    """
    output_tokens = expected_output_tokens(card, facts, max_output_tokens, max_choices)
    energy = card.energy_wh_per_mtok
    return CandidateFacts(
        model=card.name,
        cost_nano_usd=prices.estimate(card, facts.input_tokens, output_tokens, at_us),
        quality=quality,
        ttft_p95_ms=ttft_p95_ms,
        total_p95_ms=total_p95_ms,
        output_tokens_per_s=output_tokens_per_s,
        n_latency=n_latency,
        probe_day=probe_day,
        energy_wh=None if energy is None else energy * output_tokens / TOKENS_PER_MTOK,
        is_available=is_available,
        capability_rank=card.capability_rank,
        context_tokens=card.context_tokens,
    )


def expected_output_tokens(
    card: ModelCard, facts: Facts, max_output_tokens: int | None = None, max_choices: int | None = None
) -> int:
    """Return the output tokens to reserve for: ``n x max_tokens`` where there is a bound on one answer."""
    if facts.api == "embeddings":
        return 0
    bounds = [limit for limit in (facts.max_output_tokens, max_output_tokens) if limit is not None]
    answer = min(bounds) if bounds else EXPECTED_OUTPUT_TOKENS
    if card.max_output_tokens is not None:
        answer = min(answer, card.max_output_tokens)
    n_choices = facts.n_choices if max_choices is None else min(facts.n_choices, max_choices)
    return answer * max(n_choices, 1)
