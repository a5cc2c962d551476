"""What the demo's calls add up to: the money twice over, by answer and by record, and each workload's quality."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from trimtab.core import CallRecord, to_nano_usd
from trimtab.lab.traffic import Answer
from trimtab.routing import Estimate
from trimtab.stats import mean_interval_from_sums


class MoneyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The same money, counted by the callers and by the journal."""

    n_calls: int
    n_streamed: int
    answers_nano_usd: int
    """Sum over the answers' cost headers; a stream's cost is looked up in the file that it was answered from."""
    journal_nano_usd: int
    """Sum over the journal's roll-ups."""

    @property
    def agrees(self) -> bool:
        """Whether both sums are equal, to the nano-dollar."""
        return self.answers_nano_usd == self.journal_nano_usd


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one workload, or of all."""

    workload: str
    n_calls: int
    cost_nano_usd: int
    quality: Estimate | None
    """Mean score of the answers, 95 % interval."""
    calls_by_model: Mapping[str, int]
    """Most calls first."""

    @property
    def cost_per_1000_nano_usd(self) -> int:
        """Cost of a thousand such calls."""
        return round(1000 * self.cost_nano_usd / self.n_calls) if self.n_calls else 0


class _Row(msgspec.Struct):
    prompt_id: str
    model: str
    cost_usd: Decimal


def recorded_costs(outcomes: Path, provider: str) -> dict[tuple[str, str], int]:
    """Return what each recorded answer costs in nano-dollars, by prompt id and ``provider:model``."""
    rows = (msgspec.json.decode(line, type=_Row) for line in outcomes.read_bytes().splitlines())
    return {(row.prompt_id, f"{provider}:{row.model}"): to_nano_usd(row.cost_usd) for row in rows}


def check_money(answers: Sequence[Answer], costs: Mapping[tuple[str, str], int], journal_nano_usd: int) -> MoneyCheck:
    """Compare what callers were told with what the journal holds.

    Args:
        answers: Every call that was sent.
        costs: Of :func:`recorded_costs`, for the streams.
        journal_nano_usd: The journal's total over the same calls.
    """
    told = (a.cost_nano_usd if a.cost_nano_usd is not None else costs[a.prompt_id, a.model] for a in answers)
    return MoneyCheck(
        n_calls=len(answers),
        n_streamed=sum(answer.is_stream for answer in answers),
        answers_nano_usd=sum(told),
        journal_nano_usd=journal_nano_usd,
    )


def parts_of(records: Iterable[CallRecord]) -> list[Part]:
    """Return the calls by workload, most calls first, and under ``all`` together as the last."""
    by_workload: dict[str, list[CallRecord]] = {}
    for record in records:
        by_workload.setdefault(record.workload, []).append(record)
    parts = [_part(name, calls) for name, calls in by_workload.items()]
    total = _part("all", [call for calls in by_workload.values() for call in calls])
    return [*sorted(parts, key=lambda part: (-part.n_calls, part.workload)), total]


def _part(name: str, calls: Sequence[CallRecord]) -> Part:
    return Part(
        workload=name,
        n_calls=len(calls),
        cost_nano_usd=sum(call.cost_nano_usd or 0 for call in calls),
        quality=_quality([call.quality_fraction for call in calls if call.quality_fraction is not None]),
        calls_by_model=dict(Counter(call.model or "none" for call in calls).most_common()),
    )


def _quality(scores: Sequence[float]) -> Estimate | None:
    if not scores:
        return None
    interval = mean_interval_from_sums(len(scores), sum(scores), sum(score**2 for score in scores))
    return Estimate(mean=interval.mean, lower=interval.lower, upper=interval.upper, n_samples=len(scores))
