"""From timings to figures."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trimtab.catalog import ProbeLevel
from trimtab.serving.probing.asking import Timed

SATURATED_SHARE = 0.95
"""A level this near to the best total counts as saturated: run-to-run noise of a shared machine is a few per cent."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Calls that were begun together."""

    answered: tuple[Timed, ...]
    n_failed: int = 0


def level_of(concurrency: int, passes: Sequence[Pass]) -> ProbeLevel:
    """Return the figures of one concurrency."""
    calls = [call for one in passes for call in one.answered]
    ttft_ms = [ttft_s * 1000 for call in calls if (ttft_s := _ttft_s(call)) is not None]
    return ProbeLevel(
        concurrency=concurrency,
        n_calls=len(calls),
        n_failed=sum(one.n_failed for one in passes),
        n_passes=len(passes),
        ttft_p50_ms=median(ttft_ms),
        ttft_p95_ms=nearest_rank(ttft_ms, 0.95),
        call_output_tokens_per_s=median(map(decode_speed, calls)),
        output_tokens_per_s=median(map(total_speed, passes)),
    )


def decode_speed(call: Timed) -> float | None:
    """Return output tokens per second once the first one was there: ``(n - 1) / (t_last - t_first)``.

    The first token ends the prefill and is left out. ``None`` where there was one token or all came at once.
    """
    if call.first_s is None or call.last_s is None or call.last_s <= call.first_s or call.output_tokens < 2:
        return None
    return (call.output_tokens - 1) / (call.last_s - call.first_s)


def prefill_speed(call: Timed) -> float | None:
    """Return input tokens per second until the first token; ``None`` where either is unknown."""
    ttft_s = _ttft_s(call)
    if not ttft_s or call.input_tokens is None:
        return None
    return call.input_tokens / ttft_s


def total_speed(calls: Pass) -> float | None:
    """Return the output tokens of all calls by the time from the first one sent to the last one ended."""
    if not calls.answered:
        return None
    elapsed_s = max(call.ended_s for call in calls.answered) - min(call.sent_s for call in calls.answered)
    n_tokens = sum(call.output_tokens for call in calls.answered)
    return n_tokens / elapsed_s if n_tokens and elapsed_s > 0 else None


def saturating(levels: Iterable[ProbeLevel]) -> int | None:
    """Return the least concurrency with 95 % of the best total.

    ``None`` where that is the highest one tried: with more calls the total might have grown on.
    """
    totals = {level.concurrency: level.output_tokens_per_s for level in levels if level.output_tokens_per_s is not None}
    if not totals:
        return None
    enough = SATURATED_SHARE * max(totals.values())
    least = min(concurrency for concurrency, total in totals.items() if total >= enough)
    return None if least == max(totals) else least


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of what is known; ``None`` when nothing is."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def nearest_rank(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value with at least ``share`` of the sample at or below it; ``None`` of nothing."""
    ordered = sorted(values)
    return ordered[max(-int(-len(ordered) * share // 1), 1) - 1] if ordered else None


def _ttft_s(call: Timed) -> float | None:
    return None if call.first_s is None else call.first_s - call.sent_s
