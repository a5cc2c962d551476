"""What the journal has measured, as the router asks for it: quality by workload and model, speed by model."""

from collections.abc import Mapping

from trimtab.gateway import Measurements, Speed
from trimtab.routing import Estimate
from trimtab.stats import mean_interval_from_sums
from trimtab.store import CallReader

SEED_SAMPLES = 512
"""Newest calls of each model that a starting worker measures speed by; as many as a running one keeps."""


class JournalEvidence:
    """Graded calls and feedback per workload and model, as they stood when this was loaded."""

    def __init__(self, estimates: Mapping[tuple[str, str], Estimate]) -> None:
        self._estimates = estimates

    def quality(self, workload: str, model: str) -> Estimate | None:
        """Return the estimate, or ``None`` where nothing was graded."""
        return self._estimates.get((workload, model))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JournalEvidence) and self._estimates == other._estimates

    __hash__ = None  # type: ignore[assignment]  # compared by content, never kept in a set


def load_evidence(reader: CallReader) -> JournalEvidence:
    """Read the sums kept beside the roll-ups; their number is workloads times models, not calls."""
    estimates = {}
    for row in reader.quality_sums():
        interval = mean_interval_from_sums(row.n, row.total, row.total_of_squares)
        estimates[row.workload, row.model] = Estimate(
            mean=interval.mean, lower=interval.lower, upper=interval.upper, n_samples=row.n
        )
    return JournalEvidence(estimates)


def load_speeds(reader: CallReader) -> dict[str, Speed]:
    """Return each model's speed over its newest recorded calls."""
    measured = Measurements()
    samples = reader.latency_samples(SEED_SAMPLES)
    for model, calls in samples.items():
        for total_ms, ttft_ms, output_tokens in calls:
            measured.observe(model, total_ms=total_ms, ttft_ms=ttft_ms, output_tokens=output_tokens)
    return {model: measured.speed(model) for model in samples}
