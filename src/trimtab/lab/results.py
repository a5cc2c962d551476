"""What the demo's calls add up to: the money twice over, each workload's quality, and both policies on equal terms."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trimtab.core import CallRecord
from trimtab.lab.grading import Graded
from trimtab.lab.traffic import Answer
from trimtab.routing import Estimate
from trimtab.stats import Moments, mean_interval, wilson_interval
from trimtab.stats.paired import PairedCounts, tango_interval


class MoneyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The same money, counted by the callers and by the journal."""

    n_calls: int
    """Answers."""
    n_streamed: int
    n_untold: int
    """Calls on record of which no caller got a whole answer; it was asked again."""
    answers_nano_usd: int
    """Sum over the answers' cost headers; a stream's cost is worked out from the tokens at its end."""
    untold_nano_usd: int
    """What the journal holds for those that nobody was told of."""
    journal_nano_usd: int
    """Sum over the journal's roll-ups."""

    @property
    def agrees(self) -> bool:
        """Whether both sums are equal, to the nano-dollar."""
        return self.answers_nano_usd + self.untold_nano_usd == self.journal_nano_usd


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one workload, or of all."""

    workload: str
    n_calls: int
    cost_nano_usd: int
    quality: Estimate | None
    """Share of right answers, with Wilson's 95 % interval."""
    calls_by_model: Mapping[str, int]
    """Most calls first."""

    @property
    def cost_per_1000_nano_usd(self) -> int:
        """Cost of a thousand such calls."""
        return round(1000 * self.cost_nano_usd / self.n_calls) if self.n_calls else 0


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The same prompts under two policies: cost and quality of what answered, beside the policy of today."""

    n_calls: int
    """Prompts with an answer under both."""
    n_moved: int
    """Of these, prompts that another model answers than today; on the others both policies are the same."""
    today_nano_usd: int
    cost_nano_usd: int
    saved_nano_usd: Estimate | None
    """On one call, 95 % interval."""
    quality_today: Estimate
    quality: Estimate
    quality_difference: Estimate
    """Less the quality of today, paired by prompt, Tango's 95 % interval."""


def check_money(
    answers: Sequence[Answer],
    costs: Iterable[int | None],
    records: Mapping[str, CallRecord],
    journal_nano_usd: int,
) -> MoneyCheck:
    """Compare what callers were told with what the journal holds.

    Args:
        answers: Every answer that a caller got.
        costs: What each cost, as far as its caller knows.
        records: Every call on record, by call id.
        journal_nano_usd: The journal's total over the same calls.
    """
    told = {answer.call_id for answer in answers}
    untold = [record for call_id, record in records.items() if call_id not in told]
    return MoneyCheck(
        n_calls=len(answers),
        n_streamed=sum(answer.is_stream for answer in answers),
        n_untold=len(untold),
        answers_nano_usd=sum(cost or 0 for cost in costs),
        untold_nano_usd=sum(record.cost_nano_usd or 0 for record in untold),
        journal_nano_usd=journal_nano_usd,
    )


def parts_of(graded: Iterable[Graded]) -> list[Part]:
    """Return the calls by workload, most calls first, and under ``all`` together as the last."""
    by_workload: dict[str, list[Graded]] = {}
    for each in graded:
        by_workload.setdefault(each.sent.work.name, []).append(each)
    parts = [_part(name, calls) for name, calls in by_workload.items()]
    total = _part("all", [call for calls in by_workload.values() for call in calls])
    return [*sorted(parts, key=lambda part: (-part.n_calls, part.workload)), total]


def compare_policies(today: Sequence[Graded], after: Sequence[Graded]) -> Compared:
    """Put two policies' answers to the same prompts beside each other.

    Args:
        today: What the policy of today answers, one a prompt.
        after: What the other one answers to the same prompts, in the same order.

    Raises:
        ValueError: there is no prompt, or a cost is unknown.
    """
    pairs = list(zip(today, after, strict=True))
    counts = PairedCounts.from_outcomes((new.is_right, old.is_right) for old, new in pairs)
    n = counts.n_pairs
    low, high = tango_interval(counts)
    saved = Moments()
    for old, new in pairs:
        saved.add(_cost(old) - _cost(new))
    return Compared(
        n_calls=n,
        n_moved=sum(old.model != new.model for old, new in pairs),
        today_nano_usd=sum(map(_cost, today)),
        cost_nano_usd=sum(map(_cost, after)),
        saved_nano_usd=_mean(saved),
        quality_today=_rate([old.is_right for old, _ in pairs]),
        quality=_rate([new.is_right for _, new in pairs]),
        quality_difference=Estimate(mean=counts.difference, lower=low, upper=high, n_samples=n),
    )


def _cost(graded: Graded) -> int:
    if graded.cost_nano_usd is None:
        raise ValueError(f"the cost of {graded.sent.prompt_id} on {graded.model} is unknown")
    return graded.cost_nano_usd


def _mean(sample: Moments) -> Estimate | None:
    interval = mean_interval(sample)
    if interval is None:
        return None
    return Estimate(mean=sample.mean, lower=interval.lower, upper=interval.upper, n_samples=sample.n_samples)


def _part(name: str, calls: Sequence[Graded]) -> Part:
    return Part(
        workload=name,
        n_calls=len(calls),
        cost_nano_usd=sum(call.cost_nano_usd or 0 for call in calls),
        quality=_rate([call.is_right for call in calls]) if calls else None,
        calls_by_model=dict(Counter(call.model for call in calls).most_common()),
    )


def _rate(outcomes: Sequence[bool]) -> Estimate:
    n, n_right = len(outcomes), sum(outcomes)
    lower, upper = wilson_interval(n_right, n)
    return Estimate(mean=n_right / n, lower=lower, upper=upper, n_samples=n)
