"""Have the prompts changed? The kernel two-sample test on their embeddings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MmdTest", "mmd_test"]

_MOST_POINTS = 4_000
"""Of both samples together: the kernel matrix then takes 128 MB."""


class MmdTest(NamedTuple):
    """Squared maximum mean discrepancy between two samples."""

    mmd_squared: float
    """Unbiased, so it is near 0, and may be below, when nothing changed; 2 at most."""
    p_value: float
    """Of "both come from one distribution"."""
    bandwidth: float
    """Of the Gaussian kernel, in units of the features."""


def mmd_test(
    reference: ArrayLike,
    current: ArrayLike,
    *,
    bandwidth: float | None = None,
    n_permutations: int = 500,
    seed: int = 0,
) -> MmdTest:
    """Test whether two sets of feature vectors come from one distribution, by any kind of difference.

    The p-value is exact for any sizes, because labels are shuffled and not approximated. Its smallest value is
    ``1 / (n_permutations + 1)``.

    Args:
        reference: ``(n, n_dims)`` features then, at least 2 rows.
        current: ``(m, n_dims)`` features now, at least 2 rows; 4,000 rows at most together: draw a sample.
        bandwidth: Of the Gaussian kernel; ``None`` takes the median distance between points.
        n_permutations: Shuffles, at least 19.
        seed: The same seed gives the same answer.

    Returns:
        Squared discrepancy, p-value and the bandwidth used.

    Raises:
        ValueError: Shapes do not fit, there are too few or too many rows, values are not finite, or all points are one.

    Example:
        >>> points = np.random.default_rng(1).normal(size=(100, 3))
        >>> mmd_test(points, points + 1.0).p_value < 0.01
        True

    Source:
        Gretton, Borgwardt, Rasch, Schoelkopf and Smola, "A kernel two-sample test", JMLR 13 (2012), 723-773.
    """
    before, after = _matrix(reference, "reference"), _matrix(current, "current")
    n, total = len(before), len(before) + len(after)
    if before.shape[1] != after.shape[1] or total > _MOST_POINTS or n_permutations < 19:
        raise ValueError(
            f"shapes {before.shape} and {after.shape} with {n_permutations} shuffles: dimensions must be alike, "
            f"rows at most {_MOST_POINTS} together, shuffles at least 19"
        )
    squared = _squared_distances(np.concatenate([before, after]))
    width = _median_distance(squared) if bandwidth is None else bandwidth
    if not width > 0:
        raise ValueError(f"bandwidth {width}: the points do not differ, or it was given so")
    kernel = np.exp(-squared / (2 * width**2))
    np.fill_diagonal(kernel, 0.0)
    observed = _discrepancies(kernel, np.arange(total)[np.newaxis] < n, n)[0]
    shuffled = _discrepancies(kernel, _shuffled(n, total, n_permutations, seed), n)
    as_large = 1 + int(np.sum(shuffled >= observed - 1e-12))  # Ties count, whatever order they were added up in.
    return MmdTest(float(observed), as_large / (n_permutations + 1), float(width))


def _matrix(rows: ArrayLike, name: str) -> NDArray[np.float64]:
    matrix = np.asarray(rows, dtype=np.float64)
    if matrix.ndim != 2 or len(matrix) < 2 or not np.isfinite(matrix).all():
        raise ValueError(f"{name} of shape {matrix.shape} is not at least two rows of finite features")
    return matrix


def _squared_distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.sum(points**2, axis=1)
    squared: NDArray[np.float64] = np.maximum(norms[:, np.newaxis] + norms - 2 * points @ points.T, 0.0)
    return squared


def _median_distance(squared: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.median(squared[np.triu_indices(len(squared), 1)])))


def _shuffled(n: int, total: int, n_permutations: int, seed: int) -> NDArray[np.bool_]:
    """Return who is called ``reference``, ``(n_permutations, total)``."""
    random = np.random.default_rng(seed)
    return random.permuted(np.broadcast_to(np.arange(total) < n, (n_permutations, total)), axis=1)


def _discrepancies(kernel: NDArray[np.float64], is_first: NDArray[np.bool_], n: int) -> NDArray[np.float64]:
    """Return the unbiased estimate for each labelling, ``(n_labellings,)``; the kernel's diagonal is 0."""
    m = len(kernel) - n
    first = is_first.astype(np.float64)
    towards_first = first @ kernel  # (n_labellings, n + m)
    within_first = np.sum(towards_first * first, axis=1)
    across = np.sum(towards_first, axis=1) - within_first
    within_second = float(kernel.sum()) - within_first - 2 * across
    estimates: NDArray[np.float64] = within_first / (n * (n - 1)) + within_second / (m * (m - 1)) - 2 * across / (n * m)
    return estimates
