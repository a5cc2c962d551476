"""Choose a threshold with a guarantee: with chance ``1 - delta`` its true risk is at most what was allowed."""

import math
from collections.abc import Sequence

from trimtab.stats._binomial import binomial_at_most
from trimtab.stats.multiplicity import adjust_holm

__all__ = ["controlled_thresholds", "hoeffding_bentkus_p_value"]


def hoeffding_bentkus_p_value(mean_loss: float, n_samples: int, *, risk_limit: float) -> float:
    """Return a p-value of "the true mean loss is above ``risk_limit``", valid for any ``n`` and any losses in [0, 1].

    Args:
        mean_loss: Observed mean loss, in ``[0, 1]``.
        n_samples: How many independent losses it is of, at least 1.
        risk_limit: The risk that is allowed, strictly between 0 and 1.

    Returns:
        From 0 to 1; small says that the risk is under control.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> round(hoeffding_bentkus_p_value(0.08, 1000, risk_limit=0.1), 6)
        0.047873

    Source:
        Bates, Angelopoulos, Lei, Malik and Jordan, "Distribution-free, risk-controlling prediction sets", Journal of
        the ACM 68 (2021), article 43, section 3.1.
    """
    if not 0 <= mean_loss <= 1 or n_samples < 1 or not 0 < risk_limit < 1:
        raise ValueError(f"mean loss {mean_loss} of {n_samples} at limit {risk_limit} gives no p-value")
    hoeffding = math.exp(-n_samples * _divergence(min(mean_loss, risk_limit), risk_limit))
    # Rounding can lift a product such as 100 * 0.07 above the whole number that it is.
    losses = math.ceil(round(n_samples * mean_loss, 9))
    bentkus = math.e * binomial_at_most(losses, n_samples, risk_limit)
    return min(hoeffding, bentkus, 1.0)


def controlled_thresholds(p_values: Sequence[float], *, delta: float, in_order: bool = False) -> list[int]:
    """Return the thresholds whose risk is under control, all of them at once with chance ``1 - delta``.

    Learn then Test: each threshold's p-value comes from ``hoeffding_bentkus_p_value`` on calibration calls that were
    not used to make the thresholds. Any one of those returned may then be chosen, by cost for instance.

    Args:
        p_values: One for each threshold.
        delta: Chance of a mistake, strictly between 0 and 1.
        in_order: Test from the first on and stop at the first failure, which costs no correction. Only for an order
            fixed beforehand, safest threshold first. Otherwise Holm's correction is used.

    Returns:
        Positions in ``p_values``, ascending; empty when nothing could be shown.

    Raises:
        ValueError: A p-value is outside 0 to 1, or ``delta`` outside its range.

    Example:
        >>> p_values = [0.001, 0.02, 0.2, 0.01]
        >>> controlled_thresholds(p_values, delta=0.05), controlled_thresholds(p_values, delta=0.05, in_order=True)
        ([0, 1, 3], [0, 1])

    Source:
        Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then test: calibrating predictive algorithms to achieve
        risk control", Annals of Applied Statistics 19 (2025), 1641-1662.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta {delta} is not between 0 and 1")
    adjusted = adjust_holm(p_values)  # It checks them, too.
    if not in_order:
        return [position for position, p in enumerate(adjusted) if p <= delta]
    failed = next((position for position, p in enumerate(p_values) if p > delta), len(p_values))
    return list(range(failed))


def _divergence(observed: float, expected: float) -> float:
    """Kullback-Leibler divergence of two coins; 0 where they are alike."""
    heads = observed * math.log(observed / expected) if observed else 0.0
    tails = (1 - observed) * math.log((1 - observed) / (1 - expected)) if observed < 1 else 0.0
    return heads + tails
