"""Two runs of one suite, paired case by case: overall and stratum by stratum, each with interval and test."""

from collections.abc import Mapping, Sequence

import msgspec

from trimtab.evaluation.judging.standing import judges_of
from trimtab.evaluation.paired_result import PairedResult, paired_result, test_for
from trimtab.evaluation.pairing import CasePair, by_group, pair_runs, stratum_of
from trimtab.evaluation.run_plan import ScorerUse
from trimtab.evaluation.running import Run
from trimtab.evaluation.spending import CostPerCase, Ratios, cost_per_case, ratios
from trimtab.evaluation.suite import Plan
from trimtab.evaluation.traffic import Headline, Mix, headline_of, mix_of
from trimtab.stats.multiplicity import adjust_holm


class RunLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Which run it was."""

    model: str
    model_digest: str | None
    started_at_us: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What two runs of the same suite say about each other."""

    suite_name: str
    suite_digest: str
    scorer: str
    baseline: RunLabel
    candidate: RunLabel
    margin: float
    """Loss that would be accepted, a fraction."""
    alpha: float
    """One-sided error of each test."""
    is_planned: bool = False
    """Whether margin and alpha are those of the suite's plan, which its digest covers: fixed before the runs."""
    protected: tuple[str, ...] | None = None
    """Strata that may each veto, by the plan; ``None`` for all."""
    overall: PairedResult
    """For reading; no gate decides by it."""
    strata: tuple[PairedResult, ...]
    """By name."""
    mix: Mix | None = None
    """The suite's strata beside those of the traffic; ``None`` where nobody measured that."""
    headline: Headline | None = None
    """The strata weighted to the traffic; for reading."""
    costs: Mapping[str, CostPerCase] = {}
    """Of one more case, by stratum."""
    judges: tuple[ScorerUse, ...] = ()
    """Models that graded answers; a gate believes only those that are admitted."""
    ratios: Ratios | None = None
    """How many times as much money, energy and time the candidate takes over all cases."""

    @property
    def confidence(self) -> float:
        """Two-sided coverage of the intervals, ``1 - 2 * alpha``, so that their bounds are what the tests decide by."""
        return 1 - 2 * self.alpha


def compare_runs(
    baseline: Run,
    candidate: Run,
    *,
    margin: float | None = None,
    alpha: float | None = None,
    traffic: Mapping[str, float] | None = None,
    bootstrap: bool = False,
) -> Comparison:
    """Compare two runs case by case, by the plan of their suite.

    Args:
        baseline: What the candidate would replace, such as the unquantized parent.
        candidate: What might replace it.
        margin: Another loss than the plan's, a fraction above 0, fixed before the runs were seen.
        alpha: Another one-sided error of each test than the plan's, above 0 and below 0.5.
        traffic: Calls of each stratum, measured; ``None`` for the plan's shares.
        bootstrap: Make the intervals of scores of degrees by resampling (BCa) instead of Student's t. The tests stay.

    Returns:
        The comparison, overall and for each stratum.

    Raises:
        ConfigurationError: the runs are of different suites, scorers or cases, a score is impossible, or scores of
            degrees need the extra ``stats``.
        ValueError: ``margin`` or ``alpha`` is impossible.

    Source:
        See ``paired_result``.
    """
    plan = baseline.plan
    margin, alpha = plan.margin if margin is None else margin, plan.alpha if alpha is None else alpha
    if not (0 < margin < 1 and 0 < alpha < 0.5):
        raise ValueError(f"margin {margin} is not between 0 and 1, or alpha {alpha} not between 0 and 0.5")
    pairs = pair_runs(baseline, candidate)
    test = test_for(pairs, is_binary=baseline.is_binary and candidate.is_binary)
    groups = by_group(pairs, stratum_of)
    strata = tuple(
        paired_result(name, group, test=test, margin=margin, alpha=alpha, bootstrap=bootstrap) for name, group in groups
    )
    mix = _mix(groups, plan, traffic)
    return Comparison(
        suite_name=baseline.suite_name,
        suite_digest=baseline.suite_digest,
        scorer=baseline.scorer,
        baseline=_label(baseline),
        candidate=_label(candidate),
        margin=margin,
        alpha=alpha,
        is_planned=(margin, alpha) == (plan.margin, plan.alpha),
        protected=plan.protected,
        overall=paired_result(None, pairs, test=test, margin=margin, alpha=alpha, bootstrap=bootstrap),
        strata=_adjusted(strata),
        mix=mix,
        headline=None if mix is None else headline_of(strata, mix),
        costs={name: cost_per_case(group) for name, group in groups},
        judges=judges_of((*baseline.scorers, *candidate.scorers)),
        ratios=ratios(pairs, confidence=1 - 2 * alpha),
    )


def compare_task_types(
    baseline: Run, candidate: Run, *, stratum: str | None = None, margin: float | None = None
) -> tuple[PairedResult, ...]:
    """Compare two runs on each task type, such as those of the routine stratum; ``stratum`` of a result names the type.

    Args:
        baseline: What the candidate would replace.
        candidate: What might replace it.
        stratum: Only cases of this one; ``None`` for all.
        margin: As ``compare_runs``.

    Returns:
        By task type, ``p_noninferior_holm`` adjusted over them.

    Raises:
        ConfigurationError: as ``compare_runs``.
    """
    plan = baseline.plan
    pairs = pair_runs(baseline, candidate)
    test = test_for(pairs, is_binary=baseline.is_binary and candidate.is_binary)
    chosen = [pair for pair in pairs if stratum is None or pair.stratum == stratum]
    return _adjusted(
        tuple(
            paired_result(name, group, test=test, margin=margin or plan.margin, alpha=plan.alpha)
            for name, group in by_group(chosen, lambda pair: pair.task_type)
        )
    )


def _adjusted(results: Sequence[PairedResult]) -> tuple[PairedResult, ...]:
    adjusted = adjust_holm([result.p_noninferior for result in results])
    return tuple(
        msgspec.structs.replace(result, p_noninferior_holm=p) for result, p in zip(results, adjusted, strict=True)
    )


def _mix(
    groups: Sequence[tuple[str, Sequence[CasePair]]], plan: Plan, traffic: Mapping[str, float] | None
) -> Mix | None:
    counts = {name: len(group) for name, group in groups}
    if traffic is not None:
        return mix_of(counts, traffic, source="measured")
    return None if plan.traffic is None else mix_of(counts, plan.traffic, source="plan")


def _label(run: Run) -> RunLabel:
    return RunLabel(model=run.model, model_digest=run.model_digest, started_at_us=run.started_at_us)
