"""The true pass rate behind a fallible judge, when it is known how often the judge errs."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from trimtab.stats.quantiles import normal_quantile

__all__ = ["JudgeErrors", "TrueRate", "true_rate", "true_rate_interval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeErrors:
    """A judge's verdicts on cases whose truth is known, counted."""

    true_passes: int
    """Good cases that the judge passed."""
    good: int
    """Cases that are good, at least 1."""
    true_fails: int
    """Bad cases that the judge failed."""
    bad: int
    """Cases that are bad, at least 1."""

    def __post_init__(self) -> None:
        if not (0 <= self.true_passes <= self.good and 0 <= self.true_fails <= self.bad and self.good and self.bad):
            raise ValueError(f"impossible or empty counts in {self}")


class TrueRate(NamedTuple):
    """A pass rate corrected for the judge's errors, with bounds; fractions."""

    rate: float
    lower: float
    upper: float


def true_rate(judged_rate: float, *, sensitivity: float, specificity: float) -> float:
    """Correct a judged pass rate for the judge's known errors.

    Args:
        judged_rate: Share that the judge passed, a fraction.
        sensitivity: Share of good answers that the judge passes (its true positive rate).
        specificity: Share of bad answers that the judge fails (its true negative rate).

    Returns:
        The true rate, held within ``[0, 1]``.

    Raises:
        ValueError: The judge is no better than a coin: ``sensitivity + specificity`` is at most 1.

    Example:
        >>> round(true_rate(0.72, sensitivity=0.9, specificity=0.7), 6)
        0.7

    Source:
        Rogan and Gladen, "Estimating prevalence from the results of a screening test", American Journal of
        Epidemiology 107 (1978), 71-76.
    """
    return min(max(_corrected(judged_rate, sensitivity, specificity), 0.0), 1.0)


def true_rate_interval(judge_passes: int, n_judged: int, *, errors: JudgeErrors, confidence: float = 0.95) -> TrueRate:
    """Correct a judged pass rate and bound it, with all three samples' uncertainty in it.

    Args:
        judge_passes: Unlabelled cases that the judge passed.
        n_judged: Unlabelled cases that it judged, at least 1.
        errors: The judge on labelled cases, which must be like the unlabelled ones.
        confidence: Two-sided coverage.

    Returns:
        The corrected rate and bounds, held within ``[0, 1]``.

    Raises:
        ValueError: Counts are impossible, or the judge did no better than a coin.

    Example:
        >>> errors = JudgeErrors(true_passes=90, good=100, true_fails=70, bad=100)
        >>> result = true_rate_interval(720, 1000, errors=errors)
        >>> round(result.rate, 2), round(result.lower, 2), round(result.upper, 2)
        (0.7, 0.61, 0.8)

    Source:
        Lang and Reiczigel, "Confidence limits for prevalence of disease adjusted for estimated sensitivity and
        specificity", Preventive Veterinary Medicine 113 (2014), 13-22.
    """
    if n_judged < 1 or not 0 <= judge_passes <= n_judged:
        raise ValueError(f"{judge_passes} passes of {n_judged} judged give no rate")
    estimate = true_rate(
        judge_passes / n_judged,
        sensitivity=errors.true_passes / errors.good,
        specificity=errors.true_fails / errors.bad,
    )
    lower, upper = _lang_reiczigel(judge_passes, n_judged, errors, normal_quantile(0.5 + confidence / 2))
    return TrueRate(estimate, min(max(lower, 0.0), estimate), max(min(upper, 1.0), estimate))


def _lang_reiczigel(judge_passes: int, n_judged: int, errors: JudgeErrors, z: float) -> tuple[float, float]:
    """Add pseudo-counts to all three samples, then move the centre and widen by the delta method."""
    n, n_good, n_bad = n_judged + z**2, errors.good + 2, errors.bad + 2
    judged = (judge_passes + z**2 / 2) / n
    sensitivity, specificity = (errors.true_passes + 1) / n_good, (errors.true_fails + 1) / n_bad
    rate = _corrected(judged, sensitivity, specificity)
    of_sensitivity, of_specificity = sensitivity * (1 - sensitivity) / n_good, specificity * (1 - specificity) / n_bad
    centre = rate + 2 * z**2 * (rate * of_sensitivity - (1 - rate) * of_specificity)
    variance = judged * (1 - judged) / n + rate**2 * of_sensitivity + (1 - rate) ** 2 * of_specificity
    half = z * math.sqrt(variance) / (sensitivity + specificity - 1)
    return centre - half, centre + half


def _corrected(judged_rate: float, sensitivity: float, specificity: float) -> float:
    edge = sensitivity + specificity - 1
    if edge <= 0:
        raise ValueError(f"sensitivity {sensitivity} and specificity {specificity}: no better than a coin")
    return (judged_rate + specificity - 1) / edge
