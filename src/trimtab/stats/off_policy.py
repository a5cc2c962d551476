"""What another policy would have earned, from calls that a randomised policy made and logged with its propensities."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trimtab.stats._arrays import Vector, as_vector, require_same_length
from trimtab.stats.quantiles import normal_quantile

__all__ = [
    "PolicyValue",
    "doubly_robust_value",
    "effective_sample_size",
    "importance_weights",
    "inverse_propensity_value",
    "self_normalised_value",
]


class PolicyValue(NamedTuple):
    """Mean reward a call under the target policy with normal bounds, in units of the reward."""

    value: float
    lower: float
    upper: float
    standard_error: float
    n_calls: int


def importance_weights(target: ArrayLike, logged: ArrayLike, *, clip: float | None = None) -> Vector:
    """Return how much oftener the target policy would have made each logged choice.

    Args:
        target: ``(n,)`` chance that the target policy makes the logged choice, from 0 to 1.
        logged: ``(n,)`` chance with which it was made when it was (the decision's propensity), above 0 up to 1.
        clip: Largest weight; ``None`` for no limit. Clipping trades a bias towards the logged policy for less variance.

    Returns:
        ``(n,)`` weights, 0 or more; their mean is near 1 when the propensities are right.

    Raises:
        ValueError: Lengths differ, a chance is outside its range, or ``clip`` is not positive.

    Example:
        >>> importance_weights([0.5, 1.0], [0.8, 0.2], clip=4).tolist()
        [0.625, 4.0]

    Source:
        Horvitz and Thompson, JASA 47 (1952), 663-685. Clipping: Ionides, "Truncated importance sampling", Journal of
        Computational and Graphical Statistics 17 (2008), 295-311.
    """
    wanted, made = as_vector(target, "target"), as_vector(logged, "logged")
    require_same_length(target=wanted, logged=made)
    if wanted.min() < 0 or wanted.max() > 1 or made.max() > 1:
        raise ValueError("a chance is outside 0 to 1")
    if made.min() <= 0:
        raise ValueError(f"logged[{int(made.argmin())}] is {made.min()}: a choice that was made had a chance above 0")
    if clip is not None and clip <= 0:
        raise ValueError(f"clip {clip} leaves no weight")
    weights = wanted / made
    return weights if clip is None else np.minimum(weights, clip)


def effective_sample_size(weights: ArrayLike) -> float:
    """Return how many equally weighted calls would say as much as these.

    Args:
        weights: ``(n,)``, 0 or more, not all 0.

    Returns:
        Between 1 and ``n``. When it is a small part of ``n``, a few calls decide everything: log more exploration.

    Raises:
        ValueError: A weight is negative or not finite, or all are 0.

    Example:
        >>> effective_sample_size([1, 1, 1, 1]), effective_sample_size([4, 0, 0, 0])
        (4.0, 1.0)

    Source:
        Kish, "Survey Sampling" (1965): ``sum(w)**2 / sum(w**2)``.
    """
    w = _weights(weights)
    return float(w.sum() ** 2 / np.sum(w**2))


def inverse_propensity_value(rewards: ArrayLike, weights: ArrayLike, *, confidence: float = 0.95) -> PolicyValue:
    """Estimate the target policy's mean reward by weighting (IPS): unbiased, and wide when weights are large.

    Args:
        rewards: ``(n,)``, in any unit.
        weights: ``(n,)`` from ``importance_weights``.
        confidence: Two-sided coverage.

    Returns:
        Value with bounds; they are not held to the rewards' range.

    Raises:
        ValueError: Lengths differ, there are fewer than two calls, or a weight is negative.

    Example:
        >>> inverse_propensity_value([1, 0, 1], [0.5, 2.0, 1.0]).value
        0.5

    Source:
        Horvitz and Thompson (1952), as ``importance_weights``.
    """
    earned, w = _paired(rewards, weights)
    return _of_terms(w * earned, confidence)


def self_normalised_value(rewards: ArrayLike, weights: ArrayLike, *, confidence: float = 0.95) -> PolicyValue:
    """Estimate the target policy's mean reward by weighting and dividing by the weights' sum (SNIPS, Hajek).

    Slightly biased, much narrower than plain weighting, and never outside the rewards' range.

    Args:
        rewards: ``(n,)``, in any unit.
        weights: ``(n,)`` from ``importance_weights``; not all 0.
        confidence: Two-sided coverage.

    Returns:
        Value with bounds by the delta method.

    Raises:
        ValueError: Lengths differ, there are fewer than two calls, a weight is negative, or all are 0.

    Example:
        >>> round(self_normalised_value([1, 0, 1], [0.5, 2.0, 1.0]).value, 4)
        0.4286

    Source:
        Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning", NeurIPS 2015.
    """
    earned, w = _paired(rewards, weights)
    value = float(np.sum(w * earned) / w.sum())
    return _of_terms(value + w * (earned - value) / w.mean(), confidence)


def doubly_robust_value(
    rewards: ArrayLike,
    weights: ArrayLike,
    predicted: ArrayLike,
    predicted_target: ArrayLike,
    *,
    confidence: float = 0.95,
) -> PolicyValue:
    """Estimate the target policy's mean reward from a model of rewards, corrected by weighted errors (DR).

    Right when either the propensities or the predictions are; narrow when the predictions are good.

    Args:
        rewards: ``(n,)``, in any unit.
        weights: ``(n,)`` from ``importance_weights``.
        predicted: ``(n,)`` predicted reward of the logged choice, by a model that was not fitted on these calls.
        predicted_target: ``(n,)`` predicted reward averaged over what the target policy would choose; its plain mean is
            the direct method, which nothing corrects.
        confidence: Two-sided coverage.

    Returns:
        Value with bounds.

    Raises:
        ValueError: Lengths differ, there are fewer than two calls, or a weight is negative.

    Example:
        >>> round(doubly_robust_value([1, 0], [0.5, 2.0], [0.8, 0.4], [0.6, 0.6]).value, 4)
        0.25

    Source:
        Dudik, Langford and Li, "Doubly robust policy evaluation and learning", ICML 2011.
    """
    earned, w = _paired(rewards, weights)
    expected, of_target = as_vector(predicted, "predicted"), as_vector(predicted_target, "predicted_target")
    require_same_length(rewards=earned, predicted=expected, predicted_target=of_target)
    return _of_terms(of_target + w * (earned - expected), confidence)


def _of_terms(terms: Vector, confidence: float) -> PolicyValue:
    value, error = float(terms.mean()), float(terms.std(ddof=1)) / math.sqrt(len(terms))
    half = normal_quantile(0.5 + confidence / 2) * error
    return PolicyValue(value, value - half, value + half, error, len(terms))


def _paired(rewards: ArrayLike, weights: ArrayLike) -> tuple[Vector, Vector]:
    earned, w = as_vector(rewards, "rewards", at_least=2), _weights(weights)
    require_same_length(rewards=earned, weights=w)
    return earned, w


def _weights(weights: ArrayLike) -> Vector:
    w = as_vector(weights, "weights")
    if w.min() < 0 or w.max() == 0:
        raise ValueError("weights must be 0 or more, and not all 0")
    return w
