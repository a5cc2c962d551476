"""How far a small model is from the frontier on one kind of work."""

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.comparing import compare_runs
from trimtab.evaluation.paired_result import PairedResult
from trimtab.evaluation.running import Run


class FrontierGap(msgspec.Struct, frozen=True, kw_only=True):
    """Quality that a small model lacks on one stratum, on the same cases. ``str`` makes a line for people of it."""

    small: str
    frontier: str
    stratum: str
    suite_digest: str
    confidence: float
    """Two-sided coverage of the bounds."""
    result: PairedResult
    """The comparison, small model less frontier model."""

    @property
    def gap(self) -> float:
        """Frontier's mean score less the small model's, a fraction from -1 to 1; below 0 the small model is ahead."""
        return -self.result.difference

    @property
    def lower(self) -> float:
        """Lower bound of the gap; above 0 the frontier model is better."""
        return -self.result.upper

    @property
    def upper(self) -> float:
        """Upper bound of the gap."""
        return -self.result.lower

    def __str__(self) -> str:
        line = (
            f"Gap to frontier on {self.stratum}: {self.gap:+.3f} [{self.lower:+.3f}, {self.upper:+.3f}]; "
            f"{self.small} {self.result.candidate_mean:.3f} vs {self.frontier} {self.result.baseline_mean:.3f}, "
            f"n = {self.result.n_pairs:,}, {self.confidence:.0%} confidence"
        )
        if self.result.n_candidate_failed or self.result.n_baseline_failed:
            line += f"; unanswered: {self.result.n_candidate_failed} vs {self.result.n_baseline_failed}"
        return line


def gap_to_frontier(
    small_run: Run, frontier_run: Run, *, stratum: str = "routine", confidence: float = 0.95
) -> FrontierGap:
    """Measure what a small model lacks on one stratum.

    Nothing but the two runs goes into it: neither model's number of parameters, price or class is read.

    Args:
        small_run: The small model's run.
        frontier_run: The frontier model's run of the same suite.
        stratum: The kind of work.
        confidence: Two-sided coverage of the bounds, above 0 and below 1.

    Raises:
        ConfigurationError: the runs cannot be paired, or the suite has no case of the stratum.
        ValueError: ``confidence`` is impossible.

    Source:
        As ``compare_runs``.
    """
    comparison = compare_runs(frontier_run, small_run, alpha=(1 - confidence) / 2)
    found = {str(result.stratum): result for result in comparison.strata}
    if stratum not in found:
        raise ConfigurationError(
            f"Suite {small_run.suite_name!r} has no case of stratum {stratum!r}.", hint=f"It has: {', '.join(found)}."
        )
    return FrontierGap(
        small=small_run.model,
        frontier=frontier_run.model,
        stratum=stratum,
        suite_digest=small_run.suite_digest,
        confidence=confidence,
        result=found[stratum],
    )
