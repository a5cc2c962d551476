"""How good each model is on each kind of work: a mean with its interval and n, never without."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import msgspec

from trimtab.evaluation.pairing import Side, sides_of
from trimtab.evaluation.running import CaseResult, Run
from trimtab.stats import MeanInterval, mean_interval_from_sums, student_t_quantile


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one group of cases. A case without an answer, or with one that nobody could grade, counts as 0."""

    model: str
    group: str | None
    """Stratum or task type; ``None`` for all cases of the suite."""
    mean: float
    """Mean score, a fraction; where answers are right or wrong, the share of right ones."""
    lower: float
    """Bounds with 95 % confidence: Wilson's for rates, Student's t for degrees and for clusters."""
    upper: float
    n_cases: int
    n_failed: int
    """Answers that were not given."""
    n_ungraded: int
    """Answers that the scorer could not grade."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One model's run in figures."""

    model: str
    overall: Quality
    strata: tuple[Quality, ...]
    task_types: tuple[Quality, ...]
    cost_nano_usd: float | None
    """Of one case on average, all its samples, without grading; ``None`` when the price of an answer is unknown."""
    energy_wh: float | None
    """Of one case on average; ``None`` when that of an answer is unknown."""
    latency_p50_ms: float | None
    """Median over answers; ``None`` when none was timed."""
    latency_p95_ms: float | None
    n_timed: int


def profile_of(run: Run) -> Profile:
    """Return a run's quality by stratum and task type, with what its answers took.

    Raises:
        ConfigurationError: a sample is there twice, or a score is impossible.
    """
    sides = sides_of(run)
    cases = {result.case_id: result for result in reversed(run.results)}
    answered = [side for side in sides.values() if side.n_failed < side.n_samples]
    times = sorted(r.answer.latency_ms for r in run.results if r.answer and r.answer.latency_ms is not None)
    return Profile(
        model=run.model,
        overall=_quality(run.model, None, [(cases[name], side) for name, side in sides.items()]),
        strata=_qualities(run, sides, cases, lambda case: case.stratum),
        task_types=_qualities(run, sides, cases, lambda case: case.task_type),
        cost_nano_usd=_mean([side.cost_nano_usd for side in answered]),
        energy_wh=_mean([side.energy_wh for side in answered]),
        latency_p50_ms=_percentile(times, 0.50),
        latency_p95_ms=_percentile(times, 0.95),
        n_timed=len(times),
    )


def _qualities(
    run: Run, sides: Mapping[str, Side], cases: Mapping[str, CaseResult], name_of: Callable[[CaseResult], str]
) -> tuple[Quality, ...]:
    ordered = sorted(sides, key=lambda case_id: name_of(cases[case_id]))
    return tuple(
        _quality(run.model, name, [(cases[case_id], sides[case_id]) for case_id in group])
        for name, group in groupby(ordered, key=lambda case_id: name_of(cases[case_id]))
    )


def _quality(model: str, group: str | None, members: Sequence[tuple[CaseResult, Side]]) -> Quality:
    found = _interval([(case.cluster or f"case {case.case_id}", side.score) for case, side in members])
    return Quality(
        model=model,
        group=group,
        mean=found.mean,
        lower=found.lower,
        upper=found.upper,
        n_cases=len(members),
        n_failed=sum(side.n_failed for _, side in members),
        n_ungraded=sum(side.n_ungraded for _, side in members),
    )


def _interval(scores: Sequence[tuple[str, float]]) -> MeanInterval:
    """Bound the mean; where cases share a cluster by whole clusters (Liang and Zeger, as ``trimtab.stats``)."""
    n, total = len(scores), math.fsum(score for _, score in scores)
    clusters: dict[str, float] = {}
    for cluster, score in scores:
        clusters[cluster] = clusters.get(cluster, 0.0) + score - total / n
    if len(clusters) == n:
        return mean_interval_from_sums(n, total, math.fsum(score * score for _, score in scores))
    g = len(clusters)
    if g < 2:
        return MeanInterval(total / n, 0.0, 1.0)
    error = math.sqrt(g / (g - 1) * math.fsum(residual**2 for residual in clusters.values())) / n
    half = student_t_quantile(0.975, g - 1) * error
    return MeanInterval(total / n, max(total / n - half, 0.0), min(total / n + half, 1.0))


def _mean(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(amounts) else None


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that the share of values does not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None
