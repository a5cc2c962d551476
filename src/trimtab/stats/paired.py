"""Two models graded pass or fail on the same cases: the difference of their rates, and "not worse by more than m"."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple, Self

from trimtab.stats.intervals import Interval, wilson_interval
from trimtab.stats.quantiles import normal_quantile

__all__ = ["Noninferiority", "PairedCounts", "newcombe_paired_interval", "tango_interval", "tango_noninferiority"]

_BISECTIONS = 60
"""Each halves the error: 2 / 2**60 is below the spacing of doubles near 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """How a candidate and a baseline did on the same cases.

    Example:
        >>> PairedCounts(both=794, candidate_only=86, baseline_only=150, neither=570).difference
        -0.04
    """

    both: int
    """Cases that both passed."""
    candidate_only: int
    """Cases that only the candidate passed: its gains."""
    baseline_only: int
    """Cases that only the baseline passed: the candidate's losses."""
    neither: int
    """Cases that both failed."""

    def __post_init__(self) -> None:
        if min(self.both, self.candidate_only, self.baseline_only, self.neither) < 0:
            raise ValueError(f"negative count in {self}")
        if self.n_pairs == 0:
            raise ValueError("0 pairs have no difference")

    @classmethod
    def from_outcomes(cls, outcomes: Iterable[tuple[bool, bool]]) -> Self:
        """Count ``(candidate passed, baseline passed)``, one tuple for each case.

        Example:
            >>> PairedCounts.from_outcomes([(True, True), (True, False)])
            PairedCounts(both=1, candidate_only=1, baseline_only=0, neither=0)
        """
        tally = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for candidate, baseline in outcomes:
            tally[bool(candidate), bool(baseline)] += 1
        both, gains, losses, neither = tally.values()
        return cls(both=both, candidate_only=gains, baseline_only=losses, neither=neither)

    @property
    def n_pairs(self) -> int:
        """Cases that both models answered."""
        return self.both + self.candidate_only + self.baseline_only + self.neither

    @property
    def difference(self) -> float:
        """Candidate's rate less the baseline's, from -1 to 1."""
        return (self.candidate_only - self.baseline_only) / self.n_pairs

    @property
    def discordance(self) -> float:
        """Share of cases on which they differ; it, not the rates, decides how many pairs a test needs."""
        return (self.candidate_only + self.baseline_only) / self.n_pairs

    @property
    def standard_error(self) -> float:
        """Wald's, of ``difference``: ``sqrt(discordance - difference**2) / sqrt(n)``; 0 when they never differ."""
        return math.sqrt((self.discordance - self.difference**2) / self.n_pairs)


class Noninferiority(NamedTuple):
    """Whether the candidate may be called not worse than the baseline by more than a margin."""

    difference: float
    """Candidate less baseline."""
    z: float
    """Score statistic of "worse by exactly the margin", Student's t where means are compared; large is good."""
    p_value: float
    """One-sided; below alpha the candidate is non-inferior."""


def tango_interval(counts: PairedCounts, *, confidence: float = 0.95) -> Interval:
    """Bound the difference of two rates on the same cases by inverting the score test.

    It keeps its coverage with few cases, rates near 0 or 1, and no disagreement at all, where Wald's fails. For a
    one-sided bound at ``1 - alpha`` take ``.lower`` at ``confidence = 1 - 2 * alpha``.

    Args:
        counts: The outcomes.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        Bounds of candidate less baseline, in ``[-1, 1]``.

    Raises:
        ValueError: ``confidence`` is not between 0 and 1.

    Example:
        >>> lower, upper = tango_interval(PairedCounts(both=80, candidate_only=6, baseline_only=16, neither=59))
        >>> round(lower, 4), round(upper, 4)
        (-0.124, -0.0054)

    Source:
        Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
        design", Statistics in Medicine 17 (1998), 891-908.
    """
    z = normal_quantile(0.5 + confidence / 2)
    estimate = counts.difference
    return Interval(
        _where_score_is(counts, z, low=-1.0, high=estimate), _where_score_is(counts, -z, low=estimate, high=1.0)
    )


def tango_noninferiority(counts: PairedCounts, *, margin: float) -> Noninferiority:
    """Test that the candidate is not worse than the baseline by ``margin`` or more.

    ``p_value < alpha`` exactly where ``tango_interval(counts, confidence=1 - 2 * alpha).lower > -margin``.

    Args:
        counts: The outcomes.
        margin: The loss that would still be accepted, a fraction such as 0.02, fixed before the data were seen. With
            0 it becomes a test of superiority.

    Returns:
        Difference, score statistic and one-sided p-value.

    Raises:
        ValueError: ``margin`` is negative, or 1 or more.

    Example:
        >>> counts = PairedCounts(both=800, candidate_only=60, baseline_only=80, neither=60)
        >>> round(tango_noninferiority(counts, margin=0.05).p_value, 5)
        0.00655

    Source:
        Tango (1998), as ``tango_interval``.
    """
    if not 0 <= margin < 1:
        raise ValueError(f"margin {margin} is not a fraction from 0 to below 1")
    z = _score(counts, -margin)
    return Noninferiority(counts.difference, z, NormalDist().cdf(-z))


def newcombe_paired_interval(counts: PairedCounts, *, confidence: float = 0.95) -> Interval:
    """Bound the difference of two rates on the same cases from Wilson's bounds of each, by squaring and adding.

    Args:
        counts: The outcomes.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        Bounds of candidate less baseline, in ``[-1, 1]``.

    Raises:
        ValueError: ``confidence`` is not between 0 and 1.

    Example:
        >>> counts = PairedCounts(both=59, candidate_only=6, baseline_only=16, neither=80)
        >>> lower, upper = newcombe_paired_interval(counts)
        >>> round(lower, 4), round(upper, 4)
        (-0.1186, -0.0046)

    Source:
        Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired data",
        Statistics in Medicine 17 (1998), 2635-2650, method 10.
    """
    n = counts.n_pairs
    candidate, baseline = counts.both + counts.candidate_only, counts.both + counts.baseline_only
    ours = wilson_interval(candidate, n, confidence=confidence)
    theirs = wilson_interval(baseline, n, confidence=confidence)
    phi = _phi(counts, candidate, baseline)
    down, up = candidate / n - ours.lower, ours.upper - candidate / n
    their_down, their_up = baseline / n - theirs.lower, theirs.upper - baseline / n
    return Interval(
        counts.difference - math.sqrt(max(down**2 + their_up**2 - 2 * phi * down * their_up, 0.0)),
        counts.difference + math.sqrt(max(up**2 + their_down**2 - 2 * phi * up * their_down, 0.0)),
    )


def _phi(counts: PairedCounts, candidate: int, baseline: int) -> float:
    """Correlation of the two outcomes, held back by half a case; 0 when one model always passes or always fails."""
    n = counts.n_pairs
    spread = candidate * (n - candidate) * baseline * (n - baseline)
    if spread == 0:
        return 0.0
    together = counts.both * counts.neither - counts.candidate_only * counts.baseline_only
    return (max(together - n / 2, 0.0) if together > 0 else together) / math.sqrt(spread)


def _score(counts: PairedCounts, delta: float) -> float:
    """Return how far the data lie above a true difference of ``delta``, in standard errors under it."""
    gains, losses, n = counts.candidate_only, counts.baseline_only, counts.n_pairs
    distance = gains - losses - n * delta
    # The likeliest share of losses under delta solves a*q**2 + b*q + c = 0 (Tango's equation 9).
    a = 2 * n
    b = (2 * n - gains + losses) * delta - gains - losses
    c = -losses * delta * (1 - delta)
    loss_share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * loss_share + delta * (1 - delta))
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def _where_score_is(counts: PairedCounts, target: float, *, low: float, high: float) -> float:
    """Return the difference whose score is ``target``; the score falls as the difference grows."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _score(counts, middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2
