"""Evidence that may be looked at after every call: e-values of a pass rate and of a mean.

An e-process starts at 1 and is expected not to grow while the hypothesis is true, so by Ville's inequality the chance
that it *ever* reaches ``1 / alpha`` is at most alpha: stop when it does, look as often as you like. A p-value promises
that for one look only.
"""

import math
from collections.abc import Callable

from trimtab.stats.intervals import Interval

__all__ = ["beta_binomial_e_value", "beta_binomial_interval", "mixture_sprt"]

_BISECTIONS = 60


def beta_binomial_e_value(
    passes: int, trials: int, *, rate: float, prior_passes: float = 1.0, prior_failures: float = 1.0
) -> float:
    """Return the evidence against "the pass rate is ``rate``", at any time.

    Args:
        passes: Samples that passed so far.
        trials: Samples graded so far; with 0 the evidence is 1.
        rate: The hypothesis, strictly between 0 and 1.
        prior_passes: First parameter of the beta distribution that the evidence bets on; 1 and 1 bets on all rates
            alike, larger ones on rates near ``prior_passes / (prior_passes + prior_failures)``.
        prior_failures: Second parameter.

    Returns:
        0 or more; reject when it is at least ``1 / alpha``, whenever that happens.

    Raises:
        ValueError: The counts are impossible, ``rate`` is 0 or 1 or outside, or a prior is not positive.

    Example:
        >>> round(beta_binomial_e_value(70, 100, rate=0.5), 3)
        427.307

    Source:
        Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics
        41 (1970), 1397-1409; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
        confidence sequences", Annals of Statistics 49 (2021), 1055-1080.
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate {rate} is not strictly between 0 and 1")
    log_e = _log_mixture(passes, trials, prior_passes, prior_failures) - _log_likelihood(passes, trials, rate)
    return math.exp(log_e) if log_e < 700 else math.inf


def beta_binomial_interval(
    passes: int, trials: int, *, confidence: float = 0.95, prior_passes: float = 1.0, prior_failures: float = 1.0
) -> Interval:
    """Bound a pass rate at every time at once.

    The chance that the true rate is *ever* outside is at most ``1 - confidence``, so intersecting the intervals of
    all looks is allowed and only narrows them.

    Args:
        passes: Samples that passed so far.
        trials: Samples graded so far; with 0 the interval is everything.
        confidence: Coverage over the whole path.
        prior_passes: As in ``beta_binomial_e_value``.
        prior_failures: See there.

    Returns:
        The rates against which the evidence is below ``1 / (1 - confidence)``, as fractions in ``[0, 1]``.

    Raises:
        ValueError: The counts are impossible, or a prior is not positive.

    Example:
        >>> lower, upper = beta_binomial_interval(70, 100)
        >>> round(lower, 4), round(upper, 4)
        (0.5428, 0.8306)

    Source:
        As ``beta_binomial_e_value``.
    """
    least = _log_mixture(passes, trials, prior_passes, prior_failures) + math.log(1 - confidence)
    estimate = passes / trials if trials else 0.5

    def is_inside(rate: float) -> bool:
        return _log_likelihood(passes, trials, rate) > least

    return Interval(
        0.0 if is_inside(0.0) else _edge(is_inside, estimate, 0.0),
        1.0 if is_inside(1.0) else _edge(is_inside, estimate, 1.0),
    )


def mixture_sprt(
    mean: float, n_samples: int, *, deviation: float, expected_effect: float, null_mean: float = 0.0
) -> float:
    """Return the evidence against "the mean is ``null_mean``", at any time, for normal data of known spread (mSPRT).

    Averages of many calls are near enough to normal; single pass or fail grades have ``beta_binomial_e_value``, and
    scores with bounds have ``trimtab.stats.betting``, both without this assumption.

    Args:
        mean: Average so far, in units of the data.
        n_samples: How many it is of; with 0 the evidence is 1.
        deviation: Standard deviation of one sample, positive.
        expected_effect: Standard deviation of the effects that the evidence bets on, positive: their typical size.
        null_mean: The hypothesis.

    Returns:
        0 or more; reject when it is at least ``1 / alpha``. ``min(1, 1 / it)`` is a p-value that holds at any time.

    Raises:
        ValueError: A spread is not positive, or ``n_samples`` is negative.

    Example:
        >>> round(mixture_sprt(0.3, 100, deviation=1, expected_effect=1), 4)
        8.5667

    Source:
        Johari, Koomen, Pekelis and Walsh, "Always valid inference: continuous monitoring of A/B tests", Operations
        Research 70 (2022), 1806-1821.
    """
    if not (deviation > 0 and expected_effect > 0 and n_samples >= 0):
        raise ValueError(f"n {n_samples}, deviation {deviation} and effect {expected_effect} give no evidence")
    noise, signal = deviation**2, expected_effect**2
    total = noise + n_samples * signal
    log_e = 0.5 * math.log(noise / total) + (n_samples * (mean - null_mean)) ** 2 * signal / (2 * noise * total)
    return math.exp(log_e) if log_e < 700 else math.inf


def _log_mixture(passes: int, trials: int, prior_passes: float, prior_failures: float) -> float:
    """Log chance of the sequence when its rate is drawn from the beta distribution."""
    if not 0 <= passes <= trials:
        raise ValueError(f"{passes} passes of {trials} trials are impossible")
    if not (prior_passes > 0 and prior_failures > 0):
        raise ValueError(f"prior {prior_passes}, {prior_failures} is not positive")
    seen = _log_beta(prior_passes + passes, prior_failures + trials - passes)
    return seen - _log_beta(prior_passes, prior_failures)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(passes: int, trials: int, rate: float) -> float:
    failures = trials - passes
    if (rate == 0 and passes) or (rate == 1 and failures):
        return -math.inf
    return (passes * math.log(rate) if passes else 0.0) + (failures * math.log1p(-rate) if failures else 0.0)


def _edge(is_inside: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return the last rate inside on the way out, on the outer side of the last step: never too narrow."""
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if is_inside(middle):
            inside = middle
        else:
            outside = middle
    return outside
