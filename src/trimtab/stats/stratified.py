"""One figure for several strata that weigh otherwise in the sample than in the world."""

import math
from collections.abc import Sequence

from trimtab.stats.intervals import MeanInterval

__all__ = ["poststratified_mean"]


def poststratified_mean(strata: Sequence[MeanInterval], weights: Sequence[float]) -> MeanInterval:
    """Weigh estimates of strata by their shares of the traffic, and their intervals with them.

    The variance of the sum is ``sum(weight**2 * variance)``. It is recovered here from each stratum's own bounds, so
    that a stratum on which nothing was seen to differ keeps the doubt that its interval has, where its estimated
    variance would be 0.

    Args:
        strata: Mean or difference of each stratum with its bounds, all of the same confidence, which the result keeps.
        weights: Share of each stratum, 0 or more, adding up to 1.

    Returns:
        The weighted mean with bounds.

    Raises:
        ValueError: There is no stratum, numbers differ, or weights are negative or do not add up to 1.

    Example:
        >>> easy, hard = MeanInterval(0.0, -0.01, 0.01), MeanInterval(-0.3, -0.4, -0.2)
        >>> [round(bound, 4) for bound in poststratified_mean([easy, hard], [0.9, 0.1])]
        [-0.03, -0.0435, -0.0165]

    Source:
        Post-stratification: Cochran, "Sampling Techniques" (3rd ed. 1977), section 5A.9. Bounds from bounds (MOVER):
        Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008),
        1693-1702.
    """
    if not strata or len(strata) != len(weights):
        raise ValueError(f"{len(strata)} strata and {len(weights)} weights make no mean")
    if min(weights) < 0 or not math.isclose(math.fsum(weights), 1, abs_tol=1e-6):
        raise ValueError(f"weights {list(weights)} are not shares that add up to 1")
    pairs = list(zip(strata, weights, strict=True))
    mean = math.fsum(weight * stratum.mean for stratum, weight in pairs)
    below = math.sqrt(math.fsum((weight * (stratum.mean - stratum.lower)) ** 2 for stratum, weight in pairs))
    above = math.sqrt(math.fsum((weight * (stratum.upper - stratum.mean)) ** 2 for stratum, weight in pairs))
    return MeanInterval(mean, mean - below, mean + above)
