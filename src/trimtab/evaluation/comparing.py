"""Two runs of one suite, paired case by case: overall and stratum by stratum, each with interval and test."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import NormalDist
from typing import NamedTuple

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.running import CaseResult, Run
from trimtab.stats.mcnemar import mcnemar
from trimtab.stats.multiplicity import adjust_holm
from trimtab.stats.paired import PairedCounts, tango_interval, tango_noninferiority


class RunLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Which run it was."""

    model: str
    model_digest: str | None
    started_at_us: int


class PairedResult(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate against baseline on the cases of one stratum. Rates and differences are fractions.

    A case without an answer counts as wrong: whoever asked got nothing. Only ``p_noninferior`` is stricter: there a
    case that the *baseline* did not answer counts as one that it would have got right, so that no failure of the
    baseline can prove the candidate good.
    """

    stratum: str | None
    """``None`` for all cases together."""
    counts: PairedCounts
    n_baseline_failed: int
    """Cases to which the baseline gave no answer."""
    n_candidate_failed: int
    """Cases to which the candidate gave no answer."""
    lower: float
    """Tango's bounds of the difference; see ``Comparison.confidence``."""
    upper: float
    p_differ: float
    """Two-sided, of "both are equally often right" (McNemar, mid-p)."""
    p_noninferior: float
    """One-sided, of "worse by the margin or more" (Tango); below alpha the candidate is non-inferior."""
    p_noninferior_holm: float
    """The same for naming strata one by one: adjusted (Holm) over all strata of the comparison."""
    p_inferior: float
    """One-sided, of "worse by the margin or less" (Tango); below alpha the loss is larger than the margin."""

    @property
    def n_pairs(self) -> int:
        """Cases."""
        return self.counts.n_pairs

    @property
    def baseline_rate(self) -> float:
        """Share of the cases that the baseline got right."""
        return (self.counts.both + self.counts.baseline_only) / self.counts.n_pairs

    @property
    def candidate_rate(self) -> float:
        """Share of the cases that the candidate got right."""
        return (self.counts.both + self.counts.candidate_only) / self.counts.n_pairs

    @property
    def difference(self) -> float:
        """Candidate less baseline."""
        return self.counts.difference


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What two runs of the same suite say about each other."""

    suite_name: str
    suite_digest: str
    scorer: str
    baseline: RunLabel
    candidate: RunLabel
    margin: float
    """Loss that would be accepted, a fraction, fixed before the runs were seen."""
    alpha: float
    """One-sided error of each test."""
    overall: PairedResult
    """For reading; no gate decides by it."""
    strata: tuple[PairedResult, ...]
    """By name."""

    @property
    def confidence(self) -> float:
        """Two-sided coverage of the intervals, ``1 - 2 * alpha``, so that their bounds are what the tests decide by."""
        return 1 - 2 * self.alpha


class _Pair(NamedTuple):
    baseline: CaseResult
    candidate: CaseResult


def compare_runs(baseline: Run, candidate: Run, *, margin: float = 0.02, alpha: float = 0.05) -> Comparison:
    """Compare two runs case by case.

    Args:
        baseline: What the candidate would replace, such as the unquantized parent.
        candidate: What might replace it.
        margin: Loss that would be accepted, a fraction above 0, fixed before the runs were seen.
        alpha: One-sided error of each test, above 0 and below 0.5.

    Returns:
        The comparison, overall and for each stratum.

    Raises:
        ConfigurationError: the runs are of different suites, scorers or cases.
        ValueError: ``margin`` or ``alpha`` is impossible, or a score is neither 0 nor 1.

    Source:
        Tango, Statistics in Medicine 17 (1998), 891-908; see ``trimtab.stats.paired``.
    """
    if not (0 < margin < 1 and 0 < alpha < 0.5):
        raise ValueError(f"margin {margin} is not between 0 and 1, or alpha {alpha} not between 0 and 0.5")
    pairs = sorted(_paired(baseline, candidate), key=_stratum_of)
    groups = [(stratum, list(group)) for stratum, group in groupby(pairs, key=_stratum_of)]
    strata = [_result(stratum, group, margin, alpha) for stratum, group in groups]
    adjusted = adjust_holm([result.p_noninferior for result in strata])
    return Comparison(
        suite_name=baseline.suite_name,
        suite_digest=baseline.suite_digest,
        scorer=baseline.scorer,
        baseline=_label(baseline),
        candidate=_label(candidate),
        margin=margin,
        alpha=alpha,
        overall=_result(None, pairs, margin, alpha),
        strata=tuple(
            msgspec.structs.replace(result, p_noninferior_holm=p) for result, p in zip(strata, adjusted, strict=True)
        ),
    )


def _paired(baseline: Run, candidate: Run) -> list[_Pair]:
    for what in ("suite_digest", "scorer"):
        ours, theirs = getattr(baseline, what), getattr(candidate, what)
        if ours != theirs:
            raise ConfigurationError(
                f"Runs of {baseline.model!r} and {candidate.model!r} cannot be paired: "
                f"their {what} is {ours!r} and {theirs!r}.",
                hint="Run both over the same suite with the same scorer.",
            )
    theirs_by_id = {result.case_id: result for result in candidate.results}
    if theirs_by_id.keys() != {result.case_id for result in baseline.results}:
        raise ConfigurationError(
            f"Runs of {baseline.model!r} and {candidate.model!r} do not have the same cases: "
            f"{len(baseline.results)} and {len(candidate.results)}.",
            hint="One record is incomplete; run it again.",
        )
    return [_Pair(result, theirs_by_id[result.case_id]) for result in baseline.results]


def _result(stratum: str | None, pairs: Sequence[_Pair], margin: float, alpha: float) -> PairedResult:
    counts = _counted(pairs)
    lower, upper = tango_interval(counts, confidence=1 - 2 * alpha)
    p_noninferior = tango_noninferiority(_counted(pairs, unanswered_baseline=True), margin=margin).p_value
    return PairedResult(
        stratum=stratum,
        counts=counts,
        n_baseline_failed=sum(pair.baseline.answer is None for pair in pairs),
        n_candidate_failed=sum(pair.candidate.answer is None for pair in pairs),
        lower=lower,
        upper=upper,
        p_differ=mcnemar(counts).p_mid,
        p_noninferior=p_noninferior,
        p_noninferior_holm=p_noninferior,
        p_inferior=NormalDist().cdf(tango_noninferiority(counts, margin=margin).z),
    )


def _counted(pairs: Iterable[_Pair], *, unanswered_baseline: bool = False) -> PairedCounts:
    return PairedCounts.from_outcomes(
        (_is_right(candidate, unanswered=False), _is_right(baseline, unanswered=unanswered_baseline))
        for baseline, candidate in pairs
    )


def _is_right(result: CaseResult, *, unanswered: bool) -> bool:
    if result.score is None:
        return unanswered
    if result.score not in (0.0, 1.0):
        raise ValueError(f"case {result.case_id!r} has score {result.score}, which is neither 0 (wrong) nor 1 (right)")
    return result.score == 1.0


def _label(run: Run) -> RunLabel:
    return RunLabel(model=run.model, model_digest=run.model_digest, started_at_us=run.started_at_us)


def _stratum_of(pair: _Pair) -> str:
    return pair.baseline.stratum
