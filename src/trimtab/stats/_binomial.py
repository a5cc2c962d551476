"""Binomial tail sums without scipy, for the tests that a gate runs."""

import math


def binomial_log_mass(successes: int, trials: int, rate: float) -> float:
    """Return ``log P(X = successes)``; ``-inf`` where that cannot happen."""
    failures = trials - successes
    if (rate == 0 and successes) or (rate == 1 and failures):
        return -math.inf
    ways = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(failures + 1)
    return (
        ways + (successes * math.log(rate) if successes else 0.0) + (failures * math.log1p(-rate) if failures else 0.0)
    )


def binomial_at_most(successes: int, trials: int, rate: float) -> float:
    """Return ``P(X <= successes)`` as an exact sum of the shorter tail, in time of its length."""
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    lower = successes <= trials // 2
    terms = range(successes + 1) if lower else range(successes + 1, trials + 1)
    tail = min(math.fsum(math.exp(binomial_log_mass(k, trials, rate)) for k in terms), 1.0)
    return tail if lower else 1.0 - tail
