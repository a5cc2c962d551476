"""Intervals for a rate and for a mean."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from trimtab.stats.quantiles import normal_quantile, student_t_quantile


class Interval(NamedTuple):
    """Lower and upper bound of an estimate, in the estimate's own unit."""

    lower: float
    upper: float


def wilson_interval(passes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Bound a pass rate estimated from a finite sample.

    Args:
        passes: Samples that passed, ``0 <= passes <= trials``.
        trials: Samples graded, at least 1.
        confidence: Two-sided coverage.

    Returns:
        Bounds as fractions in ``[0, 1]``.

    Raises:
        ValueError: ``trials`` is 0, so no rate exists, or ``passes`` lies outside it.

    Example:
        >>> lower, upper = wilson_interval(81, 263)
        >>> round(lower, 4), round(upper, 4)
        (0.2553, 0.3662)

    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.
    """
    if trials < 1 or not 0 <= passes <= trials:
        raise ValueError(f"{passes} passes of {trials} trials give no rate")
    z = normal_quantile(0.5 + confidence / 2)
    share = passes / trials
    shrink = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Interval(
        0.0 if passes == 0 else max(0.0, centre - half), 1.0 if passes == trials else min(1.0, centre + half)
    )


class Moments:
    """Count, mean and spread of a stream of numbers, in one pass and without losing digits.

    Source:
        Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 4 (1962),
        419-420.
    """

    __slots__ = ("_squares", "mean", "n_samples")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.n_samples = 0
        self.mean = 0.0
        self._squares = 0.0
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        """Count one number."""
        self.n_samples += 1
        step = value - self.mean
        self.mean += step / self.n_samples
        self._squares += step * (value - self.mean)

    @property
    def variance(self) -> float | None:
        """Sample variance (divisor n - 1); ``None`` below two samples."""
        return self._squares / (self.n_samples - 1) if self.n_samples > 1 else None


class MeanInterval(NamedTuple):
    """A mean with its bounds, in the unit of what was averaged."""

    mean: float
    lower: float
    upper: float


def mean_interval_from_sums(
    n_samples: int, total: float, total_of_squares: float, *, confidence: float = 0.95
) -> MeanInterval:
    """Bound the mean of scores in ``[0, 1]`` of which only sums are kept.

    Scores that are all 0 or 1 (their squares add up to the same) are a rate and get Wilson's interval, others
    Student's. One score that is neither bounds nothing, so its interval is the whole range.

    Args:
        n_samples: How many scores, at least 1.
        total: Their sum.
        total_of_squares: The sum of their squares.
        confidence: Two-sided coverage.

    Raises:
        ValueError: ``n_samples`` is 0, so no mean exists.

    >>> mean_interval_from_sums(10, 8.0, 8.0)
    MeanInterval(mean=0.8, lower=0.490..., upper=0.943...)
    """
    if n_samples < 1:
        raise ValueError("0 samples have no mean")
    mean = min(max(total / n_samples, 0.0), 1.0)
    if total_of_squares == total and total == int(total):
        return MeanInterval(mean, *wilson_interval(int(total), n_samples, confidence=confidence))
    if n_samples == 1:
        return MeanInterval(mean, 0.0, 1.0)
    # Sums of a million scores lose digits in the difference, never more than its own rounding: 0 is its floor.
    variance = max(total_of_squares - total * total / n_samples, 0.0) / (n_samples - 1)
    half = student_t_quantile(0.5 + confidence / 2, n_samples - 1) * math.sqrt(variance / n_samples)
    return MeanInterval(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def mean_interval(sample: Moments, *, confidence: float = 0.95) -> Interval | None:
    """Bound a mean by Student's t; ``None`` below two samples, whose spread nobody can know.

    For a paired comparison give the differences, one for each pair; for clustered data one mean for each cluster.

    Source:
        Student, "The probable error of a mean", Biometrika 6 (1908), 1-25.
    """
    variance = sample.variance
    if variance is None:
        return None
    t = student_t_quantile(0.5 + confidence / 2, sample.n_samples - 1)
    half = t * math.sqrt(variance / sample.n_samples)
    return Interval(sample.mean - half, sample.mean + half)
