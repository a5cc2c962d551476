"""How far two graders agree beyond chance, and whether a judge still grades as it did."""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from trimtab.stats.intervals import Interval, wilson_interval
from trimtab.stats.mcnemar import mcnemar
from trimtab.stats.paired import PairedCounts, tango_interval
from trimtab.stats.quantiles import normal_quantile

__all__ = ["Agreement", "AnchorDrift", "anchor_drift", "cohen_kappa", "gwet_ac1"]


class Agreement(NamedTuple):
    """Agreement beyond chance: 1 is perfect, 0 is chance, below 0 is worse than chance."""

    value: float
    lower: float
    upper: float
    standard_error: float
    observed: float
    """Share of cases with the same grade."""
    by_chance: float
    """Share that the measure expects of graders who guess."""


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable], *, confidence: float = 0.95) -> Agreement:
    """Return Cohen's kappa of two graders on the same cases.

    It falls towards 0 when nearly all cases deserve the same grade, even if the graders rarely differ; read it beside
    ``gwet_ac1``.

    Args:
        first: ``n`` grades, in the order of the cases; any labels.
        second: ``n`` grades of the other grader.
        confidence: Two-sided coverage of the bounds, which are normal: count on them from about 50 cases.

    Returns:
        Kappa with bounds in ``[-1, 1]``.

    Raises:
        ValueError: There is no case, lengths differ, or both gave one and the same grade throughout, which leaves
            chance undefined.

    Example:
        >>> first, second = [1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
        >>> round(cohen_kappa(first, second).value, 6)
        0.4

    Source:
        Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960),
        37-46. Error: Fleiss, Cohen and Everitt, Psychological Bulletin 72 (1969), 323-327.
    """
    shares, ours, theirs = _shares(first, second)
    observed = sum(share for (a, b), share in shares.items() if a == b)
    chance = sum(ours[grade] * theirs[grade] for grade in list(ours))
    if chance == 1:
        raise ValueError("both graders gave one grade throughout: chance explains everything and kappa is undefined")
    kappa = (observed - chance) / (1 - chance)
    kept = 1 - kappa
    same = sum(share * (1 - (ours[a] + theirs[a]) * kept) ** 2 for (a, b), share in shares.items() if a == b)
    other = kept**2 * sum(share * (theirs[a] + ours[b]) ** 2 for (a, b), share in shares.items() if a != b)
    spread = same + other - (kappa - chance * kept) ** 2
    error = math.sqrt(max(spread, 0.0) / len(first)) / (1 - chance)
    return _bounded(kappa, error, observed, chance, confidence)


def gwet_ac1(first: Sequence[Hashable], second: Sequence[Hashable], *, confidence: float = 0.95) -> Agreement:
    """Return Gwet's AC1 of two graders on the same cases; it stays sensible when one grade is rare.

    Args:
        first: ``n`` grades, in the order of the cases; any labels.
        second: ``n`` grades of the other grader.
        confidence: Two-sided coverage of the bounds, which are normal: count on them from about 50 cases.

    Returns:
        AC1 with bounds in ``[-1, 1]``.

    Raises:
        ValueError: There is no case, lengths differ, or only one grade was given.

    Example:
        >>> first, second = [1] * 123 + [0] * 2, [1] * 118 + [0] * 5 + [1] * 2
        >>> round(gwet_ac1(first, second).value, 4), round(cohen_kappa(first, second).value, 4)
        (0.9408, -0.0234)

    Source:
        Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement", British Journal
        of Mathematical and Statistical Psychology 61 (2008), 29-48.
    """
    shares, ours, theirs = _shares(first, second)
    grades = ours.keys() | theirs.keys()
    if len(grades) < 2:
        raise ValueError("only one grade was given, so agreement by chance is undefined")
    used = {grade: (ours[grade] + theirs[grade]) / 2 for grade in grades}
    scale = len(grades) - 1
    observed = sum(share for (a, b), share in shares.items() if a == b)
    chance = sum(share * (1 - share) for share in used.values()) / scale
    ac1 = (observed - chance) / (1 - chance)
    kept = 1 - ac1
    same = sum(share * (1 - used[a]) for (a, b), share in shares.items() if a == b) / scale
    each = sum(share * (1 - (used[a] + used[b]) / 2) ** 2 for (a, b), share in shares.items()) / scale**2
    spread = observed * (1 - observed) - 4 * kept * (same - observed * chance) + 4 * kept**2 * (each - chance**2)
    error = math.sqrt(max(spread, 0.0) / len(first)) / (1 - chance)
    return _bounded(ac1, error, observed, chance, confidence)


class AnchorDrift(NamedTuple):
    """How a judge's verdicts on the same labelled anchors moved between two days; all fractions."""

    flipped: float
    """Share of anchors whose verdict changed, either way."""
    flipped_bounds: Interval
    accuracy_change: float
    """Share of right verdicts now less then."""
    accuracy_change_bounds: Interval
    p_value: float
    """Two-sided mid-p of "as accurate as then"."""


def anchor_drift(
    labels: Sequence[bool], then: Sequence[bool], now: Sequence[bool], *, confidence: float = 0.95
) -> AnchorDrift:
    """Compare a judge with its former self on anchors: fixed answers whose true grade is known.

    A judge can flip many verdicts and stay as accurate; ``flipped`` shows the first, ``accuracy_change`` the second.
    Looking every day needs a correction, or an e-process in place of the p-value.

    Args:
        labels: True grades, one for each anchor.
        then: The judge's verdicts when it was admitted.
        now: Its verdicts on the same anchors today.
        confidence: Two-sided coverage.

    Returns:
        Share flipped and change of accuracy, with bounds, and the p-value of the latter.

    Raises:
        ValueError: There is no anchor, or lengths differ.

    Example:
        >>> drift = anchor_drift([True] * 10, [True] * 10, [True] * 7 + [False] * 3)
        >>> round(drift.flipped, 1), round(drift.accuracy_change, 1)
        (0.3, -0.3)

    Source:
        McNemar's test and Tango's interval of right verdicts, paired by anchor.
    """
    if not labels or not len(labels) == len(then) == len(now):
        raise ValueError(f"{len(labels)} labels, {len(then)} and {len(now)} verdicts are not one for each anchor")
    n_flipped = sum(before != after for before, after in zip(then, now, strict=True))
    right = PairedCounts.from_outcomes(
        (after == label, before == label) for label, before, after in zip(labels, then, now, strict=True)
    )
    return AnchorDrift(
        n_flipped / len(labels),
        wilson_interval(n_flipped, len(labels), confidence=confidence),
        right.difference,
        tango_interval(right, confidence=confidence),
        mcnemar(right).p_mid,
    )


Shares = dict[tuple[Hashable, Hashable], float]
Margin = defaultdict[Hashable, float]


def _shares(first: Sequence[Hashable], second: Sequence[Hashable]) -> tuple[Shares, Margin, Margin]:
    """Return the share of each pair of grades, and of each grade by grader; an unused grade has 0."""
    n = len(first)
    if n == 0 or n != len(second):
        raise ValueError(f"{n} and {len(second)} grades are not one for each case")
    shares = {pair: count / n for pair, count in Counter(zip(first, second, strict=True)).items()}
    ours: Margin = defaultdict(float)
    theirs: Margin = defaultdict(float)
    for (a, b), share in shares.items():
        ours[a] += share
        theirs[b] += share
    return shares, ours, theirs


def _bounded(value: float, error: float, observed: float, chance: float, confidence: float) -> Agreement:
    half = normal_quantile(0.5 + confidence / 2) * error
    return Agreement(value, max(value - half, -1.0), min(value + half, 1.0), error, observed, chance)
