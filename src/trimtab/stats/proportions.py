"""Intervals for one rate, and for the difference of two rates of unrelated samples."""

import math

from trimtab.stats.intervals import Interval, wilson_interval

__all__ = ["clopper_pearson_interval", "newcombe_interval", "wilson_interval"]


def clopper_pearson_interval(passes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Bound a rate so that the interval covers *at least* as often as it says, however few the trials.

    Wider than Wilson's, which covers as often as it says on average. Use it where a bound is a guarantee.

    Args:
        passes: Samples that passed, ``0 <= passes <= trials``.
        trials: Samples graded, at least 1.
        confidence: Least two-sided coverage.

    Returns:
        Bounds as fractions in ``[0, 1]``.

    Raises:
        ValueError: ``trials`` is 0, or ``passes`` lies outside it.

    Example:
        >>> lower, upper = clopper_pearson_interval(0, 20)
        >>> round(lower, 4), round(upper, 4)
        (0.0, 0.1684)

    Source:
        Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
        Biometrika 26 (1934), 404-413.
    """
    from scipy.special import betaincinv  # Here, so that Newcombe's interval needs no extra.

    if trials < 1 or not 0 <= passes <= trials:
        raise ValueError(f"{passes} passes of {trials} trials give no rate")
    tail = (1 - confidence) / 2
    lower = 0.0 if passes == 0 else float(betaincinv(passes, trials - passes + 1, tail))
    upper = 1.0 if passes == trials else float(betaincinv(passes + 1, trials - passes, 1 - tail))
    return Interval(lower, upper)


def newcombe_interval(
    passes: int, trials: int, other_passes: int, other_trials: int, *, confidence: float = 0.95
) -> Interval:
    """Bound the difference of two rates that were measured on *different* cases.

    Cases that both models answered are pairs: ``trimtab.stats.paired`` is far narrower for them.

    Args:
        passes: Passes of the first sample.
        trials: Its size, at least 1.
        other_passes: Passes of the sample that is subtracted.
        other_trials: Its size, at least 1.
        confidence: Two-sided coverage.

    Returns:
        Bounds of ``passes/trials - other_passes/other_trials``, in ``[-1, 1]``.

    Raises:
        ValueError: A sample is empty, or its passes lie outside it.

    Example:
        >>> lower, upper = newcombe_interval(56, 70, 48, 80)
        >>> round(lower, 4), round(upper, 4)
        (0.0524, 0.3339)

    Source:
        Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
        (1998), 873-890, method 10.
    """
    first = wilson_interval(passes, trials, confidence=confidence)
    other = wilson_interval(other_passes, other_trials, confidence=confidence)
    rate, other_rate = passes / trials, other_passes / other_trials
    difference = rate - other_rate
    return Interval(
        difference - math.hypot(rate - first.lower, other.upper - other_rate),
        difference + math.hypot(first.upper - rate, other_rate - other.lower),
    )
