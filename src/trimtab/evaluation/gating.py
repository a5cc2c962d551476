"""The gate: may the candidate serve in the baseline's place? Yes, no, or nobody can tell yet."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.comparing import Comparison, RunLabel
from trimtab.evaluation.judging.standing import Admissions, JudgeStanding, standings_of
from trimtab.evaluation.paired_result import PairedResult, TestName
from trimtab.evaluation.sizing import pairs_to_settle
from trimtab.evaluation.wording import figures_of, what_helps
from trimtab.stats.multiplicity import adjust_holm

NOBODY_ADMITTED: Admissions = MappingProxyType({})


class GateOutcome(StrEnum):
    """What a gate answers. Only ``PASS`` lets a candidate serve."""

    PASS = "pass"
    FAIL = "fail"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"


class StratumVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says of one protected stratum, with the figures that it says it by."""

    stratum: str
    outcome: GateOutcome
    reason: str
    n_pairs: int
    difference: float
    """Candidate less baseline, a fraction, with its bounds."""
    lower: float
    upper: float
    n_needed: int | None = None
    """Cases that would probably settle it; ``None`` when it is settled, or when more of them would not help."""
    cost_of_more_nano_usd: int | None = None
    """What the cases that are missing cost, both models and grading, at the cost measured in these runs; ``None`` when
    none is asked for, or when a price is unknown."""
    test: TestName | None = None
    p_pass: float | None = None
    """Of "it loses the margin or more"; below alpha it is good enough. Adjusted (Holm) for what is claimed with it."""
    p_fail: float | None = None
    """Of "it loses the margin or less"; below alpha it loses too much. Adjusted (Holm) likewise."""


class GateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's answer, complete enough to be kept as its own record."""

    outcome: GateOutcome
    suite_name: str
    suite_digest: str
    scorer: str
    baseline: RunLabel
    candidate: RunLabel
    margin: float
    alpha: float
    is_planned: bool = False
    """Whether margin and alpha were fixed in the suite, before its runs."""
    n_claims: int = 1
    """Candidates and suites gated together; the p-values carry it."""
    judges: tuple[JudgeStanding, ...] = ()
    """Models that graded, and whether each is admitted. One that is not leaves every stratum without a verdict."""
    strata: tuple[StratumVerdict, ...]
    """The protected strata, by name."""

    @property
    def is_blocked(self) -> bool:
        """Whether the candidate must not serve."""
        return self.outcome is not GateOutcome.PASS


class Claim(NamedTuple):
    """One stratum of one comparison with the p-values that are its share of everything claimed together."""

    comparison: Comparison
    result: PairedResult
    p_pass: float
    p_fail: float


def gate(
    comparison: Comparison,
    *,
    protected: Collection[str] | None = None,
    power: float = 0.8,
    admissions: Admissions = NOBODY_ADMITTED,
) -> GateVerdict:
    """Decide by the comparison's own margin and alpha, on each protected stratum by itself.

    With one statistic for each stratum (of "worse by exactly the margin"; Tango's for rates, t for degrees):

    - ``PASS`` when on *every* protected stratum the loss is shown to be smaller than the margin, each at alpha. All
      must hold, so no correction is due: a bad candidate passes with chance alpha at most (intersection-union).
    - ``FAIL`` when on *some* protected stratum the loss is shown to be larger than the margin. One is enough, so the
      p-values are adjusted (Holm): a good candidate fails with chance alpha at most.
    - ``INSUFFICIENT_EVIDENCE`` otherwise. It blocks as well, and says how many cases would probably settle it and what
      they cost.

    The overall figure has no say, so an average cannot hide a stratum. Several candidates, or suites: ``gate_all``.

    Args:
        comparison: Of the two runs.
        protected: Strata on which nothing may be lost; ``None`` for those of the suite's plan, which may be all.
        power: Chance with which ``n_needed`` cases would prove it.
        admissions: Of the judges that graded. Where one of them is not admitted, nothing is shown either way.

    Raises:
        ConfigurationError: no stratum is protected, or one has no case in the suite.

    Source:
        Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982), 295-300; Holm
        (1979) and Tango (1998) as in ``trimtab.stats``.
    """
    return _gated([comparison], protected, power, admissions)[0]


def gate_all(
    comparisons: Sequence[Comparison], *, power: float = 0.8, admissions: Admissions = NOBODY_ADMITTED
) -> tuple[GateVerdict, ...]:
    """Gate several candidates, or one on several workloads, so that all that pass together hold.

    As ``gate`` with each plan's protected strata, and p-values adjusted (Holm) over everything: a candidate's claim is
    the largest p-value of its strata, and with chance alpha at most any bad candidate passes, or any good one fails.

    Args:
        comparisons: One for each candidate and suite, at least one, all with the same alpha.
        power: As in ``gate``.
        admissions: As in ``gate``.

    Returns:
        Verdicts in the same order.

    Raises:
        ConfigurationError: as ``gate``; or there is no comparison, or they differ in alpha.
    """
    if len({comparison.alpha for comparison in comparisons}) != 1:
        raise ConfigurationError(
            f"{len(comparisons)} comparisons with alpha {sorted({c.alpha for c in comparisons})} are not one decision.",
            hint="Give at least one, and the suites' plans the same alpha.",
        )
    return _gated(comparisons, None, power, admissions)


def verdict_of(claim: Claim, *, power: float, n_claims: int) -> StratumVerdict:
    """Decide one stratum by its adjusted p-values; missing cases are planned at alpha divided among the claims."""
    comparison, result = claim.comparison, claim.result
    margin, alpha = comparison.margin, comparison.alpha
    n_needed = cost = None
    if claim.p_fail < alpha:
        outcome, reason = GateOutcome.FAIL, f"it loses more than {margin:.1%}"
    elif claim.p_pass < alpha:
        outcome, reason = GateOutcome.PASS, f"it loses less than {margin:.1%}"
    else:
        outcome = GateOutcome.INSUFFICIENT_EVIDENCE
        n_needed = pairs_to_settle(result, margin=margin, alpha=alpha / n_claims, power=power)
        each = comparison.costs.get(str(result.stratum))
        cost = None if n_needed is None or each is None else each.of(n_needed - result.n_pairs)
        reason = f"it may lose more than {margin:.1%}, {what_helps(result, n_needed, cost)}"
    return StratumVerdict(
        stratum=str(result.stratum),
        outcome=outcome,
        reason=f"{reason}: {figures_of(result)}",
        n_pairs=result.n_pairs,
        difference=result.difference,
        lower=result.lower,
        upper=result.upper,
        n_needed=n_needed,
        cost_of_more_nano_usd=cost,
        test=result.test,
        p_pass=claim.p_pass,
        p_fail=claim.p_fail,
    )


def _gated(
    comparisons: Sequence[Comparison], protected: Collection[str] | None, power: float, admissions: Admissions
) -> tuple[GateVerdict, ...]:
    """Decide all; a candidate's strata share its place in Holm's order, that of the worst of them."""
    chosen = [_protected(comparison, protected) for comparison in comparisons]
    worst = [max(result.p_noninferior for result in results) for results in chosen]
    factors = [adjusted / p if p else 1.0 for adjusted, p in zip(adjust_holm(worst), worst, strict=True)]
    p_fail = iter(adjust_holm([result.p_inferior for results in chosen for result in results]))
    verdicts = []
    for comparison, results, factor in zip(comparisons, chosen, factors, strict=True):
        claims = [Claim(comparison, r, min(r.p_noninferior * factor, 1.0), next(p_fail)) for r in results]
        strata = tuple(verdict_of(claim, power=power, n_claims=len(comparisons)) for claim in claims)
        judges = standings_of(comparison.judges, admissions)
        verdicts.append(_verdict(comparison, believed(strata, judges), judges, n_claims=len(comparisons)))
    return tuple(verdicts)


def believed(strata: tuple[StratumVerdict, ...], judges: tuple[JudgeStanding, ...]) -> tuple[StratumVerdict, ...]:
    """Return the verdicts; where a judge is not admitted, none that says yes or no: its grades show neither."""
    names = [str(one.judge.options.get("model")) for one in judges if not one.admission.is_admitted]
    if not names:
        return strata
    why = f"the grades are those of {', '.join(names)}, not admitted as judge (`trimtab eval judge card`)"
    return tuple(
        msgspec.structs.replace(
            verdict,
            outcome=GateOutcome.INSUFFICIENT_EVIDENCE,
            reason=f"{why}; believed, they would say: {verdict.reason}",
        )
        for verdict in strata
    )


def _verdict(
    comparison: Comparison, strata: tuple[StratumVerdict, ...], judges: tuple[JudgeStanding, ...], *, n_claims: int
) -> GateVerdict:
    return GateVerdict(
        outcome=_together({verdict.outcome for verdict in strata}),
        suite_name=comparison.suite_name,
        suite_digest=comparison.suite_digest,
        scorer=comparison.scorer,
        baseline=comparison.baseline,
        candidate=comparison.candidate,
        margin=comparison.margin,
        alpha=comparison.alpha,
        is_planned=comparison.is_planned,
        n_claims=n_claims,
        judges=judges,
        strata=strata,
    )


def _protected(comparison: Comparison, protected: Collection[str] | None) -> list[PairedResult]:
    found = {str(result.stratum): result for result in comparison.strata}
    wanted = comparison.protected if protected is None else protected
    names = sorted(found if wanted is None else set(wanted))
    missing = [name for name in names if name not in found]
    if missing or not names:
        problem = f"stratum {missing[0]!r} has no case" if missing else "no stratum is protected"
        raise ConfigurationError(
            f"Suite {comparison.suite_name!r} cannot gate: {problem}.", hint=f"It has: {', '.join(found)}."
        )
    return [found[name] for name in names]


def _together(outcomes: set[GateOutcome]) -> GateOutcome:
    if GateOutcome.FAIL in outcomes:
        return GateOutcome.FAIL
    return GateOutcome.PASS if outcomes == {GateOutcome.PASS} else GateOutcome.INSUFFICIENT_EVIDENCE
