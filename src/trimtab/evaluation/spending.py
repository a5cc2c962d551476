"""What cases cost in the runs that are compared: what more of them will cost, and how the bills relate."""

import math
from collections.abc import Sequence

import msgspec

from trimtab.evaluation.pairing import CasePair, Side
from trimtab.stats.ratios import ratio_of_means


class CostPerCase(msgspec.Struct, frozen=True, kw_only=True):
    """Measured cost of one more case, nano-dollars; ``None`` where a price is unknown, which is not 0."""

    baseline_nano_usd: float | None
    """Of the baseline's answers, all samples."""
    candidate_nano_usd: float | None
    grading_nano_usd: float | None
    """Of grading both; 0 when grading asked nobody."""

    @property
    def total_nano_usd(self) -> float | None:
        """All three together."""
        parts = [self.baseline_nano_usd, self.candidate_nano_usd, self.grading_nano_usd]
        known = [part for part in parts if part is not None]
        return math.fsum(known) if len(known) == len(parts) else None

    def of(self, n_cases: int) -> int | None:
        """Return what so many cases cost, in nano-dollars."""
        each = self.total_nano_usd
        return None if each is None else round(each * n_cases)


class Comparative(msgspec.Struct, frozen=True, kw_only=True):
    """How many times as much the candidate takes, by totals over the same cases; below 1 it takes less."""

    ratio: float
    lower: float
    upper: float
    n_pairs: int
    """Cases on which both amounts are known."""


class Ratios(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate over baseline. ``None`` where amounts are unknown, or all 0."""

    cost: Comparative | None
    """At list or contract price, without grading."""
    energy: Comparative | None
    latency: Comparative | None


def cost_per_case(pairs: Sequence[CasePair]) -> CostPerCase:
    """Return what one case of these cost on average. Cases without an answer tell nothing about it."""
    baseline = [pair.baseline for pair in pairs]
    candidate = [pair.candidate for pair in pairs]
    gradings = [
        _mean([side.grading_cost_nano_usd for side in sides if _answered(side)]) for sides in (baseline, candidate)
    ]
    known = [grading for grading in gradings if grading is not None]
    return CostPerCase(
        baseline_nano_usd=_mean([side.cost_nano_usd for side in baseline if _answered(side)]),
        candidate_nano_usd=_mean([side.cost_nano_usd for side in candidate if _answered(side)]),
        grading_nano_usd=math.fsum(known) if len(known) == len(gradings) else None,
    )


def ratios(pairs: Sequence[CasePair], *, confidence: float) -> Ratios:
    """Relate what both took on the cases that both answered."""
    both = [pair for pair in pairs if _answered(pair.candidate) and _answered(pair.baseline)]
    return Ratios(
        cost=_related([(p.candidate.cost_nano_usd, p.baseline.cost_nano_usd) for p in both], confidence),
        energy=_related([(p.candidate.energy_wh, p.baseline.energy_wh) for p in both], confidence),
        latency=_related([(p.candidate.latency_ms, p.baseline.latency_ms) for p in both], confidence),
    )


def _related(amounts: Sequence[tuple[float | None, float | None]], confidence: float) -> Comparative | None:
    """Relate totals; a total that lacks a part is unknown, so one missing amount leaves no ratio."""
    known = [(ours, theirs) for ours, theirs in amounts if ours is not None and theirs is not None]
    if len(known) < max(len(amounts), 2):
        return None
    ours, theirs = [a for a, _ in known], [b for _, b in known]
    if not (sum(ours) > 0 and sum(theirs) > 0):
        return None
    found = ratio_of_means(ours, theirs, confidence=confidence)
    return Comparative(ratio=found.ratio, lower=found.lower, upper=found.upper, n_pairs=found.n_pairs)


def _answered(side: Side) -> bool:
    return side.n_failed < side.n_samples


def _mean(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(amounts) else None
