"""Two models graded by a score on the same cases: the mean difference, with clusters where cases belong together."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from trimtab.stats._arrays import Vector, as_vector, require_same_length
from trimtab.stats.paired import Noninferiority
from trimtab.stats.quantiles import student_t_quantile

__all__ = ["PairedDifference", "mean_noninferiority", "paired_difference"]


class PairedDifference(NamedTuple):
    """Mean of candidate less baseline over the cases that both answered, in units of the score."""

    difference: float
    lower: float
    upper: float
    standard_error: float
    t: float
    """``difference / standard_error``; infinite when all differences are alike and not 0."""
    p_value: float
    """Two-sided, of "no difference"."""
    n_pairs: int
    n_clusters: int
    """Independent groups; equal to ``n_pairs`` where every case stands alone."""


def paired_difference(
    candidate: ArrayLike, baseline: ArrayLike, *, clusters: ArrayLike | None = None, confidence: float = 0.95
) -> PairedDifference:
    """Bound the mean difference of two models' scores on the same cases by Student's t.

    With clusters the error is that of whole groups: ten questions about one document are not ten independent cases.
    Without them, or with one case in each, it is the ordinary paired t.

    Args:
        candidate: ``(n,)`` scores of the candidate, in the order of the cases; at least 2.
        baseline: ``(n,)`` scores of the baseline on the same cases.
        clusters: ``(n,)`` labels of groups, or ``None``.
        confidence: Two-sided coverage.

    Returns:
        The difference with bounds, standard error and two-sided p-value.

    Raises:
        ValueError: Lengths differ, a score is not finite, or there are fewer than two clusters.

    Example:
        >>> result = paired_difference([0.9, 0.8, 0.7, 1.0], [0.8, 0.8, 0.5, 0.9])
        >>> round(result.difference, 3), round(result.lower, 3), round(result.upper, 3)
        (0.1, -0.03, 0.23)

    Source:
        Student, Biometrika 6 (1908), 1-25. Clusters: Liang and Zeger, "Longitudinal data analysis using generalized
        linear models", Biometrika 73 (1986), 13-22, with the factor G / (G - 1) and G - 1 degrees of freedom of
        Cameron and Miller, "A practitioner's guide to cluster-robust inference", Journal of Human Resources 50 (2015),
        317-372.
    """
    ours, theirs = as_vector(candidate, "candidate", at_least=2), as_vector(baseline, "baseline", at_least=2)
    require_same_length(candidate=ours, baseline=theirs)
    differences = ours - theirs
    mean = float(differences.mean())
    residuals = _sums_by_cluster(differences - mean, clusters)
    n_clusters = len(residuals)
    if n_clusters < 2:
        raise ValueError("one cluster has no spread: an interval needs at least two")
    error = math.sqrt(n_clusters / (n_clusters - 1) * float(np.sum(residuals**2))) / len(differences)
    half = student_t_quantile(0.5 + confidence / 2, n_clusters - 1) * error
    t = _student_t(mean, error)
    p_value = 2 * float(stdtr(n_clusters - 1, -abs(t)))
    return PairedDifference(mean, mean - half, mean + half, error, t, p_value, len(differences), n_clusters)


def mean_noninferiority(found: PairedDifference, *, margin: float) -> Noninferiority:
    """Test that the candidate's mean score is not worse than the baseline's by ``margin`` or more.

    ``p_value < alpha`` exactly where the lower bound at ``confidence = 1 - 2 * alpha`` is above ``-margin``. A negative
    margin turns the question round: how sure is it that the candidate is *better* by that much.

    Args:
        found: What ``paired_difference`` returned.
        margin: The loss that would still be accepted, in units of the score, fixed before the data were seen.

    Returns:
        Difference, Student's t in place of the score statistic, and one-sided p-value. Differences that are all alike
        have no spread: t is infinite then and proves nothing by itself, however few they are.

    Example:
        >>> found = paired_difference([0.9, 0.8, 0.7, 1.0], [0.8, 0.8, 0.5, 0.9])
        >>> round(mean_noninferiority(found, margin=0.05).p_value, 4)
        0.0174

    Source:
        Student and Liang and Zeger, as ``paired_difference``; Schuirmann, Journal of Pharmacokinetics and
        Biopharmaceutics 15 (1987), 657-680, of whose two one-sided tests it is one.
    """
    t = _student_t(found.difference + margin, found.standard_error)
    return Noninferiority(found.difference, t, float(stdtr(found.n_clusters - 1, -t)))


def _student_t(distance: float, error: float) -> float:
    if error:
        return distance / error
    return math.copysign(math.inf, distance) if distance else 0.0


def _sums_by_cluster(residuals: Vector, clusters: ArrayLike | None) -> Vector:
    if clusters is None:
        return residuals
    labels = np.asarray(clusters)
    require_same_length(clusters=labels, candidate=residuals)
    _, index = np.unique(labels, return_inverse=True)
    return np.bincount(index, weights=residuals).astype(np.float64)
