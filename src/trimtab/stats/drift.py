"""Has the mix of calls changed? The population stability index over categories."""

import math
from collections.abc import Sequence

__all__ = ["population_stability_index"]

_LEAST_SHARE = 1e-4
"""Stands for a category that was not seen, so that one new call does not make the index infinite."""


def population_stability_index(reference: Sequence[float], current: Sequence[float]) -> float:
    """Return how far the shares of categories moved (PSI), symmetrical in its arguments.

    It grows with chance alone when there are few calls: about ``(k - 1) * (1 / n + 1 / m)`` for ``k`` categories and
    ``n`` and ``m`` calls. Folklore calls 0.1 a small and 0.25 a large change.

    Args:
        reference: Share or count of each category then; 0 or more, not all 0.
        current: Share or count of the same categories now.

    Returns:
        0 when nothing moved. A category that one side lacks counts as 0.0001.

    Raises:
        ValueError: Lengths differ, a count is negative or not finite, or all are 0.

    Example:
        >>> round(population_stability_index([0.25] * 4, [0.30, 0.30, 0.20, 0.20]), 7)
        0.0405465

    Source:
        Kullback and Leibler's J-divergence, Annals of Mathematical Statistics 22 (1951), 79-86. Its size under no
        change: Yurdakul, "Statistical properties of population stability index" (2018).
    """
    if len(reference) != len(current):
        raise ValueError(f"{len(reference)} and {len(current)} categories are not the same ones")
    before, after = _shares(reference), _shares(current)
    return math.fsum((b - a) * math.log(b / a) for a, b in zip(before, after, strict=True))


def _shares(counts: Sequence[float]) -> list[float]:
    total = math.fsum(counts)
    if not (0 < total < math.inf) or min(counts) < 0:
        raise ValueError(f"counts {list(counts)} give no shares")
    return [max(count / total, _LEAST_SHARE) for count in counts]
