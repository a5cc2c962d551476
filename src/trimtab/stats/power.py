"""How many cases an answer takes, before the first one is paid for."""

import math
from statistics import NormalDist

from trimtab.stats.quantiles import normal_quantile

__all__ = [
    "cases_for_difference",
    "cases_for_noninferiority",
    "discordance_of_rates",
    "noninferiority_power",
    "pairs_for_noninferiority",
    "pairs_for_superiority",
    "smallest_detectable_difference",
]


def pairs_for_noninferiority(
    *, discordance: float, margin: float, difference: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Return how many cases both models must answer to prove "not worse by ``margin``".

    Args:
        discordance: Share of cases on which the two are expected to differ, from a pilot; at least ``|difference|``.
        margin: Loss that would be accepted, a fraction. A negative margin asks for superiority by that much.
        difference: True candidate less baseline that is planned for; 0 is "equally good".
        alpha: One-sided error.
        power: Chance of a yes when the difference is as planned.

    Returns:
        Pairs, rounded up.

    Raises:
        ValueError: No number of pairs is enough, because the planned difference is not above ``-margin``; or a share
            is impossible.

    Example:
        >>> pairs_for_noninferiority(discordance=0.10, margin=0.02)
        1546

    Source:
        Normal approximation of the paired difference, whose variance is ``discordance - difference**2`` per pair:
        Liu, Hsueh, Hsieh and Chen, "Tests for equivalence or non-inferiority for paired binary data", Statistics in
        Medicine 21 (2002), 231-245.
    """
    _require_possible(discordance, difference)
    distance = difference + margin
    if distance <= 0:
        raise ValueError(f"a true difference of {difference} is no better than -{margin}: no sample proves otherwise")
    z = normal_quantile(1 - alpha) + normal_quantile(power)
    return max(math.ceil(z**2 * (discordance - difference**2) / distance**2), 1)


def noninferiority_power(
    n_pairs: int, *, discordance: float, margin: float, difference: float = 0.0, alpha: float = 0.05
) -> float:
    """Return the chance that ``n_pairs`` prove "not worse by ``margin``", from 0 to 1.

    Args:
        n_pairs: Cases that both models answer, at least 1.
        discordance: Share of cases on which the two are expected to differ.
        margin: Loss that would be accepted, a fraction.
        difference: True candidate less baseline.
        alpha: One-sided error.

    Raises:
        ValueError: There is no pair, or a share is impossible.

    Example:
        >>> round(noninferiority_power(756, discordance=0.11, margin=0.03), 2)
        0.8

    Source:
        As ``pairs_for_noninferiority``.
    """
    _require_possible(discordance, difference)
    if n_pairs < 1:
        raise ValueError(f"{n_pairs} pairs prove nothing")
    spread = math.sqrt((discordance - difference**2) / n_pairs)
    if spread == 0:
        return 1.0 if difference > -margin else 0.0
    return NormalDist().cdf((difference + margin) / spread - normal_quantile(1 - alpha))


def cases_for_noninferiority(
    *, variance: float, margin: float, difference: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Return how many cases both models must answer to prove a mean score "not worse by ``margin``".

    Args:
        variance: Of the difference on one case, in squared units of the score, 0 or more, from a pilot. Where cases
            come in clusters: squared standard error times cases.
        margin: Loss that would be accepted, in units of the score.
        difference: True candidate less baseline that is planned for.
        alpha: One-sided error.
        power: Chance of a yes when the difference is as planned.

    Returns:
        Cases, rounded up, at least 2. Student's t asks for one or two more where they are fewer than 30.

    Raises:
        ValueError: No number of cases is enough, or the variance is negative.

    Example:
        >>> cases_for_noninferiority(variance=0.10, margin=0.02)  # of rates: their discordance
        1546

    Source:
        As ``pairs_for_noninferiority``, which is this with the variance of paired rates.
    """
    distance = difference + margin
    if variance < 0 or distance <= 0:
        raise ValueError(f"variance {variance} and difference {difference} at margin {margin} are no plan")
    z = normal_quantile(1 - alpha) + normal_quantile(power)
    return max(math.ceil(z**2 * variance / distance**2), 2)


def pairs_for_superiority(*, discordance: float, difference: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many cases both models must answer to prove that they differ (McNemar's test).

    Args:
        discordance: Share of cases on which the two are expected to differ; at least ``|difference|``.
        difference: True candidate less baseline that should be found; not 0.
        alpha: Two-sided error.
        power: Chance of finding it.

    Returns:
        Pairs, rounded up.

    Raises:
        ValueError: ``difference`` is 0, which no sample can find, or a share is impossible.

    Example:
        >>> pairs_for_superiority(discordance=0.10, difference=0.02)
        1960

    Source:
        Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43 (1987),
        207-211.
    """
    _require_possible(discordance, difference)
    if difference == 0:
        raise ValueError("a difference of 0 is found by no sample")
    under_null = normal_quantile(1 - alpha / 2) * math.sqrt(discordance)
    under_planned = normal_quantile(power) * math.sqrt(discordance - difference**2)
    return math.ceil((under_null + under_planned) ** 2 / difference**2)


def discordance_of_rates(candidate_rate: float, baseline_rate: float, correlation: float) -> float:
    """Return the share of cases on which two models differ, from their pass rates and how alike they are.

    Args:
        candidate_rate: Its pass rate, a fraction.
        baseline_rate: The other's.
        correlation: Phi coefficient of the two outcomes on a case; 0 when they are unrelated.

    Raises:
        ValueError: A rate is not a fraction, or no table of outcomes has this correlation.

    Example:
        >>> round(discordance_of_rates(0.8, 0.8, 0.5), 3)
        0.16

    Source:
        ``var(x - y) = var(x) + var(y) - 2 cov(x, y)`` with ``var = discordance - difference**2``.
    """
    if not (0 <= candidate_rate <= 1 and 0 <= baseline_rate <= 1):
        raise ValueError(f"rates {candidate_rate} and {baseline_rate} are not both fractions")
    variances = candidate_rate * (1 - candidate_rate), baseline_rate * (1 - baseline_rate)
    both = candidate_rate * baseline_rate + correlation * math.sqrt(variances[0] * variances[1])
    if not max(0.0, candidate_rate + baseline_rate - 1) - 1e-12 <= both <= min(candidate_rate, baseline_rate) + 1e-12:
        raise ValueError(f"rates {candidate_rate} and {baseline_rate} cannot have correlation {correlation}")
    return candidate_rate + baseline_rate - 2 * both


def cases_for_difference(
    difference: float,
    *,
    between_variance: float,
    candidate_noise: float = 0.0,
    baseline_noise: float = 0.0,
    n_repeats: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Return how many cases find a difference in mean score, when each case may be sampled several times.

    Args:
        difference: Smallest difference worth finding, in units of the score; not 0.
        between_variance: Variance over cases of the true difference between the models, in squared units of the score.
        candidate_noise: Variance of one answer's score around the candidate's mean on its case.
        baseline_noise: The same of the baseline.
        n_repeats: Answers of each model to each case, at least 1. More of them help against noise only.
        alpha: Two-sided error.
        power: Chance of finding it.

    Returns:
        Cases, rounded up.

    Raises:
        ValueError: ``difference`` is 0, ``n_repeats`` below 1 or a variance negative.

    Example:
        >>> cases_for_difference(0.03, between_variance=1 / 9)
        969

    Source:
        Miller, "Adding error bars to evals: a statistical approach to language model evaluations" (2024),
        arXiv:2411.00640, section 5.
    """
    if difference == 0:
        raise ValueError("a difference of 0 is found by no sample")
    variance = _variance_per_case(between_variance, candidate_noise, baseline_noise, n_repeats)
    return max(math.ceil(_planning_factor(alpha, power) * variance / difference**2), 1)


def smallest_detectable_difference(
    n_cases: int,
    *,
    between_variance: float,
    candidate_noise: float = 0.0,
    baseline_noise: float = 0.0,
    n_repeats: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Return the difference in mean score that ``n_cases`` find with the given power, in units of the score.

    Args:
        n_cases: Cases, at least 1.
        between_variance: As in ``cases_for_difference``, like the rest.
        candidate_noise: See there.
        baseline_noise: See there.
        n_repeats: See there.
        alpha: Two-sided error.
        power: Chance of finding it.

    Raises:
        ValueError: There is no case, ``n_repeats`` is below 1 or a variance negative.

    Example:
        >>> noise = 1 / 6
        >>> found = smallest_detectable_difference(
        ...     198, between_variance=1 / 9, candidate_noise=noise, baseline_noise=noise
        ... )
        >>> round(found, 4)
        0.1327

    Source:
        Miller (2024), as ``cases_for_difference``.
    """
    if n_cases < 1:
        raise ValueError(f"{n_cases} cases find nothing")
    variance = _variance_per_case(between_variance, candidate_noise, baseline_noise, n_repeats)
    return math.sqrt(_planning_factor(alpha, power) * variance / n_cases)


def _planning_factor(alpha: float, power: float) -> float:
    return (normal_quantile(1 - alpha / 2) + normal_quantile(power)) ** 2


def _variance_per_case(between: float, candidate_noise: float, baseline_noise: float, n_repeats: int) -> float:
    if n_repeats < 1 or min(between, candidate_noise, baseline_noise) < 0:
        raise ValueError(
            f"{n_repeats} repeats and variances {between}, {candidate_noise}, {baseline_noise} are no plan"
        )
    return between + (candidate_noise + baseline_noise) / n_repeats


def _require_possible(discordance: float, difference: float) -> None:
    if not abs(difference) <= discordance <= 1:
        raise ValueError(f"discordance {discordance} is not between |difference| {abs(difference)} and 1")
