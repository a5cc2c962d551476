"""Bounds of a mean at every time at once when the data have no bounds, such as costs and latencies."""

import math

from trimtab.stats.intervals import Interval, Moments

__all__ = ["asymptotic_interval", "normal_mixture_bound", "normal_mixture_rho"]


def normal_mixture_rho(tuned_at: float, *, alpha: float = 0.05) -> float:
    """Return the parameter that makes ``normal_mixture_bound`` tightest at one total variance.

    Args:
        tuned_at: Total variance (samples x variance of one) around which decisions will be made, positive. A guess from
            a pilot; ten times too small costs 7 % of the width, ten
            times too large 27 %.
        alpha: Error over the whole path, two-sided.

    Returns:
        ``rho``, in the unit of a variance.

    Raises:
        ValueError: ``tuned_at`` is not positive, or ``alpha`` not between 0 and 1.

    Example:
        >>> round(normal_mixture_rho(100), 5)
        12.60056

    Source:
        Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals
        of Statistics 49 (2021), 1055-1080, section 3.5.
    """
    _require(alpha, positive=tuned_at)
    doubled = -2 * math.log(alpha)
    return tuned_at / (doubled + math.log1p(doubled))


def normal_mixture_bound(variance: float, *, rho: float, alpha: float = 0.05) -> float:
    """Return how far a centred sum may stray, over its whole path, with a chance of at most alpha.

    Args:
        variance: Total variance of the sum so far, 0 or more, in squared units of the data.
        rho: From ``normal_mixture_rho``.
        alpha: Error over the whole path, two-sided.

    Returns:
        The bound of ``|sum|``, in units of the data.

    Raises:
        ValueError: ``variance`` is negative, ``rho`` not positive or ``alpha`` not between 0 and 1.

    Example:
        >>> round(normal_mixture_bound(100, rho=normal_mixture_rho(100)), 3)
        30.352

    Source:
        Howard et al. (2021), equation 14 for the two-sided normal mixture.
    """
    _require(alpha, positive=rho)
    if variance < 0:
        raise ValueError(f"variance {variance} is negative")
    spread = variance + rho
    return math.sqrt(spread * (math.log(spread / rho) - 2 * math.log(alpha)))


def asymptotic_interval(sample: Moments, *, rho: float, confidence: float = 0.95) -> Interval | None:
    """Bound a mean at every time at once, by the data's own variance and nothing else.

    Holds in the limit, as a t interval does: do not look before the variance is known, about 100 samples, and more
    where a few calls carry most of the cost.

    Args:
        sample: Count, mean and spread so far.
        rho: From ``normal_mixture_rho``; fixed before the data were seen.
        confidence: Coverage over the whole path.

    Returns:
        Bounds of the mean, in its unit; ``None`` below two samples.

    Raises:
        ValueError: ``rho`` is not positive, or ``confidence`` not between 0 and 1.

    Example:
        >>> sample = Moments([0.0, 1.0] * 500)
        >>> lower, upper = asymptotic_interval(sample, rho=normal_mixture_rho(250))
        >>> round(lower, 3), round(upper, 3)
        (0.452, 0.548)

    Source:
        Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
        sequences", Annals of Statistics 52 (2024), 2613-2640, theorem 2.8 (their rho is ``rho ** -0.5`` here).
    """
    variance = sample.variance
    if variance is None:
        return None
    n = sample.n_samples
    half = normal_mixture_bound(n * variance, rho=rho, alpha=1 - confidence) / n
    return Interval(sample.mean - half, sample.mean + half)


def _require(alpha: float, *, positive: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha} is not between 0 and 1")
    if not positive > 0:
        raise ValueError(f"{positive} is not positive, so it tunes nothing")
