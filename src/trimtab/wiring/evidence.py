"""What the journal has measured, as the router asks for it: quality by workload and model, speed by model."""

from collections.abc import Mapping

from trimtab.gateway import MEASURED_CALLS, Measurements, Speed
from trimtab.routing import Estimate
from trimtab.stats import mean_interval_from_sums
from trimtab.store import CallReader


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
    samples = reader.latency_samples(MEASURED_CALLS)
    measured = Measurements.of(samples)
    return {model: measured.speed(model) for model in samples}
