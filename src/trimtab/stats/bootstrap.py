"""Intervals by resampling, for scores whose distribution nobody wants to assume."""

from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.stats._arrays import Vector, as_vector, require_same_length
from trimtab.stats.intervals import Interval

__all__ = ["BootstrapMethod", "Statistic", "bootstrap_interval", "bootstrap_mean_interval"]

Rows = NDArray[np.float64]
Statistic = Callable[[Rows], Rows]
"""Takes resampled rows, ``(n_resamples, n_rows, ...)``, and gives one number for each resample, ``(n_resamples,)``."""
BootstrapMethod = Literal["bca", "percentile"]

_BATCH = 2_000_000
"""Numbers held at once, 16 MB: 10,000 resamples of 10,000 cases would take 800 MB in one piece."""
_NORMAL = NormalDist()


def bootstrap_mean_interval(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    method: BootstrapMethod = "bca",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bound a mean by resampling; for a paired comparison give the differences.

    Args:
        values: ``(n,)``, in units of the score; at least 2.
        clusters: ``(n,)`` labels of groups that are resampled as a whole, such as the document several questions are
            about; ``None`` when every value stands alone.
        method: ``bca`` corrects for bias and skew, ``percentile`` takes the plain quantiles.
        confidence: Two-sided coverage.
        n_resamples: Resamples drawn, at least 100.
        seed: The same seed gives the same interval.

    Returns:
        Bounds of the mean, in units of the score. All values alike give a single point.

    Raises:
        ValueError: Fewer than two values or clusters, values that are not finite, lengths that differ, or too few
            resamples.

    Example:
        >>> lower, upper = bootstrap_mean_interval([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
        >>> -0.6 < lower < 0 and 1.7 < upper < 2.4
        True

    Source:
        Efron, "Better bootstrap confidence intervals", JASA 82 (1987), 171-185. Whole clusters: Davison and Hinkley,
        "Bootstrap Methods and their Application" (1997), section 3.8.
    """
    vector = as_vector(values, "values", at_least=2)
    sums, sizes = _by_cluster(vector, clusters)
    rows = np.stack([sums, sizes], axis=-1)  # (n_clusters, 2)
    return bootstrap_interval(
        rows, _mean_of_clusters, method=method, confidence=confidence, n_resamples=n_resamples, seed=seed
    )


def bootstrap_interval(
    rows: Rows,
    statistic: Statistic,
    *,
    method: BootstrapMethod = "bca",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bound any statistic of rows that were drawn independently.

    Args:
        rows: ``(n, ...)``: what is resampled along the first axis; at least 2.
        statistic: Computes it for many resamples at once; must give a finite number for each.
        method: As in ``bootstrap_mean_interval``.
        confidence: Two-sided coverage.
        n_resamples: Resamples drawn, at least 100.
        seed: The same seed gives the same interval.

    Returns:
        Bounds in the unit of the statistic.

    Raises:
        ValueError: Fewer than two rows, too few resamples, ``confidence`` not between 0 and 1, or a statistic that is
            not finite.

    Example:
        >>> rows = np.arange(50.0)
        >>> lower, upper = bootstrap_interval(rows, lambda resampled: np.median(resampled, axis=1))
        >>> lower < 24.5 < upper
        True

    Source:
        Efron (1987), as ``bootstrap_mean_interval``.
    """
    if len(rows) < 2 or n_resamples < 100 or not 0 < confidence < 1:
        raise ValueError(f"{len(rows)} rows, {n_resamples} resamples and confidence {confidence} give no interval")
    resampled = np.sort(_resample(rows, statistic, n_resamples, seed))
    if not np.isfinite(resampled).all():
        raise ValueError("the statistic of a resample is not finite")
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    if method == "bca" and resampled[0] < resampled[-1]:
        tails = _corrected_tails(rows, statistic, resampled, tails)
    lower, upper = np.quantile(resampled, tails)
    return Interval(float(lower), float(upper))


def _mean_of_clusters(rows: Rows) -> Rows:
    totals = rows.sum(axis=1)  # (n_resamples, 2): sum and size
    return np.asarray(totals[:, 0] / totals[:, 1], dtype=np.float64)


def _by_cluster(values: Vector, clusters: ArrayLike | None) -> tuple[Vector, Vector]:
    """Return sum and size of each cluster, ``(n_clusters,)`` both."""
    if clusters is None:
        return values, np.ones_like(values)
    labels = np.asarray(clusters)
    require_same_length(values=values, clusters=labels)
    _, index = np.unique(labels, return_inverse=True)
    return np.bincount(index, weights=values).astype(np.float64), np.bincount(index).astype(np.float64)


def _resample(rows: Rows, statistic: Statistic, n_resamples: int, seed: int) -> Vector:
    random = np.random.default_rng(seed)
    drawn = [statistic(rows[random.integers(0, len(rows), (n, len(rows)))]) for n in _batches(n_resamples, rows.size)]
    return np.concatenate(drawn)


def _batches(total: int, size_of_one: int) -> Iterator[int]:
    step = max(_BATCH // size_of_one, 1)
    while total > 0:
        yield min(step, total)
        total -= step


def _corrected_tails(
    rows: Rows, statistic: Statistic, resampled: Vector, tails: tuple[float, float]
) -> tuple[float, float]:
    """Return the quantiles to read instead, moved by bias (``z0``) and skew (``acceleration``)."""
    estimate = float(statistic(rows[np.newaxis])[0])
    below = (np.searchsorted(resampled, estimate, "left") + np.searchsorted(resampled, estimate, "right")) / 2
    share = min(max(float(below) / len(resampled), 0.5 / len(resampled)), 1 - 0.5 / len(resampled))
    bias, skew = _NORMAL.inv_cdf(share), _acceleration(rows, statistic)

    def moved(tail: float) -> float:
        z = bias + _NORMAL.inv_cdf(tail)
        return _NORMAL.cdf(bias + z / (1 - skew * z))

    return moved(tails[0]), moved(tails[1])


def _acceleration(rows: Rows, statistic: Statistic) -> float:
    """Return a sixth of the skewness of the statistic's leave-one-out values."""
    n, left_out = len(rows), []
    for start in range(0, n, step := max(_BATCH // rows.size, 1)):
        block = np.arange(start, min(start + step, n))
        kept = np.arange(n - 1) + (np.arange(n - 1) >= block[:, np.newaxis])  # (block, n - 1): every index but one
        left_out.append(statistic(rows[kept]))
    deviations = np.mean(values := np.concatenate(left_out)) - values
    squares = float(np.sum(deviations**2))
    return float(np.sum(deviations**3)) / (6 * squares**1.5) if squares else 0.0
