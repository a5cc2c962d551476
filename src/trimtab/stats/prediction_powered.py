"""A few true labels and many predicted ones make one estimate: unbiased like the labels, narrow like the predictions.

Judge scores corrected by human labels, and repriced costs corrected by a holdout, are both of this form.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trimtab.stats._arrays import Vector, as_vector, require_same_length
from trimtab.stats.quantiles import normal_quantile

__all__ = ["CorrectedMean", "corrected_difference", "corrected_mean"]


class CorrectedMean(NamedTuple):
    """A mean with its bounds, in the unit of the labels."""

    mean: float
    lower: float
    upper: float
    standard_error: float
    weight: float
    """How far predictions were trusted: 0 ignores them, 1 takes them in full (the paper's lambda)."""
    n_labelled: int
    n_unlabelled: int


def corrected_mean(
    truth: ArrayLike,
    predicted: ArrayLike,
    predicted_unlabelled: ArrayLike,
    *,
    weight: float | None = None,
    confidence: float = 0.95,
    population_variance: bool = False,
) -> CorrectedMean:
    """Estimate a mean from few labels and many predictions (prediction-powered inference, PPI++).

    Labelled cases must be a random part of all cases. Predictions may be as bad as they like: the mean stays unbiased,
    and with the tuned weight it is, with many labels, no wider than the labels alone.

    Args:
        truth: ``(n,)`` true values, such as human grades; at least 2.
        predicted: ``(n,)`` predictions for the same cases.
        predicted_unlabelled: ``(N,)`` predictions for the other cases; at least 2.
        weight: Trust in predictions from 0 to 1; ``None`` chooses the one that makes the interval narrowest.
        confidence: Two-sided coverage; normal, so count on it from about 30 labels.
        population_variance: Divide by ``n`` and not by ``n - 1``, as the paper's own package does.

    Returns:
        The corrected mean with bounds.

    Raises:
        ValueError: Lengths differ, a value is not finite, there are fewer than two of a kind, or ``weight`` is outside
            0 to 1.

    Example:
        >>> result = corrected_mean([1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1, 1, 1, 1, 1], weight=1.0)
        >>> result.mean
        0.625

    Source:
        Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, "Prediction-powered inference", Science 382 (2023), 669-674;
        Angelopoulos, Duchi and Zrnic, "PPI++: efficient prediction-powered inference" (2023), arXiv:2311.01453.
    """
    labels = as_vector(truth, "truth", at_least=2)
    guesses = as_vector(predicted, "predicted", at_least=2)
    others = as_vector(predicted_unlabelled, "predicted_unlabelled", at_least=2)
    require_same_length(truth=labels, predicted=guesses)
    trust = _tuned_weight(labels, guesses, others) if weight is None else weight
    if not 0 <= trust <= 1:
        raise ValueError(f"weight {trust} is outside 0 to 1")
    rest = labels - trust * guesses
    mean = trust * float(others.mean()) + float(rest.mean())
    ddof = 0 if population_variance else 1
    error = math.sqrt(trust**2 * float(others.var(ddof=ddof)) / len(others) + float(rest.var(ddof=ddof)) / len(rest))
    half = normal_quantile(0.5 + confidence / 2) * error
    return CorrectedMean(mean, mean - half, mean + half, error, trust, len(labels), len(others))


def corrected_difference(
    candidate: ArrayLike,
    baseline: ArrayLike,
    candidate_predicted: ArrayLike,
    baseline_predicted: ArrayLike,
    candidate_unlabelled: ArrayLike,
    baseline_unlabelled: ArrayLike,
    *,
    weight: float | None = None,
    confidence: float = 0.95,
) -> CorrectedMean:
    """Estimate the mean difference of two models from few true grades and many judged ones, case by case.

    Args:
        candidate: ``(n,)`` true grades of the candidate; at least 2.
        baseline: ``(n,)`` true grades of the baseline on the same cases.
        candidate_predicted: ``(n,)`` the judge's grades of the candidate on these cases.
        baseline_predicted: ``(n,)`` the judge's grades of the baseline on these cases.
        candidate_unlabelled: ``(N,)`` the judge's grades of the candidate on the other cases; at least 2.
        baseline_unlabelled: ``(N,)`` the judge's grades of the baseline on the other cases.
        weight: As in ``corrected_mean``.
        confidence: Two-sided coverage.

    Returns:
        Candidate less baseline, with bounds.

    Raises:
        ValueError: As ``corrected_mean``.

    Example:
        >>> result = corrected_difference([1, 0, 1], [1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 0], [1, 1], weight=1.0)
        >>> result.mean
        -0.5

    Source:
        As ``corrected_mean``, of the differences.
    """
    return corrected_mean(
        _less(candidate, baseline, "candidate", "baseline"),
        _less(candidate_predicted, baseline_predicted, "candidate_predicted", "baseline_predicted"),
        _less(candidate_unlabelled, baseline_unlabelled, "candidate_unlabelled", "baseline_unlabelled"),
        weight=weight,
        confidence=confidence,
    )


def _tuned_weight(labels: Vector, guesses: Vector, others: Vector) -> float:
    """Return the weight with the least variance: ``cov(truth, predicted) / ((1 + n / N) var(predicted))``."""
    spread = float(np.concatenate([guesses, others]).var(ddof=1))
    if spread == 0:
        return 0.0
    together = float(np.mean((labels - labels.mean()) * (guesses - guesses.mean())))
    return min(max(together / ((1 + len(labels) / len(others)) * spread), 0.0), 1.0)


def _less(ours: ArrayLike, theirs: ArrayLike, our_name: str, their_name: str) -> Vector:
    first, second = as_vector(ours, our_name, at_least=2), as_vector(theirs, their_name, at_least=2)
    require_same_length(**{our_name: first, their_name: second})
    return first - second
