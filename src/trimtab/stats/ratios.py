"""How many times as much one model costs as another on the same cases."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from trimtab.stats.quantiles import student_t_quantile

__all__ = ["Ratio", "ratio_of_means"]


class Ratio(NamedTuple):
    """Candidate's mean over the baseline's; below 1 the candidate takes less."""

    ratio: float
    lower: float
    upper: float
    n_pairs: int


def ratio_of_means(candidate: Sequence[float], baseline: Sequence[float], *, confidence: float = 0.95) -> Ratio:
    """Bound the ratio of two means that were measured on the same cases, such as dollars, watt-hours or milliseconds.

    It is the ratio of the *bills*, ``sum(candidate) / sum(baseline)``, and not the mean of ratios, in which a cheap
    case weighs as much as a dear one. Pairing counts: a long question is dear for both.

    Args:
        candidate: ``(n,)`` amounts, 0 or more, in the order of the cases; at least 2.
        baseline: ``(n,)`` amounts of the other on the same cases.
        confidence: Two-sided coverage.

    Returns:
        The ratio with bounds above 0; they lie evenly around it on a logarithmic scale.

    Raises:
        ValueError: Lengths differ, there are fewer than two cases, an amount is negative or not finite, or all
            amounts of one of them are 0, which leaves no ratio or no bounds.

    Example:
        >>> found = ratio_of_means([1, 2, 3, 2], [4, 9, 11, 8])
        >>> round(found.ratio, 3), round(found.lower, 3), round(found.upper, 3)
        (0.25, 0.213, 0.294)

    Source:
        Cochran, "Sampling Techniques" (3rd ed. 1977), section 6.4: the variance of a ratio of means; on the logarithm
        by the delta method, with Student's t.
    """
    n = len(candidate)
    if n != len(baseline) or n < 2:
        raise ValueError(f"{n} and {len(baseline)} amounts are not at least two pairs")
    for position, amount in enumerate([*candidate, *baseline]):
        if not (math.isfinite(amount) and amount >= 0):
            raise ValueError(f"amount {position} is {amount}, which is not 0 or more")
    ours, theirs = math.fsum(candidate) / n, math.fsum(baseline) / n
    if not (ours > 0 and theirs > 0):
        raise ValueError(f"means {ours} and {theirs} have no ratio with bounds")
    variance = math.fsum((c / ours - b / theirs) ** 2 for c, b in zip(candidate, baseline, strict=True)) / (n - 1)
    factor = math.exp(student_t_quantile(0.5 + confidence / 2, n - 1) * math.sqrt(variance / n))
    return Ratio(ours / theirs, ours / theirs / factor, ours / theirs * factor, n)
