"""Candidate against baseline on one group of cases: difference, interval and the tests that a gate decides by."""

import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.pairing import CasePair, Side
from trimtab.stats import Interval
from trimtab.stats.mcnemar import mcnemar
from trimtab.stats.paired import PairedCounts, tango_interval, tango_noninferiority

if TYPE_CHECKING:
    from trimtab.stats.paired_scores import PairedDifference

TestName = Literal["tango", "paired_t", "clustered_t"]
BoundsName = Literal["tango", "paired_t", "clustered_t", "bootstrap"]
_SideScore = Callable[[Side], float]


class PairedResult(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate against baseline on the cases of one stratum. Scores and differences are fractions.

    A case without an answer, or with one that nobody could grade, counts as wrong. The tests are stricter, each on the
    side of doubt. ``p_noninferior`` counts a case that the *baseline* did not answer, or that nobody could grade, as
    one that it got right, so that no failure of the baseline can prove the candidate good. ``p_inferior`` counts an
    answer of the candidate that nobody could grade as right.
    """

    stratum: str | None
    """``None`` for all cases together."""
    test: TestName
    """``tango`` for right or wrong; Student's t for scores of degrees, for repeated samples and, by whole clusters, for
    cases that belong together."""
    bounds: BoundsName
    """What made ``lower`` and ``upper``."""
    n_pairs: int
    """Cases."""
    n_clusters: int
    """Independent groups of cases; equal to ``n_pairs`` where every case stands alone."""
    n_samples: int
    """Answers of the candidate; more than cases where each was asked repeatedly."""
    baseline_mean: float
    """Its mean score; where answers are right or wrong, the share of right ones."""
    candidate_mean: float
    difference: float
    """Candidate less baseline."""
    standard_error: float | None
    """Of the difference; ``None`` when one group of cases has no spread."""
    lower: float
    """Bounds of the difference; see ``Comparison.confidence``."""
    upper: float
    discordance: float
    """Share of cases on which their scores differ."""
    counts: PairedCounts | None
    """Right and wrong of both, where each case is one or the other."""
    n_baseline_failed: int
    """Answers that the baseline did not give."""
    n_candidate_failed: int
    n_baseline_ungraded: int = 0
    """Answers that the scorer could not grade."""
    n_candidate_ungraded: int = 0
    p_differ: float
    """Two-sided, of "both are equally good" (McNemar's mid-p, or t)."""
    p_noninferior: float
    """One-sided, of "worse by the margin or more"; below alpha the candidate is non-inferior."""
    p_noninferior_holm: float
    """The same for naming strata one by one: adjusted (Holm) over all strata of the comparison."""
    p_inferior: float
    """One-sided, of "worse by the margin or less"; below alpha the loss is larger than the margin."""


def test_for(pairs: Sequence[CasePair], *, is_binary: bool) -> TestName:
    """Choose the test by how the cases were asked and what the scorer promised, never by how the scores came out."""
    if len({pair.cluster for pair in pairs}) < len(pairs):
        return "clustered_t"
    is_repeated = any(side.n_samples > 1 for pair in pairs for side in (pair.baseline, pair.candidate))
    return "tango" if is_binary and not is_repeated else "paired_t"


def paired_result(
    stratum: str | None,
    pairs: Sequence[CasePair],
    *,
    test: TestName,
    margin: float,
    alpha: float,
    bootstrap: bool = False,
) -> PairedResult:
    """Compare both models on these cases, at least one, by the test that ``test_for`` chose for all of them.

    Raises:
        ConfigurationError: scores of degrees need the extra ``stats``, which is not installed.

    Source:
        Tango (1998), Student (1908) and Liang and Zeger (1986) as in ``trimtab.stats``. Scores of degrees take, besides
        the t test, as many cases as would show one total loss in ``1 / margin`` of them, ``(1 - margin)**n``: Hanley
        and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249 (1983), 1743-1745. Without it two
        cases with equal scores would prove everything, since t sees no spread.
    """
    counts = _counts(pairs, _score, _score)
    n_clusters = len({pair.cluster for pair in pairs})
    if test == "tango" and counts is not None:
        tested = _tested_rates(counts, pairs, margin, alpha)
    else:
        tested = _tested_means(pairs, n_clusters, test, margin, alpha, bootstrap=bootstrap)
    n = len(pairs)
    baseline_mean = math.fsum(pair.baseline.score for pair in pairs) / n
    candidate_mean = math.fsum(pair.candidate.score for pair in pairs) / n
    return PairedResult(
        stratum=stratum,
        **tested._asdict(),
        n_pairs=n,
        n_clusters=n_clusters,
        n_samples=sum(pair.candidate.n_samples for pair in pairs),
        baseline_mean=baseline_mean,
        candidate_mean=candidate_mean,
        difference=candidate_mean - baseline_mean if counts is None else counts.difference,
        discordance=sum(pair.candidate.score != pair.baseline.score for pair in pairs) / n,
        counts=counts,
        n_baseline_failed=sum(pair.baseline.n_failed for pair in pairs),
        n_candidate_failed=sum(pair.candidate.n_failed for pair in pairs),
        n_baseline_ungraded=sum(pair.baseline.n_ungraded for pair in pairs),
        n_candidate_ungraded=sum(pair.candidate.n_ungraded for pair in pairs),
        p_noninferior_holm=tested.p_noninferior,
    )


class _Tested(NamedTuple):
    test: TestName
    bounds: BoundsName
    standard_error: float | None
    lower: float
    upper: float
    p_differ: float
    p_noninferior: float
    p_inferior: float


def _tested_rates(counts: PairedCounts, pairs: Sequence[CasePair], margin: float, alpha: float) -> _Tested:
    lower, upper = tango_interval(counts, confidence=1 - 2 * alpha)
    doubted = _counts(pairs, _if_unseen, _score) or counts
    excused = _counts(pairs, _score, _if_ungraded) or counts
    return _Tested(
        test="tango",
        bounds="tango",
        standard_error=counts.standard_error,
        lower=lower,
        upper=upper,
        p_differ=mcnemar(counts).p_mid,
        p_noninferior=tango_noninferiority(doubted, margin=margin).p_value,
        p_inferior=NormalDist().cdf(tango_noninferiority(excused, margin=margin).z),
    )


def _tested_means(
    pairs: Sequence[CasePair], n_clusters: int, test: TestName, margin: float, alpha: float, *, bootstrap: bool
) -> _Tested:
    if n_clusters < 2:
        return _Tested(test, test, None, -1.0, 1.0, 1.0, 1.0, 1.0)
    _require_stats()
    from trimtab.stats.paired_scores import mean_noninferiority

    plain = _difference(pairs, _score, _score, alpha)
    doubted = mean_noninferiority(_difference(pairs, _if_unseen, _score, alpha), margin=margin).p_value
    excused = mean_noninferiority(_difference(pairs, _score, _if_ungraded, alpha), margin=margin).p_value
    lower, upper = _resampled(pairs, alpha) if bootstrap else (plain.lower, plain.upper)
    return _Tested(
        test=test,
        bounds="bootstrap" if bootstrap else test,
        standard_error=plain.standard_error,
        lower=max(lower, -1.0),
        upper=min(upper, 1.0),
        p_differ=plain.p_value,
        p_noninferior=max(doubted, (1 - margin) ** n_clusters),
        p_inferior=1 - excused,
    )


def _difference(
    pairs: Sequence[CasePair], of_baseline: _SideScore, of_candidate: _SideScore, alpha: float
) -> "PairedDifference":
    from trimtab.stats.paired_scores import paired_difference

    return paired_difference(
        [of_candidate(pair.candidate) for pair in pairs],
        [of_baseline(pair.baseline) for pair in pairs],
        clusters=[pair.cluster for pair in pairs],
        confidence=1 - 2 * alpha,
    )


def _resampled(pairs: Sequence[CasePair], alpha: float) -> Interval:
    from trimtab.stats.bootstrap import bootstrap_mean_interval

    differences = [pair.candidate.score - pair.baseline.score for pair in pairs]
    clusters = [pair.cluster for pair in pairs]
    return bootstrap_mean_interval(differences, clusters=clusters, confidence=1 - 2 * alpha)


def _require_stats() -> None:
    """Say what is missing where it is needed: runs that are right or wrong do without numpy."""
    missing = [name for name in ("numpy", "scipy") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            "Scores between 0 and 1, repeated samples and clusters are compared with numpy and scipy, "
            f"and {' and '.join(missing)} is not installed.",
            hint="pip install 'trimtab[stats]'",
        )


def _counts(pairs: Sequence[CasePair], of_baseline: _SideScore, of_candidate: _SideScore) -> PairedCounts | None:
    """Count right and wrong; ``None`` when a case is neither."""
    scores = [(of_candidate(pair.candidate), of_baseline(pair.baseline)) for pair in pairs]
    if not {score for both in scores for score in both} <= {0.0, 1.0}:
        return None
    return PairedCounts.from_outcomes((ours == 1.0, theirs == 1.0) for ours, theirs in scores)


def _score(side: Side) -> float:
    return side.score


def _if_unseen(side: Side) -> float:
    return side.score_if_unseen


def _if_ungraded(side: Side) -> float:
    return side.score_if_ungraded
