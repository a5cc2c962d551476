"""The gate: may the candidate serve in the baseline's place? Yes, no, or nobody can tell yet."""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.comparing import Comparison, PairedResult, RunLabel
from trimtab.stats.multiplicity import adjust_holm
from trimtab.stats.power import pairs_for_noninferiority


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
    strata: tuple[StratumVerdict, ...]
    """The protected strata, by name."""

    @property
    def is_blocked(self) -> bool:
        """Whether the candidate must not serve."""
        return self.outcome is not GateOutcome.PASS


def gate(comparison: Comparison, *, protected: Collection[str] | None = None, power: float = 0.8) -> GateVerdict:
    """Decide by the comparison's own margin and alpha, on each protected stratum by itself.

    With one score statistic for each stratum (Tango's, of "worse by exactly the margin"):

    - ``PASS`` when on *every* protected stratum the loss is shown to be smaller than the margin, each at alpha. All
      must hold, so no correction is due: a bad candidate passes with chance alpha at most (intersection-union).
    - ``FAIL`` when on *some* protected stratum the loss is shown to be larger than the margin. One is enough, so the
      p-values are adjusted (Holm): a good candidate fails with chance alpha at most.
    - ``INSUFFICIENT_EVIDENCE`` otherwise. It blocks as well, and says how many cases would probably settle it.

    The overall rate has no say, so an average cannot hide a stratum. Each candidate is one claim: whoever gates many
    and keeps those that pass should divide alpha among them.

    Args:
        comparison: Of the two runs.
        protected: Strata on which nothing may be lost; ``None`` for all of the suite.
        power: Chance with which ``n_needed`` cases would prove it.

    Raises:
        ConfigurationError: no stratum is protected, or one has no case in the suite.

    Source:
        Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982), 295-300; Holm
        (1979) and Tango (1998) as in ``trimtab.stats``.
    """
    results = _protected(comparison, protected)
    p_inferior = adjust_holm([result.p_inferior for result in results])
    verdicts = tuple(_verdict(r, p, comparison, power) for r, p in zip(results, p_inferior, strict=True))
    return GateVerdict(
        outcome=_together({verdict.outcome for verdict in verdicts}),
        suite_name=comparison.suite_name,
        suite_digest=comparison.suite_digest,
        scorer=comparison.scorer,
        baseline=comparison.baseline,
        candidate=comparison.candidate,
        margin=comparison.margin,
        alpha=comparison.alpha,
        strata=verdicts,
    )


def _protected(comparison: Comparison, protected: Collection[str] | None) -> list[PairedResult]:
    found = {str(result.stratum): result for result in comparison.strata}
    names = sorted(found if protected is None else set(protected))
    missing = [name for name in names if name not in found]
    if missing or not names:
        problem = f"stratum {missing[0]!r} has no case" if missing else "no stratum is protected"
        raise ConfigurationError(
            f"Suite {comparison.suite_name!r} cannot gate: {problem}.", hint=f"It has: {', '.join(found)}."
        )
    return [found[name] for name in names]


def _verdict(result: PairedResult, p_inferior: float, comparison: Comparison, power: float) -> StratumVerdict:
    margin, alpha = comparison.margin, comparison.alpha
    n_needed = None
    if p_inferior < alpha:
        outcome, reason = GateOutcome.FAIL, f"it loses more than {margin:.1%}"
    elif result.p_noninferior < alpha:
        outcome, reason = GateOutcome.PASS, f"it loses less than {margin:.1%}"
    else:
        outcome, n_needed = GateOutcome.INSUFFICIENT_EVIDENCE, _n_needed(result, margin, alpha, power)
        reason = f"it may lose more than {margin:.1%}, {_what_helps(n_needed, result.n_baseline_failed)}"
    return StratumVerdict(
        stratum=str(result.stratum),
        outcome=outcome,
        reason=f"{reason}: {_figures(result)}",
        n_pairs=result.n_pairs,
        difference=result.difference,
        lower=result.lower,
        upper=result.upper,
        n_needed=n_needed,
    )


def _together(outcomes: set[GateOutcome]) -> GateOutcome:
    if GateOutcome.FAIL in outcomes:
        return GateOutcome.FAIL
    return GateOutcome.PASS if outcomes == {GateOutcome.PASS} else GateOutcome.INSUFFICIENT_EVIDENCE


def _n_needed(result: PairedResult, margin: float, alpha: float, power: float) -> int | None:
    """Plan for the loss that was seen, though for half the margin at most: what truly loses the margin is never proven.

    Few cases show less discordance than there is, so at least the margin is planned for; without any disagreement
    Tango's test itself needs ``z**2 * (1 - margin) / margin`` cases.
    """
    loss = min(max(-result.difference, 0.0), margin / 2)
    discordance = max(result.counts.discordance, margin)
    n = pairs_for_noninferiority(discordance=discordance, margin=margin, difference=-loss, alpha=alpha, power=power)
    return n if n > result.n_pairs else None


def _what_helps(n_needed: int | None, n_baseline_failed: int) -> str:
    if n_needed is None and n_baseline_failed:
        return f"because {n_baseline_failed:,} unanswered cases of the baseline prove nothing; run it again"
    if n_needed is None:
        return "and its loss is too near to that for more cases to help"
    return f"which about {n_needed:,} cases would settle"


def _figures(result: PairedResult) -> str:
    figures = (
        f"{result.candidate_rate:.3f} vs {result.baseline_rate:.3f}, "
        f"difference {result.difference:+.3f} [{result.lower:+.3f}, {result.upper:+.3f}], n = {result.n_pairs:,}"
    )
    if result.n_baseline_failed or result.n_candidate_failed:
        figures += f"; unanswered: {result.n_candidate_failed} vs {result.n_baseline_failed}"
    return figures
